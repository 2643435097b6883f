//! How GitHub and we get on: does it take the credentials, how many requests are left, what does its clock show.
//!
//! Nothing here changes anything, and none of it counts against the limits.

use backon::Retryable;
use fleetfoot_core::fault::{Class, Fault};
use jiff::Timestamp;
use reqwest::header::DATE;
use serde::Deserialize;

use crate::client::{Call, http, patience, transport};
use crate::refusal::Operation;
use crate::runners::GitHubRunners;

/// The one route that costs nothing.
const RATE_LIMIT: &str = "/rate_limit";

/// The requests of an hour (GitHub REST API, "Rate limit").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many there are in an hour.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// When there are all of them again.
    pub reset: Timestamp,
}

#[derive(Deserialize)]
struct Answer {
    resources: Resources,
}

#[derive(Deserialize)]
struct Resources {
    core: Core,
}

#[derive(Deserialize)]
struct Core {
    limit: u64,
    remaining: u64,
    #[serde(deserialize_with = "seconds")]
    reset: Timestamp,
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Timestamp::from_second(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl GitHubRunners {
    /// Whether GitHub takes the credentials, and how many requests they have left; `None` where nothing is
    /// limited, as on a server of one's own.
    ///
    /// # Errors
    /// `Denied` if the token is refused; for an App also all that stands against its installation token.
    pub async fn rate_limit(&self) -> Result<Option<RateLimit>, Fault> {
        let call = Call::get(Operation::Look, "ask GitHub for the rate limit", RATE_LIMIT);
        match self.client.call::<Answer>(&call).await {
            Ok(Answer { resources: Resources { core: Core { limit, remaining, reset } } }) => {
                Ok(Some(RateLimit { limit, remaining, reset }))
            }
            // "Rate limiting is not enabled." (GitHub Enterprise Server)
            Err(fault) if fault.class == Class::NotFound && fault.what == call.what => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// What GitHub's clock shows, to the second. Asked without credentials, since a clock that is wrong is one
    /// of the reasons why credentials are refused.
    ///
    /// # Errors
    /// `Unknown` if GitHub cannot be reached.
    pub async fn date(&self) -> Result<Timestamp, Fault> {
        let what = "ask GitHub for the time";
        let address = format!("{}{RATE_LIMIT}", self.scope().api_url().as_str().trim_end_matches('/'));
        let network = &self.client.wire.network;
        let client = http(network)?;
        let once =
            || async { client.get(&address).send().await.map_err(|error| transport(network, what, error)) };
        let answer = once.retry(patience()).when(|fault: &Fault| fault.class == Class::Unknown).await?;
        // Any answer has a date, refusals as well.
        let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
        date.and_then(|text| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok())
            .ok_or_else(|| Fault::new(Class::Unknown, what, "its answer has no date"))
    }
}
