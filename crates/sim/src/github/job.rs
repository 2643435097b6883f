//! One job of a run, as the server keeps it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::events::{Event, JobStatus};
use crate::protocol::{Annotation, Conclusion, JobMessage, LogLines, StepUpdate};
use crate::workflow::{JobBody, JobKey, Permissions, QueuedJob};

/// Where a job runs or is to run.
#[derive(Clone, Default)]
pub(crate) enum Place {
    #[default]
    None,
    /// On one of GitHub's own machines, by its name.
    Hosted { name: String },
    /// On a self-hosted runner.
    Runner { id: u64, name: String, group_id: u64, group: String },
}

impl Place {
    /// The self-hosted runner's id.
    pub(crate) fn runner_id(&self) -> Option<u64> {
        match self {
            Self::Runner { id, .. } => Some(*id),
            Self::None | Self::Hosted { .. } => None,
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Hosted { name } | Self::Runner { name, .. } => Some(name),
        }
    }
}

/// What a runner is to be told, less what depends on the runner.
pub(crate) struct Work {
    pub(crate) body: JobBody,
    pub(crate) contexts: Map<String, Value>,
    pub(crate) permissions: Permissions,
}

pub(crate) struct LogEntry {
    pub(crate) at: Timestamp,
    pub(crate) line: String,
}

pub(crate) struct StepRecord {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) started_at: Timestamp,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) conclusion: Option<Conclusion>,
}

/// A job's tie to a scale set.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    pub(crate) set: u64,
    /// `runnerRequestId`.
    pub(crate) request: u64,
    /// When it was assigned; `None` while it is only offered.
    pub(crate) assigned_at: Option<Timestamp>,
}

/// A job. It has no `Debug`: it holds secrets.
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) run: u64,
    /// The attempt of the run that it belongs to.
    pub(crate) attempt: u64,
    pub(crate) repository: u64,
    pub(crate) key: JobKey,
    pub(crate) name: String,
    /// What the Actions service calls it.
    pub(crate) guid: String,
    pub(crate) labels: Vec<String>,
    pub(crate) group: Option<String>,
    pub(crate) environment: Option<String>,
    /// The file of the called workflow that it stands in.
    pub(crate) called: Option<String>,
    pub(crate) status: JobStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) queued_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
    /// When its machine was last heard of.
    pub(crate) heard_at: Timestamp,
    pub(crate) place: Place,
    /// When it was given to a runner.
    pub(crate) taken_at: Option<Timestamp>,
    /// The scale set that is to run it.
    pub(crate) share: Option<Share>,
    /// How often it was assigned to one.
    pub(crate) attempts: u32,
    pub(crate) work: Option<Work>,
    /// For the runner it was given to.
    pub(crate) message: Option<Box<JobMessage>>,
    /// Its `GITHUB_TOKEN`, while it lives.
    pub(crate) token: Option<String>,
    /// What it must show for an OIDC token, where it may have one.
    pub(crate) id_token_request: Option<String>,
    /// Its machine shall stop it.
    pub(crate) cancel: bool,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) log: Vec<LogEntry>,
    pub(crate) annotations: Vec<Annotation>,
    pub(crate) summary: String,
}

/// Which job of which run.
pub(crate) struct JobOf {
    pub(crate) id: u64,
    pub(crate) run: u64,
    pub(crate) repository: u64,
    pub(crate) key: JobKey,
}

impl Job {
    /// A job of a run's first attempt that waits for others.
    pub(crate) fn new(of: JobOf, name: String, guid: String, now: Timestamp) -> Self {
        let JobOf { id, run, repository, key } = of;
        Self {
            id,
            run,
            attempt: 1,
            repository,
            key,
            name,
            guid,
            labels: Vec::new(),
            group: None,
            environment: None,
            called: None,
            status: JobStatus::Waiting,
            created_at: now,
            queued_at: now,
            started_at: None,
            completed_at: None,
            heard_at: now,
            place: Place::None,
            taken_at: None,
            share: None,
            attempts: 0,
            work: None,
            message: None,
            token: None,
            id_token_request: None,
            cancel: false,
            steps: Vec::new(),
            log: Vec::new(),
            annotations: Vec::new(),
            summary: String::new(),
        }
    }

    pub(crate) fn queue(&mut self, queued: QueuedJob, now: Timestamp) {
        let QueuedJob { labels, group, environment, called, permissions, body, contexts } = queued;
        self.labels = labels;
        self.group = group;
        self.environment = environment;
        self.called = called;
        self.work = Some(Work { body, contexts, permissions });
        self.status = JobStatus::Queued;
        self.queued_at = now;
    }

    /// Whether it is queued and nobody was told to run it.
    pub(crate) fn is_unplaced(&self) -> bool {
        self.status == JobStatus::Queued
            && matches!(self.place, Place::None)
            && self.share.is_none_or(|share| share.assigned_at.is_none())
    }

    pub(crate) fn start(&mut self, now: Timestamp) {
        self.status = JobStatus::InProgress;
        self.started_at = Some(now);
        self.heard_at = now;
        self.message = None;
    }

    pub(crate) fn conclude(&mut self, conclusion: Conclusion, now: Timestamp) {
        self.status = JobStatus::Completed(conclusion);
        self.completed_at = Some(now);
        self.work = None;
        self.message = None;
        self.id_token_request = None;
        for step in self.steps.iter_mut().filter(|step| step.completed_at.is_none()) {
            step.completed_at = Some(now);
            step.conclusion = Some(Conclusion::Cancelled);
        }
    }

    pub(crate) fn step(&mut self, update: &StepUpdate, now: Timestamp) {
        self.heard_at = now;
        let index = self.steps.iter().position(|step| step.number == update.number).unwrap_or_else(|| {
            self.steps.push(StepRecord {
                number: update.number,
                name: update.name.clone(),
                started_at: now,
                completed_at: None,
                conclusion: None,
            });
            self.steps.len() - 1
        });
        if let (Some(step), Some(conclusion)) = (self.steps.get_mut(index), update.conclusion) {
            step.completed_at = Some(now);
            step.conclusion = Some(conclusion);
        }
    }

    pub(crate) fn log(&mut self, lines: LogLines, now: Timestamp) {
        self.heard_at = now;
        self.log.extend(lines.lines.into_iter().map(|line| LogEntry { at: now, line }));
    }

    /// Puts an error on the run's page.
    pub(crate) fn annotate(&mut self, message: &str) {
        self.annotations.push(Annotation { level: "error".into(), title: None, message: message.to_owned() });
    }

    pub(crate) fn event(&self) -> Event {
        Event::Job {
            run_id: self.run,
            job_id: self.id,
            name: self.name.clone(),
            status: self.status,
            runner: self.place.name().map(str::to_owned),
        }
    }
}
