//! Errors in the shape of GitHub's REST API.

use serde_json::{Value, json};

use super::super::secondary::TooMuch;

/// A refusal: its status and what the body says.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    message: String,
    errors: Vec<Value>,
    /// `retry-after`, in seconds.
    pub(crate) retry_after: Option<i64>,
}

impl ApiError {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new(), retry_after: None }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(crate) fn bad_credentials() -> Self {
        Self::new(401, "Bad credentials")
    }

    pub(crate) fn not_by_integration() -> Self {
        Self::new(403, "Resource not accessible by integration")
    }

    /// A secondary rate limit is exceeded.
    pub(crate) fn secondary_limit(too_much: TooMuch) -> Self {
        let message =
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        Self { retry_after: Some(too_much.retry_after), ..Self::new(too_much.status, message) }
    }

    /// 422, with what is wrong in words.
    pub(crate) fn invalid(problems: impl IntoIterator<Item = String>) -> Self {
        let errors = problems.into_iter().map(Value::String).collect();
        Self { errors, ..Self::new(422, "Validation Failed") }
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.to_string(),
        });
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors.clone());
        }
        body
    }
}
