//! Where the tasks of each pool are, by the simulators' books.

use std::collections::{BTreeMap, HashMap};

use fleetfoot_core::ids::StartedBy;
use fleetfoot_sim::aws::{Task, TaskStatus};
use fleetfoot_sim::github::RunnerSnapshot;

use super::stack::Served;
use crate::demo::world::STACK;

/// How far a task is, in the order in which they pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not running yet, and nobody's.
    Coming,
    /// Running, and nobody's.
    Warm,
    /// A runner that GitHub does not see yet.
    Bound,
    /// A runner without a job.
    Idle,
    /// A runner with a job.
    Busy,
    /// Its runner is gone, or it is being stopped.
    Leaving,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [Self::Coming, Self::Warm, Self::Bound, Self::Idle, Self::Busy, Self::Leaving];

    /// Its word, which is that of the autoscaler's metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Coming => "coming",
            Self::Warm => "warm",
            Self::Bound => "bound",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Leaving => "leaving",
        }
    }
}

/// Tasks that have not stopped, by pool and stage; those of no pool are under the empty name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pools(BTreeMap<(&'static str, Stage), usize>);

impl Pools {
    /// Counts them. `had_runner` says whether a runner of this name was there once.
    pub fn count(
        served: &Served,
        tasks: &[Task],
        runners: &[RunnerSnapshot],
        had_runner: impl Fn(&str) -> bool,
    ) -> Self {
        let of_pools = by_starter(served);
        let runners: HashMap<&str, &RunnerSnapshot> =
            runners.iter().map(|runner| (runner.name.as_str(), runner)).collect();
        let place = |task: &Task| {
            let pool = task.started_by.as_ref().and_then(|by| of_pools.get(by)).copied().unwrap_or_default();
            // A runner is called after its task.
            let name = format!("ff-{}", task.id);
            let stage = match (task.status, runners.get(name.as_str())) {
                _ if task.desired_stopped || task.status > TaskStatus::Running => Stage::Leaving,
                (_, Some(runner)) if runner.busy => Stage::Busy,
                (_, Some(runner)) if runner.online => Stage::Idle,
                (_, Some(_)) => Stage::Bound,
                (_, None) if had_runner(&name) => Stage::Leaving,
                (TaskStatus::Running, None) => Stage::Warm,
                (_, None) => Stage::Coming,
            };
            (pool, stage)
        };
        tasks.iter().filter(|task| task.times.stopped.is_none()).map(place).collect()
    }

    /// Tasks of a pool at a stage.
    pub fn at(&self, pool: &'static str, stage: Stage) -> usize {
        self.0.get(&(pool, stage)).copied().unwrap_or_default()
    }

    /// All tasks of each pool that has any.
    pub fn totals(&self) -> BTreeMap<String, usize> {
        let mut totals: BTreeMap<String, usize> = BTreeMap::new();
        for ((pool, _), count) in &self.0 {
            *totals.entry((*pool).to_owned()).or_default() += count;
        }
        totals
    }

    /// Whether there is nothing but what the stack keeps ready, and that is.
    pub fn are_at_rest(&self, served: &Served) -> bool {
        let kept = served.pools.iter().filter(|pool| pool.warm > 0);
        let wanted: BTreeMap<_, _> = kept.map(|pool| ((pool.name, Stage::Warm), pool.warm)).collect();
        self.0 == wanted
    }
}

/// Each pair is a task.
impl FromIterator<(&'static str, Stage)> for Pools {
    fn from_iter<I: IntoIterator<Item = (&'static str, Stage)>>(tasks: I) -> Self {
        let mut pools = Self::default();
        for place in tasks {
            *pools.0.entry(place).or_default() += 1;
        }
        pools
    }
}

/// Whose tasks a `startedBy` makes them.
fn by_starter(served: &Served) -> HashMap<String, &'static str> {
    let of = |name: &'static str| {
        let started_by = StartedBy::of_pool(&STACK.parse().ok()?, &name.parse().ok()?);
        Some((started_by.to_string(), name))
    };
    served.pools.iter().filter_map(|pool| of(pool.name)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pools_are_at_rest_with_what_is_kept_warm_and_nothing_else() {
        let served = Served::new(&json!({ "pools": [] }), "queue", 100);
        let two = [("Fargate", Stage::Warm); 2];
        let pools =
            |others: &[(&'static str, Stage)]| -> Pools { two.iter().chain(others).copied().collect() };
        assert!(pools(&[]).are_at_rest(&served));
        for other in
            [("Fargate", Stage::Warm), ("Fargate", Stage::Leaving), ("EC2", Stage::Warm), ("", Stage::Coming)]
        {
            assert!(!pools(&[other]).are_at_rest(&served), "{other:?}");
        }
        assert!(!Pools::from_iter([("Fargate", Stage::Warm)]).are_at_rest(&served), "one is missing");
        let totals = pools(&[("EC2", Stage::Busy), ("Fargate", Stage::Busy)]).totals();
        assert_eq!(totals, [("EC2".to_owned(), 1), ("Fargate".to_owned(), 3)].into());
    }
}
