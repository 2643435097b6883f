//! The published rates of the ECS API, kept on our side.
//!
//! Source: ECS API Reference, "Request throttling", and Developer Guide, "Fargate throttling quotas". They
//! hold for an account in a region, and a connection has one. The newest regions start only 25 tasks at once on
//! Fargate and 5 a second; there ECS may still refuse. Looks at the cluster and the task definition, one each
//! at most, are not counted.

use std::sync::Arc;

use fleetfoot_core::fault::Fault;
use fleetfoot_core::stack::Capacity;
use fleetfoot_core::turns::{Limit, Meter, Turn, Turns, Urgency};
use tokio::time::{Instant, sleep};

/// What ECS counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    /// RunTask, StopTask and ExecuteCommand.
    RunAndStop,
    /// RunTask on Fargate.
    FargateRun,
    /// Tasks started on FARGATE.
    FargateTasks,
    /// Tasks started on FARGATE_SPOT.
    SpotTasks,
    /// DescribeTasks and ListTasks.
    DescribeAndList,
}

impl Meter for Counted {
    fn limit(&self) -> Limit {
        match self {
            Self::RunAndStop => Limit::Bucket { burst: 100, refill: 40 },
            Self::FargateRun => Limit::Bucket { burst: 20, refill: 20 },
            Self::FargateTasks | Self::SpotTasks | Self::DescribeAndList => {
                Limit::Bucket { burst: 100, refill: 20 }
            }
        }
    }

    fn reserve(&self) -> u32 {
        // Stops come first: starting leaves them half of what they share.
        if *self == Self::RunAndStop { 50 } else { 0 }
    }
}

/// The rates of one connection. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct EcsTurns(Arc<Turns<Counted>>);

impl Default for EcsTurns {
    fn default() -> Self {
        let start = Instant::now();
        Self(Arc::new(Turns::new(move || start.elapsed())))
    }
}

impl EcsTurns {
    /// Waits until ECS starts so many tasks.
    pub(crate) async fn run(
        &self,
        what: &str,
        capacity: &Capacity,
        count: u32,
    ) -> Result<Turn<'_, Counted>, Fault> {
        self.take(what, run_claims(capacity, count), Urgency::Ordinary).await
    }

    /// Waits until ECS stops a task.
    pub(crate) async fn stop(&self, what: &str) -> Result<Turn<'_, Counted>, Fault> {
        self.take(what, vec![(Counted::RunAndStop, 1)], Urgency::CleanUp).await
    }

    /// Waits until ECS describes or lists tasks.
    pub(crate) async fn look(&self, what: &str) -> Result<Turn<'_, Counted>, Fault> {
        self.take(what, vec![(Counted::DescribeAndList, 1)], Urgency::Ordinary).await
    }

    async fn take(
        &self,
        what: &str,
        claims: Vec<(Counted, u32)>,
        urgency: Urgency,
    ) -> Result<Turn<'_, Counted>, Fault> {
        self.0.take(claims, urgency, sleep).await.map_err(|soon| soon.fault(what, "ECS"))
    }
}

/// What a RunTask call spends: Fargate counts its calls and its tasks, spot and on-demand apart.
fn run_claims(capacity: &Capacity, count: u32) -> Vec<(Counted, u32)> {
    let mut claims = vec![(Counted::RunAndStop, 1)];
    if capacity.is_fargate() {
        let tasks = if capacity.is_fargate_spot() { Counted::SpotTasks } else { Counted::FargateTasks };
        claims.extend([(Counted::FargateRun, 1), (tasks, count)]);
    }
    claims
}

#[cfg(test)]
mod tests {
    use fleetfoot_core::fault::Class;
    use fleetfoot_core::stack::LaunchType;

    use super::*;

    fn on(provider: &str) -> Capacity {
        Capacity::Provider(provider.to_owned())
    }

    #[tokio::test]
    async fn spot_and_on_demand_are_counted_apart() {
        let turns = EcsTurns::default();
        let run_ten = async |capacity: Capacity| turns.run("start tasks", &capacity, 10).await;
        // Held, so that nothing comes back however long this takes.
        let mut held = Vec::new();
        for _ in 0..10 {
            held.push(run_ten(on("FARGATE_SPOT")).await.unwrap());
        }
        held.push(run_ten(on("FARGATE")).await.unwrap());
        held.push(run_ten(Capacity::LaunchType(LaunchType::Fargate)).await.unwrap());
        for _ in 0..30 {
            held.push(run_ten(on("my-instances")).await.unwrap());
        }
        let spot = turns.run("start tasks", &on("FARGATE_SPOT"), 30).await.unwrap_err();
        assert!(matches!(spot.class, Class::Throttled { retry_after: Some(_) }), "{spot}");
        assert!(spot.why.contains("ECS takes no more of these calls for 2 s"), "{spot}");
    }

    #[tokio::test]
    async fn stops_find_room_when_starts_have_used_up_theirs() {
        let turns = EcsTurns::default();
        let mut held = Vec::new();
        for _ in 0..50 {
            held.push(turns.run("start", &on("my-instances"), 1).await.unwrap());
        }
        for _ in 0..50 {
            held.push(turns.stop("stop").await.unwrap());
        }
        let start = std::time::Instant::now();
        drop(turns.look("look").await.unwrap());
        assert!(start.elapsed().as_millis() < 200, "looks are counted apart");
    }
}
