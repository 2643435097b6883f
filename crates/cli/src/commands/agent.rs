//! `fleetfoot agent`: connects the agent to its process, its environment and S3.

use std::process::ExitCode;
use std::time::Duration;

use fleetfoot_agent::{Settings, TaskMetadata, stop_signals};
use fleetfoot_core::exit::AgentExit;
use jiff::{SignedDuration, Timestamp};

use crate::args::AgentArgs;

/// Runs the agent; the process ends with its exit code.
pub async fn run(args: AgentArgs) -> ExitCode {
    let seconds = |d: SignedDuration| Duration::try_from(d).unwrap_or_default();
    // First of all: as PID 1 a process without handlers ignores signals.
    let stops = match stop_signals() {
        Ok(stops) => stops,
        Err(error) => {
            tracing::error!(%error, "cannot listen for signals");
            return AgentExit::ImageUnfit.code().into();
        }
    };
    let settings = Settings {
        runner_dir: args.runner_dir,
        runner_user: Some(args.runner_user).filter(|user| !user.is_empty()),
        bind_timeout: seconds(args.bind_timeout),
        stop_grace: seconds(args.stop_grace),
        job_credentials: args.job_credentials,
        pass_env: args.pass_env,
        environment: std::env::vars_os().collect(),
        ..Settings::new(args.mailbox, args.metadata_uri, Timestamp::now())
    };
    let bucket = settings.mailbox.bucket().to_owned();
    let connect = async |task: &TaskMetadata| {
        Ok(fleetfoot_aws::Aws::from_environment(task.arn.region()).await?.mailbox(bucket.clone()))
    };
    fleetfoot_agent::run(settings, connect, stops).await.code().into()
}
