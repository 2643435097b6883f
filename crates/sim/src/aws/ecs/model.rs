//! The things of ECS: tasks with their containers, clusters with their capacity.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lifecycle::Stage;
use super::task_definition::Registered;

/// Where a task is. Source: ECS Developer Guide, "Task lifecycle".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskStatus {
    /// Its network interface is being made.
    Provisioning,
    /// Waits for its host, then pulls its images.
    Pending,
    /// Its containers are being started.
    Activating,
    /// All containers run.
    Running,
    /// Is being taken out of use before its containers stop.
    Deactivating,
    /// Its containers are told to stop.
    Stopping,
    /// Its network interface is being taken away.
    Deprovisioning,
    /// It is over.
    Stopped,
}

impl TaskStatus {
    /// The status as the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Why a task stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCode {
    /// An image, a log group or a program was missing.
    TaskFailedToStart,
    /// A container that the task cannot do without ended.
    EssentialContainerExited,
    /// Somebody called StopTask.
    UserInitiated,
}

impl StopCode {
    /// The code as the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
        }
    }
}

/// On what a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchType {
    /// AWS's own machines.
    Fargate,
    /// The cluster's machines.
    Ec2,
}

impl LaunchType {
    /// The launch type as the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fargate => "FARGATE",
            Self::Ec2 => "EC2",
        }
    }
}

/// The times of a task, as far as it has come.
#[derive(Debug, Clone)]
pub struct Times {
    /// RunTask accepted it.
    pub created: Timestamp,
    /// It has its network.
    pub connectivity: Option<Timestamp>,
    /// The pull of its images began.
    pub pull_started: Option<Timestamp>,
    /// The pull of its images ended.
    pub pull_stopped: Option<Timestamp>,
    /// It was RUNNING for the first time.
    pub started: Option<Timestamp>,
    /// It began to stop.
    pub stopping: Option<Timestamp>,
    /// Its last container ended.
    pub execution_stopped: Option<Timestamp>,
    /// It was over.
    pub stopped: Option<Timestamp>,
}

impl Times {
    pub(super) fn new(created: Timestamp) -> Self {
        Self {
            created,
            connectivity: None,
            pull_started: None,
            pull_stopped: None,
            started: None,
            stopping: None,
            execution_stopped: None,
            stopped: None,
        }
    }
}

/// How far a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerStatus {
    /// Not started yet.
    Pending,
    /// Its process runs.
    Running,
    /// Its process is over, or was never started.
    Stopped,
}

/// A container of a task.
#[derive(Debug, Clone)]
pub struct Container {
    /// Its name in the task definition.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its id at the container runtime; the metadata endpoint is found by it.
    pub runtime_id: String,
    /// How far it is.
    pub status: ContainerStatus,
    /// Exit code of its process; 128 and the signal's number if a signal ended it.
    pub exit_code: Option<i32>,
    /// Why it did not start.
    pub reason: Option<String>,
    /// Whether its process was handed to the machine.
    pub(super) launched: bool,
}

/// The network interface of a task in `awsvpc` mode.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Id of its attachment.
    pub attachment: String,
    /// `eni-…`.
    pub id: String,
    /// The subnet it is in.
    pub subnet: String,
    /// Its private address.
    pub address: String,
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// The last part of its ARN: 32 hexadecimal digits.
    pub id: String,
    /// ARN of its cluster.
    pub cluster: String,
    /// What it was made from.
    pub definition: Arc<Registered>,
    /// Where it is.
    pub status: TaskStatus,
    /// Whether it is meant to be stopped.
    pub desired_stopped: bool,
    /// On what it runs.
    pub launch_type: LaunchType,
    /// The capacity provider that runs it, if a strategy chose one.
    pub capacity_provider: Option<String>,
    /// `startedBy` of RunTask.
    pub started_by: Option<String>,
    /// `group` of RunTask; `family:<family>` if none was given.
    pub group: String,
    /// Its tags; StopTask takes them away.
    pub tags: Vec<Tag>,
    /// The overrides as they were given.
    pub overrides: Value,
    /// CPU units.
    pub cpu: Option<u32>,
    /// Memory in MiB.
    pub memory: Option<u32>,
    /// Ephemeral storage in GiB, on Fargate.
    pub ephemeral_storage: Option<u32>,
    /// The role that its containers have.
    pub task_role: Option<String>,
    /// The role that starts it.
    pub execution_role: Option<String>,
    /// Whether RunTask asked for ECS Exec.
    pub execute_command: bool,
    /// Where it is.
    pub availability_zone: String,
    /// Its interface, in `awsvpc` mode.
    pub interface: Option<Interface>,
    /// Its containers, in the order of the task definition.
    pub containers: Vec<Container>,
    /// Its times.
    pub times: Times,
    /// Why it stopped.
    pub stop_code: Option<StopCode>,
    /// The sentence beside it.
    pub stopped_reason: Option<String>,
    /// Counts its changes from 1.
    pub version: u64,
    pub(super) pool: String,
    pub(super) visible_at: Timestamp,
    pub(super) sequence: u64,
    pub(super) next: Option<(Timestamp, Stage)>,
    pub(super) credentials_id: String,
    pub(super) credentials_token: String,
}

/// A tag of a task or a task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// Up to 256 characters.
    #[serde(default)]
    pub value: String,
}

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
    pub env: std::collections::BTreeMap<String, String>,
    /// A folder that is copied into every container's own folder, which is its working directory and
    /// goes when the container ends.
    pub files: Option<std::path::PathBuf>,
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
