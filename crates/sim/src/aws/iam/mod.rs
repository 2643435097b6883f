//! A small evaluator of IAM policies: who may do what to which resource.
//!
//! Identity policies and trust policies, with explicit denials first, as the IAM User Guide ("Policy
//! evaluation logic") says. What the evaluator does not know (policy variables, other condition
//! operators) is refused when a policy is added, so that no policy is silently read as weaker or
//! stronger than it is.

mod condition;
mod policy;

use std::collections::BTreeMap;

pub use policy::{Policy, PolicyError};

/// The values a condition can ask for, by lower-case key.
#[derive(Debug, Clone, Default)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Adds a value; a key may have several.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.entry(key.to_lowercase()).or_default().push(value.into());
        self
    }

    /// All values of a key, if it has any.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }
}

/// One question to a set of policies.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The action, `ecs:RunTask`.
    pub action: &'a str,
    /// ARN of the resource; a trust policy has none and takes any.
    pub resource: &'a str,
    /// Kind and name of who wants to assume a role, for trust policies: `("Federated", arn)`.
    pub principal: Option<(&'a str, &'a str)>,
    /// What conditions are read against.
    pub context: &'a Context,
}

/// What a set of policies says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allowed,
    /// No statement speaks of it.
    ImplicitDeny,
    /// A statement denies it.
    ExplicitDeny,
}

/// Asks all policies together.
pub fn decide(policies: &[Policy], access: &Access<'_>) -> Decision {
    let mut allowed = false;
    for statement in policies.iter().flat_map(Policy::statements).filter(|s| s.applies(access)) {
        if !statement.allows() {
            return Decision::ExplicitDeny;
        }
        allowed = true;
    }
    if allowed { Decision::Allowed } else { Decision::ImplicitDeny }
}

/// Whether `text` matches a pattern with `*` (anything) and `?` (one character).
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and what it has swallowed so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, swallowed)) => {
                    star = Some((at, swallowed + 1));
                    p = at + 1;
                    t = swallowed + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TASK_DEFINITION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/runner:7";

    fn ask(policy: &Value, action: &str, resource: &str, context: &Context) -> Decision {
        let policy = Policy::parse(policy).unwrap();
        decide(&[policy], &Access { action, resource, principal: None, context })
    }

    #[test]
    fn wildcards() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*runner:*", TASK_DEFINITION, true),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn an_action_on_a_resource_with_a_condition() {
        let policy = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": ["ecs:Run*"],
            "Resource": "arn:aws:ecs:eu-west-1:123456789012:task-definition/runner:*",
            "Condition": { "ArnEquals": { "ecs:cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod" } } } });
        let prod = Context::default().with("ecs:cluster", "arn:aws:ecs:eu-west-1:123456789012:cluster/prod");
        let test = Context::default().with("ecs:cluster", "arn:aws:ecs:eu-west-1:123456789012:cluster/test");
        assert_eq!(ask(&policy, "ecs:RunTask", TASK_DEFINITION, &prod), Decision::Allowed);
        assert_eq!(ask(&policy, "ECS:runtask", TASK_DEFINITION, &prod), Decision::Allowed);
        assert_eq!(ask(&policy, "ecs:RunTask", TASK_DEFINITION, &test), Decision::ImplicitDeny);
        assert_eq!(ask(&policy, "ecs:RunTask", TASK_DEFINITION, &Context::default()), Decision::ImplicitDeny);
        assert_eq!(ask(&policy, "ecs:StopTask", TASK_DEFINITION, &prod), Decision::ImplicitDeny);
    }

    #[test]
    fn a_denial_wins() {
        let policy = json!({ "Statement": [
            { "Effect": "Allow", "Action": "*", "Resource": "*" },
            { "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::secret/*" } ] });
        let context = Context::default();
        assert_eq!(ask(&policy, "s3:GetObject", "arn:aws:s3:::secret/a", &context), Decision::ExplicitDeny);
        assert_eq!(ask(&policy, "s3:GetObject", "arn:aws:s3:::open/a", &context), Decision::Allowed);
    }

    #[test]
    fn not_action_and_not_resource() {
        let policy = json!({ "Statement": [
            { "Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::closed/*" } ] });
        let context = Context::default();
        assert_eq!(ask(&policy, "s3:GetObject", "arn:aws:s3:::open/a", &context), Decision::Allowed);
        assert_eq!(ask(&policy, "s3:GetObject", "arn:aws:s3:::closed/a", &context), Decision::ImplicitDeny);
        assert_eq!(ask(&policy, "iam:PassRole", "arn:aws:s3:::open/a", &context), Decision::ImplicitDeny);
    }

    #[test]
    fn a_trust_policy_asks_for_the_principal() {
        let policy = Policy::parse(&json!({ "Statement": [ {
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": { "Federated": "arn:aws:iam::123456789012:oidc-provider/issuer" },
            "Condition": { "StringLike": { "issuer:sub": "repo:acme/*" } } } ] }))
        .unwrap();
        let context = Context::default().with("issuer:sub", "repo:acme/app:ref:refs/heads/main");
        let access = |principal| Access {
            action: "sts:AssumeRoleWithWebIdentity",
            resource: "*",
            principal: Some(principal),
            context: &context,
        };
        let right = ("Federated", "arn:aws:iam::123456789012:oidc-provider/issuer");
        let wrong = ("Federated", "arn:aws:iam::123456789012:oidc-provider/other");
        assert_eq!(decide(std::slice::from_ref(&policy), &access(right)), Decision::Allowed);
        assert_eq!(decide(std::slice::from_ref(&policy), &access(wrong)), Decision::ImplicitDeny);
    }
}
