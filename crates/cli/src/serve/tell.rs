//! What the autoscaler tells: a line of log and a number for everything that happens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleetfoot_core::fault::Fault;
use fleetfoot_core::fleet::{News, SetIndex};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::task::TaskView;
use fleetfoot_core::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};

use super::metrics::{Failed, Metrics, Names, OfSet};
use super::traces::{Outlet, Tracer};
use super::{Order, Snapshot, Watch};
use crate::report;

/// How often the gauges are brought up to date and traces ended, which costs a look at every task.
const GAUGES: SignedDuration = SignedDuration::from_secs(1);

/// What others may ask of a running autoscaler.
#[derive(Debug, Default)]
pub struct Health {
    /// Whether it has heard from GitHub: that it leads, or that another replica does.
    ready: AtomicBool,
    /// The sets whose queues cannot be read, and why.
    deaf: Mutex<BTreeMap<SetIndex, String>>,
}

impl Health {
    /// Whether it does its part.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// What keeps it from some of its scale sets, a sentence each.
    pub fn troubles(&self) -> Vec<String> {
        self.deaf().values().cloned().collect()
    }

    fn deaf(&self) -> MutexGuard<'_, BTreeMap<SetIndex, String>> {
        self.deaf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the log, the metrics and whoever takes traces.
#[derive(Debug)]
pub struct Teller {
    names: Names,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    tracer: Option<Tracer>,
    looked_at: Option<Timestamp>,
}

impl Teller {
    /// A teller for this order.
    pub fn new(order: Arc<Order>, metrics: Arc<Metrics>, health: Arc<Health>) -> Self {
        Self { names: Names(order), metrics, health, tracer: None, looked_at: None }
    }

    /// The same that puts traces in here, if there is somewhere to put them.
    #[must_use]
    pub fn with_traces(mut self, outlet: Option<Outlet>) -> Self {
        self.tracer = outlet.map(|outlet| Tracer::new(self.names.clone(), outlet));
        self
    }

    fn is_gone(&self, now: Timestamp, view: &TaskView) {
        let pool = self.names.pool_of(view);
        let cost = pool.and_then(|pool| report::cost_in(view, pool, now));
        tracing::info!(task = view.arn.id(), cost_dollars = cost.map(|cost| cost.0), "task stopped");
        if let (Some(cost), Some(pool), Some(capacity)) = (cost, pool, &view.capacity) {
            let on =
                super::metrics::OnCapacity { pool: pool.name.to_string(), capacity: capacity.to_string() };
            self.metrics.cost.get_or_create(&on).inc_by(cost.0);
        }
    }
}

impl Watch for Teller {
    fn news(&mut self, now: Timestamp, news: &News) {
        if let Some(tracer) = &mut self.tracer {
            tracer.hear(now, news);
        }
        let (names, metrics) = (&self.names, &self.metrics);
        match news {
            News::Launched { pool, capacity, tasks, took } => {
                let on = names.capacity(*pool, *capacity);
                let ids: Vec<&str> = tasks.iter().map(TaskArn::id).collect();
                tracing::info!(pool = on.pool, capacity = on.capacity, tasks = ?ids, seconds = took.as_secs_f64(), "started tasks");
                metrics.launched.get_or_create(&on).inc_by(tasks.len() as u64);
            }
            News::NotLaunched { pool, capacity, why, .. } => {
                let on = names.capacity(*pool, *capacity);
                tracing::warn!(pool = on.pool, capacity = on.capacity, class = why.class, why = %why, remedy = why.remedy, "no task was started");
                metrics.launch_failures.get_or_create(&failed(on.pool, why)).inc();
            }
            News::Running(task) => tracing::info!(task = task.id(), "task runs"),
            News::Bound { task, set, waited, warm } => {
                let of = names.set(*set);
                let OfSet { scale_set, github } = &of;
                tracing::info!(
                    task = task.id(),
                    scale_set,
                    github,
                    seconds = waited.as_secs_f64(),
                    warm,
                    "task is a runner"
                );
                metrics.bind_wait.get_or_create(&of).observe(waited.as_secs_f64());
            }
            News::Online(task) => tracing::info!(task = task.id(), "runner is online"),
            News::Busy { task, set, waited, .. } => {
                let of = names.set(*set);
                let OfSet { scale_set, github } = &of;
                let seconds = waited.map(|waited| waited.as_secs_f64());
                tracing::info!(task = task.id(), scale_set, github, seconds, "job began");
                if let Some(seconds) = seconds {
                    metrics.job_wait.get_or_create(&of).observe(seconds);
                }
            }
            News::Done { task, set, result, .. } => {
                let OfSet { scale_set, github } = names.set(*set);
                tracing::info!(task = task.id(), scale_set, github, result, "job ended");
            }
            News::Failed { task, pool, why } => {
                let pool = names.pool(*pool);
                tracing::warn!(task = task.id(), pool, class = why.class, why = %why, remedy = why.remedy, "task failed");
                metrics.task_failures.get_or_create(&failed(pool, why)).inc();
            }
            News::Interrupted { task, set, why } => {
                let OfSet { scale_set, github } = names.set(*set);
                tracing::warn!(task = task.id(), scale_set, github, class = why.class, why = %why, remedy = why.remedy, "job was cut off");
                metrics.interruptions.get_or_create(&failed(names.pool_of_set(*set), why)).inc();
            }
            News::Gone(view) => self.is_gone(now, view),
            News::Stopped(task) => tracing::info!(task = task.id(), "stopping a task that is not wanted"),
            News::Trouble { scope, service, why } => {
                let github = names.place(*scope, *service);
                tracing::warn!(?service, github, class = why.class, why = %why, remedy = why.remedy, "a service does not do its part");
            }
        }
    }

    fn trouble(&mut self, _: Timestamp, set: SetIndex, fault: &Fault) {
        let OfSet { scale_set, github } = self.names.set(set);
        tracing::warn!(scale_set, github, class = fault.class.word(), why = %fault, remedy = fault.remedy, "cannot listen");
        let remedy = fault.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        self.health.deaf().insert(set, format!("cannot listen to {scale_set} of {github}: {fault}{remedy}"));
    }

    fn trouble_is_over(&mut self, set: SetIndex) {
        if self.health.deaf().remove(&set).is_some() {
            let OfSet { scale_set, github } = self.names.set(set);
            tracing::info!(scale_set, github, "listening again");
        }
    }

    fn called(&mut self, call: &'static str, outcome: &'static str) {
        self.metrics.calls.get_or_create(&super::metrics::Called { call, outcome }).inc();
    }

    fn look(&mut self, snapshot: Snapshot<'_>) -> Option<Timestamp> {
        let stood_by = snapshot.stands_by;
        self.health.ready.store(snapshot.leads || stood_by, Ordering::Relaxed);
        if let Some(due) = self.looked_at.map(|at| at + GAUGES)
            && snapshot.now < due
        {
            return Some(due);
        }
        self.looked_at = Some(snapshot.now);
        let deaf = self.health.deaf();
        self.metrics.look(&self.names, &snapshot, |set| deaf.contains_key(&set));
        if let Some(tracer) = &mut self.tracer {
            tracer.look(snapshot.now, snapshot.fleet);
        }
        None
    }
}

fn failed(pool: String, why: &Verdict) -> Failed {
    Failed { pool, class: why.class.clone() }
}
