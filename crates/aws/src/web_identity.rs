//! A role assumed by an OIDC token, with no key of any kind stored anywhere.
//!
//! The token comes from a function and not as a value: a start may outlast the credentials, and the job's
//! token lives only minutes, so each renewal asks for a new one.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_sts::error::ProvideErrorMetadata;
use fleetfoot_core::fault::{Class, Fault};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::errors::{self, Refusal};

/// The longest session name (STS API Reference, AssumeRoleWithWebIdentity).
const LONGEST_SESSION_NAME: usize = 64;

type Token = Pin<Box<dyn Future<Output = Result<SecretString, Fault>> + Send>>;

/// Which role to assume, and where the OIDC token comes from.
pub struct WebIdentity {
    role_arn: String,
    session_name: String,
    token: Box<dyn Fn() -> Token + Send + Sync>,
}

impl fmt::Debug for WebIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebIdentity")
            .field("role_arn", &self.role_arn)
            .field("session_name", &self.session_name)
            .finish_non_exhaustive()
    }
}

/// AWS did not take the token for this role. The source of the fault, for whoever can say what the token says of
/// itself and what the role wants.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct TrustRefused {
    /// What stood against it.
    pub by: RefusedBy,
    /// The role.
    pub role_arn: String,
    /// AWS's sentence.
    pub message: String,
}

/// What stood against a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// The role's trust policy, or there is no such role: AWS says no more.
    Policy,
    /// The account: it knows no provider with this issuer and audience, or the token is none of its.
    Provider,
}

impl TrustRefused {
    /// The refusal in this fault, if that is what it is.
    pub fn of(fault: &Fault) -> Option<&Self> {
        fault.source.as_ref().and_then(|source| source.downcast_ref())
    }
}

impl WebIdentity {
    /// A role and whoever gives a fresh OIDC token. The session name shows in AWS's logs; what AWS does not
    /// take in it is replaced.
    pub fn new<F, T>(role_arn: impl Into<String>, session_name: &str, token: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<SecretString, Fault>> + Send + 'static,
    {
        Self {
            role_arn: role_arn.into(),
            session_name: session(session_name),
            token: Box::new(move || Box::pin(token())),
        }
    }

    /// Refuses what is no role before anything is asked for.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let parts: Vec<&str> = self.role_arn.splitn(6, ':').collect();
        let ok = matches!(parts.as_slice(), ["arn", partition, "iam", "", account, role]
            if partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|digit| digit.is_ascii_digit())
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty()));
        if ok { Ok(()) } else { Err(malformed(&self.role_arn, "it is not the ARN of a role")) }
    }
}

/// 2 to 64 of letters, digits and `_+=,.@-`.
fn session(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    let name: String = name.chars().map(fit).take(LONGEST_SESSION_NAME).collect();
    if name.len() < 2 { "fleetfoot".to_owned() } else { name }
}

fn malformed(role_arn: &str, why: &str) -> Fault {
    Fault::new(Class::Invalid, format!("assume the role {role_arn}"), why)
        .remedy("write it as arn:aws:iam::ACCOUNT:role/NAME, with the account's 12 digits")
}

/// Assumes the role, again and again.
#[derive(Debug)]
pub(crate) struct AssumeRole {
    role: WebIdentity,
    sts: aws_sdk_sts::Client,
}

impl AssumeRole {
    pub(crate) fn new(role: WebIdentity, anonymous: &SdkConfig) -> Self {
        Self { role, sts: aws_sdk_sts::Client::new(anonymous) }
    }

    pub(crate) async fn assume(&self) -> Result<Credentials, Fault> {
        let what = format!("assume the role {}", self.role.role_arn);
        let token = (self.role.token)().await?;
        let answer = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(&self.role.role_arn)
            .role_session_name(&self.role.session_name)
            .web_identity_token(token.expose_secret())
            .send()
            .await;
        let answer = answer.map_err(|error| match error.as_service_error() {
            Some(said) => refused(
                &self.role.role_arn,
                &what,
                said.code().unwrap_or_default(),
                said.message().unwrap_or("no reason given"),
                error.raw_response().map(|raw| raw.status().as_u16()),
            ),
            None => errors::unanswered(&what, error),
        })?;
        let given = answer
            .credentials()
            .ok_or_else(|| Fault::new(Class::Unknown, &what, "the answer of STS holds no credentials"))?;
        let expiry = SystemTime::try_from(*given.expiration()).map_err(|error| {
            Fault::new(Class::Unknown, &what, "the answer of STS has no usable end").because(error)
        })?;
        tracing::debug!(role = self.role.role_arn, "assumed a role");
        Ok(Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            Some(expiry),
            "FleetfootWebIdentity",
        ))
    }
}

/// What STS's refusals mean (STS API Reference, AssumeRoleWithWebIdentity, Errors).
fn refused(role_arn: &str, what: &str, code: &str, message: &str, status: Option<u16>) -> Fault {
    let said = format!("{code}: {message}");
    let denied = |remedy: &str| Fault::new(Class::Denied, what, &said).remedy(remedy);
    let of = |by| TrustRefused { by, role_arn: role_arn.to_owned(), message: message.to_owned() };
    match code {
        "AccessDenied" | "AccessDeniedException" | "IDPRejectedClaim" => denied(
            "let the role's trust policy accept this workflow: compare the condition on \
             token.actions.githubusercontent.com:sub with the token's subject; see also that the role exists",
        )
        .because(of(RefusedBy::Policy)),
        "InvalidIdentityToken" => denied(
            "create the OIDC provider of the token's issuer in the role's account, with the audience \
             sts.amazonaws.com",
        )
        .because(of(RefusedBy::Provider)),
        "ExpiredTokenException" | "ExpiredToken" => {
            denied("the job's token ended before it was used: check this machine's clock, and try again")
        }
        "IDPCommunicationError" => Fault::new(Class::Unknown, what, said)
            .remedy("AWS could not reach GitHub's OIDC issuer: try again; see https://www.githubstatus.com"),
        "RegionDisabledException" => {
            denied("enable STS for this region in the account's settings, or use another region")
        }
        "ValidationError" | "ValidationException" => malformed(role_arn, &said),
        _ => errors::classed(what, "sts:AssumeRoleWithWebIdentity", &Refusal { code, message, status })
            .because(Box::<dyn StdError + Send + Sync>::from(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/launcher";

    fn identity(role: &str) -> WebIdentity {
        WebIdentity::new(role, "Acme/Shop run 7", || async { Ok(SecretString::from("t")) })
    }

    #[test]
    fn a_role_that_is_none_is_refused_before_any_call() {
        assert!(identity(ROLE).check().is_ok());
        assert!(identity("arn:aws-us-gov:iam::123456789012:role/path/launcher").check().is_ok());
        for bad in ["launcher", "arn:aws:iam::1234:role/x", "arn:aws:iam::123456789012:user/x", ""] {
            let fault = identity(bad).check().unwrap_err();
            assert_eq!(fault.class, Class::Invalid);
            assert!(fault.remedy.unwrap().contains("arn:aws:iam::ACCOUNT:role/NAME"));
        }
    }

    #[test]
    fn a_session_name_takes_only_what_sts_takes() {
        assert_eq!(identity(ROLE).session_name, "Acme-Shop-run-7");
        assert_eq!(session("ü"), "fleetfoot");
        assert_eq!(session(&"x".repeat(100)).len(), LONGEST_SESSION_NAME);
    }

    #[test]
    fn each_refusal_has_its_class_and_remedy() {
        let cases = [
            ("AccessDenied", Class::Denied, "trust policy"),
            ("InvalidIdentityToken", Class::Denied, "OIDC provider"),
            ("ExpiredTokenException", Class::Denied, "clock"),
            ("IDPCommunicationError", Class::Unknown, "githubstatus"),
            ("ValidationError", Class::Invalid, "arn:aws:iam"),
            ("RegionDisabledException", Class::Denied, "region"),
        ];
        for (code, class, remedy) in cases {
            let fault = refused(ROLE, "assume", code, "because", Some(400));
            assert_eq!(fault.class, class, "{code}");
            assert!(fault.remedy.as_ref().unwrap().contains(remedy), "{code}: {fault:?}");
            let by = match code {
                "AccessDenied" => Some(RefusedBy::Policy),
                "InvalidIdentityToken" => Some(RefusedBy::Provider),
                _ => None,
            };
            assert_eq!(TrustRefused::of(&fault).map(|refused| refused.by), by);
        }
        assert_eq!(
            refused(ROLE, "assume", "Throttling", "slow", Some(400)).class,
            Class::Throttled { retry_after: None }
        );
    }
}
