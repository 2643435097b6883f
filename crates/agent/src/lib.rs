//! What runs in the ECS task as PID 1: it becomes one GitHub runner, once, and tells the truth about it.
//!
//! [`run`] checks the image, learns from the task metadata endpoint which task this is, waits for its
//! assignment, starts `bin/Runner.Listener` as an unprivileged user with a clean environment, supervises
//! it, and leaves no process behind. `docs/agent.md` is the manual.
//!
//! What it decides while the runner runs is decided by a state machine without clock and processes
//! (`supervisor.rs`), fed by a thin driver.
//!
//! **A process runs one agent.** The agent reaps every child of its process and, at the end, ends every
//! descendant: do not start other processes beside it.

mod child;
mod driver;
mod ending;
mod environment;
mod household;
mod image;
mod journal;
mod lines;
mod mailbox;
mod metadata;
mod output;
mod settings;
mod signals;
mod supervisor;
mod unready;

pub use metadata::TaskMetadata;
pub use settings::{Settings, variable};
pub use signals::{StopSignal, stop_signals};

use std::time::Duration;

use fleetfoot_core::assignment::Assignment;
use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::RunnerName;
use fleetfoot_core::phase::Phase;
use fleetfoot_core::ports::Inbox;
use tokio::sync::mpsc;
use tracing::info;

use crate::image::Account;
use crate::journal::{Clock, Journal};
use crate::supervisor::Limits;
use crate::unready::Unready;

/// Runs the agent to its end. The caller exits with the [code](AgentExit::code) of the answer.
///
/// `connect` opens the mailbox once the task's own region and name are known; `stops` carries SIGTERM and
/// SIGINT, usually from [`stop_signals`]. Everything worth knowing goes to `tracing` as structured fields.
pub async fn run<I: Inbox>(
    settings: Settings,
    connect: impl AsyncFnOnce(&TaskMetadata) -> Result<I, Fault>,
    mut stops: mpsc::Receiver<StopSignal>,
) -> AgentExit {
    let clock = Clock::start(settings.started_at);
    let mut journal = Journal::new(clock);
    info!(
        runner_dir = %settings.runner_dir.display(),
        mailbox = %settings.mailbox,
        bind_timeout_s = settings.bind_timeout.as_secs(),
        stop_grace_s = settings.stop_grace.as_secs(),
        "agent started"
    );
    let prepared = tokio::select! {
        prepared = prepare(&settings, connect, &mut journal) => prepared,
        signal = signals::next(&mut stops) => {
            info!(signal = signal.name(), "told to stop before an assignment came");
            journal.close(AgentExit::Terminated);
            return AgentExit::Terminated;
        }
    };
    let exit = match prepared {
        Ok(ready) => match serve(&settings, &ready, &mut journal, &mut stops).await {
            Ok(exit) => exit,
            Err(unready) => unready.report(),
        },
        Err(unready) => unready.report(),
    };
    journal.close(exit);
    exit
}

/// All that is needed to start the runner.
struct Ready {
    account: Account,
    assignment: Assignment,
}

async fn prepare<I: Inbox>(
    settings: &Settings,
    connect: impl AsyncFnOnce(&TaskMetadata) -> Result<I, Fault>,
    journal: &mut Journal,
) -> Result<Ready, Unready> {
    let account = image::check(&settings.runner_dir, settings.runner_user.as_deref())?;
    let deadline = journal.clock().moment(settings.bind_timeout);
    let task = metadata::fetch(&settings.metadata_uri, deadline, settings.bind_timeout).await?;
    info!(
        task = %task.arn,
        cluster = task.cluster.as_deref(),
        family = task.family.as_deref(),
        revision = task.revision.as_deref(),
        launch_type = task.launch_type.as_deref(),
        availability_zone = task.availability_zone.as_deref(),
        "task known"
    );
    let runner = RunnerName::of_task(&task.arn);
    journal.identify(&runner, &task);
    let inbox = connect(&task).await.map_err(|fault| Unready::Refused(Box::new(fault)))?;
    let address = settings.mailbox.of_task(&task.arn);
    let pace = mailbox::Pace { longest: settings.poll, deadline, timeout: settings.bind_timeout };
    let assignment = mailbox::collect(&inbox, &address, &runner, pace).await?;
    journal.reach(Phase::Bound, journal.clock().elapsed());
    Ok(Ready { account, assignment })
}

async fn serve(
    settings: &Settings,
    ready: &Ready,
    journal: &mut Journal,
    stops: &mut mpsc::Receiver<StopSignal>,
) -> Result<AgentExit, Unready> {
    let environment = environment::of_runner(
        &settings.environment,
        &settings.pass_env,
        settings.job_credentials,
        &ready.account,
        &ready.assignment.jit_config,
    );
    let limits = Limits {
        bound_at: journal.clock().elapsed(),
        idle_timeout: Duration::from_secs(ready.assignment.idle_timeout),
        max_lifetime: Duration::from_secs(ready.assignment.max_lifetime),
        stop_grace: settings.stop_grace,
    };
    let runner =
        child::start(&settings.runner_dir, &ready.account, environment, &ready.assignment.jit_config)?;
    Ok(driver::supervise(runner, limits, journal, stops).await)
}
