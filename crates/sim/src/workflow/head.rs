//! The head of a job: what must be known of it before it can be queued.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::expression::{EvaluateError, Scope, Status, parts, render, render_value};
use super::matrix::{self, Combination};
use super::model::{Job, Workflow};
use super::{EnvironmentScope, JobBody, QueuedJob, Start};

/// GitHub's default for `timeout-minutes`.
const TIMEOUT_MINUTES: f64 = 360.0;

/// What a job's `strategy` comes to.
pub(super) struct Plan {
    /// Absent without a matrix.
    pub(super) combinations: Option<Vec<Combination>>,
    pub(super) fail_fast: bool,
    pub(super) max_parallel: usize,
}

/// One job of a matrix, or the only one.
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) continue_on_error: bool,
    pub(super) queued: QueuedJob,
}

/// What a head is evaluated in, beside its contexts.
pub(super) struct Around<'a> {
    pub(super) workflow: &'a Workflow,
    pub(super) start: &'a Start,
    /// What the job sees as `secrets`, less those of its environment.
    pub(super) secrets: &'a BTreeMap<String, String>,
}

/// Why a head cannot be evaluated, as a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeadError {
    #[error(transparent)]
    Expression(#[from] EvaluateError),
    #[error("{0}")]
    Other(String),
}

/// Evaluates `strategy`.
pub(super) fn plan(job: &Job, contexts: &Map<String, Json>) -> Result<Plan, HeadError> {
    let scope = Scope { contexts, status: Status::Success, workspace: None };
    let combinations = match &job.strategy.matrix {
        None => None,
        Some(template) => Some(matrix::expand(&render_json(template, &scope)?).map_err(HeadError::Other)?),
    };
    let fail_fast = match &job.strategy.fail_fast {
        None => true,
        Some(text) => render_boolean(text, &scope)?,
    };
    let count = combinations.as_ref().map_or(1, Vec::len);
    let max_parallel = match &job.strategy.max_parallel {
        None => count,
        Some(text) => {
            let number = render_number(text, "max-parallel", &scope)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "above zero; a cast from float to integer saturates"
            )]
            let number = number.ceil() as usize;
            number.min(count)
        }
    };
    Ok(Plan { combinations, fail_fast, max_parallel })
}

/// Evaluates the head of one job of the plan.
pub(super) fn instance(
    job: &Job,
    around: &Around<'_>,
    mut contexts: Map<String, Json>,
    plan: &Plan,
    index: usize,
) -> Result<Instance, HeadError> {
    let Around { workflow, start, secrets } = around;
    let total = plan.combinations.as_ref().map_or(1, Vec::len);
    contexts.insert(
        "strategy".to_owned(),
        json!({"fail-fast": plan.fail_fast, "job-index": index, "job-total": total, "max-parallel": plan.max_parallel}),
    );
    let combination = plan.combinations.as_ref().and_then(|combinations| combinations.get(index));
    contexts.insert("matrix".to_owned(), combination.cloned().map_or(Json::Null, Json::Object));

    let environment = match &job.environment {
        None => None,
        Some(text) => {
            Some(render(text, &head_scope(&contexts))?.trim().to_owned()).filter(|name| !name.is_empty())
        }
    };
    let scoped = environment.as_ref().and_then(|name| start.environments.get(name));
    insert_vars(&mut contexts, start, scoped);
    let scope = head_scope(&contexts);

    let (labels, group) = runs_on(&render_json(&job.runs_on, &scope)?)?;
    let name = display_name(job, combination, &scope)?;
    let continue_on_error = match &job.continue_on_error {
        None => false,
        Some(text) => render_boolean(text, &scope)?,
    };
    let timeout_minutes = match &job.timeout_minutes {
        None => TIMEOUT_MINUTES,
        Some(text) => render_number(text, "timeout-minutes", &scope)?,
    };
    let body = JobBody {
        env: vec![workflow.env.clone(), job.env.clone()],
        steps: job.steps.clone(),
        outputs: job.outputs.clone(),
        default_shell: job.defaults.shell.clone(),
        default_working_directory: job.defaults.working_directory.clone(),
        timeout_minutes,
    };
    let mut secrets = (*secrets).clone();
    secrets.extend(scoped.map(|scope| scope.secrets.clone()).unwrap_or_default());
    contexts.insert("secrets".to_owned(), texts(&secrets));
    let permissions = job.permissions.clone();
    let queued = QueuedJob { labels, group, environment, called: None, permissions, body, contexts };
    Ok(Instance { name, continue_on_error, queued })
}

/// Puts the variables into the contexts; those of the environment win.
pub(super) fn insert_vars(
    contexts: &mut Map<String, Json>,
    start: &Start,
    scoped: Option<&EnvironmentScope>,
) {
    let mut vars = start.vars.clone();
    vars.extend(scoped.map(|scope| scope.vars.clone()).unwrap_or_default());
    contexts.insert("vars".to_owned(), texts(&vars));
}

/// The name of a job that was never expanded.
pub(super) fn plain_name(job: &Job) -> String {
    job.name.clone().filter(|name| !name.contains("${{")).unwrap_or_else(|| job.id.clone())
}

/// The name of a job that calls a workflow.
pub(super) fn call_name(job: &Job, contexts: &Map<String, Json>) -> Result<String, EvaluateError> {
    job.name.as_ref().map_or_else(|| Ok(job.id.clone()), |text| render(text, &head_scope(contexts)))
}

fn head_scope(contexts: &Map<String, Json>) -> Scope<'_> {
    Scope { contexts, status: Status::Success, workspace: None }
}

fn texts(map: &BTreeMap<String, String>) -> Json {
    map.iter().map(|(key, value)| (key.clone(), Json::String(value.clone()))).collect::<Map<_, _>>().into()
}

/// A name that says nothing of the matrix gets its values behind it.
fn display_name(
    job: &Job,
    combination: Option<&Combination>,
    scope: &Scope<'_>,
) -> Result<String, EvaluateError> {
    let (name, says_it_all) = match &job.name {
        None => (job.id.clone(), false),
        Some(text) => {
            (render(text, scope)?, parts(text).is_ok_and(|parts| parts.len() > 1) || text.contains("${{"))
        }
    };
    Ok(match combination {
        Some(combination) if !says_it_all => format!("{name} ({})", matrix::label(combination)),
        _ => name,
    })
}

fn runs_on(value: &Json) -> Result<(Vec<String>, Option<String>), HeadError> {
    let (labels, group) = match value {
        Json::Object(map) => (map.get("labels"), map.get("group").and_then(Json::as_str)),
        other => (Some(other), None),
    };
    let labels = match labels {
        None => Vec::new(),
        Some(Json::Array(items)) => items.iter().map(label).collect::<Result<_, _>>()?,
        Some(one) => vec![label(one)?],
    };
    if labels.is_empty() && group.is_none_or(str::is_empty) {
        return Err(HeadError::Other("`runs-on` names no label".to_owned()));
    }
    Ok((labels, group.map(str::to_owned)))
}

fn label(value: &Json) -> Result<String, HeadError> {
    match value {
        Json::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Json::Number(number) => Ok(number.to_string()),
        Json::String(_) | Json::Null => Err(HeadError::Other(
            "a label of `runs-on` is empty: does the job that it comes from have that output?".to_owned(),
        )),
        other => Err(HeadError::Other(format!("`runs-on` holds `{other}`, which is no label"))),
    }
}

fn render_boolean(text: &str, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
    Ok(match render_value(text, scope)? {
        super::expression::Value::Text(text) => text == "true",
        value => value.truthy(),
    })
}

fn render_number(text: &str, key: &str, scope: &Scope<'_>) -> Result<f64, HeadError> {
    let rendered = render(text, scope)?;
    rendered
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && *number > 0.0)
        .ok_or_else(|| HeadError::Other(format!("`{key}` must be a number above zero, not `{rendered}`")))
}

/// Every text replaced by its value; lists and objects from expressions keep their shape.
fn render_json(template: &Json, scope: &Scope<'_>) -> Result<Json, EvaluateError> {
    Ok(match template {
        Json::String(text) => render_value(text, scope)?.to_json(),
        Json::Array(items) => {
            Json::Array(items.iter().map(|item| render_json(item, scope)).collect::<Result<_, _>>()?)
        }
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| Ok((key.clone(), render_json(value, scope)?)))
            .collect::<Result<Map<_, _>, EvaluateError>>()?
            .into(),
        other => other.clone(),
    })
}
