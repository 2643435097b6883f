//! A workflow as it was read: everything checked, nothing evaluated.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::call::{Call, Callable};
use super::{Input, Permissions, Step};

/// A workflow file that was read, checked and found to hold nothing that is not supported.
#[derive(Debug, Clone)]
pub struct Workflow {
    pub(super) name: String,
    pub(super) run_name: Option<String>,
    pub(super) triggers: Vec<String>,
    pub(super) inputs: Vec<Input>,
    /// What it takes and gives when another workflow calls it; absent without `on: workflow_call`.
    pub(super) callable: Option<Callable>,
    pub(super) env: BTreeMap<String, String>,
    /// In the order of the file.
    pub(super) jobs: Vec<Job>,
}

impl Workflow {
    /// `name`, or the file's name where there is none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The events under `on`.
    pub fn triggers(&self) -> &[String] {
        &self.triggers
    }

    /// The inputs of `workflow_dispatch`, in the order of the file.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    pub(super) fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }
}

/// A job before its matrix is expanded. Texts may hold expressions.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) needs: Vec<String>,
    pub(super) condition: Option<String>,
    /// The workflow that it calls. Then all that is a runner's business is empty.
    pub(super) call: Option<Call>,
    /// A text, a list of texts, or an object with `group` and `labels`.
    pub(super) runs_on: Json,
    pub(super) environment: Option<String>,
    pub(super) permissions: Permissions,
    pub(super) strategy: Strategy,
    pub(super) continue_on_error: Option<String>,
    pub(super) timeout_minutes: Option<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) defaults: Defaults,
    pub(super) outputs: BTreeMap<String, String>,
    pub(super) steps: Vec<Step>,
}

/// `strategy`.
#[derive(Debug, Clone, Default)]
pub(super) struct Strategy {
    /// `matrix`: an object, or a text that is one expression.
    pub(super) matrix: Option<Json>,
    pub(super) fail_fast: Option<String>,
    pub(super) max_parallel: Option<String>,
}

/// `defaults.run`.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    pub(super) shell: Option<String>,
    pub(super) working_directory: Option<String>,
}
