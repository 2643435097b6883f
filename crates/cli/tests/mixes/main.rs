//! Starts, jobs and stops while things go wrong: each fault alone, faults in random mixes, and `start` killed
//! at every step of its road.
//!
//! The other flows say what comes of one fault. Here nobody says it; what is asked is what must be true
//! whatever happens ([`truths`]), and the simulators' own books answer. It is a binary of its own because it
//! keeps every core busy, which tests with a deadline would feel. CONTRIBUTING.md says how to run more of it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../flows/common/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the flows use the rest of it")]
mod common;

mod alone;
mod argv;
mod gate;
mod host;
mod killed;
mod lanes;
mod mix;
mod place;
mod random;
mod rates;
mod road;
mod secrets;
mod trip;
mod truths;
