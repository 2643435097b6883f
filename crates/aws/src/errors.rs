//! The table from AWS's common error codes to classes, and the way from the SDK's errors to a [`Fault`].
//!
//! What only one service says is in that service's own file; all fall back on this one. Sources: "Common
//! errors" of each API Reference, S3 "Error responses", and the codes that the SDKs themselves retry.

use std::error::Error as StdError;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_net::Trouble;

use crate::web_identity::TrustRefused;

/// What to do when no answer came and nothing more is known.
pub(crate) const LOOK: &str = "check the network, and the endpoint if one is set";

/// What a service said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<'a> {
    /// `AccessDeniedException`, without namespace.
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// HTTP status, if there was one.
    pub(crate) status: Option<u16>,
}

impl Refusal<'_> {
    /// AWS's own words.
    pub(crate) fn said(&self) -> String {
        match (self.code, self.message) {
            ("", "") => format!("HTTP status {}", self.status.unwrap_or_default()),
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        }
    }
}

const THROTTLED: [&str; 11] = [
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
];

/// The credentials themselves are refused, whatever they were to be used for.
const BAD_CREDENTIALS: [&str; 14] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

const DENIED: [&str; 7] = [
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AccountProblem",
    "BlockedException",
    "OptInRequired",
    "UnauthorizedOperation",
];

const UNKNOWN: [&str; 6] = [
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
    "ServerException",
    "ServiceUnavailable",
];

/// Whether this code refuses the credentials themselves.
pub(crate) fn bad_credentials(code: &str) -> bool {
    BAD_CREDENTIALS.contains(&code)
}

/// The fault for a refusal that the service's own table does not know. `action` is the IAM action that the
/// call needs.
pub(crate) fn classed(what: &str, action: &str, refusal: &Refusal<'_>) -> Fault {
    let fault = |class| Fault::new(class, what, refusal.said());
    let code = refusal.code;
    if THROTTLED.contains(&code) || refusal.status == Some(429) {
        fault(Class::Throttled { retry_after: None }).remedy("wait a little; AWS limits the rate of calls")
    } else if bad_credentials(code) {
        fault(Class::Denied).remedy(
            "AWS refuses the credentials themselves: they are wrong, ended, or this machine's clock is off; \
             get new ones",
        )
    } else if DENIED.contains(&code) || matches!(refusal.status, Some(401 | 403)) {
        fault(Class::Denied).remedy(allow(action, refusal.message))
    } else if UNKNOWN.contains(&code) || refusal.status.is_some_and(|status| status >= 500) {
        fault(Class::Unknown).remedy("try again; see https://health.aws.amazon.com/health/status")
    } else {
        fault(Class::Invalid)
    }
}

/// Which permission is missing and who lacks it, as far as AWS says: "User: ARN is not authorized to
/// perform: ACTION on resource: ARN because …".
fn allow(action: &str, message: &str) -> String {
    let after = |mark: &str| message.split_once(mark).and_then(|(_, rest)| rest.split_whitespace().next());
    let action = after("to perform: ").unwrap_or(action);
    let who = after("User: ").map_or_else(|| "the role".to_owned(), |arn| format!("the role behind {arn}"));
    let on = after("on resource: ").map(|resource| format!(" on {resource}")).unwrap_or_default();
    if message.contains("explicit deny") {
        format!("a policy denies {action}{on} explicitly: remove that statement or use another role")
    } else {
        format!("allow {action}{on} in the policy of {who}")
    }
}

/// Turns any error of the SDK into a fault. `table` knows the codes of the one service.
pub(crate) fn of_sdk<E>(
    what: &str,
    action: &str,
    error: SdkError<E, HttpResponse>,
    table: impl FnOnce(&str, &Refusal<'_>) -> Option<Fault>,
) -> Fault
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    let Some(said) = error.as_service_error() else { return unanswered(what, error) };
    let refusal = Refusal {
        code: said.code().unwrap_or_default(),
        message: said.message().unwrap_or_default(),
        status: error.raw_response().map(|raw| raw.status().as_u16()),
    };
    table(what, &refusal).unwrap_or_else(|| classed(what, action, &refusal)).because(error)
}

/// A call that no service answered: our own fault on the way if there is one, else nobody knows.
pub(crate) fn unanswered<E>(what: &str, error: SdkError<E, HttpResponse>) -> Fault
where
    E: StdError + Send + Sync + 'static,
{
    if let Some(fault) = fault_below(&error) {
        return fault;
    }
    if let Some(trouble) = below::<Trouble>(&error) {
        return trouble.fault(what, LOOK).because(error);
    }
    let why = chain_text(&error);
    let fault = if let SdkError::ConstructionFailure(_) = error {
        Fault::new(Class::Invalid, what, why)
    } else {
        Fault::new(Class::Unknown, what, why).remedy(LOOK)
    };
    fault.because(error)
}

/// A fault of ours that travelled inside a foreign error, such as from the credentials.
pub(crate) fn fault_below(error: &(dyn StdError + 'static)) -> Option<Fault> {
    below::<Fault>(error).map(copy)
}

/// The same fault again, without what is below it unless somebody may look for that.
pub(crate) fn copy(fault: &Fault) -> Fault {
    let copy = Fault {
        class: fault.class.clone(),
        what: fault.what.clone(),
        why: fault.why.clone(),
        remedy: fault.remedy.clone(),
        source: None,
    };
    match TrustRefused::of(fault) {
        Some(refused) => copy.because(refused.clone()),
        None => copy,
    }
}

/// The outermost error of this kind in a chain.
fn below<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// An error and its causes in one line, without saying a thing twice.
pub(crate) fn chain_text(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web_identity::RefusedBy;

    fn class(code: &str, status: u16) -> Class {
        classed("x", "ecs:RunTask", &Refusal { code, message: "", status: Some(status) }).class
    }

    #[test]
    fn common_codes_have_their_class() {
        for code in THROTTLED {
            assert_eq!(class(code, 400), Class::Throttled { retry_after: None }, "{code}");
        }
        for code in BAD_CREDENTIALS.iter().chain(&DENIED) {
            assert_eq!(class(code, 400), Class::Denied, "{code}");
        }
        for code in UNKNOWN {
            assert_eq!(class(code, 200), Class::Unknown, "{code}");
        }
        assert_eq!(class("Whatever", 503), Class::Unknown);
        assert_eq!(class("Whatever", 429), Class::Throttled { retry_after: None });
        assert_eq!(class("Whatever", 400), Class::Invalid);
    }

    #[test]
    fn a_denial_names_action_resource_and_role() {
        let message = "User: arn:aws:sts::1:assumed-role/launcher/x is not authorized to perform: ecs:RunTask \
                       on resource: arn:aws:ecs:r:1:task-definition/ff because no identity-based policy \
                       allows the ecs:RunTask action";
        let refusal = Refusal { code: "AccessDeniedException", message, status: Some(400) };
        assert_eq!(
            classed("x", "?", &refusal).remedy.unwrap(),
            "allow ecs:RunTask on arn:aws:ecs:r:1:task-definition/ff in the policy of the role behind \
             arn:aws:sts::1:assumed-role/launcher/x"
        );
        let bare = Refusal { code: "AccessDenied", message: "Access Denied", status: Some(403) };
        assert_eq!(
            classed("x", "s3:PutObject", &bare).remedy.unwrap(),
            "allow s3:PutObject in the policy of the role"
        );
        let deny = Refusal { message: "… with an explicit deny in a service control policy", ..bare };
        assert!(classed("x", "s3:PutObject", &deny).remedy.unwrap().contains("explicitly"));
    }

    #[test]
    fn our_own_fault_survives_foreign_errors() {
        let refused = TrustRefused { by: RefusedBy::Policy, role_arn: "r".into(), message: "no".into() };
        let fault = Fault::new(Class::Denied, "assume", "no").remedy("trust").because(refused.clone());
        let wrapped = aws_credential_types::provider::error::CredentialsError::provider_error(fault);
        let found = fault_below(&wrapped).unwrap();
        assert_eq!((found.class.clone(), found.remedy.as_deref()), (Class::Denied, Some("trust")));
        assert_eq!(TrustRefused::of(&found), Some(&refused));
        assert!(fault_below(&std::io::Error::other("x")).is_none());
    }
}
