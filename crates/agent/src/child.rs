//! Starts the runner: as another user, in a process group of its own, with nothing inherited.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::unistd::{Gid, Pid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid};
use secrecy::SecretString;
use std::os::unix::process::CommandExt;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::info;

use crate::household::{self, Household};
use crate::image::{Account, LISTENER, Person};
use crate::output::{self, Said};
use crate::unready::Unready;

/// Lines that may wait for the log. Beyond it the runner waits, too.
const WAITING_LINES: usize = 256;

/// A runner that was started.
pub(crate) struct Runner {
    /// The process and its descendants.
    pub(crate) household: Household,
    /// What it says on both streams.
    pub(crate) lines: mpsc::Receiver<Said>,
    /// SIGCHLD: some child has ended.
    pub(crate) deaths: Signal,
    /// Never to be shown.
    pub(crate) secret: SecretString,
}

/// Starts `bin/Runner.Listener run`.
///
/// The child is waited for by [`Household`] alone: neither std nor tokio reaps it.
pub(crate) fn start(
    dir: &Path,
    account: &Account,
    environment: Vec<(OsString, OsString)>,
    secret: &SecretString,
) -> Result<Runner, Unready> {
    let program = dir.join(LISTENER);
    let not_started = |source| Unready::NotStarted { program: program.clone(), source };
    household::adopt_orphans().map_err(|error| not_started(error.into()))?;
    // Before the start, so that no death goes unheard.
    let deaths = signal(SignalKind::child()).map_err(not_started)?;
    let mut command = Command::new(&program);
    command
        .arg("run")
        .current_dir(dir)
        .env_clear()
        .envs(environment)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let spawned = match account {
        Account::Own => command.spawn(),
        Account::Other(person) => as_person(person, || command.spawn())?,
    };
    let mut child = spawned.map_err(not_started)?;
    info!(
        pid = child.id(),
        user = match account {
            Account::Own => None,
            Account::Other(person) => Some(person.name.as_str()),
        },
        "runner started"
    );
    let lines = listen(&mut child).map_err(not_started)?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(|e| not_started(std::io::Error::other(e)))?);
    Ok(Runner { household: Household::of(pid), lines, deaths, secret: secret.clone() })
}

fn listen(child: &mut Child) -> std::io::Result<mpsc::Receiver<Said>> {
    let (sender, lines) = mpsc::channel(WAITING_LINES);
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(output::read(ChildStdout::from_std(stdout)?, false, sender.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(output::read(ChildStderr::from_std(stderr)?, true, sender));
    }
    Ok(lines)
}

/// Does something as this user, with all the user's groups, and becomes root again.
///
/// std's `Command::uid` drops every supplementary group, and without `sudo`'s or `docker`'s a job misses
/// what the official image promises. So the agent itself takes the user's real and effective ids and keeps
/// root only as its saved id: exec replaces the saved id by the effective one and drops all capabilities
/// (`execve(2)`, `credentials(7)`), so that the child has no way back. The ids are the whole process's;
/// no process of that user exists yet that could make use of the moment.
fn as_person<T>(person: &Person, act: impl FnOnce() -> T) -> Result<T, Unready> {
    let failed = |what| move |source| Unready::Identity { what, user: person.name.clone(), source };
    let uids = getresuid().map_err(failed("read the agent's user ids"))?;
    let gids = getresgid().map_err(failed("read the agent's group ids"))?;
    let groups: Vec<Gid> = getgroups().map_err(failed("read the agent's groups"))?;
    let done = setgroups(&person.groups)
        .map_err(failed("set the groups"))
        .and_then(|()| setresgid(person.gid, person.gid, gids.effective).map_err(failed("set the group ids")))
        .and_then(|()| setresuid(person.uid, person.uid, uids.effective).map_err(failed("set the user ids")))
        .map(|()| act());
    setresuid(uids.real, uids.effective, uids.saved).map_err(failed("restore the agent's user ids"))?;
    setresgid(gids.real, gids.effective, gids.saved).map_err(failed("restore the agent's group ids"))?;
    setgroups(&groups).map_err(failed("restore the agent's groups"))?;
    done
}
