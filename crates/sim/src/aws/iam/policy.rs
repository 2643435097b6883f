//! A policy document, read once and refused if it says what the evaluator cannot weigh.

use serde_json::Value;

use super::condition::Condition;
use super::{Access, wildcard};

/// A policy that the evaluator understands.
#[derive(Debug, Clone)]
pub struct Policy(Vec<Statement>);

/// Why a policy is refused when it is added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The document is not built as policies are.
    #[error("the policy is malformed: {0}")]
    Malformed(String),
    /// The document uses something that the evaluator does not know.
    #[error("the policy uses {0}, which this evaluator does not know: write it without, or teach it")]
    Unsupported(String),
}

#[derive(Debug, Clone)]
pub(super) struct Statement {
    allow: bool,
    actions: Patterns,
    resources: Option<Patterns>,
    principals: Option<Vec<(String, String)>>,
    conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone)]
struct Patterns {
    negated: bool,
    patterns: Vec<String>,
}

impl Patterns {
    fn matches(&self, text: &str) -> bool {
        self.patterns.iter().any(|pattern| wildcard(pattern, text)) != self.negated
    }
}

impl Policy {
    /// Reads a policy document.
    ///
    /// # Errors
    /// When the document is malformed or uses what the evaluator does not know.
    pub fn parse(document: &Value) -> Result<Self, PolicyError> {
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().map(Statement::parse).collect(),
            Some(statement @ Value::Object(_)) => Statement::parse(statement).map(|s| vec![s]),
            _ => Err(PolicyError::Malformed("it has no Statement".to_owned())),
        }?;
        Ok(Self(statements))
    }

    pub(super) fn statements(&self) -> &[Statement] {
        &self.0
    }
}

impl Statement {
    fn parse(statement: &Value) -> Result<Self, PolicyError> {
        const KNOWN: [&str; 8] =
            ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"];
        let members = statement
            .as_object()
            .ok_or_else(|| PolicyError::Malformed("a statement is not an object".to_owned()))?;
        if let Some(unknown) = members.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(PolicyError::Unsupported(format!("the element {unknown}")));
        }
        let allow = match members.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(PolicyError::Malformed("Effect is neither Allow nor Deny".to_owned())),
        };
        let patterns = |name: &str, negation: &str, lower: bool| -> Result<Option<Patterns>, PolicyError> {
            let (value, negated) = match (members.get(name), members.get(negation)) {
                (Some(value), None) => (value, false),
                (None, Some(value)) => (value, true),
                (None, None) => return Ok(None),
                _ => return Err(PolicyError::Malformed(format!("it has both {name} and {negation}"))),
            };
            let mut patterns = strings(value)?;
            if lower {
                patterns = patterns.iter().map(|pattern| pattern.to_lowercase()).collect();
            }
            Ok(Some(Patterns { negated, patterns }))
        };
        let actions = patterns("Action", "NotAction", true)?
            .ok_or_else(|| PolicyError::Malformed("a statement has no Action".to_owned()))?;
        let resources = patterns("Resource", "NotResource", false)?;
        let principals = members.get("Principal").map(principals).transpose()?;
        if resources.is_none() && principals.is_none() {
            return Err(PolicyError::Malformed("a statement has neither Resource nor Principal".to_owned()));
        }
        let conditions = members.get("Condition").map(Condition::parse_all).transpose()?.unwrap_or_default();
        Ok(Self { allow, actions, resources, principals, conditions })
    }

    pub(super) fn allows(&self) -> bool {
        self.allow
    }

    pub(super) fn applies(&self, access: &Access<'_>) -> bool {
        let principal = match (&self.principals, access.principal) {
            (None, None) => true,
            (Some(list), Some((kind, name))) => {
                list.iter().any(|(k, n)| (k == "*" || k == kind) && (n == "*" || n == name))
            }
            _ => false,
        };
        principal
            && self.actions.matches(&access.action.to_lowercase())
            && self.resources.as_ref().is_none_or(|resources| resources.matches(access.resource))
            && self.conditions.iter().all(|condition| condition.holds(access.context))
    }
}

fn principals(value: &Value) -> Result<Vec<(String, String)>, PolicyError> {
    match value {
        Value::String(any) if any == "*" => Ok(vec![("*".to_owned(), "*".to_owned())]),
        Value::Object(kinds) => {
            let mut list = Vec::new();
            for (kind, names) in kinds {
                list.extend(strings(names)?.into_iter().map(|name| (kind.clone(), name)));
            }
            Ok(list)
        }
        _ => Err(PolicyError::Malformed("Principal is neither * nor an object".to_owned())),
    }
}

/// A string or a list of strings; a policy variable in one is refused.
pub(super) fn strings(value: &Value) -> Result<Vec<String>, PolicyError> {
    let list = match value {
        Value::Array(values) => values.iter().map(scalar).collect::<Result<Vec<_>, _>>()?,
        value => vec![scalar(value)?],
    };
    match list.iter().find(|text| text.contains("${")) {
        Some(variable) => Err(PolicyError::Unsupported(format!("the policy variable in {variable}"))),
        None => Ok(list),
    }
}

fn scalar(value: &Value) -> Result<String, PolicyError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(PolicyError::Malformed(format!("{other} stands where a string belongs"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_it_cannot_weigh_it_refuses() {
        let statement = |extra: Value| {
            let mut statement = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" });
            statement.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            Policy::parse(&json!({ "Statement": [statement] })).map(|_| ())
        };
        assert_eq!(statement(json!({})), Ok(()));
        let unsupported = [
            json!({ "Resource": "arn:aws:s3:::home/${aws:username}" }),
            json!({ "NotPrincipal": "*" }),
            json!({ "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } }),
        ];
        for extra in unsupported {
            assert!(matches!(statement(extra), Err(PolicyError::Unsupported(_))));
        }
        let malformed =
            [json!({ "Effect": "Maybe" }), json!({ "NotAction": "s3:*" }), json!({ "Action": {} })];
        for extra in malformed {
            assert!(matches!(statement(extra), Err(PolicyError::Malformed(_))));
        }
        assert!(matches!(Policy::parse(&json!({})), Err(PolicyError::Malformed(_))));
    }
}
