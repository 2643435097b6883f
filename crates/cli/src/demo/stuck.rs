//! Jobs that wait for a runner which nobody will bring.
//!
//! GitHub lets such a job wait for 24 hours; a demo that did the same would look as if it hung.

use std::time::Duration;

use fleetfoot_sim::events::JobStatus;
use fleetfoot_sim::github::JobSnapshot;
use tokio::time::Instant;

use super::serve::stack::is_served;
use super::world::World;

/// How often to look.
pub const LOOK: Duration = Duration::from_millis(250);

/// How long nothing may happen while a job waits.
const LONGEST: Duration = Duration::from_secs(3);

/// Since when a run waits in vain.
#[derive(Debug, Default)]
pub struct Patience(Option<Instant>);

impl Patience {
    /// Whether the run has waited in vain for long enough, and for what.
    pub fn exhausted(&mut self, world: &World, run_id: u64) -> Option<String> {
        let Some(waiting) = waits_in_vain(world, run_id) else {
            self.0 = None;
            return None;
        };
        let since = *self.0.get_or_insert_with(Instant::now);
        if since.elapsed() < LONGEST {
            return None;
        }
        self.0 = None;
        let autoscaler = if is_served(&waiting.labels) {
            " With --serve the autoscaler starts one: that is the name of a scale set."
        } else {
            ""
        };
        Some(format!(
            "{} waits for a runner with the labels {}, and there is none, nor anything that would start one. GitHub \
             lets a job wait for 24 hours; the demo cancels the run now.{autoscaler}",
            waiting.name,
            waiting.labels.join(", ")
        ))
    }
}

/// A job that waits for a runner while nothing else goes on.
fn waits_in_vain(world: &World, run_id: u64) -> Option<JobSnapshot> {
    let jobs = world.github.run(run_id)?.jobs;
    let runs = jobs.iter().any(|job| job.status == JobStatus::InProgress);
    let comes = world.aws.tasks().iter().any(|task| task.times.stopped.is_none());
    let online = world.github.runners().iter().any(|runner| runner.online);
    if runs || comes || online {
        return None;
    }
    jobs.into_iter().find(|job| job.status == JobStatus::Queued && job.runner.is_none())
}
