//! What a simulated GitHub is told at its start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::faults::Faults;
use crate::workflow::Published;

/// Settings of a [`super::GithubSim`]. The defaults are GitHub's own numbers.
#[derive(Debug, Clone)]
pub struct GithubConfig {
    /// The newest version of the runner software: what `releases/latest` and `runners/downloads` name.
    pub latest_runner_version: String,
    /// Runners below this version are told that they are deprecated and get no session.
    pub minimum_runner_version: String,
    /// How long a runner's poll for a message is held open before it is answered with 202.
    pub poll_timeout: Duration,
    /// A runner with a session that has not been heard of for so long counts as offline.
    pub offline_after: Duration,
    /// A job that was assigned to a runner and not started for so long is queued again.
    pub assignment_timeout: Duration,
    /// A running job whose runner has not been heard of for so long has failed.
    pub lost_after: Duration,
    /// A job that no runner took for so long is cancelled.
    pub queue_timeout: Duration,
    /// An ephemeral runner that has been offline for so long is removed.
    pub offline_removal: Duration,
    /// How often time-outs are looked for.
    pub tick: Duration,
    /// Requests per hour of a user or an installation.
    pub rate_limit: u32,
    /// Points a minute of a caller on one endpoint, before it runs into the secondary limit: a request that
    /// writes costs five, another one.
    pub secondary_points: u32,
    /// What a caller may create in a minute and in an hour before it runs into the secondary limit. GitHub does
    /// not say what counts as content; here it is the registration of a runner.
    pub content_in_minute: u32,
    /// The same for an hour.
    pub content_in_hour: u32,
    /// Registrations of runners in five minutes for a repository or an organisation.
    pub registrations: u32,
    /// Who assigns a scale set's jobs to it.
    pub acquisition: Acquisition,
    /// A job that was assigned to a scale set and not given to one of its runners for so long loses the
    /// assignment. GitHub does not say how long; seen on github.com (actions-runner-controller#4602).
    pub scale_set_assignment: Duration,
    /// A session of a scale set that was not polled for so long is over. GitHub does not say how long.
    pub scale_set_session: Duration,
    /// How long the token of a scale set's queue lives.
    pub queue_token: Duration,
    /// How long the token lives with which scale sets are managed.
    pub admin_token: Duration,
    /// Seed of all ids and tokens; absent: a random one.
    pub seed: Option<u64>,
    /// Where jobs on GitHub-hosted labels run.
    pub hosted: HostedRunners,
    /// Repositories whose actions workflows may use.
    pub published: Published,
    /// What goes wrong; nothing unless somebody says so.
    pub faults: Faults,
}

/// Who assigns a scale set's jobs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquisition {
    /// The service, as on github.com: the first that a client hears of a job is that it is assigned.
    Automatic,
    /// The client, as with GitHub Enterprise Server: a job is offered, and assigned when it is acquired.
    ByClient,
}

/// The machines behind `ubuntu-latest`: real shells on this machine.
#[derive(Debug, Clone)]
pub struct HostedRunners {
    /// Folder for the jobs' work; every job gets a fresh one below it.
    pub root: PathBuf,
    /// Folders put in front of `PATH`: what the image would have installed.
    pub path_prepend: Vec<PathBuf>,
    /// Environment of every job: what the image would have set.
    pub env: BTreeMap<String, String>,
}

impl GithubConfig {
    /// GitHub's own numbers, with hosted jobs below `hosted_root`.
    pub fn new(hosted_root: impl Into<PathBuf>) -> Self {
        Self {
            latest_runner_version: "2.336.0".into(),
            minimum_runner_version: "2.329.0".into(),
            poll_timeout: Duration::from_secs(50),
            offline_after: Duration::from_secs(90),
            assignment_timeout: Duration::from_mins(1),
            lost_after: Duration::from_mins(10),
            queue_timeout: Duration::from_hours(24),
            offline_removal: Duration::from_hours(24),
            tick: Duration::from_millis(500),
            rate_limit: 5_000,
            secondary_points: 900,
            content_in_minute: 80,
            content_in_hour: 500,
            registrations: 1_500,
            acquisition: Acquisition::Automatic,
            scale_set_assignment: Duration::from_mins(5),
            scale_set_session: Duration::from_mins(2),
            queue_token: Duration::from_hours(1),
            admin_token: Duration::from_hours(1),
            published: Published::default(),
            seed: None,
            hosted: HostedRunners {
                root: hosted_root.into(),
                path_prepend: Vec::new(),
                env: BTreeMap::new(),
            },
            faults: Faults::default(),
        }
    }
}

/// The addresses of one simulated GitHub. Like a GHES, it serves everything from one host.
#[derive(Debug, Clone)]
pub(crate) struct Urls {
    /// Without a trailing slash.
    pub(crate) server: String,
}

impl Urls {
    pub(crate) fn api(&self) -> String {
        format!("{}/api/v3", self.server)
    }

    pub(crate) fn runner_service(&self) -> String {
        format!("{}/_services/runner", self.server)
    }

    /// Where scale sets are managed. GitHub's ends in a slash too.
    pub(crate) fn actions_service(&self) -> String {
        format!("{}/_services/actions/", self.server)
    }

    /// A scale set's queue.
    pub(crate) fn queue(&self, session: &str) -> String {
        format!("{}/_services/broker/scalesets/message?sessionId={session}", self.server)
    }
}
