//! The events of a queue, in the shapes of the service (`actions/scaleset`, `types.go`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::job::{Job, Place, Share};
use super::super::oidc::workflow_ref;
use super::super::state::State;
use crate::protocol::Conclusion;

/// What the service writes where there is no time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// A time as the service writes it.
pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NEVER.to_owned(), |at| at.to_string())
}

/// What a job came to, in the words of the service.
fn result(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "succeeded",
        Conclusion::Failure => "failed",
        Conclusion::Cancelled => "canceled",
        Conclusion::Skipped => "skipped",
    }
}

/// The runner of a job that has started.
fn ran(job: &Job) -> Option<(u64, &str)> {
    match &job.place {
        Place::Runner { id, name, .. } if job.started_at.is_some() => Some((*id, name)),
        _ => None,
    }
}

impl State {
    pub(super) fn available_event(&self, job: &Job, share: Share) -> Value {
        let mut event = self.event(job, share, "JobAvailable");
        let acquire = format!("_apis/runtime/runnerscalesets/{}/acquirejobs", share.set);
        event["acquireJobUrl"] = json!(format!("{}{acquire}", self.urls.actions_service()));
        event
    }

    pub(super) fn assigned_event(&self, job: &Job, share: Share) -> Value {
        self.event(job, share, "JobAssigned")
    }

    pub(super) fn started_event(&self, job: &Job, share: Share) -> Value {
        let mut event = self.event(job, share, "JobStarted");
        let (id, name) = ran(job).unwrap_or_default();
        (event["runnerId"], event["runnerName"]) = (json!(id), json!(name));
        event
    }

    pub(super) fn completed_event(&self, job: &Job, share: Share, conclusion: Conclusion) -> Value {
        let mut event = self.event(job, share, "JobCompleted");
        let (id, name) = ran(job).unwrap_or_default();
        (event["runnerId"], event["runnerName"]) = (json!(id), json!(name));
        event["result"] = json!(result(conclusion));
        event
    }

    fn event(&self, job: &Job, share: Share, kind: &str) -> Value {
        let run = self.runs.run(job.run);
        let repository = self.accounts.repositories.get(&job.repository);
        let reference = run
            .zip(repository)
            .map(|(run, repository)| workflow_ref(repository, &run.workflow_path, &run.git_ref));
        json!({
            "messageType": kind,
            "runnerRequestId": share.request,
            "repositoryName": repository.map(|repository| repository.name.as_str()),
            "ownerName": repository.map(|repository| repository.owner.as_str()),
            "jobId": job.guid,
            "jobWorkflowRef": reference,
            "jobDisplayName": job.name,
            "workflowRunId": job.run,
            "eventName": run.map(|run| run.event.as_str()),
            "requestLabels": job.labels,
            "queueTime": time(Some(job.queued_at)),
            "scaleSetAssignTime": time(share.assigned_at),
            "runnerAssignTime": time(job.taken_at.filter(|_| job.started_at.is_some())),
            "finishTime": time(job.completed_at),
        })
    }
}
