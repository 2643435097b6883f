//! A load of short jobs: the workflow that each of its runs is of, and when the next is due.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::demo::source::Source;
use crate::failure::Failure;

/// The most jobs whose tasks are processes. Beyond that they would measure this machine rather than the autoscaler.
const MOST_PROCESSES: usize = 300;

/// The scale sets that the jobs are spread over.
const SETS: [&str; 2] = ["fargate", "fargate-spot"];

/// The name of the workflow's file.
const FILE: &str = "load.yml";

/// A run of one job.
const WORKFLOW: &str = "\
name: load
on:
  workflow_dispatch:
    inputs:
      set: { type: string, required: true }
      seconds: { type: string, required: true }
permissions: {}
jobs:
  job:
    runs-on: ${{ inputs.set }}
    steps:
      - env: { JOB_TIME: '${{ inputs.seconds }}' }
        run: sleep \"$JOB_TIME\"
";

/// So many jobs, at this rate.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many.
    pub jobs: usize,
    /// How many a second; all at once if none.
    pub rate: Option<f64>,
    /// How long each takes.
    pub job_time: Duration,
}

impl Load {
    /// The workflow, in a repository with nothing else in it.
    ///
    /// # Errors
    /// If the disk takes no more.
    pub fn source() -> Result<Source, Failure> {
        Source::built_in(FILE, WORKFLOW)
    }

    /// Whether its tasks are functions of this process rather than processes.
    pub fn is_played(&self) -> bool {
        self.jobs > MOST_PROCESSES
    }

    /// How many jobs are to have been started after this time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a product of positive numbers, cut off at the number of jobs"
    )]
    pub fn due(&self, elapsed: Duration) -> usize {
        let due = self.rate.map_or(self.jobs, |rate| (elapsed.as_secs_f64() * rate) as usize + 1);
        due.min(self.jobs)
    }

    /// How long it takes until the last job is there.
    pub fn coming(&self) -> Duration {
        let jobs = u32::try_from(self.jobs).map_or(f64::INFINITY, f64::from);
        let seconds = self.rate.map_or(0.0, |rate| jobs / rate);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// The inputs of the run with this number, from 0.
    pub fn inputs(&self, number: usize) -> BTreeMap<String, String> {
        let set = SETS[number % SETS.len()];
        [("set", set.to_owned()), ("seconds", self.job_time.as_secs_f64().to_string())]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    /// What it is, for people.
    pub fn text(&self) -> String {
        let pace = self.rate.map_or_else(|| "all at once".to_owned(), |rate| format!("{rate} a second"));
        let tasks = if self.is_played() {
            format!(
                "More than {MOST_PROCESSES} jobs: here the tasks are functions of this process that speak for agent, \
                 runner and job. The autoscaler is the real one, and so are its calls."
            )
        } else {
            "Each task is a real agent with its runner, as processes of this machine.".to_owned()
        };
        format!(
            "{} jobs of {:?}, {pace}, for the scale sets {}. {tasks}",
            self.jobs,
            self.job_time,
            SETS.join(" and ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_due_by_the_rate_or_all_at_once() {
        let load = |rate| Load { jobs: 30, rate, job_time: Duration::from_secs(1) };
        let after = |rate, millis| load(rate).due(Duration::from_millis(millis));
        assert_eq!(after(None, 0), 30);
        assert_eq!([0, 99, 100, 1000, 60_000].map(|millis| after(Some(10.0), millis)), [1, 1, 2, 11, 30]);
    }
}
