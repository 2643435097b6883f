//! What a job needs from the machine it runs on, and whom it tells.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::protocol::{LogLines, StepUpdate};

/// Hears what a job does, as it does it. Implementations must not block.
pub trait Reporter: Send + Sync {
    /// Lines of a log, masked.
    fn log(&self, lines: LogLines);
    /// A step began or ended.
    fn step(&self, update: StepUpdate);
}

/// The machine under a job.
#[derive(Clone)]
pub struct HostOptions {
    /// The work folder: the job's files go to `<work>/<repo>/<repo>`, temporary ones to `<work>/_temp`,
    /// tools to `<work>/_tool`. Created if missing. One job at a time may have it.
    pub work: PathBuf,
    /// The environment that every step inherits (`PATH`, `HOME`, `LANG`, …); nothing else is inherited.
    pub environment: BTreeMap<String, String>,
    /// Folders put before `PATH`.
    pub path_prepend: Vec<PathBuf>,
    /// The runner's name, `RUNNER_NAME`.
    pub runner_name: String,
    /// Whether it stands for one of GitHub's own machines: `runner.environment`.
    pub github_hosted: bool,
    /// Script to run before the first step (`ACTIONS_RUNNER_HOOK_JOB_STARTED`); non-zero fails the job.
    pub hook_job_started: Option<PathBuf>,
    /// Script to run after the last step (`ACTIONS_RUNNER_HOOK_JOB_COMPLETED`); non-zero fails the job.
    pub hook_job_completed: Option<PathBuf>,
}

impl fmt::Debug for HostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: nobody knows what the values hold.
        f.debug_struct("HostOptions")
            .field("work", &self.work)
            .field("environment", &self.environment.keys())
            .field("runner_name", &self.runner_name)
            .finish_non_exhaustive()
    }
}

impl HostOptions {
    /// A machine without hooks; its steps inherit nothing but what is added to `environment`.
    pub fn new(work: PathBuf, runner_name: impl Into<String>) -> Self {
        Self {
            work,
            environment: BTreeMap::new(),
            path_prepend: Vec::new(),
            runner_name: runner_name.into(),
            github_hosted: false,
            hook_job_started: None,
            hook_job_completed: None,
        }
    }
}
