//! Python programs with libraries that are not ours.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a Python program of `tests/flows` with these arguments; gives what it prints, or nothing where the check's
/// Python environment is not there. The check of the whole project sets `FLEETFOOT_PYTHON`, and then it must be.
pub(crate) fn python(program: &str, arguments: &[&str]) -> Option<String> {
    let given = std::env::var_os("FLEETFOOT_PYTHON").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    let Some(python) = given.or_else(|| own.is_file().then_some(own)) else {
        println!("skipped: there is no .venv/bin/python, and FLEETFOOT_PYTHON is not set");
        return None;
    };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flows").join(program);
    let output = Command::new(python).arg(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned())
}
