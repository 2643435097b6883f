//! What went wrong at a port, classed by what the caller does next.
//!
//! The adapters hold the one table each from vendor codes to a [`Class`]; nothing above them looks at a
//! vendor's code again.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// What the caller does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// Wait and call again; the call had no effect. `retry_after` is what the service asked for.
    Throttled {
        /// How long to wait at least, if the service said.
        retry_after: Option<Duration>,
    },
    /// There is no room for the task there: take the pool's next capacity choice.
    NoCapacity,
    /// The call may or may not have taken effect: look before calling again.
    Unknown,
    /// It exists already, or somebody else was first: look it up and go on from there.
    Conflict,
    /// It does not exist, or not any more.
    NotFound,
    /// The runner is busy: leave it and its task alone.
    Busy,
    /// These credentials may not do this: tell the user, change nothing.
    Denied,
    /// The request can never work as it is: tell the user, change nothing.
    Invalid,
}

impl Class {
    /// The class as a word for JSON and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "throttled",
            Self::NoCapacity => "no-capacity",
            Self::Unknown => "unknown",
            Self::Conflict => "conflict",
            Self::NotFound => "not-found",
            Self::Busy => "busy",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
        }
    }
}

/// A failed call at a port.
///
/// `Display` tells what was tried and why it failed, in one line without the sources; the remedy is for
/// the last line a user reads.
#[derive(Debug, Error)]
pub struct Fault {
    /// What to do next.
    pub class: Class,
    /// What was tried, to what: `start tasks in cluster ff-prod`.
    pub what: String,
    /// Why it failed, in the service's words where it has any. Holds no secret.
    pub why: String,
    /// What the user can do about it.
    pub remedy: Option<String>,
    /// The error below, for logs.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.what, self.why)
    }
}

impl Fault {
    /// A fault without remedy and source.
    pub fn new(class: Class, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { class, what: what.into(), why: why.into(), remedy: None, source: None }
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// How long to wait before the failed call may be made again; `None` if it would fail again.
    ///
    /// The rule: what was throttled had no effect, so it may be made again after `pause`, but not before the
    /// service has asked for it. What may have taken effect may be made again after `pause` if twice does no
    /// harm; whoever mints has to look first. Everything else is an answer, and stays the same however often
    /// one asks.
    pub fn again_after(&self, pause: Duration) -> Option<Duration> {
        match self.class {
            Class::Throttled { retry_after } => Some(retry_after.unwrap_or_default().max(pause)),
            Class::Unknown => Some(pause),
            Class::NoCapacity
            | Class::Conflict
            | Class::NotFound
            | Class::Busy
            | Class::Denied
            | Class::Invalid => None,
        }
    }

    /// Adds the error below.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_an_answer_is_not_asked_again() {
        let second = Duration::from_secs(1);
        let again = |class| Fault::new(class, "x", "y").again_after(second);
        assert_eq!(again(Class::Unknown), Some(second));
        for (asked, wait) in [(None, 1), (Some(Duration::ZERO), 1), (Some(Duration::from_mins(1)), 60)] {
            let throttled = again(Class::Throttled { retry_after: asked });
            assert_eq!(throttled, Some(Duration::from_secs(wait)), "{asked:?}");
        }
        for class in
            [Class::NoCapacity, Class::Conflict, Class::NotFound, Class::Busy, Class::Denied, Class::Invalid]
        {
            assert_eq!(again(class.clone()), None, "{class:?}");
        }
    }
}
