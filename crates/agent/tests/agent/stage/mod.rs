//! A task around the agent: metadata endpoint, mailbox, runner folder with a script for a runner.

pub(crate) mod agent;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fleetfoot_core::exit::AgentExit;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use agent::{ORDERS, Orders, Registering};

pub(crate) const SECRET: &str = "the-jit-config-is-s3cret";
const TASK: &str = "0123456789abcdef0123456789abcdef";
const MAILBOX: &str = "s3://mail/mailbox/n0nce/";
/// The user id of nobody on Debian.
pub(crate) const NOBODY: u32 = 65534;
/// Longer than anything here takes; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The official lines of a runner that came online.
pub(crate) const ONLINE: &str = r#"
echo
echo "√ Connected to GitHub"
echo
echo "Current runner version: '2.336.0'"
echo "2026-01-01 00:00:00Z: Listening for Jobs"
"#;

/// A runner that comes online, answers SIGINT as the official one does, and waits for a job for ever.
pub(crate) const WAITING: &str = r"
trap 'echo Exiting...; exit 0' INT
ONLINE
sleep 60 & wait
";

/// A runner with a job that never ends and that SIGINT cancels.
pub(crate) const BUSY: &str = r#"
trap 'echo Exiting...; echo "2026-01-01 00:00:05Z: Job build completed with result: Canceled"; exit 103' INT
ONLINE
echo "2026-01-01 00:00:01Z: Running job: build"
sleep 60 & wait
"#;

/// A runner whose job ends with this result and exit code after some seconds.
pub(crate) fn job(seconds: &str, result: &str, code: i32) -> String {
    format!(
        r#"
trap '' INT
ONLINE
echo "2026-01-01 00:00:01Z: Running job: build"
sleep {seconds}
echo "2026-01-01 00:00:02Z: Job build completed with result: {result}"
exit {code}
"#
    )
}

/// Arguments of `unshare` (util-linux) before the program that is to be PID 1.
pub(crate) const UNSHARE: [&str; 4] = ["--pid", "--fork", "--mount-proc", "--kill-child"];

/// What is prepared before the agent starts.
pub(crate) struct Stage {
    dir: Arc<TempDir>,
    pub(crate) orders: Orders,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) metadata_uri: String,
    /// Makes the agent PID 1 of a namespace of its own, which only root can.
    pub(crate) as_pid_1: bool,
    /// Runs the agent as nobody, which only root can ask for.
    pub(crate) as_nobody: bool,
}

impl Stage {
    /// A task whose runner is this script; `ONLINE` in it stands for the official lines.
    pub(crate) fn new(script: &str) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        // The runner may be run as another user.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let runner_dir = dir.path().join("runner");
        std::fs::create_dir_all(runner_dir.join("bin")).unwrap();
        let listener = runner_dir.join("bin/Runner.Listener");
        std::fs::write(&listener, format!("#!/bin/sh\n{}", script.replace("ONLINE", ONLINE))).unwrap();
        std::fs::set_permissions(&listener, PermissionsExt::from_mode(0o755)).unwrap();
        let orders = Orders {
            mail: dir.path().join("mail"),
            mail_denied: false,
            mail_hangs: false,
            runner_dir,
            runner_user: None,
            bind_timeout_ms: 10_000,
            stop_grace_ms: 2_000,
            job_credentials: false,
            pass_env: Vec::new(),
            slack_ms: 60_000,
            registering: None,
        };
        Self {
            dir,
            orders,
            environment: Vec::new(),
            metadata_uri: metadata_server(),
            as_pid_1: false,
            as_nobody: false,
        }
    }

    /// The same with an assignment of a minute's idle timeout and lifetime in the mailbox.
    pub(crate) fn assigned(script: &str) -> Self {
        Self::new(script).limits(60, 60)
    }

    /// The same without a launcher: the agent registers its runner in a folder.
    pub(crate) fn registering(script: &str) -> Self {
        let mut stage = Self::new(script);
        stage.orders.registering = Some(Registering {
            registry: stage.registry(),
            name: Some("mine".to_owned()),
            metadata: None,
            work_folder: None,
            packages: Vec::new(),
            packages_timeout_ms: 10_000,
            idle_timeout: 60,
            max_lifetime: 60,
        });
        std::fs::create_dir_all(stage.registry().join("runners")).unwrap();
        stage
    }

    /// Changes how the agent registers its runner.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Registering)) -> Self {
        change(self.orders.registering.as_mut().unwrap());
        self
    }

    /// The folder that is GitHub for an agent that registers its runner itself.
    pub(crate) fn registry(&self) -> PathBuf {
        self.dir.path().join("github")
    }

    /// Makes this script the program of that name that the agent finds first.
    pub(crate) fn program(mut self, name: &str, script: &str) -> Self {
        let bin = self.dir.path().join("programs");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join(name), format!("#!/bin/sh\ncd {}\n{script}", self.runner_dir().display()))
            .unwrap();
        std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
        self.environment.push(("PATH".to_owned(), path));
        self
    }

    /// Puts an assignment with these seconds of idle timeout and lifetime into the mailbox.
    pub(crate) fn limits(self, idle_timeout: u64, max_lifetime: u64) -> Self {
        self.put(&assignment(idle_timeout, max_lifetime).to_string());
        self
    }

    /// Puts a document into the mailbox.
    pub(crate) fn put(&self, document: &str) {
        put(&self.letter(), document);
    }

    /// The file that is this task's mailbox.
    pub(crate) fn letter(&self) -> PathBuf {
        self.orders.mail.join("mail/mailbox/n0nce").join(TASK)
    }

    pub(crate) fn grace(mut self, milliseconds: u64) -> Self {
        self.orders.stop_grace_ms = milliseconds;
        self
    }

    pub(crate) fn runner_dir(&self) -> &Path {
        &self.orders.runner_dir
    }

    /// Starts an agent whose standard output nobody reads.
    pub(crate) fn start_unheard(self) -> Agent {
        self.spawn(false)
    }

    /// Starts the agent's process.
    pub(crate) fn start(self) -> Agent {
        self.spawn(true)
    }

    fn spawn(self, heard: bool) -> Agent {
        let program = std::env::current_exe().unwrap();
        let mut command = if self.as_pid_1 {
            let mut unshare = Command::new("unshare");
            unshare.args(UNSHARE).arg(program);
            unshare
        } else {
            Command::new(program)
        };
        if self.as_nobody {
            for folder in
                [self.dir.path(), self.runner_dir(), &self.registry(), &self.registry().join("runners")]
            {
                std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut child = command
            .args(["agent_process", "--exact", "--nocapture"])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", "/root")
            .env(ORDERS, serde_json::to_string(&self.orders).unwrap())
            .env("FLEETFOOT_MAILBOX", MAILBOX)
            .env("ECS_CONTAINER_METADATA_URI_V4", &self.metadata_uri)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&log);
        // An end of a pipe that nobody reads stays with the child.
        let stdout = if heard { child.stdout.take() } else { None };
        let reader = std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
                to.lock().unwrap().push(line.unwrap());
            }
        });
        Agent { child, log, reader: Some(reader), stage: self }
    }

    /// Starts the agent and waits for its end.
    pub(crate) fn play(self) -> Ended {
        self.start().end()
    }
}

pub(crate) fn assignment(idle_timeout: u64, max_lifetime: u64) -> Value {
    json!({ "version": 1, "runner": format!("ff-{TASK}"), "jit_config": SECRET,
            "idle_timeout": idle_timeout, "max_lifetime": max_lifetime })
}

pub(crate) fn put(letter: &Path, document: &str) {
    std::fs::create_dir_all(letter.parent().unwrap()).unwrap();
    // As in S3, it is there as a whole or not at all.
    let draft = letter.with_extension("draft");
    std::fs::write(&draft, document).unwrap();
    std::fs::rename(draft, letter).unwrap();
}

/// An agent that runs.
pub(crate) struct Agent {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    pub(crate) stage: Stage,
}

impl Agent {
    /// Waits until a log line has this text in a field's value or as its message.
    pub(crate) fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log.lock().unwrap().iter().any(|line| line.contains(text)) {
            assert!(Instant::now() < deadline, "no {text:?} in {:#?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// The agent's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the agent's end.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {:#?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        };
        // What the agent leaves behind would hold its standard output open, and this would hang.
        self.reader.take().unwrap().join().unwrap();
        let raw = self.log.lock().unwrap().join("\n");
        assert!(!raw.contains(SECRET), "the secret is in the log: {raw}");
        let log = raw.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ended { code: status.code(), log, letter: self.stage.letter(), dir: Arc::clone(&self.stage.dir) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // For a test that has failed; an agent that has ended does not mind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An agent that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: Vec<Value>,
    pub(crate) letter: PathBuf,
    dir: Arc<TempDir>,
}

impl Ended {
    /// The end, checked: exit code, and the name in the summary.
    #[track_caller]
    pub(crate) fn is(self, exit: AgentExit) -> Self {
        assert_eq!(self.code, Some(exit.code().into()), "{:#?}", self.log);
        let summary = self.line("agent ends");
        assert_eq!(summary["exit"], serde_json::to_value(exit).unwrap(), "{summary}");
        assert_eq!(summary["code"], exit.code());
        self
    }

    /// The log line with this message.
    #[track_caller]
    pub(crate) fn line(&self, message: &str) -> &Value {
        let found = self.log.iter().find(|line| line["message"].as_str() == Some(message));
        found.unwrap_or_else(|| panic!("no line {message:?} in {:#?}", self.log))
    }

    /// The log line that holds this text in any field.
    #[track_caller]
    pub(crate) fn has(&self, text: &str) -> &Value {
        let found = self.log.iter().find(|line| line.to_string().contains(text));
        found.unwrap_or_else(|| panic!("no {text:?} in {:#?}", self.log))
    }

    /// The phases in the log, in order.
    pub(crate) fn phases(&self) -> Vec<&str> {
        self.log.iter().filter_map(|line| line["phase"].as_str()).collect()
    }

    /// The calls to the folder that is GitHub.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.dir.path().join("github/calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// The runners that are registered there.
    pub(crate) fn registered(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path().join("github/runners")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// What the runner's script wrote to this file in the runner's folder.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join("runner").join(name)).unwrap()
    }
}

/// A task metadata endpoint, version 4. Its first answer is an error, as it may be on EC2.
fn metadata_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (call, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            let n = stream.read(&mut request).unwrap();
            let asked_for_task = request[..n].starts_with(b"GET /v4/c0ntainer/task HTTP/1.1\r\n");
            let (status, body) = match (call, asked_for_task) {
                (0, _) => ("500 Internal Server Error", String::new()),
                (_, true) => ("200 OK", task().to_string()),
                (_, false) => ("404 Not Found", String::new()),
            };
            let length = body.len();
            // A peer that has gone is the test's business, not the server's.
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    format!("http://{address}/v4/c0ntainer")
}

fn task() -> Value {
    json!({
        "Cluster": "ff", "TaskARN": format!("arn:aws:ecs:eu-west-1:123456789012:task/ff/{TASK}"),
        "Family": "ff-small", "Revision": "7", "LaunchType": "FARGATE", "AvailabilityZone": "eu-west-1a",
        "PullStartedAt": "2026-01-01T00:00:00.5Z", "PullStoppedAt": "2026-01-01T00:00:10Z"
    })
}
