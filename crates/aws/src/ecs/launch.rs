//! RunTask: the request, and every limit of it that can be known without asking.

use std::collections::BTreeMap;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::SdkError;
use aws_sdk_ecs::operation::run_task::RunTaskError;
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride, EphemeralStorage,
    KeyValuePair, LaunchType, NetworkConfiguration, Tag, TaskOverride,
};
use fleetfoot_core::assignment::{BIND_TIMEOUT_VARIABLE, MAILBOX_VARIABLE};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::ports::{LaunchRequest, MOST_PER_LAUNCH};
use fleetfoot_core::stack::{self, Capacity, Network};
use serde_json::{Value, json};

/// ECS API Reference, RunTask, overrides: characters, as JSON.
const MOST_OVERRIDES: usize = 8192;
/// ECS API Reference, RunTask, startedBy.
const LONGEST_STARTED_BY: usize = 128;
/// ECS API Reference, RunTask, clientToken.
const LONGEST_TOKEN: usize = 64;
/// ECS API Reference, Tag: how many, and the longest key and value in characters.
const MOST_TAGS: usize = 50;
const LONGEST_TAG_KEY: usize = 128;
const LONGEST_TAG_VALUE: usize = 256;
/// ECS API Reference, AwsVpcConfiguration.
const MOST_SUBNETS: usize = 16;
const MOST_SECURITY_GROUPS: usize = 5;

/// The tasks that another launch with this token has made, if that is what ECS says (ECS API Reference,
/// RunTask, ConflictException, resourceIds).
pub(crate) fn held(what: &str, error: &SdkError<RunTaskError>) -> Result<Vec<TaskArn>, Fault> {
    match error.as_service_error() {
        Some(RunTaskError::ConflictException(conflict)) => {
            conflict.resource_ids().iter().map(|arn| super::view::task_arn(what, arn)).collect()
        }
        _ => Ok(Vec::new()),
    }
}

/// As the sentence "cannot …" goes on.
pub(crate) fn what(request: &LaunchRequest, cluster: &str) -> String {
    let (count, family) = (request.count, &request.task_definition);
    let tasks = if count == 1 { "a task".to_owned() } else { format!("{count} tasks") };
    format!("start {tasks} of {family} on {} in cluster {cluster}", request.capacity)
}

/// Refuses what ECS would refuse, with the limit in the text.
pub(crate) fn check(request: &LaunchRequest, cluster: &str) -> Result<(), Fault> {
    let refuse = |why: String, remedy: &str| {
        Err(Fault::new(Class::Invalid, what(request, cluster), why).remedy(remedy))
    };
    if !(1..=MOST_PER_LAUNCH).contains(&request.count) {
        let why = format!("{} tasks in one call; ECS takes 1 to {MOST_PER_LAUNCH}", request.count);
        return refuse(why, "ask for them in several calls");
    }
    let started_by = request.started_by.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-/_".contains(c);
    if started_by.len() > LONGEST_STARTED_BY || !started_by.chars().all(plain) {
        let why = format!(
            "startedBy {started_by:?} is not {LONGEST_STARTED_BY} characters at most of letters, digits, -, / \
             and _"
        );
        return refuse(why, "give a shorter --key");
    }
    if request.token.as_str().len() > LONGEST_TOKEN {
        return refuse(
            format!("the client token has over {LONGEST_TOKEN} characters"),
            "give a shorter --key",
        );
    }
    let size = overrides_json(request).to_string().chars().count();
    if size > MOST_OVERRIDES {
        let why = format!("the overrides are {size} characters of JSON; ECS takes {MOST_OVERRIDES}");
        return refuse(why, "shorten mailbox.prefix and the container's name in the stack document");
    }
    if let Some(network) = &request.network
        && let Some(why) = bad_network(network)
    {
        return refuse(why, "correct network of the pool in the stack document");
    }
    match bad_tags(&request.tags) {
        Some(why) => refuse(why, "shorten the tag or leave it out"),
        None => Ok(()),
    }
}

fn bad_network(network: &Network) -> Option<String> {
    let (subnets, groups) = (network.subnets.len(), network.security_groups.len());
    if !(1..=MOST_SUBNETS).contains(&subnets) {
        return Some(format!("{subnets} subnets; ECS takes 1 to {MOST_SUBNETS}"));
    }
    (groups > MOST_SECURITY_GROUPS)
        .then(|| format!("{groups} security groups; ECS takes at most {MOST_SECURITY_GROUPS}"))
}

fn bad_tags(tags: &BTreeMap<String, String>) -> Option<String> {
    if tags.len() > MOST_TAGS {
        return Some(format!("{} tags; ECS takes at most {MOST_TAGS}", tags.len()));
    }
    let taken = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    tags.iter().find_map(|(key, value)| {
        if key.is_empty() || key.chars().count() > LONGEST_TAG_KEY {
            return Some(format!("the tag key {key:?} is not 1 to {LONGEST_TAG_KEY} characters long"));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Some(format!("the tag key {key:?} begins with aws:, which is reserved"));
        }
        if value.chars().count() > LONGEST_TAG_VALUE {
            return Some(format!("the value of tag {key:?} has over {LONGEST_TAG_VALUE} characters"));
        }
        let odd = key.chars().chain(value.chars()).find(|c| !taken(*c))?;
        Some(format!("the tag {key:?} has the character {odd:?}, which ECS does not take"))
    })
}

/// What the agent is told in its environment.
fn environment(request: &LaunchRequest) -> impl Iterator<Item = (&'static str, String)> {
    let mailbox = (MAILBOX_VARIABLE, request.mailbox.to_string());
    let patience = request.bind_timeout.map(|seconds| (BIND_TIMEOUT_VARIABLE, format!("{seconds}s")));
    std::iter::once(mailbox).chain(patience)
}

/// The overrides as they go over the wire, to measure them.
fn overrides_json(request: &LaunchRequest) -> Value {
    let environment: Vec<Value> =
        environment(request).map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut overrides = json!({
        "containerOverrides": [{"name": request.container, "environment": environment}],
    });
    if let Some(cpu) = request.cpu {
        overrides["cpu"] = json!(cpu.to_string());
    }
    if let Some(memory) = request.memory {
        overrides["memory"] = json!(memory.to_string());
    }
    if let Some(gib) = request.ephemeral_storage {
        overrides["ephemeralStorage"] = json!({"sizeInGiB": gib});
    }
    overrides
}

fn overrides(request: &LaunchRequest) -> TaskOverride {
    let pair = |(name, value)| KeyValuePair::builder().name(name).value(value).build();
    let environment = Some(environment(request).map(pair).collect());
    let container =
        ContainerOverride::builder().name(&request.container).set_environment(environment).build();
    let storage = request
        .ephemeral_storage
        .map(|gib| EphemeralStorage::builder().size_in_gib(i32::try_from(gib).unwrap_or(i32::MAX)).build());
    TaskOverride::builder()
        .container_overrides(container)
        .set_cpu(request.cpu.map(|units| units.to_string()))
        .set_memory(request.memory.map(|mib| mib.to_string()))
        .set_ephemeral_storage(storage)
        .build()
}

/// The call, not yet sent. The same request always makes the same call, as the client token demands.
pub(crate) fn call(
    client: &Client,
    request: &LaunchRequest,
    cluster: &str,
    what: &str,
) -> Result<RunTaskFluentBuilder, Fault> {
    check(request, cluster)?;
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let call = client
        .run_task()
        .cluster(cluster)
        .task_definition(&request.task_definition)
        .count(i32::try_from(request.count).unwrap_or(i32::MAX))
        .started_by(request.started_by.as_str())
        .client_token(request.token.as_str())
        .overrides(overrides(request))
        .set_tags(Some(request.tags.iter().map(tag).collect()));
    let call = match &request.network {
        Some(network) => call.network_configuration(awsvpc(network).map_err(|error| unbuilt(what, error))?),
        None => call,
    };
    Ok(match &request.capacity {
        Capacity::Provider(name) => call.capacity_provider_strategy(
            CapacityProviderStrategyItem::builder()
                .capacity_provider(name)
                .weight(1)
                .build()
                .map_err(|error| unbuilt(what, error))?,
        ),
        Capacity::LaunchType(stack::LaunchType::Ec2) => call.launch_type(LaunchType::Ec2),
        Capacity::LaunchType(stack::LaunchType::Fargate) => call.launch_type(LaunchType::Fargate),
    })
}

fn awsvpc(network: &Network) -> Result<NetworkConfiguration, aws_sdk_ecs::error::BuildError> {
    let public = if network.assign_public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
    let vpc = AwsVpcConfiguration::builder()
        .set_subnets(Some(network.subnets.clone()))
        .set_security_groups(Some(network.security_groups.clone()))
        .assign_public_ip(public)
        .build()?;
    Ok(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
}

fn unbuilt(what: &str, error: aws_sdk_ecs::error::BuildError) -> Fault {
    Fault::new(Class::Invalid, what, error.to_string()).because(error)
}

#[cfg(test)]
mod tests {
    use fleetfoot_core::assignment::MailboxPrefix;
    use fleetfoot_core::ids::{ClientToken, RunRef, StartedBy};

    use super::*;

    fn request() -> LaunchRequest {
        let started_by = StartedBy::of_run(&"prod".parse().unwrap(), &RunRef::ByHand, &"k".parse().unwrap());
        LaunchRequest {
            task_definition: "ff-linux".into(),
            container: "runner".into(),
            capacity: Capacity::Provider("FARGATE_SPOT".into()),
            network: Some(Network {
                subnets: vec!["subnet-1".into()],
                security_groups: vec![],
                assign_public_ip: true,
            }),
            count: 2,
            token: ClientToken::of_batch(&started_by, 0),
            started_by,
            tags: BTreeMap::from([("fleetfoot:workflow".into(), "Größe 1".into())]),
            mailbox: MailboxPrefix::new("bucket", "mailbox/", "n0nce"),
            cpu: Some(1024),
            memory: None,
            ephemeral_storage: Some(30),
            bind_timeout: Some(3900),
        }
    }

    fn refusal(change: impl FnOnce(&mut LaunchRequest)) -> String {
        let mut request = request();
        change(&mut request);
        let fault = check(&request, "ff").unwrap_err();
        assert_eq!(fault.class, Class::Invalid);
        assert!(fault.remedy.is_some());
        fault.to_string()
    }

    #[test]
    fn what_ecs_takes_is_taken() {
        check(&request(), "ff").unwrap();
        assert_eq!(what(&request(), "ff"), "start 2 tasks of ff-linux on FARGATE_SPOT in cluster ff");
    }

    #[test]
    fn each_limit_is_named() {
        assert!(refusal(|r| r.count = 0).contains("1 to 10"));
        assert!(refusal(|r| r.count = 11).contains("11 tasks"));
        let long = |r: &mut LaunchRequest| r.mailbox = MailboxPrefix::new("b", &"x".repeat(9000), "n");
        assert!(refusal(long).contains("8192"));
        assert!(refusal(|r| r.network.as_mut().unwrap().subnets.clear()).contains("0 subnets"));
        let many = |r: &mut LaunchRequest| r.network.as_mut().unwrap().security_groups = vec!["g".into(); 6];
        assert!(refusal(many).contains("6 security groups"));
    }

    #[test]
    fn each_limit_of_tags_is_named() {
        let tag = |key: &str, value: &str| {
            let (key, value) = (key.to_owned(), value.to_owned());
            refusal(move |r| drop(r.tags.insert(key, value)))
        };
        assert!(tag("k", "a(b").contains("'('"));
        assert!(tag("aws:k", "v").contains("reserved"));
        assert!(tag("", "v").contains("1 to 128"));
        assert!(tag(&"k".repeat(129), "v").contains("1 to 128"));
        assert!(tag("k", &"ü".repeat(257)).contains("256"));
        let many =
            |r: &mut LaunchRequest| r.tags = (0..51).map(|i| (format!("k{i}"), String::new())).collect();
        assert!(refusal(many).contains("51 tags"));
    }

    #[test]
    fn what_is_measured_is_what_is_sent() {
        let sent = overrides(&request());
        assert_eq!(sent.cpu(), Some("1024"));
        assert_eq!(sent.memory(), None);
        assert_eq!(sent.ephemeral_storage().map(EphemeralStorage::size_in_gib), Some(30));
        let environment = sent.container_overrides()[0].environment();
        let told: Vec<_> = environment.iter().map(|pair| (pair.name(), pair.value())).collect();
        assert_eq!(
            told,
            [
                (Some("FLEETFOOT_MAILBOX"), Some("s3://bucket/mailbox/n0nce/")),
                (Some("FLEETFOOT_BIND_TIMEOUT"), Some("3900s")),
            ]
        );
        assert_eq!(
            overrides_json(&request()).to_string(),
            r#"{"containerOverrides":[{"name":"runner","environment":[{"name":"FLEETFOOT_MAILBOX","value":"s3://bucket/mailbox/n0nce/"},{"name":"FLEETFOOT_BIND_TIMEOUT","value":"3900s"}]}],"cpu":"1024","ephemeralStorage":{"sizeInGiB":30}}"#
        );
    }
}
