//! GitHub's secondary rate limits, kept on our side.
//!
//! Source: GitHub documentation, "Rate limits for the REST API", "About secondary rate limits". They hold for
//! a token, or an installation of an App, and a client has one. Whether a registration is content GitHub does
//! not say; it is counted as such, because a refusal closes everything to the token for a minute. The hourly
//! limit is not kept here: GitHub itself says with every refusal when it ends.

use std::time::Duration;

use fleetfoot_core::fault::Fault;
use fleetfoot_core::turns::{Limit, Meter, Turn, Turns, Urgency};
use reqwest::Method;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use crate::client::Call;

/// A second more than GitHub's, for clocks that go apart.
const MINUTE: Duration = Duration::from_secs(61);
const HOUR: Duration = Duration::from_secs(3601);

/// Requests under way at once: 100, of which so many are kept for clean-up.
const AT_ONCE: usize = 100;
const AT_ONCE_FOR_CLEAN_UP: usize = 20;

/// Points a minute on one endpoint, and how many of them are kept for clean-up: a start has a hundred runners
/// at most, and deleting one costs five.
const POINTS: u32 = 900;
const POINTS_FOR_CLEAN_UP: u32 = 500;

/// What GitHub counts together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    /// What is created, in a minute.
    ContentOfMinute,
    /// What is created, in an hour.
    ContentOfHour,
    /// The points spent on an endpoint, in a minute.
    Points(String),
    /// Reads. GitHub counts only their points, but those would be gone within seconds and leave the rest of
    /// a minute without a look. So they are spread: no more than the points that clean-up leaves.
    Reads,
}

impl Meter for Counted {
    fn limit(&self) -> Limit {
        match self {
            Self::ContentOfMinute => Limit::Window { most: 80, period: MINUTE },
            Self::ContentOfHour => Limit::Window { most: 500, period: HOUR },
            Self::Points(_) => Limit::Window { most: POINTS, period: MINUTE },
            Self::Reads => Limit::Bucket { burst: 150, refill: 4 },
        }
    }

    fn reserve(&self) -> u32 {
        if matches!(self, Self::Points(_)) { POINTS_FOR_CLEAN_UP } else { 0 }
    }
}

/// A request's turn; to be held until it is answered.
#[derive(Debug)]
#[must_use = "the request counts as answered when this is dropped"]
pub(crate) struct RequestTurn<'a> {
    _counted: Turn<'a, Counted>,
    _under_way: Option<SemaphorePermit<'a>>,
}

/// The limits of one client.
#[derive(Debug)]
pub(crate) struct RequestTurns {
    counted: Turns<Counted>,
    ordinary: Semaphore,
    clean_up: Semaphore,
}

impl Default for RequestTurns {
    fn default() -> Self {
        let start = Instant::now();
        Self::by(move || start.elapsed())
    }
}

impl RequestTurns {
    /// By this clock.
    pub(crate) fn by(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            counted: Turns::new(now),
            ordinary: Semaphore::new(AT_ONCE - AT_ONCE_FOR_CLEAN_UP),
            clean_up: Semaphore::new(AT_ONCE_FOR_CLEAN_UP),
        }
    }

    /// Waits until GitHub takes this request.
    ///
    /// # Errors
    /// `Throttled` when that would be too long to wait here; nothing was sent.
    pub(crate) async fn take(&self, call: &Call<'_>) -> Result<RequestTurn<'_>, Fault> {
        let (urgency, room) = if call.method == Method::DELETE {
            (Urgency::CleanUp, &self.clean_up)
        } else {
            (Urgency::Ordinary, &self.ordinary)
        };
        let counted = self.counted.take(claims(call), urgency, sleep).await;
        let counted = counted.map_err(|soon| soon.fault(&call.what, "GitHub"))?;
        // The semaphores are never closed, which is all that could fail.
        Ok(RequestTurn { _counted: counted, _under_way: room.acquire().await.ok() })
    }
}

/// What a request spends.
fn claims(call: &Call<'_>) -> Vec<(Counted, u32)> {
    let points = Counted::Points(endpoint(&call.path));
    if call.method == Method::GET {
        vec![(Counted::Reads, 1), (points, 1)]
    } else if call.creates() {
        vec![(Counted::ContentOfMinute, 1), (Counted::ContentOfHour, 1), (points, 5)]
    } else {
        vec![(points, 5)]
    }
}

/// The path with its numbers left out: whatever the id, it is one endpoint.
fn endpoint(path: &str) -> String {
    let is_id = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    path.split('/').map(|part| if is_id(part) { "*" } else { part }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use fleetfoot_core::fault::Class;
    use fleetfoot_core::ids::RunnerName;
    use fleetfoot_core::ports::{RunnerRequest, Runners};
    use fleetfoot_net::Network;
    use serde_json::json;

    use super::*;
    use crate::auth::{Clock, Credentials};
    use crate::refusal::Operation;
    use crate::runners::GitHubRunners;
    use crate::scope::Scope;

    fn mint() -> Call<'static> {
        Call::post(Operation::Mint, "mint", "/repos/a/b/actions/runners/generate-jitconfig", json!({}))
    }

    fn delete(id: usize) -> Call<'static> {
        Call::delete(Operation::DeleteRunner, "delete", format!("/repos/a/b/actions/runners/{id}"))
    }

    fn get(id: usize) -> Call<'static> {
        Call::get(Operation::ReadRunner, "get", format!("/repos/a/b/actions/runners/{id}"))
    }

    /// Turns by a clock that stands still until it is set.
    fn standing() -> (RequestTurns, Arc<Mutex<Duration>>) {
        let clock = Arc::new(Mutex::new(Duration::ZERO));
        let now = Arc::clone(&clock);
        (RequestTurns::by(move || *now.lock().unwrap()), clock)
    }

    fn retry_after(fault: &Fault) -> Duration {
        let Class::Throttled { retry_after: Some(wait) } = fault.class else { panic!("{fault}") };
        wait
    }

    #[tokio::test]
    async fn eighty_are_created_in_a_minute_and_five_hundred_in_an_hour() {
        let (turns, clock) = standing();
        let (mut created, mut minutes) = (0, Vec::new());
        while minutes.len() < 8 {
            let mut now = 0;
            let fault = loop {
                match turns.take(&mint()).await {
                    Ok(turn) => drop(turn),
                    Err(fault) => break fault,
                }
                now += 1;
            };
            created += now;
            minutes.push(now);
            *clock.lock().unwrap() += retry_after(&fault);
        }
        assert_eq!(minutes[..7], [80, 80, 80, 80, 80, 80, 20]);
        assert_eq!(created, 580, "the eighth came an hour after the first: {minutes:?}");
        assert!(*clock.lock().unwrap() >= HOUR);
    }

    #[tokio::test]
    async fn a_hundred_can_be_deleted_however_many_wait_and_look() {
        let (turns, _) = standing();
        for _ in 0..80 {
            drop(turns.take(&mint()).await.unwrap());
        }
        let told = turns.take(&mint()).await.unwrap_err();
        assert_eq!(
            told.to_string(),
            "cannot mint: by its published rates GitHub takes no more of these calls for 61 s"
        );
        for id in 0..150 {
            drop(turns.take(&get(id)).await.unwrap());
        }
        for id in 0..100 {
            drop(turns.take(&delete(id)).await.unwrap());
        }
    }

    #[tokio::test]
    async fn reads_never_use_up_a_minute() {
        let (turns, clock) = standing();
        let wait = |time| {
            *clock.lock().unwrap() += time;
            std::future::ready(())
        };
        for _ in 0..700 {
            let turn = turns.counted.take(claims(&get(7)), Urgency::Ordinary, wait).await;
            drop(turn.expect("it waits for less than a second"));
        }
        let passed = clock.lock().unwrap().as_secs();
        assert!((130..145).contains(&passed), "{passed} s");
    }

    #[tokio::test]
    async fn what_is_under_way_is_limited_with_room_for_clean_up() {
        let (turns, _) = standing();
        let mut under_way = Vec::new();
        for id in 0..80 {
            under_way.push(turns.take(&get(id)).await.unwrap());
        }
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, turns.take(&get(80))).await.is_err(), "it waits");
        under_way.push(turns.take(&delete(1)).await.unwrap());
        drop(under_way.remove(0));
        under_way.push(turns.take(&get(80)).await.unwrap());
    }

    /// A clock on which a minute is a second.
    fn fast_clock() -> impl Fn() -> Duration + Clone + Send + Sync + 'static {
        let start = Instant::now();
        move || start.elapsed() * 60
    }

    /// A GitHub that registers eighty in a minute, counted from the first, and refuses all else. Gives its
    /// address, and how many it has refused.
    async fn github(
        now: impl Fn() -> Duration + Send + Sync + Clone + 'static,
    ) -> (String, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/acme/shop", listener.local_addr().unwrap());
        let refused = Arc::new(AtomicUsize::new(0));
        let (count, window) = (Arc::clone(&refused), Arc::new(Mutex::new((None, 0))));
        let answer = move || {
            let mut window = window.lock().unwrap();
            if window.0.is_none_or(|start: Duration| now() >= start + Duration::from_mins(1)) {
                *window = (Some(now()), 0);
            }
            window.1 += 1;
            let runner = json!({"id": 7, "name": "ff-1", "status": "offline", "busy": false});
            let created = json!({"runner": runner, "encoded_jit_config": "e30="}).to_string();
            let status = if window.1 <= 80 { 201 } else { 403 };
            count.fetch_add(usize::from(status != 201), Ordering::SeqCst);
            std::future::ready((axum::http::StatusCode::from_u16(status).unwrap(), created))
        };
        let router = axum::Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, refused)
    }

    #[tokio::test]
    async fn a_burst_of_a_hundred_is_registered_without_a_refusal() {
        let now = fast_clock();
        let (url, refused) = github(now.clone()).await;
        let clock = Clock::new(|| jiff::Timestamp::UNIX_EPOCH);
        let mut runners = GitHubRunners::new(
            Scope::parse(&url).unwrap(),
            Credentials::token("t"),
            clock,
            &Network::default(),
        )
        .unwrap();
        runners.client.wire.turns = Arc::new(RequestTurns::by(now.clone()));
        let request = RunnerRequest {
            name: RunnerName::of_task(&"arn:aws:ecs:eu-west-1:123456789012:task/ff/1".parse().unwrap()),
            labels: vec!["self-hosted".parse().unwrap()],
            group: 1,
        };
        let (runners, left) = (Arc::new(runners), Arc::new(Semaphore::new(100)));
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (runners, left, request) = (Arc::clone(&runners), Arc::clone(&left), request.clone());
            workers.spawn(async move {
                while let Ok(one) = left.try_acquire() {
                    one.forget();
                    while let Err(fault) = runners.mint(&request).await {
                        sleep(retry_after(&fault) / 60).await;
                    }
                }
            });
        }
        workers.join_all().await;
        assert_eq!(refused.load(Ordering::SeqCst), 0);
        let seconds = now().as_secs();
        assert!((60..120).contains(&seconds), "the last twenty a minute later, not after {seconds} s");
    }

    #[test]
    fn an_endpoint_is_the_same_for_every_id() {
        assert_eq!(endpoint("/repos/a/b7/actions/runners/7"), "/repos/a/b7/actions/runners/*");
        assert_eq!(endpoint("/app/installations/42/access_tokens"), "/app/installations/*/access_tokens");
    }
}
