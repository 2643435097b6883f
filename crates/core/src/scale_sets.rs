//! Runner scale sets: the words of GitHub's queue of assigned jobs, and the port to it.
//!
//! A scale set is a name that `runs-on` may carry. GitHub assigns to it the jobs that ask for it and tells,
//! through a queue that is read by long polls, how many there are. The queue has one reader at a time: a
//! session is a lock as well. Scale on [`Demand::assigned`], which is always current, and never by counting
//! [`JobEvent`]s: a message holds fifty at most, and a job may be assigned more than once.
//!
//! GitHub does not document the protocol; the facts here are those of its own client (`actions/scaleset`).

use std::fmt;
use std::future::Future;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::ids::{Repository, RunnerId, RunnerName};
use crate::label::Label;
use crate::ports::Minted;

/// The most job events that one message holds.
pub const MOST_EVENTS: usize = 50;

macro_rules! id {
    ($(#[$doc:meta])* $type:ident, $of:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub $of);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A scale set's id at GitHub. One that was dropped and made again has another.
    ScaleSetId,
    i64
);
id!(
    /// A message's id. It grows within a scale set's queue.
    MessageId,
    i64
);
id!(
    /// GitHub's `runnerRequestId`: one assignment of one job, by which it is acquired.
    RequestId,
    i64
);

/// What a scale set is to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScaleSetSpec {
    /// Its name, unique within its group, and its first label: what `runs-on` names.
    pub name: Label,
    /// The name of its runner group. A repository has `Default` alone.
    pub runner_group: String,
    /// Labels beside the name. GitHub Enterprise Server before 3.18 drops them.
    pub labels: Vec<Label>,
}

impl ScaleSetSpec {
    /// All its labels, the name first, without twins (GitHub compares labels without regard to case).
    pub fn label_set(&self) -> Vec<&Label> {
        let mut set: Vec<&Label> = vec![&self.name];
        for label in &self.labels {
            if !set.iter().any(|have| have.as_str().eq_ignore_ascii_case(label.as_str())) {
                set.push(label);
            }
        }
        set
    }
}

/// GitHub's statistics of a scale set, current at each message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Jobs that the set may acquire.
    pub available: u32,
    /// Jobs it has acquired.
    pub acquired: u32,
    /// Jobs assigned to it, waiting or running: as many runners are needed.
    pub assigned: u32,
    /// Jobs that run on its runners.
    pub running: u32,
    /// Its runners that are registered, connected or not.
    pub registered: u32,
    /// Its runners that run a job.
    pub busy: u32,
    /// Its runners that wait for a job.
    pub idle: u32,
}

/// A job, as every event tells of it. What GitHub leaves out is empty, zero or `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The assignment.
    pub request: RequestId,
    /// The job's id, a UUID; the same for every assignment of it.
    pub id: String,
    /// Its name, as people see it. Untrusted text.
    pub name: String,
    /// Where its workflow runs.
    pub repository: Option<Repository>,
    /// `acme/shop/.github/workflows/ci.yml@refs/heads/main`.
    pub workflow_ref: String,
    /// The workflow run.
    pub run_id: u64,
    /// What set the workflow off: `push`.
    pub event: String,
    /// What it asks for in `runs-on`. Untrusted text.
    pub labels: Vec<String>,
    /// When it was queued.
    pub queued: Option<Timestamp>,
    /// When it was assigned to the scale set.
    pub assigned: Option<Timestamp>,
    /// When it was given to a runner.
    pub taken: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

/// A runner, as events and the scale-set API name it. It tells neither whether it is online nor busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerRef {
    /// Its id, the same as in the REST API.
    pub id: RunnerId,
    /// Its name.
    pub name: RunnerName,
}

/// What happened to a job, as one entry of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// It may be acquired; until then nobody runs it.
    Available(Job),
    /// It is assigned to the scale set and waits for a runner.
    Assigned(Job),
    /// A runner has taken it.
    Started {
        /// The job.
        job: Job,
        /// Who runs it.
        runner: RunnerRef,
    },
    /// It ended, or its assignment did: a job that no runner takes in time, or that is cancelled, ends
    /// without a runner.
    Completed {
        /// The job.
        job: Job,
        /// Who ran it; `None` if nobody did.
        runner: Option<RunnerRef>,
        /// `succeeded`, `failed`, `canceled`, ….
        result: String,
    },
}

impl JobEvent {
    /// The job.
    pub fn job(&self) -> &Job {
        match self {
            Self::Available(job)
            | Self::Assigned(job)
            | Self::Started { job, .. }
            | Self::Completed { job, .. } => job,
        }
    }
}

/// One message of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, by which it is acknowledged.
    pub id: MessageId,
    /// The demand now; the last one known if the message tells none.
    pub demand: Demand,
    /// What happened, in order; at most [`MOST_EVENTS`]. Kinds of event that are unknown here are left out.
    pub events: Vec<JobEvent>,
}

impl Message {
    /// The jobs that have to be [acquired](Session::acquire), or nobody will run them.
    pub fn available(&self) -> Vec<RequestId> {
        let available = |event: &JobEvent| match event {
            JobEvent::Available(job) => Some(job.request),
            _ => None,
        };
        self.events.iter().filter_map(available).collect()
    }
}

/// The scale sets of one repository, organisation or enterprise.
///
/// Every method may meet `Throttled` (wait, then again) and `Denied` (these credentials may not; tell the
/// user). A credential that merely ran out is renewed inside and not told.
pub trait ScaleSets: Send + Sync {
    /// An open queue.
    type Session: Session;

    /// Makes the scale set be so: finds it by name and group, creates it or corrects its labels. Idempotent.
    ///
    /// # Errors
    /// `NotFound`: there is no such runner group. `Invalid`: GitHub refuses the name or a label. `Unknown`:
    /// call it again.
    fn ensure(&self, spec: &ScaleSetSpec) -> impl Future<Output = Result<ScaleSetId, Fault>> + Send;

    /// The scale set of this name and group, whatever its labels; `None` if there is none, or no such group.
    fn look_up(&self, spec: &ScaleSetSpec) -> impl Future<Output = Result<Option<ScaleSetId>, Fault>> + Send;

    /// Removes a scale set. Removing one that is not there is no error. Jobs that wait for it wait on.
    fn remove(&self, id: ScaleSetId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Registers a runner of the scale set, good for one of its jobs. Not idempotent, so never repeated
    /// inside. The runner has the scale set's labels and group.
    ///
    /// # Errors
    /// `Conflict`: the name is taken; `Unknown`: it may be. In both cases find it by name, delete it and
    /// mint again. `NotFound`: GitHub has dropped the scale set; ensure it again.
    fn mint(&self, id: ScaleSetId, name: &RunnerName) -> impl Future<Output = Result<Minted, Fault>> + Send;

    /// The runner of this name, in one call. Whether it is busy is told by [`delete_runner`](Self::delete_runner) alone.
    fn find_runner(&self, name: &RunnerName)
    -> impl Future<Output = Result<Option<RunnerRef>, Fault>> + Send;

    /// Removes a registration. Removing one that is not there is no error.
    ///
    /// # Errors
    /// `Busy`: a job runs on it. This refusal is the only safe way to learn so.
    fn delete_runner(&self, id: RunnerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Opens the queue of a scale set, for this owner alone: any name, which GitHub shows to the others.
    ///
    /// # Errors
    /// `Conflict`: a session is open, whoever has it, and stays so until it is closed or GitHub gives it up
    /// (some minutes after its last poll): stand by, and try again. `NotFound`: GitHub has dropped the scale
    /// set; ensure it again. `Throttled`: GitHub has no queue for it just now (an incident); later.
    /// `Unknown`: a session may be open and unreachable; trying again meets `Conflict` until it ends.
    fn open(&self, id: ScaleSetId, owner: &str) -> impl Future<Output = Result<Self::Session, Fault>> + Send;
}

/// An open queue of one scale set. Its token is renewed inside.
///
/// All methods may be called while another one is under way, and a future that is dropped loses nothing:
/// GitHub delivers a message again until it is acknowledged.
pub trait Session: Send + Sync + 'static {
    /// The demand when the session was opened. What happened before is in no message.
    fn opening_demand(&self) -> Demand;

    /// Waits for the next message, some 50 seconds; `None` if nothing happened.
    ///
    /// `last` is the id of the last message that was taken in, `capacity` how many runners the set may have
    /// in all: GitHub assigns no more jobs than that. Polling is also what keeps the session alive.
    ///
    /// # Errors
    /// `NotFound`: the session is gone, and perhaps its scale set: open another one. `Unknown`, `Throttled`:
    /// poll again with the same `last`.
    fn next(
        &self,
        last: Option<MessageId>,
        capacity: u32,
    ) -> impl Future<Output = Result<Option<Message>, Fault>> + Send;

    /// Tells GitHub that a message need not be delivered again. Only for what has been taken in. Twice does
    /// no harm.
    fn acknowledge(&self, id: MessageId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Acquires [available](Message::available) jobs, and gives back those that were. Twice does no harm.
    /// GitHub.com assigns by itself; older Enterprise Servers wait for this.
    fn acquire(&self, requests: &[RequestId]) -> impl Future<Output = Result<Vec<RequestId>, Fault>> + Send;

    /// Closes the session, so that another may be opened at once. Closing one that is gone is no error.
    fn close(&self) -> impl Future<Output = Result<(), Fault>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    #[test]
    fn the_name_is_the_first_label_and_stands_once() {
        let spec = ScaleSetSpec {
            name: label("linux-small"),
            runner_group: "Default".to_owned(),
            labels: vec![label("gpu"), label("Linux-Small"), label("GPU")],
        };
        let words: Vec<&str> = spec.label_set().into_iter().map(Label::as_str).collect();
        assert_eq!(words, ["linux-small", "gpu"]);
    }

    #[test]
    fn only_available_jobs_are_to_be_acquired() {
        let job = |request| Job {
            request: RequestId(request),
            id: String::new(),
            name: "build".to_owned(),
            repository: None,
            workflow_ref: String::new(),
            run_id: 0,
            event: String::new(),
            labels: Vec::new(),
            queued: None,
            assigned: None,
            taken: None,
            finished: None,
        };
        let message = Message {
            id: MessageId(1),
            demand: Demand::default(),
            events: vec![
                JobEvent::Available(job(1)),
                JobEvent::Assigned(job(2)),
                JobEvent::Available(job(3)),
            ],
        };
        assert_eq!(message.available(), [RequestId(1), RequestId(3)]);
    }
}
