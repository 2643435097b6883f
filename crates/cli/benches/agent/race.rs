//! From the start of the first process to the start of the runner. The ways take turns, so that whatever else the
//! machine does meets all of them.

use std::time::Duration;

use crate::common::Result;
use crate::common::measure::{self, Spread};
use crate::place::Place;
use crate::way::Way;

/// All ways with APIs that take so long.
pub(crate) struct Race {
    pub(crate) delay: Duration,
    pub(crate) results: Vec<Passed>,
}

/// What one way took.
pub(crate) struct Passed {
    pub(crate) way: Way,
    /// Until the runner was started, in milliseconds.
    pub(crate) until_runner: Spread,
    /// CPU time of everything, the runner included, in milliseconds.
    pub(crate) cpu: Spread,
}

impl Race {
    /// What this way took.
    pub(crate) fn of(&self, way: Way) -> Option<&Passed> {
        self.results.iter().find(|passed| passed.way == way)
    }
}

pub(crate) async fn run(delay: Duration, runs: usize) -> Result<Race> {
    let place = Place::open(delay).await?;
    let mut samples = Way::ALL.map(|way| (way, Vec::new()));
    // The first turn warms up: the files are read from the disk.
    for turn in 0..=runs {
        for (way, samples) in &mut samples {
            let start = way.prepare(&place, &format!("{way:?}-{turn}")).await?;
            let arguments: Vec<&str> = start.arguments.iter().map(String::as_str).collect();
            let cost = measure::cost(&start.program, &arguments, &start.environment).await?;
            let until_runner = place.runner.take_start()?.saturating_sub(cost.began);
            if turn > 0 {
                samples.push((until_runner, cost.cpu));
            }
        }
    }
    place.close().await;
    let results = samples.map(|(way, samples)| Passed {
        way,
        until_runner: Spread::of(samples.iter().map(|(until_runner, _)| milliseconds(*until_runner))),
        cpu: Spread::of(samples.iter().map(|(_, cpu)| milliseconds(*cpu))),
    });
    Ok(Race { delay, results: results.into() })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
