//! Runs steps, of a job and of the composite actions it uses: conditions, results, contexts.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::machine::{Machine, status_name};
use super::{composite, uses};
use crate::protocol::{Conclusion, StepUpdate};
use crate::runner::run_step;
use crate::workflow::expression::{self, Scope, Status};
use crate::workflow::{Reference, Remote, Step, StepAction};

/// A list of steps that see each other: those of a job, or those of one composite action.
pub(crate) struct Frame {
    /// All but `env`, `job`, `runner`; `steps` grows.
    pub(crate) contexts: Map<String, Value>,
    /// `env` that comes from the step that uses the action.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) status: Status,
    /// How many actions lead here; 0 for the job.
    pub(crate) depth: usize,
    /// The folder of the action.
    pub(crate) action_path: Option<PathBuf>,
    /// The action, if it is another repository's.
    pub(crate) remote: Option<Remote>,
    /// Number of the job's step that all this belongs to; 0 while there is none.
    pub(crate) number: u32,
    /// When the job's step must be over.
    pub(crate) deadline: Option<Instant>,
    /// How often each `GITHUB_ACTION` was used.
    names: BTreeMap<String, u32>,
}

impl Frame {
    pub(crate) fn new(contexts: Map<String, Value>) -> Self {
        Self {
            contexts,
            env: BTreeMap::new(),
            status: Status::Success,
            depth: 0,
            action_path: None,
            remote: None,
            number: 0,
            deadline: None,
            names: BTreeMap::new(),
        }
    }

    /// `GITHUB_ACTION`: the step's id, or the action's name with a number from the second on.
    fn action_name(&mut self, step: &Step) -> String {
        let name = match (&step.id, &step.action) {
            (Some(id), _) => return id.clone(),
            (None, StepAction::Run { .. }) => "__run".to_owned(),
            (None, StepAction::Uses { action, .. }) => {
                let name = action.split('@').next().unwrap_or(action);
                format!("__{}", name.trim_start_matches("./").replace(['/', '.'], "_"))
            }
        };
        let used = self.names.entry(name.clone()).or_insert(0);
        *used += 1;
        if *used == 1 { name } else { format!("{name}_{used}") }
    }
}

/// How one step ended, before `continue-on-error`.
pub(crate) struct Outcome {
    pub(crate) conclusion: Conclusion,
    pub(crate) outputs: BTreeMap<String, String>,
}

impl Outcome {
    pub(crate) fn failure() -> Self {
        Self { conclusion: Conclusion::Failure, outputs: BTreeMap::new() }
    }
}

/// A step with everything evaluated that its kinds have in common.
pub(crate) struct Prepared {
    pub(crate) contexts: Map<String, Value>,
    /// The `env` context with the step's own.
    pub(crate) env: BTreeMap<String, String>,
    /// The step's own, for the log.
    pub(crate) own_env: BTreeMap<String, String>,
    pub(crate) action_name: String,
    pub(crate) status: Status,
}

impl Prepared {
    pub(crate) fn scope<'a>(&'a self, machine: &'a Machine) -> Scope<'a> {
        Scope { contexts: &self.contexts, status: self.status, workspace: Some(&machine.workspace) }
    }
}

/// Runs steps in order. What they come to is in [`Frame::status`]. Boxed, because actions use actions.
pub(crate) fn run<'a>(
    machine: &'a mut Machine,
    frame: &'a mut Frame,
    steps: &'a [Step],
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    Box::pin(async move {
        for step in steps {
            if frame.depth == 0 {
                frame.number += 1;
            }
            if machine.notice_cancellation() {
                frame.status = Status::Cancelled;
            }
            let (outcome, conclusion) = one(machine, frame, step).await;
            if let Some(id) = &step.id {
                let entry = json!({
                    "outputs": outcome.outputs, "outcome": outcome.conclusion, "conclusion": conclusion,
                });
                if let Some(steps) = frame.contexts.get_mut("steps").and_then(Value::as_object_mut) {
                    steps.insert(id.clone(), entry);
                }
            }
            if machine.notice_cancellation() {
                frame.status = Status::Cancelled;
            } else if conclusion == Conclusion::Failure {
                frame.status = Status::Failure;
            }
        }
    })
}

/// Runs one step; its outcome, and its conclusion after `continue-on-error`.
async fn one(machine: &mut Machine, frame: &mut Frame, step: &Step) -> (Outcome, Conclusion) {
    let number = frame.number;
    let prepared = prepare(machine, frame, step);
    let holds = prepared.as_ref().map_err(Clone::clone).and_then(|prepared| {
        expression::condition(step.condition.as_deref().unwrap_or_default(), &prepared.scope(machine))
            .map_err(|error| error.to_string())
    });
    let name = display_name(machine, step, prepared.as_ref().ok());
    let report = |machine: &Machine, conclusion| {
        if frame.depth == 0 {
            let name = machine.log.masks().apply(&name);
            machine.log.reporter().step(StepUpdate { number, name, conclusion });
        }
    };
    if holds == Ok(false) {
        report(machine, Some(Conclusion::Skipped));
        return (Outcome { conclusion: Conclusion::Skipped, outputs: BTreeMap::new() }, Conclusion::Skipped);
    }
    report(machine, None);
    let outcome = match (prepared, holds) {
        (Ok(prepared), Ok(_)) => act(machine, frame, step, &prepared).await,
        (Err(message), _) | (_, Err(message)) => {
            machine.log.error(number, &format!("line {} of the workflow: {message}", step.line));
            (Outcome::failure(), false)
        }
    };
    let (outcome, continue_on_error) = outcome;
    let conclusion = match outcome.conclusion {
        Conclusion::Failure if continue_on_error => Conclusion::Success,
        conclusion => conclusion,
    };
    report(machine, Some(conclusion));
    (outcome, conclusion)
}

fn prepare(machine: &Machine, frame: &mut Frame, step: &Step) -> Result<Prepared, String> {
    let mut env = machine.env.clone();
    env.extend(frame.env.clone());
    let action_name = frame.action_name(step);
    let mut contexts = frame.contexts.clone();
    if let Some(github) = contexts.get_mut("github").and_then(Value::as_object_mut) {
        github.insert("action".to_owned(), action_name.clone().into());
        github.insert("action_status".to_owned(), status_name(frame.status).into());
        if let Some(path) = &frame.action_path {
            github.insert("action_path".to_owned(), path.display().to_string().into());
        }
        if let Some(remote) = &frame.remote {
            github.insert("action_repository".to_owned(), remote.repository().into());
            github.insert("action_ref".to_owned(), remote.version.clone().into());
        }
    }
    machine.complete_contexts(&mut contexts, &env, frame.status);
    let mut prepared =
        Prepared { contexts, env, own_env: BTreeMap::new(), action_name, status: frame.status };
    for (name, text) in &step.env {
        let value = expression::render(text, &prepared.scope(machine)).map_err(|error| error.to_string())?;
        prepared.own_env.insert(name.clone(), value);
    }
    // GitHub's runner knows these two in `env` and nowhere else (actions/runner#2473).
    if let Some(github) = prepared.contexts.get_mut("github").and_then(Value::as_object_mut) {
        github.remove("action_repository");
        github.remove("action_ref");
    }
    prepared.env.extend(prepared.own_env.clone());
    let env = json!(prepared.env);
    prepared.contexts.insert("env".to_owned(), env);
    Ok(prepared)
}

/// Does what the step says; also says whether the job goes on if it failed.
async fn act(machine: &mut Machine, frame: &Frame, step: &Step, prepared: &Prepared) -> (Outcome, bool) {
    let number = frame.number;
    let limits = limits(machine, step, prepared);
    let (continue_on_error, minutes) = match limits {
        Ok(limits) => limits,
        Err(message) => {
            machine.log.error(number, &message);
            return (Outcome::failure(), false);
        }
    };
    let deadline = match minutes {
        // Half a century is as good as for ever, and can be added to the clock.
        Some(minutes) => Some(Instant::now() + Duration::from_secs_f64((minutes * 60.0).min(1.5e9))),
        None => frame.deadline,
    };
    let outcome = match &step.action {
        StepAction::Run { script, shell, working_directory } => {
            let run = run_step::RunStep {
                script,
                shell: shell.as_deref(),
                working_directory: working_directory.as_deref(),
            };
            run_step::run(machine, frame, prepared, &run, deadline).await
        }
        StepAction::Uses { action, with } => match uses::with(machine, prepared, with) {
            Err(message) => {
                machine.log.error(number, &message);
                Outcome::failure()
            }
            Ok(with) => match Reference::of(action) {
                Reference::Checkout => uses::checkout(machine, number, action, with, prepared).await,
                reference => {
                    let call = composite::Call { action, reference, with, deadline };
                    composite::run(machine, frame, prepared, call).await
                }
            },
        },
    };
    (outcome, continue_on_error)
}

fn limits(machine: &Machine, step: &Step, prepared: &Prepared) -> Result<(bool, Option<f64>), String> {
    let scope = prepared.scope(machine);
    let render = |text: &str| expression::render(text, &scope).map_err(|error| error.to_string());
    let continue_on_error = match &step.continue_on_error {
        None => false,
        Some(text) => match render(text)?.as_str() {
            "true" => true,
            "false" | "" => false,
            other => return Err(format!("`continue-on-error` must be true or false, not `{other}`")),
        },
    };
    let minutes = match &step.timeout_minutes {
        None => None,
        Some(text) => {
            let text = render(text)?;
            let minutes =
                text.trim().parse::<f64>().ok().filter(|minutes| minutes.is_finite() && *minutes > 0.0);
            Some(
                minutes
                    .ok_or_else(|| format!("`timeout-minutes` must be a number above zero, not `{text}`"))?,
            )
        }
    };
    Ok((continue_on_error, minutes))
}

fn display_name(machine: &Machine, step: &Step, prepared: Option<&Prepared>) -> String {
    let render = |text: &str| {
        prepared
            .and_then(|prepared| expression::render(text, &prepared.scope(machine)).ok())
            .unwrap_or_else(|| text.to_owned())
    };
    match (&step.name, &step.action) {
        (Some(name), _) => render(name),
        (None, StepAction::Run { script, .. }) => {
            let script = render(script);
            format!("Run {}", script.trim().lines().next().unwrap_or_default())
        }
        (None, StepAction::Uses { action, .. }) => format!("Run {action}"),
    }
}
