//! The page of results, `docs/benchmarks.md`: ratios first, then what they come from.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;

use crate::Result;
use crate::launch::{Comparison, Way};
use crate::measure::Spread;
use crate::online::{BEYOND, POLL};
use crate::polls::{Counted, MANY, Polls};
use crate::stage::PROGRAM;

/// How many times less CPU and wall time a start shall need than the seed's way.
const TIMES_FASTER: f64 = 50.0;
/// How many times less memory.
const TIMES_SMALLER: f64 = 5.0;

/// Where and when it was measured.
pub(crate) struct Machine {
    date: String,
    cores: usize,
    processor: String,
    memory_gib: f64,
    kernel: String,
    load: String,
    fleetfoot: String,
    aws: String,
}

/// Everything that was measured.
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) runs: usize,
    pub(crate) launch: Comparison,
    pub(crate) online: Spread,
    pub(crate) polls: Polls,
}

impl Machine {
    /// This one, now.
    pub(crate) fn now(aws: &Path) -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kib = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: f64 = kib.trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
        Ok(Self {
            date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
            cores: std::thread::available_parallelism()?.get(),
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into()),
            memory_gib: kib / (1024.0 * 1024.0),
            kernel: read("/proc/sys/kernel/osrelease")
                .split('-')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            fleetfoot: version(Path::new(PROGRAM))?,
            aws: version(aws)?,
        })
    }
}

/// What a program says of itself.
fn version(program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// One goal.
struct Goal {
    what: &'static str,
    measured: String,
    wanted: String,
    reached: bool,
}

impl Results {
    fn goals(&self) -> Vec<Goal> {
        let (ours, theirs) = (&self.launch.fleetfoot, &self.launch.seed);
        let times = |what, of: fn(&Way) -> Spread, wanted: f64| {
            let ratio = of(theirs).median / of(ours).median;
            let less = format!("{ratio:.1} times less");
            Goal { what, measured: less, wanted: format!("{wanted} times"), reached: ratio >= wanted }
        };
        let latest = POLL + BEYOND;
        let same = self.polls.one.fullest == self.polls.many.fullest;
        vec![
            times("Wall time of a start", |way| way.wall, TIMES_FASTER),
            times("CPU time of a start", |way| way.cpu, TIMES_FASTER),
            times("Peak memory of a start", |way| way.memory, TIMES_SMALLER),
            Goal {
                what: "From runner online to the end of the step",
                measured: format!("{:.2} s at most", self.online.most),
                wanted: format!("a poll and {} s: {:.1} s", BEYOND.as_secs_f64(), latest.as_secs_f64()),
                reached: self.online.most <= latest.as_secs_f64(),
            },
            Goal {
                what: "Calls of a poll with 1 and 10,000 runners",
                measured: format!("{} and {}", calls(&self.polls.one), calls(&self.polls.many)),
                wanted: "the same".into(),
                reached: same,
            },
        ]
    }

    /// Whether every goal was reached.
    pub(crate) fn reached(&self) -> bool {
        self.goals().iter().all(|goal| goal.reached)
    }

    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut page = String::from(HEAD);
        for goal in self.goals() {
            let verdict = if goal.reached { "reached" } else { "**missed**" };
            line(&mut page, &format!("| {} | {} | {} | {verdict} |", goal.what, goal.measured, goal.wanted));
        }
        page.push_str(&self.conditions());
        page.push_str(START);
        for (name, way) in
            [("`fleetfoot start --wait none`", &self.launch.fleetfoot), ("the seed's way", &self.launch.seed)]
        {
            let row = format!(
                "| {name} | {} | {} | {} | {} | {} |",
                spread(way.wall, 0, "ms"),
                spread(way.cpu, 0, "ms"),
                spread(way.memory, 1, "MiB"),
                way.calls,
                spread(way.simulators, 0, "ms"),
            );
            line(&mut page, &row);
        }
        page.push_str(COMPARED);
        line(
            &mut page,
            &format!("With the default poll of {} s: {}.", POLL.as_secs(), spread(self.online, 2, "s")),
        );
        page.push_str(POLLS);
        for (runners, counted) in [(1, &self.polls.one), (MANY + 1, &self.polls.many)] {
            let row = format!(
                "| {runners} | {} | {} | {} | {} |",
                counted.rounds,
                calls(counted),
                names(counted),
                counted.largest
            );
            line(&mut page, &row);
        }
        page.push_str(TAIL);
        page
    }

    fn conditions(&self) -> String {
        let Machine { date, cores, processor, memory_gib, kernel, load, fleetfoot, aws } = &self.machine;
        format!(
            "\nMeasured on {date} on a machine with {cores} cores ({processor}), {memory_gib:.0} GiB of memory, Linux \
             {kernel}; its load was {load} when it began. {fleetfoot}, a release build; {aws}. {runs} runs each; a value is \
             the median, with the least and the most in parentheses.\n",
            runs = self.runs,
        )
    }
}

fn line(page: &mut String, text: &str) {
    // A String takes everything.
    let _ = writeln!(page, "{text}");
}

fn spread(spread: Spread, digits: usize, unit: &str) -> String {
    let Spread { median, least, most } = spread;
    format!("{median:.digits$} {unit} ({least:.digits$}–{most:.digits$})")
}

fn calls(counted: &Counted) -> usize {
    counted.fullest.values().sum()
}

fn names(counted: &Counted) -> String {
    let name = |((service, operation), count): (&(String, String), &usize)| {
        format!("{count}× {service} `{operation}`")
    };
    counted.fullest.iter().map(name).collect::<Vec<_>>().join(", ")
}

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench start --write`; run it to have numbers of your own machine. Nothing here was typed by hand.

| what | measured | goal | |
|---|---|---|---|
";

const START: &str = "
## A start

Whole processes with their children, from the start of the first to its end, in turns. The services are the simulated \
GitHub and AWS of this repository, on the same machine, so what is compared is the work of the clients: no network is in it.

| way | wall | CPU | peak memory | calls | CPU of the simulators |
|---|---|---|---|---|---|
";

const COMPARED: &str = "
The seed's way is the shell script of the project that Fleetfoot grew from (`crates/cli/benches/start/seed.sh`): `aws sts \
get-caller-identity`, `uuidgen`, `aws ecs run-task`. The token that registers the runner stands in the task's environment, \
and the task has to register itself. `fleetfoot start --wait none` does more in the same time: it reads the stack document, \
looks for runners that are there already, asks GitHub whether its token may register runners, starts the task, registers \
the runner and puts the registration into the task's mailbox.

Peak memory is that of the largest process. Neither way gets its AWS credentials through OIDC here; both have static keys. \
The tasks that are started only sleep.

## From online to the end of the step

`fleetfoot start --wait online` with a real agent and a stand-in for GitHub's runner, from the moment in which simulated \
GitHub sees the runner to the end of the process. From run to run the runner comes a little later within a poll.

";

const POLLS: &str = "
## Calls of a poll

What one round of `fleetfoot start --wait online` asks while it waits, from the books of the simulators. Whoever lists \
the runners to find one makes a hundred calls for 10,000 of them, a hundred a page.

| registered runners | rounds | calls of the fullest round | which | largest answer in bytes |
|---|---|---|---|---|
";

const TAIL: &str = "
## What this does not say

How fast AWS and GitHub are: nearly all of a real cold start is ECS finding a place and pulling the image. And how fast \
`aws` of version 2 is, which comes with a Python of its own and is not on PyPI.
";
