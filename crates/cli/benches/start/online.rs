//! `fleetfoot start --wait online`: from the moment in which GitHub sees the runner to the end of the step.
//!
//! The runner is a real agent with a stand-in for GitHub's runner. What is measured is how late the step notices:
//! at most one poll, as long as nothing else holds it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use fleetfoot::demo::world;
use fleetfoot_sim::events::Event;
use tokio::process::Command;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::common::Result;
use crate::common::measure::Spread;
use crate::common::stage::{PROGRAM, Stage};

/// The poll: the default of `fleetfoot start`.
pub(crate) const POLL: Duration = Duration::from_secs(1);

/// How late the step may end after a whole poll.
pub(crate) const BEYOND: Duration = Duration::from_millis(100);

/// How long a start may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Seconds from online to the end.
pub(crate) async fn measure(runs: usize) -> Result<Spread> {
    let stage = Stage::new(world::quick).await?;
    let mut late = Vec::new();
    for run in 0..runs {
        let key = format!("run-{run}");
        // Each time a little later within the poll, or all runs would wait for the same part of it.
        let later = POLL.mul_f64(part(run, runs)).as_secs_f64();
        stage.faults.inject(format!("slow-start:{later:.3}").parse()?);
        let mut events = stage.world.bus.subscribe();
        let mut start = fleetfoot(&stage, &["start", "--key", &key, "--wait", "online"]).spawn()?;
        let online = tokio::time::timeout(PATIENCE, until_online(&mut events)).await??;
        let status = tokio::time::timeout(PATIENCE, start.wait()).await??;
        late.push(online.elapsed().as_secs_f64());
        if !status.success() {
            return Err(format!("fleetfoot start ended with {status}").into());
        }
        let stopped = fleetfoot(&stage, &["stop", "--key", &key, "--wait"]).status().await?;
        if !stopped.success() {
            return Err(format!("fleetfoot stop ended with {stopped}").into());
        }
    }
    stage.close().await;
    Ok(Spread::of(late))
}

#[expect(clippy::cast_precision_loss, reason = "nobody runs it 2^52 times")]
fn part(run: usize, runs: usize) -> f64 {
    run as f64 / runs as f64
}

fn fleetfoot(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command
        .args(arguments)
        .env_clear()
        .envs(stage.environment(&[]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn until_online(events: &mut Receiver<Event>) -> Result<Instant> {
    loop {
        match events.recv().await {
            Ok(Event::Runner { status: "online", .. }) => return Ok(Instant::now()),
            Ok(_) => {}
            Err(error @ (RecvError::Lagged(_) | RecvError::Closed)) => return Err(error.into()),
        }
    }
}
