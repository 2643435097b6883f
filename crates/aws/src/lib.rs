//! The AWS adapter.
//!
//! It implements the ports [`Tasks`], [`Outbox`] and [`Inbox`] of `core` over ECS and S3, and reads the stack
//! document and the App's key from SSM and Secrets Manager. Nothing above it sees an AWS error code: each is
//! a [`Fault`] with a class, AWS's own words and a remedy.
//!
//! ECS and STS are spoken through the AWS SDK. Of S3, SSM and Secrets Manager only five calls are needed;
//! their SDK crates are large to build, so they go through one small signing client (`signed`).
//!
//! Everything shares one chain of credentials, which [`Aws`] sets up.
//!
//! [`Tasks`]: fleetfoot_core::ports::Tasks
//! [`Outbox`]: fleetfoot_core::ports::Outbox
//! [`Inbox`]: fleetfoot_core::ports::Inbox
//! [`Fault`]: fleetfoot_core::fault::Fault

mod aws;
mod credentials;
mod ecs;
mod errors;
mod json_rpc;
mod mailbox;
mod s3;
mod secrets;
mod signed;
mod ssm;
mod web_identity;

pub use aws::{Aws, Identity, Options};
pub use ecs::EcsTasks;
pub use mailbox::S3Mailbox;
pub use web_identity::{TrustRefused, WebIdentity};
