//! The life of a task: what happens in it and to it, with nobody calling.

use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::ids::{RunnerId, TaskArn};
use fleetfoot_core::phase::Phase;
use fleetfoot_core::task::TaskState;
use jiff::SignedDuration;

use super::weather::Fate;
use super::{Mail, State};

/// How long an agent waits for its assignment (`agent --bind-timeout`).
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// What the agent of a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agent {
    /// There is none, not yet or not any more.
    Absent,
    /// It looks into its mailbox.
    Looks,
    /// It has its assignment.
    Connects,
    /// It is this runner.
    Serves(RunnerId),
}

/// What happens to a task.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Its image is being pulled.
    Pulls,
    /// It runs, or fails to.
    Starts(Fate),
    /// Its agent looks into its mailbox.
    LooksForMail,
    /// Its agent has waited long enough.
    GivesUp,
    /// Its runner connects with this secret.
    Connects(String),
    /// Its runner gets a job.
    GetsJob(RunnerId),
    /// That job is over.
    EndsJob(RunnerId),
    /// No job came.
    IsIdle(RunnerId),
    /// Its runner hears that it was deleted.
    IsEvicted(RunnerId),
    /// Its machine dies.
    IsKilled,
    /// Its machine is wanted elsewhere.
    IsInterrupted,
    /// It is over.
    Stops,
    /// GitHub gives its runner up.
    IsForgotten(RunnerId),
}

impl State {
    /// Lets it happen after this time.
    pub(crate) fn plan(&mut self, after: SignedDuration, task: &TaskArn, event: Event) {
        self.put_down(after, super::Event::OfTask(task.clone(), event));
    }

    pub(crate) fn happen(&mut self, arn: &TaskArn, event: Event) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(arn) else { return };
        let live = task.is_live();
        let over = matches!(event, Event::IsIdle(_) | Event::GivesUp | Event::LooksForMail) && !live;
        if !over {
            self.book.note(now, || format!("{} {event:?}{}", arn.id(), if live { "" } else { ", over" }));
        }
        match event {
            Event::Pulls if live => task.change(now, |view| {
                view.status = "PENDING".into();
                view.phases.reach(Phase::Pulling, now);
                view.billed_from = Some(now);
            }),
            Event::Starts(Fate::Fails(reason)) if live => {
                task.goes(now, "TaskFailedToStart", reason, None);
                let gone = self.weather.dice.pause(10..5000);
                self.plan(gone, arn, Event::Stops);
            }
            Event::Starts(fate) if live => self.start(arn, fate),
            Event::LooksForMail if live && task.agent == Agent::Looks => self.look_for_mail(arn),
            Event::GivesUp if live && task.agent == Agent::Looks => self.leave(arn, AgentExit::NoAssignment),
            Event::Connects(secret) if live => self.connect(arn, &secret),
            Event::GetsJob(id) if live => {
                let Some(runner) = self.runners.get_mut(&id).filter(|r| r.online_since.is_some()) else {
                    return;
                };
                runner.busy_since = Some(now);
                let lasts = self.weather.dice.pause(1000..600_000);
                self.plan(lasts, arn, Event::EndsJob(id));
            }
            // On its way out it may come so far in the time it is given.
            Event::EndsJob(id) if task.agent == Agent::Serves(id) => {
                let exit = self.weather.dice.pick(&[AgentExit::JobSucceeded, AgentExit::JobFailed]);
                self.ends_job(id, true);
                self.runners.remove(&id);
                self.leave(arn, exit);
            }
            Event::IsIdle(id) if live && self.runners.get(&id).is_some_and(|r| r.busy_since.is_none()) => {
                self.leave(arn, AgentExit::Idle);
            }
            Event::IsEvicted(id) if live && task.agent == Agent::Serves(id) => {
                self.leave(arn, AgentExit::RegistrationGone);
            }
            Event::IsKilled if live => self.exit(arn, 137),
            Event::IsInterrupted if live => self.interrupt(arn),
            Event::Stops => self.stopped(arn),
            Event::IsForgotten(id) => {
                self.ends_job(id, false);
                self.runners.remove(&id);
            }
            _ => {}
        }
    }

    fn start(&mut self, arn: &TaskArn, fate: Fate) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(arn) else { return };
        let patience = task.patience;
        task.agent = Agent::Looks;
        task.change(now, |view| {
            (view.state, view.status) = (TaskState::Running, "RUNNING".into());
            view.phases.reach(Phase::Starting, now);
        });
        let looks = self.weather.dice.pause(100..1000);
        self.plan(looks, arn, Event::LooksForMail);
        self.plan(patience, arn, Event::GivesUp);
        match fate {
            Fate::Killed(after) => self.plan(SignedDuration::from_millis(after), arn, Event::IsKilled),
            Fate::Interrupted(after) => {
                self.plan(SignedDuration::from_millis(after), arn, Event::IsInterrupted);
            }
            _ => {}
        }
    }

    /// Mail is noticed within a second.
    pub(crate) fn ring(&mut self, arn: &TaskArn) {
        let looks = self.weather.dice.pause(1..1000);
        self.plan(looks, arn, Event::LooksForMail);
    }

    fn look_for_mail(&mut self, arn: &TaskArn) {
        let Some(task) = self.tasks.get_mut(arn) else { return };
        let Some(mailbox) = &task.now().mailbox else { return };
        if let Some(Mail { secret, .. }) = self.mail.remove(&mailbox.of_task(arn).to_string()) {
            task.agent = Agent::Connects;
            let takes = self.weather.dice.pause(500..3000);
            self.plan(takes, arn, Event::Connects(secret));
        }
    }

    fn connect(&mut self, arn: &TaskArn, secret: &str) {
        let now = self.now;
        let Some((id, runner)) = self.runners.iter_mut().find(|(_, runner)| runner.secret == secret) else {
            return self.leave(arn, AgentExit::RegistrationGone);
        };
        let id = *id;
        runner.online_since = Some(now);
        let set = runner.set;
        self.served.insert(arn.clone(), runner.labels.clone());
        self.tasks.entry(arn.clone()).and_modify(|task| task.agent = Agent::Serves(id));
        self.plan(self.idle_timeout, arn, Event::IsIdle(id));
        if let Some(set) = set {
            return self.give_jobs(set);
        }
        let odds = self.weather.odds.job;
        if self.weather.dice.happens(odds) {
            let comes = self.weather.dice.pause(1..60_000);
            self.plan(comes, arn, Event::GetsJob(id));
        }
    }

    fn leave(&mut self, arn: &TaskArn, exit: AgentExit) {
        self.exit(arn, exit.code().into());
    }

    /// The container ends. ECS may tell its exit code only when the task has stopped.
    fn exit(&mut self, arn: &TaskArn, code: i32) {
        let now = self.now;
        self.leave_github(arn);
        let tells = self.weather.dice.happens(700);
        let gone = self.weather.dice.pause(10..5000);
        let Some(task) = self.tasks.get_mut(arn) else { return };
        task.agent = Agent::Absent;
        task.exit = Some(code);
        if !task.doomed {
            let told = tells.then_some(code);
            task.goes(now, "EssentialContainerExited", "Essential container in task exited", told);
            self.plan(gone, arn, Event::Stops);
        }
    }

    /// AWS wants back what runs on this choice of capacity, but for some: odds in a thousand.
    pub(crate) fn storm(&mut self, capacity: usize, odds: u32) {
        let runs = |task: &super::Task| {
            task.is_live() && task.now().state == TaskState::Running && task.capacity == capacity
        };
        let here: Vec<TaskArn> =
            self.tasks.iter().filter(|(_, task)| runs(task)).map(|(arn, _)| arn.clone()).collect();
        for arn in here {
            if self.weather.dice.happens(odds) {
                self.interrupt(&arn);
                self.tell_changes(&arn);
            }
        }
    }

    /// A notice, and two minutes for the job; without a job the agent leaves at once.
    fn interrupt(&mut self, arn: &TaskArn) {
        let now = self.now;
        let job = self.runner_of(arn).is_some_and(|runner| runner.busy_since.is_some());
        let Some(task) = self.tasks.get_mut(arn) else { return };
        task.goes(now, "SpotInterruption", "Your Spot Task was interrupted.", None);
        task.exit = Some(143);
        let gone = self.weather.dice.pause(if job { 120_000..121_000 } else { 100..30_000 });
        self.plan(gone, arn, Event::Stops);
    }

    fn stopped(&mut self, arn: &TaskArn) {
        let now = self.now;
        self.leave_github(arn);
        let Some(task) = self.tasks.get_mut(arn) else { return };
        let exit = task.exit;
        task.agent = Agent::Absent;
        task.change(now, |view| {
            (view.state, view.status) = (TaskState::Stopped, "STOPPED".into());
            view.phases.reach(Phase::Gone, now);
            view.stopped_at = Some(now);
            if let Some(end) = &mut view.end {
                end.exit_code = exit;
            }
        });
    }
}
