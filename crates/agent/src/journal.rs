//! What the agent writes down: phases as they pass, and one line at the end that sums up.

use std::time::Duration;

use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::ids::RunnerName;
use fleetfoot_core::phase::{Phase, PhaseTimes};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::info;

use crate::metadata::TaskMetadata;

/// Time as the agent tells it: one reading of the wall clock, and monotonic differences from there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started_at: Timestamp,
    origin: Instant,
}

impl Clock {
    pub(crate) fn start(started_at: Timestamp) -> Self {
        Self { started_at, origin: Instant::now() }
    }

    /// The moment this long after the agent's start; at most a year after it, for timers that never end.
    pub(crate) fn moment(&self, since_start: Duration) -> Instant {
        const YEAR: Duration = Duration::from_hours(365 * 24);
        self.origin + since_start.min(YEAR)
    }

    /// Since the agent's start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    fn wall(&self, since_start: Duration) -> Timestamp {
        SignedDuration::try_from(since_start)
            .ok()
            .and_then(|difference| self.started_at.checked_add(difference).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

/// The phases of this task's runner, and who it is.
#[derive(Debug)]
pub(crate) struct Journal {
    clock: Clock,
    runner: Option<RunnerName>,
    version: Option<String>,
    times: PhaseTimes,
}

impl Journal {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, runner: None, version: None, times: PhaseTimes::default() }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Notes which runner this task is.
    pub(crate) fn identify(&mut self, runner: &RunnerName) {
        self.runner = Some(runner.clone());
    }

    /// Notes the phases that ECS knows and the agent could not see.
    pub(crate) fn learn(&mut self, task: &TaskMetadata) {
        for (phase, at) in [(Phase::Pulling, task.pull_started_at), (Phase::Starting, task.pull_stopped_at)] {
            if let Some(at) = at {
                self.times.reach(phase, at);
            }
        }
    }

    /// Notes the version of the runner software.
    pub(crate) fn runs_version(&mut self, version: String) {
        self.version = Some(version);
    }

    /// Writes down a phase, the first time it is reached.
    pub(crate) fn reach(&mut self, phase: Phase, since_start: Duration) {
        let at = self.clock.wall(since_start);
        if self.times.reach(phase, at) {
            info!(
                phase = phase.word(),
                at = format!("{at:.3}"),
                since_start_ms = millis(since_start),
                runner = self.runner.as_ref().map(RunnerName::as_str),
                "phase reached"
            );
        }
    }

    /// Writes the line that sums up. Times are milliseconds since the agent's start.
    pub(crate) fn close(&self, exit: AgentExit) {
        let pull = self
            .times
            .at(Phase::Pulling)
            .zip(self.times.at(Phase::Starting))
            .map(|(from, to)| to.duration_since(from).as_millis());
        info!(
            exit = word(exit),
            code = exit.code(),
            meaning = exit.sentence(),
            runner = self.runner.as_ref().map(RunnerName::as_str),
            runner_version = self.version,
            pull_ms = pull.and_then(|ms| i64::try_from(ms).ok()),
            bound_ms = self.since_start(Phase::Bound),
            online_ms = self.since_start(Phase::Online),
            busy_ms = self.since_start(Phase::Busy),
            done_ms = self.since_start(Phase::Done),
            total_ms = millis(self.clock.elapsed()),
            "agent ends"
        );
    }

    fn since_start(&self, phase: Phase) -> Option<i64> {
        let since = self.times.at(phase)?.duration_since(self.clock.started_at);
        i64::try_from(since.as_millis()).ok()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An exit's name, as it is in JSON.
pub(crate) fn word(exit: AgentExit) -> String {
    match serde_json::to_value(exit) {
        Ok(serde_json::Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_are_the_start_plus_what_has_passed() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut journal = Journal::new(Clock::start(start));
        journal.reach(Phase::Bound, Duration::from_millis(1500));
        journal.reach(Phase::Bound, Duration::from_secs(9));
        assert_eq!(journal.since_start(Phase::Bound), Some(1500));
        assert_eq!(journal.clock().wall(Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn exits_have_their_names() {
        assert_eq!(word(AgentExit::JobSucceeded), "job-succeeded");
        assert_eq!(word(AgentExit::NoAssignment), "no-assignment");
    }
}
