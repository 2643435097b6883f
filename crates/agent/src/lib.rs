//! What runs in the ECS task as PID 1: it becomes one GitHub runner, once, and tells the truth about it.
//!
//! [`run`] checks the image, learns from the task metadata endpoint which task this is, waits for its
//! assignment, starts `bin/Runner.Listener` as an unprivileged user with a clean environment, supervises
//! it, and leaves no process behind. [`run_self_registering`] does without a launcher: it registers its
//! runner itself and goes on in the same way. `docs/agent.md` is the manual.
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
mod packages;
mod register;
mod registration;
mod self_registered;
mod settings;
mod signals;
mod supervisor;
mod unready;
mod watchdog;

pub use environment::SECRETS;
pub use metadata::TaskMetadata;
pub use packages::{InvalidPackage, Package};
pub use registration::{Naming, SelfRegistration, WantedName};
pub use self_registered::run_self_registering;
pub use settings::{Mailbox, Settings, variable};
pub use signals::{StopSignal, stop_signals};

use std::time::Duration;

use fleetfoot_core::assignment::Assignment;
use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::RunnerName;
use fleetfoot_core::phase::Phase;
use fleetfoot_core::ports::Inbox;
use nix::sys::prctl::set_dumpable;
use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tracing::{info, warn};

use crate::image::Account;
use crate::journal::{Clock, Journal};
use crate::supervisor::Limits;
use crate::unready::Unready;
use crate::watchdog::Watchdog;

/// Runs the agent to its end with an assignment from a mailbox. The caller exits with the
/// [code](AgentExit::code) of the answer.
///
/// `connect` opens the mailbox once the task's own region and name are known; `stops` carries SIGTERM and
/// SIGINT, usually from [`stop_signals`]. Everything worth knowing goes to `tracing` as structured fields.
pub async fn run<I: Inbox>(
    settings: Settings,
    mailbox: Mailbox,
    connect: impl AsyncFnOnce(&TaskMetadata) -> Result<I, Fault>,
    mut stops: mpsc::Receiver<StopSignal>,
) -> AgentExit {
    let mut agent = Agent::new(&settings, settings.bind_timeout);
    info!(
        runner_dir = %settings.runner_dir.display(),
        mailbox = %mailbox.prefix,
        bind_timeout_s = settings.bind_timeout.as_secs(),
        stop_grace_s = settings.stop_grace.as_secs(),
        "agent started"
    );
    let prepared = tokio::select! {
        prepared = prepare(&settings, &mailbox, connect, &mut agent.journal) => prepared,
        signal = signals::next(&mut stops) => {
            info!(signal = signal.name(), "told to stop before an assignment came");
            return agent.end(Ok(AgentExit::Terminated));
        }
    };
    let result = match prepared {
        Ok(ready) => agent.serve(&ready, settings.stop_grace, &mut stops).await,
        Err(unready) => Err(unready),
    };
    agent.end(result)
}

/// All that is needed to start the runner.
struct Ready {
    account: Account,
    assignment: Assignment,
}

async fn prepare<I: Inbox>(
    settings: &Settings,
    mailbox: &Mailbox,
    connect: impl AsyncFnOnce(&TaskMetadata) -> Result<I, Fault>,
    journal: &mut Journal,
) -> Result<Ready, Unready> {
    let account = image::check(&settings.runner_dir, settings.runner_user.as_deref())?;
    let deadline = journal.clock().moment(settings.bind_timeout);
    let task = metadata::fetch(&mailbox.metadata_uri, deadline, settings.bind_timeout).await?;
    know(&task, journal);
    let runner = RunnerName::of_task(&task.arn);
    journal.identify(&runner);
    let address = mailbox.prefix.of_task(&task.arn);
    let slow = || Fault::new(Class::Unknown, "open the mailbox", "the task role's credentials did not come");
    let opened = timeout_at(deadline, connect(&task)).await.unwrap_or_else(|_| Err(slow()));
    let inbox = opened.map_err(|fault| match fault.class {
        Class::Unknown => {
            let (address, waited_s) = (address.clone(), settings.bind_timeout.as_secs());
            Unready::NothingCame { address, waited_s, last: Some(Box::new(fault)) }
        }
        // Nothing was asked of anybody yet: what is missing is missing here, such as certificates.
        Class::Invalid => Unready::ImageUnfit {
            missing: fault.to_string(),
            remedy: fault.remedy.unwrap_or_else(|| "see what the image lacks".to_owned()),
        },
        _ => Unready::Refused(Box::new(fault)),
    })?;
    let pace = mailbox::Pace { longest: settings.poll, deadline, timeout: settings.bind_timeout };
    let assignment = mailbox::collect(&inbox, &address, &runner, pace).await?;
    journal.reach(Phase::Bound, journal.clock().elapsed());
    Ok(Ready { account, assignment })
}

/// Notes and tells which task this is.
fn know(task: &TaskMetadata, journal: &mut Journal) {
    info!(
        task = %task.arn,
        cluster = task.cluster.as_deref(),
        family = task.family.as_deref(),
        revision = task.revision.as_deref(),
        launch_type = task.launch_type.as_deref(),
        availability_zone = task.availability_zone.as_deref(),
        "task known"
    );
    journal.learn(task);
}

/// What both ways to become a runner have in common.
struct Agent<'a> {
    settings: &'a Settings,
    journal: Journal,
    watchdog: Watchdog,
}

impl<'a> Agent<'a> {
    /// Begins. There must be a runner after `until_runner`. The process knows secrets from here on, so that
    /// nobody but root may look into it: jobs run as its own user where it is not root.
    fn new(settings: &'a Settings, until_runner: Duration) -> Self {
        if let Err(error) = set_dumpable(false) {
            warn!(%error, "cannot keep other processes of this user from looking into the agent");
        }
        let watchdog = Watchdog::start(settings.end_process);
        watchdog.expect_within(until_runner.saturating_add(settings.slack), AgentExit::NoAssignment);
        Self { settings, journal: Journal::new(Clock::start(settings.started_at)), watchdog }
    }

    /// Runs the runner to its end. `stop_grace` is what it may take of the grace after a stop signal.
    async fn serve(
        &mut self,
        ready: &Ready,
        stop_grace: Duration,
        stops: &mut mpsc::Receiver<StopSignal>,
    ) -> Result<AgentExit, Unready> {
        let (settings, assignment) = (self.settings, &ready.assignment);
        let environment = environment::of_runner(
            &settings.environment,
            &settings.pass_env,
            settings.job_credentials,
            &ready.account,
            &assignment.jit_config,
        );
        let limits = Limits {
            bound_at: self.journal.clock().elapsed(),
            idle_timeout: Duration::from_secs(assignment.idle_timeout),
            max_lifetime: Duration::from_secs(assignment.max_lifetime),
            stop_grace,
        };
        let longest = limits.max_lifetime.saturating_add(settings.stop_grace);
        self.watchdog.expect_within(longest.saturating_add(settings.slack), AgentExit::MaxLifetime);
        let runner = child::start(&settings.runner_dir, &ready.account, environment, &assignment.jit_config)?;
        Ok(driver::supervise(runner, limits, &mut self.journal, stops).await)
    }

    /// Writes the last line.
    fn end(self, result: Result<AgentExit, Unready>) -> AgentExit {
        let exit = result.unwrap_or_else(|unready| unready.report());
        self.journal.close(exit);
        exit
    }
}
