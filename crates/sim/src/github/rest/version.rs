//! The versions of the REST API, and what the newest one took away.
//!
//! Source: `x-github-breaking-changes` in GitHub's OpenAPI description.

use serde_json::Value;

use super::{ApiError, Request};

/// A version a caller may ask for with `X-GitHub-Api-Version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiVersion {
    V2022,
    V2026,
}

impl ApiVersion {
    pub(crate) fn of(request: &Request) -> Result<Self, ApiError> {
        match request.header("x-github-api-version") {
            None | Some("2022-11-28") => Ok(Self::V2022),
            Some("2026-03-10") => Ok(Self::V2026),
            Some(other) => Err(ApiError::new(
                400,
                format!("Unsupported API version '{other}': use 2022-11-28 or 2026-03-10."),
            )),
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V2022 => "2022-11-28",
            Self::V2026 => "2026-03-10",
        }
    }

    /// Takes out of an answer what this version no longer has.
    pub(crate) fn adapt(self, body: &mut Value) {
        if self == Self::V2026 {
            if let Some(object) = body.as_object_mut().filter(|object| object.contains_key("resources")) {
                object.shift_remove("rate");
            }
            remove_everywhere(body, "has_downloads");
        }
    }
}

fn remove_everywhere(value: &mut Value, key: &str) {
    match value {
        Value::Object(object) => {
            object.shift_remove(key);
            object.values_mut().for_each(|value| remove_everywhere(value, key));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| remove_everywhere(item, key)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_new_version_drops_what_it_dropped() {
        let body =
            json!({ "rate": {}, "resources": {}, "repositories": [{ "id": 1, "has_downloads": true }] });
        let (mut old, mut new) = (body.clone(), body.clone());
        ApiVersion::V2022.adapt(&mut old);
        ApiVersion::V2026.adapt(&mut new);
        assert_eq!(old, body);
        assert_eq!(new, json!({ "resources": {}, "repositories": [{ "id": 1 }] }));
    }
}
