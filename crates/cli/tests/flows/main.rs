//! Whole flows of the command line: the real binary, real HTTP, real processes, simulated GitHub and AWS.
//!
//! One file a sentence of what `fleetfoot` promises, one test a part of it, named after it. They are one
//! binary because each would link the AWS SDK anew.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

mod action;
mod again;
mod app;
mod connect;
mod credentials;
mod demo;
mod demo_serve;
mod doctor;
mod examples;
mod failing;
mod fates;
mod faults;
mod github_refuses;
mod job;
mod kms;
mod oidc;
mod organisations;
mod pools;
mod proxy;
mod reap;
mod refusals;
mod serve;
#[path = "../../../../tests/support/snippets.rs"]
mod snippets;
mod start;
mod stop;
mod throttle;
