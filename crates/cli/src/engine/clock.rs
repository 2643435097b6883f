//! Time, as a port: the engine asks for it and waits for it here, so that a simulation can let hours pass in
//! an instant.

use std::fmt;

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
