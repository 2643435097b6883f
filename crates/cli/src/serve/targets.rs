//! What is wanted, as the stack document says it.

use fleetfoot_core::fleet::{Fleet, Manner, Policy, PoolPolicy, SetPolicy};
use fleetfoot_core::stack::Stack;
use jiff::Timestamp;

use super::{Order, Targets};

/// The stack's own numbers.
#[derive(Debug)]
pub struct StackTargets {
    policy: Policy,
}

impl StackTargets {
    /// What this stack wants.
    pub fn new(stack: &Stack, order: &Order, manner: Manner) -> Self {
        let pools = stack.pools.iter().map(|pool| PoolPolicy {
            capacities: pool.capacity.len(),
            max: pool.max as usize,
            warm: pool.warm as usize,
        });
        let sets = stack.scale_sets.iter().zip(&order.sets).map(|(set, order)| SetPolicy {
            pool: order.pool,
            scope: order.scope,
            min: set.min as usize,
            max: set.max as usize,
        });
        Self { policy: Policy { pools: pools.collect(), sets: sets.collect(), manner } }
    }
}

impl Targets for StackTargets {
    fn policy(&self, _: Timestamp, _: &Fleet) -> Policy {
        self.policy.clone()
    }
}
