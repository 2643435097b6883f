//! Authentication: who signed a request, and is the signature right.
//!
//! Every service verifies alike and words its refusals differently; [`Failure::into_error`] holds the
//! words. Sources: IAM User Guide, "Troubleshooting Signature Version 4", and S3 API Reference, "Error
//! responses".

use jiff::{SignedDuration, Timestamp};

use super::error::AwsError;
use super::identity::{Caller, Identities};
use super::sigv4::chunked::{self, ChunkError, Seed};
use super::sigv4::{self, Authorization, sha256_hex};
use super::wire::Request;

/// How far a request's time may be off, in minutes.
const CLOCK_SKEW: i64 = 5;
/// How far it may be off at S3.
const S3_CLOCK_SKEW: i64 = 15;

/// The three protocols, each with its own names for the same refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON 1.1: ECS, SSM, Secrets Manager, KMS, Logs, Service Quotas.
    Json,
    /// Query with XML answers: STS, EC2.
    Query,
    /// S3's REST.
    S3,
}

/// Why a request is not who it says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No Authorization header.
    Missing,
    /// The header, or one that it needs, is broken.
    Incomplete,
    /// Nobody has this access key.
    UnknownKey,
    /// The session token does not belong to the key.
    WrongToken,
    /// The session is over.
    Expired,
    /// The signature is not the one of this request.
    Signature,
    /// The request is too old or from the future.
    Skewed {
        /// When it says that it was signed.
        signed: Timestamp,
        /// What the service's clock says.
        now: Timestamp,
    },
    /// The body is not the one that was signed.
    BodyHash,
    /// The body's chunks are broken.
    Chunks,
    /// A presigned URL.
    Presigned,
    /// The key is scoped to another service than this one.
    Scope(&'static str),
}

impl Failure {
    /// The refusal as the protocol words it.
    pub(crate) fn into_error(self, protocol: Protocol) -> AwsError {
        const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. \
                                Check your AWS Secret Access Key and signing method.";
        let pick = |json: (&'static str, u16),
                    query: (&'static str, u16),
                    s3: (&'static str, u16),
                    message: &str| {
            let (code, status) = match protocol {
                Protocol::Json => json,
                Protocol::Query => query,
                Protocol::S3 => s3,
            };
            AwsError::new(code, message).status(status)
        };
        match self {
            Self::Missing => pick(
                ("MissingAuthenticationTokenException", 400),
                ("MissingAuthenticationToken", 403),
                ("AccessDenied", 403),
                "Request is missing Authentication Token",
            ),
            Self::Incomplete => pick(
                ("IncompleteSignatureException", 400),
                ("IncompleteSignature", 400),
                ("AuthorizationHeaderMalformed", 400),
                "The authorization header that you provided is not valid",
            ),
            Self::UnknownKey => pick(
                ("UnrecognizedClientException", 400),
                ("InvalidClientTokenId", 403),
                ("InvalidAccessKeyId", 403),
                match protocol {
                    Protocol::S3 => "The AWS Access Key Id you provided does not exist in our records.",
                    _ => "The security token included in the request is invalid.",
                },
            ),
            Self::WrongToken => pick(
                ("UnrecognizedClientException", 400),
                ("InvalidClientTokenId", 403),
                ("InvalidToken", 400),
                match protocol {
                    Protocol::S3 => "The provided token is malformed or otherwise invalid.",
                    _ => "The security token included in the request is invalid.",
                },
            ),
            Self::Expired => pick(
                ("ExpiredTokenException", 400),
                ("ExpiredToken", 403),
                ("ExpiredToken", 400),
                match protocol {
                    Protocol::S3 => "The provided token has expired.",
                    _ => "The security token included in the request is expired",
                },
            ),
            Self::Signature => pick(
                ("InvalidSignatureException", 400),
                ("SignatureDoesNotMatch", 403),
                ("SignatureDoesNotMatch", 403),
                MISMATCH,
            ),
            Self::Skewed { signed, now } => match protocol {
                Protocol::S3 => AwsError::new(
                    "RequestTimeTooSkewed",
                    "The difference between the request time and the current time is too large.",
                )
                .status(403)
                .member("RequestTime", amz_date(signed).into())
                .member("ServerTime", now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into())
                .member("MaxAllowedSkewMilliseconds", (S3_CLOCK_SKEW * 60_000).to_string().into()),
                Protocol::Json | Protocol::Query => pick(
                    ("InvalidSignatureException", 400),
                    ("SignatureDoesNotMatch", 403),
                    ("RequestTimeTooSkewed", 403),
                    &skewed(signed, now),
                ),
            },
            Self::BodyHash => pick(
                ("InvalidSignatureException", 400),
                ("SignatureDoesNotMatch", 403),
                ("XAmzContentSHA256Mismatch", 400),
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            Self::Chunks => AwsError::new(
                "IncompleteBody",
                "The request body terminated unexpectedly or its chunks are malformed",
            ),
            Self::Presigned => AwsError::not_simulated("a presigned URL"),
            Self::Scope(service) => pick(
                ("InvalidSignatureException", 400),
                ("SignatureDoesNotMatch", 403),
                ("AuthorizationHeaderMalformed", 400),
                &format!("Credential should be scoped to correct service: '{service}'."),
            ),
        }
    }
}

/// Verifies a request to a service; gives the caller and the body without its transfer framing.
pub(crate) fn authenticate(
    identities: &Identities,
    service: &'static str,
    request: &Request,
    now: Timestamp,
) -> Result<(Caller, Vec<u8>), Failure> {
    let Some(header) = request.header("authorization") else {
        let presigned = request.query_value("X-Amz-Signature").is_some();
        return Err(if presigned { Failure::Presigned } else { Failure::Missing });
    };
    let authorization = Authorization::parse(header).ok_or(Failure::Incomplete)?;
    let amz_date = request.header("x-amz-date").ok_or(Failure::Incomplete)?;
    let signed_at = Timestamp::strptime("%Y%m%dT%H%M%S%z", amz_date.replace('Z', "+0000"))
        .map_err(|_| Failure::Incomplete)?;
    if !authorization.signed_headers.iter().any(|name| name == "host") {
        return Err(Failure::Incomplete);
    }
    if authorization.service != service {
        return Err(Failure::Scope(service));
    }
    let key = identities.key(&authorization.access_key).ok_or(Failure::UnknownKey)?;
    if key.token.as_deref() != request.header("x-amz-security-token") {
        return Err(Failure::WrongToken);
    }
    if key.expires.is_some_and(|expires| expires <= now) {
        return Err(Failure::Expired);
    }
    if !amz_date.starts_with(&authorization.date) {
        return Err(Failure::Incomplete);
    }
    let allowed = SignedDuration::from_mins(if service == "s3" { S3_CLOCK_SKEW } else { CLOCK_SKEW });
    if now.duration_since(signed_at).abs() > allowed {
        return Err(Failure::Skewed { signed: signed_at, now });
    }
    let computed = sha256_hex(&request.body);
    let payload_hash = request.header("x-amz-content-sha256").unwrap_or(&computed);
    if !sigv4::verify(request, &authorization, amz_date, payload_hash, &key.secret) {
        return Err(Failure::Signature);
    }
    let body = match payload_hash {
        "UNSIGNED-PAYLOAD" => request.body.clone(),
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => dechunk(&request.body, None)?,
        streaming if streaming.starts_with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD") => {
            let seed = Seed { authorization: &authorization, amz_date, secret: &key.secret };
            dechunk(&request.body, Some(&seed))?
        }
        hash if hash == computed => request.body.clone(),
        _ => return Err(Failure::BodyHash),
    };
    Ok((identities.caller(key), body))
}

/// A time as signatures have it.
fn amz_date(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// How a request that is too old or from the future is refused.
fn skewed(signed: Timestamp, now: Timestamp) -> String {
    let window = SignedDuration::from_mins(CLOCK_SKEW);
    let (what, bound, sign) = if signed < now {
        ("Signature expired: {} is now earlier than", now.saturating_sub(window), '-')
    } else {
        ("Signature not yet current: {} is still later than", now.saturating_add(window), '+')
    };
    let what = what.replace("{}", &amz_date(signed));
    format!("{what} {} ({} {sign} {CLOCK_SKEW} min.)", amz_date(bound.unwrap_or(now)), amz_date(now))
}

fn dechunk(body: &[u8], seed: Option<&Seed<'_>>) -> Result<Vec<u8>, Failure> {
    chunked::decode(body, seed).map_err(|error| match error {
        ChunkError::Malformed => Failure::Chunks,
        ChunkError::Signature => Failure::Signature,
    })
}

#[cfg(test)]
mod tests {
    use super::super::identity::{Life, User};
    use super::super::ids::Ids;
    use super::super::testing::sign;
    use super::*;

    fn identities() -> Identities {
        let mut identities = Identities::new("123456789012", "eu-west-1");
        let user = User {
            name: "dev".into(),
            access_key_id: "AKIADEV".into(),
            secret_access_key: "secret".into(),
            policies: vec![],
        };
        identities.add_user(user, &mut Ids::new(Some(1))).unwrap();
        identities
    }

    #[test]
    fn a_signed_request_has_a_caller_and_others_have_none() {
        let now: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        let mut request = Request {
            method: "POST".into(),
            path: "/".into(),
            headers: vec![("host".into(), "127.0.0.1:1".into())],
            body: b"{}".to_vec(),
            ..Request::default()
        };
        assert_eq!(authenticate(&identities(), "ecs", &request, now).err(), Some(Failure::Missing));
        let unsigned = request.clone();
        sign(&mut request, "AKIADEV", "secret", None, "ecs", now);
        let (caller, body) = authenticate(&identities(), "ecs", &request, now).ok().unwrap();
        assert_eq!(
            (caller.arn.as_str(), body.as_slice()),
            ("arn:aws:iam::123456789012:user/dev", &b"{}"[..])
        );

        for (minutes, words) in [
            (
                6,
                "Signature expired: 20260501T100000Z is now earlier than 20260501T100100Z (20260501T100600Z - 5 min.)",
            ),
            (
                -6,
                "Signature not yet current: 20260501T100000Z is still later than 20260501T095900Z \
                 (20260501T095400Z + 5 min.)",
            ),
        ] {
            let at = now + SignedDuration::from_mins(minutes);
            let failure = authenticate(&identities(), "ecs", &request, at).err().unwrap();
            assert_eq!(failure, Failure::Skewed { signed: now, now: at });
            assert_eq!(failure.into_error(Protocol::Json).message, words);
        }
        let tampered = Request { body: b"{ }".to_vec(), ..request };
        assert_eq!(authenticate(&identities(), "ecs", &tampered, now).err(), Some(Failure::BodyHash));
        for (key, secret, token, failure) in [
            ("AKIANO", "secret", None, Failure::UnknownKey),
            ("AKIADEV", "wrong", None, Failure::Signature),
            ("AKIADEV", "secret", Some("token"), Failure::WrongToken),
        ] {
            let mut request = unsigned.clone();
            sign(&mut request, key, secret, token, "ecs", now);
            assert_eq!(authenticate(&identities(), "ecs", &request, now).err(), Some(failure));
        }
    }

    #[test]
    fn a_session_ends() {
        let now: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        let mut ids = Ids::new(Some(1));
        let mut identities = identities();
        let trust = serde_json::json!({ "Statement": [] });
        let arn =
            identities.add_role(super::super::identity::Role::new("r", trust, vec![]), &mut ids).unwrap();
        let end = now + SignedDuration::from_secs(900);
        let life = Life { told: end, ends: end };
        let session = identities.open_session(&arn, "s", life, &mut ids).unwrap();
        for (after, failure) in [(899, None), (900, Some(Failure::Expired))] {
            let at = now + SignedDuration::from_secs(after);
            let mut request = Request { method: "GET".into(), path: "/b/k".into(), ..Request::default() };
            request.headers.push(("host".into(), "h".into()));
            let token = Some(session.token.as_str());
            sign(&mut request, &session.access_key_id, &session.secret_access_key, token, "s3", at);
            assert_eq!(authenticate(&identities, "s3", &request, at).err(), failure);
        }
    }

    #[test]
    fn each_protocol_has_its_words() {
        let codes = |failure: Failure| {
            [Protocol::Json, Protocol::Query, Protocol::S3].map(|p| failure.clone().into_error(p).code)
        };
        assert_eq!(
            codes(Failure::UnknownKey),
            ["UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"]
        );
        assert_eq!(codes(Failure::Expired), ["ExpiredTokenException", "ExpiredToken", "ExpiredToken"]);
    }
}
