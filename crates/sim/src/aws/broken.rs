//! Answers that a fault breaks, in the words of the service.

use super::error::AwsError;
use super::wire::Answer;
use crate::faults::{OidcRefusal, S3Failure};

/// How S3 words a failure; nothing if it says nothing because the connection is cut.
pub(crate) fn s3(failure: S3Failure) -> Option<AwsError> {
    match failure {
        S3Failure::SlowDown | S3Failure::LateSlowDown => {
            Some(AwsError::new("SlowDown", "Please reduce your request rate.").status(503))
        }
        S3Failure::Error | S3Failure::LateError => Some(AwsError::internal("s3")),
        S3Failure::Cut | S3Failure::LateCut => None,
    }
}

/// How STS words that it takes no web identity. The refusals of GitHub are not its own.
pub(crate) fn web_identity(refusal: OidcRefusal) -> AwsError {
    match refusal {
        OidcRefusal::InvalidIdentityToken => AwsError::new(
            "InvalidIdentityToken",
            "Couldn't retrieve verification key from your identity provider, please reference \
             AssumeRoleWithWebIdentity documentation for requirements",
        ),
        OidcRefusal::IdpCommunicationError => {
            AwsError::new("IDPCommunicationError", "Couldn't reach the identity provider")
        }
        OidcRefusal::AccessDenied
        | OidcRefusal::Forbidden
        | OidcRefusal::Error
        | OidcRefusal::Unavailable => {
            AwsError::new("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
                .status(403)
        }
    }
}

/// The internal error of a service in place of an answer.
pub(crate) fn internal(service: &str, resource: &str, request_id: &str) -> Answer {
    let error = AwsError::internal(service);
    match service {
        "sts" => Answer::query_error(&error, request_id),
        "ec2" => Answer::ec2_error(&error, request_id),
        "s3" => Answer::s3_error(&error, resource, request_id),
        _ => Answer::json_error(&error),
    }
}
