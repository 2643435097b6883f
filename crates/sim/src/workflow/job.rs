//! A job as the runner gets it: what depends on other jobs is settled, what depends on steps is not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The part of a job that its runner executes. Strings may hold `${{ … }}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobBody {
    /// `env` of the workflow, then of the job.
    pub env: Vec<BTreeMap<String, String>>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Outputs, evaluated when the steps are over.
    pub outputs: BTreeMap<String, String>,
    /// Shell of steps that name none.
    pub default_shell: Option<String>,
    /// Folder of steps that name none.
    pub default_working_directory: Option<String>,
    /// Limit for the whole job; GitHub's default is 360.
    pub timeout_minutes: f64,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `id`, if given.
    pub id: Option<String>,
    /// `name`, if given.
    pub name: Option<String>,
    /// `if`, without `${{ }}`; absent means `success()`.
    pub condition: Option<String>,
    /// What it does.
    pub action: StepAction,
    /// `env` of the step.
    pub env: BTreeMap<String, String>,
    /// `continue-on-error`: a boolean or an expression.
    pub continue_on_error: Option<String>,
    /// `timeout-minutes`: a number or an expression.
    pub timeout_minutes: Option<String>,
    /// Line of the workflow file, from 1.
    pub line: usize,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAction {
    /// A script for a shell.
    Run {
        /// The script.
        script: String,
        /// `shell`, if given.
        shell: Option<String>,
        /// `working-directory`, if given.
        working_directory: Option<String>,
    },
    /// An action: a local composite one (`./path`) or `actions/checkout`.
    Uses {
        /// The text after `uses:`.
        action: String,
        /// `with`.
        with: BTreeMap<String, String>,
    },
}
