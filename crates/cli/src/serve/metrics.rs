//! What Prometheus is told (`/metrics`, in the OpenMetrics text format).
//!
//! Names and labels are public: dashboards are built on them. docs/serve.md describes each.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use fleetfoot_core::fleet::{PoolIndex, Role, ScopeIndex, SetIndex, Task};
use fleetfoot_core::ids::PoolName;
use fleetfoot_core::patience::Service;
use fleetfoot_core::stack::Pool;
use fleetfoot_core::task::{TaskState, TaskView};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Order, Snapshot};

/// A scale set.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfSet {
    pub(super) scale_set: String,
    /// Where it is at GitHub: names repeat.
    pub(super) github: String,
}

/// A pool.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OfPool {
    pub(super) pool: String,
}

/// Where a runner is.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AtPhase {
    pool: String,
    phase: &'static str,
}

/// A choice of capacity.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OnCapacity {
    pub(super) pool: String,
    pub(super) capacity: String,
}

/// A failure.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Failed {
    pub(super) pool: String,
    pub(super) class: String,
}

/// A step that was done, or refused.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Called {
    pub(super) call: &'static str,
    pub(super) outcome: &'static str,
}

/// Seconds: what warm tasks make of a wait, up to what a burst does.
const WAITS: [f64; 12] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1800.0];

type Seconds = Family<OfSet, Histogram, fn() -> Histogram>;

/// All of it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    leads: Gauge,
    under_way: Gauge,
    listening: Family<OfSet, Gauge>,
    assigned: Family<OfSet, Gauge>,
    running: Family<OfSet, Gauge>,
    waiting: Family<OfSet, Gauge>,
    runners: Family<AtPhase, Gauge>,
    warm_wanted: Family<OfPool, Gauge>,
    pub(super) job_wait: Seconds,
    pub(super) bind_wait: Seconds,
    pub(super) launched: Family<OnCapacity, Counter>,
    pub(super) launch_failures: Family<Failed, Counter>,
    pub(super) task_failures: Family<Failed, Counter>,
    pub(super) interruptions: Family<Failed, Counter>,
    pub(super) calls: Family<Called, Counter>,
    pub(super) cost: Family<OnCapacity, Counter<f64, AtomicU64>>,
    pub(super) spans_exported: Counter,
    pub(super) spans_dropped: Counter,
}

/// Where a task is, in one word.
const PHASES: [&str; 7] = ["coming", "warm", "bound", "idle", "busy", "taken", "leaving"];

fn phase(task: &Task) -> usize {
    match (task.role, task.state) {
        _ if task.is_over() => 6,
        (Role::Spent { .. }, _) => 6,
        (Role::Taken, _) => 5,
        (Role::Runner(runner), _) if runner.busy_since.is_some() => 4,
        (Role::Runner(runner), _) if runner.online => 3,
        (Role::Runner(_) | Role::Doubtful(_), _) => 2,
        (Role::Unbound | Role::Unknown, TaskState::Running) => 1,
        (Role::Unbound | Role::Unknown, _) => 0,
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(WAITS);
        let mut metrics = Self {
            registry: Registry::with_prefix("fleetfoot"),
            leads: Gauge::default(),
            under_way: Gauge::default(),
            listening: Family::default(),
            assigned: Family::default(),
            running: Family::default(),
            waiting: Family::default(),
            runners: Family::default(),
            warm_wanted: Family::default(),
            job_wait: Family::new_with_constructor(seconds),
            bind_wait: Family::new_with_constructor(seconds),
            launched: Family::default(),
            launch_failures: Family::default(),
            task_failures: Family::default(),
            interruptions: Family::default(),
            calls: Family::default(),
            cost: Family::default(),
            spans_exported: Counter::default(),
            spans_dropped: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let all = &mut self.registry;
        all.register("leader", "Whether this replica acts (1) or stands by (0)", self.leads.clone());
        all.register("steps_under_way", "Calls that have had no answer yet", self.under_way.clone());
        let help = "Whether this replica reads the scale set's queue (1) or not (0)";
        all.register("listening", help, self.listening.clone());
        all.register("jobs_assigned", "Jobs assigned to the scale set", self.assigned.clone());
        all.register("jobs_running", "Jobs that run on the scale set's runners", self.running.clone());
        all.register("jobs_waiting", "Assigned jobs without a runner", self.waiting.clone());
        all.register("runners", "Tasks by where they are", self.runners.clone());
        all.register("warm_wanted", "Unbound tasks to be kept ready", self.warm_wanted.clone());
        let help = "From a job's assignment to its runner taking it";
        all.register_with_unit("job_wait", help, Unit::Seconds, self.job_wait.clone());
        let help = "From a runner being wanted to its registration lying in a task's mailbox";
        all.register_with_unit("bind_wait", help, Unit::Seconds, self.bind_wait.clone());
        all.register("tasks_launched", "Tasks that RunTask has started", self.launched.clone());
        all.register("launch_failures", "Launches that RunTask has refused", self.launch_failures.clone());
        let help = "Tasks that ended before their runner was online";
        all.register("task_failures", help, self.task_failures.clone());
        all.register("interruptions", "Jobs that were cut off with their task", self.interruptions.clone());
        all.register("calls", "Calls to AWS and GitHub by what came of them", self.calls.clone());
        let help = "List price of the tasks that have stopped, in US dollars";
        all.register("cost_dollars", help, self.cost.clone());
        let help = "Spans that the collector of traces has taken";
        all.register("spans_exported", help, self.spans_exported.clone());
        let help = "Spans that were dropped because no collector has taken them in time";
        all.register("spans_dropped", help, self.spans_dropped.clone());
    }

    /// Takes over how things are. `deaf` are the sets whose queues cannot be read.
    pub(super) fn look(&self, names: &Names, snapshot: &Snapshot<'_>, deaf: impl Fn(SetIndex) -> bool) {
        let order = &names.0;
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.leads.set(i64::from(snapshot.leads));
        self.under_way.set(number(snapshot.under_way));
        for (n, state) in snapshot.fleet.sets.iter().enumerate() {
            let of = names.set(SetIndex(n));
            let listening = snapshot.leads && state.demand.is_some() && !deaf(SetIndex(n));
            self.listening.get_or_create(&of).set(listening.into());
            let demand = state.demand.unwrap_or_default();
            self.assigned.get_or_create(&of).set(demand.assigned.into());
            self.running.get_or_create(&of).set(demand.running.into());
            self.waiting.get_or_create(&of).set(demand.assigned.saturating_sub(demand.running).into());
        }
        let mut counts = vec![[0_usize; PHASES.len()]; order.pools.len()];
        for task in snapshot.fleet.tasks.values() {
            if let Some(count) = counts.get_mut(task.pool.0) {
                count[phase(task)] += 1;
            }
        }
        for ((pool, rule), counts) in order.pools.iter().zip(&snapshot.policy.pools).zip(counts) {
            let pool = pool.pool.name.to_string();
            self.warm_wanted.get_or_create(&OfPool { pool: pool.clone() }).set(number(rule.warm));
            for (phase, count) in PHASES.into_iter().zip(counts) {
                self.runners.get_or_create(&AtPhase { pool: pool.clone(), phase }).set(number(count));
            }
        }
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// The names by which metrics call things.
#[derive(Debug, Clone)]
pub(super) struct Names(pub(super) Arc<Order>);

impl Names {
    pub(super) fn pool(&self, pool: PoolIndex) -> String {
        self.0.pools.get(pool.0).map(|order| order.pool.name.to_string()).unwrap_or_default()
    }

    /// A task's pool, by whom it was started for: ECS drops its tags when it is stopped.
    pub(super) fn pool_of(&self, view: &TaskView) -> Option<&Pool> {
        let name: PoolName = view.started_by.as_deref()?.rsplit('/').next()?.parse().ok()?;
        self.0.pools.iter().map(|order| &order.pool).find(|pool| pool.name == name)
    }

    pub(super) fn capacity(&self, pool: PoolIndex, capacity: usize) -> OnCapacity {
        let choice = self.0.pools.get(pool.0).and_then(|order| order.pool.capacity.get(capacity));
        OnCapacity { pool: self.pool(pool), capacity: choice.map(ToString::to_string).unwrap_or_default() }
    }

    pub(super) fn set(&self, set: SetIndex) -> OfSet {
        let scale_set = self.0.sets.get(set.0).map(|order| order.spec.name.to_string());
        let github = self.0.place(self.0.scope_of(set)).to_owned();
        OfSet { scale_set: scale_set.unwrap_or_default(), github }
    }

    /// Where a service is, if that is GitHub.
    pub(super) fn place(&self, scope: ScopeIndex, service: Service) -> Option<&str> {
        match service {
            Service::GitHub | Service::GitHubDeletions | Service::GitHubReads => Some(self.0.place(scope)),
            Service::Ecs | Service::EcsStops | Service::EcsReads | Service::Mailbox => None,
        }
    }

    /// The pool of a set.
    pub(super) fn pool_of_set(&self, set: SetIndex) -> String {
        self.0.sets.get(set.0).map(|order| self.pool(order.pool)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_describes_every_metric() {
        let manual = include_str!("../../../../docs/serve.md");
        let metrics = Metrics::default();
        // A family is told once it has a member.
        let (set, pool) = (|| OfSet { scale_set: "s".into(), github: "acme".into() }, || "p".to_owned());
        for gauge in [&metrics.listening, &metrics.assigned, &metrics.running, &metrics.waiting] {
            drop(gauge.get_or_create(&set()));
        }
        for seconds in [&metrics.job_wait, &metrics.bind_wait] {
            drop(seconds.get_or_create(&set()));
        }
        for failures in [&metrics.launch_failures, &metrics.task_failures, &metrics.interruptions] {
            drop(failures.get_or_create(&Failed { pool: pool(), class: "c".into() }));
        }
        let on = || OnCapacity { pool: pool(), capacity: "FARGATE".into() };
        drop(metrics.runners.get_or_create(&AtPhase { pool: pool(), phase: "warm" }));
        drop(metrics.warm_wanted.get_or_create(&OfPool { pool: pool() }));
        drop(metrics.launched.get_or_create(&on()));
        drop(metrics.cost.get_or_create(&on()));
        drop(metrics.calls.get_or_create(&Called { call: "launch", outcome: "ok" }));
        let text = metrics.text();
        let described = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let all: Vec<(&str, &str)> = described.filter_map(|line| line.split_once(' ')).collect();
        assert!(all.len() == 18, "{text}");
        for (name, kind) in all {
            let total = if kind == "counter" { "_total" } else { "" };
            assert!(
                manual.contains(&format!("| `{name}{total}` |")),
                "{name}{total} is not in docs/serve.md"
            );
        }
    }
}
