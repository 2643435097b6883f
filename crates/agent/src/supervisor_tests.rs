//! The supervisor in virtual time.

use super::*;

const ONLINE: u64 = 2;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A supervisor whose runner started at second 0, and everything it ordered.
struct Stage {
    supervisor: Supervisor,
    now: Duration,
    log: Vec<(Duration, Order)>,
}

impl Stage {
    fn new() -> Self {
        let limits = Limits { bound_at: s(0), idle_timeout: s(60), max_lifetime: s(3600), stop_grace: s(30) };
        Self { supervisor: Supervisor::new(limits), now: s(0), log: Vec::new() }
    }

    fn online() -> Self {
        Self::new().at(s(ONLINE), Input::Said(Event::Online))
    }

    /// With a job since second 10.
    fn busy() -> Self {
        Self::online().at(s(10), Input::Said(Event::JobStarted))
    }

    /// Lets time pass as the driver does, waking the supervisor whenever it wants, then hands in the input.
    fn at(mut self, when: Duration, input: Input) -> Self {
        self = self.until(when);
        self.feed(input);
        self
    }

    fn until(mut self, when: Duration) -> Self {
        while let Some(wake) = self.supervisor.wake_at().filter(|wake| *wake <= when) {
            assert!(wake >= self.now, "it wants to be woken in the past, again and again");
            self.now = wake;
            let before = self.log.len();
            self.feed(Input::Tick);
            assert!(
                self.log.len() > before || self.supervisor.wake_at() != Some(wake),
                "a tick at the time it asked for does nothing"
            );
        }
        self.now = when;
        self
    }

    fn feed(&mut self, input: Input) {
        for order in self.supervisor.handle(self.now, input) {
            self.log.push((self.now, order));
        }
    }

    fn result(self, when: Duration, result: JobResult) -> Self {
        self.at(when, Input::Said(Event::JobEnded(result)))
    }

    fn ended(self, when: Duration, end: ChildEnd) -> Self {
        self.at(when, Input::Ended(end))
    }

    fn when(&self, wanted: &Order) -> Vec<Duration> {
        self.log.iter().filter(|(_, order)| order == wanted).map(|(at, _)| *at).collect()
    }

    fn exit(&self) -> AgentExit {
        match self.log.last() {
            Some((_, Order::Leave(exit))) => *exit,
            other => panic!("it did not leave; the last order was {other:?}"),
        }
    }

    fn told(&self, note: Note) -> bool {
        !self.when(&Order::Tell(note)).is_empty()
    }
}

#[test]
fn the_happy_road() {
    let stage = Stage::busy().result(s(70), JobResult::Succeeded).ended(s(71), ChildEnd::Code(100));
    assert_eq!(stage.exit(), AgentExit::JobSucceeded);
    let phases: Vec<_> = stage
        .log
        .iter()
        .filter_map(|(_, order)| match order {
            Order::Reach(phase, at) => Some((*phase, *at)),
            _ => None,
        })
        .collect();
    assert_eq!(phases, [(Phase::Online, s(2)), (Phase::Busy, s(10)), (Phase::Done, s(70))]);
    assert!(stage.when(&Order::Interrupt).is_empty() && stage.when(&Order::Kill).is_empty());
}

#[test]
fn an_idle_runner_is_interrupted_counting_from_when_it_was_online() {
    let stage = Stage::online().ended(s(63), ChildEnd::Code(0));
    assert_eq!(stage.when(&Order::Interrupt), [s(62)]);
    assert!(stage.told(Note::Interrupting(Why::Idle)));
    assert_eq!(stage.exit(), AgentExit::Idle);
}

#[test]
fn coming_online_again_does_not_prolong_the_wait() {
    let stage = Stage::online().at(s(50), Input::Said(Event::Online)).until(s(100));
    assert_eq!(stage.when(&Order::Interrupt), [s(62)]);
}

#[test]
fn an_idle_runner_that_does_not_end_is_killed() {
    let stage = Stage::online().until(s(80));
    assert_eq!(stage.when(&Order::Kill), [s(72)]);
    let killed = stage.ended(s(73), ChildEnd::Signal(9));
    assert_eq!(killed.exit(), AgentExit::Idle);
}

#[test]
fn one_that_cannot_be_killed_is_given_up() {
    let stage = Stage::online().until(s(100));
    assert_eq!(stage.when(&Order::Leave(AgentExit::Idle)), [s(77)]);
    assert_eq!(stage.supervisor.descent.unwrap().wake_at(), None);
}

#[test]
fn a_runner_that_is_never_online_has_failed() {
    let stage = Stage::new()
        .at(s(5), Input::Said(Event::ConnectError("no route".into())))
        .ended(s(61), ChildEnd::Code(1));
    assert_eq!(stage.when(&Order::Interrupt), [s(60)]);
    assert_eq!(stage.exit(), AgentExit::RunnerFailed);
}

#[test]
fn a_job_that_comes_while_leaving_is_let_run() {
    let stage = Stage::online().at(s(63), Input::Said(Event::JobStarted)).until(s(1000));
    assert!(stage.told(Note::JobCameLate));
    assert!(stage.when(&Order::Kill).is_empty());
    let stage = stage.result(s(1001), JobResult::Failed).ended(s(1002), ChildEnd::Code(102));
    assert_eq!(stage.exit(), AgentExit::JobFailed);
}

#[test]
fn a_late_job_that_the_interrupt_cancelled_was_cancelled() {
    let stage = Stage::online().at(s(63), Input::Said(Event::JobStarted)).ended(s(65), ChildEnd::Code(103));
    assert_eq!(stage.exit(), AgentExit::JobCancelled);
}

#[test]
fn the_lifetime_ends_a_job_with_a_grace() {
    let stage = Stage::busy().until(s(4000));
    assert_eq!(stage.when(&Order::Interrupt), [s(3600)]);
    assert_eq!(stage.when(&Order::Kill), [s(3630)]);
    let cancelled = Stage::busy().result(s(3605), JobResult::Canceled).ended(s(3606), ChildEnd::Code(103));
    assert_eq!(cancelled.exit(), AgentExit::MaxLifetime);
    let finished = Stage::busy().result(s(3605), JobResult::Succeeded).ended(s(3606), ChildEnd::Code(100));
    assert_eq!(finished.exit(), AgentExit::JobSucceeded);
}

#[test]
fn a_stop_without_a_job_is_immediate() {
    let stop = Input::Stop(StopSignal::Terminate);
    let stage = Stage::online().at(s(5), stop.clone()).ended(s(6), ChildEnd::Code(0));
    assert_eq!(stage.when(&Order::Interrupt), [s(5)]);
    assert_eq!(stage.exit(), AgentExit::Terminated);
    let stubborn = Stage::online().at(s(5), stop).until(s(35));
    let killed = stubborn.when(&Order::Kill);
    assert!(killed[0] > s(30) && killed[0] < s(35), "{killed:?}");
    assert_eq!(stubborn.exit(), AgentExit::Terminated);
}

#[test]
fn a_stop_lets_the_job_go_on_until_the_grace_is_nearly_over() {
    let stop = Input::Stop(StopSignal::Terminate);
    let stage = Stage::busy().at(s(100), stop.clone()).until(s(123));
    assert!(stage.told(Note::StopBusy(StopSignal::Terminate, s(24))));
    assert!(stage.when(&Order::Interrupt).is_empty());
    let in_time = stage.result(s(123), JobResult::Succeeded).ended(s(124), ChildEnd::Code(100));
    assert_eq!(in_time.exit(), AgentExit::JobSucceeded);
    assert!(in_time.when(&Order::Kill).is_empty());

    let cut = Stage::busy().at(s(100), stop.clone()).ended(s(126), ChildEnd::Code(103));
    assert_eq!(cut.when(&Order::Interrupt), [s(124)]);
    assert_eq!(cut.exit(), AgentExit::JobInterrupted);

    let stubborn = Stage::busy().at(s(100), stop).until(s(130));
    assert_eq!(stubborn.when(&Order::Kill), [Duration::from_millis(128_500)]);
    assert_eq!(stubborn.exit(), AgentExit::JobInterrupted, "it left before ECS kills the agent");
}

#[test]
fn every_grace_holds_the_whole_way_down() {
    for grace in [1, 2, 5, 30, 120] {
        let mut stage = Stage::busy();
        stage.supervisor.limits.stop_grace = s(grace);
        let stage = stage.at(s(100), Input::Stop(StopSignal::Interrupt)).until(s(100 + grace));
        let (interrupted, killed) = (stage.when(&Order::Interrupt)[0], stage.when(&Order::Kill)[0]);
        assert!(interrupted >= s(100) + s(grace) / 2 && interrupted < killed, "{grace}");
        assert_eq!(stage.exit(), AgentExit::JobInterrupted, "{grace}");
        assert!(stage.log.last().unwrap().0 < s(100 + grace), "{grace}");
    }
}

#[test]
fn a_second_stop_changes_nothing() {
    let stop = |signal| Input::Stop(signal);
    let stage = Stage::busy()
        .at(s(100), stop(StopSignal::Terminate))
        .at(s(101), stop(StopSignal::Interrupt))
        .until(s(123));
    assert!(stage.told(Note::StopAgain(StopSignal::Interrupt)));
    assert!(stage.when(&Order::Interrupt).is_empty());
}

#[test]
fn a_stop_while_leaving_keeps_the_reason_and_takes_the_sooner_end() {
    let mut stage = Stage::online();
    stage.supervisor.limits.stop_grace = s(4);
    let stage = stage.at(s(63), Input::Stop(StopSignal::Terminate)).until(s(67));
    assert!(stage.when(&Order::Kill)[0] < s(67));
    assert_eq!(stage.exit(), AgentExit::Idle);
}

#[test]
fn the_lifetime_may_end_before_the_grace() {
    let stage = Stage::busy().at(s(3590), Input::Stop(StopSignal::Terminate)).until(s(3650));
    assert_eq!(stage.when(&Order::Interrupt), [s(3600)]);
    assert!(stage.when(&Order::Kill)[0] < s(3620));
    assert_eq!(stage.exit(), AgentExit::JobInterrupted);
}

#[test]
fn a_job_that_comes_after_a_stop_does_not_save_the_runner() {
    let stage = Stage::online()
        .at(s(5), Input::Stop(StopSignal::Terminate))
        .at(s(6), Input::Said(Event::JobStarted))
        .until(s(35));
    assert_eq!(stage.when(&Order::Kill).len(), 1);
    assert_eq!(stage.exit(), AgentExit::JobInterrupted);
}

#[test]
fn a_runner_that_stays_after_its_job_is_ended_and_the_job_counts() {
    let stage = Stage::busy().result(s(20), JobResult::Failed).until(s(79));
    assert!(stage.when(&Order::Interrupt).is_empty());
    let stage = stage.ended(s(100), ChildEnd::Signal(9));
    assert_eq!((stage.when(&Order::Interrupt), stage.when(&Order::Kill)), (vec![s(80)], vec![s(90)]));
    assert_eq!(stage.exit(), AgentExit::JobFailed);
}

#[test]
fn a_forged_result_in_the_same_breath_ends_nothing() {
    let stage = Stage::busy().result(s(10), JobResult::Succeeded).until(s(3000));
    assert!(stage.when(&Order::Interrupt).is_empty(), "the job still runs");
    assert!(stage.when(&Order::Reach(Phase::Done, s(10))).is_empty());
    let stage = stage.result(s(3000), JobResult::Failed).ended(s(3001), ChildEnd::Code(0));
    assert_eq!(stage.when(&Order::Reach(Phase::Done, s(3000))), [s(3000)]);
    assert_eq!(stage.exit(), AgentExit::JobFailed);
}

#[test]
fn a_really_quick_job_is_done_when_the_runner_ends() {
    let at = s(10) + BREATH / 2;
    let stage = Stage::busy().result(at, JobResult::Succeeded).ended(s(11), ChildEnd::Code(0));
    assert_eq!(stage.when(&Order::Reach(Phase::Done, at)), [s(11)]);
    assert_eq!(stage.exit(), AgentExit::JobSucceeded);
}

#[test]
fn the_exit_code_is_believed_before_the_line() {
    let stage = Stage::busy().result(s(20), JobResult::Succeeded).ended(s(21), ChildEnd::Code(102));
    assert!(stage.told(Note::Disagree(JobResult::Succeeded, JobResult::Failed)));
    assert_eq!(stage.exit(), AgentExit::JobFailed);
}

#[test]
fn github_refusing_the_runner_is_told_apart() {
    let said = |event| Stage::new().at(s(1), Input::Said(event)).ended(s(2), ChildEnd::Code(1)).exit();
    assert_eq!(said(Event::Refused(Refusal::VersionDeprecated)), AgentExit::VersionDeprecated);
    assert_eq!(said(Event::Refused(Refusal::RegistrationGone)), AgentExit::RegistrationGone);
    assert_eq!(Stage::new().ended(s(2), ChildEnd::Code(7)).exit(), AgentExit::VersionDeprecated);
    assert_eq!(Stage::new().ended(s(2), ChildEnd::Code(0)).exit(), AgentExit::RunnerFailed);
}

#[test]
fn a_job_cannot_pretend_that_github_refused_the_runner() {
    let stage = Stage::busy()
        .at(s(20), Input::Said(Event::Refused(Refusal::VersionDeprecated)))
        .at(s(20), Input::Said(Event::Refused(Refusal::RegistrationGone)))
        .ended(s(21), ChildEnd::Code(1));
    assert_eq!(stage.exit(), AgentExit::JobAbandoned);
}

#[test]
fn endless_limits_do_not_overflow() {
    let mut stage = Stage::new();
    stage.supervisor.limits.idle_timeout = Duration::MAX;
    stage.supervisor.limits.max_lifetime = Duration::MAX;
    stage.supervisor.limits.stop_grace = Duration::MAX;
    let stage = stage.at(s(5), Input::Said(Event::Online)).at(s(6), Input::Said(Event::JobStarted));
    let stage = stage.at(s(7), Input::Stop(StopSignal::Terminate));
    assert!(stage.when(&Order::Interrupt).is_empty());
}

#[test]
fn a_job_without_a_result_line_is_done_when_the_runner_ends() {
    let stage = Stage::busy().ended(s(30), ChildEnd::Code(102));
    assert_eq!(stage.when(&Order::Reach(Phase::Done, s(30))), [s(30)]);
    assert_eq!(stage.exit(), AgentExit::JobFailed);
    let stage = Stage::busy().ended(s(30), ChildEnd::Signal(9));
    assert!(stage.when(&Order::Reach(Phase::Done, s(30))).is_empty());
}
