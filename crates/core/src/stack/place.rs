//! Where a task may run: on which processor, in which network, on which capacity.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CPU architecture, in the words of ECS and of the Rust target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Arch {
    /// 64-bit Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Arch {
    /// The label that GitHub gives to runners of this architecture, in lower case.
    pub const fn github_label(self) -> &'static str {
        match self {
            Self::X86_64 => "x64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Network of a task in awsvpc mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Subnet ids, at least one.
    pub subnets: Vec<String>,
    /// Security group ids; the VPC's default group if empty.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Whether a task gets a public address: needed in a public subnet on Fargate, impossible on EC2.
    #[serde(default)]
    pub assign_public_ip: bool,
}

/// Where a task may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Capacity {
    /// A capacity provider of the cluster: `FARGATE`, `FARGATE_SPOT` or the name of one.
    #[serde(rename = "provider")]
    Provider(String),
    /// Instances of the cluster, without a capacity provider.
    #[serde(rename = "launch_type")]
    LaunchType(LaunchType),
}

/// An ECS launch type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LaunchType {
    /// On the cluster's container instances.
    #[serde(rename = "EC2")]
    Ec2,
    /// On Fargate, on demand.
    #[serde(rename = "FARGATE")]
    Fargate,
}

impl Capacity {
    /// Whether tasks run on Fargate, whose sizes are fixed.
    pub fn is_fargate(&self) -> bool {
        match self {
            Self::Provider(name) => name == "FARGATE" || name == "FARGATE_SPOT",
            Self::LaunchType(launch_type) => *launch_type == LaunchType::Fargate,
        }
    }

    /// Whether tasks run on Fargate's spare capacity.
    pub fn is_fargate_spot(&self) -> bool {
        matches!(self, Self::Provider(name) if name == "FARGATE_SPOT")
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) => f.write_str(name),
            Self::LaunchType(LaunchType::Ec2) => f.write_str("EC2"),
            Self::LaunchType(LaunchType::Fargate) => f.write_str("FARGATE"),
        }
    }
}
