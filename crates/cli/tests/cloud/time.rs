//! Virtual time: whoever waits wakes at once, and the clock has leapt there.
//!
//! A runtime for one story and nothing else: it polls the story until all of it waits, then leaps to the first
//! moment that somebody waits for. Nothing but the story's own seed decides what happens, so a story comes out
//! the same each time. Tokio's paused clock was turned down: its feature `test-util` would have every crate
//! above tokio, the AWS SDK among them, built once more for the tests.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use fleetfoot::engine::Clock;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

/// More leaps than any story needs; one that takes them runs in circles.
const MOST_LEAPS: u64 = 1_000_000;

/// A clock that only moves when everybody waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    now: Timestamp,
    /// Who waits, in the order of waking; the number keeps those of one moment apart.
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
    slept: u64,
}

impl Time {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a story to its end.
    ///
    /// # Panics
    /// If everybody waits for what nobody will do, or if there is no end.
    pub(crate) fn tell<T>(&self, story: impl Future<Output = T>) -> T {
        let awake = Arc::new(Awake(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&awake));
        let mut context = Context::from_waker(&waker);
        let mut story = pin!(story);
        for _ in 0..MOST_LEAPS {
            while awake.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(end) = story.as_mut().poll(&mut context) {
                    return end;
                }
            }
            self.leap();
        }
        panic!("the story has no end");
    }

    /// Moves the clock to the first sleeper's moment and wakes it.
    fn leap(&self) {
        let mut inner = self.inner();
        let ((at, _), sleeper) = inner.sleepers.pop_first().expect("somebody waits for a moment");
        inner.now = inner.now.max(at);
        drop(inner);
        sleeper.wake();
    }

    /// Waits until then.
    pub(crate) fn until(&self, at: Timestamp) -> Sleep {
        Sleep { time: self.clone(), at, key: None }
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.inner().now
    }

    fn sleep(&self, pause: SignedDuration) -> BoxFuture<'_, ()> {
        Box::pin(self.until(self.now() + pause))
    }
}

/// Somebody who waits.
#[derive(Debug)]
pub(crate) struct Sleep {
    time: Time,
    at: Timestamp,
    key: Option<(Timestamp, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        let mut inner = time.inner();
        if inner.now >= self.at {
            return Poll::Ready(());
        }
        let key = self.key.unwrap_or_else(|| {
            inner.slept += 1;
            (self.at, inner.slept)
        });
        self.key = Some(key);
        inner.sleepers.insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.time.inner().sleepers.remove(&key);
        }
    }
}

struct Awake(AtomicBool);

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_hour_passes_at_once_and_in_order() {
    let time = Time::default();
    let began = std::time::Instant::now();
    let order = time.tell(async {
        let long = time.until(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1));
        let short = async {
            time.sleep(SignedDuration::from_secs(1)).await;
            time.now()
        };
        let ((), first) = futures_util::future::join(long, short).await;
        [first, time.now()]
    });
    let second = |n| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(n);
    assert_eq!(order, [second(1), second(3600)]);
    assert!(began.elapsed().as_secs() < 60);
}
