//! Reusable workflows: what one takes and gives, and the job that calls it.
//!
//! Source: GitHub docs, "Reusing workflow configurations" and "Workflow syntax", `on.workflow_call` and
//! `jobs.<job_id>.uses`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::expression::{EvaluateError, Scope, Status, render, render_value};
use super::{Input, Workflow};

/// What a reusable workflow says under `on.workflow_call`.
#[derive(Debug, Clone, Default)]
pub(super) struct Callable {
    pub(super) inputs: Vec<Input>,
    /// Name, and whether it must be passed.
    pub(super) secrets: BTreeMap<String, bool>,
    /// Name and expression over `jobs`.
    pub(super) outputs: BTreeMap<String, String>,
}

/// A job that calls a workflow.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The file, relative to the repository.
    pub(super) path: String,
    pub(super) workflow: Arc<Workflow>,
    /// `with`: texts that may hold expressions.
    pub(super) with: BTreeMap<String, String>,
    pub(super) secrets: PassedSecrets,
}

/// `secrets` of a call.
#[derive(Debug, Clone)]
pub(super) enum PassedSecrets {
    /// `inherit`: all that the caller has.
    Inherit,
    /// These; texts that may hold expressions.
    Named(BTreeMap<String, String>),
}

/// Why a call cannot be made, as a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Expression(#[from] EvaluateError),
    #[error(transparent)]
    Input(#[from] super::StartError),
}

impl Callable {
    pub(super) fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name.eq_ignore_ascii_case(name))
    }
}

impl Call {
    /// The `inputs` context of the called workflow, from the caller's contexts.
    pub(super) fn inputs(&self, contexts: &Map<String, Value>) -> Result<Map<String, Value>, CallError> {
        let mut inputs = Map::new();
        let Some(callable) = &self.workflow.callable else { return Ok(inputs) };
        let scope = Scope { contexts, status: Status::Success, workspace: None };
        for input in &callable.inputs {
            let given = self.with.iter().find(|(name, _)| name.eq_ignore_ascii_case(&input.name));
            let text = match (given, &input.default) {
                (Some((_, text)), _) => render_value(text, &scope)?.text(),
                (None, Some(default)) => render(default, &scope)?,
                (None, None) => String::new(),
            };
            inputs.insert(input.name.clone(), input.value(&text)?);
        }
        Ok(inputs)
    }

    /// The secrets of the called workflow, from the caller's.
    pub(super) fn secrets(
        &self,
        contexts: &Map<String, Value>,
        own: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, CallError> {
        match &self.secrets {
            PassedSecrets::Inherit => Ok(own.clone()),
            PassedSecrets::Named(texts) => {
                let mut contexts = contexts.clone();
                contexts.insert("secrets".to_owned(), serde_json::json!(own));
                let scope = Scope { contexts: &contexts, status: Status::Success, workspace: None };
                let named = texts.iter().map(|(name, text)| Ok((name.clone(), render(text, &scope)?)));
                named.collect()
            }
        }
    }
}
