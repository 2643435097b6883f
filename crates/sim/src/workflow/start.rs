//! How a run begins: the event, the inputs, the secrets and variables.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::Workflow;

/// An input of `workflow_dispatch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name, as written.
    pub name: String,
    /// What it may be.
    pub kind: InputKind,
    /// `default`, as text.
    pub default: Option<String>,
    /// Whether a value must be given when there is no default.
    pub required: bool,
    /// `description`.
    pub description: Option<String>,
}

/// The type of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputKind {
    /// Any text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// One of these.
    Choice(Vec<String>),
    /// The name of an environment.
    Environment,
}

/// What a run starts with.
#[derive(Clone, Default)]
pub struct Start {
    /// `workflow_dispatch`, `push`, …: must be among the workflow's `on`.
    pub event_name: String,
    /// Values of the inputs, as text.
    pub inputs: BTreeMap<String, String>,
    /// The base of the `github` context: `repository`, `ref`, `sha`, `run_id`, `actor`, `event`, ….
    /// `event_name`, `workflow`, `job` and `event.inputs` are added here.
    pub github: Map<String, Value>,
    /// Variables of the repository.
    pub vars: BTreeMap<String, String>,
    /// Secrets of the repository. Those that exist once per job (`GITHUB_TOKEN`) are for the caller to
    /// add to the contexts of the [`super::QueuedJob`].
    pub secrets: BTreeMap<String, String>,
    /// Variables and secrets of environments, by name; they win over the repository's.
    pub environments: BTreeMap<String, EnvironmentScope>,
}

/// What a job gets from the environment it names.
#[derive(Clone, Default)]
pub struct EnvironmentScope {
    /// Variables.
    pub vars: BTreeMap<String, String>,
    /// Secrets.
    pub secrets: BTreeMap<String, String>,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("event_name", &self.event_name)
            .field("inputs", &self.inputs)
            .field("secrets", &self.secrets.keys())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for EnvironmentScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvironmentScope")
            .field("vars", &self.vars)
            .field("secrets", &self.secrets.keys())
            .finish()
    }
}

/// A run that cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The workflow has no such trigger.
    #[error("the workflow `{workflow}` is not started by `{event}`: it has `on: {has}`")]
    NotTriggered {
        /// The workflow.
        workflow: String,
        /// The event asked for.
        event: String,
        /// Its triggers, joined.
        has: String,
    },
    /// An input that the workflow does not have.
    #[error("the workflow has no input `{name}`: it has {known}")]
    UnknownInput {
        /// The input.
        name: String,
        /// What it has.
        known: String,
    },
    /// A required input without a value and without a default.
    #[error("the input `{0}` is required: give it a value")]
    MissingInput(String),
    /// A value that the input's type does not allow.
    #[error("the input `{name}` cannot be `{value}`: it must be {expected}")]
    BadInput {
        /// The input.
        name: String,
        /// The value given.
        value: String,
        /// What it may be.
        expected: String,
    },
}

/// The inputs of a run, twice.
pub(super) struct Inputs {
    /// The `inputs` context.
    pub(super) typed: Map<String, Value>,
    /// `github.event.inputs`, where every value is a text.
    pub(super) texts: Map<String, Value>,
}

impl Start {
    /// Checks the event and the inputs against a workflow.
    pub(super) fn inputs(&self, workflow: &Workflow) -> Result<Inputs, StartError> {
        if !workflow.triggers().contains(&self.event_name) {
            return Err(StartError::NotTriggered {
                workflow: workflow.name().to_owned(),
                event: self.event_name.clone(),
                has: workflow.triggers().join(", "),
            });
        }
        let inputs = if self.event_name == "workflow_dispatch" { workflow.inputs() } else { &[] };
        if let Some(name) = self.inputs.keys().find(|name| !inputs.iter().any(|input| input.name == **name)) {
            let known: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(StartError::UnknownInput { name: name.clone(), known });
        }
        let mut all = Inputs { typed: Map::new(), texts: Map::new() };
        for input in inputs {
            let given =
                self.inputs.get(&input.name).or(input.default.as_ref()).filter(|text| !text.is_empty());
            if given.is_none() && input.required {
                return Err(StartError::MissingInput(input.name.clone()));
            }
            let text = given.map_or("", String::as_str);
            all.typed.insert(input.name.clone(), input.value(text)?);
            all.texts.insert(input.name.clone(), text.into());
        }
        Ok(all)
    }
}

impl Input {
    /// The value in the `inputs` context; an empty text means that none was given.
    pub(super) fn value(&self, text: &str) -> Result<Value, StartError> {
        let bad = |expected: String| StartError::BadInput {
            name: self.name.clone(),
            value: text.to_owned(),
            expected,
        };
        match &self.kind {
            InputKind::String | InputKind::Environment => Ok(text.into()),
            InputKind::Boolean => match text {
                "true" => Ok(true.into()),
                "false" | "" => Ok(false.into()),
                _ => Err(bad("true or false".to_owned())),
            },
            InputKind::Number if text.is_empty() => Ok(Value::Null),
            InputKind::Number => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(super::expression::Value::Number(number).to_json()),
                _ => Err(bad("a number".to_owned())),
            },
            InputKind::Choice(options) if text.is_empty() || options.iter().any(|option| option == text) => {
                Ok(text.into())
            }
            InputKind::Choice(options) => Err(bad(format!("one of {}", options.join(", ")))),
        }
    }
}
