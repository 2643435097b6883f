//! A fleet in the middle of its life, set up in a few words.

use jiff::{SignedDuration, Timestamp};

use crate::assignment::MailboxPrefix;
use crate::fault::{Class, Fault};
use crate::fleet::{
    Fleet, Looked, Manner, News, Plan, Policy, PoolIndex, PoolPolicy, Role, Runner, ScopeIndex, SetIndex,
    SetPolicy, Sighting, Step, Task, plan,
};
use crate::ids::{RunnerId, RunnerName, TaskArn};
use crate::phase::PhaseTimes;
use crate::ports::{Launched, RunnerView};
use crate::scale_sets::{Demand, Job, JobEvent, RequestId, RunnerRef};
use crate::task::{TaskEnd, TaskState, TaskView};

pub(super) const POOL: PoolIndex = PoolIndex(0);
pub(super) const SET: SetIndex = SetIndex(0);
pub(super) const SCOPE: ScopeIndex = ScopeIndex(0);

pub(super) const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/ff";

pub(super) fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// A moment of the scene; nothing has happened before the thousandth second.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + seconds(second)
}

pub(super) fn arn(n: usize) -> TaskArn {
    format!("arn:aws:ecs:eu-west-1:123456789012:task/ff/{n:04}").parse().unwrap()
}

pub(super) fn id(n: usize) -> RunnerId {
    RunnerId(n as u64 + 500)
}

pub(super) fn fault(class: Class) -> Fault {
    Fault::new(class, "call", "it says no")
}

/// A fleet, what is wanted of it, and what time it is.
pub(super) struct Scene {
    pub(super) fleet: Fleet,
    pub(super) policy: Policy,
    pub(super) now: Timestamp,
    nonces: usize,
}

impl Scene {
    /// Pools of this size with a set each, in which nothing has happened; they have been looked at.
    pub(super) fn new(pools: usize) -> Self {
        let pool = PoolPolicy { capacities: 2, max: 100, warm: 0 };
        let set = |n| SetPolicy { pool: PoolIndex(n), scope: SCOPE, min: 0, max: 100 };
        let policy = Policy {
            pools: vec![pool; pools],
            sets: (0..pools).map(set).collect(),
            manner: Manner::default(),
        };
        let mut fleet = Fleet::new(&policy, CLUSTER);
        for pool in &mut fleet.pools {
            pool.survey.known_at = Some(at(999));
        }
        fleet.rolls.values_mut().for_each(|roll| roll.called = true);
        Self { fleet, policy, now: at(1000), nonces: 0 }
    }

    /// One pool and one set, of which this is wanted.
    pub(super) fn of(change: impl FnOnce(&mut PoolPolicy, &mut SetPolicy)) -> Self {
        let mut scene = Self::new(1);
        change(&mut scene.policy.pools[0], &mut scene.policy.sets[0]);
        scene
    }

    /// GitHub says how many jobs a set has, and how many of them run.
    pub(super) fn demand(&mut self, set: SetIndex, assigned: u32, running: u32) {
        let demand = Demand { assigned, running, ..Demand::default() };
        self.fleet.heard(set, demand, &[], self.now);
    }

    /// A task of the first pool, changed.
    pub(super) fn task(&mut self, n: usize, change: impl FnOnce(&mut Task)) {
        self.task_of(POOL, n, change);
    }

    pub(super) fn task_of(&mut self, pool: PoolIndex, n: usize, change: impl FnOnce(&mut Task)) {
        let now = self.now;
        self.fleet.add(&arn(n), || Task::started(pool, 0, now));
        self.fleet.tasks.change(&arn(n), |task| {
            task.mailbox = Some(MailboxPrefix::new("mail", "mailbox/", "nonce"));
            change(task);
        });
    }

    /// Lets this happen to a task.
    pub(super) fn change(&mut self, n: usize, change: impl FnOnce(&mut Task)) {
        self.fleet.tasks.change(&arn(n), change).unwrap();
    }

    pub(super) fn get(&self, n: usize) -> &Task {
        self.fleet.tasks.get(&arn(n)).unwrap()
    }

    pub(super) fn plan(&mut self) -> Plan {
        self.fleet.settle(&self.policy, self.now);
        assert!(self.fleet.tasks.adds_up());
        plan(self.now, &self.policy, &self.fleet)
    }

    pub(super) fn steps(&mut self) -> Vec<Step> {
        self.plan().steps.into_iter().map(|(step, _)| step).collect()
    }

    /// Plans and begins; the numbers are those of launches.
    pub(super) fn begin(&mut self) -> Vec<(Step, Option<u64>)> {
        let steps = self.steps();
        let mut begun = Vec::new();
        for step in steps {
            self.nonces += 1;
            let nonce = format!("nonce-{}", self.nonces);
            let number = self.fleet.begin(&step, || nonce, self.now);
            begun.push((step, number));
        }
        begun
    }

    /// Time passes.
    pub(super) fn wait(&mut self, pause: SignedDuration) {
        self.now += pause;
    }

    /// Time passes, and what is looked at from time to time is as it was.
    pub(super) fn wait_undisturbed(&mut self, pause: SignedDuration) {
        self.wait(pause);
        let now = self.now;
        self.fleet.tasks.change_all(|_, task| task.seen_at = now);
        for pool in &mut self.fleet.pools {
            pool.survey.known_at = Some(now);
        }
    }

    /// ECS shows a task so.
    pub(super) fn see(&mut self, view: TaskView) -> Vec<News> {
        self.fleet.changed(view, self.now)
    }

    /// GitHub says this of a task's runner.
    pub(super) fn looked(&mut self, n: usize, seen: Option<Sighting>) -> Vec<News> {
        let absent = if seen.is_none() { vec![SCOPE] } else { Vec::new() };
        self.fleet.looked(&arn(n), Looked { seen, absent, faults: Vec::new() }, self.now)
    }

    /// GitHub says that these are all its runners, of which it was asked just now.
    pub(super) fn roll_called(&mut self, seen: Vec<Sighting>) {
        self.fleet.roll_called(SCOPE, Ok(seen), self.now, self.now);
    }

    /// A launch started these.
    pub(super) fn launched(&mut self, number: u64, tasks: &[usize]) -> Vec<News> {
        let tasks = tasks.iter().map(|n| view(*n, TaskState::Coming)).collect();
        let answer = Launched { tasks, ..Launched::default() };
        self.fleet.launched(POOL, number, Ok(answer), self.now)
    }

    /// A set's queue tells that a runner has begun a job.
    pub(super) fn begins(&mut self, n: usize, id: RunnerId) -> Vec<News> {
        let runner = RunnerRef { id, name: RunnerName::of_task(&arn(n)) };
        let demand = self.fleet.sets[0].demand.unwrap_or_default();
        self.fleet.heard(SET, demand, &[JobEvent::Started { job: job(), runner }], self.now)
    }

    /// A set's queue tells that a runner's job is over.
    pub(super) fn is_done(&mut self, n: usize, id: RunnerId) -> Vec<News> {
        let runner = Some(RunnerRef { id, name: RunnerName::of_task(&arn(n)) });
        let demand = self.fleet.sets[0].demand.unwrap_or_default();
        let done = JobEvent::Completed { job: job(), runner, result: "succeeded".to_owned() };
        self.fleet.heard(SET, demand, &[done], self.now)
    }
}

fn job() -> Job {
    Job {
        request: RequestId(1),
        id: "1".to_owned(),
        name: "build".to_owned(),
        repository: None,
        workflow_ref: String::new(),
        run_id: 1,
        event: "push".to_owned(),
        labels: Vec::new(),
        queued: None,
        assigned: None,
        taken: None,
        finished: None,
    }
}

/// A task as ECS shows it.
pub(super) fn view(n: usize, state: TaskState) -> TaskView {
    TaskView {
        arn: arn(n),
        state,
        status: format!("{state:?}"),
        phases: PhaseTimes::default(),
        started_by: None,
        capacity: None,
        cpu: None,
        memory: None,
        ephemeral_storage: None,
        tags: std::collections::BTreeMap::new(),
        mailbox: Some(MailboxPrefix::new("mail", "mailbox/", "nonce")),
        end: None,
        billed_from: None,
        started_at: None,
        stopped_at: None,
    }
}

/// A stopped task, and why.
pub(super) fn ended(n: usize, stop_code: &str, reason: &str, exit_code: Option<i32>) -> TaskView {
    let end = TaskEnd {
        stop_code: Some(stop_code.to_owned()),
        stopped_reason: Some(reason.to_owned()),
        exit_code,
        container_reason: None,
    };
    TaskView { end: Some(end), ..view(n, TaskState::Stopped) }
}

/// A runner of a set, as GitHub shows it.
pub(super) fn sighting(n: usize, set: Option<SetIndex>, online: bool, busy: bool) -> Sighting {
    let name = RunnerName::of_task(&arn(n));
    Sighting { runner: RunnerView { id: id(n), name, online, busy }, set }
}

/// Makes a task run.
pub(super) fn runs(task: &mut Task) {
    (task.state, task.running_at) = (TaskState::Running, Some(task.made_at));
}

/// Makes a task a runner of the first set that waits for a job.
pub(super) fn idles(n: usize) -> impl FnOnce(&mut Task) {
    serves(n, SET)
}

/// Makes a task a runner of a set that waits for a job.
pub(super) fn serves(n: usize, set: SetIndex) -> impl FnOnce(&mut Task) {
    move |task| {
        runs(task);
        task.role = Role::Runner(Runner { online: true, ..Runner::registered(set, id(n), task.made_at) });
    }
}

/// Makes a task a runner with a job.
pub(super) fn works(n: usize) -> impl FnOnce(&mut Task) {
    move |task| {
        idles(n)(task);
        if let Role::Runner(runner) = &mut task.role {
            runner.busy_since = Some(task.made_at);
        }
    }
}

/// Makes a task one that was bound, and whose runner nobody has seen.
pub(super) fn is_bound(n: usize) -> impl FnOnce(&mut Task) {
    move |task| {
        task.role = Role::Runner(Runner::registered(SET, id(n), task.made_at));
        task.posted = true;
    }
}

/// GitHub is asked about a task.
pub(super) fn look(n: usize) -> Step {
    Step::Look { task: arn(n), scopes: vec![SCOPE] }
}

pub(super) fn launches(steps: &[Step]) -> Vec<(PoolIndex, usize, usize)> {
    let launch = |step: &Step| match step {
        Step::Launch { pool, capacity, count, .. } => Some((*pool, *capacity, *count)),
        _ => None,
    };
    steps.iter().filter_map(launch).collect()
}

pub(super) fn bindings(steps: &[Step]) -> Vec<(TaskArn, SetIndex)> {
    let bind = |step: &Step| match step {
        Step::Bind { task, set, .. } => Some((task.clone(), *set)),
        _ => None,
    };
    steps.iter().filter_map(bind).collect()
}
