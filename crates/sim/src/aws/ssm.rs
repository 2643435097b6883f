//! SSM Parameter Store: what GetParameter and PutParameter do. Source: Systems Manager API Reference.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::AwsError;
use super::identity::Caller;
use super::wire::{Answer, decode};

/// One parameter in its newest version.
struct Parameter {
    value: String,
    kind: String,
    version: u64,
    modified: Timestamp,
}

/// All parameters.
#[derive(Default)]
pub(crate) struct Ssm(BTreeMap<String, Parameter>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameter {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutParameter {
    name: String,
    value: String,
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(default)]
    overwrite: bool,
}

impl Ssm {
    /// Sets a parameter from outside, as `String`.
    pub(crate) fn set(&mut self, name: &str, value: &str, now: Timestamp) -> Result<(), AwsError> {
        let put = PutParameter {
            name: name.to_owned(),
            value: value.to_owned(),
            kind: Some("String".into()),
            overwrite: true,
        };
        self.put(put, now).map(|_| ())
    }

    /// Answers an operation.
    pub(crate) fn answer(
        &mut self,
        operation: &str,
        body: &Value,
        caller: &Caller,
        region: &str,
        now: Timestamp,
    ) -> Result<Answer, AwsError> {
        let check = |action: &str, name: &str| {
            let arn = arn(region, &caller.account, name);
            caller.check(action, &arn, &caller.context())
        };
        match operation {
            "GetParameter" => {
                let get: GetParameter = decode(body)?;
                // A parameter may also be named by its ARN.
                let name = get.name.split_once(":parameter").map_or(get.name.as_str(), |(_, name)| name);
                check("ssm:GetParameter", name)?;
                self.get(name, get.with_decryption, region, &caller.account)
            }
            "PutParameter" => {
                let put: PutParameter = decode(body)?;
                check("ssm:PutParameter", &put.name)?;
                let version = self.put(put, now)?;
                Ok(Answer::json(json!({ "Version": version, "Tier": "Standard" })))
            }
            other => Err(AwsError::not_simulated(format!("AmazonSSM.{other}"))),
        }
    }

    fn get(&self, name: &str, decrypt: bool, region: &str, account: &str) -> Result<Answer, AwsError> {
        // An empty message is what the service really sends.
        let not_found = || AwsError::new("ParameterNotFound", "");
        let (bare, version) =
            name.split_once(':').map_or((name, None), |(bare, version)| (bare, Some(version)));
        check_name(bare)?;
        let parameter = self.0.get(bare).ok_or_else(not_found)?;
        if version.is_some_and(|version| version != parameter.version.to_string()) {
            return Err(AwsError::new("ParameterVersionNotFound", "Only the newest version is kept"));
        }
        let secret = parameter.kind == "SecureString";
        let shown = |value: &str| {
            json!({ "Parameter": {
                "Name": bare, "Type": parameter.kind, "Value": value, "Version": parameter.version,
                "LastModifiedDate": epoch(parameter.modified), "ARN": arn(region, account, bare), "DataType": "text" } })
        };
        if !secret {
            return Ok(Answer::json(shown(&parameter.value)));
        }
        let value = if decrypt { parameter.value.as_str() } else { "AQICAHencrypted" };
        Ok(Answer::secret_json(&shown(value), shown("[redacted]")))
    }

    fn put(&mut self, put: PutParameter, now: Timestamp) -> Result<u64, AwsError> {
        check_name(&put.name)?;
        if put.value.is_empty() {
            return Err(AwsError::new("ValidationException", "The parameter's value must not be empty."));
        }
        if put.value.len() > 4096 {
            return Err(AwsError::new(
                "ValidationException",
                "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger \
                 parameter value, upgrade the parameter to use the advanced-parameter tier.",
            ));
        }
        let known = self.0.get(&put.name);
        if known.is_some() && !put.overwrite {
            return Err(AwsError::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to \
                 true.",
            ));
        }
        let kind = put.kind.or_else(|| known.map(|known| known.kind.clone())).ok_or_else(|| {
            AwsError::new("ValidationException", "A parameter type is required when you create a parameter.")
        })?;
        if !["String", "StringList", "SecureString"].contains(&kind.as_str()) {
            return Err(AwsError::new(
                "UnsupportedParameterType",
                format!("The parameter type {kind} is not supported."),
            ));
        }
        let version = known.map_or(1, |known| known.version + 1);
        self.0.insert(put.name, Parameter { value: put.value, kind, version, modified: now });
        Ok(version)
    }
}

/// The name's rules: `PutParameter` in the API reference.
fn check_name(name: &str) -> Result<(), AwsError> {
    let refuse = |why: &str| Err(AwsError::new("ValidationException", why));
    if name.is_empty()
        || name.len() > 1011
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c))
    {
        return refuse(
            "Invalid parameter name. Please use correct syntax for referencing a parameter: letters, digits and _.-/",
        );
    }
    if name.contains('/') && !name.starts_with('/') {
        return refuse(
            "Parameter name must be a fully qualified name: one with a hierarchy starts with a forward slash (/).",
        );
    }
    if name.matches('/').count() > 15 {
        return refuse("The hierarchy of a parameter name is at most 15 levels deep.");
    }
    let lower = name.trim_start_matches('/').to_ascii_lowercase();
    if lower.starts_with("aws") || lower.starts_with("ssm") {
        return refuse("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).");
    }
    Ok(())
}

fn arn(region: &str, account: &str, name: &str) -> String {
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("arn:aws:ssm:{region}:{account}:parameter{slash}{name}")
}

/// A time as the JSON protocols carry it: seconds with a fraction.
pub(crate) fn epoch(time: Timestamp) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit a double for a long time yet"
    )]
    let seconds = time.as_millisecond() as f64 / 1000.0;
    json!(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(ssm: &mut Ssm, name: &str, value: &str, kind: &str, overwrite: bool) -> Result<u64, AwsError> {
        let put = PutParameter { name: name.into(), value: value.into(), kind: Some(kind.into()), overwrite };
        ssm.put(put, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn versions_and_secrets() {
        let mut ssm = Ssm::default();
        assert_eq!(put(&mut ssm, "/stack/prod", "v1", "String", false), Ok(1));
        assert_eq!(
            put(&mut ssm, "/stack/prod", "v2", "String", false).unwrap_err().code,
            "ParameterAlreadyExists"
        );
        assert_eq!(put(&mut ssm, "/stack/prod", "v2", "String", true), Ok(2));
        put(&mut ssm, "/key", "hush", "SecureString", false).unwrap();
        let body = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).unwrap();
        assert_eq!(body(&ssm.get("/stack/prod", false, "r", "1").unwrap())["Parameter"]["Value"], "v2");
        assert_ne!(body(&ssm.get("/key", false, "r", "1").unwrap())["Parameter"]["Value"], "hush");
        let decrypted = ssm.get("/key", true, "r", "1").unwrap();
        assert_eq!(body(&decrypted)["Parameter"]["Value"], "hush");
        assert_eq!(decrypted.record.unwrap()["Parameter"]["Value"], "[redacted]");
        assert_eq!(ssm.get("/none", true, "r", "1").unwrap_err().code, "ParameterNotFound");
    }

    #[test]
    fn names_and_values_have_rules() {
        let mut ssm = Ssm::default();
        for name in ["", "a/b", "/with space", "/aws/x", "ssm-x", &"/a".repeat(16)] {
            assert_eq!(
                put(&mut ssm, name, "v", "String", true).unwrap_err().code,
                "ValidationException",
                "{name}"
            );
        }
        assert!(put(&mut ssm, "/a", &"x".repeat(4096), "String", true).is_ok());
        assert_eq!(
            put(&mut ssm, "/a", &"x".repeat(4097), "String", true).unwrap_err().code,
            "ValidationException"
        );
        assert_eq!(put(&mut ssm, "/b", "v", "Blob", true).unwrap_err().code, "UnsupportedParameterType");
    }
}
