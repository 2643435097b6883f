//! Arguments of the commands that look at a stack: `fleetfoot status` and `fleetfoot logs`.

use clap::Args;
use fleetfoot_core::ids::RunnerName;
use jiff::SignedDuration;

use super::{Output, StackArgs, duration};

/// Arguments of `fleetfoot status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Stack and credentials.
    #[command(flatten)]
    pub stack: StackArgs,

    /// Look again and again, until interrupted. With json, a document a line.
    #[arg(long, env = "FLEETFOOT_WATCH")]
    pub watch: bool,

    /// How long to wait between two looks.
    #[arg(long, env = "FLEETFOOT_POLL", value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub poll: SignedDuration,

    /// Output on stdout.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Arguments of `fleetfoot logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The runner, by its name (ff-…), or its task by id or ARN.
    #[arg(value_name = "RUNNER")]
    pub runner: RunnerName,

    /// Stack and credentials. GitHub is not asked.
    #[command(flatten)]
    pub stack: StackArgs,

    /// Go on until the task has stopped and its log is told, or until interrupted.
    #[arg(long, short, env = "FLEETFOOT_FOLLOW")]
    pub follow: bool,

    /// How long to wait between two looks.
    #[arg(long, env = "FLEETFOOT_POLL", value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub poll: SignedDuration,

    /// Output on stdout; with json, an object a line: at, message.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}
