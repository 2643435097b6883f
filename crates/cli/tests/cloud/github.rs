//! GitHub: registrations, and a status that is behind.

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName, TaskArn};
use fleetfoot_core::label::Label;
use fleetfoot_core::ports::{Minted, Registered, RunnerView};
use fleetfoot_core::scale_sets::ScaleSetId;
use jiff::Timestamp;

use super::State;
use super::book::Who;
use super::life::{Agent, Event};

/// One registration, as it is.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    /// Who has registered it.
    pub(crate) minted_by: Who,
    /// In which repository or organisation.
    pub(crate) scope: usize,
    /// For which scale set, if for one.
    pub(crate) set: Option<ScaleSetId>,
    pub(crate) name: RunnerName,
    pub(crate) labels: Vec<Label>,
    pub(crate) secret: String,
    /// Connected since.
    pub(crate) online_since: Option<Timestamp>,
    /// With a job since. A job that died with its task keeps it busy for a while.
    pub(crate) busy_since: Option<Timestamp>,
}

impl State {
    pub(crate) fn mint(
        &mut self,
        who: Who,
        (scope, set): (usize, Option<ScaleSetId>),
        name: &RunnerName,
        labels: Vec<Label>,
    ) -> Result<Minted, Fault> {
        if self.runners.values().any(|runner| runner.scope == scope && runner.name == *name) {
            return Err(Fault::new(Class::Conflict, "mint", "Already exists"));
        }
        let serial = self.serial();
        let secret = format!("secret {serial}");
        let runner = Runner {
            minted_by: who,
            scope,
            set,
            name: name.clone(),
            labels,
            secret: secret.clone(),
            online_since: None,
            busy_since: None,
        };
        self.runners.insert(RunnerId(serial), runner);
        Ok(Minted { id: RunnerId(serial), jit_config: secret.into() })
    }

    /// A runner as GitHub shows it.
    pub(crate) fn view(&mut self, id: RunnerId) -> Option<RunnerView> {
        let moment = self.moment_shown();
        let runner = self.runners.get(&id)?;
        let since = |at: Option<Timestamp>| at.is_some_and(|at| at <= moment);
        let (online, busy) = (since(runner.online_since), since(runner.busy_since));
        Some(RunnerView { id, name: runner.name.clone(), online, busy })
    }

    pub(crate) fn find_runner(&mut self, scope: usize, name: &RunnerName) -> Option<RunnerView> {
        let is_it = |runner: &Runner| runner.scope == scope && runner.name == *name;
        let id = *self.runners.iter().find(|(_, runner)| is_it(runner))?.0;
        self.view(id)
    }

    /// All runners there, as GitHub shows them.
    pub(crate) fn list(&mut self, scope: usize) -> Vec<Registered> {
        let here = self.runners.iter().filter(|(_, runner)| runner.scope == scope);
        let here: Vec<(RunnerId, Vec<Label>)> =
            here.map(|(id, runner)| (*id, runner.labels.clone())).collect();
        let shown = here.into_iter().map(|(id, labels)| Some(Registered { runner: self.view(id)?, labels }));
        shown.flatten().collect()
    }

    fn moment_shown(&mut self) -> Timestamp {
        let lag = self.weather.github_lag;
        self.now - self.weather.dice.pause(0..lag)
    }

    /// Removes a registration, unless a job runs: that is known here without delay.
    pub(crate) fn delete(&mut self, id: RunnerId) -> Result<(), Fault> {
        let Some(runner) = self.runners.get(&id) else { return Ok(()) };
        if runner.busy_since.is_some() {
            return Err(Fault::new(
                Class::Busy,
                "delete",
                "is currently running a job and cannot be deleted",
            ));
        }
        self.runners.remove(&id);
        let serves = |task: &super::ecs::Task| task.agent == Agent::Serves(id);
        if let Some(arn) = self.tasks.iter().find(|(_, task)| serves(task)).map(|(arn, _)| arn.clone()) {
            let heard = self.weather.dice.pause(500..5000);
            self.plan(heard, &arn, Event::IsEvicted(id));
        }
        Ok(())
    }

    /// The registration under this task's name.
    pub(crate) fn runner_of(&self, task: &TaskArn) -> Option<&Runner> {
        let name = RunnerName::of_task(task);
        self.runners.values().find(|runner| runner.name == name)
    }

    /// A task's runner hangs up. If it had a job, GitHub waits some minutes for it.
    pub(crate) fn leave_github(&mut self, task: &TaskArn) {
        let Agent::Serves(id) = self.tasks[task].agent else { return };
        let Some(runner) = self.runners.get_mut(&id) else { return };
        runner.online_since = None;
        // A job that it has not begun goes to another one; the registration stays.
        let begun = self.jobs.of_runner(id).is_none_or(|job| self.jobs.is_running(job));
        if self.runners[&id].busy_since.is_some() && begun {
            let waits = self.weather.dice.pause(60_000..300_000);
            self.plan(waits, task, Event::IsForgotten(id));
        }
    }
}
