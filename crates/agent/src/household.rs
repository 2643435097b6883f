//! All processes below the agent: hears of every death, and sees to it that nothing outlives the job.
//!
//! The agent is PID 1 or a subreaper, so whatever the runner's processes leave behind becomes its child. It
//! waits for all of them itself; tokio's and std's children, each waited for by its own handle, would not
//! mix with that, so the agent has none.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};
use tokio::time::{Instant, sleep};
use tracing::{debug, error, info, warn};

use crate::ending::ChildEnd;

/// How long what the job left behind has to end by itself after SIGTERM.
const GENTLE: Duration = Duration::from_secs(1);
/// How long killed processes may take to be gone.
const HARD: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The most names of left processes that are told.
const NAMES_TOLD: usize = 10;

/// Makes every orphan below this process its child. PID 1 is that anyway.
pub(crate) fn adopt_orphans() -> nix::Result<()> {
    if getpid() == Pid::from_raw(1) { Ok(()) } else { set_child_subreaper(true) }
}

/// Kills every descendant of this process.
pub(crate) fn kill_everyone() {
    send_all(&descendants(), Signal::SIGKILL);
}

/// A runner's process, and all that descends from this process.
#[derive(Debug)]
pub(crate) struct Household {
    runner: Pid,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    pid: Pid,
    name: String,
}

impl Household {
    pub(crate) fn of(runner: Pid) -> Self {
        Self { runner }
    }

    /// Asks the runner, and only it, to end: it cancels its job in order.
    pub(crate) fn interrupt(&self) {
        send(self.runner, Signal::SIGINT);
    }

    /// Kills every descendant.
    pub(crate) fn kill(&self) {
        kill_everyone();
        // Also when /proc does not show it.
        send(self.runner, Signal::SIGKILL);
    }

    /// Reaps whatever has ended, and says how the runner did, if it was among them.
    pub(crate) fn reap(&self) -> Option<ChildEnd> {
        let mut end = None;
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.runner => end = Some(ChildEnd::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.runner => {
                    end = Some(ChildEnd::Signal(signal as i32));
                }
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return end,
                Ok(status) => debug!(pid = status.pid().map(Pid::as_raw), "reaped an orphan"),
                Err(Errno::EINTR) => {}
                // The child is reaped, but nix has no name for the (real-time) signal that killed it.
                Err(Errno::EINVAL) => {
                    if kill(self.runner, None) == Err(Errno::ESRCH) {
                        end = Some(ChildEnd::Signal(0));
                    }
                }
                Err(error) => {
                    error!(%error, "cannot wait for child processes");
                    return end;
                }
            }
        }
    }

    /// Ends what the runner left behind: asks first, unless in haste, then kills. For when the runner has
    /// ended or was given up.
    pub(crate) async fn clear_out(&self, in_haste: bool) {
        self.reap();
        let left = descendants();
        if left.is_empty() {
            return;
        }
        warn!(count = left.len(), processes = names(&left), "the job left processes behind; ending them");
        if !in_haste {
            send_all(&left, Signal::SIGTERM);
            if self.gone_within(GENTLE, None).await {
                info!("they ended");
                return;
            }
        }
        if self.gone_within(HARD, Some(Signal::SIGKILL)).await {
            info!("they were killed");
        } else {
            let left = descendants();
            error!(count = left.len(), processes = names(&left), "these processes cannot be ended");
        }
    }

    /// Waits for all descendants to be gone, and sends them the signal again and again: there may be new ones.
    async fn gone_within(&self, patience: Duration, signal: Option<Signal>) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            self.reap();
            let left = descendants();
            if left.is_empty() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            if let Some(signal) = signal {
                send_all(&left, signal);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

fn names(processes: &[Process]) -> String {
    let mut text = processes
        .iter()
        .take(NAMES_TOLD)
        .map(|p| p.name.escape_debug().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    if processes.len() > NAMES_TOLD {
        text.push_str(", …");
    }
    text
}

fn send_all(processes: &[Process], signal: Signal) {
    for process in processes {
        send(process.pid, signal);
    }
}

fn send(pid: Pid, signal: Signal) {
    match kill(pid, signal) {
        // It has ended in the meantime.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => warn!(pid = pid.as_raw(), signal = signal.as_str(), %error, "cannot send a signal"),
    }
}

/// All living processes below this one.
fn descendants() -> Vec<Process> {
    let mut children: BTreeMap<Pid, Vec<Process>> = BTreeMap::new();
    let entries = match std::fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => {
            error!(%error, "cannot read /proc, so what the job leaves behind is not seen");
            return Vec::new();
        }
    };
    for entry in entries.flatten() {
        let is_process =
            entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        // A process that ends while it is looked at has no file any more.
        if is_process
            && let Ok(stat) = std::fs::read(entry.path().join("stat"))
            && let Some((process, parent)) = read_stat(&String::from_utf8_lossy(&stat))
        {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    let mut parents = vec![getpid()];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            parents.push(child.pid);
            found.push(child);
        }
    }
    found
}

/// Process and parent from `/proc/<pid>/stat`, unless it is a zombie (`proc_pid_stat(5)`). The name stands
/// in brackets and may hold brackets and spaces itself.
fn read_stat(stat: &str) -> Option<(Process, Pid)> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    Some((Process { pid: Pid::from_raw(pid.parse().ok()?), name: name.to_owned() }, Pid::from_raw(parent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let read =
            |name: &str, state: &str| read_stat(&format!("42 ({name}) {state} 7 42 42 0 -1 4194304 0\n"));
        for name in ["sleep", "a b", "x) S 1 (y", ")", ""] {
            let (process, parent) = read(name, "S").unwrap();
            assert_eq!(
                (process.pid, process.name.as_str(), parent),
                (Pid::from_raw(42), name, Pid::from_raw(7))
            );
        }
        assert_eq!(read("sleep", "Z"), None);
        assert_eq!(read_stat("nonsense"), None);
    }

    #[test]
    fn many_names_are_cut() {
        let many: Vec<_> =
            (0..12).map(|i| Process { pid: Pid::from_raw(i), name: format!("p\n{i}") }).collect();
        assert_eq!(names(&many[..2]), "p\\n0, p\\n1");
        assert!(names(&many).ends_with("p\\n9, …"));
    }
}
