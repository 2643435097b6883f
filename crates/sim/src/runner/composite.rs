//! Local composite actions: steps within a step.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::machine::Machine;
use super::steps::{self, Frame, Outcome, Prepared};
use crate::protocol::Conclusion;
use crate::workflow::expression::{self, Scope, Status};
use crate::workflow::{CompositeAction, DEEPEST_ACTION, local_folder};

/// Contexts that an action's steps see as the job's steps do; secrets, for one, must be handed over.
const SHARED: [&str; 3] = ["github", "strategy", "matrix"];

pub(crate) async fn run(
    machine: &mut Machine,
    outer: &Frame,
    prepared: &Prepared,
    action: &str,
    with: BTreeMap<String, String>,
    deadline: Option<Instant>,
) -> Outcome {
    let number = outer.number;
    machine.log.write(number, &format!("##[group]Run {action}"));
    if !with.is_empty() {
        machine.log.write(number, "with:");
        for (name, value) in &with {
            machine.log.write(number, &format!("  {name}: {value}"));
        }
    }
    machine.log.write(number, "##[endgroup]");
    let opened = open(machine, outer, prepared, action, &with, deadline);
    let (action, mut frame) = match opened {
        Ok(opened) => opened,
        Err(message) => {
            machine.log.error(number, &message);
            return Outcome::failure();
        }
    };
    steps::run(machine, &mut frame, &action.steps).await;
    let conclusion = match frame.status {
        Status::Success | Status::Skipped => Conclusion::Success,
        Status::Failure => Conclusion::Failure,
        Status::Cancelled => Conclusion::Cancelled,
    };
    let mut contexts = frame.contexts;
    machine.complete_contexts(&mut contexts, &prepared.env, frame.status);
    let scope = Scope { contexts: &contexts, status: frame.status, workspace: Some(&machine.workspace) };
    let mut outcome = Outcome { conclusion, outputs: BTreeMap::new() };
    for (name, text) in &action.outputs {
        match expression::render(text, &scope) {
            Ok(value) => {
                outcome.outputs.insert(name.clone(), value);
            }
            Err(error) => {
                machine.log.error(number, &format!("the output `{name}`: {error}"));
                outcome.conclusion = Conclusion::Failure;
            }
        }
    }
    outcome
}

/// Reads the action from the workspace and sets the stage for its steps.
fn open(
    machine: &Machine,
    outer: &Frame,
    prepared: &Prepared,
    action: &str,
    with: &BTreeMap<String, String>,
    deadline: Option<Instant>,
) -> Result<(CompositeAction, Frame), String> {
    if outer.depth >= DEEPEST_ACTION {
        return Err(format!("actions use each other more than {DEEPEST_ACTION} levels deep"));
    }
    let folder = local_folder(action).ok_or_else(|| format!("`{action}` leads out of the workspace"))?;
    let folder = machine.workspace.join(folder);
    let file = CompositeAction::file(&folder).ok_or_else(|| {
        format!(
            "Can't find 'action.yml' or 'action.yaml' under '{}'. Did you forget to run actions/checkout before running your local action?",
            folder.display()
        )
    })?;
    let loaded = CompositeAction::open(&file, &machine.workspace).map_err(|error| error.to_string())?;

    let mut contexts: Map<String, Value> = SHARED
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), prepared.contexts.get(name)?.clone())))
        .collect();
    contexts.insert("steps".to_owned(), json!({}));
    let mut inputs = Map::new();
    for input in &loaded.inputs {
        let given =
            with.iter().find(|(name, _)| name.eq_ignore_ascii_case(&input.name)).map(|(_, value)| value);
        let value = match (given, &input.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => {
                expression::render(default, &prepared.scope(machine)).map_err(|error| error.to_string())?
            }
            (None, None) => String::new(),
        };
        inputs.insert(input.name.clone(), value.into());
    }
    let unknown: Vec<_> =
        with.keys().filter(|name| loaded.input(name).is_none()).map(String::as_str).collect();
    if !unknown.is_empty() {
        let message = format!("Unexpected input(s) '{}' of {action}", unknown.join("', '"));
        machine.log.warning(outer.number, &message);
    }
    contexts.insert("inputs".to_owned(), inputs.into());
    let mut frame = Frame::new(contexts);
    frame.env = prepared.own_env.clone();
    if outer.depth > 0 {
        let mut env = outer.env.clone();
        env.extend(std::mem::take(&mut frame.env));
        frame.env = env;
    }
    frame.depth = outer.depth + 1;
    frame.action_path = Some(folder);
    frame.number = outer.number;
    frame.deadline = deadline;
    Ok((loaded, frame))
}
