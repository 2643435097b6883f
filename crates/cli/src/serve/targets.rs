//! What is wanted, as the stack document and its pools' profiles say it.

use std::sync::{Mutex, PoisonError};

use fleetfoot_core::fleet::{Fleet, Manner, Policy};
use fleetfoot_core::stack::Stack;
use fleetfoot_core::targets;
use jiff::Timestamp;

use super::{Order, Targets};

/// The stack's own numbers, in its windows of time, and what its pools have learnt.
#[derive(Debug)]
pub struct StackTargets(Mutex<targets::Targets>);

impl StackTargets {
    /// What this stack wants.
    pub fn new(stack: &Stack, order: &Order, manner: Manner) -> Self {
        let places = order.sets.iter().map(|set| (set.pool, set.scope)).collect();
        Self(Mutex::new(targets::Targets::new(stack.clone(), places, manner)))
    }
}

impl Targets for StackTargets {
    fn policy(&self, now: Timestamp, fleet: &Fleet) -> Policy {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).policy(now, fleet)
    }

    fn stay_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stay_until(now)
    }
}
