//! The helpers from PyPI: peers for the tests that are not ours (moto, boto3), and checkers.
//!
//! Nobody must have Python to work on the project: what needs it is then skipped, and says so.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell;
use crate::steps::Outcome;

const REQUIREMENTS: &str = "tests/requirements.txt";

/// Makes `.venv` what `tests/requirements.txt` says, if it is not; gives the folder of its programs.
///
/// # Errors
/// Why there is none, for the reader.
pub(crate) fn prepare(root: &Path) -> Result<PathBuf, String> {
    let wanted = fs::read_to_string(root.join(REQUIREMENTS))
        .map_err(|error| format!("cannot read {REQUIREMENTS}: {error}"))?;
    let venv = root.join(".venv");
    let programs = venv.join("bin");
    let python = programs.join("python");
    // Written last, so an installation that broke off is made again.
    let stamp = venv.join("installed-requirements.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    println!("installing {REQUIREMENTS} into .venv");
    let is_new = !python.exists();
    if let Err(why) = install(root, &python) {
        if is_new {
            // Tests that find a Python there would take it for a whole one.
            let _ = fs::remove_dir_all(&venv);
        }
        return Err(why);
    }
    fs::write(&stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(programs)
}

fn install(root: &Path, python: &Path) -> Result<(), String> {
    if let Outcome::Failed(why) = shell::run(&mut shell::program(root, "python3", &["-m", "venv", ".venv"])) {
        return Err(format!("{why} (on Debian and Ubuntu: apt install python3-venv)"));
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS];
    match shell::run(&mut shell::program(root, python, &pip)) {
        Outcome::Failed(why) => Err(format!("{why}: PyPI is out of reach, or lacks a package")),
        Outcome::Passed | Outcome::Skipped(_) => Ok(()),
    }
}
