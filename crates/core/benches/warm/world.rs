//! A month in virtual time: the real plan of the fleet, the real targets, and an ECS and a GitHub that answer as the
//! real ones do on a good day.
//!
//! Nothing goes wrong here; what does is the concern of other tests. How long ECS takes to run a task is drawn from
//! what was published for Fargate.

use std::collections::{BTreeMap, VecDeque};

use fleetfoot_core::binding::Unbound;
use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::fleet::{self, Fleet, Looked, PoolIndex, ScopeIndex, Step};
use fleetfoot_core::ids::{RunnerId, RunnerName, TaskArn};
use fleetfoot_core::ports::Launched;
use fleetfoot_core::scale_sets::{Demand, JobEvent, RunnerRef};
use fleetfoot_core::targets::Targets;
use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;
use crate::cloud::{SET, Task, demand, job};
use crate::trace::{self, Job};

const POOL: PoolIndex = PoolIndex(0);
const SCOPE: ScopeIndex = ScopeIndex(0);

/// How long RunTask takes to answer, and registering a runner with putting its assignment into the mailbox; every
/// other call takes [`CALL`].
const RUN_TASK: SignedDuration = SignedDuration::from_millis(800);
const BIND: SignedDuration = SignedDuration::from_millis(400);
const CALL: SignedDuration = SignedDuration::from_millis(150);

/// From RunTask to RUNNING on Fargate, as published for images of 400 to 900 MB.
const BOOT: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(35), SignedDuration::from_secs(70));

/// From RunTask to the image pull, from which on Fargate bills.
const UNBILLED: SignedDuration = SignedDuration::from_secs(10);

/// From an assignment in the mailbox of a running task to the runner online: the agent looks every second, and the
/// runner has to connect.
const CONNECT: SignedDuration = SignedDuration::from_secs(2);

/// How late ECS's events are.
const EVENT: SignedDuration = SignedDuration::from_secs(1);

/// How long a task takes to stop.
const STOP: SignedDuration = SignedDuration::from_secs(5);

/// What happens at a time.
enum Event {
    Job(usize),
    Launched { number: u64, count: usize },
    Bound(TaskArn),
    Runs(TaskArn),
    Connected(TaskArn),
    JobEnds(TaskArn),
    Ends(TaskArn, Option<AgentExit>),
    Told(TaskArn),
    Unregistered(TaskArn),
    Stopped(TaskArn),
    Emptied(TaskArn),
    Looked(TaskArn),
    Described(Vec<TaskArn>),
    Swept,
    RollCalled(Timestamp),
}

/// What came of a policy.
pub(crate) struct Outcome {
    /// How long each job waited.
    pub(crate) waits: Vec<SignedDuration>,
    /// When each task was billed from and to.
    pub(crate) billed: Vec<(Timestamp, Timestamp)>,
}

/// The simulated world.
pub(crate) struct World<'a> {
    now: Timestamp,
    events: BTreeMap<(Timestamp, u64), Event>,
    numbers: u64,
    chance: Chance,
    jobs: &'a [Job],
    fleet: Fleet,
    tasks: BTreeMap<TaskArn, Task>,
    waiting: VecDeque<usize>,
    running: u32,
    outcome: Outcome,
}

/// Runs a policy through all jobs.
pub(crate) fn run(jobs: &[Job], mut targets: Targets) -> Outcome {
    let end = trace::begin() + SignedDuration::from_hours(24 * trace::DAYS);
    let mut world = World {
        now: trace::begin(),
        events: BTreeMap::new(),
        numbers: 0,
        chance: Chance::of(2),
        jobs,
        fleet: Fleet::default(),
        tasks: BTreeMap::new(),
        waiting: VecDeque::new(),
        running: 0,
        outcome: Outcome { waits: Vec::new(), billed: Vec::new() },
    };
    for (n, job) in jobs.iter().enumerate() {
        world.at(job.at, Event::Job(n));
    }
    let policy = targets.policy(world.now, &world.fleet);
    world.fleet = Fleet::new(&policy, "arn:aws:ecs:us-east-1:123456789012:cluster/ff");
    world.fleet.opened(SET, Demand::default());
    while world.now < end {
        let wake_at = world.round(&mut targets);
        world.go_to(wake_at.min(end));
    }
    world.end()
}

impl World<'_> {
    fn at(&mut self, at: Timestamp, event: Event) {
        self.numbers += 1;
        self.events.insert((at, self.numbers), event);
    }

    fn after(&mut self, pause: SignedDuration, event: Event) {
        self.at(self.now + pause, event);
    }

    /// Plans, begins what is planned, and says when to plan again if nothing happens.
    fn round(&mut self, targets: &mut Targets) -> Timestamp {
        let policy = targets.policy(self.now, &self.fleet);
        self.fleet.settle(&policy, self.now);
        let plan = fleet::plan(self.now, &policy, &self.fleet);
        for (step, _) in plan.steps {
            let number = self.fleet.begin(&step, || "n0nce".to_owned(), self.now);
            self.begin(step, number);
        }
        targets.stay_until(self.now).map_or(plan.wake_at, |until| until.min(plan.wake_at))
    }

    fn begin(&mut self, step: Step, number: Option<u64>) {
        match step {
            Step::Launch { count, .. } => {
                if let Some(number) = number {
                    self.after(RUN_TASK, Event::Launched { number, count });
                }
            }
            Step::Bind { task, .. } => self.after(BIND, Event::Bound(task)),
            Step::Unregister { task, .. } => self.after(CALL, Event::Unregistered(task)),
            Step::Stop(task) => self.after(CALL, Event::Stopped(task)),
            Step::Empty(task) => self.after(CALL, Event::Emptied(task)),
            Step::Look { task, .. } => self.after(CALL, Event::Looked(task)),
            Step::Describe(tasks) => self.after(CALL, Event::Described(tasks)),
            Step::Sweep(_) => self.after(CALL, Event::Swept),
            Step::CallRoll(_) => self.after(CALL, Event::RollCalled(self.now)),
        }
    }

    /// Lets time pass up to the next event, or to this time, and lets happen what happens then.
    fn go_to(&mut self, time: Timestamp) {
        let next = self.events.keys().next().map_or(time, |(at, _)| *at);
        self.now = next.min(time);
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let event = entry.remove();
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Job(n) => {
                self.waiting.push_back(n);
                self.hear(&[]);
                self.hand_out();
            }
            Event::Launched { number, count } => self.launched(number, count),
            Event::Runs(arn) => {
                if let Some(task) = self.tasks.get_mut(&arn).filter(|task| task.stopped_at.is_none()) {
                    task.runs_at = Some(now);
                    if task.runner.is_some() {
                        self.after(CONNECT, Event::Connected(arn.clone()));
                    }
                    self.after(EVENT, Event::Told(arn));
                }
            }
            Event::Bound(arn) => self.bound(&arn),
            Event::Connected(arn) => {
                if let Some(task) = self.tasks.get_mut(&arn).filter(|task| task.runner.is_some()) {
                    task.online = true;
                    self.hand_out();
                }
            }
            Event::JobEnds(arn) => self.job_ends(&arn),
            Event::Ends(arn, exit) => {
                if let Some(task) = self.tasks.get_mut(&arn).filter(|task| task.stopped_at.is_none()) {
                    (task.stopped_at, task.exit) = (Some(now), exit);
                    self.outcome.billed.push((task.made_at + UNBILLED, now));
                    self.after(EVENT, Event::Told(arn));
                }
            }
            Event::Told(arn) => {
                if let Some(view) = self.tasks.get(&arn).map(|task| task.view(&arn)) {
                    self.fleet.changed(view, now);
                }
                self.tasks.retain(|other, task| *other != arn || task.stopped_at.is_none());
            }
            Event::Unregistered(arn) => self.unregistered(&arn),
            Event::Stopped(arn) => {
                self.fleet.stopped(&arn, Ok(()), now);
                self.after(STOP, Event::Ends(arn, Some(AgentExit::Terminated)));
            }
            Event::Emptied(arn) => drop(self.fleet.emptied(&arn, Ok(()), now)),
            Event::Looked(arn) => {
                let seen = self.tasks.get(&arn).and_then(|task| task.sighting(&arn));
                let absent = if seen.is_none() { vec![SCOPE] } else { Vec::new() };
                self.fleet.looked(&arn, Looked { seen, absent, faults: Vec::new() }, now);
            }
            Event::Described(asked) => {
                let views = asked.iter().filter_map(|arn| Some(self.tasks.get(arn)?.view(arn))).collect();
                self.fleet.described(&asked, Ok(views), now);
            }
            Event::Swept => {
                let all: Vec<TaskArn> = self.tasks.keys().cloned().collect();
                let views = self.tasks.iter().map(|(arn, task)| task.view(arn)).collect();
                self.fleet.swept(POOL, &all, Ok(views), now);
            }
            Event::RollCalled(began) => {
                let seen = self.tasks.iter().filter_map(|(arn, task)| task.sighting(arn)).collect();
                self.fleet.roll_called(SCOPE, Ok(seen), began, now);
            }
        }
    }

    fn launched(&mut self, number: u64, count: usize) {
        let mut launched = Launched::default();
        for _ in 0..count {
            self.numbers += 1;
            let arn = format!("arn:aws:ecs:us-east-1:123456789012:task/ff/{:032x}", self.numbers);
            let Ok(arn) = arn.parse::<TaskArn>() else { continue };
            let task = Task::made(self.now);
            launched.tasks.push(task.view(&arn));
            self.tasks.insert(arn.clone(), task);
            let boot = BOOT.0 + self.chance.up_to(BOOT.1 - BOOT.0);
            self.after(boot - RUN_TASK, Event::Runs(arn));
        }
        self.fleet.launched(POOL, number, Ok(launched), self.now);
    }

    fn bound(&mut self, arn: &TaskArn) {
        self.numbers += 1;
        let id = RunnerId(self.numbers);
        let Some(task) = self.tasks.get_mut(arn).filter(|task| task.stopped_at.is_none()) else {
            let gone = Fault::new(Class::NotFound, "bind a task", "it has stopped");
            self.fleet.bound(arn, SET, SCOPE, Err(Unbound::Refused(gone)), self.now);
            return;
        };
        task.runner = Some(id);
        if task.runs_at.is_some() {
            self.after(CONNECT, Event::Connected(arn.clone()));
        }
        self.fleet.bound(arn, SET, SCOPE, Ok(id), self.now);
    }

    fn unregistered(&mut self, arn: &TaskArn) {
        let answer = match self.tasks.get_mut(arn) {
            Some(task) if task.job.is_some() => {
                Err(Fault::new(Class::Busy, "delete a runner", "a job runs on it"))
            }
            Some(task) => {
                task.runner = None;
                if std::mem::take(&mut task.online) {
                    self.after(STOP, Event::Ends(arn.clone(), Some(AgentExit::RegistrationGone)));
                }
                Ok(())
            }
            None => Ok(()),
        };
        self.fleet.unregistered(arn, SCOPE, &answer, self.now);
    }

    /// Gives waiting jobs to idle runners, the oldest first.
    fn hand_out(&mut self) {
        for (arn, task) in &mut self.tasks {
            let Some(id) = task.runner.filter(|_| task.online && task.job.is_none()) else { continue };
            let Some(n) = self.waiting.pop_front() else { return };
            task.job = Some(n);
            self.running += 1;
            self.outcome.waits.push(self.now.duration_since(self.jobs[n].at));
            self.numbers += 1;
            let ends = (self.now + self.jobs[n].runs, self.numbers);
            self.events.insert(ends, Event::JobEnds(arn.clone()));
            let runner = RunnerRef { id, name: RunnerName::of_task(arn) };
            let demand = demand(self.waiting.len(), self.running);
            let started = JobEvent::Started { job: job(n, self.jobs[n].at), runner };
            self.fleet.heard(SET, demand, &[started], self.now);
        }
    }

    fn job_ends(&mut self, arn: &TaskArn) {
        let Some((task, n)) = self.tasks.get_mut(arn).and_then(|task| task.job.map(|n| (task, n))) else {
            return;
        };
        let Some(id) = task.runner.take() else { return };
        task.online = false;
        self.running -= 1;
        let runner = Some(RunnerRef { id, name: RunnerName::of_task(arn) });
        let result = "succeeded".to_owned();
        self.hear(&[JobEvent::Completed { job: job(n, self.jobs[n].at), runner, result }]);
        self.after(STOP, Event::Ends(arn.clone(), Some(AgentExit::JobSucceeded)));
    }

    fn hear(&mut self, events: &[JobEvent]) {
        self.fleet.heard(SET, demand(self.waiting.len(), self.running), events, self.now);
    }

    /// Bills what still runs. Jobs that wait in the last moment are not counted.
    fn end(mut self) -> Outcome {
        for task in self.tasks.values().filter(|task| task.stopped_at.is_none()) {
            self.outcome.billed.push((task.made_at + UNBILLED, self.now));
        }
        self.outcome
    }
}
