//! The autoscaler: GitHub's queues say how many jobs there are, and the fleet is kept as large.
//!
//! The decisions are [`fleetfoot_core::fleet`]'s. Here is what runs them: [`listen`] hears what the queues say,
//! [`controller`] plans and writes down what comes of it, [`act`] does single steps. All of it works on ports,
//! time among them, so that a simulation drives it as the real services do.
//!
//! Nothing is spawned: the controller holds what is under way, so that an end of the process waits for it and
//! a simulation is told the same story each time.

mod act;
mod controller;
mod doors;
pub mod events;
pub mod http;
mod listen;
mod metrics;
mod order;
mod replica;
mod targets;
mod tell;
pub mod traces;

pub use controller::{Controller, Snapshot, Targets, Watch};
pub use doors::{AtGitHub, Doors};
pub use listen::{Heard, Listener};
pub use metrics::Metrics;
pub use order::{Order, PoolOrder, SetOrder};
pub use replica::run_replica;
pub use targets::StackTargets;
pub use tell::{Health, Teller};

use std::sync::{Mutex, PoisonError};

use fleetfoot_core::fleet::SetIndex;
use fleetfoot_core::scale_sets::ScaleSetId;

/// The sets' ids at GitHub, as far as they are known. Whoever listens learns them, whoever registers needs them.
#[derive(Debug, Default)]
pub struct SetIds(Mutex<Vec<Option<ScaleSetId>>>);

impl SetIds {
    /// Of no set.
    pub fn new(sets: usize) -> Self {
        Self(Mutex::new(vec![None; sets]))
    }

    /// The id of this one.
    pub fn get(&self, set: SetIndex) -> Option<ScaleSetId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(set.0).copied().flatten()
    }

    /// Notes an id.
    pub fn set(&self, set: SetIndex, id: ScaleSetId) {
        if let Some(place) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(set.0) {
            *place = Some(id);
        }
    }
}
