//! Runs one job from its first step to its outputs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::log::{JobLog, Listener};
use super::machine::Machine;
use super::mask::Masks;
use super::process::{self, End, Invocation};
use super::steps::{self, Frame};
use super::{HostOptions, Reporter, orphans};
use crate::protocol::{Completion, Conclusion, JobMessage};
use crate::workflow::expression::{self, Scope, Status};

/// How long a cancelled job may clean up (GitHub docs, "Canceling a workflow").
const CLEAN_UP: Duration = Duration::from_mins(5);

/// Runs a job to its end. Never fails: what goes wrong is in the log and the conclusion.
///
/// `cancel` interrupts the step that runs; steps whose `if` holds for a cancelled job still run, for five
/// minutes at most. If the future is dropped, the processes of the step that runs are killed.
pub async fn execute(
    job: JobMessage,
    reporter: Arc<dyn Reporter>,
    host: HostOptions,
    cancel: CancellationToken,
) -> Completion {
    let masks = Arc::new(Masks::new(job.masks.iter().cloned().chain(secrets(&job))));
    let log = JobLog::new(reporter, masks, wants_debug(&job));
    let watch = Watch::start(cancel, job.body.timeout_minutes);
    let mark = format!("github_{:032x}", rand::random::<u128>());
    let tokens = (watch.stop.clone(), watch.force.clone());
    let mut completion = match Machine::prepare(&job, &host, log.clone(), &mark, tokens) {
        Ok(mut machine) => {
            let completion = run(&mut machine, job, &host).await;
            if let Err(error) = std::fs::remove_dir_all(&machine.temp) {
                log.warning(0, &format!("cannot remove {}: {error}", machine.temp.display()));
            }
            completion
        }
        Err(error) => {
            log.error(0, &format!("cannot prepare the work folder {}: {error}", host.work.display()));
            ended(Conclusion::Failure)
        }
    };
    if watch.timed_out() {
        log.error(0, "The job has exceeded its maximum execution time: `timeout-minutes` is over.");
    }
    end_orphans(&log, mark).await;
    completion.annotations = log.take_annotations();
    completion
}

fn ended(conclusion: Conclusion) -> Completion {
    Completion { conclusion, outputs: BTreeMap::new(), annotations: Vec::new(), summary: String::new() }
}

async fn run(machine: &mut Machine, job: JobMessage, host: &HostOptions) -> Completion {
    let mut contexts = job.contexts;
    machine.complete_github(&mut contexts);
    for env in &job.body.env {
        let scope = Scope { contexts: &contexts, status: Status::Success, workspace: None };
        for (name, text) in env {
            match expression::render(text, &scope) {
                Ok(value) => {
                    machine.env.insert(name.clone(), value);
                }
                Err(error) => {
                    machine.log.error(0, &format!("`env`: {error}"));
                    return ended(Conclusion::Failure);
                }
            }
        }
    }
    contexts.insert("steps".to_owned(), json!({}));
    let mut frame = Frame::new(contexts);
    if let Some(hook) = &host.hook_job_started
        && !run_hook(machine, hook, "started").await
    {
        frame.status = Status::Failure;
    }
    steps::run(machine, &mut frame, &job.body.steps).await;
    if let Some(hook) = &host.hook_job_completed
        && !run_hook(machine, hook, "completed").await
        && frame.status == Status::Success
    {
        frame.status = Status::Failure;
    }
    let conclusion = match frame.status {
        Status::Success | Status::Skipped => Conclusion::Success,
        Status::Failure => Conclusion::Failure,
        Status::Cancelled => Conclusion::Cancelled,
    };
    let mut completion = ended(conclusion);
    match outputs(machine, &frame, &job.body.outputs) {
        Ok(outputs) => completion.outputs = outputs,
        Err(message) => {
            machine.log.error(0, &message);
            completion.conclusion = Conclusion::Failure;
        }
    }
    completion.summary = std::mem::take(&mut machine.summary);
    completion
}

/// Evaluates the job's outputs; one that holds a masked value is dropped.
fn outputs(
    machine: &Machine,
    frame: &Frame,
    texts: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut contexts = frame.contexts.clone();
    machine.complete_contexts(&mut contexts, &machine.env, frame.status);
    let scope = Scope { contexts: &contexts, status: frame.status, workspace: None };
    let mut outputs = BTreeMap::new();
    for (name, text) in texts {
        let value =
            expression::render(text, &scope).map_err(|error| format!("the output `{name}`: {error}"))?;
        if machine.log.masks().hit(&value) {
            machine.log.warning(0, &format!("Skip output '{name}' since it may contain secret."));
        } else if !value.is_empty() {
            outputs.insert(name.clone(), value);
        }
    }
    Ok(outputs)
}

/// Runs a hook with bash; whether it succeeded.
async fn run_hook(machine: &mut Machine, hook: &Path, what: &str) -> bool {
    machine
        .log
        .write(0, &format!("A job {what} hook has been configured by the self-hosted runner administrator"));
    machine.notice_cancellation();
    let environment = machine.environment(&machine.env, []);
    let path = environment.get("PATH").map_or("", String::as_str);
    let Some(bash) = process::find("bash", path) else {
        machine.log.error(0, "bash: command not found");
        return false;
    };
    let args = [hook.display().to_string()];
    let invocation =
        Invocation { program: &bash, args: &args, environment: &environment, folder: &machine.workspace };
    let mut listener = Listener::new(machine.log.clone(), 0);
    let end = process::run(invocation, &machine.token(), None, |line| listener.line(line)).await;
    match end {
        Ok(End::Exited(0)) if !listener.failed => true,
        Ok(End::Exited(code)) => {
            machine.log.error(0, &format!("The job {what} hook completed with exit code {code}."));
            false
        }
        Ok(End::Cancelled | End::TimedOut) => {
            machine.log.error(0, "The operation was canceled.");
            false
        }
        Err(error) => {
            machine.log.error(0, &format!("cannot run the job {what} hook {}: {error}", hook.display()));
            false
        }
    }
}

async fn end_orphans(log: &JobLog, mark: String) {
    let ended = tokio::task::spawn_blocking(move || orphans::end(&mark)).await.unwrap_or_default();
    if !ended.is_empty() {
        log.write(0, "Cleaning up orphan processes");
    }
    for orphan in ended {
        log.write(0, &format!("Terminate orphan process: pid ({}) ({})", orphan.id, orphan.name));
    }
}

fn secrets(job: &JobMessage) -> Vec<String> {
    let secrets = job.contexts.get("secrets").and_then(Value::as_object);
    let values = secrets.into_iter().flat_map(|secrets| secrets.values());
    values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// Debug lines are shown if the secret or variable `ACTIONS_STEP_DEBUG` is `true`.
fn wants_debug(job: &JobMessage) -> bool {
    ["secrets", "vars"].into_iter().any(|context| {
        let value = job.contexts.get(context).and_then(|context| context.get("ACTIONS_STEP_DEBUG"));
        value.and_then(Value::as_str) == Some("true")
    })
}

/// Stops the job when it is cancelled or has run too long.
struct Watch {
    stop: CancellationToken,
    force: CancellationToken,
    late: CancellationToken,
    task: JoinHandle<()>,
}

impl Watch {
    fn start(cancel: CancellationToken, timeout_minutes: f64) -> Self {
        let (stop, force, late) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let limit = Duration::from_secs_f64((timeout_minutes * 60.0).clamp(0.0, 1.5e9));
        let deadline = Instant::now() + limit;
        let task = tokio::spawn({
            let (stop, force, late) = (stop.clone(), force.clone(), late.clone());
            async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = sleep_until(deadline) => late.cancel(),
                }
                stop.cancel();
                sleep(CLEAN_UP).await;
                force.cancel();
            }
        });
        Self { stop, force, late, task }
    }

    fn timed_out(&self) -> bool {
        self.late.is_cancelled()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
