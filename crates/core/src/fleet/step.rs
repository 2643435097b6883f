//! What can be done next, in words.

use jiff::Timestamp;

use super::{PoolIndex, ScopeIndex, SetIndex};
use crate::ids::{RunnerId, TaskArn};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Start tasks.
    Launch {
        /// Of this pool.
        pool: PoolIndex,
        /// On this choice of its capacity.
        capacity: usize,
        /// So many, 1 to [`MOST_PER_LAUNCH`](crate::ports::MOST_PER_LAUNCH).
        count: usize,
        /// A launch whose answer was lost, to be called again as it was.
        again: Option<u64>,
    },
    /// Register a runner of the set for the task and put the assignment into its mailbox.
    Bind {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// Whether an earlier answer was lost, so that there may be a registration already.
        doubtful: bool,
    },
    /// Delete the registration. A refusal means that a job runs.
    Unregister {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// The runner.
        id: RunnerId,
    },
    /// Stop the task.
    Stop(TaskArn),
    /// Empty the task's mailbox.
    Empty(TaskArn),
    /// Ask GitHub whether a runner is registered in the task's name.
    Look {
        /// The task.
        task: TaskArn,
        /// Where to ask.
        scopes: Vec<ScopeIndex>,
    },
    /// Ask ECS how tasks are.
    Describe(Vec<TaskArn>),
    /// Ask ECS for all tasks of the pool.
    Sweep(PoolIndex),
    /// Ask GitHub for all its runners there.
    CallRoll(ScopeIndex),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// To be done now, in this order as far as there is room, each with its reason.
    pub steps: Vec<(Step, &'static str)>,
    /// When to plan again if nothing happens before.
    pub wake_at: Timestamp,
}
