//! Secrets Manager: what CreateSecret and GetSecretValue do. Source: Secrets Manager API Reference.

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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateSecret {
    name: String,
    secret_string: String,
    client_request_token: String,
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
        &mut self,
        operation: &str,
        body: &Value,
        caller: &Caller,
        (region, now): (&str, Timestamp),
        ids: &mut Ids,
    ) -> Result<Answer, AwsError> {
        match operation {
            "CreateSecret" => self.create(&decode(body)?, caller, (region, now), ids),
            "GetSecretValue" => self.get(&decode(body)?, caller, region),
            _ => Err(AwsError::not_simulated(format!("secretsmanager.{operation}"))),
        }
    }

    fn create(
        &mut self,
        asked: &CreateSecret,
        caller: &Caller,
        (region, now): (&str, Timestamp),
        ids: &mut Ids,
    ) -> Result<Answer, AwsError> {
        let any = format!("arn:aws:secretsmanager:{region}:{}:secret:{}-??????", caller.account, asked.name);
        caller.check("secretsmanager:CreateSecret", &any, &caller.context())?;
        let CreateSecret { name, secret_string, client_request_token: token } = asked;
        let same = |known: &Secret| known.version_id == *token && known.value == *secret_string;
        if self.0.get(name).is_some_and(|known| !same(known)) {
            let message = format!("The operation failed because the secret {name} already exists.");
            return Err(AwsError::new("ResourceExistsException", message));
        }
        let arn = self.set(name, secret_string, (region, &caller.account), ids, now);
        if let Some(secret) = self.0.get_mut(name) {
            secret.version_id.clone_from(token);
        }
        Ok(Answer::json(json!({ "ARN": arn, "Name": name, "VersionId": token })))
    }

    fn get(&self, get: &GetSecretValue, caller: &Caller, region: &str) -> Result<Answer, AwsError> {
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
        let other_version = get.version_id.as_ref().is_some_and(|version| *version != secret.version_id);
        if other_version || get.version_stage.as_ref().is_some_and(|stage| stage != "AWSCURRENT") {
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
