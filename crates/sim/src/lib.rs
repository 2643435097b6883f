//! Simulated GitHub Actions and AWS over real HTTP, for the demo and the tests.
//!
//! Each simulator is a synchronous state machine without HTTP, with a thin server over it. It refuses
//! what the real service refuses and knows nothing of Fleetfoot: any client may use it.

pub mod aws;
pub mod book;
pub mod events;
pub mod faults;
pub mod github;
mod line;
pub mod protocol;
pub mod runner;
pub mod workflow;

#[cfg(feature = "contract")]
pub use github::contract;
