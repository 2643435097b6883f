//! Python programs with libraries that are not ours.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of the check's Python environment. The check of the whole project sets `FLEETFOOT_PYTHON`, and
/// then it must be there; else whoever needs it says so and passes.
#[expect(clippy::print_stdout, reason = "a test says what it skips")]
pub(super) fn interpreter() -> Option<PathBuf> {
    let given = std::env::var_os("FLEETFOOT_PYTHON").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    let found = given.or_else(|| own.is_file().then_some(own));
    if found.is_none() {
        println!("skipped: there is no .venv/bin/python, and FLEETFOOT_PYTHON is not set");
    }
    found
}

/// Runs a Python program of `tests/flows` with these arguments; gives what it prints.
pub(crate) fn python(program: &str, arguments: &[&str]) -> Option<String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flows").join(program);
    let output = Command::new(interpreter()?).arg(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned())
}
