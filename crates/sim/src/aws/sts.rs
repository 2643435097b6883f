//! STS: a web identity takes a role; a caller asks who it is. Source: STS API Reference.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use super::broken;
use super::error::AwsError;
use super::iam::{Access, Decision, decide};
use super::identity::{Caller, Identities, Life};
use super::ids::Ids;
use super::oidc;
use super::wire::Answer;
use super::xml::Writer;
use crate::faults::Faults;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The parameters of a query request.
pub(crate) struct Form(HashMap<String, String>);

impl Form {
    /// Reads a form body.
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The parameters for the book, without the token.
    pub(crate) fn record(&self) -> Value {
        let mut members: Vec<_> = self.0.iter().collect();
        members.sort();
        let secret = |name: &str| name == "WebIdentityToken";
        members
            .into_iter()
            .map(|(name, value)| (name.clone(), json!(if secret(name) { "[redacted]" } else { value })))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn need(&self, name: &str) -> Result<&str, AwsError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
            validation(format!(
                "Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }
}

/// What was fetched for a token: the keys of its issuer, or why there are none. `None` if the account
/// knows no such issuer.
pub(crate) type FetchedKeys = Option<Result<JwkSet, oidc::FetchError>>;

/// `AssumeRoleWithWebIdentity`: the answer and the new session's ARN.
pub(crate) fn assume_role_with_web_identity(
    identities: &mut Identities,
    ids: &mut Ids,
    form: &Form,
    keys: FetchedKeys,
    faults: &Faults,
    now: Timestamp,
) -> Result<(Answer, String), AwsError> {
    let role_arn = form.need("RoleArn")?;
    let session_name = form.need("RoleSessionName")?;
    let token = form.need("WebIdentityToken")?;
    let in_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session_name.len()) || !session_name.chars().all(in_name) {
        return Err(validation(format!(
            "Value '{session_name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [\\w+=,.@-]* and have a length of 2 to 64"
        )));
    }
    for unsupported in ["Policy", "PolicyArns.member.1.arn", "ProviderId"] {
        if form.get(unsupported).is_some() {
            return Err(AwsError::not_simulated(format!("the parameter {unsupported}")));
        }
    }
    if let Some(refusal) = faults.refuses_web_identity(now) {
        return Err(broken::web_identity(refusal));
    }
    let issuer = oidc::issuer(token).ok_or_else(|| {
        AwsError::new(
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    })?;
    let provider = identities.provider(&issuer).cloned().ok_or_else(|| {
        AwsError::new(
            "InvalidIdentityToken",
            format!("No OpenIDConnect provider found in your account for {issuer}"),
        )
    })?;
    let keys = match keys {
        Some(Ok(keys)) => keys,
        Some(Err(error)) => {
            return Err(AwsError::new(
                "IDPCommunicationError",
                format!("Couldn't reach the identity provider: {error}"),
            ));
        }
        None => return Err(AwsError::new("IDPCommunicationError", "Couldn't reach the identity provider")),
    };
    let claims = oidc::verify(token, &provider, &keys, now)?;

    let denied = || {
        AwsError::new("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity").status(403)
    };
    let provider_arn = identities.provider_arn(&provider);
    let role = identities.role(role_arn).ok_or_else(denied)?;
    let mut context = super::iam::Context::default().with(&format!("{}:sub", provider.name), &claims.sub);
    for audience in claims.aud.all() {
        context = context.with(&format!("{}:aud", provider.name), audience);
    }
    let access = Access {
        action: "sts:AssumeRoleWithWebIdentity",
        resource: role_arn,
        principal: Some(("Federated", &provider_arn)),
        context: &context,
    };
    if decide(std::slice::from_ref(&role.trust), &access) != Decision::Allowed {
        return Err(denied());
    }
    let expires = now + duration(form, role.max_session)?;
    let life = Life::until(expires, session_name, faults, now);
    let session = identities.open_session(role_arn, session_name, life, ids).ok_or_else(denied)?;
    let expires = session.expires;

    let mut doc = Writer::new();
    doc.open_with("AssumeRoleWithWebIdentityResponse", NAMESPACE).open("AssumeRoleWithWebIdentityResult");
    doc.text("SubjectFromWebIdentityToken", &claims.sub);
    doc.text("Audience", claims.aud.all().first().map_or("", String::as_str));
    doc.text("Provider", &provider_arn);
    doc.open("AssumedRoleUser").text("Arn", &session.arn).text("AssumedRoleId", &session.user_id);
    doc.close("AssumedRoleUser").open("Credentials");
    doc.text("AccessKeyId", &session.access_key_id).text("SecretAccessKey", &session.secret_access_key);
    doc.text("SessionToken", &session.token).text("Expiration", &seconds(expires)).close("Credentials");
    doc.close("AssumeRoleWithWebIdentityResult");
    metadata(&mut doc, ids);
    doc.close("AssumeRoleWithWebIdentityResponse");
    let mut answer = Answer::xml(200, "text/xml", doc.finish());
    answer.record =
        Some(json!({ "Provider": provider_arn, "Arn": session.arn, "Expiration": seconds(expires) }));
    Ok((answer, session.arn))
}

/// `GetCallerIdentity`: needs no permission.
pub(crate) fn get_caller_identity(caller: &Caller, ids: &mut Ids) -> Answer {
    let mut doc = Writer::new();
    doc.open_with("GetCallerIdentityResponse", NAMESPACE).open("GetCallerIdentityResult");
    doc.text("Arn", &caller.arn).text("UserId", &caller.user_id).text("Account", &caller.account);
    doc.close("GetCallerIdentityResult");
    metadata(&mut doc, ids);
    doc.close("GetCallerIdentityResponse");
    let mut answer = Answer::xml(200, "text/xml", doc.finish());
    answer.record = Some(json!({ "Arn": caller.arn }));
    answer
}

fn metadata(doc: &mut Writer, ids: &mut Ids) {
    doc.open("ResponseMetadata").text("RequestId", &ids.uuid()).close("ResponseMetadata");
}

fn duration(form: &Form, max: Duration) -> Result<Duration, AwsError> {
    let Some(text) = form.get("DurationSeconds") else {
        return Ok(Duration::from_hours(1));
    };
    let wanted: u64 =
        text.parse().map_err(|_| validation(format!("'{text}' at 'durationSeconds' is no number")))?;
    if wanted < 900 {
        return Err(validation(format!(
            "Value '{wanted}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater \
             than or equal to 900"
        )));
    }
    let wanted = Duration::from_secs(wanted);
    if wanted > max {
        return Err(AwsError::new(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(wanted)
}

fn validation(message: impl std::fmt::Display) -> AwsError {
    AwsError::new("ValidationError", format!("1 validation error detected: {message}"))
}

/// A time as XML answers carry it, in whole seconds.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
