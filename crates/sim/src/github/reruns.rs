//! Running a run's jobs once more: all of them, those that failed, or one.
//!
//! Source: GitHub docs, "Re-running workflows and jobs": the run keeps its id and gets the next `run_attempt`, with the
//! commit and the privileges of the first; it can be done for 30 days and 50 times, and only when the run is over.
//! Which jobs it takes along, [`Again`] says. A job that runs once more is a new job with a new id; the others stay
//! what they were in the attempt that ran them.

use jiff::{SignedDuration, Timestamp};

use super::state::State;
use crate::workflow::Again;

/// How often a run can be run again.
const MOST: u64 = 50;

/// For how long.
const WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is to run once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// Every job: "Re-run all jobs".
    All,
    /// Jobs that failed or were cancelled, and those that depend on them: "Re-run failed jobs".
    Failed,
    /// This job, and those that depend on it: the button beside a job.
    Job(u64),
}

/// A re-run that is refused, in GitHub's words where they are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RerunError {
    /// There is no such run, or no such job in it.
    #[error("Not Found")]
    NotFound,
    /// It is not over.
    #[error("{}", if *.job { "The workflow run containing this job is already running" } else { "This workflow is already running" })]
    Running {
        /// Whether one job was to be run again.
        job: bool,
    },
    /// The job has been run again since.
    #[error("Only jobs from the current attempt can be re-run")]
    NotCurrent,
    /// It began more than 30 days ago.
    #[error("Unable to retry this workflow run because it was created over a month ago")]
    TooOld,
    /// It was run again 50 times.
    #[error("This workflow run cannot be re-run more than {MOST} times")]
    TooOften,
    /// No job failed.
    #[error("This workflow run has no failed jobs to re-run")]
    NothingFailed,
}

impl State {
    /// Runs jobs once more.
    pub(crate) fn rerun(
        &mut self,
        run: u64,
        which: Rerun,
        actor: (&str, u64),
        now: Timestamp,
    ) -> Result<(), RerunError> {
        let key = match which {
            Rerun::Job(id) => {
                let job = self.runs.job(id).filter(|job| job.run == run).ok_or(RerunError::NotFound)?;
                Some((id, job.key.clone()))
            }
            Rerun::All | Rerun::Failed => None,
        };
        let record = self.runs.run_mut(run).ok_or(RerunError::NotFound)?;
        if record.conclusion.is_none() {
            return Err(RerunError::Running { job: key.is_some() });
        }
        if key.as_ref().is_some_and(|(id, key)| record.jobs.get(key) != Some(id)) {
            return Err(RerunError::NotCurrent);
        }
        if now.duration_since(record.created_at) > WINDOW {
            return Err(RerunError::TooOld);
        }
        if record.attempt > MOST {
            return Err(RerunError::TooOften);
        }
        let attempt = record.attempt + 1;
        let again = match (which, key) {
            (Rerun::Job(_), Some((_, key))) => Some(Again::Job(key)),
            (Rerun::Failed, _) => Some(Again::Failed),
            _ => None,
        };
        match again {
            Some(again) if !record.interpreter.rerun(&again, attempt, actor.0) => {
                return Err(RerunError::NothingFailed);
            }
            Some(_) => {}
            None => record.interpreter.restart(attempt, actor.0),
        }
        record.attempt = attempt;
        actor.0.clone_into(&mut record.triggering_actor);
        record.triggering_actor_id = actor.1;
        record.attempt_began_at = now;
        record.conclusion = None;
        // What is not over any more will be another job.
        let views = record.interpreter.jobs();
        let stays = |key: &_| views.iter().any(|view| view.key == *key && view.conclusion.is_some());
        record.jobs.retain(|key, _| stays(key));
        let waiting: Vec<_> = views.into_iter().filter(|view| view.conclusion.is_none()).collect();
        for view in waiting {
            self.job_for(run, &view.key, &view.name, now);
        }
        self.advance(run, now);
        Ok(())
    }
}
