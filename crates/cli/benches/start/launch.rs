//! `fleetfoot start --wait none` against the way of the project that it grew from: a shell script with aws-cli.
//!
//! The two take turns, so that whatever else the machine does meets both.

use std::path::Path;
use std::time::Duration;

use fleetfoot::demo::world::{BUCKET, CLUSTER};

use crate::common::Result;
use crate::common::measure::{self, Cost, Spread};
use crate::common::stage::{PROGRAM, Stage};

/// The other way.
const SEED: &str = include_str!("seed.sh");

/// What both ways cost.
pub(crate) struct Comparison {
    pub(crate) fleetfoot: Way,
    pub(crate) seed: Way,
}

/// What one way costs.
pub(crate) struct Way {
    /// In milliseconds.
    pub(crate) wall: Spread,
    /// In milliseconds.
    pub(crate) cpu: Spread,
    /// In MiB.
    pub(crate) memory: Spread,
    /// CPU time of the simulators meanwhile, in milliseconds.
    pub(crate) simulators: Spread,
    /// Calls that reached them.
    pub(crate) calls: usize,
}

/// One run.
struct Sample {
    cost: Cost,
    simulators: Duration,
    calls: usize,
}

pub(crate) async fn compare(aws: &Path, runs: usize) -> Result<Comparison> {
    let stage = Stage::with_sleeping_tasks().await?;
    let (mut fleetfoot, mut seed) = (Vec::new(), Vec::new());
    // The first turn warms up: the files are read from the disk, Python compiles its modules.
    for turn in 0..=runs {
        let (theirs, ours) = (by_seed(&stage, aws).await?, by_fleetfoot(&stage, turn).await?);
        if turn > 0 {
            fleetfoot.push(ours);
            seed.push(theirs);
        }
    }
    assert_done(&stage, runs + 1)?;
    stage.close().await;
    Ok(Comparison { fleetfoot: Way::of(&fleetfoot), seed: Way::of(&seed) })
}

async fn by_fleetfoot(stage: &Stage, turn: usize) -> Result<Sample> {
    let key = format!("turn-{turn}");
    let arguments = ["start", "--key", &key, "--wait", "none", "--output", "json"];
    sample(stage, PROGRAM.as_path(), &arguments, &stage.environment(&[])).await
}

async fn by_seed(stage: &Stage, aws: &Path) -> Result<Sample> {
    let mut environment = stage.environment(&[aws.parent().unwrap_or(aws)]);
    let network = &stage.world.stack["pools"][0]["network"];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    environment.extend(
        [
            ("CLUSTER", CLUSTER.to_owned()),
            ("TASK_DEF_NAME", text(&stage.world.stack["pools"][0]["task_definition"])),
            ("CONTAINER", "runner".to_owned()),
            ("SUBNET", text(&network["subnets"][0])),
            ("SECURITY_GROUP", text(&network["security_groups"][0])),
            ("RUNNER_PAT", stage.world.token.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    sample(stage, Path::new("/bin/bash"), &["-c", SEED], &environment).await
}

async fn sample(
    stage: &Stage,
    program: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<Sample> {
    let (calls, cpu) = (stage.world.book.len(), measure::own_cpu()?);
    let cost = measure::cost(program, arguments, environment).await?;
    let simulators = measure::own_cpu()?.saturating_sub(cpu);
    Ok(Sample { cost, simulators, calls: stage.world.book.len() - calls })
}

/// Whether each turn of each way has started a task, and each of ours has handed over a registration.
fn assert_done(stage: &Stage, turns: usize) -> Result<()> {
    let (tasks, runners) = (stage.world.aws.tasks().len(), stage.world.github.runners().len());
    let mail = stage.world.aws.objects(BUCKET).len();
    if (tasks, runners, mail) == (2 * turns, turns, turns) {
        return Ok(());
    }
    Err(format!("{turns} turns have left {tasks} tasks, {runners} registrations and {mail} assignments")
        .into())
}

impl Way {
    fn of(samples: &[Sample]) -> Self {
        let spread = |value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
        Self {
            wall: spread(|sample| milliseconds(sample.cost.wall)),
            cpu: spread(|sample| milliseconds(sample.cost.cpu)),
            memory: spread(|sample| sample.cost.peak_kib.map_or(f64::NAN, mebibytes)),
            simulators: spread(|sample| milliseconds(sample.simulators)),
            calls: samples.iter().map(|sample| sample.calls).max().unwrap_or_default(),
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "no process has 2^52 KiB")]
fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
