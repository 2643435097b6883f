//! How far the jobs of all runs are.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fleetfoot_sim::events::{Event, JobStatus};
use fleetfoot_sim::github::RunSnapshot;
use fleetfoot_sim::protocol::Conclusion;
use tokio::time::Instant;

/// Over how long the rate is taken.
const LATELY: Duration = Duration::from_secs(5);

/// Jobs and runs, as events tell of them.
#[derive(Debug, Default)]
pub struct Tally {
    jobs: BTreeMap<u64, JobStatus>,
    runs: BTreeMap<u64, Option<Conclusion>>,
    begun: VecDeque<Instant>,
}

/// Jobs by where they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Without a runner.
    pub waiting: usize,
    /// On a runner.
    pub running: usize,
    /// Over, whatever came of them.
    pub done: usize,
    /// Those of them that did not succeed, but for skipped ones.
    pub failed: usize,
}

impl Tally {
    /// A run was started, or started once more.
    pub fn begin(&mut self, run: u64) {
        self.runs.insert(run, None);
    }

    /// Takes note of an event.
    pub fn note(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Job { job_id, status, .. } => {
                if *status == JobStatus::InProgress {
                    self.begun.push_back(now);
                }
                self.jobs.insert(*job_id, *status);
            }
            Event::Run { run_id, conclusion } => {
                self.runs.insert(*run_id, Some(*conclusion));
            }
            _ => {}
        }
    }

    /// Takes over how things are, after events were missed.
    pub fn catch_up(&mut self, runs: &[RunSnapshot]) {
        for run in runs {
            self.runs.insert(run.id, run.conclusion);
            self.jobs.extend(run.jobs.iter().map(|job| (job.id, job.status)));
        }
    }

    /// Whether every run is over.
    pub fn is_over(&self) -> bool {
        self.runs.values().all(Option::is_some)
    }

    /// The runs that go on.
    pub fn going_on(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().filter(|(_, conclusion)| conclusion.is_none()).map(|(run, _)| *run)
    }

    /// The runs that are over and have not succeeded.
    pub fn failed(&self) -> Vec<u64> {
        let failed = |conclusion: &Option<Conclusion>| conclusion.is_some_and(|it| it != Conclusion::Success);
        self.runs.iter().filter(|(_, conclusion)| failed(conclusion)).map(|(run, _)| *run).collect()
    }

    /// What came of all runs: that of the worst.
    pub fn conclusion(&self) -> Conclusion {
        let all: Vec<Conclusion> = self.runs.values().flatten().copied().collect();
        [Conclusion::Failure, Conclusion::Cancelled]
            .into_iter()
            .find(|worst| all.contains(worst))
            .unwrap_or(Conclusion::Success)
    }

    /// Jobs by where they are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for status in self.jobs.values() {
            match status {
                JobStatus::Waiting => {}
                JobStatus::Queued => counts.waiting += 1,
                JobStatus::InProgress => counts.running += 1,
                JobStatus::Completed(conclusion) => {
                    counts.done += 1;
                    let failed = matches!(conclusion, Conclusion::Failure | Conclusion::Cancelled);
                    counts.failed += usize::from(failed);
                }
            }
        }
        counts
    }

    /// How many jobs have begun in a second lately.
    pub fn rate(&mut self, now: Instant) -> f64 {
        while self.begun.front().is_some_and(|at| now.duration_since(*at) > LATELY) {
            self.begun.pop_front();
        }
        u32::try_from(self.begun.len()).map_or(f64::INFINITY, f64::from) / LATELY.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(job_id: u64, status: JobStatus) -> Event {
        Event::Job { run_id: 1, job_id, name: "j".into(), status, runner: None }
    }

    #[test]
    fn jobs_are_counted_where_they_are_and_the_worst_run_says_what_came_of_all() {
        let (mut tally, now) = (Tally::default(), Instant::now());
        tally.begin(1);
        tally.begin(2);
        let failure = JobStatus::Completed(Conclusion::Failure);
        let skipped = JobStatus::Completed(Conclusion::Skipped);
        let events = [
            (1, JobStatus::Queued),
            (2, JobStatus::Queued),
            (2, JobStatus::InProgress),
            (2, failure),
            (3, skipped),
        ];
        for (id, status) in events {
            tally.note(&job(id, status), now);
        }
        assert_eq!(tally.counts(), Counts { waiting: 1, running: 0, done: 2, failed: 1 });
        assert!((tally.rate(now) - 0.2).abs() < 1e-9);
        assert!(tally.rate(now + Duration::from_secs(6)) < 1e-9);
        tally.note(&Event::Run { run_id: 1, conclusion: Conclusion::Failure }, now);
        assert!(!tally.is_over());
        tally.note(&Event::Run { run_id: 2, conclusion: Conclusion::Cancelled }, now);
        assert!(tally.is_over());
        assert_eq!((tally.conclusion(), tally.failed()), (Conclusion::Failure, vec![1, 2]));
    }
}
