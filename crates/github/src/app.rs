//! Tokens of a GitHub App: the App signs a JWT, GitHub gives an installation token for it.
//!
//! A token is asked for with the least that its calls need: one repository where that is all, and one
//! permission. It is kept until shortly before it ends. Its length and form are GitHub's business.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::Repository;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::auth::{App, Signer, TokenKind};
use crate::client::{Call, Wire, refuses_token};
use crate::refusal::{Access, Operation, Refusal};
use crate::scope::Target;

/// The JWT begins this long ago, for clocks that go ahead ("Generating a JSON Web Token for a GitHub App").
const BACKDATED: SignedDuration = SignedDuration::from_secs(60);

/// The JWT ends then; GitHub refuses more than ten minutes.
const LIFETIME: SignedDuration = SignedDuration::from_mins(9);

/// A token is renewed when it has less than this left.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// The App's JWT, `header.claims.signature`.
pub(crate) async fn jwt(client_id: &str, signer: &dyn Signer, now: Timestamp) -> Result<SecretString, Fault> {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"alg": "RS256", "typ": "JWT"}));
    let claims = part(json!({
        "iat": (now - BACKDATED).as_second(),
        "exp": (now + LIFETIME).as_second(),
        "iss": client_id,
    }));
    let message = format!("{header}.{claims}");
    let signature = signer.signature(message.as_bytes()).await?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Clone, Deserialize)]
struct InstallationToken {
    token: SecretString,
    expires_at: Timestamp,
}

/// The current installation token of one App, for one purpose.
pub(crate) struct InstallationTokens {
    access: Access,
    /// The one repository that it is for; `None`: the target itself.
    repository: Option<Repository>,
    // Held while a token is made, so that many callers make one.
    current: Mutex<Option<InstallationToken>>,
}

impl std::fmt::Debug for InstallationTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InstallationTokens")
    }
}

impl InstallationTokens {
    /// Tokens to manage the target's runners.
    pub(crate) fn for_runners() -> Self {
        Self { access: Access::Runners, repository: None, current: Mutex::default() }
    }

    /// Tokens to read the runs of this repository: an organisation's runners are started by runs of many.
    pub(crate) fn for_runs_of(repository: Repository) -> Self {
        Self { access: Access::Runs, repository: Some(repository), current: Mutex::default() }
    }

    /// A token with some life left in it.
    pub(crate) async fn current(&self, wire: &Wire, app: &App) -> Result<SecretString, Fault> {
        let mut current = self.current.lock().await;
        let now = wire.clock.now();
        if let Some(token) = current.as_ref().filter(|token| now + MARGIN < token.expires_at) {
            return Ok(token.token.clone());
        }
        let made = self.make(wire, app, now).await?;
        Ok(current.insert(made).token.clone())
    }

    /// Forgets the token if this fault refuses it; says whether there was one to forget.
    pub(crate) async fn forget_refused(&self, fault: &Fault) -> bool {
        let refused = fault
            .source
            .as_ref()
            .and_then(|source| source.downcast_ref::<Refusal>())
            .is_some_and(|refusal| refuses_token(refusal.status));
        refused && self.current.lock().await.take().is_some()
    }

    async fn make(&self, wire: &Wire, app: &App, now: Timestamp) -> Result<InstallationToken, Fault> {
        let target = wire.scope.target();
        let whose = self.repository.as_ref().map_or_else(|| target.to_string(), ToString::to_string);
        let what = format!("get a token of the GitHub App for {whose}");
        let wish = match (&self.repository, target) {
            (Some(repository), _) => {
                json!({"repositories": [repository.name()], "permissions": {"actions": "read"}})
            }
            (None, Target::Enterprise(_)) => return Err(not_for_enterprises(what)),
            (None, Target::Repository { name, .. }) => {
                json!({"repositories": [name], "permissions": {"administration": "write"}})
            }
            (None, Target::Organization(_)) => {
                json!({"permissions": {"organization_self_hosted_runners": "write"}})
            }
        };
        let jwt = jwt(&app.client_id, app.signer.as_ref(), now).await?;
        let installation = installation(wire, app, &jwt).await?;
        let path = format!("/app/installations/{installation}/access_tokens");
        let call = Call::post(Operation::MakeToken(self.access), what, path, wish).repeatable();
        // The body holds the token; it is wiped, too.
        let body = Zeroizing::new(wire.send(&call, &jwt, TokenKind::AppJwt).await?);
        tracing::debug!(installation, "made an installation token");
        read(&call.what, &body)
    }
}

/// An App has no permission that would do ("Permissions required for GitHub Apps").
pub(crate) fn not_for_enterprises(what: String) -> Fault {
    Fault::new(Class::Invalid, what, "no GitHub App can manage the runners of an enterprise").remedy(
        "use a classic token with the scope `manage_runners:enterprise`, or register at an organisation",
    )
}

/// The installation that is configured, or the App's on the target.
pub(crate) async fn installation(wire: &Wire, app: &App, jwt: &SecretString) -> Result<u64, Fault> {
    match app.installation_id {
        Some(id) => Ok(id),
        None => find_installation(wire, jwt).await,
    }
}

async fn find_installation(wire: &Wire, jwt: &SecretString) -> Result<u64, Fault> {
    let call = Call::get(
        Operation::FindInstallation,
        format!("find the GitHub App's installation on {}", wire.scope.target()),
        format!("{}/installation", wire.scope.rest_prefix()),
    );
    let body = wire.send(&call, jwt, TokenKind::AppJwt).await?;
    Ok(read::<Installation>(&call.what, &body)?.id)
}

fn read<T: serde::de::DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Fault> {
    // Only the place is told: the text could quote the token.
    serde_json::from_slice(body).map_err(|error| {
        let why =
            format!("GitHub's answer cannot be read (line {}, column {})", error.line(), error.column());
        Fault::new(Class::Unknown, what, why)
    })
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use secrecy::ExposeSecret;

    use super::*;
    use crate::pem::PemSigner;
    use crate::pem::tests::key_pair;

    #[tokio::test]
    async fn the_jwt_is_what_github_asks_for() {
        let (private, public) = key_pair();
        let signer = PemSigner::from_pem(&private).unwrap();
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        let jwt = jwt("Iv23liClient", &signer, now).await.unwrap();

        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.set_issuer(&["Iv23liClient"]);
        let key = DecodingKey::from_rsa_der(&public);
        let read = jsonwebtoken::decode::<serde_json::Value>(jwt.expose_secret(), &key, &validation).unwrap();
        assert_eq!(
            read.claims,
            json!({"iat": 2_000_000_000 - 60, "exp": 2_000_000_000 + 540, "iss": "Iv23liClient"})
        );
    }
}
