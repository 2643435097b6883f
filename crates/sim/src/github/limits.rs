//! The primary rate limit: so many requests an hour for each user, installation, App or address.
//!
//! Source: GitHub documentation, "Rate limits for the REST API".

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

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
}

impl Usage {
    pub(crate) fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}

pub(crate) struct Limits {
    /// Requests an hour of a user, an installation or an App.
    core: u32,
    windows: HashMap<Bucket, (Timestamp, u32)>,
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
        let window = SignedDuration::from_hours(1);
        let (reset, used) = self.windows.entry(bucket.clone()).or_insert((now + window, 0));
        if now >= *reset {
            (*reset, *used) = (now + window, 0);
        }
        Usage { limit, used: *used, reset: *reset }
    }

    /// Counts one request and answers the state after it.
    pub(crate) fn charge(&mut self, bucket: &Bucket, now: Timestamp) -> Usage {
        let mut usage = self.usage(bucket, now);
        usage.used += 1;
        self.windows.insert(bucket.clone(), (usage.reset, usage.used));
        usage
    }
}

#[cfg(test)]
mod tests {
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
}
