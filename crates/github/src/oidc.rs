//! The ID token of a workflow job, with which AWS lets it assume a role.

use std::fmt;

use backon::Retryable;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_net::Network;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::client::{http, patience, transport};

const WHAT: &str = "get an OIDC token for this job";

/// What to write into the workflow when the job is offered no token.
pub(crate) const PERMISSION: &str =
    "add to the job or the workflow:\n  permissions:\n    id-token: write\n    contents: read";

/// Where a job asks for its ID token: `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`
/// (GitHub docs, "OpenID Connect reference").
#[derive(Debug, Clone)]
pub struct OidcEndpoint {
    url: Url,
    token: SecretString,
}

#[derive(Deserialize)]
struct Answer {
    value: SecretString,
}

impl OidcEndpoint {
    /// An endpoint from the two variables.
    ///
    /// # Errors
    /// `Invalid` if the address is none.
    pub fn new(url: &str, token: impl Into<SecretString>) -> Result<Self, Fault> {
        let url = Url::parse(url).map_err(|error| {
            Fault::new(Class::Invalid, WHAT, format!("ACTIONS_ID_TOKEN_REQUEST_URL is no address: {error}"))
        })?;
        Ok(Self { url, token: token.into() })
    }

    /// Asks for a token for this audience: `sts.amazonaws.com` for AWS. It lives some minutes.
    ///
    /// # Errors
    /// `Denied` when the job's permission is refused, `Unknown` when GitHub cannot be reached.
    pub async fn fetch(&self, audience: &str, network: &Network) -> Result<IdToken, Fault> {
        let client = http(network)?;
        let broken = |error| transport(network, WHAT, error);
        let url = self.address(audience);
        let once = || async {
            let request = client
                .get(url.clone())
                .header(ACCEPT, "application/json")
                .bearer_auth(self.token.expose_secret());
            let answer = request.send().await.map_err(broken)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
                return Err(network.proxy_refuses(answer.url()).into_fault(WHAT, "check the proxy"));
            }
            let body = answer.bytes().await.map_err(broken)?;
            if status.is_success() {
                let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
                    Fault::new(Class::Unknown, WHAT, "the OIDC service's answer holds no token")
                })?;
                return Ok(IdToken(answer.value));
            }
            Err(refused(status.as_u16(), &headers))
        };
        once.retry(patience()).when(|fault: &Fault| fault.class == Class::Unknown).await
    }

    /// The address GitHub gives has a query already, so the audience is appended to it.
    fn address(&self, audience: &str) -> Url {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        url
    }
}

fn refused(status: u16, headers: &HeaderMap) -> Fault {
    let why = format!("the OIDC service answered {status}");
    match status {
        429 => {
            let seconds = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let retry_after = seconds.map(std::time::Duration::from_secs);
            Fault::new(Class::Throttled { retry_after }, WHAT, why)
        }
        401 | 403 => Fault::new(Class::Denied, WHAT, why)
            .remedy(format!("the job's request token ended with its job, or the job may not: {PERMISSION}")),
        408 | 500..=599 => Fault::new(Class::Unknown, WHAT, why).remedy("see https://www.githubstatus.com"),
        _ => Fault::new(Class::Invalid, WHAT, why),
    }
}

/// An ID token. Whoever has it is the job, to everybody who trusts GitHub.
#[derive(Clone)]
pub struct IdToken(SecretString);

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken")
    }
}

/// What a token says of its job. **Not verified**: for messages only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// Issuer: `https://token.actions.githubusercontent.com`.
    pub iss: String,
    /// Subject, which trust policies compare: `repo:acme/shop:ref:refs/heads/main`.
    pub sub: String,
    /// Audiences.
    #[serde(deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(deserializer)? {
        Audience::One(one) => vec![one],
        Audience::Many(many) => many,
    })
}

impl IdToken {
    /// A token from elsewhere.
    pub fn new(token: impl Into<SecretString>) -> Self {
        Self(token.into())
    }

    /// The token itself.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// What it says, read without checking the signature; `None` if it has not the form of a JWT.
    pub fn claims(&self) -> Option<Claims> {
        let claims = self.0.expose_secret().split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> IdToken {
        IdToken::new(format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn the_audience_joins_an_existing_query() {
        for (given, asked) in [
            ("https://x.dev/token?api-version=2.0", "https://x.dev/token?api-version=2.0&audience=a%2Fb"),
            ("https://x.dev/token", "https://x.dev/token?audience=a%2Fb"),
        ] {
            assert_eq!(OidcEndpoint::new(given, "t").unwrap().address("a/b").as_str(), asked);
        }
    }

    #[test]
    fn claims_are_read_for_messages() {
        let claims = token(r#"{"iss":"i","sub":"repo:acme/shop:environment:prod","aud":"sts","exp":1}"#);
        let claims = claims.claims().unwrap();
        assert_eq!(claims.sub, "repo:acme/shop:environment:prod");
        assert_eq!(claims.aud, ["sts"]);
        assert_eq!(token(r#"{"iss":"i","sub":"s","aud":["a","b"]}"#).claims().unwrap().aud, ["a", "b"]);
        assert_eq!(IdToken::new("no jwt").claims(), None);
    }

    #[test]
    fn nothing_secret_shows() {
        let endpoint = OidcEndpoint::new("https://x.dev/token", "s3cret").unwrap();
        assert!(!format!("{endpoint:?}{:?}", IdToken::new("s3cret")).contains("s3cret"));
    }
}
