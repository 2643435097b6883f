//! What a run says of its jobs: whose turn has come, what the queue needs to know, how things stand.

use std::fmt;

use serde_json::{Map, Value};

use super::{JobBody, Permissions};
use crate::protocol::Conclusion;

/// Names one job of a run: the job's id in the file and its place in the matrix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// The job's id in the file.
    pub id: String,
    /// Place in the matrix, from 0; 0 without a matrix.
    pub index: usize,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.id, self.index)
    }
}

/// A job whose turn has come.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its key, for [`super::Run::complete`].
    pub key: JobKey,
    /// The job's id in the file.
    pub id: String,
    /// Display name, with matrix values.
    pub name: String,
    /// What is to be done with it.
    pub state: ReadyState,
}

/// What is to be done with a job whose turn has come.
#[derive(Debug, Clone)]
pub enum ReadyState {
    /// Nothing: its condition was false. It is already over, [`super::Run::complete`] is not called for it.
    Skipped,
    /// Nothing: the run was cancelled, or a failure in its matrix ended it, before it began. Already over.
    Cancelled,
    /// Nothing: an expression in its head failed, for this reason. Already over.
    Failed(String),
    /// To be given to a runner; report its end with [`super::Run::complete`].
    Queued(Box<QueuedJob>),
}

/// A job for the queue.
#[derive(Clone)]
pub struct QueuedJob {
    /// `runs-on`: all must be on the runner.
    pub labels: Vec<String>,
    /// `runs-on.group`.
    pub group: Option<String>,
    /// The environment's name.
    pub environment: Option<String>,
    /// The file of the workflow that it stands in, where that is another than the run's.
    pub called: Option<String>,
    /// What the job's token may do.
    pub permissions: Permissions,
    /// What the runner is to do.
    pub body: JobBody,
    /// `github` (with `job`), `needs`, `strategy`, `matrix`, `inputs`, `vars`, `secrets`.
    pub contexts: Map<String, Value>,
}

impl fmt::Debug for QueuedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedJob")
            .field("labels", &self.labels)
            .field("group", &self.group)
            .field("environment", &self.environment)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

/// One line of the live view of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// Its key. While the job waits, a matrix is one line with index 0.
    pub key: JobKey,
    /// Display name.
    pub name: String,
    /// Whether it was handed out by [`super::Run::take_ready`].
    pub ready: bool,
    /// Its result, once it has one.
    pub conclusion: Option<Conclusion>,
}
