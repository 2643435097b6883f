//! What a policy came to: how long jobs waited, and what that cost.

use fleetfoot_core::cost::{self, Billed};
use fleetfoot_core::stack::Pool;

use crate::policies::Policy;
use crate::world::Outcome;
use crate::{Result, trace};

/// A job that waits less than this, in seconds, has found a task ready.
pub(crate) const READY: f64 = 5.0;

/// Days of the month that costs are told for.
const MONTH: f64 = 30.0;

/// What a policy came to.
pub(crate) struct Score {
    /// How many jobs there were.
    pub(crate) jobs: f64,
    /// The share of jobs that found a task ready.
    pub(crate) ready: f64,
    /// Seconds that a job waited in the mean.
    pub(crate) mean: f64,
    /// Seconds that all jobs but five of a hundred waited at most.
    pub(crate) p95: f64,
    /// Dollars a month, all tasks.
    pub(crate) cost: f64,
    /// Dollars a month beyond those of the policy that keeps nothing ready.
    pub(crate) idle: f64,
}

impl Score {
    /// Of this outcome of a policy. `nothing` is what keeping nothing ready costs a month.
    pub(crate) fn of(policy: &Policy, outcome: &Outcome, nothing: Option<f64>) -> Result<Self> {
        let mut waits: Vec<f64> = outcome.waits.iter().map(jiff::SignedDuration::as_secs_f64).collect();
        waits.sort_by(f64::total_cmp);
        let jobs = f64::from(u32::try_from(waits.len())?);
        let ready = f64::from(u32::try_from(waits.partition_point(|wait| *wait < READY))?);
        let p95 = waits.get(waits.len() * 95 / 100).copied().ok_or("no job ran")?;
        let days = f64::from(u32::try_from(trace::DAYS)?);
        let cost = dollars(policy.pool()?, outcome) * MONTH / days;
        Ok(Self {
            jobs,
            ready: ready / jobs,
            mean: waits.iter().sum::<f64>() / jobs,
            p95,
            cost,
            idle: cost - nothing.unwrap_or(cost),
        })
    }

    /// Whether this one is as good as the other in waiting and in cost, and better in one.
    pub(crate) fn beats(&self, other: &Self) -> bool {
        let (waits, costs) = (self.p95.total_cmp(&other.p95), self.idle.total_cmp(&other.idle));
        waits.is_le() && costs.is_le() && (waits.is_lt() || costs.is_lt())
    }
}

fn dollars(pool: &Pool, outcome: &Outcome) -> f64 {
    let price = |(from, to): &(jiff::Timestamp, jiff::Timestamp)| {
        cost::of_task(&Billed {
            capacity: pool.capacity.first()?,
            arch: pool.arch,
            size: pool.size(),
            public_ip: false,
            from: *from,
            to: *to,
        })
    };
    outcome.billed.iter().filter_map(price).sum::<cost::Dollars>().0
}
