//! Composite actions: steps within a step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::checkout;
use super::machine::Machine;
use super::steps::{self, Frame, Outcome, Prepared};
use crate::protocol::Conclusion;
use crate::workflow::expression::{self, Scope, Status};
use crate::workflow::{CompositeAction, DEEPEST_ACTION, Library, Reference, Remote};

/// Contexts that an action's steps see as the job's steps do; secrets, for one, must be handed over.
const SHARED: [&str; 3] = ["github", "strategy", "matrix"];

/// A step that uses an action.
pub(crate) struct Call<'a> {
    /// As `uses` says it.
    pub(crate) action: &'a str,
    pub(crate) reference: Reference,
    pub(crate) with: BTreeMap<String, String>,
    pub(crate) deadline: Option<Instant>,
}

/// An action's files on this machine.
struct Place {
    folder: PathBuf,
    remote: Option<Remote>,
}

pub(crate) async fn run(
    machine: &mut Machine,
    outer: &Frame,
    prepared: &Prepared,
    call: Call<'_>,
) -> Outcome {
    let number = outer.number;
    let failed = |machine: &Machine, message: &str| {
        machine.log.error(number, message);
        Outcome::failure()
    };
    let place = match place(machine, number, &call).await {
        Ok(place) => place,
        Err(message) => return failed(machine, &message),
    };
    let Call { action, with, deadline, .. } = call;
    machine.log.write(number, &format!("##[group]Run {action}"));
    if !with.is_empty() {
        machine.log.write(number, "with:");
        for (name, value) in &with {
            machine.log.write(number, &format!("  {name}: {value}"));
        }
    }
    machine.log.write(number, "##[endgroup]");
    let opened = open(machine, outer, prepared, (action, place), &with);
    let (action, mut frame) = match opened {
        Ok(opened) => opened,
        Err(message) => return failed(machine, &message),
    };
    frame.deadline = deadline;
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

/// Where the action is; fetches it if it is another repository's.
async fn place(machine: &Machine, number: u32, call: &Call<'_>) -> Result<Place, String> {
    let action = call.action;
    let remote = match &call.reference {
        Reference::Local(Some(folder)) => {
            return Ok(Place { folder: machine.workspace.join(folder), remote: None });
        }
        Reference::Local(None) => return Err(format!("`{action}` leads out of the workspace")),
        Reference::Repository(remote) => remote.clone(),
        Reference::Checkout | Reference::Image | Reference::Unknown => {
            return Err(format!("`{action}` is no action that can run here"));
        }
    };
    let Some(files) = remote.files(&machine.published) else {
        return Err(format!("Unable to resolve action `{action}`, repository not found"));
    };
    let here = machine.actions.join(&remote.owner).join(&remote.name).join(&remote.version);
    if !here.exists() {
        let (from, to) = (files.to_owned(), here.clone());
        let named = format!("{}@{}", remote.repository(), remote.version);
        machine.log.write(number, &format!("Download action repository '{named}'"));
        let copied = tokio::task::spawn_blocking(move || checkout::copy(&from, &to, true)).await;
        let why = match copied {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            return Err(format!("cannot download the action repository '{named}': {why}"));
        }
    }
    Ok(Place { folder: here.join(&remote.folder), remote: Some(remote) })
}

/// Reads the action and sets the stage for its steps.
fn open(
    machine: &Machine,
    outer: &Frame,
    prepared: &Prepared,
    (action, place): (&str, Place),
    with: &BTreeMap<String, String>,
) -> Result<(CompositeAction, Frame), String> {
    if outer.depth >= DEEPEST_ACTION {
        return Err(format!("actions use each other more than {DEEPEST_ACTION} levels deep"));
    }
    let Place { folder, remote } = place;
    let file = CompositeAction::file(&folder).ok_or_else(|| not_found(&folder, remote.is_none()))?;
    let library = Library { repository: &machine.workspace, published: &machine.published };
    let loaded = CompositeAction::open(&file, library).map_err(|error| error.to_string())?;

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
    frame.remote = remote;
    frame.number = outer.number;
    Ok((loaded, frame))
}

fn not_found(folder: &Path, local: bool) -> String {
    let hint =
        if local { " Did you forget to run actions/checkout before running your local action?" } else { "" };
    format!("Can't find 'action.yml' or 'action.yaml' under '{}'.{hint}", folder.display())
}
