//! Workflow runs: whether the run that a runner was started for still goes on.
//!
//! GitHub says 404 of a run that was deleted, and of one that the caller may not see. The one means "nobody
//! wants its runners", the other nothing at all. So a 404 is believed only from who may read something else
//! that needs the same permission and is there in every repository.

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::Repository;
use fleetfoot_core::ports::{RunState, Runs};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::client::Call;
use crate::refusal::Operation;
use crate::runners::GitHubRunners;

/// A run as the API shows it, cut to what is used (GitHub REST API, "Get a workflow run").
#[derive(Deserialize)]
struct Run {
    /// `completed`, or one of many words for what is not over.
    status: Option<String>,
}

impl Runs for GitHubRunners {
    async fn state(&self, repository: &Repository, run_id: u64) -> Result<RunState, Fault> {
        let what = format!("read the run {run_id} of {repository}");
        let path = format!("/repos/{repository}/actions/runs/{run_id}");
        let call = Call::get(Operation::ReadRun, &what, path).runs_of(repository);
        match self.client.call::<Run>(&call).await {
            Ok(run) if run.status.as_deref() == Some("completed") => Ok(RunState::Ended),
            Ok(_) => Ok(RunState::Going),
            Err(fault) if fault.class == Class::NotFound => self.gone(&what, repository).await,
            Err(fault) => Err(fault),
        }
    }
}

impl GitHubRunners {
    /// A run that was not found is gone if runs of its repository can be found.
    async fn gone(&self, what: &str, repository: &Repository) -> Result<RunState, Fault> {
        // GitHub REST API, "Permissions required for GitHub Apps": "Actions" (read), as for a run.
        let path = format!("/repos/{repository}/actions/oidc/customization/sub");
        let call = Call::get(Operation::ReadRun, what, path).runs_of(repository);
        match self.client.call::<IgnoredAny>(&call).await {
            Ok(_) => Ok(RunState::Gone),
            Err(fault) if fault.class == Class::NotFound => {
                let why = "it was deleted, or these credentials may not see it";
                Err(Fault::new(Class::Denied, what, why)
                    .remedy(format!(
                        "let the token or the App read the repository {repository} and its Actions"
                    ))
                    .because(fault))
            }
            Err(fault) => Err(fault),
        }
    }
}
