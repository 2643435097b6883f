//! `fleetfoot serve` as a process of its own, and what its log tells.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::demo::world::{REGION, STACK, World};
use crate::failure::Failure;

/// How long it may take to end: it promises ten seconds.
const ENDING: Duration = Duration::from_secs(15);

/// A running autoscaler.
#[derive(Debug)]
pub struct Autoscaler {
    child: Child,
    errors: JoinHandle<String>,
}

/// What its log tells, as far as it is of interest here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It acts.
    Leads,
    /// A task has become a runner; it was warm or not.
    Bound {
        /// Whether it was.
        warm: bool,
    },
    /// Something is not as it should be.
    Warning {
        /// What and where. It may come again, for another reason or the same.
        what: String,
        /// Why.
        why: String,
    },
}

impl Autoscaler {
    /// Starts one for the demo's stack. What it says comes through the channel.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(program: &Path, world: &World) -> Result<(Self, mpsc::UnboundedReceiver<Said>), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::failed(
                "io",
                format!("cannot start the autoscaler: {error}"),
                "See whether the machine is out of processes or memory.",
            )
        };
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--stack", STACK])
            .env_clear()
            .envs(environment(world))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C is for the demo, which ends it when the jobs are over.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error))?;
        let (teller, told) = mpsc::unbounded_channel();
        if let Some(log) = child.stdout.take() {
            tokio::spawn(listen(log, teller));
        }
        let errors = tokio::spawn(read(child.stderr.take()));
        Ok((Self { child, errors }, told))
    }

    /// Why it has ended by itself; does not come back as long as it runs.
    pub async fn broke_down(&mut self) -> Failure {
        let how = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let said = (&mut self.errors).await.unwrap_or_default();
        let sentence = format!("the autoscaler has ended by itself ({how}): {}", said.trim());
        Failure::failed("autoscaler", sentence, "Report this as a bug.")
    }

    /// Tells it to end by SIGTERM and waits for that; says how long it took.
    ///
    /// # Errors
    /// It does not end in time, or not as it should.
    pub async fn end(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let failed = |sentence: String| Failure::failed("autoscaler", sentence, "Report this as a bug.");
        // One that has ended and was seen to has no id any more, which may be somebody else's by now.
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.ok_or_else(|| failed("the autoscaler has ended before it was told to".to_owned()))?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)
            .map_err(|error| failed(format!("the autoscaler cannot be told to end: {error}")))?;
        let status = tokio::time::timeout(ENDING, self.child.wait()).await;
        let status = status.map_err(|_| {
            failed(format!("the autoscaler has not ended {} s after SIGTERM", ENDING.as_secs()))
        })?;
        match status.map(|status| (ExitStatus::success(&status), status)) {
            Ok((true, _)) => Ok(began.elapsed()),
            Ok((false, status)) => Err(failed(format!("the autoscaler ended with {status} after SIGTERM"))),
            Err(error) => Err(failed(format!("the autoscaler's end was not seen: {error}"))),
        }
    }
}

/// Its environment: an AWS user's keys and a GitHub token of the simulators', and nothing of this process.
fn environment(world: &World) -> [(&'static str, String); 7] {
    [
        ("AWS_ENDPOINT_URL", world.aws.endpoint()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", world.keys.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", world.keys.secret_access_key.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("FLEETFOOT_GITHUB_TOKEN", world.token.clone()),
        // Nobody is in a hurry to keep a runner whose job was cancelled.
        ("FLEETFOOT_GRACE", "1s".to_owned()),
    ]
}

async fn listen(log: ChildStdout, teller: mpsc::UnboundedSender<Said>) {
    let mut lines = BufReader::new(log).lines();
    // A read error on a pipe means the same as its end.
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(said) = said(&line)
            && teller.send(said).is_err()
        {
            return;
        }
    }
}

async fn read(errors: Option<ChildStderr>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut errors) = errors {
        // What came before an error is worth as much.
        let _ = errors.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a line of the log tells.
fn said(line: &str) -> Option<Said> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| line.get(key).and_then(Value::as_str);
    let message = text("message")?;
    match (text("level")?, message) {
        ("WARN" | "ERROR", _) => {
            let place = [text("pool"), text("scale_set"), text("class")].into_iter().flatten();
            let place = place.collect::<Vec<_>>().join(", ");
            let what = if place.is_empty() { message.to_owned() } else { format!("{message} ({place})") };
            Some(Said::Warning { what, why: text("why").unwrap_or_default().to_owned() })
        }
        (_, "leading") => Some(Said::Leads),
        (_, "task is a runner") => Some(Said::Bound { warm: line.get("warm")?.as_bool()? }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_interest_is_read_and_the_rest_passed_over() {
        let read = |line| said(line);
        assert_eq!(read(r#"{"level":"INFO","message":"leading"}"#), Some(Said::Leads));
        let bound = r#"{"level":"INFO","message":"task is a runner","warm":true}"#;
        assert_eq!(read(bound), Some(Said::Bound { warm: true }));
        let warning = r#"{"level":"WARN","message":"no task was started","pool":"p","class":"no-capacity","why":"no room"}"#;
        let what = "no task was started (p, no-capacity)".into();
        assert_eq!(read(warning), Some(Said::Warning { what, why: "no room".into() }));
        assert_eq!(read(r#"{"level":"INFO","message":"task runs"}"#), None);
        assert_eq!(read("plain"), None);
    }
}
