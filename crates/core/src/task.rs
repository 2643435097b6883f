//! What ECS says of a task, in our words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assignment::MailboxPrefix;
use crate::ids::TaskArn;
use crate::phase::{Phase, PhaseTimes};
use crate::stack::Capacity;

/// Tag keys of a task. Values are free text and never secret.
pub mod tag {
    /// The stack that owns the task.
    pub const STACK: &str = "fleetfoot:stack";
    /// The pool it came from.
    pub const POOL: &str = "fleetfoot:pool";
    /// The label its runner answers to.
    pub const LABEL: &str = "fleetfoot:label";
    /// `owner/repo` of the run.
    pub const REPOSITORY: &str = "fleetfoot:repository";
    /// The workflow's name.
    pub const WORKFLOW: &str = "fleetfoot:workflow";
    /// The run, as `<run id>-<attempt>`.
    pub const RUN: &str = "fleetfoot:run";
    /// The id of the job that started it.
    pub const JOB: &str = "fleetfoot:job";
    /// Who triggered the run.
    pub const ACTOR: &str = "fleetfoot:actor";
    /// `true` if its start stays until its job is over, and fails with it.
    pub const HOLD: &str = "fleetfoot:hold";
    /// How long its runner may live, in seconds from its assignment on.
    pub const MAX_LIFETIME: &str = "fleetfoot:max-lifetime";
}

/// Where a task is in its life, without ECS's finer steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Asked for, not running: PROVISIONING, PENDING, ACTIVATING.
    Coming,
    /// RUNNING.
    Running,
    /// On its way out: DEACTIVATING, STOPPING, DEPROVISIONING.
    Going,
    /// STOPPED.
    Stopped,
}

/// One task, as DescribeTasks shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    /// Its ARN.
    pub arn: TaskArn,
    /// Where it is in its life.
    pub state: TaskState,
    /// ECS's own word for it, for people.
    pub status: String,
    /// The phases that ECS knows times of.
    pub phases: PhaseTimes,
    /// Whom it was started for: a [`StartedBy`](crate::ids::StartedBy) if it is one of ours.
    pub started_by: Option<String>,
    /// Where it runs, once ECS says so.
    pub capacity: Option<Capacity>,
    /// CPU units.
    pub cpu: Option<u32>,
    /// MiB.
    pub memory: Option<u32>,
    /// Ephemeral storage in GiB, if more than the default.
    pub ephemeral_storage: Option<u32>,
    /// Its tags. ECS drops them when StopTask is called.
    pub tags: BTreeMap<String, String>,
    /// The mailbox prefix, read back from its override.
    pub mailbox: Option<MailboxPrefix>,
    /// Why it stopped, if it did.
    pub end: Option<TaskEnd>,
    /// When the image pull began: Fargate bills from here.
    pub billed_from: Option<Timestamp>,
    /// When all its containers ran.
    pub started_at: Option<Timestamp>,
    /// When it stopped.
    pub stopped_at: Option<Timestamp>,
}

/// Why a task stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskEnd {
    /// `TaskFailedToStart`, `EssentialContainerExited`, `UserInitiated`, `SpotInterruption`, ….
    pub stop_code: Option<String>,
    /// ECS's sentence.
    pub stopped_reason: Option<String>,
    /// Exit code of the agent's container.
    pub exit_code: Option<i32>,
    /// ECS's sentence on the container, such as a failed pull.
    pub container_reason: Option<String>,
}

impl TaskView {
    /// The label that its runner answers to, from the tags.
    pub fn label(&self) -> Option<&str> {
        self.tags.get(tag::LABEL).map(String::as_str)
    }

    /// Whether it has stopped or is about to.
    pub fn is_over(&self) -> bool {
        matches!(self.state, TaskState::Going | TaskState::Stopped)
    }

    /// When this phase was reached, as far as ECS knows.
    pub fn at(&self, phase: Phase) -> Option<Timestamp> {
        self.phases.at(phase)
    }
}
