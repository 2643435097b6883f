//! What people may want to hear of the fleet, and what GitHub shows of its runners.

use jiff::SignedDuration;

use super::{PoolIndex, ScopeIndex, SetIndex};
use crate::fault::Fault;
use crate::ids::TaskArn;
use crate::patience::Service;
use crate::ports::RunnerView;
use crate::scale_sets::Job;
use crate::task::TaskView;
use crate::verdict::Verdict;

/// Something that people may want to hear of.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Tasks were started.
    Launched {
        /// Of this pool.
        pool: PoolIndex,
        /// On this choice of its capacity.
        capacity: usize,
        /// These.
        tasks: Vec<TaskArn>,
        /// How long the answer took, lost ones included.
        took: SignedDuration,
    },
    /// RunTask refused, or an answer told that there is no room.
    NotLaunched {
        /// Of this pool.
        pool: PoolIndex,
        /// On this choice of its capacity.
        capacity: usize,
        /// Why.
        why: Verdict,
        /// How long the answer took, lost ones included.
        took: SignedDuration,
    },
    /// A task runs.
    Running(TaskArn),
    /// A task became a set's runner.
    Bound {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// How long the set has waited for it.
        waited: SignedDuration,
        /// Whether the task was running already.
        warm: bool,
    },
    /// GitHub, asked about a runner that should have been online, shows it so.
    Online(TaskArn),
    /// A runner took a job.
    Busy {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// The job.
        job: Box<Job>,
        /// How long the job has waited since GitHub assigned it to the set, if GitHub says.
        waited: Option<SignedDuration>,
    },
    /// A runner's job is over.
    Done {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// The job.
        job: Box<Job>,
        /// GitHub's word for the result.
        result: String,
    },
    /// A task ended before its runner was online.
    Failed {
        /// The task.
        task: TaskArn,
        /// Its pool.
        pool: PoolIndex,
        /// Why.
        why: Verdict,
    },
    /// A task was taken away in the middle of a job.
    Interrupted {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// Why.
        why: Verdict,
    },
    /// A task is gone, whatever came of it.
    Gone(Box<TaskView>),
    /// A task is on its way out because it is not wanted.
    Stopped(TaskArn),
    /// A service does not do what it is asked for.
    Trouble {
        /// Where.
        scope: ScopeIndex,
        /// Which.
        service: Service,
        /// Why.
        why: Verdict,
    },
}

/// What GitHub says of a task, wherever it was asked.
#[derive(Debug, Default)]
pub struct Looked {
    /// The runner that is registered in its name.
    pub seen: Option<Sighting>,
    /// Where there is none.
    pub absent: Vec<ScopeIndex>,
    /// Where there was no answer.
    pub faults: Vec<(ScopeIndex, Fault)>,
}

/// A registration that GitHub shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The runner.
    pub runner: RunnerView,
    /// Which of the fleet's sets it belongs to, if it is one of theirs.
    pub set: Option<SetIndex>,
}
