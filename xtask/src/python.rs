//! The helpers from PyPI: peers for the tests that are not ours (moto, boto3), and checkers.
//!
//! Nobody must have Python to work on the project: what needs it is then skipped, and says so.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell;
use crate::steps::Outcome;

/// Packages that live together in one virtual environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Helpers {
    /// What pip installs.
    pub(crate) requirements: &'static str,
    /// Where to.
    pub(crate) venv: &'static str,
}

/// What most steps need.
pub(crate) const HELPERS: Helpers = Helpers { requirements: "tests/requirements.txt", venv: ".venv" };

/// checkov pins versions of its own, which are not those of the others.
pub(crate) const CHECKOV: Helpers =
    Helpers { requirements: "tests/terraform/requirements.txt", venv: "target/checkov" };

/// Makes a virtual environment what its requirements say, if it is not; gives the folder of its programs.
///
/// # Errors
/// Why there is none, for the reader.
pub(crate) fn prepare(root: &Path, helpers: Helpers) -> Result<PathBuf, String> {
    let Helpers { requirements, venv } = helpers;
    let wanted = fs::read_to_string(root.join(requirements))
        .map_err(|error| format!("cannot read {requirements}: {error}"))?;
    let venv = root.join(venv);
    let programs = venv.join("bin");
    let python = programs.join("python");
    // Written last, so an installation that broke off is made again.
    let stamp = venv.join("installed-requirements.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    println!("installing {requirements} into {}", helpers.venv);
    let is_new = !python.exists();
    if let Err(why) = install(root, helpers, &python) {
        if is_new {
            // Tests that find a Python there would take it for a whole one.
            let _ = fs::remove_dir_all(&venv);
        }
        return Err(why);
    }
    fs::write(&stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(programs)
}

fn install(root: &Path, helpers: Helpers, python: &Path) -> Result<(), String> {
    let made = shell::run(&mut shell::program(root, "python3", &["-m", "venv", helpers.venv]));
    if let Outcome::Failed(why) = made {
        return Err(format!("{why} (on Debian and Ubuntu: apt install python3-venv)"));
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", helpers.requirements];
    match shell::run(&mut shell::program(root, python, &pip)) {
        Outcome::Failed(why) => Err(format!("{why}: PyPI is out of reach, or lacks a package")),
        Outcome::Passed | Outcome::Skipped(_) => Ok(()),
    }
}
