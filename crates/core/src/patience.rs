//! Patience with a service: after a throttled or failed call, when to call it again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The first pause.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause that the service has not asked for itself.
const LONGEST: Duration = Duration::from_secs(30);

/// A service, or a part of one with limits of its own, that can be out of sorts by itself.
///
/// What takes away is apart from what makes: when no more can be made for a while, the way back stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// ECS: starting tasks.
    Ecs,
    /// ECS: stopping tasks.
    EcsStops,
    /// ECS: looking at tasks.
    EcsReads,
    /// GitHub: making registrations.
    GitHub,
    /// GitHub: deleting registrations.
    GitHubDeletions,
    /// GitHub: looking at runners.
    GitHubReads,
    /// S3, which carries the mailboxes.
    Mailbox,
}

/// How long to leave a service alone: exponential, with jitter, and never shorter than it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    first: Duration,
    longest: Duration,
    failures: u32,
    until: Option<Timestamp>,
}

impl Default for Patience {
    fn default() -> Self {
        Self::between(FIRST, LONGEST)
    }
}

impl Patience {
    /// Patience with what is no service. `longest` is the longest pause that was not asked for.
    pub const fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0, until: None }
    }

    /// Notes a failure. `retry_after` is what the service asked for. Calls that were under way together and
    /// fail together are one failure.
    ///
    /// The jitter comes from the nanoseconds of `now`: launchers that failed together do not come back
    /// together, and the same arguments give the same answer.
    pub fn failed(&mut self, now: Timestamp, retry_after: Option<Duration>) {
        let before = self.until(now);
        if before.is_none() {
            self.failures += 1;
        }
        let pause = self.first.saturating_mul(1 << (self.failures - 1).min(10)).min(self.longest);
        let jitter = f64::from(now.subsec_nanosecond().unsigned_abs() % 1000) / 1000.0;
        let pause = pause.mul_f64(0.5 + jitter / 2.0).max(retry_after.unwrap_or_default());
        let until = SignedDuration::try_from(pause).ok().and_then(|pause| now.checked_add(pause).ok());
        self.until = before.max(Some(until.unwrap_or(Timestamp::MAX)));
    }

    /// Notes a success.
    pub fn succeeded(&mut self) {
        *self = Self::between(self.first, self.longest);
    }

    /// Notes that no waiting helps.
    pub fn lost(&mut self) {
        self.until = Some(Timestamp::MAX);
    }

    /// Whether no waiting helps.
    pub fn is_lost(&self) -> bool {
        self.until == Some(Timestamp::MAX)
    }

    /// When the service may be called again, if that is later than now.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_heed_the_service() {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut patience = Patience::default();
        let mut last = SignedDuration::ZERO;
        for _ in 0..12 {
            patience.failed(now, None);
            let until = patience.until(now).unwrap();
            let pause = until.duration_since(now);
            assert!(pause >= last && pause <= SignedDuration::from_secs(30), "{pause:?} after {last:?}");
            // The jitter comes from the nanoseconds, which stay what they are.
            (last, now) = (pause, until.round(jiff::Unit::Second).unwrap() + SignedDuration::from_secs(1));
        }
        patience.failed(now, Some(Duration::from_secs(61)));
        assert_eq!(patience.until(now), Some(now + SignedDuration::from_secs(61)));
        assert_eq!(patience.until(now + SignedDuration::from_secs(62)), None);
        patience.succeeded();
        assert_eq!(patience, Patience::default());
    }

    #[test]
    fn calls_that_fail_together_are_one_failure() {
        let now = Timestamp::UNIX_EPOCH;
        let mut one = Patience::default();
        one.failed(now, None);
        let mut many = one;
        (0..20).for_each(|_| many.failed(now, None));
        assert_eq!(many, one);
        // The longest wait that any of them was told counts.
        many.failed(now, Some(Duration::from_mins(1)));
        many.failed(now, None);
        assert_eq!(many.until(now), Some(now + SignedDuration::from_mins(1)));
    }

    #[test]
    fn two_that_fail_together_do_not_come_back_together() {
        let until = |nanos: i64| {
            let mut patience = Patience::default();
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_nanos(nanos);
            patience.failed(now, None);
            patience.until(now).unwrap().duration_since(now)
        };
        assert_ne!(until(1), until(700));
    }
}
