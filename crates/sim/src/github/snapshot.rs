//! What tests and views see of the state: copies without secrets.

use jiff::Timestamp;

use super::job::Job;
use super::runners::Runner;
use super::runs::RunRecord;
use super::scale_sets::ScaleSet;
use super::state::State;
use crate::events::JobStatus;
use crate::protocol::{Annotation, Conclusion};

/// A run with its jobs.
#[derive(Debug, Clone)]
pub struct RunSnapshot {
    /// Its id.
    pub id: u64,
    /// `owner/name`.
    pub repository: String,
    /// Name of the workflow.
    pub workflow: String,
    /// When it was started.
    pub created_at: Timestamp,
    /// How often it has been run, this time included.
    pub attempt: u64,
    /// Its result, once every job is over.
    pub conclusion: Option<Conclusion>,
    /// Its jobs in the order of the file, those that wait included, each in its latest attempt.
    pub jobs: Vec<JobSnapshot>,
}

/// A job.
#[derive(Debug, Clone)]
pub struct JobSnapshot {
    /// Its id.
    pub id: u64,
    /// Its id in the workflow file.
    pub key: String,
    /// Display name.
    pub name: String,
    /// The attempt of the run that it belongs to.
    pub attempt: u64,
    /// Where it is.
    pub status: JobStatus,
    /// `runs-on`.
    pub labels: Vec<String>,
    /// The machine it was given to.
    pub runner: Option<String>,
    /// When a runner could take it.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Its steps so far.
    pub steps: Vec<StepSnapshot>,
    /// Errors, warnings and notices.
    pub annotations: Vec<Annotation>,
    /// What its steps wrote to `$GITHUB_STEP_SUMMARY`.
    pub summary: String,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSnapshot {
    /// From 1.
    pub number: u32,
    /// Display name.
    pub name: String,
    /// Its result, once it has one.
    pub conclusion: Option<Conclusion>,
}

/// A registered runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerSnapshot {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it holds a session and was heard of lately.
    pub online: bool,
    /// Whether it runs a job.
    pub busy: bool,
    /// The scale set that it is of.
    pub scale_set: Option<u64>,
}

/// A scale set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleSetSnapshot {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Who reads its queue.
    pub owner: Option<String>,
    /// Jobs that are assigned to it, waiting or running.
    pub assigned: usize,
    /// Jobs that its runners run.
    pub running: usize,
    /// Its runners.
    pub registered: usize,
}

impl State {
    pub(crate) fn run_snapshot(&self, run: &RunRecord) -> RunSnapshot {
        let repository = self.accounts.repositories.get(&run.repository);
        RunSnapshot {
            id: run.id,
            repository: repository.map(super::accounts::Repository::full_name).unwrap_or_default(),
            workflow: run.workflow_name.clone(),
            created_at: run.created_at,
            attempt: run.attempt,
            conclusion: run.conclusion,
            jobs: self.runs.jobs_of(run.id).map(job).collect(),
        }
    }

    pub(crate) fn scale_set_snapshots(&self) -> Vec<ScaleSetSnapshot> {
        let snapshot = |set: &ScaleSet| {
            let statistics = self.statistics(set);
            ScaleSetSnapshot {
                id: set.id,
                name: set.name.clone(),
                labels: set.labels.clone(),
                owner: set.owner().map(str::to_owned),
                assigned: statistics.assigned,
                running: statistics.running,
                registered: statistics.registered,
            }
        };
        self.scale_sets.all().map(snapshot).collect()
    }

    pub(crate) fn runner_snapshots(&self) -> Vec<RunnerSnapshot> {
        self.runners.all().map(runner).collect()
    }
}

fn job(job: &Job) -> JobSnapshot {
    let step = |step: &super::job::StepRecord| StepSnapshot {
        number: step.number,
        name: step.name.clone(),
        conclusion: step.conclusion,
    };
    JobSnapshot {
        id: job.id,
        key: job.key.id.clone(),
        name: job.name.clone(),
        attempt: job.attempt,
        status: job.status,
        labels: job.labels.clone(),
        runner: job.place.name().map(str::to_owned),
        queued_at: job.queued_at,
        started_at: job.started_at,
        completed_at: job.completed_at,
        steps: job.steps.iter().map(step).collect(),
        annotations: job.annotations.clone(),
        summary: job.summary.clone(),
    }
}

fn runner(runner: &Runner) -> RunnerSnapshot {
    RunnerSnapshot {
        id: runner.id,
        name: runner.name.clone(),
        labels: runner.labels.clone(),
        online: runner.is_online(),
        busy: runner.is_busy(),
        scale_set: runner.scale_set,
    }
}
