//! The GitHub adapter.
//!
//! It knows GitHub's addresses, tokens and refusals, and implements the [`Runners`] port of `core` over the
//! REST API, and [`ScaleSets`] over the service behind it. Nothing above it sees an HTTP status. It reads no
//! environment and no clock: both are given.
//!
//! [`Runners`]: fleetfoot_core::ports::Runners
//! [`ScaleSets`]: fleetfoot_core::scale_sets::ScaleSets

mod app;
mod auth;
mod client;
mod context;
mod health;
pub mod manifest;
mod oidc;
mod pem;
mod refusal;
mod releases;
mod runners;
mod runs;
mod scale_sets;
mod scope;
mod settings;
mod turns;
pub mod workflow_commands;

pub use auth::{Clock, Credentials};
pub use context::WorkflowContext;
pub use health::RateLimit;
pub use oidc::{Claims, IdToken, OidcEndpoint};
pub use pem::PemSigner;
pub use releases::{InvalidVersion, RunnerRelease, RunnerVersion};
pub use runners::GitHubRunners;
pub use scale_sets::{GitHubScaleSets, GitHubSession};
pub use scope::{InvalidScope, Scope, Target};
pub use settings::Settings;
