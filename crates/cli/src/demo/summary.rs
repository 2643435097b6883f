//! What a demo comes to: runners with their phases, calls made, and the cost it would have had.

use std::collections::BTreeMap;

use comfy_table::Table;
use fleetfoot_core::cost::{Dollars, PRICES_OF};
use fleetfoot_sim::book::Call;
use fleetfoot_sim::events::JobStatus;
use fleetfoot_sim::faults::Fired;
use fleetfoot_sim::github::{JobSnapshot, RunSnapshot};
use fleetfoot_sim::protocol::Conclusion;
use serde::Serialize;
use serde_json::Value;

use crate::report::{self, RunnerReport};

/// The result of a demo.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Always true: GitHub and AWS are simulated.
    pub simulated: bool,
    /// Name of the workflow.
    pub workflow: String,
    /// The run's result.
    pub conclusion: Conclusion,
    /// Its jobs.
    pub jobs: Vec<JobSummary>,
    /// Every runner that there was.
    pub runners: Vec<RunnerReport>,
    /// Calls by service and operation.
    pub calls: Vec<CallCount>,
    /// The faults that fired, and on what.
    pub faults: Vec<String>,
    /// How to reach the simulators, if they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Value>,
    /// What the tasks would have cost at list prices, US dollars.
    pub cost: Dollars,
}

/// A job.
#[derive(Debug, Serialize)]
pub struct JobSummary {
    /// Display name.
    pub name: String,
    /// The attempt of the run that it belongs to.
    pub attempt: u64,
    /// The runner that ran it.
    pub runner: Option<String>,
    /// Its result.
    pub conclusion: Option<Conclusion>,
    /// Seconds it waited for a runner.
    pub waited: Option<f64>,
    /// Seconds it ran.
    pub ran: Option<f64>,
}

/// How often a call was made.
#[derive(Debug, Serialize)]
pub struct CallCount {
    /// `github`, `ecs`, `s3`, ….
    pub service: &'static str,
    /// `RunTask`, `POST /repos/{owner}/{repo}/…`.
    pub operation: String,
    /// How often.
    pub count: usize,
    /// How many of them were answered with an error.
    pub refused: usize,
}

impl Summary {
    /// Sums up.
    pub fn new(
        run: &RunSnapshot,
        conclusion: Conclusion,
        runners: Vec<RunnerReport>,
        calls: &[Call],
        faults: &[Fired],
    ) -> Self {
        let jobs = run.jobs.iter().map(JobSummary::of).collect();
        let cost = runners.iter().filter_map(|r| r.cost).sum();
        Self {
            simulated: true,
            workflow: run.workflow.clone(),
            conclusion,
            jobs,
            runners,
            calls: count(calls),
            kept: None,
            faults: told(faults),
            cost,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let runners = if self.runners.is_empty() {
            "No runner was started.".to_owned()
        } else {
            report::table(&self.runners, report::FOR_TERMINAL)
        };
        let faults = fault_lines(&self.faults);
        format!(
            "Jobs\n{}\n\nRunners, each phase in seconds since the first\n{runners}\n\nCalls\n{}\n\n{faults}\
             It would have cost {} (list prices of {PRICES_OF}; Fargate bills one minute at least).\n\
             GitHub and AWS were simulated on this machine; the processes, HTTP calls and steps were real.",
            jobs_table(&self.jobs),
            calls_table(&self.calls),
            self.cost
        )
    }
}

impl JobSummary {
    /// Of a job as it is now.
    pub fn of(job: &JobSnapshot) -> Self {
        Self {
            name: job.name.clone(),
            attempt: job.attempt,
            runner: job.runner.clone(),
            conclusion: match job.status {
                JobStatus::Completed(conclusion) => Some(conclusion),
                _ => None,
            },
            waited: job.started_at.map(|at| at.duration_since(job.queued_at).as_secs_f64()),
            ran: job.started_at.zip(job.completed_at).map(|(a, b)| b.duration_since(a).as_secs_f64()),
        }
    }
}

/// A line a job.
pub fn jobs_table(jobs: &[JobSummary]) -> String {
    let mut table = Table::new();
    let again = jobs.iter().any(|job| job.attempt > 1);
    let mut header = vec!["job", "runner", "waited", "ran", "result"];
    if again {
        header.insert(1, "attempt");
    }
    table.load_style(report::FOR_TERMINAL).set_header(header);
    let seconds = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), |s| format!("{s:.1}s"));
    for job in jobs {
        let mut row = vec![
            job.name.clone(),
            job.runner.as_deref().map_or_else(|| "-".into(), report::short),
            seconds(job.waited),
            seconds(job.ran),
            job.conclusion.map_or("-", word).to_owned(),
        ];
        if again {
            row.insert(1, job.attempt.to_string());
        }
        table.add_row(row);
    }
    table.trim_fmt()
}

/// A line a call.
pub fn calls_table(calls: &[CallCount]) -> String {
    let mut table = Table::new();
    table.load_style(report::FOR_TERMINAL).set_header(["service", "call", "times", "refused"]);
    for call in calls {
        table.add_row([
            call.service.to_owned(),
            call.operation.clone(),
            call.count.to_string(),
            call.refused.to_string(),
        ]);
    }
    table.trim_fmt()
}

/// The faults that fired, each with what it hit.
pub fn told(faults: &[Fired]) -> Vec<String> {
    faults.iter().map(|fired| format!("{} on {}", fired.fault, fired.on)).collect()
}

/// A line for each of them.
pub fn fault_lines(faults: &[String]) -> String {
    faults.iter().flat_map(|fault| ["Fault: ", fault, "\n"]).collect()
}

/// GitHub's word.
pub const fn word(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "success",
        Conclusion::Failure => "failure",
        Conclusion::Cancelled => "cancelled",
        Conclusion::Skipped => "skipped",
    }
}

/// Calls by service and operation. What the stand-in runner says to its own service is not a call anybody pays for.
pub fn count(calls: &[Call]) -> Vec<CallCount> {
    let mut counts: BTreeMap<(&'static str, &str), (usize, usize)> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.service != "runner") {
        let entry = counts.entry((call.service, &call.operation)).or_default();
        entry.0 += 1;
        entry.1 += usize::from(call.status >= 400);
    }
    counts
        .into_iter()
        .map(|((service, operation), (count, refused))| CallCount {
            service,
            operation: operation.to_owned(),
            count,
            refused,
        })
        .collect()
}
