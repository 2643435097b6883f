//! The generated pages.
//!
//! They are written and checked by a test of the binary's crate, `generated_docs`, because it can see the
//! command line and the stack document. Asking for it with `--workspace` builds nothing that the other
//! tests do not need as well.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::shell;
use crate::steps::Outcome;

/// `cargo xtask docs`.
pub(crate) fn run(root: &Path, check: bool) -> ExitCode {
    let outcome =
        if check { self::check(root) } else { shell::run(test(root).env("FLEETFOOT_WRITE_DOCS", "1")) };
    match outcome {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Failed(why) | Outcome::Skipped(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the pages are current; the test names those that are not.
pub(crate) fn check(root: &Path) -> Outcome {
    shell::run(test(root).env_remove("FLEETFOOT_WRITE_DOCS"))
}

fn test(root: &Path) -> Command {
    shell::cargo(root, &["test", "--quiet", "--workspace", "--locked", "--test", "generated_docs"])
}
