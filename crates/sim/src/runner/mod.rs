//! The stand-in for GitHub's runner: same lines, same exit codes, same behaviour of steps.
//!
//! [`run`] is what the program `bin/Runner.Listener run` does; [`execute`] is the part that runs one job,
//! which the simulated GitHub also uses for its own hosted runners.

mod host;
mod listener;

pub use host::{HostOptions, Reporter};
pub use listener::{Options, run};

use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use crate::protocol::{Completion, JobMessage};

/// Runs a job to its end. Never fails: what goes wrong is in the log and the conclusion.
pub async fn execute(
    job: JobMessage,
    reporter: Arc<dyn Reporter>,
    host: HostOptions,
    cancel: CancellationToken,
) -> Completion {
    let _ = (job, reporter, host, cancel);
    std::future::pending().await
}
