//! Ends what a job's steps left running.
//!
//! GitHub's runner marks every process of a job with `RUNNER_TRACKING_ID` and, when the job is over, ends
//! those that still carry the mark; a process escapes by changing the variable. So does this, where
//! `/proc` tells the environment of processes.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that marks processes.
pub(crate) const VARIABLE: &str = "RUNNER_TRACKING_ID";

/// A process that was ended.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) id: i32,
    pub(crate) name: String,
}

/// Kills all processes with this mark.
pub(crate) fn end(mark: &str) -> Vec<Orphan> {
    let wanted = format!("{VARIABLE}={mark}");
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|process| {
            let id: i32 = process.file_name().to_str()?.parse().ok()?;
            // Processes of others cannot be read, and are not ours.
            let environment = std::fs::read(process.path().join("environ")).ok()?;
            environment.split(|byte| *byte == 0).find(|variable| *variable == wanted.as_bytes())?;
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            kill(Pid::from_raw(id), Signal::SIGKILL).ok()?;
            Some(Orphan { id, name: name.trim().to_owned() })
        })
        .collect()
}
