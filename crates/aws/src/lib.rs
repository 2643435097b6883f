//! The AWS adapter.
//!
//! It implements the ports [`Tasks`], [`Outbox`] and [`Inbox`] of `core` over ECS and S3 and [`TaskEvents`] over
//! SQS, and reads the stack document and the App's key from SSM and Secrets Manager. Nothing above it sees an AWS error code: each is
//! a [`Fault`] with a class, AWS's own words and a remedy.
//!
//! ECS and STS are spoken through the AWS SDK. Of all other services only a few calls are needed; their SDK
//! crates are large to build, so they go through one small signing client (`signed`).
//!
//! Everything shares one chain of credentials, which [`Aws`] sets up.
//!
//! [`Tasks`]: fleetfoot_core::ports::Tasks
//! [`Outbox`]: fleetfoot_core::ports::Outbox
//! [`Inbox`]: fleetfoot_core::ports::Inbox
//! [`TaskEvents`]: fleetfoot_core::task_events::TaskEvents
//! [`Fault`]: fleetfoot_core::fault::Fault

mod aws;
mod caller;
mod credentials;
pub mod ec2;
mod ecs;
mod errors;
mod events;
mod http;
mod json_rpc;
mod key_import;
mod kms;
mod logs;
mod mailbox;
mod mailbox_checks;
mod query;
mod quotas;
mod s3;
mod secrets;
mod signed;
mod ssm;
mod task_role;
mod web_identity;
mod xml;

pub use aws::{Aws, Identity, Options};
pub use caller::{Caller, WhoAmI};
pub use ecs::{ClusterFacts, DefinitionFacts, EcsTasks, RUNNER_VERSION_TAG};
pub use events::SqsTaskEvents;
pub use key_import::PrivateKey;
pub use kms::KmsSigner;
pub use logs::{LogLine, LogPage};
pub use mailbox::S3Mailbox;
pub use mailbox_checks::Expiry;
pub use quotas::FargateVcpus;
pub use web_identity::{RefusedBy, TrustRefused, WebIdentity};
