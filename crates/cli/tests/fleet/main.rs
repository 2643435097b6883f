//! The autoscaler on a model of the cloud, in virtual time: replicas with their listeners and controllers, jobs
//! that come and go, and weather. Chosen troubles in `cases`, and in `simulation` thousands of stories that
//! chance has written, each held against the laws.
//!
//! A target of its own, because it needs no process, no socket and no second of waiting.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../cloud/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the stories of the engine use the rest of it")]
mod cloud;

mod cases;
mod chance;
mod laws;
mod replica;
mod rival;
mod simulation;
mod stack;
mod story;
