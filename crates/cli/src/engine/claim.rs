//! Claiming: a start takes warm tasks of its pool, which run already and are bound to nobody.
//!
//! Whoever registers a task's runner first has it. The autoscaler may want it too, and so may another start:
//! GitHub has each name once, so all but one are refused and look elsewhere. What could not be claimed is
//! launched, as if there were no warm tasks.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use fleetfoot_core::patience::Service;
use fleetfoot_core::ports::{Outbox, Runners, Tasks};
use fleetfoot_core::task::{TaskState, TaskView};
use fleetfoot_core::world::World;

use super::Engine;
use super::observe::note;

/// How many tasks are looked at for each that is wanted: others may be runners already.
const LOOKS_PER_TASK: usize = 3;

impl<T: Tasks, O: Outbox, R: Runners> Engine<'_, T, O, R> {
    /// Takes as many warm tasks as are missing, as far as there are any.
    pub(super) async fn claim(&self, count: usize, world: &mut World) {
        let Some((spec, warm)) = self.spec.as_ref().and_then(|spec| Some((spec, spec.warm.as_ref()?))) else {
            return;
        };
        let there = world.members.values().filter(|m| !m.task.is_over()).count() + world.named.len();
        let mut missing = count.saturating_sub(there);
        let found = match self.ports.tasks.find(warm).await {
            Ok(arns) if missing > 0 => self.ports.tasks.describe(&arns).await,
            Ok(_) => return,
            Err(fault) => Err(fault),
        };
        let mut found = match found {
            Ok(found) => found,
            Err(fault) => return note(world, Service::EcsReads, &fault, self.ports.clock.now()),
        };
        found.retain(|task| task.state == TaskState::Running && task.mailbox.is_some());
        // Starts that claim at the same time shall not all begin with the same task.
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let order = |task: &TaskView| hasher.hash_one((spec.label.as_str(), task.arn.id()));
        found.sort_by_cached_key(order);
        for task in found.into_iter().take(count * LOOKS_PER_TASK) {
            if missing == 0 {
                break;
            }
            let name = fleetfoot_core::ids::RunnerName::of_task(&task.arn);
            match self.ports.runners.find(&name).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    world.claim(task, self.ports.clock.now());
                    missing -= 1;
                }
                Err(fault) => return note(world, Service::GitHubReads, &fault, self.ports.clock.now()),
            }
        }
    }
}
