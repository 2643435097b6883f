//! Self-hosted runners and their groups.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::super::accounts::{RunnerGroup, Scope};
use super::super::runners::{Registration, Runner};
use super::super::state::State;
use super::page::Page;
use super::{Answer, ApiError, Context, shapes};
use crate::faults::Deletion;

/// Longest name of a runner.
const MAX_NAME: usize = 64;
/// Longest label.
const MAX_LABEL: usize = 256;
/// Most labels of a runner.
const MAX_LABELS: usize = 100;

/// Schema `runner`.
fn shape(runner: &Runner) -> Value {
    json!({
        "id": runner.id,
        "name": runner.name,
        "os": runner.os.as_deref().unwrap_or("unknown"),
        "status": if runner.is_online() { "online" } else { "offline" },
        "busy": runner.is_busy(),
        "ephemeral": true,
        "runner_group_id": runner.group_id,
        "version": runner.version,
        "labels": label_shapes(runner),
    })
}

fn label_shapes(runner: &Runner) -> Vec<Value> {
    let label = |(index, name): (usize, &String)| {
        let known = ["self-hosted", "linux", "x64", "arm64"].contains(&name.to_lowercase().as_str());
        json!({ "id": index + 1, "name": name, "type": if known { "read-only" } else { "custom" } })
    };
    runner.labels.iter().enumerate().map(label).collect()
}

fn prefix(context: &Context<'_>) -> String {
    match context.scope {
        Some(Scope::Organization(_)) => format!("/orgs/{}", context.param("org")),
        _ => format!("/repos/{}/{}", context.param("owner"), context.param("repo")),
    }
}

fn found<'a>(state: &'a State, context: &Context<'_>) -> Result<&'a Runner, ApiError> {
    let scope = context.scope()?;
    state
        .runners
        .get(context.id("runner_id")?)
        .filter(|runner| runner.scope == scope)
        .ok_or_else(ApiError::not_found)
}

/// `GET …/actions/runners`.
pub(super) fn list(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let scope = context.scope()?;
    let name = context.request.query("name");
    let all = state
        .runners
        .all()
        .filter(|runner| runner.scope == scope && name.is_none_or(|name| runner.name == name))
        .map(shape)
        .collect();
    let url = format!("{}{}/actions/runners", state.urls.api(), prefix(context));
    Ok(Page::of(context.request).answer(context.request, &url, "runners", all))
}

/// `GET …/actions/runners/{runner_id}`.
pub(super) fn get(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    Ok(Answer::ok(shape(found(state, context)?)))
}

/// `GET …/actions/runners/{runner_id}/labels`.
pub(super) fn labels(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let labels = label_shapes(found(state, context)?);
    Ok(Answer::ok(json!({ "total_count": labels.len(), "labels": labels })))
}

/// `DELETE …/actions/runners/{runner_id}`.
pub(super) fn delete(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let runner = found(state, context)?;
    if runner.is_busy() {
        let name = &runner.name;
        return Err(ApiError::new(422, format!("Bad request - Runner \"{name}\" is still running a job")));
    }
    let id = runner.id;
    state.remove_runner(id, context.now);
    Ok(Answer::no_content())
}

/// `POST …/actions/runners/registration-token` and `remove-token`.
pub(super) fn registration_token(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let expires = context.now + SignedDuration::from_hours(1);
    let token = format!("A{}", state.entropy.alphanumeric(28).to_uppercase());
    if context.request.path.ends_with("/registration-token") {
        state.actions_tokens.add_registration(token.clone(), context.scope()?, expires);
    }
    state.hand_out(&token);
    Ok(Answer::created(json!({ "token": token, "expires_at": shapes::time(expires) })))
}

/// `POST …/actions/runners/generate-jitconfig`.
pub(super) fn generate_jitconfig(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let scope = context.scope()?;
    let registration = registration(&context.request.object()?)?;
    let group = registration.group_id;
    let known = match scope {
        Scope::Repository(_) => group == 1,
        Scope::Organization(id) => state.accounts.groups_of(id).any(|it| it.id == group),
    };
    if !known {
        return Err(ApiError::not_found());
    }
    let caller = context.caller.bucket();
    state.secondary.register(&caller, scope, context.now).map_err(ApiError::secondary_limit)?;
    let name = registration.name.clone();
    let faults = state.config.faults.clone();
    if faults.takes_name(&name, context.now) {
        // Whether there was one of this name already or not: now there is.
        let _ = state.register_runner(scope, registration.clone(), context.now);
    }
    let (runner, encoded) = state.register_runner(scope, registration, context.now).map_err(|_| {
        ApiError::new(409, format!("Already exists - A runner with the name '{name}' already exists."))
    })?;
    let id = runner.id;
    let answer = Answer::created(json!({ "runner": shape(runner), "encoded_jit_config": encoded }));
    if faults.deletes_registration(&name, Deletion::Offline, context.now) {
        state.remove_runner(id, context.now);
    }
    Ok(answer)
}

/// Checks the body; all that is wrong is said at once.
fn registration(body: &Map<String, Value>) -> Result<Registration, ApiError> {
    let mut problems = Vec::new();
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if name.is_empty() {
        problems.push("name: must be given".to_owned());
    } else if name.chars().count() > MAX_NAME {
        problems.push(format!("name: is too long (maximum is {MAX_NAME} characters)"));
    }
    let group_id = body.get("runner_group_id").and_then(Value::as_u64);
    if group_id.is_none() {
        problems.push("runner_group_id: must be a number".to_owned());
    }
    let labels = labels_of(body.get("labels"), &mut problems);
    let work_folder = match body.get("work_folder") {
        None => "_work".to_owned(),
        Some(Value::String(folder)) => folder.clone(),
        Some(_) => {
            problems.push("work_folder: must be a string".to_owned());
            String::new()
        }
    };
    match group_id {
        Some(group_id) if problems.is_empty() => {
            Ok(Registration { name, labels, group_id, work_folder, scale_set: None })
        }
        _ => Err(ApiError::invalid(problems)),
    }
}

fn labels_of(value: Option<&Value>, problems: &mut Vec<String>) -> Vec<String> {
    let Some(items) = value.and_then(Value::as_array) else {
        problems.push("labels: must be an array of strings".to_owned());
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_LABELS {
        problems.push(format!("labels: must be 1 to {MAX_LABELS}"));
    }
    let mut labels = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item.as_str() {
            None | Some("") => problems.push(format!("labels[{index}]: must be a string that is not empty")),
            Some(label) if label.chars().count() > MAX_LABEL => {
                problems.push(format!("labels[{index}]: is too long (maximum is {MAX_LABEL} characters)"));
            }
            Some(label) if label.contains([',', ' ']) => {
                problems.push(format!("labels[{index}]: must not contain spaces or commas"));
            }
            Some(label) => labels.push(label.to_owned()),
        }
    }
    labels
}

/// `GET …/actions/runners/downloads`.
#[expect(clippy::unnecessary_wraps, reason = "a handler like the others, which can refuse")]
pub(super) fn downloads(state: &mut State, _: &Context<'_>) -> Result<Answer, ApiError> {
    let version = &state.config.latest_runner_version;
    let application = |architecture: &str| {
        let filename = format!("actions-runner-linux-{architecture}-{version}.tar.gz");
        let url = format!("{}/actions/runner/releases/download/v{version}/{filename}", state.urls.server);
        json!({ "os": "linux", "architecture": architecture, "download_url": url, "filename": filename })
    };
    Ok(Answer::ok(["x64", "arm64"].into_iter().map(application).collect()))
}

/// Schema `runner-groups-org`.
fn group_shape(group: &RunnerGroup, context: &Context<'_>, state: &State) -> Value {
    let url =
        format!("{}/orgs/{}/actions/runner-groups/{}", state.urls.api(), context.param("org"), group.id);
    let mut value = json!({
        "id": group.id,
        "name": group.name,
        "visibility": if group.selected.is_some() { "selected" } else { "all" },
        "default": group.is_default,
        "runners_url": format!("{url}/runners"),
        "inherited": false,
        "allows_public_repositories": true,
        "restricted_to_workflows": false,
        "selected_workflows": [],
        "workflow_restrictions_read_only": false,
    });
    if group.selected.is_some() {
        value["selected_repositories_url"] = json!(format!("{url}/repositories"));
    }
    value
}

fn organization(context: &Context<'_>) -> Result<u64, ApiError> {
    match context.scope()? {
        Scope::Organization(id) => Ok(id),
        Scope::Repository(_) => Err(ApiError::not_found()),
    }
}

/// `GET /orgs/{org}/actions/runner-groups`, also for the groups that one repository may use.
pub(super) fn groups(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let organization = organization(context)?;
    let visible: Option<BTreeSet<u64>> = context.request.query("visible_to_repository").map(|name| {
        let owner = context.param("org");
        state.accounts.repository(owner, name).map(|repository| repository.id).into_iter().collect()
    });
    let all = state
        .accounts
        .groups_of(organization)
        .filter(|group| visible.as_ref().is_none_or(|ids| ids.iter().any(|id| group.admits(*id))))
        .map(|group| group_shape(group, context, state))
        .collect();
    let url = format!("{}{}/actions/runner-groups", state.urls.api(), prefix(context));
    Ok(Page::of(context.request).answer(context.request, &url, "runner_groups", all))
}

fn group_of<'a>(state: &'a State, context: &Context<'_>) -> Result<&'a RunnerGroup, ApiError> {
    let (organization, id) = (organization(context)?, context.id("runner_group_id")?);
    state.accounts.groups_of(organization).find(|group| group.id == id).ok_or_else(ApiError::not_found)
}

/// `GET /orgs/{org}/actions/runner-groups/{runner_group_id}`.
pub(super) fn group(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    Ok(Answer::ok(group_shape(group_of(state, context)?, context, state)))
}

/// `GET /orgs/{org}/actions/runner-groups/{runner_group_id}/runners`.
pub(super) fn group_runners(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let (scope, group) = (context.scope()?, group_of(state, context)?.id);
    let all = state
        .runners
        .all()
        .filter(|runner| runner.scope == scope && runner.group_id == group)
        .map(shape)
        .collect();
    let url = format!("{}{}/actions/runner-groups/{group}/runners", state.urls.api(), prefix(context));
    Ok(Page::of(context.request).answer(context.request, &url, "runners", all))
}
