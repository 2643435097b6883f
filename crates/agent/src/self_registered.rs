//! An agent without a launcher: it registers its runner itself, and takes the registration away if no job came.

use std::path::Path;
use std::time::Duration;

use fleetfoot_core::assignment::{Assignment, VERSION};
use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::label::Label;
use fleetfoot_core::phase::Phase;
use fleetfoot_core::ports::Runners;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::environment;
use crate::image::{self, Account};
use crate::journal::Journal;
use crate::metadata;
use crate::packages;
use crate::register::{self, Pace};
use crate::registration::{Name, SelfRegistration};
use crate::settings::Settings;
use crate::signals::{self, StopSignal};
use crate::unready::Unready;
use crate::{Agent, Ready, know};

/// How long the task metadata endpoint is asked. The agent can do without it.
const METADATA_PATIENCE: Duration = Duration::from_secs(10);
/// The most of the grace that is kept to remove the registration when the runner has ended.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

/// Runs the agent to its end with a runner that it registers itself. The caller exits with the
/// [code](AgentExit::code) of the answer.
///
/// `connect` opens GitHub; `stops` is as for [`run`](crate::run). The process keeps what the runners' port
/// knows, a token among it.
pub async fn run_self_registering<R: Runners>(
    settings: Settings,
    order: SelfRegistration,
    connect: impl FnOnce() -> Result<R, Fault>,
    mut stops: mpsc::Receiver<StopSignal>,
) -> AgentExit {
    let until_runner = METADATA_PATIENCE + order.packages_timeout + settings.bind_timeout;
    let mut agent = Agent::new(&settings, until_runner);
    info!(
        runner_dir = %settings.runner_dir.display(),
        labels = order.labels.iter().map(Label::as_str).collect::<Vec<_>>().join(","),
        runner_group = order.group.as_deref(),
        work_folder = order.work_folder.as_deref(),
        bind_timeout_s = settings.bind_timeout.as_secs(),
        idle_timeout_s = order.idle_timeout.as_secs(),
        max_lifetime_s = order.max_lifetime.as_secs(),
        stop_grace_s = settings.stop_grace.as_secs(),
        "agent started; it registers its runner itself"
    );
    let result = become_runner(&mut agent, &order, connect, &mut stops).await;
    agent.end(result)
}

async fn become_runner<R: Runners>(
    agent: &mut Agent<'_>,
    order: &SelfRegistration,
    connect: impl FnOnce() -> Result<R, Fault>,
    stops: &mut mpsc::Receiver<StopSignal>,
) -> Result<AgentExit, Unready> {
    let settings = agent.settings;
    let runners = connect().map_err(|fault| Unready::RegistrationRefused(Box::new(fault)))?;
    // Before anything is registered, so that what goes wrong here leaves nothing behind.
    let (account, name) = tokio::select! {
        equipped = equip(settings, order, &mut agent.journal) => equipped?,
        signal = signals::next(stops) => {
            info!(signal = signal.name(), "told to stop before the runner was registered");
            return Ok(AgentExit::Terminated);
        }
    };
    let farewell = (settings.stop_grace / 5).min(LONGEST_FAREWELL);
    let pace = Pace::new(settings.bind_timeout, settings.stop_grace.saturating_sub(farewell));
    let Some(registered) = register::register(&runners, order, name, pace, stops).await? else {
        return Ok(AgentExit::Terminated);
    };
    agent.journal.identify(&registered.name);
    agent.journal.reach(Phase::Bound, agent.journal.clock().elapsed());
    info!(id = registered.id.0, runner = %registered.name, "runner registered");
    let assignment = Assignment {
        version: VERSION,
        runner: registered.name.clone(),
        jit_config: registered.jit_config.clone(),
        idle_timeout: order.idle_timeout.as_secs().max(1),
        max_lifetime: order.max_lifetime.as_secs().max(1),
    };
    let ready = Ready { account, assignment };
    let result = agent.serve(&ready, settings.stop_grace.saturating_sub(farewell), stops).await;
    if !matches!(&result, Ok(exit) if used_up(*exit)) {
        register::deregister(&runners, &registered, farewell).await;
    }
    result
}

/// Checks the image, learns who the task is, and installs what is missing.
async fn equip(
    settings: &Settings,
    order: &SelfRegistration,
    journal: &mut Journal,
) -> Result<(Account, Name), Unready> {
    let account = image::check(&settings.runner_dir, settings.runner_user.as_deref())?;
    if let Some(folder) = &order.work_folder {
        image::make_work_folder(Path::new(folder), &account)?;
    }
    let task = match &order.metadata_uri {
        Some(uri) => {
            match metadata::fetch(uri, Instant::now() + METADATA_PATIENCE, METADATA_PATIENCE).await {
                Ok(task) => Some(task),
                Err(unready) => {
                    warn!(error = %unready, "which task this is, is not known; going on without it");
                    None
                }
            }
        }
        None => None,
    };
    if let Some(task) = &task {
        know(task, journal);
    }
    let name = order.naming.first(task.as_ref().map(|task| &task.arn)).map_err(|invalid| {
        let fault = Fault::new(Class::Invalid, "name the runner", invalid.to_string());
        Unready::RegistrationRefused(Box::new(fault.remedy("name it in RUNNER_NAME")))
    })?;
    let environment = environment::of_installer(&settings.environment);
    packages::install(&order.packages, &environment, order.packages_timeout).await?;
    Ok((account, name))
}

/// Whether GitHub has removed the registration itself, because the runner reported the end of its one job.
fn used_up(exit: AgentExit) -> bool {
    matches!(exit, AgentExit::JobSucceeded | AgentExit::JobFailed | AgentExit::JobCancelled)
}
