//! Tells what is to be done or was done, for people and for scripts.

use comfy_table::Table;
use fleetfoot_core::connect::{Action, Step, Thing, Visibility};
use fleetfoot_core::verdict::Verdict;
use serde::Serialize;

use super::CANCELLED;
use super::place::{Outcome, Place};
use crate::args::{ConnectArgs, Output};
use crate::cancel::Cancel;
use crate::failure::{Exit, Failure};
use crate::report;

/// Everything about all places.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(skip)]
    output: Output,
    #[serde(skip)]
    yes: bool,
    /// How much there was to do.
    changes: usize,
    /// How much of it was done.
    done: usize,
    settings: Vec<Row>,
    notes: Vec<String>,
}

/// One thing at one place.
#[derive(Debug, Serialize)]
struct Row {
    /// `acme` or `acme/shop`.
    target: String,
    environment: Option<String>,
    kind: &'static str,
    name: String,
    /// `create`, `change`, `remove` or `keep`.
    action: &'static str,
    /// Why it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    /// A variable's value before; a secret's nobody knows.
    from: Option<String>,
    /// A variable's value after it.
    to: Option<String>,
    visibility: Option<Visibility>,
    /// `shown`, `done`, `kept`, `failed` or `not-tried`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Verdict>,
}

impl Row {
    fn of(place: &Place, step: Step, outcome: Outcome) -> Self {
        let (kind, name) = match &step.thing {
            Thing::Environment => ("environment", place.environment.clone().unwrap_or_default()),
            Thing::Variable(name) => ("variable", name.to_string()),
            Thing::Secret(name) => ("secret", name.to_string()),
        };
        let (action, why) = match step.action {
            Action::Create => ("create", None),
            Action::Change => ("change", None),
            Action::Remove => ("remove", None),
            Action::Keep(why) => ("keep", Some(why)),
        };
        let (outcome, failure) = match outcome {
            Outcome::Shown if why.is_none() => ("shown", None),
            Outcome::Shown | Outcome::Kept => ("kept", None),
            Outcome::Done => ("done", None),
            Outcome::Failed(verdict) => ("failed", Some(verdict)),
            Outcome::NotTried => ("not-tried", None),
        };
        Self {
            target: place.target.to_string(),
            environment: place.environment.clone(),
            kind,
            name,
            action,
            why,
            from: step.from,
            to: step.to,
            visibility: step.visibility,
            outcome,
            failure,
        }
    }

    fn is_change(&self) -> bool {
        self.why.is_none()
    }

    fn place(&self) -> String {
        match &self.environment {
            Some(environment) if self.kind != "environment" => format!("{}, {environment}", self.target),
            _ => self.target.clone(),
        }
    }

    fn cells(&self) -> [String; 5] {
        let value = match (self.action, &self.from, &self.to) {
            ("change", Some(from), Some(to)) if from != to => format!("{from} → {to}"),
            ("remove" | "keep", Some(from), _) => from.clone(),
            (_, _, Some(to)) => to.clone(),
            _ => String::new(),
        };
        let value = match self.visibility {
            Some(visibility) => format!("{value} ({})", word(visibility)).trim().to_owned(),
            None => value,
        };
        let what = match (self.outcome, self.why) {
            ("shown" | "done", _) => self.action.to_owned() + if self.outcome == "done" { "d" } else { "" },
            ("failed", _) => format!("{} failed", self.action),
            ("not-tried", _) => format!("{} not tried", self.action),
            (_, why) => why.unwrap_or_default().to_owned(),
        };
        [self.place(), self.kind.to_owned(), self.name.clone(), value, what]
    }
}

fn word(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::All => "all repositories",
        Visibility::Private => "private repositories",
        Visibility::Selected => "selected repositories",
    }
}

impl Report {
    pub(super) fn new(args: &ConnectArgs) -> Self {
        Self {
            output: args.output,
            yes: args.yes,
            changes: 0,
            done: 0,
            settings: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, place: &Place, ends: Vec<(Step, Outcome)>) {
        let rows = ends.into_iter().map(|(step, outcome)| Row::of(place, step, outcome));
        self.settings.extend(rows);
        self.notes.extend(place.notes.clone());
        self.changes = self.settings.iter().filter(|row| row.is_change()).count();
        self.done = self.settings.iter().filter(|row| row.outcome == "done").count();
    }

    pub(super) fn tell(&self, cancel: &Cancel) -> Result<(), Failure> {
        for note in &self.notes {
            anstream::eprintln!("note: {note}");
        }
        match self.output {
            Output::Text if self.settings.is_empty() => anstream::println!("{}", self.title()),
            Output::Text => anstream::println!("{}\n{}", self.title(), self.table()),
            Output::Json => anstream::println!("{}", serde_json::json!(self)),
        }
        self.failure(cancel).map_or(Ok(()), Err)
    }

    fn title(&self) -> String {
        match (self.changes, self.yes) {
            (0, _) => "nothing to do".to_owned(),
            (changes, false) => format!("{changes} to be done; run again with --yes"),
            (changes, true) if self.done == changes => format!("{changes} done"),
            (changes, true) => format!("{} of {changes} done", self.done),
        }
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(report::FOR_TERMINAL);
        table.set_header(["at", "what", "name", "value", ""]);
        for row in &self.settings {
            table.add_row(row.cells());
        }
        table.trim_fmt()
    }

    fn failure(&self, cancel: &Cancel) -> Option<Failure> {
        let failed: Vec<&Verdict> = self.settings.iter().filter_map(|row| row.failure.as_ref()).collect();
        let Some(first) = failed.first() else {
            let stopped = self.settings.iter().any(|row| row.outcome == "not-tried");
            return stopped.then(|| cancel.failure(CANCELLED));
        };
        let told = Failure::from((*first).clone());
        let sentences: Vec<&str> = failed.iter().map(|verdict| verdict.sentence.as_str()).collect();
        Some(Failure {
            class: "incomplete".into(),
            sentence: sentences.join("; "),
            remedy: Some(told.remedy.map_or_else(
                || "Run it again: what is done stays done.".to_owned(),
                |remedy| format!("{remedy} Then run it again: what is done stays done."),
            )),
            exit: if first.class == "denied" { Exit::Denied } else { Exit::Failed },
        })
    }
}
