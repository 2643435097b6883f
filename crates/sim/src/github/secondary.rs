//! The secondary rate limits: too much in a short time, however much of the hourly limit is left.
//!
//! Source: GitHub documentation, "Rate limits for the REST API", "About secondary rate limits" (900 points a
//! minute on one endpoint; a request that writes costs five, another one; 80 requests a minute and 500 an hour
//! that create content) and "Usage limits for self-hosted runners" (1,500 registrations in five minutes).
//! GitHub does not say what content is. Of the routes here only the registration of a runner leaves something
//! behind, so that is what counts; a client that keeps to this keeps to GitHub in any case. Not simulated: 100
//! concurrent requests, because no request here lasts; computing time.

use std::collections::HashMap;
use std::hash::Hash;

use http::Method;
use jiff::{SignedDuration, Timestamp};

use super::accounts::Scope;
use super::config::GithubConfig;
use super::limits::Bucket;
use super::state::later;
use crate::faults::{Limit, LimitStatus};

/// A refusal: how it is said, and `retry-after` in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    pub(crate) status: u16,
    pub(crate) retry_after: i64,
}

/// So much in so much time, for each of whatever is counted.
struct Meter<K> {
    most: u32,
    window: SignedDuration,
    /// When the window ends, and what was spent in it.
    spent: HashMap<K, (Timestamp, u32)>,
}

impl<K: Hash + Eq> Meter<K> {
    fn new(most: u32, window: SignedDuration) -> Self {
        Self { most, window, spent: HashMap::new() }
    }

    /// Whether so much more may be spent now.
    fn admits(&mut self, key: K, cost: u32, now: Timestamp) -> Result<&mut u32, TooMuch> {
        let fresh = (now + self.window, 0);
        let (end, spent) = self.spent.entry(key).or_insert(fresh);
        if now >= *end {
            (*end, *spent) = fresh;
        }
        if spent.saturating_add(cost) > self.most {
            return Err(refusal(*end, LimitStatus::Forbidden, now));
        }
        Ok(spent)
    }

    fn spend(&mut self, key: K, cost: u32, now: Timestamp) -> Result<(), TooMuch> {
        *self.admits(key, cost, now)? += cost;
        Ok(())
    }
}

pub(crate) struct Secondary {
    points: Meter<(Bucket, &'static str)>,
    content_in_minute: Meter<Bucket>,
    content_in_hour: Meter<Bucket>,
    registrations: Meter<Scope>,
    /// Callers who are refused whatever they ask, with the end of it.
    refused: HashMap<Bucket, (Timestamp, LimitStatus)>,
}

impl Secondary {
    pub(crate) fn new(config: &GithubConfig) -> Self {
        Self {
            points: Meter::new(config.secondary_points, SignedDuration::from_mins(1)),
            content_in_minute: Meter::new(config.content_in_minute, SignedDuration::from_mins(1)),
            content_in_hour: Meter::new(config.content_in_hour, SignedDuration::from_hours(1)),
            registrations: Meter::new(config.registrations, SignedDuration::from_mins(5)),
            refused: HashMap::new(),
        }
    }

    /// Counts a request to an endpoint, or refuses it.
    pub(crate) fn admit(
        &mut self,
        bucket: &Bucket,
        method: &Method,
        endpoint: &'static str,
        now: Timestamp,
    ) -> Result<(), TooMuch> {
        if let Some(too_much) = self.refuses(bucket, now) {
            return Err(too_much);
        }
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        self.points.spend((bucket.clone(), endpoint), if reads { 1 } else { 5 }, now)
    }

    /// Counts a registration of a runner, or refuses it: by the repository's or organisation's limit, or by
    /// what this caller may create.
    pub(crate) fn register(&mut self, caller: &Bucket, scope: Scope, now: Timestamp) -> Result<(), TooMuch> {
        let all = [
            self.registrations.admits(scope, 1, now)?,
            self.content_in_minute.admits(caller.clone(), 1, now)?,
            self.content_in_hour.admits(caller.clone(), 1, now)?,
        ];
        for spent in all {
            *spent += 1;
        }
        Ok(())
    }

    /// Counts a registration that does not come by the REST API, whose callers' limits it does not touch.
    pub(crate) fn register_for_service(&mut self, scope: Scope, now: Timestamp) -> Result<(), TooMuch> {
        self.registrations.spend(scope, 1, now)
    }

    /// How a caller is refused whatever it asks, if it is.
    pub(crate) fn refuses(&self, bucket: &Bucket, now: Timestamp) -> Option<TooMuch> {
        let (end, status) = self.refused.get(bucket).filter(|(end, _)| now < *end)?;
        Some(refusal(*end, *status, now))
    }

    /// Refuses a caller from now on, whatever it asks.
    pub(crate) fn refuse(&mut self, bucket: &Bucket, limit: Limit, now: Timestamp) {
        self.refused.insert(bucket.clone(), (later(now, limit.wait), limit.status));
    }
}

fn refusal(end: Timestamp, status: LimitStatus, now: Timestamp) -> TooMuch {
    let wait = end.duration_since(now);
    let retry_after = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
    TooMuch { status: status.code(), retry_after: retry_after.max(1) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// GitHub's own limits, but for some.
    fn secondary(adjust: impl FnOnce(&mut GithubConfig)) -> Secondary {
        let mut config = GithubConfig::new("hosted");
        adjust(&mut config);
        Secondary::new(&config)
    }

    #[test]
    fn a_write_costs_five_points_of_its_endpoint() {
        let mut secondary = secondary(|config| config.secondary_points = 10);
        let (one, other) = (Bucket::Installation(1), Bucket::Installation(2));
        let mut post = |bucket: &Bucket, endpoint, now| secondary.admit(bucket, &Method::POST, endpoint, now);
        assert_eq!(post(&one, "/a", NOW), Ok(()));
        assert_eq!(post(&one, "/a", NOW), Ok(()));
        let after = NOW + Duration::from_millis(20_500);
        assert_eq!(post(&one, "/a", after), Err(TooMuch { status: 403, retry_after: 40 }));
        assert_eq!(post(&one, "/b", after), Ok(()));
        assert_eq!(post(&other, "/a", after), Ok(()));
        assert_eq!(post(&one, "/a", NOW + Duration::from_mins(1)), Ok(()));
        assert_eq!(secondary.admit(&other, &Method::GET, "/a", after), Ok(()));
    }

    #[test]
    fn registrations_are_counted_by_scope() {
        let mut secondary = secondary(|config| config.registrations = 2);
        let mut register = |id, now| secondary.register(&Bucket::Anonymous, Scope::Repository(id), now);
        assert_eq!((register(1, NOW), register(1, NOW), register(2, NOW)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(register(1, NOW), Err(TooMuch { status: 403, retry_after: 300 }));
        assert_eq!(register(1, NOW + Duration::from_mins(5)), Ok(()));
    }

    #[test]
    fn eighty_are_created_in_a_minute_and_five_hundred_in_an_hour() {
        let mut secondary = secondary(|_| {});
        let mut register = |id, now| secondary.register(&Bucket::Installation(id), Scope::Repository(1), now);
        let mut created = 0;
        for minute in 0..7 {
            let now = NOW + Duration::from_mins(minute);
            while register(1, now).is_ok() {
                created += 1;
            }
            assert_eq!(created, (80 * (minute + 1)).min(500));
        }
        let now = NOW + Duration::from_mins(6);
        assert_eq!(register(1, now), Err(TooMuch { status: 403, retry_after: 54 * 60 }));
        assert_eq!(register(2, now), Ok(()), "each caller has its own");
        assert_eq!(register(1, NOW + Duration::from_hours(1)), Ok(()));
    }

    #[test]
    fn who_is_refused_is_refused_everything_until_the_end() {
        let mut secondary = secondary(|_| {});
        let bucket = Bucket::Anonymous;
        let limit = Limit { status: LimitStatus::TooManyRequests, wait: Duration::from_secs(3) };
        secondary.refuse(&bucket, limit, NOW);
        let mut get = |now| secondary.admit(&bucket, &Method::GET, "/a", now);
        assert_eq!(get(NOW), Err(TooMuch { status: 429, retry_after: 3 }));
        assert_eq!(get(NOW + Duration::from_millis(2900)), Err(TooMuch { status: 429, retry_after: 1 }));
        assert_eq!(get(NOW + Duration::from_secs(3)), Ok(()));
    }
}
