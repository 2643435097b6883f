//! The simulated GitHub over HTTP, as a client sees it. Every call of every test is checked against GitHub's
//! API description.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod apps;
mod auth;
mod faults;
mod limits;
mod oidc;
mod registry;
mod reruns;
mod runs;
mod service;
mod world;
