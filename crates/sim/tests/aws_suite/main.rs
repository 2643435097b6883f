//! The simulated AWS over real HTTP, with real processes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod account;
mod faults;
mod functions;
mod http;
mod issuer;
mod task_faults;
mod web_identity;
