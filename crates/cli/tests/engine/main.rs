//! The engine on a model of the cloud, in virtual time: chosen troubles in `cases`, and in `simulation`
//! thousands of stories that chance has written, each held against the laws.
//!
//! A target of its own, because it needs no process, no socket and no second of waiting.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../cloud/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the stories of the fleet use the rest of it")]
mod cloud;

mod cases;
mod launcher;
mod simulation;
mod story;
