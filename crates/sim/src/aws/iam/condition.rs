//! Condition operators. Source: IAM User Guide, "IAM JSON policy elements: Condition operators".

use serde_json::Value;

use super::policy::{PolicyError, strings};
use super::{Context, wildcard};

/// One operator with one key and its values: any value may match.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    set: Option<Set>,
    comparison: Comparison,
    negated: bool,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    All,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equals,
    EqualsIgnoreCase,
    Like,
    /// Like the one before, but each of the six parts of an ARN for itself.
    Arn,
    Bool,
    Null,
}

impl Condition {
    pub(super) fn parse_all(value: &Value) -> Result<Vec<Self>, PolicyError> {
        let malformed = || PolicyError::Malformed("Condition is not an object of objects".to_owned());
        let mut conditions = Vec::new();
        for (operator, keys) in value.as_object().ok_or_else(malformed)? {
            for (key, values) in keys.as_object().ok_or_else(malformed)? {
                conditions.push(Self::parse(operator, key, strings(values)?)?);
            }
        }
        Ok(conditions)
    }

    fn parse(operator: &str, key: &str, values: Vec<String>) -> Result<Self, PolicyError> {
        let (set, name) = match operator.split_once(':') {
            Some(("ForAllValues", name)) => (Some(Set::All), name),
            Some(("ForAnyValue", name)) => (Some(Set::Any), name),
            _ => (None, operator),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (comparison, negated) = match name {
            "StringEquals" => (Comparison::Equals, false),
            "StringNotEquals" => (Comparison::Equals, true),
            "StringEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, false),
            "StringLike" => (Comparison::Like, false),
            "StringNotLike" => (Comparison::Like, true),
            "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
            "Bool" => (Comparison::Bool, false),
            "Null" => (Comparison::Null, false),
            _ => return Err(PolicyError::Unsupported(format!("the condition operator {operator}"))),
        };
        Ok(Self { set, comparison, negated, if_exists, key: key.to_owned(), values })
    }

    pub(super) fn holds(&self, context: &Context) -> bool {
        let present = context.get(&self.key);
        if self.comparison == Comparison::Null {
            let absent = if present.is_none() { "true" } else { "false" };
            return self.values.iter().any(|value| value == absent);
        }
        let Some(present) = present else {
            // A missing key satisfies what is negated, what is optional, and ForAllValues.
            return self.negated || self.if_exists || self.set == Some(Set::All);
        };
        let one =
            |given: &String| self.values.iter().any(|wanted| self.compare(wanted, given)) != self.negated;
        match self.set {
            Some(Set::All) => present.iter().all(one),
            Some(Set::Any) | None => present.iter().any(one),
        }
    }

    fn compare(&self, wanted: &str, given: &str) -> bool {
        match self.comparison {
            Comparison::Equals => wanted == given,
            Comparison::EqualsIgnoreCase | Comparison::Bool => wanted.eq_ignore_ascii_case(given),
            Comparison::Like => wildcard(wanted, given),
            Comparison::Arn => {
                let (wanted, given) = (wanted.splitn(6, ':'), given.splitn(6, ':'));
                let (wanted, given): (Vec<_>, Vec<_>) = (wanted.collect(), given.collect());
                wanted.len() == given.len() && wanted.iter().zip(&given).all(|(w, g)| wildcard(w, g))
            }
            Comparison::Null => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(condition: &Value, context: &Context) -> bool {
        Condition::parse_all(condition).unwrap().iter().all(|c| c.holds(context))
    }

    #[test]
    fn operators() {
        let context = Context::default()
            .with("iam:PassedToService", "ecs-tasks.amazonaws.com")
            .with("aws:SecureTransport", "true")
            .with("aws:TagKeys", "run")
            .with("aws:TagKeys", "job")
            .with("ecs:cluster", "arn:aws:ecs:eu-west-1:1:cluster/prod");
        for (condition, expected) in [
            (json!({ "StringEquals": { "IAM:passedtoservice": "ecs-tasks.amazonaws.com" } }), true),
            (json!({ "StringEquals": { "iam:PassedToService": ["a", "b"] } }), false),
            (json!({ "StringNotEquals": { "iam:PassedToService": "a" } }), true),
            (json!({ "StringEqualsIgnoreCase": { "iam:PassedToService": "ECS-tasks.amazonaws.com" } }), true),
            (json!({ "StringLike": { "iam:PassedToService": "ecs*" } }), true),
            (json!({ "StringNotLike": { "iam:PassedToService": "ecs*" } }), false),
            (json!({ "ArnLike": { "ecs:cluster": "arn:aws:ecs:*:1:cluster/*" } }), true),
            (json!({ "ArnLike": { "ecs:cluster": "arn:*:cluster/*" } }), false),
            (json!({ "Bool": { "aws:SecureTransport": true } }), true),
            (json!({ "Null": { "missing": "true" } }), true),
            (json!({ "Null": { "ecs:cluster": "true" } }), false),
            (json!({ "StringEquals": { "missing": "x" } }), false),
            (json!({ "StringEqualsIfExists": { "missing": "x" } }), true),
            (json!({ "StringNotEquals": { "missing": "x" } }), true),
            (json!({ "ForAllValues:StringEquals": { "aws:TagKeys": ["run", "job", "label"] } }), true),
            (json!({ "ForAllValues:StringEquals": { "aws:TagKeys": ["run"] } }), false),
            (json!({ "ForAnyValue:StringEquals": { "aws:TagKeys": ["job"] } }), true),
            (json!({ "ForAnyValue:StringEquals": { "missing": ["job"] } }), false),
        ] {
            assert_eq!(holds(&condition, &context), expected, "{condition}");
        }
    }
}
