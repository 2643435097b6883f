//! Who may take the roles: the trust policies, asked with the subjects that GitHub writes.
//!
//! Source of the subjects: GitHub documentation, "OpenID Connect reference"; of what ECS says when it takes
//! a role: ECS Developer Guide, "Amazon ECS task IAM role".

use super::rights::Parts;
use super::roles::MadeRole;

const BY_TOKEN: &str = "sts:AssumeRoleWithWebIdentity";
const GITHUB: &str = "token.actions.githubusercontent.com";

/// Fails unless a launcher role takes jobs with exactly these subjects. Those of `not` are beside those of
/// everybody else's.
pub(super) fn assert_launcher(role: &MadeRole, parts: &Parts, subjects: &[&str], not: &[&str]) {
    let provider = format!("arn:aws:iam::{}:oidc-provider/{GITHUB}", parts.account);
    let another = format!("arn:aws:iam::{}:oidc-provider/token.example.com", parts.account);
    let claims = |subject: &str, audience: &str| {
        vec![(format!("{GITHUB}:sub"), subject.to_owned()), (format!("{GITHUB}:aud"), audience.to_owned())]
    };
    let trusts = |provider: &str, subject: &str, audience: &str| {
        role.trusts(BY_TOKEN, ("Federated", provider), &claims(subject, audience))
    };
    let mut wrong = Vec::new();
    for subject in subjects {
        if !trusts(&provider, subject, "sts.amazonaws.com") {
            wrong.push(format!("refuses {subject}"));
        }
        // Right in all but one thing.
        if trusts(&provider, subject, "https://github.com/acme") {
            wrong.push(format!("takes a token for somebody else: {subject}"));
        }
        if trusts(&another, subject, "sts.amazonaws.com") {
            wrong.push(format!("takes a token of another issuer: {subject}"));
        }
    }
    for subject in not.iter().chain(&EVERYBODY_ELSE) {
        if trusts(&provider, subject, "sts.amazonaws.com") {
            wrong.push(format!("takes {subject}"));
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", role.name);
}

/// Subjects that no launcher of `acme/shop` may take.
const EVERYBODY_ELSE: [&str; 10] = [
    // A fork runs as itself, and a fork's pull request as the fork.
    "repo:mallory/shop:environment:dev",
    "repo:mallory/shop:pull_request",
    "repo:mallory/shop:ref:refs/heads/main",
    // Names that begin or end like ours.
    "repo:acme/shop-tools:environment:dev",
    "repo:acme-corp/shop:environment:dev",
    "repo:notacme/shop:environment:dev",
    "repo:acme@1/shop-tools@2:environment:dev",
    "repo:mallory@1/acme/shop:environment:dev",
    // Another repository of the same owner, in the newer form.
    "repo:acme@1/other@2:environment:dev",
    "",
];

/// Fails unless ECS alone takes a task's role, for this account and region.
pub(super) fn assert_of_tasks(role: &MadeRole, parts: &Parts) {
    let source = |account: &str, region: &str| {
        vec![
            ("aws:SourceAccount".to_owned(), account.to_owned()),
            ("aws:SourceArn".to_owned(), format!("arn:aws:ecs:{region}:{account}:*")),
        ]
    };
    let own = source(&parts.account, &parts.region);
    let trusts = |service: &str, source: &[_]| role.trusts("sts:AssumeRole", ("Service", service), source);
    assert!(trusts("ecs-tasks.amazonaws.com", &own), "{}: ECS cannot take it", role.name);
    assert!(!trusts("ec2.amazonaws.com", &own), "{}: any instance can take it", role.name);
    assert!(!trusts("ecs-tasks.amazonaws.com", &[]), "{}: it does not ask for whom", role.name);
    assert!(!trusts("ecs-tasks.amazonaws.com", &source("210987654321", &parts.region)), "{}", role.name);
    assert!(!trusts("ecs-tasks.amazonaws.com", &source(&parts.account, "mars-east-1")), "{}", role.name);
    let user = format!("arn:aws:iam::{}:root", parts.account);
    assert!(!role.trusts("sts:AssumeRole", ("AWS", &user), &own), "{}", role.name);
}

/// Fails unless instances, and nobody else, have a role. EC2 says nothing of which instance asks.
pub(super) fn assert_of_instances(role: &MadeRole) {
    let trusts = |service: &str| role.trusts("sts:AssumeRole", ("Service", service), &[]);
    assert!(trusts("ec2.amazonaws.com"), "{}: instances cannot take it", role.name);
    assert!(!trusts("ecs-tasks.amazonaws.com"), "{}: tasks can take it", role.name);
}

/// Fails unless one service alone takes a role, for one thing of this stack.
pub(super) fn assert_of_source(role: &MadeRole, service: &str, source: &str) {
    let trusts = |service: &str, source: Option<&str>| {
        let said: Vec<_> =
            source.map(|arn| ("aws:SourceArn".to_owned(), arn.to_owned())).into_iter().collect();
        role.trusts("sts:AssumeRole", ("Service", service), &said)
    };
    assert!(trusts(service, Some(source)), "{}: {service} cannot take it", role.name);
    assert!(!trusts(service, Some(&format!("{source}-other"))), "{}: for anything", role.name);
    assert!(!trusts(service, None), "{}: it does not ask for what", role.name);
    assert!(!trusts("ecs-tasks.amazonaws.com", Some(source)), "{}: tasks can take it", role.name);
}
