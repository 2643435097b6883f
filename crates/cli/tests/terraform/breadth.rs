//! Nothing has `*` where an ARN can stand, and no list of actions is a pattern.

use serde_json::Value;

use super::run::Made;

/// Actions that AWS grants on no resource (Service Authorization Reference, "Actions, resources, and
/// condition keys", by service), so that `*` is all that can stand there. ListTasks can be granted on
/// container instances, of which Fargate has none; it needs the cluster as its condition.
const WITHOUT_RESOURCE: [&str; 10] = [
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "ecs:RegisterTaskDefinition",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "servicequotas:GetServiceQuota",
    "cloudwatch:PutMetricData",
];

/// Fails unless every policy of the stack names what it allows as narrowly as AWS lets it.
pub(super) fn assert_narrow(made: &Made) {
    let mut wide = Vec::new();
    for policy in made.of_type("aws_iam_role_policy") {
        let document: Value = serde_json::from_str(policy.text("policy")).unwrap();
        for statement in list(&document["Statement"]).filter(|statement| statement["Effect"] == "Allow") {
            wide.extend(complaints(statement).into_iter().map(|why| format!("{}: {why}", policy.address)));
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

fn complaints(statement: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let actions: Vec<&str> = strings(&statement["Action"]);
    if actions.is_empty() {
        complaints.push(format!("an allowance without a list of actions: {statement}"));
    }
    complaints.extend(actions.iter().filter(|action| action.contains('*')).map(|a| format!("allows {a}")));
    for resource in strings(&statement["Resource"]) {
        if resource == "*" {
            let wide = actions.iter().filter(|action| !WITHOUT_RESOURCE.contains(action));
            complaints.extend(wide.map(|action| format!("allows {action} on *")));
            if actions.contains(&"ecs:ListTasks")
                && statement["Condition"]["ArnEquals"]["ecs:cluster"].is_null()
            {
                complaints.push("allows ecs:ListTasks in every cluster".to_owned());
            }
        } else if !is_narrow(resource) {
            complaints.push(format!("allows {} on {resource}", actions.join(", ")));
        }
    }
    complaints
}

/// Whether an ARN's service, region and account are plain, and its name begins so.
fn is_narrow(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, region, account, name] = parts[..] else { return false };
    let global = ["iam", "s3"].contains(&service) && region.is_empty();
    let everywhere = service == "s3" && account.is_empty();
    let fixed = [service, region, account].iter().all(|part| !part.contains('*'));
    // `task-definition/` and `log-group:` alone would be all of them; a bucket's name comes first.
    let named = if service == "s3" { name } else { name.split(['/', ':']).nth(1).unwrap_or(name) };
    fixed && (global || !region.is_empty()) && (everywhere || !account.is_empty()) && !named.starts_with('*')
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let one = (!value.is_array() && !value.is_null()).then_some(value);
    value.as_array().into_iter().flatten().chain(one)
}

fn strings(value: &Value) -> Vec<&str> {
    list(value).filter_map(Value::as_str).collect()
}

#[test]
fn what_is_wide_is_noticed() {
    use serde_json::json;
    let wide = [
        json!({ "Action": "ecs:*", "Resource": "arn:aws:ecs:eu-west-1:1:cluster/a" }),
        json!({ "Action": "ecs:RunTask", "Resource": "*" }),
        json!({ "Action": "ecs:RunTask", "Resource": "arn:aws:ecs:eu-west-1:1:task-definition/*" }),
        json!({ "Action": "ecs:RunTask", "Resource": "arn:aws:ecs:*:1:task-definition/a:*" }),
        json!({ "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/mailbox/*" }),
        json!({ "Action": ["ecs:ListTasks"], "Resource": "*" }),
        json!({ "NotAction": "iam:*", "Resource": "*" }),
    ];
    for statement in wide {
        assert!(!complaints(&statement).is_empty(), "{statement}");
    }
    let narrow = [
        json!({ "Action": "ecs:RunTask", "Resource": ["arn:aws:ecs:eu-west-1:1:task-definition/a:*"] }),
        json!({ "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mail/mailbox/*/*" }),
        json!({ "Action": "ecr:GetAuthorizationToken", "Resource": "*" }),
        json!({ "Action": "ecs:StopTask", "Resource": "arn:aws:ecs:eu-west-1:1:task/c/*" }),
    ];
    for statement in narrow {
        assert_eq!(complaints(&statement), [""; 0], "{statement}");
    }
}
