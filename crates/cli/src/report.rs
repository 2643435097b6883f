//! What came of it, for people and for scripts: each runner with its phases and cost.

use comfy_table::{LineStyle, Table, TableStyle, presets};
use fleetfoot_core::cost::{self, Billed, Dollars};
use fleetfoot_core::ids::{RunnerId, TaskArn};
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::size::Size;
use fleetfoot_core::stack::Pool;
use fleetfoot_core::task::{TaskEnd, TaskView, tag};
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
        }
    }
}

/// The list price of a task of one of these pools.
pub fn cost_of(task: &TaskView, pools: &[Pool], now: Timestamp) -> Option<Dollars> {
    let pool = task.tags.get(tag::POOL).and_then(|name| pools.iter().find(|p| p.name.as_str() == name));
    let pool = pool.or_else(|| pools.first())?;
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
    table.set_header(header);
    for runner in runners {
        let name = if style == FOR_TERMINAL { short(&runner.name) } else { runner.name.clone() };
        let mut row = vec![name, runner.capacity.clone().unwrap_or_else(|| "?".into())];
        row.extend(phases.iter().map(|phase| {
            runner.phases.since_first(*phase).map_or(String::new(), |d| format!("{:.1}s", d.as_secs_f64()))
        }));
        row.push(runner.cost.map_or_else(|| "-".to_owned(), |c| c.to_string()));
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
