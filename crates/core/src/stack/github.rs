//! Where runners are registered, and as whom.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where runners are registered, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitHub {
    /// The organisation, repository or enterprise: `https://github.com/acme`, `https://github.com/acme/shop` or
    /// `https://github.com/enterprises/acme`.
    pub url: String,
    /// Base address of the REST API, where it does not follow from `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// The GitHub App to act as. Without it a token is needed where the command runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
}

/// An address at GitHub in the form in which two are compared: GitHub's names know no case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme, host and port.
    pub(super) server: String,
    /// `acme`, `acme/shop` or `enterprises/acme`.
    path: String,
}

impl Address {
    /// Reads an address as people write it; `None` if it names nothing on a server.
    pub(super) fn read(url: &str) -> Option<Self> {
        let url = url.trim().to_ascii_lowercase();
        let (scheme, rest) = url.split_once("://")?;
        let (host, path) = rest.split_once('/')?;
        let path = path.trim_matches('/').trim_end_matches(".git");
        let named = !host.is_empty() && !path.is_empty();
        named.then(|| Self { server: format!("{scheme}://{host}"), path: path.to_owned() })
    }
}

/// A GitHub App and where its private key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Client id (`Iv23…`) or numeric app id.
    pub client_id: String,
    /// The installation on the owner that `github.url` names; looked up if absent, as those on other owners are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation_id: Option<u64>,
    /// Where the private key is.
    pub key: KeySource,
}

/// Where an App's private key is: `secretsmanager:<arn>`, `file:<path>`, `env:<variable>` or `kms:<arn>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^(kms|secretsmanager|file|env):.+$"))]
pub enum KeySource {
    /// A key in AWS KMS that never leaves it.
    Kms(String),
    /// A secret in AWS Secrets Manager that holds the PEM.
    SecretsManager(String),
    /// A PEM file.
    File(String),
    /// An environment variable that holds the PEM.
    Env(String),
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        match value.split_once(':') {
            Some((_, "")) | None => {}
            Some(("kms", rest)) => return Ok(Self::Kms(rest.to_owned())),
            Some(("secretsmanager", rest)) => return Ok(Self::SecretsManager(rest.to_owned())),
            Some(("file", rest)) => return Ok(Self::File(rest.to_owned())),
            Some(("env", rest)) => return Ok(Self::Env(rest.to_owned())),
            Some(_) => {}
        }
        // The value is not repeated: somebody may have pasted the key itself.
        Err("a key is named as secretsmanager:ARN, file:PATH, env:VARIABLE or kms:ARN".to_owned())
    }
}

impl TryFrom<String> for KeySource {
    type Error = String;

    fn try_from(value: String) -> Result<Self, String> {
        value.parse()
    }
}

impl From<KeySource> for String {
    fn from(source: KeySource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kms(arn) => write!(f, "kms:{arn}"),
            Self::SecretsManager(arn) => write!(f, "secretsmanager:{arn}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Env(variable) => write!(f, "env:{variable}"),
        }
    }
}
