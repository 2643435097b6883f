//! Time, as a port: the engine asks for it and waits for it here, so that a simulation can let hours pass in
//! an instant.

use std::fmt;
use std::time::Instant;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

/// A clock, and the means to wait for it.
pub trait Clock: fmt::Debug + Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// Waits so long; not at all if that is no time.
    fn sleep(&self, pause: SignedDuration) -> BoxFuture<'_, ()>;
}

impl dyn Clock + '_ {
    /// What the work comes to, or `None` if it takes longer than the limit; it is dropped then.
    pub async fn within<T>(&self, limit: SignedDuration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(limit) => None,
        }
    }
}

/// The machine's own.
#[derive(Debug, Clone, Copy)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, pause: SignedDuration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(pause.try_into().unwrap_or_default()))
    }
}

/// The machine's own, read once: it goes on evenly from there, whatever is done to the machine's clock meanwhile.
/// For what runs for weeks and measures pauses.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    began_at: Timestamp,
    began: Instant,
}

impl SteadyClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self { began_at: Timestamp::now(), began: Instant::now() }
    }
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        self.began_at.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    fn sleep(&self, pause: SignedDuration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(pause.try_into().unwrap_or_default()))
    }
}
