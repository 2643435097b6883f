//! Runs a process in a group of its own, reads its lines, and stops it the way GitHub's runner does: SIGINT, then
//! SIGTERM, to the process itself, then SIGKILL to all that it has started.
//!
//! So a shell that waits for a program keeps the signals to itself, and the program hears nothing: it must be `exec`ed.
//! (GitHub docs, "Workflow cancellation reference": they go to the step's entry process.) If the shell ends by them, the
//! program goes on until the job is over.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Between SIGINT and SIGTERM.
const INTERRUPT_GRACE: Duration = Duration::from_millis(7500);
/// Between SIGTERM and SIGKILL.
const TERMINATE_GRACE: Duration = Duration::from_millis(2500);
/// How long the output is read after the process ended while others still hold it open.
const DRAIN: Duration = Duration::from_secs(5);

/// No deadline at all.
const FAR: Duration = Duration::from_hours(24 * 365);

/// What to run.
pub(crate) struct Invocation<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: &'a [String],
    /// The whole environment: nothing is inherited.
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) folder: &'a Path,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this code; 128 and the signal's number if a signal ended it.
    Exited(i32),
    /// Stopped, because the token was cancelled.
    Cancelled,
    /// Stopped, because the deadline passed.
    TimedOut,
}

/// Kills what is left of a process group when it goes out of scope while armed.
struct Group {
    leader: Pid,
    armed: bool,
}

impl Group {
    /// To the leader, or, where nobody can refuse it, to all.
    fn signal(&self, signal: Signal) {
        // Nobody left to hear it is what we want.
        let _ =
            if signal == Signal::SIGKILL { killpg(self.leader, signal) } else { kill(self.leader, signal) };
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.armed {
            self.signal(Signal::SIGKILL);
        }
    }
}

/// Runs a process to its end and hands every line of its output to `on_line`, both streams in the order
/// they were written. If the future is dropped, the whole group is killed.
pub(crate) async fn run(
    invocation: Invocation<'_>,
    cancel: &CancellationToken,
    deadline: Option<Instant>,
    mut on_line: impl FnMut(&str),
) -> io::Result<End> {
    let (mut child, mut output) = spawn(&invocation)?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut group =
        Group { leader: leader.ok_or_else(|| io::Error::other("the process has no id"))?, armed: true };
    let far = Instant::now() + FAR;
    let mut stopped = None;
    // What comes next for a group that is being stopped, and when.
    let mut next = Some(Signal::SIGINT);
    let mut next_at = far;
    let mut exited = None;
    let mut drained_at = far;
    let mut open = true;
    let mut line = Vec::new();
    while exited.is_none() || open {
        tokio::select! {
            read = output.read_until(b'\n', &mut line), if open => {
                if read? == 0 {
                    open = false;
                } else {
                    on_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
                    line.clear();
                }
            }
            status = child.wait(), if exited.is_none() => {
                exited = Some(code(status?));
                drained_at = Instant::now() + DRAIN;
            }
            () = sleep_until(drained_at), if exited.is_some() => open = false,
            () = cancel.cancelled(), if stopped.is_none() => {
                stopped = Some(End::Cancelled);
                next_at = Instant::now();
            }
            () = sleep_until(deadline.unwrap_or(far)), if stopped.is_none() && deadline.is_some() => {
                stopped = Some(End::TimedOut);
                next_at = Instant::now();
            }
            () = sleep_until(next_at), if stopped.is_some() && exited.is_none() && next.is_some() => {
                if let Some(signal) = next {
                    group.signal(signal);
                    (next, next_at) = match signal {
                        Signal::SIGINT => (Some(Signal::SIGTERM), Instant::now() + INTERRUPT_GRACE),
                        Signal::SIGTERM => (Some(Signal::SIGKILL), Instant::now() + TERMINATE_GRACE),
                        _ => (None, far),
                    };
                }
            }
        }
    }
    if !line.is_empty() {
        on_line(String::from_utf8_lossy(&line).trim_end_matches('\r'));
    }
    // What a step leaves behind may stay until the job is over.
    group.armed = false;
    Ok(stopped.unwrap_or_else(|| End::Exited(exited.unwrap_or(1))))
}

fn spawn(invocation: &Invocation<'_>) -> io::Result<(tokio::process::Child, BufReader<pipe::Receiver>)> {
    // One pipe for both streams keeps their lines in order.
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(invocation.program);
    command
        .args(invocation.args)
        .env_clear()
        .envs(invocation.environment)
        .current_dir(invocation.folder)
        .stdin(std::process::Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let child = command.spawn()?;
    // The command holds the writing ends; with them the output would never end.
    drop(command);
    Ok((child, BufReader::new(pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?)))
}

fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

/// Finds a program the way a shell does.
pub(crate) fn find(program: &str, path: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let executable = |path: &PathBuf| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(executable);
    }
    std::env::split_paths(path).map(|folder| folder.join(program)).find(executable)
}
