//! What came of it, for people and for scripts: each runner with its phases and cost.

use comfy_table::{LineStyle, Table, TableStyle, presets};
use fleetfoot_core::cost::{self, Billed, Dollars};
use fleetfoot_core::fate::Fate;
use fleetfoot_core::ids::{RunnerId, TaskArn};
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::size::Size;
use fleetfoot_core::stack::Pool;
use fleetfoot_core::task::{TaskEnd, TaskView, tag};
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::{Member, Registration};
use jiff::Timestamp;
use serde::Serialize;

/// One runner, as reported.
#[derive(Debug, Clone, Serialize)]
pub struct RunnerReport {
    /// Its name at GitHub.
    pub name: String,
    /// Its id at GitHub, if it is known.
    pub id: Option<RunnerId>,
    /// Its task.
    pub task: TaskArn,
    /// Where the task ran.
    pub capacity: Option<String>,
    /// When it reached which phase.
    pub phases: PhaseTimes,
    /// Why the task ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<TaskEnd>,
    /// Whether it was left alone because a job runs on it.
    pub busy: bool,
    /// List price in US dollars so far; absent on EC2.
    pub cost: Option<Dollars>,
    /// What became of it, where that is told.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub fate: Option<FateReport>,
}

/// What became of a runner, as reported.
#[derive(Debug, Clone, Serialize)]
pub struct FateReport {
    /// A word: `ran-its-job`, `without-job`, `job-cut-off`, `job-unknown`, `stopped`, `busy` or `there`.
    pub outcome: &'static str,
    /// Why, in a sentence, and what can be done.
    pub verdict: Verdict,
    #[serde(skip)]
    is_loss: bool,
}

impl RunnerReport {
    /// The report on a member of the world.
    pub fn of(member: &Member, pools: &[Pool], now: Timestamp) -> Self {
        Self {
            name: member.runner().to_string(),
            id: member.runner_id(),
            task: member.task.arn.clone(),
            capacity: member.task.capacity.as_ref().map(ToString::to_string),
            phases: member.phases.clone(),
            end: member.task.end.clone(),
            busy: !member.stop_asked
                && matches!(member.registration, Registration::Present { refused: true, .. }),
            cost: cost_of(&member.task, pools, now),
            fate: None,
        }
    }

    /// The same with what became of it.
    #[must_use]
    pub fn with_fate(mut self, fate: &Fate, task: &TaskView) -> Self {
        let (outcome, is_loss) = (fate.outcome(), fate.is_loss());
        self.fate = Some(FateReport { outcome, verdict: fate.verdict(task), is_loss });
        self
    }
}

/// Runners that ended in the same way without having done their job.
#[derive(Debug, PartialEq, Eq)]
pub struct Loss<'a> {
    /// A sentence on each.
    pub sentences: Vec<&'a str>,
    /// What can be done about all of them.
    pub remedy: &'a str,
}

/// What has to be told of runners that did not do their job: each remedy once, in the order in which they are
/// first needed.
pub fn losses(runners: &[RunnerReport]) -> Vec<Loss<'_>> {
    let mut losses: Vec<Loss> = Vec::new();
    for fate in runners.iter().filter_map(|runner| runner.fate.as_ref()).filter(|fate| fate.is_loss) {
        let remedy = fate.verdict.remedy.as_deref().unwrap_or_default();
        match losses.iter_mut().find(|loss| loss.remedy == remedy) {
            Some(loss) => loss.sentences.push(&fate.verdict.sentence),
            None => losses.push(Loss { sentences: vec![&fate.verdict.sentence], remedy }),
        }
    }
    losses
}

impl Loss<'_> {
    /// How many runners are told of one by one; the rest is counted.
    const MOST: usize = 10;

    fn told(&self) -> String {
        let mut lines: Vec<String> = self.sentences.iter().take(Self::MOST).map(|s| one_line(s)).collect();
        if let Some(more @ 1..) = self.sentences.len().checked_sub(Self::MOST) {
            lines.push(format!("{more} more ended in the same way"));
        }
        lines.join("\n")
    }

    /// For an annotation, which keeps its lines.
    pub fn plain(&self) -> String {
        format!("{}\n{}", self.told(), self.remedy)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        format!("{}\n  help: {}", self.told(), self.remedy)
    }

    /// For a step summary.
    pub fn markdown(&self) -> String {
        format!("{}  \n_{}_\n\n", self.told().replace('\n', "  \n"), self.remedy)
    }
}

/// ECS's sentences are free text in part: whoever stops a task gives its reason.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The list price of a task of one of these pools.
pub fn cost_of(task: &TaskView, pools: &[Pool], now: Timestamp) -> Option<Dollars> {
    let pool = task.tags.get(tag::POOL).and_then(|name| pools.iter().find(|p| p.name.as_str() == name));
    cost_in(task, pool.or_else(|| pools.first())?, now)
}

/// The list price of a task of this pool.
pub fn cost_in(task: &TaskView, pool: &Pool, now: Timestamp) -> Option<Dollars> {
    let size = Size {
        cpu: task.cpu.unwrap_or(pool.cpu),
        memory: task.memory.unwrap_or(pool.memory),
        ephemeral_storage: task.ephemeral_storage,
    };
    cost::of_task(&Billed {
        capacity: task.capacity.as_ref()?,
        arch: pool.arch,
        size,
        public_ip: pool.network.as_ref().is_some_and(|n| n.assign_public_ip),
        from: task.billed_from?,
        to: task.stopped_at.unwrap_or(now),
    })
}

/// A table of runners: a column a phase, with seconds since the first.
pub fn table(runners: &[RunnerReport], style: TableStyle) -> String {
    let phases: Vec<Phase> =
        Phase::ALL.into_iter().filter(|p| runners.iter().any(|r| r.phases.at(*p).is_some())).collect();
    let mut table = Table::new();
    table.load_style(style);
    let mut header = vec!["runner".to_owned(), "capacity".to_owned()];
    header.extend(phases.iter().map(ToString::to_string));
    header.push("cost".to_owned());
    let told = runners.iter().any(|runner| runner.fate.is_some());
    header.extend(told.then(|| "outcome".to_owned()));
    table.set_header(header);
    for runner in runners {
        let name = if style == FOR_TERMINAL { short(&runner.name) } else { runner.name.clone() };
        let mut row = vec![name, runner.capacity.clone().unwrap_or_else(|| "?".into())];
        row.extend(phases.iter().map(|phase| {
            runner.phases.since_first(*phase).map_or(String::new(), |d| format!("{:.1}s", d.as_secs_f64()))
        }));
        row.push(runner.cost.map_or_else(|| "-".to_owned(), |c| c.to_string()));
        row.extend(runner.fate.as_ref().map(|fate| fate.outcome.to_owned()));
        table.add_row(row);
    }
    table.trim_fmt()
}

/// A runner's name for a narrow place: its task's id is random, so its beginning is enough for an eye.
pub fn short(name: &str) -> String {
    const LONGEST: usize = 15;
    if !name.starts_with("ff-") {
        return name.to_owned();
    }
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// For a terminal: one line below the header, so that it can be read and cut.
pub const FOR_TERMINAL: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
/// For a step summary.
pub const FOR_MARKDOWN: TableStyle = presets::ASCII_MARKDOWN;

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(sentence: &str, remedy: Option<&str>, is_loss: bool) -> RunnerReport {
        let verdict =
            Verdict { class: "idle".into(), sentence: sentence.into(), remedy: remedy.map(str::to_owned) };
        RunnerReport {
            name: "ff-1".into(),
            id: None,
            task: "arn:aws:ecs:eu-west-1:123456789012:task/ff/1".parse().unwrap(),
            capacity: None,
            phases: PhaseTimes::default(),
            end: None,
            busy: false,
            cost: None,
            fate: Some(FateReport { outcome: "without-job", verdict, is_loss }),
        }
    }

    #[test]
    fn each_remedy_is_given_once() {
        let runners = [
            runner("a ended", Some("Do this."), true),
            runner("b ran", None, false),
            runner("c ended", Some("Do that."), true),
            runner("d\nended", Some("Do this."), true),
        ];
        let losses = losses(&runners);
        assert_eq!(losses.len(), 2);
        assert_eq!(losses[0].text(), "a ended\nd ended\n  help: Do this.");
        assert_eq!(losses[1].plain(), "c ended\nDo that.");
        assert_eq!(losses[0].markdown(), "a ended  \nd ended  \n_Do this._\n\n");
    }

    #[test]
    fn a_hundred_runners_are_not_told_of_one_by_one() {
        let runners: Vec<_> = (0..12).map(|n| runner(&format!("{n} ended"), Some("Do."), true)).collect();
        let text = losses(&runners)[0].plain();
        assert!(text.ends_with("\n9 ended\n2 more ended in the same way\nDo."), "{text}");
    }
}
