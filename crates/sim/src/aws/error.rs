//! What a simulated AWS service answers when it refuses.
//!
//! One type for every service: the wire form (JSON, STS's XML, S3's XML) is chosen where the answer is
//! written, because the same refusal, say an expired session, has another name in each of them.

use serde_json::{Map, Value};

/// A refusal, as the service would word it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    /// HTTP status of the answer.
    pub status: u16,
    /// The error code, such as `InvalidParameterException`.
    pub code: &'static str,
    /// The sentence beside it.
    pub message: String,
    /// Further members of the error's shape, such as `resourceIds` of ECS's `ConflictException`.
    pub members: Map<String, Value>,
}

impl AwsError {
    /// A refusal with status 400, as most are.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), members: Map::new() }
    }

    /// The same refusal with another HTTP status.
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same refusal with one more member.
    pub(crate) fn member(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// `InvalidParameterException`.
    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// ECS's `ClientException`.
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    /// The service's own failure, as each of them words it.
    pub(crate) fn internal(service: &str) -> Self {
        let (code, message) = match service {
            "ecs" => ("ServerException", "Service Unavailable. Please try again later."),
            "s3" => ("InternalError", "We encountered an internal error. Please try again."),
            "ssm" => ("InternalServerError", "An error occurred on the server side."),
            "secretsmanager" => ("InternalServiceError", "An error occurred on the server side."),
            "ec2" => ("InternalError", "An internal error has occurred"),
            // The others, by the errors that all services have in common.
            _ => ("InternalFailure", "The request processing has failed because of an unknown error."),
        };
        Self::new(code, message).status(500)
    }

    /// The request's body is no JSON, or a member has the wrong type.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    /// An operation that the real service has and this one has not.
    pub(crate) fn not_simulated(what: impl std::fmt::Display) -> Self {
        Self::new("NotImplemented", format!("{what} is not simulated")).status(501)
    }
}
