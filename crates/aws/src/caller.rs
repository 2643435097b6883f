//! Whom AWS takes us for, and what its clock shows: one call tells both.
//!
//! The clock is read from the answer's `Date`, which a refusal has as well. That matters, because a clock that
//! is wrong is what AWS refuses signatures for, and it says so in words that nobody understands.

use fleetfoot_core::fault::Fault;
use jiff::Timestamp;
use serde::Deserialize;

use crate::aws::Aws;
use crate::query::Call;
use crate::signed::Service;
use crate::xml;

const STS: Service = Service { name: "sts", id: "STS" };

/// Who signs the calls (STS API Reference, GetCallerIdentity).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account's 12 digits.
    pub account: String,
    /// ARN of the user, or of the role's session.
    pub arn: String,
}

/// What AWS says to whoever asks who he is.
#[derive(Debug)]
pub struct WhoAmI {
    /// The caller, or why AWS does not know him.
    pub caller: Result<Caller, Fault>,
    /// What AWS's clock showed, to the second, if AWS answered.
    pub date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "GetCallerIdentityResult")]
    result: AnswerResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerResult {
    account: String,
    arn: String,
}

impl Aws {
    /// Asks AWS who these credentials are. Everybody may ask.
    pub async fn who_am_i(&self) -> WhoAmI {
        let call = Call {
            what: "ask AWS whose credentials these are",
            service: STS,
            version: "2011-06-15",
            action: "GetCallerIdentity",
            parameters: &[],
        };
        let answer = match call.send(&self.signed).await {
            Ok(answer) => answer,
            Err(fault) => return WhoAmI { caller: Err(fault), date: None },
        };
        let date = answer.headers.get("date").and_then(|value| value.to_str().ok()).and_then(http_date);
        let caller = match call.refusal(&answer) {
            Some(fault) => Err(fault),
            None => xml::read::<Answer>(call.what, &answer.body)
                .map(|Answer { result }| Caller { account: result.account, arn: result.arn }),
        };
        WhoAmI { caller, date }
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, "Date/Time Formats").
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read() {
        let date = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(http_date("yesterday"), None);
    }
}
