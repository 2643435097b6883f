//! What a process and all its children cost: wall time, CPU time, and the peak memory of the largest of them.
//!
//! The kernel counts a process's children together, so each command is run by a small process of its own, this
//! very program, which reads the sum for its only child (getrusage(2), `RUSAGE_CHILDREN`).

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use super::Result;

/// The first argument by which a benchmark is told to run and measure one command.
pub(crate) const MEASURE: &str = "measure";

/// What one run of a command cost.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// When it was started, since 1970.
    pub(crate) began: Duration,
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// In user and kernel mode.
    pub(crate) cpu: Duration,
    /// The most memory that the largest process had, in KiB; `None` if that is less than what measures it needs,
    /// which is all that is known then.
    pub(crate) peak_kib: Option<u64>,
}

/// Runs a command in an environment that holds nothing but what is given, and measures it.
pub(crate) async fn cost(
    program: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<Cost> {
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .arg(MEASURE)
        .arg(program)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .output()
        .await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} has failed: {}", program.display(), said.trim()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The other side of [`cost`].
pub(crate) fn run_and_measure(words: impl Iterator<Item = String>) -> ExitCode {
    match measured(words) {
        Ok(cost) => {
            println!("{}", serde_json::json!(cost));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measured(mut words: impl Iterator<Item = String>) -> Result<Cost> {
    let program = words.next().ok_or("there is nothing to measure")?;
    let floor = own_peak_kib()?;
    let began_at = now()?;
    let began = Instant::now();
    let status = Command::new(&program).args(words).stdout(Stdio::null()).status()?;
    let wall = began.elapsed();
    if !status.success() {
        return Err(format!("{program} ended with {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let peak_kib = Some(peak_kib(&usage)?).filter(|peak| *peak > floor);
    Ok(Cost { began: began_at, wall, cpu: cpu(&usage)?, peak_kib })
}

/// The wall clock, since 1970: what two processes of one machine can compare.
pub(crate) fn now() -> Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}

/// The most memory that this program has had, in KiB. A child counts with the memory of its parent until it has
/// become another program, so `RUSAGE_SELF` would show that of whoever started this one.
fn own_peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("there is no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The CPU time of this process so far.
pub(crate) fn own_cpu() -> Result<Duration> {
    cpu(&getrusage(UsageWho::RUSAGE_SELF)?)
}

fn cpu(usage: &Usage) -> Result<Duration> {
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.try_into()?))
}

/// Linux gives it in KiB.
fn peak_kib(usage: &Usage) -> Result<u64> {
    Ok(usage.max_rss().try_into()?)
}

/// The middle of some values, and how far they reach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of these values, one at least.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self { median, least: at(0), most: at(values.len().saturating_sub(1)) }
    }
}
