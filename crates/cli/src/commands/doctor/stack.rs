//! The stack: its document, and the cluster that it names.

use fleetfoot_aws::{Aws, Caller, ClusterFacts, EcsTasks};
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::{Key, RunRef, StartedBy, TaskArn};
use fleetfoot_core::ports::Tasks;
use fleetfoot_core::stack::Stack;

use super::finding::{Check, Finding};
use crate::account::{self, Local};
use crate::args::StackArgs;
use crate::failure::Failure;

/// Where a stack is, by its cluster's ARN: `arn:aws:ecs:REGION:ACCOUNT:cluster/NAME`, or only the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub(super) partition: &'a str,
    /// The cluster's region, or the stack's.
    pub(super) region: &'a str,
    /// The account, if the ARN says it.
    pub(super) account: Option<&'a str>,
    /// The cluster's name.
    pub(super) cluster: &'a str,
}

impl<'a> Place<'a> {
    /// Where this stack is.
    pub(super) fn of(stack: &'a Stack) -> Self {
        let parts: Vec<&str> = stack.cluster.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, "ecs", region, account, cluster] => Self {
                partition,
                region,
                account: Some(account),
                cluster: cluster.strip_prefix("cluster/").unwrap_or(cluster),
            },
            _ => Self { partition: "aws", region: &stack.region, account: None, cluster: &stack.cluster },
        }
    }
}

/// The stack document: from the file, which was read already, or from its SSM parameter.
pub(super) async fn read(
    args: &StackArgs,
    local: Option<&Local>,
    file: Option<Result<Stack, Failure>>,
    aws: Option<&Aws>,
) -> (Option<Stack>, Finding) {
    let (place, read) = match (file, &args.stack, aws) {
        (Some(read), ..) => {
            let path = args.stack_file.as_deref().map(|path| path.display().to_string());
            (path.unwrap_or_default(), read)
        }
        (None, Some(name), Some(aws)) => {
            (format!("SSM parameter /fleetfoot/{name}"), account::stack_parameter(aws, name).await)
        }
        (None, name, _) => {
            let of = Check::StackDocument.of(name.as_deref().unwrap_or("the stack"));
            return (None, of.skipped(Check::AwsCredentials));
        }
    };
    let of = Check::StackDocument.of(&place);
    match read {
        Ok(stack) => {
            let finding = check_region(&stack, local).map_or_else(
                || of.clone().ok(describe(&place, &stack)),
                |(sentence, remedy)| of.clone().problem(sentence, remedy),
            );
            (Some(stack).filter(|_| finding.is_passable()), finding)
        }
        Err(failure) => (None, of.failed(failure)),
    }
}

fn describe(place: &str, stack: &Stack) -> String {
    let pools: Vec<&str> = stack.pools.iter().map(|pool| pool.name.as_str()).collect();
    format!(
        "{place} describes the stack {} in {}, with the pools {}",
        stack.name,
        stack.region,
        pools.join(", ")
    )
}

/// `start` calls AWS in one region, whatever the document says beside it.
fn check_region(stack: &Stack, local: Option<&Local>) -> Option<(String, &'static str)> {
    let cluster = Place::of(stack).region;
    if cluster != stack.region {
        let sentence = format!("the stack is in {}, and its cluster in {cluster}", stack.region);
        return Some((sentence, "Correct region or cluster of the stack document."));
    }
    let called = &local?.region;
    (*called != stack.region).then(|| {
        let sentence = format!("the stack is in {}, but AWS would be called in {called}", stack.region);
        (sentence, "Give the stack's region with --region (AWS_REGION), or correct it in the stack document.")
    })
}

/// Whether the cluster is in the account of these credentials.
pub(super) fn account(stack: &Stack, caller: Option<&Caller>) -> Finding {
    let of = Check::Account.of(&stack.cluster);
    let Some(caller) = caller else { return of.skipped(Check::AwsCredentials) };
    match Place::of(stack).account {
        None => of.ok(format!("the cluster is named without its account, so that it is {}", caller.account)),
        Some(account) if account == caller.account => {
            of.ok(format!("cluster and credentials are of the account {account}"))
        }
        Some(account) => of.problem(
            format!("the cluster is in the account {account}, the credentials are of {}", caller.account),
            "Use credentials of the stack's account, or correct the cluster in the stack document.",
        ),
    }
}

/// Whether the cluster is there.
pub(super) async fn cluster(stack: &Stack, tasks: &EcsTasks) -> (Finding, Option<ClusterFacts>) {
    let of = Check::Cluster.of(&stack.cluster);
    match tasks.cluster_facts().await {
        Ok(facts) => {
            let providers = facts.providers();
            let providers = if providers.is_empty() { "none".to_owned() } else { providers.join(", ") };
            (of.ok(format!("the cluster is ACTIVE; its capacity providers: {providers}")), Some(facts))
        }
        Err(fault) if matches!(fault.class, Class::NotFound | Class::Invalid) => (of.failed(fault), None),
        Err(fault) => (of.unseen(fault, "ecs:DescribeClusters"), None),
    }
}

/// Whether tasks may be found, looked at and stopped, tried on one that nobody has.
pub(super) async fn tasks(stack: &Stack, tasks: &EcsTasks, nobody: &TaskArn) -> Finding {
    let of = Check::Tasks.of(&stack.cluster);
    let key: Key = "doctor".parse().expect("a word of letters is a key");
    let look = async {
        tasks.find(&StartedBy::of_run(&stack.name, &RunRef::ByHand, &key)).await?;
        tasks.describe(std::slice::from_ref(nobody)).await?;
        tasks.stop(nobody, "fleetfoot doctor: there is no such task").await
    };
    match look.await {
        Ok(()) => of.ok("tasks may be listed, described and stopped; starting one is not tried"),
        Err(fault) => of.failed(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(cluster: &str) -> Stack {
        let document = serde_json::json!({
            "version": 1, "name": "prod", "region": "eu-west-1", "cluster": cluster,
            "mailbox": { "bucket": "mail" }, "github": { "url": "https://github.com/acme" },
            "pools": [{ "name": "p", "task_definition": "t", "arch": "x86_64", "cpu": 1024, "memory": 2048,
                        "capacity": [{ "launch_type": "EC2" }] }],
        });
        Stack::from_json(&document.to_string()).unwrap()
    }

    #[test]
    fn a_cluster_says_where_it_is() {
        let named = stack("ff");
        assert_eq!(
            Place::of(&named),
            Place { partition: "aws", region: "eu-west-1", account: None, cluster: "ff" }
        );
        let china = stack("arn:aws-cn:ecs:cn-north-1:123456789012:cluster/ff");
        let place =
            Place { partition: "aws-cn", region: "cn-north-1", account: Some("123456789012"), cluster: "ff" };
        assert_eq!(Place::of(&china), place);
        assert_eq!(
            check_region(&china, None).unwrap().0,
            "the stack is in eu-west-1, and its cluster in cn-north-1"
        );
    }
}
