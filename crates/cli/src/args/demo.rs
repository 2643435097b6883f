//! Arguments of `fleetfoot demo`.

use std::path::PathBuf;

use clap::Args;
use fleetfoot_sim::faults::Fault;
use jiff::SignedDuration;

use super::{Output, Timing, duration};

/// Arguments of `fleetfoot demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Workflow file to run, or several with --serve [default: the built-in examples/on-demand.yml; with --serve,
    /// examples/autoscaler.yml].
    #[arg(value_name = "WORKFLOW")]
    pub workflows: Vec<PathBuf>,

    /// Run the autoscaler, so that jobs name one of its scale sets in runs-on: fargate, fargate-spot, ec2 or
    /// linux-arm64.
    #[arg(long, env = "FLEETFOOT_DEMO_SERVE")]
    pub serve: bool,

    /// With --serve: run so many short jobs in place of a workflow, 1 to 10000.
    #[arg(long, env = "FLEETFOOT_DEMO_JOBS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub jobs: Option<u16>,

    /// With --jobs: how many of them begin to wait in a second, 0.1 to 1000 [default: all at once].
    #[arg(long, env = "FLEETFOOT_DEMO_RATE", value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,

    /// With --jobs: how long each of them takes [default: 1s].
    #[arg(long, env = "FLEETFOOT_DEMO_JOB_TIME", value_name = "DURATION", value_parser = duration)]
    pub job_time: Option<SignedDuration>,

    /// Input of the workflow, NAME=VALUE. Repeat for more.
    #[arg(long = "input", short = 'f', value_name = "NAME=VALUE", value_parser = name_value)]
    pub inputs: Vec<(String, String)>,

    /// How long simulated ECS takes to start a task: quick, or Fargate's published times.
    #[arg(long, env = "FLEETFOOT_DEMO_TIMING", value_name = "TIMING", default_value = "quick")]
    pub timing: Timing,

    /// What to run once more when a run has failed, as the buttons at GitHub do: failed (the failed jobs), all, or
    /// one job by its id in the workflow.
    #[arg(long, env = "FLEETFOOT_DEMO_RERUN", value_name = "WHAT", value_parser = rerun)]
    pub rerun: Option<Rerun>,

    /// What shall go wrong, such as jit-409 or no-capacity:FARGATE; docs/faults.md lists them. Repeat, or
    /// separate by spaces.
    #[arg(long = "fault", env = "FLEETFOOT_DEMO_FAULT", value_name = "FAULT", value_delimiter = ' ')]
    pub faults: Vec<Fault>,

    /// Seed of the faults' dice, to see the same again.
    #[arg(long, env = "FLEETFOOT_DEMO_SEED", value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Leave the simulators up at the end, and say how to reach them. Not with --serve.
    #[arg(long, env = "FLEETFOOT_DEMO_KEEP")]
    pub keep: bool,

    /// Output on stdout; with json, progress goes to stderr.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// What a demo runs once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rerun {
    /// The failed jobs, and those that depend on them.
    Failed,
    /// Every job.
    All,
    /// This job, by its id in the workflow, and those that depend on it.
    Job(String),
}

#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
fn rerun(text: &str) -> Result<Rerun, String> {
    Ok(match text {
        "failed" => Rerun::Failed,
        "all" => Rerun::All,
        job => Rerun::Job(job.to_owned()),
    })
}

fn name_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "an input is written as NAME=VALUE".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let allowed = |rate: &f64| (0.1..=1000.0).contains(rate);
    text.parse()
        .ok()
        .filter(allowed)
        .ok_or_else(|| "a rate is a number of jobs a second, 0.1 to 1000".to_owned())
}
