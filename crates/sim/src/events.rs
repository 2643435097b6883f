//! What happens in the simulators, as it happens: the demo's live view listens here.

use tokio::sync::broadcast;

use crate::protocol::Conclusion;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A job changed its status.
    Job {
        /// The run.
        run_id: u64,
        /// The job.
        job_id: u64,
        /// Display name.
        name: String,
        /// Its status now.
        status: JobStatus,
        /// The runner, once there is one.
        runner: Option<String>,
    },
    /// A step began (`conclusion` is absent) or ended.
    Step {
        /// The job.
        job_id: u64,
        /// Number from 1.
        number: u32,
        /// Display name.
        name: String,
        /// Its result.
        conclusion: Option<Conclusion>,
    },
    /// A job wrote a line.
    JobLog {
        /// The job.
        job_id: u64,
        /// The line, masked.
        line: String,
    },
    /// A run ended.
    Run {
        /// The run.
        run_id: u64,
        /// Its result.
        conclusion: Conclusion,
    },
    /// A runner went online or offline, became busy, or was removed.
    Runner {
        /// Its id.
        id: u64,
        /// Its name.
        name: String,
        /// `online`, `offline`, `busy` or `removed`.
        status: &'static str,
    },
    /// An ECS task changed its last status.
    Task {
        /// The task's ARN.
        arn: String,
        /// `PROVISIONING` … `STOPPED`.
        status: String,
    },
    /// An object was put into a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// A task's container wrote a line to its log.
    TaskLog {
        /// The task's ARN.
        arn: String,
        /// The line.
        line: String,
    },
}

/// Where a job of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// Waits for other jobs.
    Waiting,
    /// Waits for a runner.
    Queued,
    /// Runs.
    InProgress,
    /// Is over.
    Completed(Conclusion),
}

/// Where events are sent and listened to. Nobody has to listen.
#[derive(Debug, Clone)]
pub struct Bus(broadcast::Sender<Event>);

impl Default for Bus {
    fn default() -> Self {
        Self(broadcast::channel(65_536).0)
    }
}

impl Bus {
    /// Tells whoever listens.
    pub fn send(&self, event: Event) {
        // No listener is no error.
        let _ = self.0.send(event);
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}
