//! What the agent costs: from the start of the task's first process to the start of GitHub's runner, and while it
//! supervises a job. Against an entry point in shell that does what the seed's does.
//!
//! Called by `cargo xtask bench agent`, which builds the binary as it is released and can put the results into
//! `docs/benchmarks.md`. The exit code says whether all goals were reached.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]
// One future holds the simulators and every client.
#![recursion_limit = "256"]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the other benchmark uses the rest of it")]
mod common;
mod during;
mod line;
mod page;
mod place;
mod race;
mod runner;
mod task;
mod way;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use common::Result;
use common::measure::{self, MEASURE};
use common::report::Machine;
use page::Results;

/// How long an API takes to answer beside its work.
const DELAYS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(100)];

fn main() -> ExitCode {
    let mut words = std::env::args();
    let own_name = words.next().unwrap_or_default();
    if own_name.ends_with(runner::LISTENER) {
        return runner::main(&own_name);
    }
    let mut words = words.peekable();
    if words.next_if(|word| word == MEASURE).is_some() {
        return measure::run_and_measure(words);
    }
    if words.next_if(|word| word == task::TASK).is_some() {
        return task::main(words.next().as_deref());
    }
    let done = runs(words).and_then(|runs| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(bench(runs))
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

/// How often each way is gone.
fn runs(mut words: impl Iterator<Item = String>) -> Result<usize> {
    let mut runs = 11;
    while let Some(word) = words.next() {
        match word.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--runs" => runs = words.next().ok_or("--runs wants a value")?.parse()?,
            _ => return Err(format!("{word:?} is not known here").into()),
        }
    }
    if runs == 0 { Err("--runs must be 1 at least".into()) } else { Ok(runs) }
}

/// Measures everything, tells it, and says whether all goals were reached.
async fn bench(runs: usize) -> Result<bool> {
    let programs =
        [("bash", "--version"), ("curl", "--version"), ("jq", "--version"), ("openssl", "version")];
    let machine = Machine::now(&programs.map(|(program, option)| (Path::new(program), option)))?;
    let mut races = Vec::new();
    for delay in DELAYS {
        eprintln!("from start to runner with APIs that take {} ms, {runs} times each way", delay.as_millis());
        races.push(race::run(delay, runs).await?);
    }
    eprintln!("during a job, {runs} times");
    let during = during::measure(runs).await?;
    let results = Results { machine, runs, races, during };
    print!("{}", results.page());
    Ok(results.reached())
}
