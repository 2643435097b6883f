//! Apps from manifests: the page that a browser posts one to, and the code that the browser takes back.
//!
//! On the real GitHub a person who is logged in looks at the manifest and presses a button. Here whoever posts
//! is the owner, and has pressed it. Source: GitHub docs, "Registering a GitHub App from a manifest".

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use url::Url;

use super::accounts::App;
use super::keys::PrivateKey;
use super::permissions::Permissions;
use super::rest::ApiError;
use super::state::State;

/// How long a code is good.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// The longest name of an App.
const LONGEST_NAME: usize = 34;

/// Codes that nobody has come back with yet.
#[derive(Default)]
pub(crate) struct Manifests(BTreeMap<String, Pending>);

struct Pending {
    owner_id: u64,
    manifest: Manifest,
    until: Timestamp,
}

/// What is read of a manifest.
#[derive(Deserialize)]
struct Manifest {
    name: String,
    url: String,
    redirect_url: String,
    #[serde(default)]
    default_permissions: Permissions,
}

/// An App that a code was exchanged for: its id, and what GitHub shows this once.
pub(crate) struct Converted {
    pub(crate) id: u64,
    pub(crate) client_secret: String,
    pub(crate) pem: String,
}

impl State {
    /// A manifest is posted: where the browser is sent.
    pub(crate) fn post_manifest(
        &mut self,
        organization: Option<&str>,
        manifest: &str,
        state: Option<&str>,
        now: Timestamp,
    ) -> Result<Url, String> {
        let owner_id = match organization {
            Some(login) => self.accounts.account(login).filter(|account| account.is_organization()),
            None => self.accounts.by_id.values().find(|account| !account.is_organization()),
        }
        .map(|account| account.id)
        .ok_or("there is no such account")?;
        let manifest: Manifest = serde_json::from_str(manifest)
            .map_err(|error| format!("Invalid GitHub App configuration: {error}"))?;
        let length = manifest.name.chars().count();
        if length == 0 || length > LONGEST_NAME {
            return Err(format!("Name is too long (maximum is {LONGEST_NAME} characters)"));
        }
        if self.accounts.apps.values().any(|app| app.slug == slug(&manifest.name)) {
            return Err("Name is already taken".to_owned());
        }
        let web = |text: &str| {
            let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
            url.ok_or_else(|| format!("Url must be a web address: {text}"))
        };
        web(&manifest.url)?;
        let mut back = web(&manifest.redirect_url)?;
        let code = self.entropy.hex(40);
        back.query_pairs_mut().append_pair("code", &code);
        if let Some(state) = state {
            back.query_pairs_mut().append_pair("state", state);
        }
        self.manifests.0.insert(code, Pending { owner_id, manifest, until: now + LIFETIME });
        Ok(back)
    }

    /// Somebody comes back with a code: makes the App. A code is good once.
    pub(crate) fn convert_manifest(&mut self, code: &str, now: Timestamp) -> Result<Converted, ApiError> {
        let pending = self
            .manifests
            .0
            .remove(code)
            .filter(|pending| now < pending.until)
            .ok_or_else(ApiError::not_found)?;
        let key = PrivateKey::generate().map_err(|error| ApiError::new(500, error.to_string()))?;
        let id = self.accounts.apps.last_key_value().map_or(1_700_001, |(id, _)| id + 1);
        let app = App {
            id,
            client_id: format!("Iv23li{}", self.entropy.alphanumeric(14)),
            slug: slug(&pending.manifest.name),
            owner_id: pending.owner_id,
            permissions: pending.manifest.default_permissions,
            public_key: key.verifying,
            created_at: now,
        };
        self.accounts.apps.insert(id, app);
        let client_secret = self.entropy.hex(40);
        self.hand_out(&client_secret);
        self.hand_out(&key.pem);
        Ok(Converted { id, client_secret, pem: key.pem })
    }
}

/// The name in an App's address: small letters and digits, joined by dashes.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}
