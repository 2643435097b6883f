//! Phases: where a runner is on its road, and when it got there.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Where a runner is, in the order of the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// RunTask was called.
    Requested,
    /// ECS has the task and looks for a place.
    Provisioning,
    /// The image is being pulled.
    Pulling,
    /// The image is there, the container is being started.
    Starting,
    /// The agent has its assignment.
    Bound,
    /// GitHub sees the runner.
    Online,
    /// A job runs.
    Busy,
    /// The job is over.
    Done,
    /// The task has stopped.
    Gone,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Requested,
        Self::Provisioning,
        Self::Pulling,
        Self::Starting,
        Self::Bound,
        Self::Online,
        Self::Busy,
        Self::Done,
        Self::Gone,
    ];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Provisioning => "provisioning",
            Self::Pulling => "pulling",
            Self::Starting => "starting",
            Self::Bound => "bound",
            Self::Online => "online",
            Self::Busy => "busy",
            Self::Done => "done",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// When a runner reached each phase. Phases may be missing: nobody saw them, or they were skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhaseTimes(BTreeMap<Phase, Timestamp>);

impl PhaseTimes {
    /// Notes that a phase was reached. The first report stands. Returns whether it was news.
    pub fn reach(&mut self, phase: Phase, at: Timestamp) -> bool {
        let news = !self.0.contains_key(&phase);
        self.0.entry(phase).or_insert(at);
        news
    }

    /// When this phase was reached.
    pub fn at(&self, phase: Phase) -> Option<Timestamp> {
        self.0.get(&phase).copied()
    }

    /// The furthest phase reached.
    pub fn latest(&self) -> Option<Phase> {
        self.0.keys().next_back().copied()
    }

    /// From the first moment known to this phase.
    pub fn since_first(&self, phase: Phase) -> Option<SignedDuration> {
        let first = self.0.values().min()?;
        Some(self.at(phase)?.duration_since(*first))
    }

    /// Phases and times in the order of the road.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, Timestamp)> + '_ {
        self.0.iter().map(|(phase, at)| (*phase, *at))
    }

    /// Takes over what the other one knows and this one does not.
    pub fn merge(&mut self, other: &Self) {
        for (phase, at) in other.iter() {
            self.reach(phase, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_report_stands() {
        let (t0, t1) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + SignedDuration::from_secs(5));
        let mut times = PhaseTimes::default();
        assert!(times.reach(Phase::Requested, t0));
        assert!(times.reach(Phase::Online, t1));
        assert!(!times.reach(Phase::Online, t0));
        assert_eq!(times.since_first(Phase::Online), Some(SignedDuration::from_secs(5)));
        assert_eq!(times.latest(), Some(Phase::Online));
        assert_eq!(times.since_first(Phase::Busy), None);
    }
}
