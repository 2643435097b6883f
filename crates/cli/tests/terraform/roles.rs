//! The roles that Terraform made, with every policy that is attached to them.

use fleetfoot_sim::aws::iam::{Access, Context, Decision, Policy, decide};
use serde_json::{Value, json};

use super::run::Made;

/// A role and its documents, as they were applied.
pub(super) struct MadeRole {
    pub(super) name: String,
    pub(super) arn: String,
    /// Who may take it.
    pub(super) trust: Value,
    /// What it may do.
    pub(super) policies: Vec<Value>,
    /// ARNs of policies that are attached and not of this stack.
    pub(super) managed: Vec<String>,
}

/// All roles of a stack.
pub(super) fn of(made: &Made) -> Vec<MadeRole> {
    let document = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let inline = made.of_type("aws_iam_role_policy");
    let attached = made.of_type("aws_iam_role_policy_attachment");
    let roles = made.of_type("aws_iam_role");
    let roles = roles.iter().map(|role| {
        let name = role.text("name");
        let own = inline.iter().filter(|policy| policy.text("role") == name);
        let others = attached.iter().filter(|attachment| attachment.text("role") == name);
        MadeRole {
            name: name.to_owned(),
            arn: role.text("arn").to_owned(),
            trust: document(role.text("assume_role_policy")),
            policies: own.map(|policy| document(policy.text("policy"))).collect(),
            managed: others.map(|attachment| attachment.text("policy_arn").to_owned()).collect(),
        }
    });
    let roles: Vec<MadeRole> = roles.collect();
    let documents: usize = roles.iter().map(|role| role.policies.len()).sum();
    assert_eq!(documents, inline.len(), "a policy belongs to a role of which nothing is known");
    roles
}

/// One question to a role: may it, or may it not?
#[derive(Debug)]
pub(super) struct Question {
    pub(super) action: &'static str,
    resource: String,
    context: Vec<(String, String)>,
    pub(super) allowed: bool,
}

impl Question {
    /// Where a condition asks for something.
    #[must_use]
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.context.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// It may.
pub(super) fn may(action: &'static str, resource: impl Into<String>) -> Question {
    Question { action, resource: resource.into(), context: Vec::new(), allowed: true }
}

/// It may not.
pub(super) fn may_not(action: &'static str, resource: impl Into<String>) -> Question {
    Question { allowed: false, ..may(action, resource) }
}

impl MadeRole {
    /// Asks the role's policies; gives the answers that are not as they should be.
    pub(super) fn ask(&self, questions: &[Question]) -> Vec<String> {
        let policies: Vec<Policy> = self.policies.iter().map(|json| Policy::parse(json).unwrap()).collect();
        let wrong = questions.iter().filter(|question| {
            let context = context(&question.context);
            let access = Access {
                action: question.action,
                resource: &question.resource,
                principal: None,
                context: &context,
            };
            (decide(&policies, &access) == Decision::Allowed) != question.allowed
        });
        wrong.map(|question| format!("{}: {question:?} is not so", self.name)).collect()
    }

    /// Whether somebody may take the role.
    pub(super) fn trusts(
        &self,
        action: &str,
        principal: (&str, &str),
        conditions: &[(String, String)],
    ) -> bool {
        let trust = Policy::parse(&self.trust).unwrap();
        let context = context(conditions);
        let access = Access { action, resource: &self.arn, principal: Some(principal), context: &context };
        decide(&[trust], &access) == Decision::Allowed
    }

    /// The same for moto: the lists of actions alone. What is allowed anywhere is allowed there.
    pub(super) fn for_moto(&self, questions: &[Question]) -> Value {
        let mut actions: Vec<&str> = questions.iter().map(|question| question.action).collect();
        actions.sort_unstable();
        actions.dedup();
        // Passing a role is no call of its own.
        actions.retain(|action| *action != "iam:PassRole");
        let asked = actions.iter().map(|action| {
            let allowed = questions.iter().any(|question| question.action == *action && question.allowed);
            json!({ "action": action, "allowed": allowed })
        });
        json!({ "name": self.name, "policies": self.policies, "questions": asked.collect::<Vec<_>>() })
    }
}

fn context(pairs: &[(String, String)]) -> Context {
    pairs.iter().fold(Context::default(), |context, (key, value)| context.with(key, value))
}
