//! What runners ask the server: [`crate::protocol`] without HTTP.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::job::Place;
use super::runners::Bar;
use super::state::State;
use crate::events::{Event, JobStatus};
use crate::faults::{Deletion, NoSession};
use crate::protocol::{Completion, JobMessage, LogLines, Renewal, Session, SessionRequest, StepUpdate};

/// Why a runner is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the credential is unknown")]
    UnknownCredential,
    #[error("Runner version v{0} is deprecated and cannot receive messages.")]
    Deprecated(String),
    #[error("The runner registration has been deleted from the server, please re-configure.")]
    Deleted,
    #[error("A session for this runner already exists.")]
    Conflict,
    #[error("there is no such session")]
    NoSession,
    #[error("the job is not, or no longer, this runner's")]
    NotYours,
    #[error("Service Unavailable")]
    Unavailable,
}

impl Refusal {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::UnknownCredential => 401,
            Self::Deprecated(_) => 403,
            Self::Deleted | Self::NoSession | Self::NotYours => 404,
            Self::Conflict => 409,
            Self::Unavailable => 503,
        }
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "message": self.to_string() })
    }
}

impl State {
    /// The runner behind a credential.
    pub(crate) fn authenticate_runner(&self, credential: Option<&str>) -> Result<u64, Refusal> {
        let id = credential.and_then(|it| self.runners.id_of(it)).ok_or(Refusal::UnknownCredential)?;
        self.runners.get(id).map(|runner| runner.id).ok_or(Refusal::Deleted)
    }

    /// `POST /sessions`.
    pub(crate) fn runner_connects(
        &mut self,
        runner: u64,
        request: &SessionRequest,
        now: Timestamp,
    ) -> Result<Session, Refusal> {
        let faults = self.config.faults.clone();
        let own = self.runners.get_mut(runner).ok_or(Refusal::Deleted)?;
        let name = own.name.clone();
        let bar = own.barred.get_or_insert_with(|| match faults.bars_runner(&name, now) {
            Some(how) => Bar::Shut(how),
            None => Bar::Open,
        });
        match bar {
            Bar::Open => {}
            Bar::Shut(NoSession::Unavailable) => return Err(Refusal::Unavailable),
            Bar::Shut(NoSession::Refused) => return Err(Refusal::UnknownCredential),
        }
        if own.is_online() {
            return Err(Refusal::Conflict);
        }
        let old = older(&request.version, &self.config.minimum_runner_version);
        if old || faults.deprecates(&name, now) {
            return Err(Refusal::Deprecated(request.version.clone()));
        }
        // The API shows `Linux` where the runner says `linux`.
        let mut os = request.os.clone();
        if let Some(first) = os.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let session_id =
            self.open_session(runner, os, request.version.clone(), now).ok_or(Refusal::Deleted)?;
        if faults.deletes_registration(&name, Deletion::Online, now) {
            self.remove_runner(runner, now);
        }
        Ok(Session { session_id })
    }

    /// `GET /sessions/{id}/message`: the job that the runner was given and has not started, if any.
    pub(crate) fn runner_polls(
        &mut self,
        runner: u64,
        session: &str,
        now: Timestamp,
    ) -> Result<Option<Box<JobMessage>>, Refusal> {
        self.check_session(runner, session)?;
        self.seen(runner, now);
        let assigned = self
            .runners
            .get(runner)
            .and_then(|runner| runner.assignment.as_ref())
            .filter(|assignment| !assignment.started)
            .and_then(|assignment| self.runs.job(assignment.job));
        Ok(assigned.and_then(|job| job.message.clone()))
    }

    /// `DELETE /sessions/{id}`.
    pub(crate) fn runner_leaves(
        &mut self,
        runner: u64,
        session: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_session(runner, session)?;
        self.close_session(runner, now);
        Ok(())
    }

    fn check_session(&self, runner: u64, session: &str) -> Result<(), Refusal> {
        let runner = self.runners.get(runner).ok_or(Refusal::Deleted)?;
        match &runner.session {
            Some(own) if own.id == session => Ok(()),
            _ => Err(Refusal::NoSession),
        }
    }

    /// Whether the job is the one that the runner was given.
    fn check_job(&self, runner: u64, job: u64) -> Result<(), Refusal> {
        let assignment = self.runners.get(runner).and_then(|runner| runner.assignment.as_ref());
        if assignment.is_some_and(|assignment| assignment.job == job) {
            Ok(())
        } else {
            Err(Refusal::NotYours)
        }
    }

    /// `POST /jobs/{id}/start`. Asking twice is as good as once.
    pub(crate) fn runner_starts(&mut self, runner: u64, job: u64, now: Timestamp) -> Result<(), Refusal> {
        self.check_job(runner, job)?;
        self.seen(runner, now);
        let running = self.runs.job(job).is_some_and(|job| job.status == JobStatus::InProgress);
        if !running && !self.start_job(job, now) {
            return Err(Refusal::NotYours);
        }
        let name = self.runners.get(runner).map(|runner| runner.name.clone()).unwrap_or_default();
        let faults = self.config.faults.clone();
        if !running && faults.deletes_registration(&name, Deletion::Busy, now) {
            self.remove_runner(runner, now);
        }
        Ok(())
    }

    /// `POST /jobs/{id}/log`.
    pub(crate) fn runner_logs(
        &mut self,
        runner: u64,
        job: u64,
        lines: LogLines,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_job(runner, job)?;
        self.seen(runner, now);
        self.log_job(job, lines, now);
        Ok(())
    }

    /// `POST /jobs/{id}/steps`.
    pub(crate) fn runner_steps(
        &mut self,
        runner: u64,
        job: u64,
        update: StepUpdate,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_job(runner, job)?;
        self.seen(runner, now);
        self.step_job(job, update, now);
        Ok(())
    }

    /// `POST /jobs/{id}/renew`.
    pub(crate) fn runner_renews(
        &mut self,
        runner: u64,
        job: u64,
        now: Timestamp,
    ) -> Result<Renewal, Refusal> {
        self.check_job(runner, job)?;
        self.seen(runner, now);
        let job = self.runs.job_mut(job).ok_or(Refusal::NotYours)?;
        job.heard_at = now;
        Ok(Renewal { cancel: job.cancel })
    }

    /// `POST /jobs/{id}/complete`. A single-use runner is removed by it.
    pub(crate) fn runner_completes(
        &mut self,
        runner: u64,
        job: u64,
        completion: Completion,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_job(runner, job)?;
        let running = self.runs.job(job).is_some_and(|job| job.status == JobStatus::InProgress);
        if running && self.complete_job(job, completion, now) { Ok(()) } else { Err(Refusal::NotYours) }
    }

    /// Keeps lines of a job's log and shows them.
    pub(crate) fn log_job(&mut self, id: u64, lines: LogLines, now: Timestamp) {
        for line in &lines.lines {
            self.emit(Event::JobLog { job_id: id, line: line.clone() });
        }
        if let Some(job) = self.runs.job_mut(id) {
            job.log(lines, now);
        }
    }

    /// Notes that a step began or ended.
    pub(crate) fn step_job(&mut self, id: u64, update: StepUpdate, now: Timestamp) {
        if let Some(job) = self.runs.job_mut(id) {
            job.step(&update, now);
        }
        let StepUpdate { number, name, conclusion } = update;
        self.emit(Event::Step { job_id: id, number, name, conclusion });
    }

    /// Whether a job on a hosted machine shall stop.
    pub(crate) fn hosted_is_cancelled(&self, id: u64) -> bool {
        self.runs.job(id).is_some_and(|job| job.cancel && matches!(job.place, Place::Hosted { .. }))
    }
}

/// Whether a version is below another; what is no number counts as 0.
fn older(version: &str, floor: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    numbers(version) < numbers(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(older("2.99.0", "2.329.0"));
        assert!(older("2.328.9", "2.329.0"));
        assert!(!older("2.329.0", "2.329.0"));
        assert!(!older("v3.0", "2.329.0"));
        assert!(older("nonsense", "2.329.0"));
    }
}
