//! The primary rate limit: so many requests an hour for each user, installation, App or address.
//!
//! Source: GitHub documentation, "Rate limits for the REST API".

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::state::{later, whole_second};
use crate::faults::{Limit, LimitStatus};

/// What requests are counted against.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    /// All tokens of a user share it.
    User(String),
    Installation(u64),
    /// The `GITHUB_TOKEN`s of a repository: 1,000 an hour.
    Repository(u64),
    App(u64),
    /// Callers without credentials: 60 an hour.
    Anonymous,
}

/// The state of a bucket, as the `x-ratelimit-*` headers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) limit: u32,
    pub(crate) used: u32,
    pub(crate) reset: Timestamp,
    /// How requests beyond the limit are refused.
    pub(crate) status: LimitStatus,
}

impl Usage {
    pub(crate) fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}

struct Window {
    reset: Timestamp,
    used: u32,
    status: LimitStatus,
}

pub(crate) struct Limits {
    /// Requests an hour of a user, an installation or an App.
    core: u32,
    windows: HashMap<Bucket, Window>,
}

impl Limits {
    pub(crate) fn new(core: u32) -> Self {
        Self { core, windows: HashMap::new() }
    }

    /// The bucket's state now, without counting anything.
    pub(crate) fn usage(&mut self, bucket: &Bucket, now: Timestamp) -> Usage {
        let limit = match bucket {
            Bucket::Anonymous => 60,
            Bucket::Repository(_) => 1_000,
            Bucket::User(_) | Bucket::Installation(_) | Bucket::App(_) => self.core,
        };
        let fresh =
            || Window { reset: now + SignedDuration::from_hours(1), used: 0, status: LimitStatus::Forbidden };
        let window = self.windows.entry(bucket.clone()).or_insert_with(fresh);
        if now >= window.reset {
            *window = fresh();
        }
        Usage { limit, used: window.used, reset: window.reset, status: window.status }
    }

    /// Counts one request and answers the state after it.
    pub(crate) fn charge(&mut self, bucket: &Bucket, now: Timestamp) -> Usage {
        let mut usage = self.usage(bucket, now);
        usage.used += 1;
        self.put(bucket, usage);
        usage
    }

    /// Uses a bucket up.
    pub(crate) fn exhaust(&mut self, bucket: &Bucket, limit: Limit, now: Timestamp) {
        let usage = self.usage(bucket, now);
        let reset = whole_second(later(now, limit.wait));
        self.put(bucket, Usage { used: usage.limit, reset, status: limit.status, ..usage });
    }

    fn put(&mut self, bucket: &Bucket, usage: Usage) {
        let Usage { used, reset, status, .. } = usage;
        self.windows.insert(bucket.clone(), Window { reset, used, status });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_window_fills_and_starts_again() {
        let mut limits = Limits::new(2);
        let (bucket, now) = (Bucket::Installation(1), Timestamp::UNIX_EPOCH);
        assert_eq!(limits.charge(&bucket, now).remaining(), 1);
        assert_eq!(limits.charge(&bucket, now).remaining(), 0);
        assert_eq!(limits.usage(&Bucket::Installation(2), now).remaining(), 2);
        let later = now + SignedDuration::from_hours(1);
        assert_eq!(limits.usage(&bucket, later).remaining(), 2);
    }

    #[test]
    fn an_exhausted_window_ends_at_its_reset_on_a_whole_second() {
        let mut limits = Limits::new(2);
        let (bucket, now) = (Bucket::Installation(1), Timestamp::UNIX_EPOCH + Duration::from_millis(300));
        let limit = Limit { status: LimitStatus::TooManyRequests, wait: Duration::from_secs(2) };
        limits.exhaust(&bucket, limit, now);
        let usage = limits.usage(&bucket, now);
        assert_eq!((usage.remaining(), usage.status.code()), (0, 429));
        assert_eq!(usage.reset, Timestamp::UNIX_EPOCH + Duration::from_secs(3));
        let after = limits.usage(&bucket, usage.reset);
        assert_eq!((after.remaining(), after.status.code()), (2, 403));
    }
}
