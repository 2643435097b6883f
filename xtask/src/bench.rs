//! `cargo xtask bench start`: what a start costs, whole processes measured.
//!
//! The measuring is done by a benchmark of the binary's crate, which can link the simulators. Here its release build
//! is made, without what only tests need, and aws-cli is got from PyPI, the way it is compared with.

use std::path::Path;
use std::process::ExitCode;

use crate::steps::Outcome;
use crate::{python, shell};

/// Where the results are kept.
const PAGE: &str = "docs/benchmarks.md";

/// What is to be measured, and what becomes of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BenchOptions {
    /// How often each way is gone.
    pub(crate) runs: u32,
    /// Whether the page is written.
    pub(crate) write: bool,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self { runs: 11, write: false }
    }
}

/// `cargo xtask bench start`.
pub(crate) fn run(root: &Path, options: &BenchOptions) -> ExitCode {
    match bench(root, options) {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Failed(why) | Outcome::Skipped(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn bench(root: &Path, options: &BenchOptions) -> Outcome {
    let programs = match python::prepare(root, python::HELPERS) {
        Ok(programs) => programs,
        Err(why) => return Outcome::Failed(format!("there is no aws-cli to compare with: {why}")),
    };
    let build =
        shell::run(&mut shell::cargo(root, &["build", "--release", "--locked", "--package", "fleetfoot"]));
    if build != Outcome::Passed {
        return build;
    }
    let bench =
        ["bench", "--profile", "release", "--locked", "--package", "fleetfoot", "--bench", "start", "--"];
    let mut command = shell::cargo(root, &bench);
    command.arg("--aws").arg(programs.join("aws")).args(["--runs", &options.runs.to_string()]);
    if options.write {
        command.arg("--write").arg(root.join(PAGE));
    }
    shell::run(&mut command)
}
