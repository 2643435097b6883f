//! What is wanted, as the stack document says it, with what the pools have learnt.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fleetfoot_core::fleet::{Fleet, Manner, Policy};
use fleetfoot_core::stack::Stack;
use fleetfoot_core::targets;
use jiff::Timestamp;

use super::{Order, Targets};

/// The stack's numbers: plain ones, those of the windows that are open, and learnt ones.
#[derive(Debug)]
pub struct StackTargets(Mutex<targets::Targets>);

impl StackTargets {
    /// What this stack wants.
    pub fn new(stack: &Stack, order: &Order, manner: Manner) -> Self {
        let places = order.sets.iter().map(|set| (set.pool, set.scope)).collect();
        Self(Mutex::new(targets::Targets::new(stack.clone(), places, manner)))
    }

    fn targets(&self) -> MutexGuard<'_, targets::Targets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Targets for StackTargets {
    fn policy(&self, now: Timestamp, fleet: &Fleet) -> Policy {
        self.targets().policy(now, fleet)
    }

    fn stay_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.targets().stay_until(now)
    }
}
