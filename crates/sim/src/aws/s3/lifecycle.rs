//! Lifecycle rules of a bucket: what expires, and when. They are told and not applied: no simulated day passes.

use crate::aws::error::AwsError;
use crate::aws::wire::Answer;
use crate::aws::xml::Writer;

/// A rule that lets objects expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleRule {
    /// Its id.
    pub id: String,
    /// The objects it is for, by the beginning of their keys.
    pub prefix: String,
    /// Days from an object's making to its end.
    pub days: u32,
    /// Whether it is applied.
    pub enabled: bool,
}

/// The answer of GetBucketLifecycleConfiguration (S3 API Reference).
pub(super) fn answer(rules: &[LifecycleRule], namespace: &str) -> Result<Answer, AwsError> {
    if rules.is_empty() {
        return Err(AwsError::new(
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        )
        .status(404));
    }
    let mut doc = Writer::new();
    doc.open_with("LifecycleConfiguration", namespace);
    for rule in rules {
        doc.open("Rule").text("ID", &rule.id);
        doc.open("Filter").text("Prefix", &rule.prefix).close("Filter");
        doc.text("Status", if rule.enabled { "Enabled" } else { "Disabled" });
        doc.open("Expiration").text("Days", &rule.days.to_string()).close("Expiration").close("Rule");
    }
    doc.close("LifecycleConfiguration");
    Ok(Answer::xml(200, "application/xml", doc.finish()))
}
