//! `cargo xtask bench`: what a start, an agent and the autoscaler cost, whole processes measured, and what policies
//! for warm tasks come to.
//!
//! The measuring is done by benchmarks of the crates; those of the binary's can link the simulators. Here the binary is
//! built as it is released, and what it is compared with is found: aws-cli comes from PyPI, curl and its kin are the
//! machine's. What a benchmark prints is its part of the page of results.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::steps::Outcome;
use crate::{dist, page, python, shell};

/// Where the results are kept.
const PAGE: &str = "docs/benchmarks.md";

/// Where the pictures of the page are kept.
const PLOTS: &str = "docs/benchmarks";

/// A benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bench {
    /// A start against a shell script with aws-cli.
    Start,
    /// An agent against an entry point in shell.
    Agent,
    /// The autoscaler against the published limits.
    Serve,
    /// Policies for warm tasks against each other.
    Warm,
}

impl Bench {
    /// All of them, in the order of the page.
    pub(crate) const ALL: [Self; 4] = [Self::Start, Self::Agent, Self::Serve, Self::Warm];

    /// What it is asked for by, and its target is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Agent => "agent",
            Self::Serve => "serve",
            Self::Warm => "warm",
        }
    }

    /// The crate that it belongs to.
    const fn package(self) -> &'static str {
        match self {
            Self::Start | Self::Agent | Self::Serve => "fleetfoot",
            Self::Warm => "fleetfoot-core",
        }
    }

    /// Whether ways are gone several times each.
    pub(crate) const fn repeats(self) -> bool {
        matches!(self, Self::Start | Self::Agent)
    }

    /// The options of its own, which it is handed as they are.
    pub(crate) const fn sizes(self) -> &'static [&'static str] {
        match self {
            Self::Start | Self::Agent => &[],
            Self::Serve => &["--jobs", "--runners"],
            Self::Warm => &["--jobs", "--minutes"],
        }
    }

    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bench| bench.name() == name)
    }

    /// All names.
    pub(crate) fn names() -> [&'static str; 4] {
        Self::ALL.map(Self::name)
    }
}

/// What is to be measured, and what becomes of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BenchOptions {
    pub(crate) bench: Bench,
    /// How often each way is gone.
    pub(crate) runs: u32,
    /// How much there is to do, as the benchmark's own arguments; its defaults if empty.
    pub(crate) sizes: Vec<String>,
    /// Whether the page is written.
    pub(crate) write: bool,
}

impl BenchOptions {
    pub(crate) fn of(bench: Bench) -> Self {
        Self { bench, runs: 11, sizes: Vec::new(), write: false }
    }
}

/// `cargo xtask bench NAME`.
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
    let name = options.bench.name();
    let package = options.bench.package();
    let target = ["bench", "--profile", "release", "--locked", "--package", package, "--bench", name, "--"];
    let mut command = shell::cargo(root, &target);
    command.args(&options.sizes);
    if options.bench.repeats() {
        command.args(["--runs", &options.runs.to_string()]);
    }
    match options.bench {
        Bench::Start => match python::prepare(root, python::HELPERS) {
            Ok(programs) => drop(command.arg("--aws").arg(programs.join("aws"))),
            Err(why) => return Outcome::Failed(format!("there is no aws-cli to compare with: {why}")),
        },
        Bench::Serve if options.write => drop(command.arg("--plots").arg(root.join(PLOTS))),
        Bench::Warm if options.write => drop(command.arg("--plot").arg(root.join(PLOTS).join("warm.svg"))),
        Bench::Agent | Bench::Serve | Bench::Warm => {}
    }
    if options.bench.package() == "fleetfoot" {
        match dist::build(root, None) {
            Ok(program) => drop(command.env("FLEETFOOT_BENCH_PROGRAM", program)),
            Err(why) => return Outcome::Failed(why),
        }
    }
    let (part, outcome) = match hear(&mut command) {
        Ok(heard) => heard,
        Err(why) => return Outcome::Failed(why),
    };
    println!("{part}");
    // It prints its part whether or not all goals were reached, and nothing if it could not measure.
    if options.write && !part.is_empty() {
        return match write(root, name, &part) {
            Ok(()) => outcome,
            Err(why) => Outcome::Failed(why),
        };
    }
    outcome
}

/// What a program prints, and how it ends; what it says meanwhile goes to our terminal.
fn hear(command: &mut Command) -> Result<(String, Outcome), String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| format!("cannot run cargo: {error}"))?;
    let part = String::from_utf8_lossy(&output.stdout).into_owned();
    let outcome = if output.status.success() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("the benchmark ended with {}", output.status))
    };
    Ok((part, outcome))
}

fn write(root: &Path, name: &str, part: &str) -> Result<(), String> {
    let path = root.join(PAGE);
    // A page that is missing is begun.
    let before = fs::read_to_string(&path).unwrap_or_default();
    let after = page::with_part(&before, &Bench::names(), name, part)?;
    fs::write(&path, after).map_err(|error| format!("cannot write {PAGE}: {error}"))?;
    eprintln!("written to {PAGE}");
    Ok(())
}
