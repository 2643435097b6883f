//! Secrets Manager: what GetSecretValue does. Source: Secrets Manager API Reference.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::AwsError;
use super::identity::Caller;
use super::ids::Ids;
use super::ssm::epoch;
use super::wire::{Answer, decode};

struct Secret {
    arn: String,
    value: String,
    version_id: String,
    created: Timestamp,
}

/// All secrets, by name.
#[derive(Default)]
pub(crate) struct Secrets(BTreeMap<String, Secret>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

impl Secrets {
    /// Sets a secret from outside; gives its ARN, which ends in six random characters.
    pub(crate) fn set(
        &mut self,
        name: &str,
        value: &str,
        (region, account): (&str, &str),
        ids: &mut Ids,
        now: Timestamp,
    ) -> String {
        let arn = match self.0.get(name) {
            Some(known) => known.arn.clone(),
            None => format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}-{}", ids.hex(6)),
        };
        let secret =
            Secret { arn: arn.clone(), value: value.to_owned(), version_id: ids.uuid(), created: now };
        self.0.insert(name.to_owned(), secret);
        arn
    }

    /// Answers an operation.
    pub(crate) fn answer(
        &self,
        operation: &str,
        body: &Value,
        caller: &Caller,
        region: &str,
    ) -> Result<Answer, AwsError> {
        if operation != "GetSecretValue" {
            return Err(AwsError::not_simulated(format!("secretsmanager.{operation}")));
        }
        let get: GetSecretValue = decode(body)?;
        let found =
            self.0.iter().find(|(name, secret)| **name == get.secret_id || secret.arn == get.secret_id);
        let arn = match found {
            Some((_, secret)) => secret.arn.clone(),
            None if get.secret_id.starts_with("arn:") => get.secret_id.clone(),
            // Nobody knows the six characters of a secret that is not there.
            None => format!("arn:aws:secretsmanager:{region}:{}:secret:{}", caller.account, get.secret_id),
        };
        caller.check("secretsmanager:GetSecretValue", &arn, &caller.context())?;
        let missing = |message: &str| AwsError::new("ResourceNotFoundException", message);
        let (name, secret) =
            found.ok_or_else(|| missing("Secrets Manager can't find the specified secret."))?;
        let other_version = get.version_id.is_some_and(|version| version != secret.version_id);
        if other_version || get.version_stage.is_some_and(|stage| stage != "AWSCURRENT") {
            return Err(missing(
                "Secrets Manager can't find the specified secret value for the version asked for.",
            ));
        }
        let shown = |value: &str| {
            json!({ "ARN": secret.arn, "Name": name, "VersionId": secret.version_id, "SecretString": value,
                    "VersionStages": ["AWSCURRENT"], "CreatedDate": epoch(secret.created) })
        };
        Ok(Answer::secret_json(&shown(&secret.value), shown("[redacted]")))
    }
}
