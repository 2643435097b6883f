//! What a repository tells its workflows: an environment, variables, secrets.
//!
//! A secret leaves this process only sealed for GitHub, as a sealed box of libsodium. Source: GitHub REST API,
//! "GitHub Actions Secrets", "GitHub Actions Variables" and "Deployment environments"; GitHub docs,
//! "Encrypting secrets for the REST API".

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use fleetfoot_core::fault::{Class, Fault};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use crate::auth::{Clock, Credentials};
use crate::client::{Call, Client};
use crate::refusal::Operation;
use crate::scope::{Scope, Target};

/// Variables on a page; GitHub gives thirty at most.
const PER_PAGE: usize = 30;

/// The settings of a repository, or of one of its environments.
#[derive(Debug)]
pub struct Settings {
    client: Client,
    environment: Option<String>,
}

#[derive(Deserialize)]
struct Variables {
    total_count: usize,
    variables: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Secrets {
    total_count: usize,
    secrets: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct SealingKey {
    key_id: String,
    key: String,
}

impl Settings {
    /// The settings of this repository, or of this environment of it. Calls nothing yet.
    ///
    /// # Errors
    /// `Invalid` if the scope is no repository, or this machine's TLS settings cannot be used.
    pub fn new(
        scope: Scope,
        environment: Option<String>,
        credentials: Credentials,
        clock: Clock,
    ) -> Result<Self, Fault> {
        if let Target::Organization(login) = scope.target() {
            return Err(Fault::new(Class::Invalid, format!("configure {login}"), "it is no repository")
                .remedy("name one as OWNER/REPOSITORY"));
        }
        Ok(Self { client: Client::new(scope, credentials, clock)?, environment })
    }

    /// Whether the environment is there; a repository always is.
    ///
    /// # Errors
    /// `Denied` if these credentials may not look.
    pub async fn has_environment(&self) -> Result<bool, Fault> {
        let Some(path) = self.environment_path() else { return Ok(true) };
        match self.client.call::<IgnoredAny>(&Call::get(Operation::Look, self.what("look at"), path)).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.class == Class::NotFound => Ok(false),
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

    /// The variables.
    ///
    /// # Errors
    /// `Denied` if these credentials may not look.
    pub async fn variables(&self) -> Result<BTreeMap<String, String>, Fault> {
        let what = self.what("read the variables of");
        let pages = |page: Variables| (page.total_count, page.variables);
        let all = self.pages(&what, "variables", pages).await?;
        Ok(all.into_iter().map(|variable| (variable.name, variable.value)).collect())
    }

    /// Sets a variable; `known` says whether there is one of this name.
    ///
    /// # Errors
    /// `Denied` if these credentials may not; `Invalid` if GitHub does not take the name or the value.
    pub async fn set_variable(&self, name: &str, value: &str, known: bool) -> Result<(), Fault> {
        let what = self.what(&format!("set the variable {name} of"));
        let body = json!({"name": name, "value": value});
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
    pub async fn remove_variable(&self, name: &str) -> Result<(), Fault> {
        self.remove(&format!("variables/{name}"), &format!("remove the variable {name} of")).await
    }

    /// The names of the secrets; nobody can read their values.
    ///
    /// # Errors
    /// `Denied` if these credentials may not look.
    pub async fn secrets(&self) -> Result<BTreeSet<String>, Fault> {
        let what = self.what("list the secrets of");
        let all = self.pages(&what, "secrets", |page: Secrets| (page.total_count, page.secrets)).await?;
        Ok(all.into_iter().map(|secret| secret.name).collect())
    }

    /// Sets a secret, sealed for GitHub.
    ///
    /// # Errors
    /// `Denied` if these credentials may not; `Unknown` if GitHub's key cannot be used.
    pub async fn set_secret(&self, name: &str, value: &SecretString) -> Result<(), Fault> {
        let what = self.what(&format!("set the secret {name} of"));
        let call = Call::get(Operation::Configure, &what, self.path("secrets/public-key"));
        let key: SealingKey = self.client.call(&call).await?;
        let sealed = seal(value, &key.key).ok_or_else(|| {
            Fault::new(Class::Unknown, &what, "the public key that GitHub gave cannot be used")
        })?;
        let body = json!({"encrypted_value": sealed, "key_id": key.key_id});
        let call = Call::put(Operation::Configure, what, self.path(&format!("secrets/{name}")), body);
        self.client.call::<IgnoredAny>(&call).await.map(drop)
    }

    /// Removes a secret. Removing one that is not there is no error.
    ///
    /// # Errors
    /// `Denied` if these credentials may not.
    pub async fn remove_secret(&self, name: &str) -> Result<(), Fault> {
        self.remove(&format!("secrets/{name}"), &format!("remove the secret {name} of")).await
    }

    async fn remove(&self, path: &str, what: &str) -> Result<(), Fault> {
        let call = Call::delete(Operation::Configure, self.what(what), self.path(path));
        match self.client.call::<IgnoredAny>(&call).await {
            Err(fault) if fault.class != Class::NotFound => Err(fault),
            _ => Ok(()),
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
