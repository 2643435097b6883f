//! The live view of a demo: jobs and runner phases as they pass, and the jobs' logs.
//!
//! On a terminal the jobs under way, or a table of how all stand, are below the log and move; elsewhere, and in CI, every
//! change is one line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;

use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_sim::events::{Event, JobStatus};
use fleetfoot_sim::protocol::Conclusion;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use owo_colors::{OwoColorize, Stream};

use super::agent_log;
use crate::report;

/// Widest name of a job before a log line.
const NAME_WIDTH: usize = 24;

/// Shows events on stderr or stdout.
#[derive(Debug)]
pub struct View {
    began: Timestamp,
    to_stderr: bool,
    jobs: BTreeMap<u64, String>,
    /// Jobs whose log is within the head of a step, which GitHub's pages show folded.
    folded: BTreeSet<u64>,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    all: MultiProgress,
    bars: BTreeMap<String, ProgressBar>,
    /// What stands there in their place.
    board: Option<ProgressBar>,
}

impl View {
    /// A view; on stderr if stdout is wanted for JSON.
    pub fn new(to_stderr: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && (to_stderr || std::io::stdout().is_terminal());
        let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        let under_way = (terminal && !in_ci).then(|| UnderWay {
            all: MultiProgress::new(),
            bars: BTreeMap::new(),
            board: None,
        });
        Self { began: Timestamp::now(), to_stderr, jobs: BTreeMap::new(), folded: BTreeSet::new(), under_way }
    }

    /// Prints a line of the demo itself.
    pub fn say(&self, line: &str) {
        let print = || {
            if self.to_stderr {
                anstream::eprintln!("{line}");
            } else {
                anstream::println!("{line}");
            }
        };
        match &self.under_way {
            Some(under_way) => under_way.all.suspend(print),
            None => print(),
        }
    }

    /// Whether what is under way stands below the log and moves.
    pub fn is_live(&self) -> bool {
        self.under_way.is_some()
    }

    /// Draws this below the log, in the place of what was drawn there before and of lines for single jobs and runners.
    /// On a terminal only.
    pub fn draw(&mut self, text: String) {
        let Some(under_way) = &mut self.under_way else { return };
        let all = &under_way.all;
        let board = under_way.board.get_or_insert_with(|| {
            let style =
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            all.add(ProgressBar::new_spinner().with_style(style))
        });
        board.set_message(text);
        board.tick();
    }

    /// Prints a warning of somebody's.
    pub fn warn(&self, who: &str, what: &str) {
        self.line(who, &paint(Paint::Bad, &format!("! {what}")));
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Job { job_id, name, status, runner, .. } => {
                self.jobs.insert(*job_id, name.clone());
                self.job(name, *status, runner.as_deref());
            }
            Event::Step { job_id, name, conclusion: None, .. } => {
                self.line(&self.job_name(*job_id), &format!("▸ {name}").bold().to_string());
            }
            Event::Step { job_id, name, conclusion: Some(Conclusion::Failure), .. } => {
                self.line(&self.job_name(*job_id), &paint(Paint::Bad, &format!("✗ {name} failed")));
            }
            Event::JobLog { job_id, line } => {
                if let Some(line) = self.fold(*job_id, line).then(|| log_line(line)).flatten() {
                    self.line(&self.job_name(*job_id), &format!("  {line}"));
                }
            }
            Event::Task { arn, status } => {
                if let Ok(arn) = arn.parse::<TaskArn>() {
                    self.runner(&RunnerName::of_task(&arn), &format!("ECS: {status}"), status == "STOPPED");
                }
            }
            Event::TaskLog { arn, line } => {
                let (Ok(arn), Some(seen)) = (arn.parse::<TaskArn>(), agent_log::phase(line)) else { return };
                self.runner(&RunnerName::of_task(&arn), seen.phase.word(), false);
            }
            Event::Step { .. } | Event::Run { .. } | Event::Runner { .. } | Event::Object { .. } => {}
        }
    }

    /// Takes the live lines away.
    pub fn close(&mut self) {
        if let Some(under_way) = self.under_way.take() {
            under_way.bars.values().chain(&under_way.board).for_each(ProgressBar::finish_and_clear);
        }
    }

    /// Whether a line of a job's log is to be seen. Of a step's head, its script, shell and variables, only the first
    /// line is.
    fn fold(&mut self, job: u64, line: &str) -> bool {
        if line.starts_with("##[group]Run ") {
            self.folded.insert(job);
            return true;
        }
        let ends = line == "##[endgroup]" && self.folded.remove(&job);
        !ends && !self.folded.contains(&job)
    }

    fn job_name(&self, id: u64) -> String {
        self.jobs.get(&id).cloned().unwrap_or_else(|| format!("job {id}"))
    }

    fn job(&mut self, name: &str, status: JobStatus, runner: Option<&str>) {
        let on = runner.map(|r| format!(" on {}", report::short(r))).unwrap_or_default();
        let (text, over) = match status {
            // Said by the jobs before it.
            JobStatus::Waiting => return,
            JobStatus::Queued => (paint(Paint::Dim, "● queued"), false),
            JobStatus::InProgress => (paint(Paint::Live, &format!("● in progress{on}")), false),
            JobStatus::Completed(Conclusion::Success) => (paint(Paint::Good, "✓ success"), true),
            JobStatus::Completed(Conclusion::Failure) => (paint(Paint::Bad, "✗ failure"), true),
            JobStatus::Completed(Conclusion::Cancelled) => (paint(Paint::Bad, "✗ cancelled"), true),
            JobStatus::Completed(Conclusion::Skipped) => (paint(Paint::Dim, "○ skipped"), true),
        };
        self.line(name, &text);
        self.bar(name, &text, over);
    }

    fn runner(&mut self, name: &RunnerName, phase: &str, over: bool) {
        let short = report::short(name.as_str());
        let text = paint(Paint::Live, &format!("◆ {phase}"));
        self.line(&short, &text);
        self.bar(&short, &text, over);
    }

    /// Prints a line of somebody's, with the time.
    pub fn line(&self, who: &str, what: &str) {
        let seconds = Timestamp::now().duration_since(self.began).as_secs_f64();
        let who: String = who.chars().take(NAME_WIDTH).collect();
        self.say(&format!("{} {who:<NAME_WIDTH$} {what}", paint(Paint::Dim, &format!("{seconds:>6.2}s"))));
    }

    fn bar(&mut self, key: &str, text: &str, over: bool) {
        let Some(under_way) = self.under_way.as_mut().filter(|it| it.board.is_none()) else { return };
        if over {
            if let Some(bar) = under_way.bars.remove(key) {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = under_way.bars.entry(key.to_owned()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner:.cyan} {prefix:<24} {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = under_way.all.add(ProgressBar::new_spinner().with_style(style));
            bar.set_prefix(key.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(text.to_owned());
    }
}

/// A line of a job's log without the marks by which GitHub's pages fold and colour it.
fn log_line(line: &str) -> Option<String> {
    let marked = line.strip_prefix("##[").and_then(|rest| rest.split_once(']'));
    match marked {
        Some(("endgroup", _)) => None,
        Some(("group", title)) => Some(paint(Paint::Dim, title)),
        Some(("error", text)) => Some(paint(Paint::Bad, &format!("error: {text}"))),
        Some((level @ ("warning" | "notice"), text)) => Some(format!("{level}: {text}")),
        _ => Some(line.to_owned()),
    }
}

#[derive(Clone, Copy)]
enum Paint {
    Good,
    Bad,
    Live,
    Dim,
}

/// Colour, unless `NO_COLOR` is set or nobody sees it.
fn paint(paint: Paint, text: &str) -> String {
    let out = Stream::Stdout;
    match paint {
        Paint::Good => text.if_supports_color(out, |t| t.green()).to_string(),
        Paint::Bad => text.if_supports_color(out, |t| t.red()).to_string(),
        Paint::Live => text.if_supports_color(out, |t| t.cyan()).to_string(),
        Paint::Dim => text.if_supports_color(out, |t| t.dimmed()).to_string(),
    }
}
