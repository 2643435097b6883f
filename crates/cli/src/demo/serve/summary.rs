//! What a demo of the autoscaler comes to.

use fleetfoot_core::cost::{Dollars, PRICES_OF};
use fleetfoot_sim::github::RunSnapshot;
use fleetfoot_sim::protocol::Conclusion;
use serde::Serialize;

use super::left::Left;
use super::stack::is_served;
use crate::demo::summary::{CallCount, JobSummary, calls_table, fault_lines, jobs_table, word};
use crate::report::{self, RunnerReport};

/// The result.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Always true: GitHub and AWS are simulated.
    pub simulated: bool,
    /// The worst result of a run.
    pub conclusion: Conclusion,
    /// Jobs of all runs by what came of them.
    pub counts: Jobs,
    /// The runs of the workflows; absent with a load, whose runs are all alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<Vec<Run>>,
    /// How long jobs of scale sets waited from queued to begun.
    pub waits: Option<Waits>,
    /// Tasks that were started.
    pub tasks: Tasks,
    /// Every runner that there was; absent with a load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runners: Option<Vec<RunnerReport>>,
    /// Calls by service and operation.
    pub calls: Vec<CallCount>,
    /// The faults that fired, and on what.
    pub faults: Vec<String>,
    /// What is left.
    pub left: Left,
    /// Seconds from SIGTERM to the autoscaler's end.
    pub handed_over: f64,
    /// What the tasks would have cost at list prices, US dollars.
    pub cost: Dollars,
}

/// Jobs by what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Jobs {
    /// All of them.
    pub total: usize,
    /// `success`.
    pub success: usize,
    /// `failure`.
    pub failure: usize,
    /// `cancelled`.
    pub cancelled: usize,
    /// `skipped`.
    pub skipped: usize,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct Run {
    /// Name of the workflow.
    pub workflow: String,
    /// Its result.
    pub conclusion: Option<Conclusion>,
    /// Its jobs.
    pub jobs: Vec<JobSummary>,
}

/// Waits, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Waits {
    /// Of how many jobs.
    pub jobs: usize,
    /// Half of them waited no longer.
    pub p50: f64,
    /// 95 of a hundred waited no longer.
    pub p95: f64,
    /// The longest.
    pub max: f64,
}

/// Tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tasks {
    /// How many RunTask has started.
    pub launched: usize,
    /// How many of them became runners.
    pub bound: usize,
    /// How many of those ran already when they were wanted, and were bound to nobody.
    pub warm: usize,
}

impl Jobs {
    /// Counts the jobs of these runs.
    pub fn of(runs: &[RunSnapshot]) -> Self {
        let mut jobs = Self::default();
        for job in runs.iter().flat_map(|run| &run.jobs) {
            jobs.total += 1;
            match JobSummary::of(job).conclusion {
                Some(Conclusion::Success) => jobs.success += 1,
                Some(Conclusion::Failure) => jobs.failure += 1,
                Some(Conclusion::Cancelled) => jobs.cancelled += 1,
                Some(Conclusion::Skipped) => jobs.skipped += 1,
                None => {}
            }
        }
        jobs
    }

    fn text(self) -> String {
        let parts = [
            (self.failure, Conclusion::Failure),
            (self.cancelled, Conclusion::Cancelled),
            (self.skipped, Conclusion::Skipped),
        ];
        let rest = parts.iter().filter(|(count, _)| *count > 0);
        let mut told = vec![format!("{} of {} succeeded", self.success, self.total)];
        told.extend(rest.map(|(count, what)| format!("{count} {}", word(*what))));
        told.join(", ")
    }
}

impl Run {
    /// Of a run as it is now.
    pub fn of(run: &RunSnapshot) -> Self {
        Self {
            workflow: run.workflow.clone(),
            conclusion: run.conclusion,
            jobs: run.jobs.iter().map(JobSummary::of).collect(),
        }
    }
}

impl Waits {
    /// Of the jobs of scale sets that have begun; nothing if none has.
    pub fn of(runs: &[RunSnapshot]) -> Option<Self> {
        let jobs = runs.iter().flat_map(|run| &run.jobs).filter(|job| is_served(&job.labels));
        Self::of_seconds(jobs.filter_map(|job| JobSummary::of(job).waited).collect())
    }

    fn of_seconds(mut waits: Vec<f64>) -> Option<Self> {
        waits.sort_by(f64::total_cmp);
        let max = *waits.last()?;
        let at = |percent: usize| waits.get((waits.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { jobs: waits.len(), p50: at(50)?, p95: at(95)?, max })
    }
}

impl Summary {
    /// For people.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        for run in self.runs.iter().flatten() {
            parts.push(format!("Jobs of {}\n{}", run.workflow, jobs_table(&run.jobs)));
        }
        if let Some(runners) = self.runners.as_ref().filter(|runners| !runners.is_empty()) {
            let table = report::table(runners, report::FOR_TERMINAL);
            parts.push(format!("Runners, each phase in seconds since the first\n{table}"));
        }
        parts.push(format!("Calls\n{}", calls_table(&self.calls)));
        parts.push(self.numbers());
        parts.push(format!(
            "{}{}\n`fleetfoot serve` ended {:.2} s after SIGTERM.\nIt would have cost {} (list prices of {PRICES_OF}; \
             Fargate bills one minute at least).\nGitHub and AWS were simulated on this machine; `fleetfoot serve` and \
             its HTTP calls were real.",
            fault_lines(&self.faults),
            self.left.text(),
            self.handed_over,
            self.cost
        ));
        parts.join("\n\n")
    }

    fn numbers(&self) -> String {
        let waits = self.waits.map_or_else(
            || "no job of a scale set has begun".to_owned(),
            |Waits { p50, p95, max, .. }| {
                format!("from queued to begun p50 {p50:.1} s, p95 {p95:.1} s, at most {max:.1} s")
            },
        );
        let Tasks { launched, bound, warm } = self.tasks;
        let of_sets = if bound == 0 {
            String::new()
        } else {
            format!("; {warm} of {bound} runners of scale sets were warm tasks")
        };
        let [aws, github] = self.calls_to_each();
        format!(
            "Jobs:  {}\nWaits: {waits}\nTasks: {launched} started{of_sets}\nCalls: \
             {aws} to AWS, {github} to GitHub",
            self.counts.text()
        )
    }

    /// Calls to AWS and to GitHub.
    fn calls_to_each(&self) -> [usize; 2] {
        let is_github = |call: &&CallCount| ["github", "actions", "oidc"].contains(&call.service);
        let all: usize = self.calls.iter().map(|call| call.count).sum();
        let github: usize = self.calls.iter().filter(is_github).map(|call| call.count).sum();
        [all - github, github]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_those_that_so_many_are_not_above() {
        let waits = |seconds: &[f64]| Waits::of_seconds(seconds.to_vec()).map(|it| (it.p50, it.p95, it.max));
        assert_eq!(waits(&[]), None);
        assert_eq!(waits(&[2.0]), Some((2.0, 2.0, 2.0)));
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(waits(&hundred), Some((50.0, 95.0, 100.0)));
    }

    #[test]
    fn what_did_not_succeed_is_named() {
        let jobs = Jobs { total: 5, success: 2, failure: 1, cancelled: 0, skipped: 2 };
        assert_eq!(jobs.text(), "2 of 5 succeeded, 1 failure, 2 skipped");
    }
}
