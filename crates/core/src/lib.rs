//! The words and decisions of Fleetfoot.
//!
//! Everything here is a value or a pure function. No tokio, no AWS, no HTTP, no clock, no randomness:
//! time and ids are arguments, so that every decision can be tested and replayed. The adapters implement
//! the [`ports`], also those of [`scale_sets`] and [`task_events`]; the binary runs the loop
//! *observe → [`plan`](plan::plan) → execute* over them.

pub mod assignment;
pub mod binding;
pub mod connect;
pub mod cost;
pub mod cron;
pub mod ending;
pub mod exit;
pub mod fate;
pub mod fault;
pub mod fleet;
pub mod hallmark;
pub mod hold;
pub mod ids;
pub mod label;
pub mod patience;
pub mod phase;
pub mod plan;
pub mod ports;
pub mod profile;
pub mod reap;
pub mod scale_sets;
pub mod size;
pub mod stack;
pub mod status;
pub mod subject;
pub mod targets;
pub mod task;
pub mod task_events;
pub mod turns;
pub mod verdict;
pub mod world;
