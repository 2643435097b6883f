//! What a repository or an organisation tells its workflows: an environment, variables, secrets.
//!
//! A secret leaves this process only sealed for GitHub, as a sealed box of libsodium. Whoever configures is a
//! person with a token: Fleetfoot's own App has no permission for it. Source: GitHub REST API, "GitHub Actions
//! Secrets", "GitHub Actions Variables" and "Deployment environments"; GitHub docs, "Encrypting secrets for the
//! REST API".

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use fleetfoot_core::connect::{Environment, SettingName, Variable, Visibility};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_net::Network;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use crate::auth::{Clock, Credentials};
use crate::client::{Call, Client};
use crate::refusal::Operation;
use crate::scope::{Scope, Target};

/// Entries on a page; GitHub gives thirty variables at most.
const PER_PAGE: usize = 30;

/// The settings of a repository, of one of its environments, or of an organisation.
#[derive(Debug)]
pub struct Settings {
    client: Client,
    environment: Option<String>,
}

#[derive(Deserialize)]
struct Variables {
    total_count: usize,
    variables: Vec<NamedVariable>,
}

#[derive(Deserialize)]
struct NamedVariable {
    name: String,
    value: String,
    visibility: Option<Seen>,
}

#[derive(Deserialize)]
struct Secrets {
    total_count: usize,
    secrets: Vec<NamedSecret>,
}

#[derive(Deserialize)]
struct NamedSecret {
    name: String,
    visibility: Option<Seen>,
}

/// A visibility, as GitHub writes it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Seen {
    All,
    Private,
    Selected,
}

impl From<Seen> for Visibility {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::All => Self::All,
            Seen::Private => Self::Private,
            Seen::Selected => Self::Selected,
        }
    }
}

#[derive(Deserialize)]
struct SeenEnvironment {
    #[serde(default)]
    protection_rules: Vec<IgnoredAny>,
    #[serde(default)]
    deployment_branch_policy: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct SealingKey {
    key_id: String,
    key: String,
}

impl Settings {
    /// The settings of this repository or organisation, or of this environment of the repository. Calls nothing
    /// yet.
    ///
    /// # Errors
    /// `Invalid` if an organisation is to have an environment, or this machine trusts nobody.
    pub fn new(
        scope: Scope,
        environment: Option<String>,
        token: SecretString,
        clock: Clock,
        network: &Network,
    ) -> Result<Self, Fault> {
        if let Target::Enterprise(slug) = scope.target() {
            return Err(Fault::new(
                Class::Invalid,
                format!("configure {slug}"),
                "workflows find nothing of an enterprise's",
            )
            .remedy("name an organisation as OWNER, or a repository as OWNER/REPOSITORY"));
        }
        if let (Target::Organization(login), Some(environment)) = (scope.target(), &environment) {
            let what = format!("configure the environment {environment} of {login}");
            return Err(Fault::new(Class::Invalid, what, "only repositories have environments")
                .remedy("name one as OWNER/REPOSITORY, or no environment"));
        }
        Ok(Self { client: Client::new(scope, Credentials::Token(token), clock, network)?, environment })
    }

    /// The environment as it is.
    ///
    /// # Errors
    /// `Denied` if these credentials may not look; `NotFound` if there is no such repository for them.
    pub async fn environment(&self) -> Result<Environment, Fault> {
        let Some(path) = self.environment_path() else { return Ok(Environment::NotMeant) };
        let seen = Call::get(Operation::Look, self.what("look at"), path);
        match self.client.call::<SeenEnvironment>(&seen).await {
            Ok(SeenEnvironment { protection_rules, deployment_branch_policy }) => Ok(Environment::Present {
                guarded: !protection_rules.is_empty() || deployment_branch_policy.is_some(),
            }),
            Err(fault) if fault.class == Class::NotFound => {
                // GitHub says the same of a repository that is not there, or hidden.
                let prefix = self.client.wire.scope.rest_prefix();
                let what = format!("look at {}", self.client.wire.scope.target());
                self.client.call::<IgnoredAny>(&Call::get(Operation::Configure, what, prefix)).await?;
                Ok(Environment::Absent)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Makes the environment, without protection rules.
    ///
    /// # Errors
    /// `Denied` if these credentials may not.
    pub async fn make_environment(&self) -> Result<(), Fault> {
        let Some(path) = self.environment_path() else { return Ok(()) };
        let call = Call::put(Operation::Configure, self.what("make"), path, Value::Null);
        self.client.call::<IgnoredAny>(&call).await.map(drop)
    }

    /// Removes the environment with all that it holds. Removing one that is not there is no error.
    ///
    /// # Errors
    /// `Denied` if these credentials may not.
    pub async fn remove_environment(&self) -> Result<(), Fault> {
        let Some(path) = self.environment_path() else { return Ok(()) };
        self.remove(Call::delete(Operation::Configure, self.what("remove"), path)).await
    }

    /// The variables.
    ///
    /// # Errors
    /// `Denied` if these credentials may not look.
    pub async fn variables(&self) -> Result<BTreeMap<String, Variable>, Fault> {
        let what = self.what("read the variables of");
        let pages = |page: Variables| (page.total_count, page.variables);
        let all = self.pages(&what, "variables", pages).await?;
        let read = |seen: NamedVariable| {
            (seen.name, Variable { value: seen.value, visibility: seen.visibility.map(Into::into) })
        };
        Ok(all.into_iter().map(read).collect())
    }

    /// Sets a variable; `known` says whether there is one of this name. An organisation's new one is for its
    /// private repositories unless told otherwise.
    ///
    /// # Errors
    /// `Denied` if these credentials may not; `Invalid` if GitHub does not take the name or the value.
    pub async fn set_variable(
        &self,
        name: &SettingName,
        value: &str,
        visibility: Option<Visibility>,
        known: bool,
    ) -> Result<(), Fault> {
        let what = self.what(&format!("set the variable {name} of"));
        let mut body = json!({"name": name, "value": value});
        if let Some(visibility) = if known { visibility } else { self.visibility(visibility) } {
            body["visibility"] = json!(visibility);
        }
        let call = if known {
            Call::patch(Operation::Configure, what, self.path(&format!("variables/{name}")), body)
        } else {
            Call::post(Operation::Configure, what, self.path("variables"), body)
        };
        self.client.call::<IgnoredAny>(&call).await.map(drop)
    }

    /// Removes a variable. Removing one that is not there is no error.
    ///
    /// # Errors
    /// `Denied` if these credentials may not.
    pub async fn remove_variable(&self, name: &SettingName) -> Result<(), Fault> {
        let what = self.what(&format!("remove the variable {name} of"));
        self.remove(Call::delete(Operation::Configure, what, self.path(&format!("variables/{name}")))).await
    }

    /// The names of the secrets, with the visibility of an organisation's; nobody can read their values.
    ///
    /// # Errors
    /// `Denied` if these credentials may not look.
    pub async fn secrets(&self) -> Result<BTreeMap<String, Option<Visibility>>, Fault> {
        let what = self.what("list the secrets of");
        let all = self.pages(&what, "secrets", |page: Secrets| (page.total_count, page.secrets)).await?;
        Ok(all.into_iter().map(|seen| (seen.name, seen.visibility.map(Into::into))).collect())
    }

    /// Sets a secret, sealed for GitHub.
    ///
    /// # Errors
    /// `Denied` if these credentials may not; `Unknown` if GitHub's key cannot be used; `Invalid` for one of an
    /// organisation that is for selected repositories: GitHub would forget which.
    pub async fn set_secret(
        &self,
        name: &SettingName,
        value: &SecretString,
        visibility: Option<Visibility>,
    ) -> Result<(), Fault> {
        let what = self.what(&format!("set the secret {name} of"));
        let visibility = self.visibility(visibility);
        if visibility == Some(Visibility::Selected) {
            return Err(Fault::new(
                Class::Invalid,
                what,
                "it is for selected repositories, which would be forgotten",
            )
            .remedy(
                "set it in the organisation's settings, or make it visible to all or private repositories",
            ));
        }
        let call = Call::get(Operation::Configure, &what, self.path("secrets/public-key"));
        let key: SealingKey = self.client.call(&call).await?;
        let sealed = seal(value, &key.key).ok_or_else(|| {
            Fault::new(Class::Unknown, &what, "the public key that GitHub gave cannot be used")
        })?;
        let mut body = json!({"encrypted_value": sealed, "key_id": key.key_id});
        if let Some(visibility) = visibility {
            body["visibility"] = json!(visibility);
        }
        let call = Call::put(Operation::Configure, what, self.path(&format!("secrets/{name}")), body);
        self.client.call::<IgnoredAny>(&call).await.map(drop)
    }

    /// Removes a secret. Removing one that is not there is no error.
    ///
    /// # Errors
    /// `Denied` if these credentials may not.
    pub async fn remove_secret(&self, name: &SettingName) -> Result<(), Fault> {
        let what = self.what(&format!("remove the secret {name} of"));
        self.remove(Call::delete(Operation::Configure, what, self.path(&format!("secrets/{name}")))).await
    }

    async fn remove(&self, call: Call<'_>) -> Result<(), Fault> {
        match self.client.call::<IgnoredAny>(&call).await {
            Err(fault) if fault.class != Class::NotFound => Err(fault),
            _ => Ok(()),
        }
    }

    /// The visibility to ask for; only an organisation's settings have one, and they must.
    fn visibility(&self, wanted: Option<Visibility>) -> Option<Visibility> {
        match self.client.wire.scope.target() {
            Target::Organization(_) => Some(wanted.unwrap_or(Visibility::Private)),
            Target::Repository { .. } | Target::Enterprise(_) => None,
        }
    }

    async fn pages<P: DeserializeOwned, T>(
        &self,
        what: &str,
        path: &str,
        parts: impl Fn(P) -> (usize, Vec<T>),
    ) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        for page in 1_usize.. {
            let (per_page, number) = (PER_PAGE.to_string(), page.to_string());
            let query = [("per_page", per_page.as_str()), ("page", number.as_str())];
            let call = Call::get(Operation::Configure, what, self.path(path)).query(&query);
            let (total, some) = parts(self.client.call(&call).await?);
            let last = some.len() < PER_PAGE;
            all.extend(some);
            if last || all.len() >= total {
                break;
            }
        }
        Ok(all)
    }

    /// `set the variable X of` → `set the variable X of the environment dev of acme/shop`.
    fn what(&self, doing: &str) -> String {
        let target = self.client.wire.scope.target();
        match &self.environment {
            Some(environment) => format!("{doing} the environment {environment} of {target}"),
            None => format!("{doing} {target}"),
        }
    }

    fn environment_path(&self) -> Option<String> {
        let prefix = self.client.wire.scope.rest_prefix();
        let environment = self.environment.as_deref()?;
        // A slash in a name is part of the name.
        let encoded: String = url::form_urlencoded::byte_serialize(environment.as_bytes()).collect();
        Some(format!("{prefix}/environments/{}", encoded.replace('+', "%20")))
    }

    fn path(&self, rest: &str) -> String {
        let prefix = self.client.wire.scope.rest_prefix();
        self.environment_path()
            .map_or_else(|| format!("{prefix}/actions/{rest}"), |path| format!("{path}/{rest}"))
    }
}

/// A sealed box for this public key, in base64.
fn seal(value: &SecretString, key: &str) -> Option<String> {
    let key: [u8; 32] = STANDARD.decode(key).ok()?.try_into().ok()?;
    let sealed = PublicKey::from(key).seal(&mut OsRng, value.expose_secret().as_bytes()).ok()?;
    Some(STANDARD.encode(sealed))
}

#[cfg(test)]
mod tests {
    use crypto_box::SecretKey;

    use super::*;

    #[test]
    fn only_the_holder_of_the_key_opens_what_is_sealed() {
        let key = SecretKey::generate(&mut OsRng);
        let sealed = seal(&"s3cret".into(), &STANDARD.encode(key.public_key().as_bytes())).unwrap();
        let sealed = STANDARD.decode(sealed).unwrap();
        assert_eq!(key.unseal(&sealed).unwrap(), b"s3cret");
        assert!(SecretKey::generate(&mut OsRng).unseal(&sealed).is_err());
        assert_eq!(seal(&"s3cret".into(), "no key"), None);
    }
}
