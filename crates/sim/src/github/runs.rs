//! Workflow runs and their jobs, from dispatch to conclusion.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::job::{Job, JobOf, Place};
use super::message;
use super::state::{Effect, State, later};
use crate::events::{Event, JobStatus};
use crate::protocol::{Annotation, Completion, Conclusion};
use crate::workflow::{JobKey, ReadyState, Run, StartError, Workflow};

/// A run to start.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// `owner/name`.
    pub repository: String,
    /// The workflow's file, relative to the repository: `.github/workflows/build.yml`.
    pub workflow: String,
    /// `workflow_dispatch`, `push`, …
    pub event: String,
    /// Values of the workflow's inputs.
    pub inputs: BTreeMap<String, String>,
    /// Login of the user who starts it.
    pub actor: String,
    /// `refs/heads/…` or `refs/tags/…`; absent: the default branch.
    pub git_ref: Option<String>,
}

impl Dispatch {
    /// `workflow_dispatch` on the default branch, without inputs.
    pub fn new(repository: impl Into<String>, workflow: impl Into<String>, actor: impl Into<String>) -> Self {
        Self {
            repository: repository.into(),
            workflow: workflow.into(),
            event: "workflow_dispatch".into(),
            inputs: BTreeMap::new(),
            actor: actor.into(),
            git_ref: None,
        }
    }
}

/// A run that did not start.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// There is no such repository.
    #[error("there is no repository `{0}`: add it before a run is started in it")]
    UnknownRepository(String),
    /// There is no such user.
    #[error("there is no user `{0}`: add it before it starts a run")]
    UnknownActor(String),
    /// The workflow cannot be read, or holds what is not supported.
    #[error(transparent)]
    Load(#[from] crate::workflow::LoadError),
    /// The event or the inputs do not fit the workflow.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A run.
pub(crate) struct RunRecord {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) repository: u64,
    pub(crate) workflow_path: String,
    pub(crate) workflow_name: String,
    pub(crate) event: String,
    pub(crate) actor: String,
    pub(crate) actor_id: u64,
    pub(crate) git_ref: String,
    pub(crate) sha: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) conclusion: Option<Conclusion>,
    /// From 1: how often it has been run, this time included.
    pub(crate) attempt: u64,
    pub(crate) attempt_began_at: Timestamp,
    /// Who asked for this attempt.
    pub(crate) triggering_actor: String,
    pub(crate) triggering_actor_id: u64,
    /// The ids of its jobs by key, each job in its latest attempt; a matrix that waits has one job, with index 0.
    pub(super) jobs: BTreeMap<JobKey, u64>,
    pub(super) interpreter: Run,
}

impl RunRecord {
    /// `main` of `refs/heads/main`.
    pub(crate) fn ref_name(&self) -> &str {
        let git_ref = &self.git_ref;
        git_ref.strip_prefix("refs/heads/").or_else(|| git_ref.strip_prefix("refs/tags/")).unwrap_or(git_ref)
    }
}

/// All runs and jobs.
#[derive(Default)]
pub(crate) struct Runs {
    by_id: BTreeMap<u64, RunRecord>,
    jobs: BTreeMap<u64, Job>,
    /// Jobs that are or were unplaced: those that are not any more are dropped when somebody looks.
    unplaced: BTreeSet<u64>,
    /// Those of them that nobody has looked at.
    fresh: Vec<u64>,
    /// Hosted machines used so far; each has its number in its name.
    machines: u64,
}

/// Where ids of runs and jobs begin: with as many digits as GitHub's.
const FIRST_RUN: u64 = 19_000_000_001;
const FIRST_JOB: u64 = 54_000_000_001;

impl Runs {
    pub(crate) fn run(&self, id: u64) -> Option<&RunRecord> {
        self.by_id.get(&id)
    }

    pub(crate) fn run_mut(&mut self, id: u64) -> Option<&mut RunRecord> {
        self.by_id.get_mut(&id)
    }

    pub(crate) fn job(&self, id: u64) -> Option<&Job> {
        self.jobs.get(&id)
    }

    pub(crate) fn job_mut(&mut self, id: u64) -> Option<&mut Job> {
        self.jobs.get_mut(&id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &RunRecord> {
        self.by_id.values()
    }

    /// The jobs of a run in the order of the file, each in its latest attempt.
    pub(crate) fn jobs_of(&self, run: u64) -> impl Iterator<Item = &Job> {
        let mut ids: Vec<u64> = Vec::new();
        if let Some(record) = self.by_id.get(&run) {
            let views = record.interpreter.jobs();
            ids.extend(views.iter().filter_map(|view| record.jobs.get(&view.key)));
            // A call that could not be made is no job of the interpreter's.
            let others: Vec<u64> = record.jobs.values().filter(|id| !ids.contains(id)).copied().collect();
            ids.extend(others);
        }
        ids.into_iter().filter_map(|id| self.jobs.get(&id))
    }

    /// The jobs of a run in all of its attempts, the oldest first.
    pub(crate) fn all_jobs_of(&self, run: u64) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(move |job| job.run == run)
    }

    /// Queued jobs that nobody was told to run, the oldest first.
    pub(crate) fn unplaced(&mut self) -> Vec<u64> {
        self.fresh.clear();
        let Self { unplaced, jobs, .. } = self;
        unplaced.retain(|id| jobs.get(id).is_some_and(Job::is_unplaced));
        unplaced.iter().copied().collect()
    }

    /// Those of them that became so since anybody has looked.
    pub(crate) fn fresh(&mut self) -> Vec<u64> {
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.retain(|id| self.jobs.get(id).is_some_and(Job::is_unplaced));
        fresh
    }

    /// Notes that a job may be unplaced.
    pub(crate) fn note_unplaced(&mut self, job: u64) {
        self.unplaced.insert(job);
        self.fresh.push(job);
    }

    pub(crate) fn next_machine(&mut self) -> u64 {
        self.machines += 1;
        self.machines
    }

    fn next_run_id(&self) -> u64 {
        self.by_id.last_key_value().map_or(FIRST_RUN, |(id, _)| id + 1)
    }

    fn next_job_id(&self) -> u64 {
        self.jobs.last_key_value().map_or(FIRST_JOB, |(id, _)| id + 1)
    }
}

impl State {
    /// Starts a run.
    pub(crate) fn dispatch(
        &mut self,
        dispatch: &Dispatch,
        workflow: Arc<Workflow>,
        now: Timestamp,
    ) -> Result<u64, DispatchError> {
        let actor = self
            .accounts
            .account(&dispatch.actor)
            .ok_or_else(|| DispatchError::UnknownActor(dispatch.actor.clone()))?;
        let (actor, actor_id) = (actor.login.clone(), actor.id);
        let repository = self
            .accounts
            .by_full_name(&dispatch.repository)
            .ok_or_else(|| DispatchError::UnknownRepository(dispatch.repository.clone()))?;
        let git_ref =
            dispatch.git_ref.clone().unwrap_or_else(|| format!("refs/heads/{}", repository.default_branch));
        let id = self.runs.next_run_id();
        let base = message::Base {
            repository,
            configured: self.accounts.configured(repository),
            run_id: id,
            run_number: repository.runs + 1,
            actor: &actor,
            actor_id,
            git_ref: &git_ref,
            workflow_path: &dispatch.workflow,
        };
        let start = message::start(&base, dispatch, &self.urls);
        let record = RunRecord {
            id,
            number: repository.runs + 1,
            repository: repository.id,
            workflow_path: dispatch.workflow.clone(),
            workflow_name: workflow.name().to_owned(),
            event: dispatch.event.clone(),
            sha: repository.sha.clone(),
            created_at: now,
            updated_at: now,
            conclusion: None,
            attempt: 1,
            attempt_began_at: now,
            triggering_actor: actor.clone(),
            triggering_actor_id: actor_id,
            jobs: BTreeMap::new(),
            interpreter: Run::new(workflow, start)?,
            actor,
            actor_id,
            git_ref,
        };
        if let Some(repository) = self.accounts.repositories.get_mut(&record.repository) {
            repository.runs += 1;
        }
        let waiting = record.interpreter.jobs();
        self.runs.by_id.insert(id, record);
        for view in waiting {
            self.job_for(id, &view.key, &view.name, now);
        }
        self.advance(id, now);
        Ok(id)
    }

    /// The job of a key: the one that waits, or a new one where a matrix unfolds.
    pub(super) fn job_for(&mut self, run: u64, key: &JobKey, name: &str, now: Timestamp) -> u64 {
        let next = self.runs.next_job_id();
        let Some(record) = self.runs.by_id.get_mut(&run) else { return next };
        let id = *record.jobs.entry(key.clone()).or_insert(next);
        let (repository, attempt) = (record.repository, record.attempt);
        if let Some(job) = self.runs.jobs.get_mut(&id) {
            name.clone_into(&mut job.name);
        } else {
            let of = JobOf { id, run, repository, key: key.clone() };
            let job = Job { attempt, ..Job::new(of, name.to_owned(), self.entropy.uuid(), now) };
            self.emit(job.event());
            self.runs.jobs.insert(id, job);
        }
        id
    }

    /// Takes from the interpreter what may go on now, until nothing more comes.
    pub(super) fn advance(&mut self, run: u64, now: Timestamp) {
        loop {
            let Some(record) = self.runs.by_id.get_mut(&run) else { return };
            record.updated_at = now;
            let ready = record.interpreter.take_ready();
            if ready.is_empty() {
                break;
            }
            for ready in ready {
                let id = self.job_for(run, &ready.key, &ready.name, now);
                let Some(job) = self.runs.jobs.get_mut(&id) else { continue };
                match ready.state {
                    ReadyState::Skipped => job.conclude(Conclusion::Skipped, now),
                    ReadyState::Cancelled => job.conclude(Conclusion::Cancelled, now),
                    ReadyState::Failed(reason) => {
                        job.annotate(&reason);
                        job.conclude(Conclusion::Failure, now);
                    }
                    ReadyState::Queued(queued) => job.queue(*queued, now),
                }
                let event = job.event();
                self.runs.note_unplaced(id);
                self.emit(event);
            }
        }
        self.conclude_run(run, now);
        self.route(now);
    }

    fn conclude_run(&mut self, run: u64, now: Timestamp) {
        let Some(record) = self.runs.by_id.get_mut(&run) else { return };
        if record.conclusion.is_some() {
            return;
        }
        let Some(conclusion) = record.interpreter.conclusion() else { return };
        record.conclusion = Some(conclusion);
        record.updated_at = now;
        self.emit(Event::Run { run_id: run, conclusion });
    }

    /// A machine begins a job. False: the job is no longer to be run.
    pub(crate) fn start_job(&mut self, id: u64, now: Timestamp) -> bool {
        let Some(job) = self.runs.jobs.get_mut(&id) else { return false };
        if job.status != JobStatus::Queued {
            return false;
        }
        job.start(now);
        let (event, runner) = (job.event(), job.place.runner_id());
        self.emit(event);
        if let Some(runner) = runner {
            self.mark_busy(runner);
        }
        self.tell_started(id);
        true
    }

    /// A machine ends a job. False: the job was over before.
    pub(crate) fn complete_job(&mut self, id: u64, completion: Completion, now: Timestamp) -> bool {
        let Some(job) = self.runs.jobs.get_mut(&id) else { return false };
        if matches!(job.status, JobStatus::Completed(_)) {
            return false;
        }
        job.annotations.extend(completion.annotations);
        job.summary = completion.summary;
        self.end_job(id, completion.conclusion, completion.outputs, now);
        true
    }

    /// Ends a job that never ran, for a reason that the run's page shows.
    pub(crate) fn fail_unstarted(&mut self, id: u64, reason: &str, now: Timestamp) {
        if let Some(job) = self.runs.jobs.get_mut(&id) {
            job.annotate(reason);
            self.end_job(id, Conclusion::Failure, BTreeMap::new(), now);
        }
    }

    /// Ends a job, cancels what its end cancels, and goes on with the run.
    fn end_job(
        &mut self,
        id: u64,
        conclusion: Conclusion,
        outputs: BTreeMap<String, String>,
        now: Timestamp,
    ) {
        let Some(run) = self.runs.job(id).map(|job| job.run) else { return };
        let mut ended = VecDeque::from([(id, conclusion, outputs)]);
        while let Some((id, conclusion, outputs)) = ended.pop_front() {
            let Some(key) = self.close_job(id, conclusion, now) else { continue };
            let Some(record) = self.runs.by_id.get_mut(&run) else { return };
            let cancelled = record.interpreter.complete(&key, conclusion, outputs);
            let ids: Vec<u64> = cancelled.iter().filter_map(|key| record.jobs.get(key).copied()).collect();
            for id in ids.into_iter().filter(|id| self.ask_to_stop(*id)) {
                ended.push_back((id, Conclusion::Cancelled, BTreeMap::new()));
            }
        }
        self.advance(run, now);
    }

    /// Marks a job as over: its tokens end, its single-use runner is removed.
    fn close_job(&mut self, id: u64, conclusion: Conclusion, now: Timestamp) -> Option<JobKey> {
        let job = self.runs.jobs.get_mut(&id)?;
        let started = job.status == JobStatus::InProgress;
        job.conclude(conclusion, now);
        let (key, event) = (job.key.clone(), job.event());
        let runner = job.place.runner_id();
        if let Some(token) = job.token.take() {
            self.tokens.revoke(&token);
        }
        self.emit(event);
        self.leave_scale_set(id, conclusion);
        self.unassign(id);
        if let (true, Some(runner)) = (started, runner) {
            self.remove_runner(runner, now);
        }
        Some(key)
    }

    /// Cancels one job: true when it is over by that, because it never started.
    fn ask_to_stop(&mut self, id: u64) -> bool {
        let Some(job) = self.runs.jobs.get_mut(&id) else { return false };
        match job.status {
            JobStatus::Queued => true,
            JobStatus::InProgress => {
                job.cancel = true;
                self.effect(Effect::Wake);
                false
            }
            JobStatus::Waiting | JobStatus::Completed(_) => false,
        }
    }

    /// Cancels a run. False: it is over, or there is none.
    pub(crate) fn cancel_run(&mut self, run: u64, now: Timestamp) -> bool {
        let Some(record) = self.runs.by_id.get_mut(&run) else { return false };
        if record.conclusion.is_some() {
            return false;
        }
        let keys = record.interpreter.cancel();
        let ids: Vec<u64> = keys.iter().filter_map(|key| record.jobs.get(key).copied()).collect();
        for id in ids.into_iter().filter(|id| self.ask_to_stop(*id)).collect::<Vec<_>>() {
            self.end_job(id, Conclusion::Cancelled, BTreeMap::new(), now);
        }
        self.advance(run, now);
        true
    }

    /// Time passes: jobs that nobody took are cancelled, jobs whose runner is silent have failed.
    pub(crate) fn tick_jobs(&mut self, now: Timestamp) {
        self.tick_assignments(now);
        let (queue, silence) = (self.config.queue_timeout, self.config.lost_after);
        let mut ended = Vec::new();
        for job in self.runs.jobs.values_mut() {
            match (job.status, &job.place) {
                (JobStatus::Queued, _) if now >= later(job.queued_at, queue) => {
                    let hours = queue.as_secs() / 3_600;
                    job.annotate(&format!(
                        "The job was not acquired by a runner within {hours} hours and has been cancelled."
                    ));
                    ended.push((job.id, Conclusion::Cancelled));
                }
                (JobStatus::InProgress, Place::Runner { name, .. })
                    if now >= later(job.heard_at, silence) =>
                {
                    let message = format!(
                        "The self-hosted runner: {name} lost communication with the server. Verify the machine \
                         is running and has a healthy network connection."
                    );
                    job.annotations.push(Annotation { level: "error".into(), title: None, message });
                    ended.push((job.id, Conclusion::Failure));
                }
                _ => {}
            }
        }
        for (id, conclusion) in ended {
            self.end_job(id, conclusion, BTreeMap::new(), now);
        }
    }
}
