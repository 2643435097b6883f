//! What a step of a workflow leaves behind: outputs, a summary, annotations.
//!
//! Outside a workflow nothing is written. Workflow commands go to stderr, which the runner reads like
//! stdout, so that stdout stays free for JSON.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use fleetfoot_core::label::Label;
use fleetfoot_github::WorkflowContext;
use fleetfoot_github::workflow_commands as commands;
use serde::Serialize;

use crate::failure::Failure;
use crate::order::random;
use crate::report::{Loss, RunnerReport};

/// What `fleetfoot start` hands to later jobs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StartOutputs {
    /// The runners' own label.
    pub label: Label,
    /// For `runs-on: ${{ fromJSON(…) }}`.
    pub runs_on: Vec<String>,
    /// Names of the runners.
    pub runner_names: Vec<String>,
    /// Their ids at GitHub.
    pub runner_ids: Vec<u64>,
    /// Their tasks.
    pub task_arns: Vec<String>,
}

impl StartOutputs {
    /// The outputs for these runners.
    pub fn new(label: &Label, runners: &[RunnerReport]) -> Self {
        Self {
            label: label.clone(),
            runs_on: vec!["self-hosted".to_owned(), label.to_string()],
            runner_names: runners.iter().map(|r| r.name.clone()).collect(),
            runner_ids: runners.iter().filter_map(|r| r.id.map(|id| id.0)).collect(),
            task_arns: runners.iter().map(|r| r.task.to_string()).collect(),
        }
    }

    /// The outputs when jobs shall run elsewhere.
    pub fn elsewhere(label: &Label) -> Self {
        Self { runs_on: vec![label.to_string()], ..Self::new(label, &[]) }
    }

    /// Appends them to `$GITHUB_OUTPUT`: the label as it is, everything else as JSON.
    pub fn write(&self, context: &WorkflowContext) -> Result<(), Failure> {
        let Some(path) = &context.output else { return Ok(()) };
        let entries = [
            ("label", self.label.to_string()),
            ("runs-on", json(&self.runs_on)),
            ("runner-names", json(&self.runner_names)),
            ("runner-ids", json(&self.runner_ids)),
            ("task-arns", json(&self.task_arns)),
        ];
        let text: String = entries
            .iter()
            // A random delimiter cannot clash twice in the life of the universe.
            .filter_map(|(key, value)| commands::file_entry(key, value, &format!("ff-{}", random(24))))
            .collect();
        append(path, &text, "the step's outputs ($GITHUB_OUTPUT)")
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::json!(value).to_string()
}

/// Appends to the step's summary.
pub fn summarize(context: Option<&WorkflowContext>, markdown: &str) -> Result<(), Failure> {
    match context.and_then(|c| c.step_summary.as_deref()) {
        Some(path) => {
            append(path, &commands::fit_summary(markdown), "the step's summary ($GITHUB_STEP_SUMMARY)")
        }
        None => Ok(()),
    }
}

/// Shows a failure as an annotation of the run.
pub fn annotate(failure: &Failure) {
    anstream::eprintln!("{}", commands::error(Some("fleetfoot"), &failure.text()));
}

/// Shows as an annotation why the run goes on elsewhere.
pub fn annotate_fallback(failure: &Failure, label: &Label) {
    let message = format!("jobs will run on {label} instead: {}", failure.text());
    anstream::eprintln!("{}", commands::warning(Some("fleetfoot"), &message));
}

/// Shows as an annotation that runners ended without having done their job, and why.
pub fn annotate_loss(loss: &Loss<'_>) {
    anstream::eprintln!("{}", commands::warning(Some("fleetfoot"), &loss.plain()));
}

/// Shows as an annotation what is good to know.
pub fn notice(message: &str) {
    anstream::eprintln!("{}", commands::notice(Some("fleetfoot"), message));
}

fn append(path: &Path, text: &str, what: &str) -> Result<(), Failure> {
    let write = || OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes());
    write().map_err(|error| {
        Failure::failed(
            "io",
            format!("cannot write {what}: {error}"),
            "See whether the runner's disk is full.",
        )
    })
}
