//! What the autoscaler's planner costs with ten thousand runners, all of it in one thread and without a call.
//!
//! `cargo bench -p fleetfoot-core --bench fleet`

#![expect(clippy::print_stdout, reason = "a program for a terminal")]
#![expect(clippy::disallowed_methods, reason = "time is measured here")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::fleet::{
    self, Fleet, Manner, Policy, PoolIndex, PoolPolicy, ScopeIndex, SetIndex, SetPolicy, Step,
};
use fleetfoot_core::ids::{RunnerId, RunnerName, TaskArn};
use fleetfoot_core::phase::PhaseTimes;
use fleetfoot_core::ports::Launched;
use fleetfoot_core::scale_sets::{Demand, Job, JobEvent, RequestId, RunnerRef};
use fleetfoot_core::task::{TaskState, TaskView};
use jiff::{SignedDuration, Timestamp};

const JOBS: u32 = 10_000;

const POOL: PoolIndex = PoolIndex(0);
const SET: SetIndex = SetIndex(0);
const SCOPE: ScopeIndex = ScopeIndex(0);

fn main() {
    let mut bench = Bench::new();
    bench.hear(JOBS, 0, &[]);
    let launched = bench.measure(Bench::launch_and_bind);
    let begun = bench.measure(Bench::begin_jobs);
    let ended = bench.measure(Bench::end_jobs);
    println!("{JOBS} jobs at once, {} plans:", bench.plans);
    for (what, took) in [
        ("from the assignment of a job until its runner is registered", launched),
        ("from there until the job has begun", begun),
        ("from there until its task has stopped", ended),
    ] {
        println!("{:>7.1} µs a job {what}", took.as_secs_f64() * 1e6 / f64::from(JOBS));
    }
}

/// A fleet, and a world without a delay.
struct Bench {
    fleet: Fleet,
    policy: Policy,
    now: Timestamp,
    begun: Vec<(Step, Option<u64>)>,
    tasks: u32,
    plans: u32,
}

impl Bench {
    fn new() -> Self {
        let most = 2 * JOBS as usize;
        let policy = Policy {
            pools: vec![PoolPolicy { capacities: 1, max: most, warm: 0 }],
            sets: vec![SetPolicy { pool: POOL, scope: SCOPE, min: 0, max: most }],
            manner: Manner { listed: SignedDuration::ZERO, ..Manner::default() },
        };
        let fleet = Fleet::new(&policy, "ff");
        Self { fleet, policy, now: Timestamp::UNIX_EPOCH, begun: Vec::new(), tasks: 0, plans: 0 }
    }

    fn measure(&mut self, phase: impl FnOnce(&mut Self)) -> Duration {
        let began = Instant::now();
        phase(self);
        began.elapsed()
    }

    /// What the controller does after everything that it hears.
    fn plan(&mut self) {
        self.plans += 1;
        self.fleet.settle(&self.policy, self.now);
        for (step, _) in fleet::plan(self.now, &self.policy, &self.fleet).steps {
            let nonce = format!("nonce-{}", self.plans);
            let number = self.fleet.begin(&step, || nonce, self.now);
            self.begun.push((step, number));
        }
    }

    fn hear(&mut self, assigned: u32, running: u32, events: &[JobEvent]) {
        let demand = Demand { assigned, running, ..Demand::default() };
        self.fleet.heard(SET, demand, events, self.now);
    }

    /// Answers every step, and plans after each answer.
    fn launch_and_bind(&mut self) {
        self.plan();
        while let Some((step, number)) = self.begun.pop() {
            match step {
                Step::Launch { count, .. } => {
                    let first = self.tasks;
                    self.tasks += u32::try_from(count).unwrap_or_default();
                    let tasks = (first..self.tasks).map(|n| view(n, TaskState::Coming)).collect();
                    let answer = Launched { tasks, ..Launched::default() };
                    self.fleet.launched(POOL, number.unwrap_or_default(), Ok(answer), self.now);
                }
                Step::Bind { task, set, .. } => {
                    let id = RunnerId(task.id().parse().unwrap_or_default());
                    self.fleet.bound(&task, set, SCOPE, Ok(id), self.now);
                }
                Step::Sweep(pool) => drop(self.fleet.swept(pool, &[], Ok(Vec::new()), self.now)),
                Step::CallRoll(scope) => {
                    self.fleet.roll_called(scope, Ok(Vec::new()), self.now, self.now);
                }
                other => panic!("nothing of the kind is to be done: {other:?}"),
            }
            self.plan();
        }
        assert_eq!(self.fleet.tasks.set(SET).live, JOBS as usize, "each job has a runner");
    }

    fn begin_jobs(&mut self) {
        for n in 0..JOBS {
            self.fleet.changed(view(n, TaskState::Running), self.now);
            self.plan();
            let begins = JobEvent::Started { job: job(n), runner: runner(n) };
            self.hear(JOBS, n + 1, &[begins]);
            self.plan();
        }
        assert_eq!(self.fleet.tasks.set(SET).busy, JOBS as usize, "each runner has a job");
    }

    fn end_jobs(&mut self) {
        for n in 0..JOBS {
            let (runner, left) = (Some(runner(n)), JOBS - n - 1);
            let ends = JobEvent::Completed { job: job(n), runner, result: "succeeded".to_owned() };
            self.hear(left, left, &[ends]);
            self.plan();
            for state in [TaskState::Going, TaskState::Stopped] {
                self.fleet.changed(view(n, state), self.now);
                self.plan();
            }
        }
        assert!(self.fleet.tasks.is_empty(), "nothing is left");
    }
}

fn arn(n: u32) -> TaskArn {
    let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task/ff/{n:032}");
    arn.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn runner(n: u32) -> RunnerRef {
    RunnerRef { id: RunnerId(n.into()), name: RunnerName::of_task(&arn(n)) }
}

fn job(n: u32) -> Job {
    Job {
        request: RequestId(n.into()),
        id: n.to_string(),
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

fn view(n: u32, state: TaskState) -> TaskView {
    TaskView {
        arn: arn(n),
        state,
        status: String::new(),
        phases: PhaseTimes::default(),
        started_by: None,
        capacity: None,
        cpu: None,
        memory: None,
        ephemeral_storage: None,
        tags: BTreeMap::new(),
        mailbox: Some(MailboxPrefix::new("mail", "mailbox/", "nonce")),
        end: None,
        billed_from: None,
        started_at: None,
        stopped_at: None,
    }
}
