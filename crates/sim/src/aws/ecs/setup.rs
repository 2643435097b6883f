//! What the maker of the world decides: clusters with their capacity, images, and how long things take.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::function::TaskFunction;

/// A cluster as the world's maker describes it.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The capacity providers that are associated with it.
    pub capacity_providers: Vec<CapacityProvider>,
    /// What RunTask uses if it names neither launch type nor strategy.
    pub default_strategy: Vec<StrategyItem>,
    /// What the launch type EC2 has: no slots unless somebody says so.
    pub instances: Capacity,
}

impl Cluster {
    /// A cluster with these capacity providers, each without limit, and no instances of its own.
    pub fn new(name: impl Into<String>, providers: &[&str]) -> Self {
        Self {
            name: name.into(),
            capacity_providers: providers.iter().map(|name| CapacityProvider::new(*name)).collect(),
            default_strategy: Vec::new(),
            instances: Capacity::Slots { count: 0, shortage: Shortage::Memory },
        }
    }
}

/// A capacity provider of a cluster: `FARGATE`, `FARGATE_SPOT`, or the name of one that is backed by an
/// Auto Scaling group.
#[derive(Debug, Clone)]
pub struct CapacityProvider {
    /// Its name.
    pub name: String,
    /// How much it has.
    pub capacity: Capacity,
}

impl CapacityProvider {
    /// A provider without limit.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), capacity: Capacity::Unlimited }
    }
}

/// How many tasks can be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// As many as you like.
    Unlimited,
    /// So many at a time; from then on `shortage` is why not.
    Slots {
        /// How many tasks fit.
        count: usize,
        /// What is short when they are taken.
        shortage: Shortage,
    },
    /// None, for now.
    Unavailable,
}

/// What is short on the cluster's machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// CPU units.
    Cpu,
    /// Memory.
    Memory,
    /// Network interfaces.
    Eni,
}

impl Shortage {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Cpu => "RESOURCE:CPU",
            Self::Memory => "RESOURCE:MEMORY",
            Self::Eni => "RESOURCE:ENI",
        }
    }
}

/// One provider of a capacity provider strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StrategyItem {
    /// The provider's name.
    pub capacity_provider: String,
    /// Share of the tasks beyond the base, 0 to 1000.
    #[serde(default)]
    pub weight: u32,
    /// How many tasks it gets first, 0 to 100,000.
    #[serde(default)]
    pub base: u32,
}

/// A program of this machine that stands for a container image.
#[derive(Debug, Clone, Default)]
pub struct LocalImage {
    /// The program and its first arguments; the command of override or task definition follows them. An
    /// absolute path, or a name that is found in the container's `PATH`. `{root}` stands for the
    /// container's own folder.
    pub argv: Vec<String>,
    /// Environment of the image. `{root}` in a value stands for the container's own folder.
    pub env: BTreeMap<String, String>,
    /// A folder that is copied into every container's own folder, which is its working directory and
    /// goes when the container ends.
    pub files: Option<PathBuf>,
}

/// What stands for a container image.
#[derive(Debug, Clone)]
pub(crate) enum Image {
    /// A program of this machine.
    Program(LocalImage),
    /// A function of this process.
    Function(TaskFunction),
}

impl From<LocalImage> for Image {
    fn from(image: LocalImage) -> Self {
        Self::Program(image)
    }
}

impl From<TaskFunction> for Image {
    fn from(function: TaskFunction) -> Self {
        Self::Function(function)
    }
}

/// How long the steps of a task's life take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// PROVISIONING: the network interface.
    pub provisioning: Duration,
    /// PENDING until the pull begins.
    pub pending: Duration,
    /// The pull.
    pub pull: Duration,
    /// ACTIVATING: from the start of the processes to RUNNING.
    pub activating: Duration,
    /// DEACTIVATING.
    pub deactivating: Duration,
    /// STOPPING after the last container ended.
    pub stopping: Duration,
    /// DEPROVISIONING.
    pub deprovisioning: Duration,
    /// For how long DescribeTasks and ListTasks do not know a new task.
    pub hidden: Duration,
}

impl Timing {
    /// No time at all; for tests that move the clock themselves.
    pub const fn instant() -> Self {
        let zero = Duration::ZERO;
        Self {
            provisioning: zero,
            pending: zero,
            pull: zero,
            activating: zero,
            deactivating: zero,
            stopping: zero,
            deprovisioning: zero,
            hidden: zero,
        }
    }

    /// Fargate in the proportions of the published times, in one second.
    pub const fn demo_fargate() -> Self {
        Self {
            provisioning: Duration::from_millis(150),
            pending: Duration::from_millis(350),
            pull: Duration::from_millis(450),
            activating: Duration::from_millis(50),
            deactivating: Duration::from_millis(20),
            stopping: Duration::from_millis(20),
            deprovisioning: Duration::from_millis(200),
            hidden: Duration::from_millis(100),
        }
    }

    /// A machine of the cluster that has the image already, in a quarter of a second.
    pub const fn demo_ec2() -> Self {
        Self {
            provisioning: Duration::from_millis(50),
            pending: Duration::from_millis(100),
            pull: Duration::from_millis(50),
            activating: Duration::from_millis(50),
            ..Self::demo_fargate()
        }
    }

    /// Fargate as in AWS's published sample: the network after 3.3 s, the pull begins after 10.3 s and
    /// takes 9.3 s, RUNNING after 20 s. The times of the way out are not published; these are a guess.
    pub const fn fargate() -> Self {
        Self {
            provisioning: Duration::from_millis(3_300),
            pending: Duration::from_secs(7),
            pull: Duration::from_millis(9_300),
            activating: Duration::from_millis(400),
            deactivating: Duration::from_secs(1),
            stopping: Duration::from_secs(1),
            deprovisioning: Duration::from_secs(10),
            hidden: Duration::from_secs(1),
        }
    }

    /// A machine of the cluster that has the image already: RUNNING after about 2 s.
    pub const fn ec2() -> Self {
        Self {
            provisioning: Duration::from_millis(500),
            pending: Duration::from_secs(1),
            pull: Duration::from_millis(300),
            activating: Duration::from_millis(200),
            ..Self::fargate()
        }
    }
}
