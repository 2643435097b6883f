//! How many worlds there are at a time.
//!
//! A trip mostly waits: for a task, a poll, a pause. A few for each core keep the machine busy; with many more
//! the deadlines of the commands themselves would pass.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Worlds for each core.
const PER_CORE: usize = 8;

static LANES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(PER_CORE * available_parallelism().map_or(1, usize::from)));

/// Waits for a place, and keeps it as long as the answer lives.
pub(crate) async fn enter() -> SemaphorePermit<'static> {
    LANES.acquire().await.unwrap()
}
