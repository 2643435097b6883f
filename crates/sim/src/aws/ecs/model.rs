//! Tasks with their containers: what they are and how far they have come.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lifecycle::Stage;
use super::task_definition::Registered;
use crate::faults::Fate;

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
    /// Its spot capacity was taken away.
    SpotInterruption,
    /// Its host was retired.
    TerminationNotice,
}

impl StopCode {
    /// The code as the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::SpotInterruption => "SpotInterruption",
            Self::TerminationNotice => "TerminationNotice",
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
    /// Why it did not start, or was killed.
    pub reason: Option<String>,
    /// Whether its process was handed to the machine.
    pub(super) launched: bool,
    /// Becomes `reason` when it ends.
    pub(super) kill_reason: Option<String>,
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
    /// What is going to happen to it.
    pub(super) fate: Fate,
    /// How long its processes have after SIGTERM at most, where its capacity is taken away.
    pub(super) notice: Option<Duration>,
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
