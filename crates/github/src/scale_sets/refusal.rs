//! The one table from failures of the crate `scaleset` to classes.
//!
//! The Actions service is not the REST API: it has other exceptions, and its 404 means the scale set, the
//! session or the runner. The calls that get the crate its tokens are told apart by their addresses, because
//! a 404 of theirs means none of these.

use std::time::Duration;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_net::Network;
use scaleset::{ApiError, ApiErrorKind, Error};

use crate::client::transport;

/// What to wait after a limit that names no time ("Best practices for using the REST API").
const PAUSE: Duration = Duration::from_mins(1);

const STATUS_PAGE: &str = "see https://www.githubstatus.com, and try again";

/// Which part of a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// GitHub did not let these credentials get a token; nothing else was tried.
    Credentials,
    /// GitHub did not take the token that it had just given; nothing else was tried.
    Handover,
    /// The call itself.
    Call,
}

impl Step {
    pub(super) fn of(error: &Error) -> Self {
        let url = match error {
            Error::Api(refused) => &refused.url,
            Error::RateLimited(limited) => &limited.response.url,
            Error::Transport { url, .. }
            | Error::MaxElapsedExceeded { url, .. }
            | Error::Decode { url, .. } => url,
            Error::Jwt(_) => return Self::Credentials,
            _ => return Self::Call,
        };
        let path = url.split('?').next().unwrap_or_default();
        if path.ends_with("/access_tokens") || path.ends_with("/actions/runners/registration-token") {
            Self::Credentials
        } else if path.ends_with("/actions/runner-registration") {
            Self::Handover
        } else {
            Self::Call
        }
    }
}

pub(super) fn fault(network: &Network, what: &str, step: Step, error: Error) -> Fault {
    let unknown = |why: String| Fault::new(Class::Unknown, what, why).remedy(STATUS_PAGE);
    match error {
        Error::Api(refused) => of_answer(what, step, &refused).because(*refused),
        Error::RateLimited(limited) => {
            let class = Class::Throttled { retry_after: limited.retry_after.or(Some(PAUSE)) };
            Fault::new(class, what, said(&limited.response)).because(*limited)
        }
        Error::Transport { source, .. } => transport(network, what, source),
        // What our own signer says is a fault already.
        Error::Jwt(why) => match why.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(why) => Fault::new(Class::Denied, what, "the App's key did not sign").because(why),
        },
        // The text could quote a token; the place of the error in it does not help anybody.
        Error::Decode { .. } => unknown("GitHub's answer cannot be read".to_owned()),
        Error::MaxElapsedExceeded { .. } => unknown("GitHub did not answer in time".to_owned()),
        Error::UnexpectedResponse(why) => unknown(why),
        other => Fault::new(Class::Invalid, what, other.to_string()).because(other),
    }
}

fn of_answer(what: &str, step: Step, refused: &ApiError) -> Fault {
    let class = match (step, refused.status.as_u16()) {
        (_, 408 | 500..=599) | (Step::Handover, _) => Class::Unknown,
        (Step::Credentials, _) => Class::Denied,
        (Step::Call, status) => match refused.kind {
            ApiErrorKind::RunnerExists => Class::Conflict,
            ApiErrorKind::JobStillRunning => Class::Busy,
            // A session whose token GitHub does not renew is as good as gone.
            ApiErrorKind::RunnerNotFound | ApiErrorKind::MessageQueueTokenExpired => Class::NotFound,
            _ => match status {
                401 | 403 => Class::Denied,
                404 | 410 => Class::NotFound,
                409 => Class::Conflict,
                _ => Class::Invalid,
            },
        },
    };
    let fault = Fault::new(class, what, said(refused));
    match fault.class {
        Class::Unknown => fault.remedy(STATUS_PAGE),
        Class::Denied => fault.remedy("see that these credentials may manage the runners there"),
        _ => fault,
    }
}

/// GitHub's words without the name of the exception, which helps nobody.
fn said(refused: &ApiError) -> String {
    let status = refused.status.as_u16();
    if refused.message.is_empty() {
        format!("GitHub answered {status}")
    } else {
        format!("GitHub answered {status}: {}", refused.message)
    }
}
