//! A `run` step: the script's file, the shell, and what it leaves behind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::time::Instant;

use super::files::StepFiles;
use super::log::Listener;
use super::machine::Machine;
use super::process::{self, End, Invocation};
use super::script::Shell;
use super::steps::{Frame, Outcome, Prepared};
use crate::protocol::Conclusion;
use crate::workflow::expression;

/// The parts of a `run` step; texts may hold expressions.
pub(crate) struct RunStep<'a> {
    pub(crate) script: &'a str,
    pub(crate) shell: Option<&'a str>,
    pub(crate) working_directory: Option<&'a str>,
}

/// Everything evaluated and found.
struct Call {
    script: String,
    shell: Shell,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    files: StepFiles,
}

pub(crate) async fn run(
    machine: &mut Machine,
    frame: &Frame,
    prepared: &Prepared,
    step: &RunStep<'_>,
    deadline: Option<Instant>,
) -> Outcome {
    let number = frame.number;
    let call = match call(machine, frame, prepared, step) {
        Ok(call) => call,
        Err(message) => {
            machine.log.error(number, &message);
            return Outcome::failure();
        }
    };
    announce(machine, number, prepared, &call);
    let file = call.files.script(call.shell.extension);
    let mut listener = Listener::new(machine.log.clone(), number);
    let end = if let Err(error) = std::fs::write(&file, &call.script) {
        Err(error)
    } else {
        let args = call.shell.args(&file);
        let invocation = Invocation {
            program: &call.shell.program,
            args: &args,
            environment: &call.environment,
            folder: &call.folder,
        };
        process::run(invocation, &machine.token(), deadline, |line| listener.line(line)).await
    };
    let mut conclusion = match end {
        Ok(End::Exited(0)) if !listener.failed => Conclusion::Success,
        Ok(End::Exited(0)) => Conclusion::Failure,
        Ok(End::Exited(code)) => {
            machine.log.error(number, &format!("Process completed with exit code {code}."));
            Conclusion::Failure
        }
        Ok(End::Cancelled) => {
            machine.log.error(number, "The operation was canceled.");
            Conclusion::Cancelled
        }
        Ok(End::TimedOut) => {
            machine.log.error(number, "The action has timed out: `timeout-minutes` is over.");
            Conclusion::Failure
        }
        Err(error) => {
            let (program, folder) = (call.shell.program.display(), call.folder.display());
            machine.log.error(
                number,
                &format!("An error occurred trying to start process '{program}' with working directory '{folder}'. {error}"),
            );
            Conclusion::Failure
        }
    };
    let written = call.files.read();
    for message in &written.warnings {
        machine.log.warning(number, message);
    }
    for message in &written.errors {
        machine.log.error(number, message);
        conclusion = Conclusion::Failure;
    }
    machine.keep(written.env, written.path, &written.summary);
    Outcome { conclusion, outputs: written.outputs }
}

fn call(
    machine: &mut Machine,
    frame: &Frame,
    prepared: &Prepared,
    step: &RunStep<'_>,
) -> Result<Call, String> {
    let folder = machine.files_folder();
    let files =
        StepFiles::create(folder).map_err(|error| format!("cannot make the step's files: {error}"))?;
    let render =
        |text: &str| expression::render(text, &prepared.scope(machine)).map_err(|error| error.to_string());
    // Defaults are the job's; an action's steps do not see them.
    let default = |own: Option<&str>, default: &Option<String>| match (own, default) {
        (Some(own), _) => Some(own.to_owned()),
        (None, Some(default)) if frame.depth == 0 => Some(default.clone()),
        _ => None,
    };
    let shell = default(step.shell, &machine.default_shell).map(|text| render(&text)).transpose()?;
    let folder = default(step.working_directory, &machine.default_working_directory);
    let folder = folder.map(|text| render(&text)).transpose()?.unwrap_or_default();
    let mut more: Vec<(String, String)> =
        files.variables().map(|(name, path)| (name.to_owned(), path.display().to_string())).collect();
    more.push(("GITHUB_ACTION".to_owned(), prepared.action_name.clone()));
    if let Some(path) = &frame.action_path {
        more.push(("GITHUB_ACTION_PATH".to_owned(), path.display().to_string()));
    }
    let environment = machine.environment(&prepared.env, more);
    let path = environment.get("PATH").map_or("", String::as_str);
    let shell = Shell::find(shell.as_deref().filter(|shell| !shell.is_empty()), path)?;
    Ok(Call {
        script: render(step.script)?,
        shell,
        folder: machine.workspace.join(folder),
        environment,
        files,
    })
}

/// The head of a step's log, folded on GitHub's pages.
fn announce(machine: &Machine, number: u32, prepared: &Prepared, call: &Call) {
    let script = call.script.trim();
    let first = script.lines().next().unwrap_or_default();
    machine.log.write(number, &format!("##[group]Run {first}"));
    machine.log.write(number, script);
    machine.log.write(number, &format!("shell: {}", call.shell.shown()));
    if !prepared.own_env.is_empty() {
        machine.log.write(number, "env:");
        for (name, value) in &prepared.own_env {
            machine.log.write(number, &format!("  {name}: {value}"));
        }
    }
    machine.log.write(number, "##[endgroup]");
}
