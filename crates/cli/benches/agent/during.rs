//! What the agent needs while a job runs: processes, threads, memory, CPU time.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::sleep;

use crate::common::Result;
use crate::common::measure::Spread;
use crate::place::Place;
use crate::runner::JOB;
use crate::way::Way;

/// How long the job takes.
pub(crate) const SECONDS: u32 = 2;

/// What it needs.
pub(crate) struct During {
    /// Of the agent: itself and its helpers, without the runner.
    pub(crate) processes: Spread,
    pub(crate) threads: Spread,
    /// In MiB: all that is mapped and in memory, the program's own file among it.
    pub(crate) resident: Spread,
    /// In MiB: what is the agent's alone.
    pub(crate) private: Spread,
    /// The most that was resident until the job's end, in MiB.
    pub(crate) peak: Spread,
    /// CPU time for the job's whole time, in milliseconds.
    pub(crate) cpu: Spread,
}

struct Sample {
    processes: f64,
    threads: f64,
    resident: f64,
    private: f64,
    peak: f64,
    cpu: f64,
}

pub(crate) async fn measure(runs: usize) -> Result<During> {
    let place = Place::open(Duration::ZERO).await?;
    let mut samples = Vec::new();
    for run in 0..runs {
        samples.push(sample(&place, run).await?);
    }
    place.close().await;
    let spread = |value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
    Ok(During {
        processes: spread(|sample| sample.processes),
        threads: spread(|sample| sample.threads),
        resident: spread(|sample| sample.resident),
        private: spread(|sample| sample.private),
        peak: spread(|sample| sample.peak),
        cpu: spread(|sample| sample.cpu),
    })
}

async fn sample(place: &Place, run: usize) -> Result<Sample> {
    let start = Way::Assigned.prepare(place, &format!("during-{run}")).await?;
    let mut agent = Command::new(start.program)
        .args(start.arguments)
        .env_clear()
        .envs(start.environment)
        .env(JOB, SECONDS.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pid = agent.id().ok_or("the agent has ended at once")?;
    while !place.runner.is_busy() {
        if let Some(status) = agent.try_wait()? {
            return Err(format!("the agent ended before its job, with {status}").into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    let before = cpu(pid)?;
    // Nearly to the end; then the job still runs, and everything that it needs is there.
    sleep(Duration::from_secs(SECONDS.into()).mul_f64(0.85)).await;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<f64> {
        let line =
            status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
        Ok(line.trim_end_matches("kB").trim().parse()?)
    };
    let children = children(pid)?;
    let sample = Sample {
        // One of the children is the runner.
        processes: f64::from(1 + children.saturating_sub(1)),
        threads: field("Threads:")?,
        resident: field("VmRSS:")? / 1024.0,
        private: field("RssAnon:")? / 1024.0,
        peak: field("VmHWM:")? / 1024.0,
        cpu: (cpu(pid)?.saturating_sub(before)).as_secs_f64() * 1e3,
    };
    if !place.runner.is_busy() || children == 0 {
        return Err("the job was over before it was looked at".into());
    }
    let status = agent.wait().await?;
    place.runner.take_start()?;
    if status.success() { Ok(sample) } else { Err(format!("the agent ended with {status}").into()) }
}

/// The CPU time of all threads (`/proc/PID/task/TID/schedstat`, whose first field is in nanoseconds).
fn cpu(pid: u32) -> Result<Duration> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let times = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += times.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

/// How many processes this one has started, of those that are there.
fn children(pid: u32) -> Result<u32> {
    let mut count = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = std::fs::read_to_string(thread?.path().join("children"))?;
        count += u32::try_from(children.split_whitespace().count())?;
    }
    Ok(count)
}
