//! Tells what was found and what became of it, for people and for scripts.

use comfy_table::{Table, TableStyle};
use fleetfoot_core::cost::Dollars;
use fleetfoot_core::ids::{RunRef, RunnerId, RunnerName, TaskArn};
use fleetfoot_core::reap::{Thing, Unwanted};
use fleetfoot_core::stack::Stack;
use fleetfoot_core::task::tag;
use fleetfoot_core::verdict::Verdict;
use fleetfoot_github::WorkflowContext;
use jiff::{SignedDuration, SignedDurationRound, Timestamp, Unit};
use serde::Serialize;

use super::remove::Outcome;
use crate::args::{Output, ReapArgs};
use crate::failure::{Exit, Failure};
use crate::{outputs, report};

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    found: usize,
    removed: usize,
    busy: usize,
    failed: usize,
    /// List price in US dollars of all of it so far.
    cost: Dollars,
    unwanted: Vec<Row>,
    notes: Vec<Verdict>,
    /// Offline registrations that may be another stack's.
    unproven: usize,
}

/// One thing that was found.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    /// A task's id, a runner's id at GitHub, or the id of the task that an assignment is for.
    id: String,
    task: Option<TaskArn>,
    runner: Option<RunnerName>,
    runner_id: Option<RunnerId>,
    /// `<run id>-<attempt>`, or `hand`.
    run: Option<String>,
    key: Option<String>,
    repository: Option<String>,
    workflow: Option<String>,
    since: Option<Timestamp>,
    age_seconds: Option<i64>,
    cost: Option<Dollars>,
    class: &'static str,
    why: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Verdict>,
}

impl Row {
    fn of(unwanted: &Unwanted, outcome: &Outcome, stack: &Stack, now: Timestamp) -> Self {
        let (what, id, task, runner) = match &unwanted.thing {
            Thing::Task(task, runner) => {
                ("task", task.arn.id().to_owned(), Some(task.as_ref()), runner.as_ref())
            }
            Thing::Runner(runner) => ("runner", runner.id.to_string(), None, Some(runner)),
            // The rest of the address is half a secret.
            Thing::Mail(address) => {
                ("mail", address.parts().map(|(_, id)| id.to_owned()).unwrap_or_default(), None, None)
            }
        };
        let tagged = |key: &str| task.and_then(|task| task.tags.get(key).cloned());
        let (outcome, failure) = match outcome {
            Outcome::Shown if unwanted.busy => ("busy", None),
            Outcome::Shown => ("shown", None),
            Outcome::Removed => ("removed", None),
            Outcome::Busy => ("busy", None),
            Outcome::Failed(verdict) => ("failed", Some(verdict.clone())),
        };
        Self {
            what,
            id,
            task: task.map(|task| task.arn.clone()),
            runner: runner.map(|runner| runner.name.clone()),
            runner_id: runner.map(|runner| runner.id),
            run: unwanted.origin.as_ref().map(|(run, _)| run.to_string()),
            key: unwanted.origin.as_ref().map(|(_, key)| key.to_string()),
            repository: tagged(tag::REPOSITORY),
            workflow: tagged(tag::WORKFLOW),
            since: unwanted.since,
            age_seconds: unwanted.since.map(|since| now.duration_since(since).as_secs()),
            cost: task.and_then(|task| report::cost_of(task, &stack.pools, now)),
            class: unwanted.reason.class(),
            why: unwanted.reason.to_string(),
            outcome,
            failure,
        }
    }

    /// `run 4711-1, key build`.
    fn owner(&self) -> String {
        match (&self.run, &self.key) {
            (Some(run), Some(key)) if *run == RunRef::ByHand.to_string() => format!("by hand, key {key}"),
            (Some(run), Some(key)) => format!("run {run}, key {key}"),
            _ => "?".to_owned(),
        }
    }

    fn cells(&self) -> [String; 7] {
        [
            self.what.to_owned(),
            self.id.clone(),
            self.owner(),
            self.age_seconds.map_or_else(|| "?".to_owned(), age),
            self.cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string()),
            self.why.clone(),
            match self.outcome {
                "shown" => "",
                "busy" => "stays, a job runs on it",
                other => other,
            }
            .to_owned(),
        ]
    }
}

/// `2d 3h`, `1h 5m`, `40s`: two units are enough for an eye.
fn age(seconds: i64) -> String {
    let age = SignedDuration::from_secs(seconds);
    let smallest = if age.as_hours() >= 10 {
        Unit::Hour
    } else if age.as_mins() >= 10 {
        Unit::Minute
    } else {
        Unit::Second
    };
    format!("{:#}", age.round(SignedDurationRound::new().smallest(smallest)).unwrap_or(age))
}

impl Report {
    pub(super) fn new(
        stack: &Stack,
        now: Timestamp,
        ends: &[(Unwanted, Outcome)],
        notes: Vec<Verdict>,
        unproven: usize,
    ) -> Self {
        let unwanted: Vec<Row> =
            ends.iter().map(|(unwanted, outcome)| Row::of(unwanted, outcome, stack, now)).collect();
        let count = |outcome: &str| unwanted.iter().filter(|row| row.outcome == outcome).count();
        Self {
            found: unwanted.len(),
            removed: count("removed"),
            busy: count("busy"),
            failed: count("failed"),
            cost: unwanted.iter().filter_map(|row| row.cost).sum(),
            unwanted,
            notes,
            unproven,
        }
    }

    pub(super) fn tell(&self, context: Option<&WorkflowContext>, args: &ReapArgs) -> Result<(), Failure> {
        let title = self.title(args.yes);
        if !self.unwanted.is_empty() {
            let table = self.table(report::FOR_MARKDOWN);
            outputs::summarize(context, &format!("### Fleetfoot: {title}\n\n{table}\n\n"))?;
        }
        for note in self.notes_for_people() {
            anstream::eprintln!("note: {note}");
        }
        match args.output {
            Output::Text if self.unwanted.is_empty() => anstream::println!("{title}"),
            Output::Text => anstream::println!("{title}\n{}", self.table(report::FOR_TERMINAL)),
            Output::Json => anstream::println!("{}", serde_json::json!(self)),
        }
        self.failure().map_or(Ok(()), Err)
    }

    fn title(&self, yes: bool) -> String {
        if self.unwanted.is_empty() {
            return "nothing to reap".to_owned();
        }
        let shown = self.found - self.removed - self.busy - self.failed;
        let parts: Vec<String> = [
            (shown, "to be taken away"),
            (self.removed, "taken away"),
            (self.busy, "left alone because a job runs there"),
            (self.failed, "could not be taken away"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        let hint = if yes || shown == 0 { "" } else { "; run again with --yes" };
        format!("not wanted any more: {}{hint}", parts.join(", "))
    }

    fn table(&self, style: TableStyle) -> String {
        let mut table = Table::new();
        table.load_style(style);
        table.set_header(["what", "id", "for", "age", "cost", "why", ""]);
        for row in &self.unwanted {
            table.add_row(row.cells());
        }
        table.trim_fmt()
    }

    fn notes_for_people(&self) -> Vec<String> {
        let told = |note: &Verdict| {
            let Failure { sentence, remedy, .. } = note.clone().into();
            remedy.map_or_else(|| sentence.clone(), |remedy| format!("{sentence}\n  help: {remedy}"))
        };
        let mut notes: Vec<String> = self.notes.iter().map(told).collect();
        if self.unproven > 0 {
            notes.push(format!(
                "{} offline runners named ff-… have no task here and are not provably this stack's; they are left \
                 alone, and GitHub removes them a day after they were last online",
                self.unproven
            ));
        }
        notes
    }

    /// What could not be taken away, by name.
    fn failure(&self) -> Option<Failure> {
        let failed: Vec<(&Row, &Verdict)> =
            self.unwanted.iter().filter_map(|row| Some((row, row.failure.as_ref()?))).collect();
        let (_, first) = failed.first()?;
        let names: Vec<String> =
            failed.iter().map(|(row, why)| format!("{} {}: {}", row.what, row.id, why.sentence)).collect();
        let exit = if first.class == "denied" { Exit::Denied } else { Exit::Failed };
        let told = Failure::from((*first).clone());
        Some(Failure {
            class: "incomplete".into(),
            sentence: format!("{} could not be taken away: {}", failed.len(), names.join("; ")),
            remedy: told.remedy.or_else(|| Some("Run it again.".into())),
            exit,
        })
    }
}
