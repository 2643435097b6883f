//! The JIT configuration: base64 of a JSON object that maps file names to the base64 of their contents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::protocol::{RunnerCredentials, RunnerSettings};

/// Who this runner is and where it works.
pub(crate) struct JitConfig {
    pub(crate) settings: RunnerSettings,
    pub(crate) credentials: RunnerCredentials,
}

/// A configuration that cannot be used. Never shows what is in it: it holds credentials.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ConfigError {
    #[error("the JIT configuration is no base64")]
    Encoding,
    #[error("the JIT configuration holds no JSON object of files")]
    Shape,
    #[error("the JIT configuration has no file `{0}`")]
    Missing(&'static str),
    #[error("the file `{0}` in the JIT configuration cannot be read")]
    File(&'static str),
}

impl JitConfig {
    pub(crate) fn decode(encoded: &str) -> Result<Self, ConfigError> {
        let bytes = STANDARD.decode(encoded.trim()).map_err(|_| ConfigError::Encoding)?;
        let files: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|_| ConfigError::Shape)?;
        Ok(Self { settings: file(&files, ".runner")?, credentials: file(&files, ".credentials")? })
    }
}

fn file<T: DeserializeOwned>(files: &Map<String, Value>, name: &'static str) -> Result<T, ConfigError> {
    let encoded = files.get(name).ok_or(ConfigError::Missing(name))?;
    let bytes =
        encoded.as_str().and_then(|text| STANDARD.decode(text).ok()).ok_or(ConfigError::File(name))?;
    // GitHub's own files begin with a byte order mark.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    serde_json::from_slice(text).map_err(|_| ConfigError::File(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(files: &Value) -> String {
        STANDARD.encode(files.to_string())
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_is_shown() {
        let runner = STANDARD.encode(
            r#"{"agentId":1,"agentName":"r","serverUrl":"http://127.0.0.1:1","workFolder":"_work","ephemeral":true}"#,
        );
        let credentials = STANDARD.encode(r#"{"scheme":"OAuth","token":"t0ken"}"#);
        let whole = serde_json::json!({".runner": runner, ".credentials": credentials});
        assert_eq!(
            JitConfig::decode(&encode(&whole)).map(|config| config.settings.agent_name),
            Ok("r".to_owned())
        );
        for (encoded, expected) in [
            ("%".to_owned(), ConfigError::Encoding),
            (STANDARD.encode("[]"), ConfigError::Shape),
            (encode(&serde_json::json!({".runner": runner})), ConfigError::Missing(".credentials")),
            (encode(&serde_json::json!({".runner": "%"})), ConfigError::File(".runner")),
        ] {
            assert_eq!(JitConfig::decode(&encoded).err(), Some(expected));
        }
    }
}
