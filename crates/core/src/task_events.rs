//! Changes of tasks, as ECS tells of them by itself, and the port to them.
//!
//! A change wakes the loop and saves a look; it is never the only truth. ECS promises every change at least
//! once and in no order, so [`TaskChange::version`] says which of two is the newer.

use std::future::Future;

use crate::fault::Fault;
use crate::task::TaskView;

/// What became of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskChange {
    /// The task after it. Its tags are not told, so they are empty here.
    pub view: TaskView,
    /// Which change of this task it is: grows with each (`detail.version` of the event).
    pub version: u64,
}

/// The changes of the tasks of one cluster.
pub trait TaskEvents: Send + Sync {
    /// Waits for changes, some 20 seconds; none if nothing changed. No change is given twice, nor one that
    /// is older than what was given of the same task before.
    ///
    /// What one call gave is taken off the queue by the next one: to ask again is to say that it was taken
    /// in. A future that is dropped loses nothing.
    ///
    /// # Errors
    /// `Throttled` and `Unknown`: ask again. `NotFound`: there is no such queue; `Denied`: these credentials
    /// may not read it.
    fn next(&self) -> impl Future<Output = Result<Vec<TaskChange>, Fault>> + Send;
}
