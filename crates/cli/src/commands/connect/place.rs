//! One place at GitHub: what is there, and doing what has to be done.

use fleetfoot_core::connect::{Action, Environment, Found, Step, Thing, Wanted, set_up, take_down};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::verdict::Verdict;
use fleetfoot_github::{Settings, Target};
use tokio_util::sync::CancellationToken;

use super::Values;
use crate::failure::Failure;

/// A repository, one of its environments, or an organisation.
pub(super) struct Place {
    pub(super) settings: Settings,
    pub(super) target: Target,
    pub(super) environment: Option<String>,
    /// What speaks against it.
    pub(super) notes: Vec<String>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was only planned.
    Shown,
    /// It was done.
    Done,
    /// There was nothing to do.
    Kept,
    /// It could not be done.
    Failed(Verdict),
    /// One before it could not be done, or the command was cancelled.
    NotTried,
}

/// What has to be done.
pub(super) fn steps(wanted: &Wanted, found: &Found, remove: bool) -> Vec<Step> {
    if remove { take_down(wanted, found) } else { set_up(wanted, found) }
}

impl Place {
    /// Looks at what is there. Secrets only if they matter: reading their names takes a permission more. They do for
    /// an environment, which must be empty to go.
    pub(super) async fn look(&self, secrets: bool) -> Result<Found, Failure> {
        let environment = self.settings.environment().await?;
        if environment == Environment::Absent {
            return Ok(Found { environment, variables: [].into(), secrets: [].into() });
        }
        let secrets = if secrets || environment != Environment::NotMeant {
            self.settings.secrets().await?
        } else {
            [].into()
        };
        Ok(Found { environment, variables: self.settings.variables().await?, secrets })
    }

    /// Does one step after the other, up to the first that fails.
    pub(super) async fn act(
        &self,
        steps: Vec<Step>,
        values: &Values,
        cancel: &CancellationToken,
    ) -> Vec<(Step, Outcome)> {
        let mut ends = Vec::new();
        let mut go_on = true;
        for step in steps {
            let outcome = if !step.is_change() {
                Outcome::Kept
            } else if !go_on || cancel.is_cancelled() {
                Outcome::NotTried
            } else {
                match self.take(&step, values).await {
                    Ok(()) => Outcome::Done,
                    Err(fault) => {
                        go_on = false;
                        Outcome::Failed(Verdict::from(&fault))
                    }
                }
            };
            ends.push((step, outcome));
        }
        ends
    }

    async fn take(&self, step: &Step, values: &Values) -> Result<(), Fault> {
        let settings = &self.settings;
        match (&step.thing, &step.action) {
            (_, Action::Keep(_)) => Ok(()),
            (Thing::Environment, Action::Remove) => settings.remove_environment().await,
            (Thing::Environment, _) => settings.make_environment().await,
            (Thing::Variable(name), Action::Remove) => settings.remove_variable(name).await,
            (Thing::Variable(name), action) => {
                let value = step.to.as_deref().unwrap_or_default();
                settings.set_variable(name, value, step.visibility, *action == Action::Change).await
            }
            (Thing::Secret(name), Action::Remove) => settings.remove_secret(name).await,
            (Thing::Secret(name), _) => match values.get(name) {
                Some(value) => settings.set_secret(name, value, step.visibility).await,
                None => Ok(()),
            },
        }
    }
}
