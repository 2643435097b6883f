//! The decisions while a runner runs: a state machine without clock, processes or I/O.
//!
//! It is told what happened and when ([`Supervisor::handle`]), answers with [`Order`]s, and says when it
//! wants to be woken ([`Supervisor::wake_at`]). Times are durations since the agent's start.
//!
//! Whatever the reason to end a runner, the way down is one [`Ladder`]: SIGINT, SIGKILL, give up. SIGTERM
//! is not on it: the runner answers it like SIGINT, but with a limit of its own (actions/runner, 30 s).

use std::time::Duration;

use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::phase::Phase;

use crate::ending::{self, ChildEnd, Story};
use crate::lines::{Event, JobResult, Refusal};
use crate::signals::StopSignal;

/// A result line this soon after the job's start is believed only when the runner ends or says it again: a
/// job name with a line break in it can forge one in the same breath.
pub(crate) const BREATH: Duration = Duration::from_secs(1);
/// How long a runner may stay after its job.
const LINGER: Duration = Duration::from_mins(1);
/// How long a runner without a job may take to end after SIGINT.
const QUIET_GRACE: Duration = Duration::from_secs(10);
/// How long a killed runner may take to be gone.
const GIVE_UP: Duration = Duration::from_secs(5);

/// The times that bound a runner's life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// When the agent had its assignment.
    pub(crate) bound_at: Duration,
    /// How long to wait for a job, from when the runner is online.
    pub(crate) idle_timeout: Duration,
    /// When to end whatever runs, from `bound_at`.
    pub(crate) max_lifetime: Duration,
    /// From a stop signal to the SIGKILL that ECS sends.
    pub(crate) stop_grace: Duration,
}

/// Something happened.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// The runner said something.
    Said(Event),
    /// The runner ended, and everything it said has been handed in.
    Ended(ChildEnd),
    /// The agent was told to stop.
    Stop(StopSignal),
    /// Time has passed.
    Tick,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Send SIGINT to the runner.
    Interrupt,
    /// Send SIGKILL to the runner and all that it started.
    Kill,
    /// The runner has reached a phase, at this time.
    Reach(Phase, Duration),
    /// Tell people.
    Tell(Note),
    /// It is over: leave with this exit.
    Leave(AgentExit),
}

/// Why the agent ends the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// No job came.
    Idle,
    /// GitHub never saw it online.
    NeverOnline,
    /// Its time is over.
    MaxLifetime,
    /// The agent was told to stop.
    Terminated,
    /// It stayed after its job.
    Lingering,
}

/// Something worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// The runner is interrupted.
    Interrupting(Why),
    /// The runner is killed.
    Killing(Why),
    /// A stop signal came and no job runs.
    StopQuiet(StopSignal),
    /// A stop signal came while a job runs, which may go on until then.
    StopBusy(StopSignal, Duration),
    /// A stop signal came again.
    StopAgain(StopSignal),
    /// A job came while the runner was being ended for want of one.
    JobCameLate,
    /// The result line and the exit code do not say the same.
    Disagree(JobResult, JobResult),
}

/// When each step of the way down is due.
#[derive(Debug, Clone, Copy)]
struct Ladder {
    interrupt: Duration,
    kill: Duration,
    give_up: Duration,
}

impl Ladder {
    fn at_once(now: Duration, grace: Duration) -> Self {
        let kill = now.saturating_add(grace);
        Self { interrupt: now, kill, give_up: kill.saturating_add(GIVE_UP) }
    }

    /// The way down after a stop signal. All of it fits into the grace: what ECS does at its end would show
    /// as exit code 137, which tells nothing.
    fn within_grace(now: Duration, grace: Duration, job_runs: bool) -> Self {
        // A fifth of the grace and 3 s at least, but never more than half of it.
        let margin = (grace / 5).max(Duration::from_secs(3)).min(grace / 2);
        let reserve = (margin / 4).min(Duration::from_secs(2));
        let end = now.saturating_add(grace);
        Self {
            interrupt: if job_runs { end.saturating_sub(margin) } else { now },
            kill: end.saturating_sub(reserve),
            give_up: end.saturating_sub(reserve / 2),
        }
    }

    fn sooner(self, other: Self) -> Self {
        Self {
            interrupt: self.interrupt.min(other.interrupt),
            kill: self.kill.min(other.kill),
            give_up: self.give_up.min(other.give_up),
        }
    }
}

/// How far down the ladder it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    Waiting,
    Interrupted,
    Killed,
    GivenUp,
}

#[derive(Debug, Clone, Copy)]
struct Descent {
    why: Why,
    ladder: Ladder,
    rung: Rung,
}

impl Descent {
    fn wake_at(&self) -> Option<Duration> {
        match self.rung {
            Rung::Waiting => Some(self.ladder.interrupt),
            Rung::Interrupted => Some(self.ladder.kill),
            Rung::Killed => Some(self.ladder.give_up),
            Rung::GivenUp => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Job {
    None,
    Running { since: Duration, held: Option<(JobResult, Duration)> },
    Over { result: JobResult, at: Duration },
}

/// The state.
#[derive(Debug)]
pub(crate) struct Supervisor {
    limits: Limits,
    online_at: Option<Duration>,
    job: Job,
    refusal: Option<Refusal>,
    descent: Option<Descent>,
    lifetime_over: bool,
    stopped: bool,
}

impl Supervisor {
    /// The state right after the runner's start.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            online_at: None,
            job: Job::None,
            refusal: None,
            descent: None,
            lifetime_over: false,
            stopped: false,
        }
    }

    /// Takes in what happened and says what to do, in order.
    pub(crate) fn handle(&mut self, now: Duration, input: Input) -> Vec<Order> {
        let mut orders = Vec::new();
        match input {
            Input::Said(event) => self.hear(now, &event, &mut orders),
            Input::Stop(signal) => self.stop(now, signal, &mut orders),
            Input::Ended(end) => {
                self.end(now, end, &mut orders);
                return orders;
            }
            Input::Tick => {}
        }
        self.begin_what_is_due(now);
        self.descend(now, &mut orders);
        orders
    }

    /// When it wants a [`Input::Tick`], at the latest.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        let lifetime = (!self.lifetime_over).then(|| self.lifetime_ends_at());
        let own = match &self.descent {
            Some(descent) => descent.wake_at(),
            None => self.patience_ends_at().map(|(at, _)| at),
        };
        lifetime.into_iter().chain(own).min()
    }

    /// Whether there is no time to be gentle with what the job left behind.
    pub(crate) fn in_haste(&self) -> bool {
        self.stopped || self.descent.is_some_and(|d| matches!(d.rung, Rung::Killed | Rung::GivenUp))
    }

    fn hear(&mut self, now: Duration, event: &Event, orders: &mut Vec<Order>) {
        match event {
            Event::Online if self.online_at.is_none() => {
                self.online_at = Some(now);
                orders.push(Order::Reach(Phase::Online, now));
            }
            Event::JobStarted => self.job_started(now, orders),
            Event::JobEnded(result) => self.job_ended(now, *result, orders),
            // Once a job runs, only its result matters; and a job could write this line.
            Event::Refused(refusal) if matches!(self.job, Job::None) => self.refusal = Some(*refusal),
            Event::Online | Event::Refused(_) | Event::Version(_) | Event::ConnectError(_) => {}
        }
    }

    fn job_started(&mut self, now: Duration, orders: &mut Vec<Order>) {
        if !matches!(self.job, Job::None) {
            return;
        }
        self.job = Job::Running { since: now, held: None };
        orders.push(Order::Reach(Phase::Busy, now));
        let late = self.descent.is_some_and(|d| {
            matches!(d.why, Why::Idle | Why::NeverOnline)
                && matches!(d.rung, Rung::Waiting | Rung::Interrupted)
        });
        if late && !self.stopped {
            self.descent = None;
            orders.push(Order::Tell(Note::JobCameLate));
        }
    }

    fn job_ended(&mut self, now: Duration, result: JobResult, orders: &mut Vec<Order>) {
        match &mut self.job {
            Job::Running { since, held } if now.saturating_sub(*since) < BREATH => {
                *held = Some((result, now));
            }
            Job::Over { result: known, .. } => *known = result,
            Job::None | Job::Running { .. } => {
                self.job = Job::Over { result, at: now };
                orders.push(Order::Reach(Phase::Done, now));
            }
        }
    }

    fn stop(&mut self, now: Duration, signal: StopSignal, orders: &mut Vec<Order>) {
        if self.stopped {
            orders.push(Order::Tell(Note::StopAgain(signal)));
            return;
        }
        self.stopped = true;
        let job_runs = !matches!(self.job, Job::None);
        let ladder = Ladder::within_grace(now, self.limits.stop_grace, job_runs);
        orders.push(Order::Tell(if job_runs {
            Note::StopBusy(signal, ladder.interrupt.saturating_sub(now))
        } else {
            Note::StopQuiet(signal)
        }));
        self.begin(Why::Terminated, ladder);
    }

    fn end(&mut self, now: Duration, end: ChildEnd, orders: &mut Vec<Order>) {
        let told = end.result();
        // No line was believed so far: what was held back counts now, or else the exit code.
        let over = match self.job {
            Job::Running { held: Some(held), .. } => Some(held),
            Job::Running { .. } | Job::None => told.map(|result| (result, now)),
            Job::Over { .. } => None,
        };
        if let Some((result, at)) = over {
            self.job = Job::Over { result, at };
            orders.push(Order::Reach(Phase::Done, at));
        }
        let result = match self.job {
            Job::Over { result, .. } => Some(result),
            Job::None | Job::Running { .. } => None,
        };
        if let (Some(said), Some(told)) = (result, told)
            && said != told
        {
            orders.push(Order::Tell(Note::Disagree(said, told)));
        }
        let story = Story {
            job_started: !matches!(self.job, Job::None),
            result,
            refusal: self.refusal,
            interrupted: self.descent.filter(|d| d.rung != Rung::Waiting).map(|d| d.why),
        };
        orders.push(Order::Leave(ending::exit(end, story)));
    }

    fn lifetime_ends_at(&self) -> Duration {
        self.limits.bound_at.saturating_add(self.limits.max_lifetime)
    }

    /// When the agent loses patience with a runner that does nothing, and why.
    fn patience_ends_at(&self) -> Option<(Duration, Why)> {
        match self.job {
            Job::None => {
                let (from, why) = match self.online_at {
                    Some(at) => (at, Why::Idle),
                    None => (self.limits.bound_at, Why::NeverOnline),
                };
                Some((from.saturating_add(self.limits.idle_timeout), why))
            }
            Job::Running { .. } => None,
            Job::Over { at, .. } => Some((at.saturating_add(LINGER), Why::Lingering)),
        }
    }

    fn begin_what_is_due(&mut self, now: Duration) {
        if !self.lifetime_over && now >= self.lifetime_ends_at() {
            self.lifetime_over = true;
            self.begin(Why::MaxLifetime, Ladder::at_once(now, self.limits.stop_grace));
        }
        if self.descent.is_none()
            && let Some((at, why)) = self.patience_ends_at()
            && now >= at
        {
            self.begin(why, Ladder::at_once(now, QUIET_GRACE));
        }
    }

    /// Begins the way down. If it has begun already, its reason stands and the sooner time counts.
    fn begin(&mut self, why: Why, ladder: Ladder) {
        match &mut self.descent {
            Some(descent) => descent.ladder = descent.ladder.sooner(ladder),
            None => self.descent = Some(Descent { why, ladder, rung: Rung::Waiting }),
        }
    }

    fn descend(&mut self, now: Duration, orders: &mut Vec<Order>) {
        let Some(descent) = &mut self.descent else { return };
        if descent.rung == Rung::Waiting && now >= descent.ladder.interrupt {
            descent.rung = Rung::Interrupted;
            orders.extend([Order::Tell(Note::Interrupting(descent.why)), Order::Interrupt]);
        }
        if descent.rung == Rung::Interrupted && now >= descent.ladder.kill {
            descent.rung = Rung::Killed;
            orders.extend([Order::Tell(Note::Killing(descent.why)), Order::Kill]);
        }
        if descent.rung == Rung::Killed && now >= descent.ladder.give_up {
            descent.rung = Rung::GivenUp;
            self.end(now, ChildEnd::Abandoned, orders);
        }
    }
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
