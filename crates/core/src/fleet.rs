//! The fleet: all pools and scale sets of a stack, kept as large as their jobs need, for as long as somebody
//! listens to GitHub's queues.
//!
//! A start is the loop *observe → plan → execute* for one order and has an end; the fleet is the same loop for
//! standing orders and has none. What is different follows from that. The world of a start is looked at whole
//! in every round; of a fleet's thousands of tasks only those in transition are, and the plan itself says
//! which. A start waits for its actions; a fleet's come back one by one, and until then the world remembers
//! that they are under way ([`Doing`]), so that planning twice does nothing twice.
//!
//! Three rules, from which the rest follows:
//! - A set needs as many runners as jobs are assigned to it, and its minimum. GitHub's count is the truth;
//!   events only tell which runner is busy and which is spent.
//! - A task belongs to its pool and to nobody else until it is bound. So a job takes whichever task will be
//!   ready first, and what is launched for one set may serve another.
//! - Nothing is kept but what can be seen again: after a crash ECS tells which tasks the pools have, and
//!   GitHub whose runners they are.

mod needs;
mod news;
mod plan;
mod queue;
mod record;
mod roster;
mod state;
mod step;
mod task;
mod wishes;

#[cfg(test)]
mod tests;

pub use news::{Looked, News, Sighting};
pub use plan::plan;
pub use roster::{PoolCount, Roster, SetCount};
pub use state::{Fleet, Launch, PoolState, Roll, SetState, Survey};
pub use step::{Plan, Step};
pub use task::{Doing, Role, Runner, Task, Wish};
pub use wishes::Wishes;

use jiff::SignedDuration;

/// A pool, by its place in the stack document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolIndex(pub usize);

/// A scale set, by its place in the stack document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetIndex(pub usize);

/// A repository, organisation or enterprise at GitHub, by its place among those of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeIndex(pub usize);

/// What is wanted of a pool now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolPolicy {
    /// How many choices of capacity it has.
    pub capacities: usize,
    /// The most tasks at a time.
    pub max: usize,
    /// Unbound tasks kept ready beside what jobs need.
    pub warm: usize,
}

/// What is wanted of a scale set now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetPolicy {
    /// Where its runners come from.
    pub pool: PoolIndex,
    /// Where it is at GitHub.
    pub scope: ScopeIndex,
    /// Runners kept beside those that jobs need.
    pub min: usize,
    /// The most runners at a time.
    pub max: usize,
}

/// What is wanted now. Schedules and learnt profiles have been applied to it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The pools.
    pub pools: Vec<PoolPolicy>,
    /// The scale sets.
    pub sets: Vec<SetPolicy>,
    /// How it goes about.
    pub manner: Manner,
}

/// How the fleet goes about what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// How often tasks in transition are looked at. With events of ECS that may be seldom.
    pub poll: SignedDuration,
    /// How often everything is looked at, to reconcile.
    pub sweep: SignedDuration,
    /// How long ECS may take to list a task. Whoever takes over starts nothing before he has looked after that
    /// time: what another has started a moment ago may not show yet.
    pub listed: SignedDuration,
    /// The most RunTask calls under way at a time.
    pub launches: usize,
    /// How long a surplus runner may have no job before it is taken away: its job may be on its way.
    pub grace: SignedDuration,
    /// How long a surplus unbound task is kept: the next job may need it, and Fargate bills a minute anyway.
    pub linger: SignedDuration,
    /// How old an unbound task may become. Its agent waits somewhat longer for its assignment than that.
    pub warm_age: SignedDuration,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            poll: SignedDuration::from_secs(2),
            sweep: SignedDuration::from_mins(5),
            listed: SignedDuration::from_secs(5),
            launches: 8,
            grace: SignedDuration::from_secs(30),
            linger: SignedDuration::from_mins(1),
            warm_age: SignedDuration::from_hours(6),
        }
    }
}
