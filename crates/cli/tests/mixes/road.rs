//! What is done in a world: which start, what befalls it, which jobs, and how it is taken away.

use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// One way from a start to its end.
#[derive(Debug, Clone)]
pub(crate) struct Road {
    /// The pool.
    pub(crate) pool: Pool,
    /// How many runners.
    pub(crate) count: usize,
    /// How many jobs for them.
    pub(crate) jobs: usize,
    /// How far the runners must be.
    pub(crate) wait: &'static str,
    /// Whether the start may fall back to another runner.
    pub(crate) fallback: bool,
    /// Whether `reap` comes while the start is under way, after so many calls to the simulators.
    pub(crate) reaped: Option<usize>,
    /// The signal that ends the start, after so many calls to the simulators.
    pub(crate) signal: Option<(Signal, usize)>,
    /// How it is taken away before `reap` comes.
    pub(crate) stop: Stop,
    /// Whether rules are broken on the way: that it is seen proves that somebody looks.
    pub(crate) foul: bool,
}

/// A pool of the demo's stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    Fargate,
    /// Spot, and on demand behind it.
    Spot,
    Ec2,
}

impl Pool {
    /// Its name in the stack.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fargate => "Fargate",
            Self::Spot => "Fargate-Spot",
            Self::Ec2 => "EC2",
        }
    }
}

/// When `stop` comes, and what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// After the jobs, by the key of the start.
    ByKey,
    /// After the jobs: all of the run. It waits until the tasks have stopped.
    OfRun,
    /// While the jobs run, and after them once more.
    Early,
    /// Never.
    Never,
}

impl Road {
    /// The plain one.
    pub(crate) const fn plain(pool: Pool) -> Self {
        Self {
            pool,
            count: 2,
            jobs: 2,
            wait: "online",
            fallback: false,
            reaped: None,
            signal: None,
            stop: Stop::ByKey,
            foul: false,
        }
    }

    /// The one of this seed.
    pub(crate) fn of(seed: u64) -> Self {
        // Other dice than those of the faults: with a fault less in it, a mix keeps its road.
        let dice = &mut StdRng::seed_from_u64(seed ^ 0x0072_6f61_6400);
        let pool = pick(dice, &[Pool::Fargate, Pool::Spot, Pool::Spot, Pool::Ec2]);
        let count = dice.random_range(1..=3);
        let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGKILL];
        Self {
            pool,
            count,
            jobs: dice.random_range(0..=count),
            wait: pick(dice, &["online", "online", "online", "running", "none"]),
            fallback: dice.random_bool(0.2),
            reaped: dice.random_bool(0.15).then(|| dice.random_range(3..20)),
            signal: dice.random_bool(0.25).then(|| (pick(dice, &signals), dice.random_range(3..30))),
            stop: pick(dice, &[Stop::ByKey, Stop::ByKey, Stop::OfRun, Stop::Early, Stop::Never]),
            foul: false,
        }
    }

    /// The start's arguments.
    pub(crate) fn start(&self) -> Vec<String> {
        let mut arguments: Vec<String> = [
            ["start", "--key", "k", "--pool", self.pool.name(), "--wait", self.wait],
            ["--timeout", "15s", "--idle-timeout", "20s", "--output", "json", "--count"],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
        arguments.push(self.count.to_string());
        if self.fallback {
            arguments.extend(["--fallback".to_owned(), "ubuntu-latest".to_owned()]);
        }
        arguments
    }
}

/// One of these.
pub(crate) fn pick<T: Copy>(dice: &mut StdRng, choices: &[T]) -> T {
    choices[dice.random_range(0..choices.len())]
}
