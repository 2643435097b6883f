//! `fleetfoot agent`: connects the agent to its process, its environment, S3 and GitHub.

mod refused;
mod secrets;
mod variables;

use std::process::ExitCode;
use std::time::Duration;

use fleetfoot_agent::{Mailbox, Naming, SECRETS, SelfRegistration, Settings, TaskMetadata, stop_signals};
use fleetfoot_aws::S3Mailbox;
use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fault::Fault;
use fleetfoot_github::{Clock, Credentials, GitHubRunners, PemSigner, Scope};
use fleetfoot_net::Network;
use jiff::{SignedDuration, Timestamp};
use nix::unistd::geteuid;

use crate::args::AgentArgs;
use crate::failure::{Exit, Failure};
use crate::network::network;
use crate::order::random;

use self::refused::Refused;
use self::variables::{Credential, Variables};

/// Runs the agent; the process ends with its exit code.
pub async fn run(args: AgentArgs) -> ExitCode {
    match (args.mailbox.clone(), args.metadata_uri.clone()) {
        (Some(prefix), Some(metadata_uri)) => with_mailbox(&args, Mailbox { prefix, metadata_uri }).await,
        // Of a mailbox without metadata the command line has complained already.
        _ => self_registering(&args).await,
    }
}

async fn with_mailbox(args: &AgentArgs, mailbox: Mailbox) -> ExitCode {
    // First of all: as PID 1 a process without handlers ignores signals.
    let stops = match stop_signals() {
        Ok(stops) => stops,
        Err(error) => return unfit(&error, "cannot listen for signals"),
    };
    let network = match network() {
        Ok(network) => network,
        Err(failure) => return unreachable(&failure),
    };
    let bucket = mailbox.prefix.bucket().to_owned();
    let look = |name: &str| std::env::var(name).ok();
    let connect =
        async |task: &TaskMetadata| S3Mailbox::of_task(&look, task.arn.region(), bucket, network).await;
    fleetfoot_agent::run(settings(args), mailbox, connect, stops).await.code().into()
}

async fn self_registering(args: &AgentArgs) -> ExitCode {
    let secrets = match secrets::take(&SECRETS) {
        Ok(secrets) => secrets,
        Err(error) => return unfit(&error, "cannot take the secrets out of the process's environment"),
    };
    let stops = match stop_signals() {
        Ok(stops) => stops,
        Err(error) => return unfit(&error, "cannot listen for signals"),
    };
    let look = |name: &str| match secrets.get(name) {
        Some(secret) => Some(secret.clone()),
        None => std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
    };
    let variables = match Variables::read(&look, geteuid().is_root()) {
        Ok(variables) => variables,
        Err(refused) => return unusable(&refused),
    };
    drop(secrets);
    let network = match network() {
        Ok(network) => network,
        Err(failure) => return unreachable(&failure),
    };
    tracing::info!(
        target = %variables.scope.target(),
        api = %variables.scope.api_url(),
        credential = variables.credential.variable(),
        "registering without a launcher"
    );
    let mut settings = settings(args);
    if variables.run_as_root {
        settings.runner_user = None;
        settings.environment.push(("RUNNER_ALLOW_RUNASROOT".into(), "1".into()));
    }
    let order = SelfRegistration {
        metadata_uri: args.metadata_uri.clone(),
        naming: Naming { wanted: variables.name, hostname: hostname(), random: random(13) },
        labels: variables.labels,
        group: variables.group,
        work_folder: variables.work_folder.clone(),
        packages: variables.packages,
        packages_timeout: length(args.packages_timeout),
        idle_timeout: length(args.idle_timeout),
        max_lifetime: length(args.max_lifetime),
    };
    let (scope, credential, folder) = (variables.scope, variables.credential, variables.work_folder);
    let connect = move || github(scope, credential, folder, &network);
    fleetfoot_agent::run_self_registering(settings, order, connect, stops).await.code().into()
}

fn settings(args: &AgentArgs) -> Settings {
    Settings {
        runner_dir: args.runner_dir.clone(),
        runner_user: Some(args.runner_user.clone()).filter(|user| !user.is_empty()),
        bind_timeout: length(args.bind_timeout),
        stop_grace: length(args.stop_grace),
        job_credentials: args.job_credentials,
        pass_env: args.pass_env.clone(),
        environment: std::env::vars_os().collect(),
        ..Settings::new(Timestamp::now(), |exit| std::process::exit(exit.code().into()))
    }
}

fn length(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}

fn github(
    scope: Scope,
    credential: Credential,
    folder: Option<String>,
    network: &Network,
) -> Result<GitHubRunners, Fault> {
    let credentials = match credential {
        Credential::Token { token, .. } => Credentials::token(token),
        Credential::App { id, key } => Credentials::app(id, None, PemSigner::from_pem(&key)?),
    };
    let runners = GitHubRunners::new(scope, credentials, Clock::new(Timestamp::now), network)?;
    Ok(match folder {
        Some(folder) => runners.with_work_folder(folder),
        None => runners,
    })
}

/// As `hostname(1)` shows it; in a container usually the container's id. The kernel always has one.
fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

fn unfit(error: &std::io::Error, message: &str) -> ExitCode {
    tracing::error!(%error, "{message}");
    AgentExit::ImageUnfit.code().into()
}

fn unreachable(failure: &Failure) -> ExitCode {
    tracing::error!(error = failure.sentence, remedy = failure.remedy, "this setting cannot be used");
    failure.exit.into()
}

fn unusable(refused: &[Refused]) -> ExitCode {
    for Refused { variable, why, remedy } in refused {
        tracing::error!(variable, error = why, remedy, "this setting cannot be used");
    }
    Exit::Usage.into()
}
