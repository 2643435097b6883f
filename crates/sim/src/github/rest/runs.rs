//! Workflow runs, their jobs and logs.

use serde_json::{Value, json};

use super::super::job::{Job, Place, StepRecord};
use super::super::reruns::{Rerun, RerunError};
use super::super::runs::RunRecord;
use super::super::state::State;
use super::page::Page;
use super::{Answer, ApiError, Context, repos, shapes};
use crate::events::JobStatus;
use crate::protocol::Conclusion;

pub(super) fn conclusion(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "success",
        Conclusion::Failure => "failure",
        Conclusion::Cancelled => "cancelled",
        Conclusion::Skipped => "skipped",
    }
}

fn run_of<'a>(state: &'a State, context: &Context<'_>) -> Result<&'a RunRecord, ApiError> {
    let repository = repos::of_scope(state, context)?.id;
    state
        .runs
        .run(context.id("run_id")?)
        .filter(|run| run.repository == repository)
        .ok_or_else(ApiError::not_found)
}

/// A job as the API knows it: one that waits for others has not been made yet.
fn job_of<'a>(state: &'a State, context: &Context<'_>) -> Result<&'a Job, ApiError> {
    let repository = repos::of_scope(state, context)?.id;
    state
        .runs
        .job(context.id("job_id")?)
        .filter(|job| job.repository == repository && job.status != JobStatus::Waiting)
        .ok_or_else(ApiError::not_found)
}

/// `GET …/actions/runs/{run_id}`, schema `workflow-run`.
pub(super) fn run(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let repository = repos::of_scope(state, context)?;
    let run = run_of(state, context)?;
    let minimal = shapes::minimal_repository(repository, &repos::owner(state, repository), &state.urls);
    let api = shapes::repository_url(repository, &state.urls);
    let url = format!("{api}/actions/runs/{}", run.id);
    let actor = shapes::user(run.actor_id, &run.actor, "User", &state.urls);
    let begun = state
        .runs
        .jobs_of(run.id)
        .filter(|job| job.attempt == run.attempt)
        .any(|job| matches!(job.status, JobStatus::InProgress | JobStatus::Completed(_)));
    let status = match run.conclusion {
        Some(_) => "completed",
        None if begun => "in_progress",
        None => "queued",
    };
    let author = json!({ "name": run.actor, "email": format!("{}@users.noreply.github.com", run.actor) });
    Ok(Answer::ok(json!({
        "id": run.id,
        "name": run.workflow_name,
        "node_id": shapes::node_id("WFR", run.id),
        "check_suite_id": run.id,
        "check_suite_node_id": shapes::node_id("CS", run.id),
        "head_branch": run.ref_name(),
        "head_sha": run.sha,
        "path": run.workflow_path,
        "display_title": run.workflow_name,
        "run_number": run.number,
        "run_attempt": run.attempt,
        "event": run.event,
        "status": status,
        "conclusion": run.conclusion.map(conclusion),
        "workflow_id": run.repository,
        "pull_requests": [],
        "created_at": shapes::time(run.created_at),
        "updated_at": shapes::time(run.updated_at),
        "run_started_at": shapes::time(run.attempt_began_at),
        "actor": actor,
        "triggering_actor": shapes::user(run.triggering_actor_id, &run.triggering_actor, "User", &state.urls),
        "url": url,
        "html_url": format!("{}/{}/actions/runs/{}", state.urls.server, repository.full_name(), run.id),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{api}/check-suites/{}", run.id),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "workflow_url": format!("{api}/actions/workflows/{}", run.repository),
        "previous_attempt_url": (run.attempt > 1).then(|| format!("{url}/attempts/{}", run.attempt - 1)),
        "head_commit": {
            "id": run.sha,
            "tree_id": run.sha,
            "message": "",
            "timestamp": shapes::time(repository.created_at),
            "author": author,
            "committer": author,
        },
        "repository": minimal,
        "head_repository": minimal,
    })))
}

/// `POST …/actions/runs/{run_id}/cancel`.
pub(super) fn cancel(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let id = run_of(state, context)?.id;
    if state.cancel_run(id, context.now) {
        Ok(Answer::new(202, Some(json!({}))))
    } else {
        Err(ApiError::new(409, "Cannot cancel a workflow run that is completed."))
    }
}

/// `POST …/actions/runs/{run_id}/rerun`.
pub(super) fn rerun(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    run_again(state, context, run_of(state, context)?.id, Rerun::All)
}

/// `POST …/actions/runs/{run_id}/rerun-failed-jobs`.
pub(super) fn rerun_failed(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    run_again(state, context, run_of(state, context)?.id, Rerun::Failed)
}

/// `POST …/actions/jobs/{job_id}/rerun`.
pub(super) fn rerun_job(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let job = job_of(state, context)?;
    run_again(state, context, job.run, Rerun::Job(job.id))
}

fn run_again(state: &mut State, context: &Context<'_>, run: u64, which: Rerun) -> Result<Answer, ApiError> {
    let asked = context.request.object()?;
    if let Some((key, _)) = asked.iter().find(|(_, value)| **value == json!(true)) {
        return Err(ApiError::new(403, format!("`{key}` is not simulated")));
    }
    let login = context.caller.user().unwrap_or("github-actions[bot]").to_owned();
    let id = state.accounts.account(&login).map_or(0, |account| account.id);
    match state.rerun(run, which, (&login, id), context.now) {
        Ok(()) => Ok(Answer::created(json!({}))),
        Err(RerunError::NotFound) => Err(ApiError::not_found()),
        Err(refusal) => Err(ApiError::new(403, refusal.to_string())),
    }
}

/// Schema `job`.
fn shape(job: &Job, run: &RunRecord, context: &Context<'_>, state: &State) -> Value {
    let full_name = format!("{}/{}", context.param("owner"), context.param("repo"));
    let api = format!("{}/repos/{full_name}", state.urls.api());
    let (status, result) = match job.status {
        JobStatus::Waiting => ("waiting", None),
        JobStatus::Queued => ("queued", None),
        JobStatus::InProgress => ("in_progress", None),
        JobStatus::Completed(result) => ("completed", Some(conclusion(result))),
    };
    let (runner_id, runner_name, group_id, group) = match &job.place {
        // A machine that has not begun may still lose the job.
        _ if job.started_at.is_none() => (None, None, None, None),
        Place::None => (None, None, None, None),
        Place::Hosted { name } => (Some(0), Some(name.as_str()), Some(0), Some("GitHub Actions")),
        Place::Runner { id, name, group_id, group } => {
            (Some(*id), Some(name.as_str()), Some(*group_id), Some(group.as_str()))
        }
    };
    json!({
        "id": job.id,
        "run_id": job.run,
        "run_url": format!("{api}/actions/runs/{}", job.run),
        "run_attempt": job.attempt,
        "node_id": shapes::node_id("CR", job.id),
        "head_sha": run.sha,
        "head_branch": run.ref_name(),
        "url": format!("{api}/actions/jobs/{}", job.id),
        "html_url": format!("{}/{full_name}/actions/runs/{}/job/{}", state.urls.server, job.run, job.id),
        "check_run_url": format!("{api}/check-runs/{}", job.id),
        "status": status,
        "conclusion": result,
        "created_at": shapes::time(job.created_at),
        "started_at": shapes::time(job.started_at.unwrap_or(job.queued_at)),
        "completed_at": job.completed_at.map(shapes::time),
        "name": job.name,
        "workflow_name": run.workflow_name,
        "labels": job.labels,
        "runner_id": runner_id,
        "runner_name": runner_name,
        "runner_group_id": group_id,
        "runner_group_name": group,
        "steps": job.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &StepRecord) -> Value {
    json!({
        "number": step.number,
        "name": step.name,
        "status": if step.conclusion.is_some() { "completed" } else { "in_progress" },
        "conclusion": step.conclusion.map(conclusion),
        "started_at": shapes::time(step.started_at),
        "completed_at": step.completed_at.map(shapes::time),
    })
}

/// `GET …/actions/runs/{run_id}/jobs`.
pub(super) fn jobs(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let run = run_of(state, context)?;
    let wanted: Vec<&Job> = match context.request.query("filter") {
        Some("all") => state.runs.all_jobs_of(run.id).collect(),
        _ => state.runs.jobs_of(run.id).collect(),
    };
    let made = wanted.into_iter().filter(|job| job.status != JobStatus::Waiting);
    let all = made.map(|job| shape(job, run, context, state)).collect();
    let url = format!("{}{}", state.urls.api(), context.request.path);
    Ok(Page::of(context.request).answer(context.request, &url, "jobs", all))
}

/// `GET …/actions/jobs/{job_id}`.
pub(super) fn job(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let job = job_of(state, context)?;
    let run = state.runs.run(job.run).ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(shape(job, run, context, state)))
}

/// `GET …/actions/jobs/{job_id}/logs`: to an address that needs no credentials and soon stops to work.
pub(super) fn logs(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let job = job_of(state, context)?.id;
    let url = state.log_url(job, context.now);
    Ok(Answer::new(302, None).with("Location", url))
}
