//! `fleetfoot` as a process, in an environment that holds nothing but what it is given.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::{PATIENCE, PROGRAM};

/// A call of the program, not started yet.
pub(crate) struct Fleetfoot {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: std::path::PathBuf,
    input: Option<String>,
}

impl Fleetfoot {
    pub(crate) fn new(folder: &Path, arguments: &[&str]) -> Self {
        let environment = [
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("HOME", folder.display().to_string()),
            // The machine that runs the tests may have an instance metadata service of its own.
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        Self {
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            folder: folder.to_owned(),
            input: None,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Gives it something to read.
    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    pub(crate) fn spawn(self) -> Running {
        let mut child = Command::new(PROGRAM)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.folder)
            .stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        if let (Some(text), Some(mut stdin)) = (self.input, child.stdin.take()) {
            tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
        }
        Running { child, call: self.arguments.join(" ") }
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Ran {
        self.spawn().end().await
    }

    /// Runs it to its end, which must be a good one.
    pub(crate) async fn ok(self) -> Ran {
        let ran = self.run().await;
        assert_eq!(ran.code, 0, "{ran:#?}");
        ran
    }

    /// Runs it to its end, which must be this exit code; gives what it said about it.
    pub(crate) async fn fails(self, code: i32) -> String {
        let ran = self.run().await;
        assert_eq!(ran.code, code, "{ran:#?}");
        assert_eq!(ran.stdout, "", "a failure has no result");
        ran.stderr
    }
}

/// A process under way.
pub(crate) struct Running {
    child: Child,
    call: String,
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().unwrap();
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) async fn end(self) -> Ran {
        let output = tokio::time::timeout(PATIENCE, self.child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("fleetfoot {} does not end", self.call)).unwrap();
        Ran {
            call: self.call,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    #[expect(dead_code, reason = "shown when an assertion fails")]
    call: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Standard output, which must be one JSON document and nothing else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The label of a start with `--output json`.
    pub(crate) fn label(&self) -> String {
        self.json()["label"].as_str().unwrap().to_owned()
    }

    /// The ARNs of its tasks.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let json = self.json();
        json["task-arns"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().to_owned()).collect()
    }

    /// Everything it said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
