//! Jobs whose labels nobody serves.
//!
//! GitHub lets such a job wait for 24 hours; a demo that did the same would look as if it hung. A job of a scale set
//! may wait for room as long as it takes.

use std::time::Duration;

use fleetfoot_sim::events::JobStatus;
use fleetfoot_sim::github::JobSnapshot;
use tokio::time::Instant;

use super::stack::{is_served, names};
use crate::demo::world::World;

/// How long such a job may wait: who would serve it may be on the way.
const LONGEST: Duration = Duration::from_secs(3);

/// The job that waits in vain, and since when.
#[derive(Debug, Default)]
pub struct Patience(Option<(u64, Instant)>);

impl Patience {
    /// Whether a job of these runs has waited in vain for long enough: its run, and a sentence.
    pub fn exhausted(&mut self, world: &World, mut runs: impl Iterator<Item = u64>) -> Option<(u64, String)> {
        let Some((run, job)) = runs.find_map(|run| Some((run, waits_in_vain(world, run)?))) else {
            self.0 = None;
            return None;
        };
        let since =
            self.0.filter(|(known, _)| *known == job.id).map_or_else(Instant::now, |(_, since)| since);
        self.0 = Some((job.id, since));
        if since.elapsed() < LONGEST {
            return None;
        }
        let sentence = format!(
            "{} waits for a runner with the labels {}, and nobody brings one: the scale sets here are {}. GitHub lets \
             a job wait for 24 hours; the demo cancels its run now.",
            job.name,
            job.labels.join(", "),
            names()
        );
        Some((run, sentence))
    }
}

/// A job of a run that waits for labels that no scale set and no runner has, while no other job of the run goes on.
fn waits_in_vain(world: &World, run: u64) -> Option<JobSnapshot> {
    let jobs = world.github.run(run)?.jobs;
    if jobs.iter().any(|job| job.status == JobStatus::InProgress) {
        return None;
    }
    let runners = world.github.runners();
    let has_runner = |job: &JobSnapshot| {
        runners.iter().any(|runner| job.labels.iter().all(|label| runner.labels.contains(label)))
    };
    jobs.into_iter().find(|job| {
        let waits = job.status == JobStatus::Queued && job.runner.is_none();
        waits && !is_served(&job.labels) && !has_runner(job)
    })
}
