//! What a fault is aimed at.

/// The operations that are simulated, by service. GitHub's have the names of [`github_operation`].
const OPERATIONS: [(&str, &[&str]); 11] = [
    (
        "ecs",
        &[
            "RunTask",
            "StopTask",
            "DescribeTasks",
            "ListTasks",
            "TagResource",
            "DescribeClusters",
            "ListClusters",
            "DescribeTaskDefinition",
            "RegisterTaskDefinition",
        ],
    ),
    (
        "s3",
        &[
            "GetObject",
            "HeadObject",
            "PutObject",
            "DeleteObject",
            "DeleteObjects",
            "ListObjectsV2",
            "HeadBucket",
            "GetBucketLifecycleConfiguration",
        ],
    ),
    ("ec2", &["DescribeSubnets", "DescribeRouteTables", "DescribeVpcEndpoints", "DescribeSecurityGroups"]),
    ("servicequotas", &["GetServiceQuota"]),
    ("sts", &["AssumeRoleWithWebIdentity", "GetCallerIdentity"]),
    (
        "sqs",
        &[
            "ReceiveMessage",
            "DeleteMessage",
            "DeleteMessageBatch",
            "SendMessage",
            "GetQueueAttributes",
            "GetQueueUrl",
            "CreateQueue",
        ],
    ),
    ("ssm", &["GetParameter", "PutParameter"]),
    ("secretsmanager", &["GetSecretValue", "CreateSecret"]),
    (
        "kms",
        &[
            "Sign",
            "CreateKey",
            "CreateAlias",
            "GetParametersForImport",
            "ImportKeyMaterial",
            "GetPublicKey",
            "ScheduleKeyDeletion",
        ],
    ),
    ("logs", &["CreateLogGroup", "DescribeLogStreams", "GetLogEvents", "FilterLogEvents"]),
    (
        "github",
        &[
            "generate-jitconfig",
            "get-runners",
            "get-runner",
            "delete-runner",
            "access-tokens",
            "conversions",
            "registration-token",
            "remove-token",
            "get-downloads",
            "get-labels",
            "get-runner-groups",
            "get-runner-group",
            "get-app",
            "get-installations",
            "get-installation",
            "get-rate-limit",
            "get-repo",
            "get-latest",
            "get-sub",
            "get-run",
            "get-jobs",
            "get-job",
            "get-logs",
            "cancel",
            "rerun",
            "rerun-failed-jobs",
            "delete-environment-name",
            "delete-name",
            "delete-secret-name",
            "get-environment-name",
            "get-name",
            "get-public-key",
            "get-secret-name",
            "get-secrets",
            "get-variables",
            "patch-name",
            "put-environment-name",
            "put-secret-name",
            "variables",
            // The service of scale sets.
            "runner-registration",
            "get-runnergroups",
            "get-runnerscalesets",
            "runnerscalesets",
            "get-scale-set",
            "patch-scale-set",
            "delete-scale-set",
            "generatejitconfig",
            "acquirejobs",
            "sessions",
            "patch-session",
            "delete-session",
            "get-agents",
            "get-agent",
            "delete-agent",
            "get-message",
            "delete-message",
        ],
    ),
];

/// One thing by its name, or anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target(Option<String>);

impl Target {
    /// Whatever comes.
    pub fn any() -> Self {
        Self(None)
    }

    /// This alone, whatever the case of its letters.
    pub fn only(name: impl Into<String>) -> Self {
        Self(Some(name.into()))
    }

    /// The name, or `any`.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("any")
    }

    /// Whether it is anything.
    pub fn is_any(&self) -> bool {
        self.0.is_none()
    }

    /// Whether one of these names is meant.
    pub(super) fn hits(&self, names: &[&str]) -> bool {
        self.0.as_ref().is_none_or(|own| names.iter().any(|name| own.eq_ignore_ascii_case(name)))
    }
}

/// The operations of some services, and the services themselves if `whole`.
pub(super) fn names(services: &[&str], whole: bool) -> Vec<&'static str> {
    OPERATIONS
        .iter()
        .filter(|(service, _)| services.contains(service))
        .flat_map(|(service, operations)| {
            whole.then_some(*service).into_iter().chain(operations.iter().copied())
        })
        .collect()
}

/// All services that have operations.
pub(super) fn services() -> Vec<&'static str> {
    OPERATIONS.iter().map(|(service, _)| *service).collect()
}

/// The short name of a route of GitHub's: its last word, after the method where that is not POST. So
/// `generate-jitconfig`, `get-runners` (the list), `get-runner` and `delete-runner` (one by its id).
pub(crate) fn github_operation(method: &str, template: &str) -> String {
    let last = template.rsplit('/').next().unwrap_or_default();
    let word = match last.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(name) => name.strip_suffix("_id").unwrap_or(name),
        None => last,
    };
    let word = word.replace('_', "-");
    if method == "POST" { word } else { format!("{}-{word}", method.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_have_short_names() {
        for (method, template, name) in [
            ("POST", "/repos/{owner}/{repo}/actions/runners/generate-jitconfig", "generate-jitconfig"),
            ("GET", "/repos/{owner}/{repo}/actions/runners", "get-runners"),
            ("GET", "/orgs/{org}/actions/runners/{runner_id}", "get-runner"),
            ("DELETE", "/orgs/{org}/actions/runners/{runner_id}", "delete-runner"),
            ("POST", "/app/installations/{installation_id}/access_tokens", "access-tokens"),
        ] {
            assert_eq!(github_operation(method, template), name);
        }
    }

    #[test]
    fn a_target_hits_its_name_in_any_case_and_anything_hits_all() {
        assert!(Target::any().hits(&["ecs", "RunTask"]));
        assert!(Target::only("runtask").hits(&["ecs", "RunTask"]));
        assert!(Target::only("ecs").hits(&["ecs", "RunTask"]));
        assert!(!Target::only("StopTask").hits(&["ecs", "RunTask"]));
    }
}
