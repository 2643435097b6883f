//! A month of jobs, made from a real month of pushes.
//!
//! When people push is real. How many jobs a push sets off and how long they run is not in the trace: both are drawn,
//! from the same seed for every policy, so that all of them are given the same month.

use jiff::{SignedDuration, Timestamp};

use crate::Result;
use crate::chance::Chance;

/// Days of the trace.
pub(crate) const DAYS: i64 = 32;

/// One job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// When it is assigned to the scale set.
    pub(crate) at: Timestamp,
    /// How long it runs.
    pub(crate) runs: SignedDuration,
}

/// What is assumed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assumed {
    /// The mean number of jobs of a push, which has 1 to twice as many less one.
    pub(crate) jobs: u64,
    /// The mean length of a job in minutes; lengths fall off exponentially.
    pub(crate) minutes: f64,
}

/// The first moment of the trace, a Monday.
pub(crate) fn begin() -> Timestamp {
    Timestamp::constant(1_784_505_600, 0)
}

/// All jobs, in their order.
pub(crate) fn jobs(assumed: Assumed) -> Result<Vec<Job>> {
    let mut chance = Chance::of(1);
    let mut jobs = Vec::new();
    for line in include_str!("pushes.csv").lines().filter(|line| !line.starts_with(['#', 'd'])) {
        let mut columns = line.split(',');
        let mut column = || columns.next().ok_or_else(|| format!("{line:?} has too few columns"));
        let (day, hour): (i64, i64) = (column()?.parse()?, column()?.parse()?);
        for minute in column()?.split(' ') {
            let minutes = (day * 24 + hour) * 60 + minute.parse::<i64>()?;
            let pushed =
                begin() + SignedDuration::from_mins(minutes) + chance.up_to(SignedDuration::from_mins(1));
            for _ in 0..=chance.below(2 * assumed.jobs - 1) {
                // GitHub takes some seconds to make jobs of a push.
                let at = pushed + chance.up_to(SignedDuration::from_secs(5));
                jobs.push(Job { at, runs: chance.exponential(assumed.minutes * 60.0) });
            }
        }
    }
    jobs.sort_by_key(|job| job.at);
    Ok(jobs)
}
