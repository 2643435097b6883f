//! The autoscaler as a process of its own, and what it costs: read where Linux counts it, in `/proc`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::common::Result;
use crate::common::stage::{PROGRAM, Stage};

/// Ticks of a second in `/proc/PID/stat`: USER_HZ, which is 100 wherever ECS runs (proc(5), time(7)).
const TICKS: u64 = 100;

/// How long it may take to begin and to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running `fleetfoot serve`.
pub(crate) struct Autoscaler {
    child: Child,
    id: u32,
    log: PathBuf,
}

/// Its memory, in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Resident now: that of the process alone, and the pages of the program's file that it has used.
    pub(crate) resident: f64,
    /// Of it that of the process alone.
    pub(crate) own: f64,
    /// The most that was resident so far.
    pub(crate) most: f64,
}

impl Autoscaler {
    /// Starts one for the stack in this file, and waits until it listens to GitHub.
    pub(crate) async fn start(stage: &Stage, stack: &Path) -> Result<Self> {
        let log = stack.with_extension("log");
        let mut child = Command::new(&*PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--stack-file"])
            .arg(stack)
            .env_clear()
            .envs(stage.environment(&[]).into_iter().filter(|(name, _)| name != "FLEETFOOT_STACK"))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log)?)
            .stderr(std::fs::File::create(stack.with_extension("err"))?)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().ok_or("the autoscaler has ended at once")?;
        let deadline = Instant::now() + PATIENCE;
        while !stage.world.github.scale_sets().iter().any(|set| set.owner.is_some()) {
            if let Some(status) = child.try_wait()? {
                let said = std::fs::read_to_string(stack.with_extension("err"))?;
                return Err(format!("the autoscaler ended with {status}: {said}").into());
            }
            if Instant::now() > deadline {
                return Err("the autoscaler does not listen".into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(Self { child, id, log })
    }

    /// The CPU time of all its threads so far, in user and kernel mode; to 10 ms.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        // The program's name stands in parentheses and may hold anything; the 14th and 15th fields are the times.
        let (_, fields) = stat.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let mut next = || fields.next().ok_or("/proc/PID/stat ends too soon");
        let ticks = next()?.parse::<u64>()? + next()?.parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let mebibytes = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib: f64 =
                line.ok_or("/proc/PID/status lacks a line")?.trim().trim_end_matches(" kB").parse()?;
            Ok(kib / 1024.0)
        };
        Ok(Memory { resident: mebibytes("VmRSS:")?, own: mebibytes("RssAnon:")?, most: mebibytes("VmHWM:")? })
    }

    /// How many runners it knows to be at this phase, as its metrics say.
    pub(crate) async fn runners(&self, phase: &str) -> Result<usize> {
        let log = std::fs::read_to_string(&self.log)?;
        let address = log.lines().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let address = line.pointer("/fields/address").or_else(|| line.get("address"))?;
            Some(address.as_str()?.to_owned())
        });
        let url = format!("http://{}/metrics", address.ok_or("the log tells no address")?);
        let text = reqwest::get(url).await?.text().await?;
        let wanted = format!("phase=\"{phase}\"");
        let of_phase = |line: &&str| line.starts_with("fleetfoot_runners{") && line.contains(&wanted);
        let value = |line: &str| line.rsplit(' ').next()?.parse::<usize>().ok();
        Ok(text.lines().filter(of_phase).filter_map(value).sum())
    }

    /// Tells it to end, and waits for that.
    pub(crate) async fn end(mut self) -> Result<()> {
        let id = nix::unistd::Pid::from_raw(self.id.try_into()?);
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM)?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the autoscaler ended with {status}").into()) }
    }
}
