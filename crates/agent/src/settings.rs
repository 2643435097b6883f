//! What the agent is told from outside. The binary reads it; nothing here looks at the environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::exit::AgentExit;
use jiff::Timestamp;

/// Names of the environment variables that the binary reads the settings from.
pub mod variable {
    /// The mailbox prefix: `s3://BUCKET/PREFIX/`. The launcher's override sets it.
    pub use fleetfoot_core::assignment::MAILBOX_VARIABLE as MAILBOX;

    /// Base address of the task metadata endpoint, version 4. ECS sets it.
    pub const METADATA_URI: &str = "ECS_CONTAINER_METADATA_URI_V4";
    /// Root folder of the runner.
    pub const RUNNER_DIR: &str = "FLEETFOOT_RUNNER_DIR";
    /// The user that the runner runs as.
    pub const RUNNER_USER: &str = "FLEETFOOT_RUNNER_USER";
    /// How long to wait for an assignment, or for GitHub to register the runner.
    pub const BIND_TIMEOUT: &str = "FLEETFOOT_BIND_TIMEOUT";
    /// From SIGTERM to SIGKILL: the container's `stopTimeout`.
    pub const STOP_GRACE: &str = "FLEETFOOT_STOP_GRACE";
    /// Whether jobs may use the task role.
    pub const JOB_CREDENTIALS: &str = "FLEETFOOT_JOB_CREDENTIALS";
    /// Names of further variables for the runner, separated by commas.
    pub const PASS_ENV: &str = "FLEETFOOT_PASS_ENV";
    /// How long a runner that registered itself waits for a job.
    pub const IDLE_TIMEOUT: &str = "FLEETFOOT_IDLE_TIMEOUT";
    /// How long a runner that registered itself may live.
    pub const MAX_LIFETIME: &str = "FLEETFOOT_MAX_LIFETIME";
    /// How long the installation of packages may take.
    pub const PACKAGES_TIMEOUT: &str = "FLEETFOOT_PACKAGES_TIMEOUT";

    /// All of them, for documentation and tests.
    pub const ALL: [&str; 11] = [
        MAILBOX,
        METADATA_URI,
        RUNNER_DIR,
        RUNNER_USER,
        BIND_TIMEOUT,
        STOP_GRACE,
        JOB_CREDENTIALS,
        PASS_ENV,
        IDLE_TIMEOUT,
        MAX_LIFETIME,
        PACKAGES_TIMEOUT,
    ];
}

/// Where an assignment comes from.
#[derive(Debug, Clone)]
pub struct Mailbox {
    /// Where the assignments of this task's launch are put.
    pub prefix: MailboxPrefix,
    /// Base address of the task metadata endpoint, version 4: the task's id is the other half of the address.
    pub metadata_uri: String,
}

/// The agent's settings. No `Debug`: the environment it carries may hold secrets.
pub struct Settings {
    /// Root folder of the runner; holds `bin/Runner.Listener`.
    pub runner_dir: PathBuf,
    /// The user that the runner runs as, if the agent is root. `None`: stay who we are.
    pub runner_user: Option<String>,
    /// How long to wait for an assignment, from the agent's start; or for GitHub to register the runner.
    pub bind_timeout: Duration,
    /// How long ECS waits between SIGTERM and SIGKILL: the container's `stopTimeout`, 2 to 120 s on Fargate.
    pub stop_grace: Duration,
    /// The longest pause between two looks into the mailbox. The first pauses are a tenth of it.
    pub poll: Duration,
    /// Whether jobs may use the task role: passes on the ECS credential variables.
    pub job_credentials: bool,
    /// Names of variables to pass to the runner beside those it always gets.
    pub pass_env: Vec<String>,
    /// The agent's own environment, from which the runner's is picked.
    pub environment: Vec<(OsString, OsString)>,
    /// The wall-clock time at the start. Every later time is this plus a monotonic difference.
    pub started_at: Timestamp,
    /// How long after the last of its own deadlines the agent must have ended; then it counts as hung.
    pub slack: Duration,
    /// Ends the process at once. Called, from a thread of its own, only if the agent hangs.
    pub end_process: fn(AgentExit),
}

impl Settings {
    /// Default of [`runner_dir`](Self::runner_dir): where the official image has it.
    pub const RUNNER_DIR: &str = "/home/runner";
    /// Default of [`runner_user`](Self::runner_user): the official image's user.
    pub const RUNNER_USER: &str = "runner";
    /// Default of [`bind_timeout`](Self::bind_timeout).
    pub const BIND_TIMEOUT: Duration = Duration::from_mins(5);
    /// Default of [`stop_grace`](Self::stop_grace), which is that of ECS (task definition, `stopTimeout`).
    pub const STOP_GRACE: Duration = Duration::from_secs(30);
    /// Default of [`poll`](Self::poll).
    pub const POLL: Duration = Duration::from_secs(1);
    /// Default of [`slack`](Self::slack).
    pub const SLACK: Duration = Duration::from_mins(1);

    /// Settings with their defaults and an empty environment.
    pub fn new(started_at: Timestamp, end_process: fn(AgentExit)) -> Self {
        Self {
            runner_dir: Self::RUNNER_DIR.into(),
            runner_user: Some(Self::RUNNER_USER.to_owned()),
            bind_timeout: Self::BIND_TIMEOUT,
            stop_grace: Self::STOP_GRACE,
            poll: Self::POLL,
            job_credentials: false,
            pass_env: Vec::new(),
            environment: Vec::new(),
            started_at,
            slack: Self::SLACK,
            end_process,
        }
    }
}
