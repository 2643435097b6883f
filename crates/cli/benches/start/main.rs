//! What a start costs, measured as a user would: whole processes, on this machine's simulated GitHub and AWS.
//!
//! Called by `cargo xtask bench start`, which makes the release build and has aws-cli at hand. With `--write` the
//! results become `docs/benchmarks.md`, so that no number there is typed by hand. The exit code says whether all
//! goals were reached.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]
// One future holds the simulators and every client.
#![recursion_limit = "256"]

mod launch;
mod measure;
mod online;
mod page;
mod polls;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use page::Results;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The first argument by which this program is told to run and measure one command.
const MEASURE: &str = "measure";

struct Arguments {
    /// aws-cli.
    aws: PathBuf,
    /// How often each way is gone.
    runs: usize,
    /// The page to write.
    write: Option<PathBuf>,
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
    let (mut aws, mut runs, mut write) = (None, 11, None);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--aws" => aws = Some(PathBuf::from(value()?)),
            "--runs" => runs = value()?.parse()?,
            "--write" => write = Some(PathBuf::from(value()?)),
            _ => return Err(format!("{word:?} is not known here").into()),
        }
    }
    if runs == 0 {
        return Err("--runs must be 1 at least".into());
    }
    if write.is_some() && cfg!(debug_assertions) {
        return Err("only a release build may write the page".into());
    }
    let aws = aws.ok_or("--aws PATH is missing; `cargo xtask bench start` knows it")?;
    Ok(Arguments { aws, runs, write })
}

/// Measures everything, tells it, and says whether all goals were reached.
async fn bench(arguments: &Arguments) -> Result<bool> {
    let machine = page::Machine::now(&arguments.aws)?;
    eprintln!("a start against the seed's way, {} times each", arguments.runs);
    let launch = launch::compare(&arguments.aws, arguments.runs).await?;
    eprintln!("from runner online to the end of the step, {} times", arguments.runs);
    let online = online::measure(arguments.runs).await?;
    eprintln!("calls of a poll with 1 and with {} registered runners", polls::MANY);
    let polls = polls::count().await?;
    let results = Results { machine, runs: arguments.runs, launch, online, polls };
    let page = results.page();
    println!("{page}");
    if let Some(path) = &arguments.write {
        std::fs::write(path, &page)?;
        eprintln!("written to {}", path.display());
    }
    Ok(results.reached())
}
