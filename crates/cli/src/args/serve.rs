//! Arguments of `fleetfoot serve`.

use std::net::SocketAddr;

use clap::Args;
use jiff::SignedDuration;

use super::{StackArgs, duration};

/// Arguments of `fleetfoot serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Stack and credentials.
    #[command(flatten)]
    pub stack: StackArgs,

    /// Where /healthz, /readyz and /metrics are served. Bound to loopback unless told otherwise; port 0 takes
    /// a free one.
    #[arg(long, env = "FLEETFOOT_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:9686")]
    pub listen: SocketAddr,

    /// How this process is called where GitHub shows who listens [default: the host's name and some random
    /// letters].
    #[arg(long, env = "FLEETFOOT_OWNER", value_name = "NAME")]
    pub owner: Option<String>,

    /// How long a runner waits for a job before it leaves.
    #[arg(long, env = "FLEETFOOT_IDLE_TIMEOUT", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    pub idle_timeout: SignedDuration,

    /// How long a runner may live, its job included.
    #[arg(long, env = "FLEETFOOT_MAX_LIFETIME", value_name = "DURATION", default_value = "6h", value_parser = duration)]
    pub max_lifetime: SignedDuration,

    /// How old a warm task may become before it is replaced, so that none runs an old image.
    #[arg(long, env = "FLEETFOOT_WARM_AGE", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    pub warm_age: SignedDuration,

    /// How often tasks in transition are looked at. With a queue of events that is seldom needed.
    #[arg(long, env = "FLEETFOOT_POLL", value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub poll: SignedDuration,

    /// How often everything is looked at, to reconcile.
    #[arg(long, env = "FLEETFOOT_SWEEP", value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub sweep: SignedDuration,

    /// How long a surplus runner may have no job before it is taken away.
    #[arg(long, env = "FLEETFOOT_GRACE", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub grace: SignedDuration,

    /// Remove the stack's scale sets from GitHub and end; tasks that wait and runners without a job leave by
    /// themselves.
    #[arg(long, env = "FLEETFOOT_SERVE_REMOVE")]
    pub remove: bool,
}
