//! How results are told: goals first, then where it was measured, then the values they come from.
//!
//! A benchmark writes its part of `docs/benchmarks.md` to standard output; `cargo xtask bench` puts it there.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;

use super::Result;
use super::measure::Spread;
use super::stage::{PROGRAM, RELEASED};

/// Where and when it was measured.
pub(crate) struct Machine {
    date: String,
    cores: usize,
    processor: String,
    memory_gib: f64,
    kernel: String,
    load: String,
    programs: Vec<String>,
}

/// One goal.
pub(crate) struct Goal {
    /// Of what.
    pub(crate) what: String,
    /// What was found.
    pub(crate) measured: String,
    /// What was hoped for.
    pub(crate) wanted: String,
    /// Whether it is so.
    pub(crate) reached: bool,
}

impl Machine {
    /// This one, now. The first line of what each of these programs says of itself goes along with ours.
    pub(crate) fn now(programs: &[(&Path, &str)]) -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kib = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: f64 = kib.trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
        let ours = [(PROGRAM.as_path(), "--version")];
        let versions = ours.iter().chain(programs).map(|(program, option)| version(program, option));
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
            programs: versions.collect::<Result<_>>()?,
        })
    }

    /// The sentence of it, with how often was measured.
    pub(crate) fn sentence(&self, runs: usize) -> String {
        format!(
            "{} {runs} runs each; a value is the median, with the least and the most in parentheses.\n",
            self.place()
        )
    }

    /// The sentence of it.
    pub(crate) fn place(&self) -> String {
        let Self { date, cores, processor, memory_gib, kernel, load, programs } = self;
        let build = match std::env::var_os(RELEASED) {
            Some(_) => "as it is released (`cargo xtask dist`)",
            None => "not as it is released",
        };
        let (ours, others) = programs.split_first().map_or(("", &[][..]), |(ours, others)| (ours, others));
        let others: String = others.iter().map(|program| ["; ", program].concat()).collect();
        format!(
            "\nMeasured on {date} on a machine with {cores} cores ({processor}), {memory_gib:.0} GiB of memory, Linux \
             {kernel}; its load was {load} when it began. {ours}, {build}{others}."
        )
    }
}

/// What a program says of itself.
fn version(program: &Path, option: &str) -> Result<String> {
    let output = Command::new(program)
        .arg(option)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    // What follows in parentheses is what it was built for.
    let name = said.lines().next().unwrap_or_default().split(" (").next().unwrap_or_default();
    Ok(name.trim().to_owned())
}

/// The table of goals.
pub(crate) fn goals(goals: &[Goal]) -> String {
    let mut table = String::from("| what | measured | goal | |\n|---|---|---|---|\n");
    for Goal { what, measured, wanted, reached } in goals {
        let verdict = if *reached { "reached" } else { "**missed**" };
        line(&mut table, &format!("| {what} | {measured} | {wanted} | {verdict} |"));
    }
    table
}

/// Adds a line.
pub(crate) fn line(text: &mut String, more: &str) {
    // A String takes everything.
    let _ = writeln!(text, "{more}");
}

/// Median, least and most.
pub(crate) fn spread(spread: Spread, digits: usize, unit: &str) -> String {
    let Spread { median, least, most } = spread;
    format!("{median:.digits$} {unit} ({least:.digits$}–{most:.digits$})")
}
