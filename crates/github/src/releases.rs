//! The newest release of GitHub's runner, which images have to follow.
//!
//! "If you do not perform a software update within 30 days, the GitHub Actions service will not queue jobs to
//! your runner" (GitHub docs, "Self-hosted runners reference"). A runner with a JIT configuration lives for one
//! job and cannot update itself, so it is the image that grows old.

use std::fmt;
use std::str::FromStr;

use fleetfoot_core::fault::{Class, Fault};
use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

use crate::client::Call;
use crate::refusal::Operation;
use crate::runners::GitHubRunners;

/// A version of GitHub's runner, `2.336.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunnerVersion {
    /// The first number.
    pub major: u32,
    /// The second, which about every release raises.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

/// A text that is no version of the runner.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no version of the runner; one is written like 2.336.0")]
pub struct InvalidVersion(String);

impl FromStr for RunnerVersion {
    type Err = InvalidVersion;

    /// Reads `2.336.0` or `v2.336.0`.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Ok(Self { major, minor, patch }),
            _ => Err(InvalidVersion(text.to_owned())),
        }
    }
}

impl fmt::Display for RunnerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A release of the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunnerRelease {
    /// Its version.
    pub version: RunnerVersion,
    /// When it was published.
    pub published: Timestamp,
}

#[derive(Deserialize)]
struct Answer {
    tag_name: String,
    published_at: Timestamp,
}

impl GitHubRunners {
    /// The newest release of `actions/runner`, as this GitHub knows it.
    ///
    /// # Errors
    /// `NotFound` where there is no such repository, as on a server of one's own.
    pub async fn latest_runner(&self) -> Result<RunnerRelease, Fault> {
        let what = "find the newest release of GitHub's runner";
        let call = Call::get(Operation::Look, what, "/repos/actions/runner/releases/latest");
        let answer: Answer = self.client.call(&call).await?;
        let version = answer
            .tag_name
            .parse()
            .map_err(|error: InvalidVersion| Fault::new(Class::Unknown, what, error.to_string()))?;
        Ok(RunnerRelease { version, published: answer.published_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> RunnerVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(version("2.99.0") < version("2.336.0") && version("v2.336.0") < version("2.336.1"));
        assert_eq!(version("v2.336.0").to_string(), "2.336.0");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "2.336", "2.336.0.1", "2.x.0", "latest", "2.336.0-beta"] {
            assert!(text.parse::<RunnerVersion>().is_err(), "{text}");
        }
    }
}
