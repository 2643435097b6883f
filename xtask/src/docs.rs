//! The generated pages, and the generated tables in the READMEs of the Terraform modules.
//!
//! The pages are written and checked by a test of the binary's crate, `generated_docs`, because it can see the
//! command line and the stack document. Asking for it with `--workspace` builds nothing that the other
//! tests do not need as well.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::steps::Outcome;
use crate::{module_docs, shell};

/// `cargo xtask docs`.
pub(crate) fn run(root: &Path, check: bool) -> ExitCode {
    let outcome = if check { self::check(root) } else { write(root) };
    match outcome {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Failed(why) | Outcome::Skipped(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn write(root: &Path) -> Outcome {
    match module_docs::write(root) {
        Outcome::Passed => shell::run(test(root).env("FLEETFOOT_WRITE_DOCS", "1")),
        other => other,
    }
}

/// Whether all is current; what is not is named.
pub(crate) fn check(root: &Path) -> Outcome {
    if let Outcome::Failed(why) = module_docs::check(root) {
        return Outcome::Failed(why);
    }
    shell::run(test(root).env_remove("FLEETFOOT_WRITE_DOCS"))
}

fn test(root: &Path) -> Command {
    shell::cargo(root, &["test", "--quiet", "--workspace", "--locked", "--test", "generated_docs"])
}
