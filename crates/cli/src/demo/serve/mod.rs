//! The demo of the autoscaler: jobs that name a scale set, and the real `fleetfoot serve` as a process of its own.

pub mod autoscaler;
pub mod board;
pub mod left;
pub mod load;
pub mod pools;
pub mod show;
pub mod stack;
pub mod summary;
pub mod tally;
pub mod vain;
