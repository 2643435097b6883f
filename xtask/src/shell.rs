//! Other programs, run from the root of the workspace.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

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
