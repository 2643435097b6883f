//! A container as a process of this machine: its own folder, its own process group, a clean environment.
//!
//! A real container takes all its processes with it. Here they are found by process group, by descent,
//! by folder and by a mark in their environment, and killed when the container's program ends. What
//! escapes all four (a daemon that left group, parents, folder and environment behind) is not caught.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::ecs::{Launch, Run};
use super::function;
use super::server::Shared;
use crate::events::Event;

/// How long the last lines may take after all processes are gone.
const DRAIN: Duration = Duration::from_secs(2);

/// What ECS wants of a container that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// SIGTERM, and SIGKILL after this time.
    Stop(Duration),
    /// SIGKILL.
    Kill,
}

/// The processes that run, for whoever has to end them without waiting.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashMap<String, Traces>>>);

/// How the processes of a container are known.
#[derive(Clone)]
struct Traces {
    leader: i32,
    root: PathBuf,
    /// The container's id; it stands in the metadata address that every process inherits.
    mark: String,
}

impl Running {
    fn insert(&self, traces: &Traces) {
        self.lock().insert(traces.mark.clone(), traces.clone());
    }

    fn remove(&self, mark: &str) {
        self.lock().remove(mark);
    }

    /// Kills everything at once, without waiting.
    pub(crate) fn kill_all(&self) {
        let all: Vec<Traces> = self.lock().drain().map(|(_, traces)| traces).collect();
        all.iter().for_each(Traces::kill);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Traces>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a container, be it a process or a function, from start to end and reports to ECS; gives its id.
pub(crate) async fn run(
    shared: Arc<Shared>,
    launch: Launch,
    orders: mpsc::UnboundedReceiver<Order>,
    shutdown: CancellationToken,
) -> String {
    let id = launch.runtime_id.clone();
    let result = supervise(&shared, launch, orders, shutdown).await;
    let now = Timestamp::now();
    {
        let mut world = shared.world();
        match result {
            Ok(code) => world.ecs.container_exited(&id, code, now),
            Err(error) => {
                let reason = format!("CannotStartContainerError: Error response from daemon: {error}");
                world.ecs.container_failed(&id, reason, now);
            }
        }
    }
    shared.wake.notify_one();
    id
}

/// As a shell says it: 128 and the number of the signal that ended the process.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

async fn supervise(
    shared: &Arc<Shared>,
    launch: Launch,
    mut orders: mpsc::UnboundedReceiver<Order>,
    shutdown: CancellationToken,
) -> io::Result<i32> {
    let (argv, files) = match &launch.run {
        Run::Function(function) => {
            return Ok(function::run(function, launch.env.clone(), &mut orders, &shutdown).await);
        }
        Run::Process { argv, files } => (argv, files.clone()),
    };
    // The folder lives as long as this value.
    let folder = tokio::task::spawn_blocking(move || Folder::new(files.as_deref())).await??;
    let mut child = spawn(argv, &launch, &folder)?;
    let leader =
        child.id().and_then(|id| i32::try_from(id).ok()).ok_or_else(|| io::Error::other("no process id"))?;
    let traces = Traces { leader, root: folder.root.path().to_owned(), mark: launch.runtime_id.clone() };
    shared.running.insert(&traces);
    let readers = [
        child.stdout.take().map(|out| {
            tokio::spawn(read_lines(Arc::clone(shared), launch.task.clone(), launch.log.clone(), out))
        }),
        child.stderr.take().map(|err| {
            tokio::spawn(read_lines(Arc::clone(shared), launch.task.clone(), launch.log.clone(), err))
        }),
    ];

    let mut deadline: Option<Instant> = None;
    let status = loop {
        // Without a deadline the branch is off, and the time in it of no consequence.
        let limit = deadline.unwrap_or_else(Instant::now);
        tokio::select! {
            status = child.wait() => break status,
            Some(order) = orders.recv() => match order {
                Order::Stop(grace) => {
                    // Only the first process of a container is told; what it tells the others is its affair.
                    // Where it has just ended, the signal finds nobody.
                    let _ = kill(Pid::from_raw(leader), Signal::SIGTERM);
                    deadline = Some(Instant::now() + grace);
                }
                Order::Kill => break end(&traces, &mut child).await,
            },
            () = sleep_until(limit), if deadline.is_some() => break end(&traces, &mut child).await,
            () = shutdown.cancelled() => break end(&traces, &mut child).await,
        }
    }?;

    let left = traces.clone();
    tokio::task::spawn_blocking(move || left.sweep()).await?;
    shared.running.remove(&launch.runtime_id);
    for reader in readers.into_iter().flatten() {
        // A process that escaped may hold the pipe: its lines are lost, as in a container that is gone.
        let abort = reader.abort_handle();
        if tokio::time::timeout(DRAIN, reader).await.is_err() {
            abort.abort();
        }
    }
    Ok(exit_code(status))
}

async fn end(traces: &Traces, child: &mut Child) -> io::Result<ExitStatus> {
    traces.kill();
    child.wait().await
}

fn spawn(argv: &[String], launch: &Launch, folder: &Folder) -> io::Result<Child> {
    let root = folder.root.path().to_string_lossy();
    let fill = |text: &str| text.replace("{root}", &root);
    let (program, arguments) =
        argv.split_first().ok_or_else(|| io::Error::other("the image names no program"))?;
    let mut command = Command::new(fill(program));
    command
        .args(arguments.iter().map(|argument| fill(argument)))
        .env_clear()
        .envs(launch.env.iter().map(|(name, value)| (name, fill(value))))
        .current_dir(folder.root.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(token) = &launch.credentials_token {
        let token_file = folder.private.path().join("token");
        std::fs::write(&token_file, token)?;
        command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file);
    }
    let shown = fill(program);
    command.spawn().map_err(|error| io::Error::new(error.kind(), format!("exec: \"{shown}\": {error}")))
}

async fn read_lines(
    shared: Arc<Shared>,
    task: String,
    log: Option<(String, String)>,
    stream: impl AsyncRead + Unpin,
) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // A read error on a pipe means the same as its end.
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']).to_owned();
        line.clear();
        let consequences = {
            let mut world = shared.world();
            if let Some((group, stream)) = &log {
                world.logs.append(group, stream, text.clone(), Timestamp::now());
            }
            world.ecs.line_written(&task, &text)
        };
        if consequences {
            shared.wake.notify_one();
        }
        shared.bus.send(Event::TaskLog { arn: task.clone(), line: text });
    }
}

/// A container's own folder, and one for what only ECS may put there.
struct Folder {
    root: TempDir,
    private: TempDir,
}

impl Folder {
    fn new(files: Option<&Path>) -> io::Result<Self> {
        let root = tempfile::Builder::new().prefix("ecs-task-").tempdir()?;
        let private = tempfile::Builder::new().prefix("ecs-agent-").tempdir()?;
        if let Some(files) = files {
            copy_tree(files, root.path())?;
        }
        Ok(Self { root, private })
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&source)?, &target)?;
        } else if kind.is_dir() {
            std::fs::create_dir(&target)?;
            copy_tree(&source, &target)?;
        } else {
            std::fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

impl Traces {
    /// Kills the group and everything else that is known to belong to the container, once.
    fn kill(&self) {
        let others = self.processes();
        // What has just ended cannot be killed, and need not be.
        let _ = killpg(Pid::from_raw(self.leader), Signal::SIGKILL);
        for process in others {
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }

    /// Kills until nothing is left; what is killed may have started something in the meantime.
    fn sweep(&self) {
        for _ in 0..50 {
            if self.processes().is_empty() {
                return;
            }
            self.kill();
            std::thread::sleep(Duration::from_millis(10));
        }
        tracing::warn!(container = self.mark, "processes of a container outlive it");
    }

    /// The living processes of the container. A zombie is dead: its parent only has to look.
    fn processes(&self) -> Vec<i32> {
        let all = process_table();
        let mut found: Vec<i32> = all.iter().filter(|p| self.owns(p)).map(|p| p.id).collect();
        loop {
            let children: Vec<i32> = all
                .iter()
                .filter(|p| found.contains(&p.parent) && !found.contains(&p.id))
                .map(|p| p.id)
                .collect();
            if children.is_empty() {
                return found;
            }
            found.extend(children);
        }
    }

    fn owns(&self, process: &Process) -> bool {
        let folder = format!("/proc/{}", process.id);
        process.group == self.leader
            || std::fs::read_link(format!("{folder}/cwd")).is_ok_and(|cwd| cwd.starts_with(&self.root))
            || std::fs::read(format!("{folder}/environ"))
                .is_ok_and(|env| env.windows(self.mark.len()).any(|part| part == self.mark.as_bytes()))
    }
}

/// A line of the process table.
struct Process {
    id: i32,
    parent: i32,
    group: i32,
}

fn process_table() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let id: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            // The name, in parentheses, may hold anything.
            let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
            let (state, parent, group) = (fields.next()?, fields.next()?, fields.next()?);
            (state != "Z" && state != "X").then_some(())?;
            Some(Process { id, parent: parent.parse().ok()?, group: group.parse().ok()? })
        })
        .collect()
}
