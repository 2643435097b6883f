//! Ports: what the engine needs of the world. The adapters implement them; their contracts are here.
//!
//! Every method may be called again after a [`Class::Throttled`](crate::fault::Class::Throttled) fault.
//! What to do after the others is said by their [`Class`](crate::fault::Class) and, where it matters, below.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::assignment::{Assignment, MailboxAddress, MailboxPrefix};
use crate::fault::Fault;
use crate::ids::{ClientToken, Repository, RunnerId, RunnerName, StartedBy, TaskArn};
use crate::label::Label;
use crate::stack::{Capacity, Network};
use crate::task::TaskView;

/// The most tasks one launch may ask for (ECS API Reference, RunTask, count).
pub const MOST_PER_LAUNCH: u32 = 10;

/// The most tasks one [`Tasks::describe`] call to ECS may name (ECS API Reference, DescribeTasks).
pub const MOST_PER_DESCRIBE: usize = 100;

/// A RunTask call. The same token must always come with the same parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchRequest {
    /// ARN or family of the task definition.
    pub task_definition: String,
    /// The container that runs the agent.
    pub container: String,
    /// Where to run.
    pub capacity: Capacity,
    /// Network, in awsvpc mode.
    pub network: Option<Network>,
    /// How many tasks, 1 to [`MOST_PER_LAUNCH`].
    pub count: u32,
    /// Whom the tasks are for.
    pub started_by: StartedBy,
    /// Tags, at most 50.
    pub tags: BTreeMap<String, String>,
    /// The mailbox prefix that goes into the override.
    pub mailbox: MailboxPrefix,
    /// CPU units, if other than the task definition's.
    pub cpu: Option<u32>,
    /// MiB, if other than the task definition's.
    pub memory: Option<u32>,
    /// Ephemeral storage in GiB, if other than the task definition's.
    pub ephemeral_storage: Option<u32>,
    /// How many seconds the agent waits for its assignment, if other than its own default.
    pub bind_timeout: Option<u64>,
    /// Makes the call repeatable.
    pub token: ClientToken,
}

/// What a launch brought: perhaps fewer tasks than asked for, each missing one with a fault.
#[derive(Debug, Default)]
pub struct Launched {
    /// The tasks that exist now.
    pub tasks: Vec<TaskView>,
    /// `failures[]` of the answer, classed.
    pub failures: Vec<Fault>,
    /// Tasks that another launch with the same token has made, perhaps long ago. Nothing was started then.
    pub held: Vec<TaskArn>,
}

/// Tasks of one cluster.
pub trait Tasks: Send + Sync {
    /// Checks the request against every limit that ECS would refuse it for and that can be known here
    /// (overrides of at most 8,192 characters, at most 50 tags), without calling anything.
    fn check(&self, request: &LaunchRequest) -> Result<(), Fault>;

    /// Starts tasks. Repeating it with the same request never starts more.
    ///
    /// # Errors
    /// `Conflict`: another launch holds the token, and ECS does not say which tasks. `Unknown`: repeat it as
    /// it is. `NoCapacity`: nothing was started, take another capacity.
    fn launch(&self, request: &LaunchRequest) -> impl Future<Output = Result<Launched, Fault>> + Send;

    /// What ECS knows of these tasks, in any order. One it does not know (not yet, or not any more) is
    /// absent, which is no error: the API is eventually consistent.
    fn describe(&self, tasks: &[TaskArn]) -> impl Future<Output = Result<Vec<TaskView>, Fault>> + Send;

    /// The tasks started for this that are not meant to stop. One call, however many tasks the cluster has.
    fn find(&self, started_by: &StartedBy) -> impl Future<Output = Result<Vec<TaskArn>, Fault>> + Send;

    /// All tasks of the cluster whose `startedBy` begins so, also those that stopped within the last hour.
    /// ECS has no such filter: this looks at every task of the cluster, a hundred a call, so it is for
    /// cleaning up and not for waiting.
    fn find_under(&self, prefix: &str) -> impl Future<Output = Result<Vec<TaskView>, Fault>> + Send;

    /// Stops a task. Stopping a stopped one is no error.
    fn stop(&self, task: &TaskArn, reason: &str) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// The launcher's side of the mailbox: it may write and delete, not read.
pub trait Outbox: Send + Sync {
    /// Puts an assignment where none is.
    ///
    /// An answer that was lost is cleared up inside: `Ok` means that this assignment lies there.
    ///
    /// # Errors
    /// `Conflict`: another assignment lies there already.
    fn put(
        &self,
        address: &MailboxAddress,
        assignment: &Assignment,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Empties a mailbox. Emptying an empty one is no error.
    fn empty(&self, address: &MailboxAddress) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// The agent's side of the mailbox: it may read and delete one object, not list.
pub trait Inbox: Send + Sync {
    /// Reads the bytes of the assignment if they are there. A missing object that S3 reports as 403 (no
    /// list permission) is `None` too: not yet.
    ///
    /// # Errors
    /// `Throttled` and `Unknown` mean "again later"; `Denied` means that the credentials themselves were
    /// refused, `Invalid` that there is no such bucket.
    fn read(
        &self,
        address: &MailboxAddress,
    ) -> impl Future<Output = Result<Option<SecretString>, Fault>> + Send;

    /// Deletes the assignment; it is the secret's last trace.
    fn delete(&self, address: &MailboxAddress) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// A runner as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerView {
    /// Its id.
    pub id: RunnerId,
    /// Its name.
    pub name: RunnerName,
    /// Whether it is connected.
    pub online: bool,
    /// Whether a job runs on it. May be stale: never stop a task on `false` alone.
    pub busy: bool,
}

/// A runner to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerRequest {
    /// Its name, at most 64 characters.
    pub name: RunnerName,
    /// Its whole label set, 1 to 100.
    pub labels: Vec<Label>,
    /// Id of its runner group; 1 is the default group.
    pub group: u64,
}

/// A registration, and the secret that makes a process that runner.
#[derive(Debug)]
pub struct Minted {
    /// The runner's id.
    pub id: RunnerId,
    /// GitHub's `encoded_jit_config`, some 4.5 kB.
    pub jit_config: SecretString,
}

/// Runners of one repository, organisation or enterprise.
pub trait Runners: Send + Sync {
    /// Registers a runner by `generate-jitconfig`. Not idempotent, so never repeated inside.
    ///
    /// # Errors
    /// `Conflict`: the name is taken; `Unknown`: it may be. In both cases find it by name, delete it and
    /// mint again.
    fn mint(&self, request: &RunnerRequest) -> impl Future<Output = Result<Minted, Fault>> + Send;

    /// The runner of this id; `None` if GitHub does not know it (any more).
    fn get(&self, id: RunnerId) -> impl Future<Output = Result<Option<RunnerView>, Fault>> + Send;

    /// The runner of this name, in one call.
    fn find(&self, name: &RunnerName) -> impl Future<Output = Result<Option<RunnerView>, Fault>> + Send;

    /// Whether these credentials may register runners, without registering one. The cheapest proof.
    ///
    /// # Errors
    /// `Denied` names the scope or permission that is missing.
    fn check(&self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The id of a runner group, by name; repositories have only `Default`, which is 1.
    ///
    /// # Errors
    /// `NotFound`: there is no such group.
    fn group(&self, name: &str) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// Removes a registration. Removing one that is not there is no error.
    ///
    /// # Errors
    /// `Busy`: a job runs on it. This refusal is the only safe way to learn so.
    fn delete(&self, id: RunnerId) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// A runner in the list of all, with what it answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The runner.
    pub runner: RunnerView,
    /// Its labels, but for those that no [`Label`] can be.
    pub labels: Vec<Label>,
}

/// The list of all runners of one repository, organisation or enterprise, whoever has registered them.
pub trait Registry: Send + Sync {
    /// The runner of this name with its labels, in one call.
    fn look_up(&self, name: &RunnerName) -> impl Future<Output = Result<Option<Registered>, Fault>> + Send;

    /// All of them: a hundred a call, so it is for cleaning up and not for waiting. The list is no snapshot;
    /// a runner that comes or goes meanwhile may be missing.
    fn list(&self) -> impl Future<Output = Result<Vec<Registered>, Fault>> + Send;
}

impl<R: Registry> Registry for Arc<R> {
    async fn look_up(&self, name: &RunnerName) -> Result<Option<Registered>, Fault> {
        R::look_up(self, name).await
    }

    async fn list(&self) -> Result<Vec<Registered>, Fault> {
        R::list(self).await
    }
}

/// How far a workflow run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Its jobs wait or run.
    Going,
    /// All its jobs are over.
    Ended,
    /// It was deleted.
    Gone,
}

/// Workflow runs.
pub trait Runs: Send + Sync {
    /// How far the latest attempt of a run is.
    ///
    /// # Errors
    /// `Denied` also if these credentials cannot see the repository, so that a run that is only hidden from
    /// them is never taken for a deleted one.
    fn state(
        &self,
        repository: &Repository,
        run_id: u64,
    ) -> impl Future<Output = Result<RunState, Fault>> + Send;
}

/// An assignment that lies in its mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Where.
    pub address: MailboxAddress,
    /// Since when.
    pub since: Timestamp,
}

/// All mailboxes, as only an administrator may see them.
pub trait Mailroom: Send + Sync {
    /// What lies under this key prefix.
    ///
    /// # Errors
    /// `Denied`: these credentials may not list. A launcher need not, so that is no reason to give up.
    fn list(&self, prefix: &str) -> impl Future<Output = Result<Vec<Mail>, Fault>> + Send;
}

/// Signs App tokens: a private key in memory, or a key service.
pub trait AppSigner: Send + Sync {
    /// The RSASSA-PKCS1-v1_5 signature with SHA-256 of these bytes.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Vec<u8>, Fault>> + Send;
}
