//! What the autoscaler costs, and how fast it is: the real `fleetfoot serve` as a process of its own, against the
//! simulated GitHub and AWS in this one, over HTTP and under the published limits.
//!
//! Called by `cargo xtask bench serve`, which builds the binary as it is released and can put the results into
//! `docs/benchmarks.md`. The exit code says whether all goals were reached.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]
// One future holds the simulators and every client.
#![recursion_limit = "256"]

mod autoscaler;
mod book;
mod burst;
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the other benchmarks use the rest of it")]
mod common;
mod page;
mod plot;
mod standing;
mod theatre;

use std::path::PathBuf;
use std::process::ExitCode;

use common::Result;
use common::report::Machine;
use page::Results;
use theatre::say;

struct Arguments {
    /// How many jobs come at once.
    jobs: Vec<usize>,
    /// How many runners are at work already.
    runners: Vec<usize>,
    /// Where the pictures go, if anywhere.
    plots: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = arguments(std::env::args().skip(1)).and_then(|arguments| {
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
    let mut arguments =
        Arguments { jobs: vec![100, 1_000, 10_000], runners: vec![0, 100, 1_000, 10_000], plots: None };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--jobs" => arguments.jobs = numbers(&value()?)?,
            "--runners" => arguments.runners = numbers(&value()?)?,
            "--plots" => arguments.plots = Some(value()?.into()),
            _ => return Err(format!("{word:?} is not known here").into()),
        }
    }
    Ok(arguments)
}

fn numbers(list: &str) -> Result<Vec<usize>> {
    let number = |text: &str| text.trim().parse().map_err(|_| format!("{text:?} is no number").into());
    list.split(',').filter(|text| !text.is_empty()).map(number).collect()
}

/// Measures everything, tells it, and says whether all goals were reached.
async fn bench(arguments: &Arguments) -> Result<bool> {
    let machine = Machine::now(&[])?;
    let (mut bursts, mut standings) = (Vec::new(), Vec::new());
    for &runners in &arguments.runners {
        say(&format!("{runners} runners at work, and {} jobs more", standing::MORE));
        standings.push(standing::run(runners).await?);
    }
    for &jobs in &arguments.jobs {
        say(&format!("{jobs} jobs at once"));
        bursts.push(burst::run(jobs).await?);
    }
    if let Some(folder) = &arguments.plots {
        std::fs::create_dir_all(folder)?;
        for burst in &bursts {
            std::fs::write(folder.join(page::picture(burst)), plot::of(burst))?;
        }
    }
    let results = Results { machine, bursts, standings };
    print!("{}", results.page());
    Ok(results.reached())
}
