//! What a start costs, measured as a user would: whole processes, on this machine's simulated GitHub and AWS.
//!
//! Called by `cargo xtask bench start`, which builds the binary as it is released, has aws-cli at hand, and can put
//! the results into `docs/benchmarks.md`. The exit code says whether all goals were reached.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]
// One future holds the simulators and every client.
#![recursion_limit = "256"]

#[path = "../common/mod.rs"]
mod common;
mod launch;
mod online;
mod page;
mod polls;

use std::path::PathBuf;
use std::process::ExitCode;

use common::Result;
use common::measure::{self, MEASURE};
use common::report::Machine;
use page::Results;

struct Arguments {
    /// aws-cli.
    aws: PathBuf,
    /// How often each way is gone.
    runs: usize,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == MEASURE).is_some() {
        return measure::run_and_measure(words);
    }
    let done = arguments(words).and_then(|arguments| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(bench(&arguments))
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("not every goal was reached");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let (mut aws, mut runs) = (None, 11);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--aws" => aws = Some(PathBuf::from(value()?)),
            "--runs" => runs = value()?.parse()?,
            _ => return Err(format!("{word:?} is not known here").into()),
        }
    }
    if runs == 0 {
        return Err("--runs must be 1 at least".into());
    }
    let aws = aws.ok_or("--aws PATH is missing; `cargo xtask bench start` knows it")?;
    Ok(Arguments { aws, runs })
}

/// Measures everything, tells it, and says whether all goals were reached.
async fn bench(arguments: &Arguments) -> Result<bool> {
    let machine = Machine::now(&[(&arguments.aws, "--version")])?;
    eprintln!("a start against the seed's way, {} times each", arguments.runs);
    let launch = launch::compare(&arguments.aws, arguments.runs).await?;
    eprintln!("from runner online to the end of the step, {} times", arguments.runs);
    let online = online::measure(arguments.runs).await?;
    eprintln!("calls of a poll with 1 and with {} registered runners", polls::MANY);
    let polls = polls::count().await?;
    let results = Results { machine, runs: arguments.runs, launch, online, polls };
    print!("{}", results.page());
    Ok(results.reached())
}
