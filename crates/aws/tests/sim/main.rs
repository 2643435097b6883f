//! The adapter against the simulated AWS, which verifies signatures and evaluates policies.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod ecs;
mod events;
mod identity;
mod issuer;
mod look;
mod mailbox;
mod world;
