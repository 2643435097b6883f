//! Web identity tokens: the issuer's keys are fetched, the token is verified with them.

use jiff::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::error::AwsError;
use super::identity::OidcProvider;

/// The claims that STS looks at.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Claims {
    /// The issuer.
    pub(crate) iss: String,
    /// Who the token speaks of.
    pub(crate) sub: String,
    /// For whom it is meant.
    pub(crate) aud: Audience,
    /// End of its life in seconds since 1970.
    pub(crate) exp: i64,
    /// Begin of its life in seconds since 1970.
    #[serde(default)]
    pub(crate) nbf: Option<i64>,
}

/// One audience or several.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    /// The usual form.
    One(String),
    /// The form that the standard also allows.
    Many(Vec<String>),
}

impl Audience {
    /// All audiences.
    pub(crate) fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Reads a token's issuer without trusting it, to know whose keys to fetch.
pub(crate) fn issuer(token: &str) -> Option<String> {
    jsonwebtoken::dangerous::insecure_decode::<Claims>(token).ok().map(|token| token.claims.iss)
}

/// Why an issuer's keys could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{what} of {issuer} could not be read")]
pub(crate) struct FetchError {
    issuer: String,
    what: &'static str,
    #[source]
    source: reqwest::Error,
}

/// Fetches the keys of an issuer: its discovery document, then what that names.
pub(crate) async fn fetch_keys(client: &reqwest::Client, issuer: &str) -> Result<JwkSet, FetchError> {
    #[derive(Deserialize)]
    struct Discovery {
        jwks_uri: String,
    }
    let failed = |what| move |source| FetchError { issuer: issuer.to_owned(), what, source };
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let discovery = failed("the discovery document");
    let answer = client.get(address).send().await.and_then(reqwest::Response::error_for_status);
    let document: Discovery = match answer {
        Ok(answer) => answer.json().await.map_err(discovery)?,
        Err(error) => return Err(discovery(error)),
    };
    let keys = failed("the key set");
    match client.get(document.jwks_uri).send().await.and_then(reqwest::Response::error_for_status) {
        Ok(answer) => answer.json().await.map_err(keys),
        Err(error) => Err(keys(error)),
    }
}

/// Verifies a token: signature, audience, life. The trust policy is not asked here.
pub(crate) fn verify(
    token: &str,
    provider: &OidcProvider,
    keys: &JwkSet,
    now: Timestamp,
) -> Result<Claims, AwsError> {
    let invalid = |message: &str| AwsError::new("InvalidIdentityToken", message);
    let header = jsonwebtoken::decode_header(token).map_err(|_| {
        invalid(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    })?;
    let key = header
        .kid
        .as_deref()
        .and_then(|kid| keys.find(kid))
        .and_then(|jwk| DecodingKey::from_jwk(jwk).ok())
        .ok_or_else(|| {
            invalid(
                "Couldn't retrieve verification key from your identity provider, please reference \
                 AssumeRoleWithWebIdentity documentation for requirements",
            )
        })?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::ES256) {
        return Err(invalid("The ID Token's signing algorithm is not supported"));
    }
    // Life and audience are checked below, against the simulator's own clock and with STS's words.
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
        .map_err(|_| invalid("The signature or the claims of the ID Token are not valid"))?
        .claims;
    if !claims.aud.all().iter().any(|audience| provider.client_ids.contains(audience)) {
        return Err(invalid("Incorrect token audience"));
    }
    if claims.exp <= now.as_second() {
        return Err(AwsError::new(
            "ExpiredTokenException",
            format!(
                "Token expired: current date/time {} must be before the expiration date/time {}",
                now.as_second(),
                claims.exp
            ),
        ));
    }
    if claims.nbf.is_some_and(|begin| begin > now.as_second()) {
        return Err(invalid("The ID Token is not valid yet"));
    }
    Ok(claims)
}
