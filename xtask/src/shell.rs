//! Other programs, run from the root of the workspace.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::steps::Outcome;

/// A program with its arguments.
pub(crate) fn program<S: AsRef<OsStr>>(root: &Path, name: impl AsRef<OsStr>, args: &[S]) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(root);
    command
}

/// The cargo that runs us.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Command {
    program(root, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args)
}

/// Runs a program that writes to our terminal.
pub(crate) fn run(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("{} ended with {status}", name_of(command))),
        Err(error) => Outcome::Failed(format!("cannot run {}: {error}", name_of(command))),
    }
}

/// Runs a program that may not take longer than this; then it is killed.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<(), String> {
    let mut child = command.spawn().map_err(|error| format!("cannot run {}: {error}", name_of(command)))?;
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{} ended with {status}", name_of(command))),
            Ok(None) if began.elapsed() < limit => thread::sleep(Duration::from_millis(50)),
            Ok(None) => {
                // It may have ended by itself just now; then there is nothing to kill.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{} took longer than {} s", name_of(command), limit.as_secs()));
            }
            Err(error) => return Err(format!("cannot wait for {}: {error}", name_of(command))),
        }
    }
}

/// Runs a program for what it prints.
pub(crate) fn read(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot run {}: {error}", name_of(command)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} ended with {}: {}", name_of(command), output.status, said.trim()))
    }
}

fn name_of(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let first = command.get_args().next().unwrap_or_default().to_string_lossy();
    format!("{name} {first}").trim_end().to_owned()
}
