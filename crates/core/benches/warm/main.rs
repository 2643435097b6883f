//! What it costs to let jobs wait less: policies for a warm pool, on a real month of pushes.
//!
//! Called by `cargo xtask bench warm`. Time is virtual and chance has a seed, so every run says the same. What it
//! prints is its part of `docs/benchmarks.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod chance;
mod cloud;
mod plot;
mod policies;
mod report;
mod score;
mod trace;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use score::Score;
use trace::Assumed;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Arguments {
    assumed: Assumed,
    /// The picture to write.
    plot: Option<PathBuf>,
}

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1)).and_then(|arguments| bench(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments { assumed: Assumed { jobs: 4, minutes: 5.0 }, plot: None };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--jobs" => arguments.assumed.jobs = value()?.parse()?,
            "--minutes" => arguments.assumed.minutes = value()?.parse()?,
            "--plot" => arguments.plot = Some(PathBuf::from(value()?)),
            _ => return Err(format!("{word:?} is not known here").into()),
        }
    }
    if !(1..=100).contains(&arguments.assumed.jobs) {
        return Err("--jobs is the mean number of jobs of a push, 1 to 100".into());
    }
    if !(0.1..=360.0).contains(&arguments.assumed.minutes) {
        return Err("--minutes is the mean length of a job, 0.1 to 360".into());
    }
    Ok(arguments)
}

fn bench(arguments: &Arguments) -> Result<()> {
    let jobs = trace::jobs(arguments.assumed)?;
    let mut scores = Vec::new();
    let mut nothing = None;
    for policy in policies::all()? {
        eprintln!("{}, {}", policy.kind.name(), policy.label);
        let score = Score::of(&policy, &world::run(&jobs, policy.targets()), nothing)?;
        // The first one keeps nothing ready.
        nothing = nothing.or(Some(score.cost));
        scores.push((policy, score));
    }
    if let Some(path) = &arguments.plot {
        std::fs::write(path, plot::plot(&scores))?;
    }
    println!("{}", report::report(arguments.assumed, "benchmarks/warm.svg", &scores));
    Ok(())
}
