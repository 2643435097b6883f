//! Turns in virtual time, against services that count for themselves.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    Bucket,
    Window,
    Kept,
}

impl Meter for Count {
    fn limit(&self) -> Limit {
        match self {
            Self::Bucket => Limit::Bucket { burst: 10, refill: 2 },
            Self::Window | Self::Kept => Limit::Window { most: 10, period: MINUTE },
        }
    }

    fn reserve(&self) -> u32 {
        if *self == Self::Kept { 4 } else { 0 }
    }
}

/// Accounts, and the clock that they see.
struct Stage {
    turns: Turns<Count>,
    milliseconds: Arc<AtomicU64>,
}

impl Stage {
    fn new() -> Self {
        let milliseconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&milliseconds);
        let turns = Turns::new(move || Duration::from_millis(clock.load(Ordering::SeqCst)));
        Self { turns, milliseconds }
    }

    fn pass(&self, time: Duration) {
        self.milliseconds.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Asks for a turn; a wait makes the time pass.
    fn take(&self, claims: &[(Count, u32)], urgency: Urgency) -> Result<Turn<'_, Count>, TooSoon> {
        let sleep = |time| {
            self.pass(time);
            std::future::ready(())
        };
        let taking = pin!(self.turns.take(claims.to_vec(), urgency, sleep));
        match taking.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => turn,
            Poll::Pending => panic!("nothing here waits for anything else"),
        }
    }

    fn ordinary(&self, count: Count, cost: u32) -> Result<(), TooSoon> {
        self.take(&[(count, cost)], Urgency::Ordinary).map(drop)
    }

    fn now(&self) -> Duration {
        (self.turns.now)()
    }
}

#[test]
fn a_bucket_gives_its_burst_and_then_what_comes_back() {
    let stage = Stage::new();
    assert_eq!(stage.ordinary(Count::Bucket, 10), Ok(()));
    assert_eq!(stage.now(), Duration::ZERO, "the burst does not wait");
    assert_eq!(stage.ordinary(Count::Bucket, 1), Ok(()));
    assert_eq!(stage.now(), Duration::from_millis(501));
    let TooSoon { wait } = stage.ordinary(Count::Bucket, 9).unwrap_err();
    assert!((4.4..4.6).contains(&wait.as_secs_f64()), "{wait:?}");
    assert_eq!(stage.now(), Duration::from_millis(501), "told at once");
}

#[test]
fn a_window_is_free_again_a_period_after_the_answer() {
    let stage = Stage::new();
    let turn = stage.take(&[(Count::Window, 10)], Urgency::Ordinary).unwrap();
    stage.pass(Duration::from_secs(5));
    drop(turn);
    assert_eq!(stage.ordinary(Count::Window, 1), Err(TooSoon { wait: MINUTE }));
    stage.pass(MINUTE.checked_sub(Duration::from_millis(300)).unwrap());
    assert_eq!(stage.ordinary(Count::Window, 1), Ok(()), "a wait of 300 ms is waited");
    assert_eq!(stage.now(), Duration::from_secs(65));
}

#[test]
fn clean_up_finds_something_left() {
    let stage = Stage::new();
    assert_eq!(stage.ordinary(Count::Kept, 6), Ok(()));
    assert!(stage.ordinary(Count::Kept, 1).is_err());
    assert!(stage.take(&[(Count::Kept, 4)], Urgency::CleanUp).is_ok());
    assert!(stage.take(&[(Count::Kept, 1)], Urgency::CleanUp).is_err());
}

#[test]
fn a_call_that_has_to_wait_holds_nothing() {
    let stage = Stage::new();
    assert_eq!(stage.ordinary(Count::Window, 10), Ok(()));
    assert!(stage.take(&[(Count::Bucket, 10), (Count::Window, 1)], Urgency::Ordinary).is_err());
    assert_eq!(stage.ordinary(Count::Bucket, 10), Ok(()));
    assert_eq!(stage.now(), Duration::ZERO);

    // Given up in the middle of its wait.
    let forever = |_| std::future::pending();
    let mut waiting = Box::pin(stage.turns.take(vec![(Count::Bucket, 1)], Urgency::Ordinary, forever));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(waiting);
    stage.pass(Duration::from_secs(5));
    assert_eq!(stage.ordinary(Count::Bucket, 10), Ok(()));
    assert_eq!(stage.now(), Duration::from_secs(5), "all ten were there");
}

#[test]
fn a_call_that_was_not_made_says_until_when() {
    let fault = TooSoon { wait: Duration::from_millis(58_200) }.fault("register a runner", "GitHub");
    assert_eq!(fault.class, Class::Throttled { retry_after: Some(Duration::from_millis(58_200)) });
    assert_eq!(
        fault.to_string(),
        "cannot register a runner: by its published rates GitHub takes no more of these calls for 59 s"
    );
}

/// A call: how long after the one before, how long until its answer, when in between the service counts it
/// (in hundredths), and what it costs.
type Step = (u64, u64, u64, u32);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..3_000_u64, 0..4_000_u64, 0..=100_u64, 1..=4_u32), 1..200)
}

/// Makes these calls, several at once, and tells when the service has counted which cost.
fn counted(count: Count, steps: &[Step]) -> Vec<(Duration, u32)> {
    let stage = Stage::new();
    let mut under_way: Vec<(u64, Turn<'_, Count>)> = Vec::new();
    let mut counted = Vec::new();
    let mut now = 0;
    for (gap, latency, part, cost) in steps {
        now += gap;
        under_way.sort_by_key(|(end, _)| *end);
        let answered = under_way.iter().take_while(|(end, _)| *end <= now).count();
        for (end, turn) in under_way.drain(..answered) {
            stage.milliseconds.store(end, Ordering::SeqCst);
            drop(turn);
        }
        stage.milliseconds.store(now, Ordering::SeqCst);
        let claims = vec![(count, *cost)];
        if stage.turns.hold(&claims, Urgency::Ordinary).is_ok() {
            under_way.push((now + latency, Turn { turns: &stage.turns, claims }));
            counted.push((Duration::from_millis(now + latency * part / 100), *cost));
        }
    }
    counted.sort_unstable();
    counted
}

proptest! {
    #[test]
    fn a_service_with_a_window_refuses_nothing(steps in steps()) {
        let counted = counted(Count::Window, &steps);
        prop_assert!(!counted.is_empty());
        for (start, _) in &counted {
            let within = |at: &Duration| (*start..*start + MINUTE).contains(at);
            let spent: u32 = counted.iter().filter(|(at, _)| within(at)).map(|(_, cost)| cost).sum();
            prop_assert!(spent <= 10, "{spent} in the minute after {start:?}");
        }
    }

    #[test]
    fn a_service_with_a_bucket_refuses_nothing(steps in steps()) {
        let (mut tokens, mut before) = (10.0_f64, Duration::ZERO);
        for (at, cost) in counted(Count::Bucket, &steps) {
            tokens = (tokens + at.saturating_sub(before).as_secs_f64() * 2.0).min(10.0) - f64::from(cost);
            before = at;
            prop_assert!(tokens > -1e-6, "{tokens} at {at:?}");
        }
    }
}
