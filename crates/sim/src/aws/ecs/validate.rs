//! What RunTask refuses before it places anything. Source: ECS API Reference, "RunTask", and the limits
//! that botocore's model and the Developer Guide name. The service does not document its sentences;
//! where they are known they are its own.

use serde_json::Value;

use super::super::error::AwsError;
use super::super::wire::decode;
use super::api::{AwsVpc, RunTask, TaskOverride};
use super::fargate;
use super::model::{LaunchType, Tag};
use super::setup::StrategyItem;
use super::task_definition::{NetworkMode, Registered};
use super::{Clusters, StoredCluster};

/// How a call chooses capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// A launch type.
    Direct(LaunchType),
    /// A capacity provider strategy, on Fargate or on Auto Scaling groups.
    Strategy(LaunchType, Vec<StrategyItem>),
}

impl Choice {
    pub(super) fn launch_type(&self) -> LaunchType {
        match self {
            Self::Direct(launch_type) | Self::Strategy(launch_type, _) => *launch_type,
        }
    }
}

/// A call that may place tasks.
#[derive(Debug)]
pub(super) struct Valid {
    pub(super) count: usize,
    pub(super) choice: Choice,
    pub(super) network: Option<AwsVpc>,
    pub(super) cpu: Option<u32>,
    pub(super) memory: Option<u32>,
    pub(super) ephemeral_storage: Option<u32>,
    pub(super) task_role: Option<String>,
    pub(super) execution_role: Option<String>,
}

/// Checks a call against everything but permissions and capacity.
pub(super) fn run_task(
    request: &RunTask,
    cluster: &StoredCluster,
    clusters: &Clusters,
    registered: &Registered,
) -> Result<Valid, AwsError> {
    let count = match request.count.unwrap_or(1) {
        count @ 1..=10 => usize::try_from(count).unwrap_or(1),
        count => return invalid(format!("count must be between 1 and 10, and is {count}.")),
    };
    started_by(request.started_by.as_deref())?;
    tags(&request.tags)?;
    if let Some(propagate) = request.propagate_tags.as_deref()
        && !["TASK_DEFINITION", "NONE"].contains(&propagate)
    {
        return invalid(format!("propagateTags {propagate} is not valid for RunTask."));
    }
    if !request.volume_configurations.is_empty() {
        return Err(AwsError::not_simulated("volumeConfigurations"));
    }
    let choice = choice(request, cluster)?;
    let launch_type = choice.launch_type();
    let fits = match launch_type {
        LaunchType::Fargate => registered.fits_fargate(),
        LaunchType::Ec2 => registered.fits_ec2(),
    };
    if !fits {
        return invalid(format!("Task definition does not support launch_type {}.", launch_type.as_str()));
    }
    platform(request, launch_type)?;
    let network = network(request, clusters, registered, launch_type)?;
    let overrides = overrides(request.overrides.as_ref(), registered)?;
    let definition = &registered.definition;
    let cpu = size(overrides.cpu.as_deref().or(definition.cpu.as_deref()), fargate::cpu_units, "cpu")?;
    let memory =
        size(overrides.memory.as_deref().or(definition.memory.as_deref()), fargate::memory_mib, "memory")?;
    let storage =
        overrides.ephemeral_storage.or(definition.ephemeral_storage).map(|storage| storage.size_in_gib);
    if launch_type == LaunchType::Fargate {
        if let (Some(cpu), Some(memory)) = (cpu, memory)
            && !fargate::has_size(cpu, memory)
        {
            return Err(AwsError::client(format!(
                "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS \
                 documentation for the valid values."
            )));
        }
        if storage.is_some_and(|gib| !(21..=200).contains(&gib)) {
            return invalid("ephemeralStorage.sizeInGiB must be between 21 and 200.");
        }
        if !request.placement_constraints.is_empty() || !request.placement_strategy.is_empty() {
            return invalid(
                "Placement constraints and strategies are not supported with launch_type FARGATE.",
            );
        }
    } else if overrides.ephemeral_storage.is_some() {
        return invalid("The ephemeralStorage override is only supported on Fargate.");
    }
    Ok(Valid {
        count,
        choice,
        network,
        cpu,
        memory,
        ephemeral_storage: (launch_type == LaunchType::Fargate).then(|| storage.unwrap_or(20)),
        task_role: overrides.task_role_arn.or_else(|| definition.task_role_arn.clone()),
        execution_role: overrides.execution_role_arn.or_else(|| definition.execution_role_arn.clone()),
    })
}

fn invalid<T>(message: impl Into<String>) -> Result<T, AwsError> {
    Err(AwsError::invalid_parameter(message))
}

/// Letters, digits, hyphen, slash and underscore, 128 at most.
pub(super) fn started_by(value: Option<&str>) -> Result<(), AwsError> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
    match value {
        Some(value) if value.len() > 128 => invalid("startedBy must have 128 characters at most."),
        Some(value) if !value.chars().all(known) => invalid(
            "startedBy may have letters, digits, hyphens (-), forward slashes (/) and underscores (_) only.",
        ),
        _ => Ok(()),
    }
}

/// 50 tags at most, each key once, with the characters and lengths of the API's model.
pub(super) fn tags(tags: &[Tag]) -> Result<(), AwsError> {
    let known = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    if tags.len() > 50 {
        return invalid("The number of tags must be 50 at most.");
    }
    for (index, tag) in tags.iter().enumerate() {
        if !(1..=128).contains(&tag.key.chars().count()) || !tag.key.chars().all(known) {
            return invalid(format!("The tag key '{}' is not valid.", tag.key));
        }
        if tag.value.chars().count() > 256 || !tag.value.chars().all(known) {
            return invalid(format!("The value of the tag '{}' is not valid.", tag.key));
        }
        if tag.key.to_lowercase().starts_with("aws:") {
            return invalid("Tag keys must not begin with aws:, which is reserved.");
        }
        if tags[..index].iter().any(|other| other.key == tag.key) {
            return invalid(format!("The tag key '{}' is given twice.", tag.key));
        }
    }
    Ok(())
}

fn choice(request: &RunTask, cluster: &StoredCluster) -> Result<Choice, AwsError> {
    let items = &request.capacity_provider_strategy;
    match (request.launch_type.as_deref(), items.is_empty()) {
        (Some(_), false) => invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ),
        (Some("FARGATE"), true) => Ok(Choice::Direct(LaunchType::Fargate)),
        (Some("EC2"), true) => Ok(Choice::Direct(LaunchType::Ec2)),
        (Some("EXTERNAL" | "MANAGED_INSTANCES"), true) => Err(AwsError::not_simulated("this launch type")),
        (Some(other), true) => invalid(format!("launchType {other} is not one of FARGATE, EC2, EXTERNAL.")),
        (None, false) => strategy(items, cluster),
        (None, true) if !cluster.default_strategy.is_empty() => strategy(&cluster.default_strategy, cluster),
        (None, true) => Ok(Choice::Direct(LaunchType::Ec2)),
    }
}

fn strategy(items: &[StrategyItem], cluster: &StoredCluster) -> Result<Choice, AwsError> {
    if items.len() > 20 {
        return invalid("The capacity provider strategy may contain a maximum of 20 capacity providers.");
    }
    let fargate =
        |item: &&StrategyItem| ["FARGATE", "FARGATE_SPOT"].contains(&item.capacity_provider.as_str());
    for item in items {
        if !cluster.providers.contains(&item.capacity_provider) {
            return invalid(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated \
                 with the cluster. Associate the capacity provider with the cluster and try again.",
            );
        }
        if item.weight > 1000 || item.base > 100_000 {
            return invalid("A capacity provider's weight is at most 1000 and its base at most 100000.");
        }
    }
    let on_fargate = items.iter().filter(fargate).count();
    if on_fargate != 0 && on_fargate != items.len() {
        return invalid(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and \
             Fargate providers. Specify one or the other and try again.",
        );
    }
    if items.iter().filter(|item| item.base > 0).count() > 1 {
        return invalid(
            "Only one capacity provider of a capacity provider strategy can have a base defined.",
        );
    }
    // A lone provider may leave its weight out; several need one that counts.
    if items.len() > 1 && items.iter().all(|item| item.weight == 0) {
        return invalid("At least one capacity provider of the strategy must have a weight greater than 0.");
    }
    let launch_type = if on_fargate == 0 { LaunchType::Ec2 } else { LaunchType::Fargate };
    Ok(Choice::Strategy(launch_type, items.to_vec()))
}

fn platform(request: &RunTask, launch_type: LaunchType) -> Result<(), AwsError> {
    match (request.platform_version.as_deref(), launch_type) {
        (None, _) | (Some("LATEST" | "1.4.0" | "1.3.0"), LaunchType::Fargate) => Ok(()),
        (Some(_), LaunchType::Fargate) => {
            Err(AwsError::new("PlatformUnknownException", "The specified platform version does not exist."))
        }
        (Some(_), LaunchType::Ec2) => {
            invalid("The platform version must be null when specifying an EC2 launch type.")
        }
    }
}

fn network(
    request: &RunTask,
    clusters: &Clusters,
    registered: &Registered,
    launch_type: LaunchType,
) -> Result<Option<AwsVpc>, AwsError> {
    let given =
        request.network_configuration.as_ref().and_then(|network| network.awsvpc_configuration.clone());
    let vpc = match (registered.network_mode(), given) {
        (NetworkMode::Awsvpc, None) => {
            return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
        }
        (NetworkMode::Awsvpc, Some(vpc)) => vpc,
        (_, None) => return Ok(None),
        (_, Some(_)) => {
            return invalid(
                "Network Configuration is not valid for the given networkMode of this task definition.",
            );
        }
    };
    if vpc.subnets.is_empty() {
        return invalid("subnets can not be empty.");
    }
    if vpc.subnets.len() > 16 {
        return invalid("subnets can have at most 16 items.");
    }
    if vpc.security_groups.len() > 5 {
        return invalid("securityGroups can have at most 5 items.");
    }
    if let Some(unknown) = vpc.subnets.iter().find(|id| !clusters.subnets.contains_key(*id)) {
        return invalid(format!(
            "Error retrieving subnet information for [{unknown}]: The subnet ID '{unknown}' does not exist \
             (ErrorCode: InvalidSubnetID.NotFound)"
        ));
    }
    if let Some(unknown) = vpc.security_groups.iter().find(|id| !clusters.security_groups.contains(*id)) {
        return invalid(format!(
            "Error retrieving security group information for [{unknown}]: The security group '{unknown}' does not \
             exist (ErrorCode: InvalidGroup.NotFound)"
        ));
    }
    match vpc.assign_public_ip.as_deref() {
        None | Some("DISABLED") => {}
        Some("ENABLED") if launch_type == LaunchType::Fargate => {}
        Some("ENABLED") => return invalid("Assign public IP is not supported for this launch type."),
        Some(other) => return invalid(format!("assignPublicIp {other} is neither ENABLED nor DISABLED.")),
    }
    Ok(Some(vpc))
}

fn overrides(given: Option<&Value>, registered: &Registered) -> Result<TaskOverride, AwsError> {
    let Some(given) = given else {
        return Ok(TaskOverride::default());
    };
    if given.to_string().chars().count() > 8192 {
        return invalid("Overrides, formatted as JSON, must have 8192 characters at most.");
    }
    let overrides: TaskOverride = decode(given)?;
    for container in &overrides.container_overrides {
        let Some(name) = container.name.as_deref() else {
            return invalid("Container override must have a name.");
        };
        if !registered.definition.container_definitions.iter().any(|known| known.name == name) {
            return invalid(format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            ));
        }
        if !container.environment_files.is_empty() {
            return Err(AwsError::not_simulated("environmentFiles of an override"));
        }
    }
    Ok(overrides)
}

fn size(text: Option<&str>, read: fn(&str) -> Option<u32>, what: &str) -> Result<Option<u32>, AwsError> {
    let Some(text) = text else {
        return Ok(None);
    };
    read(text)
        .map(Some)
        .ok_or_else(|| AwsError::client(format!("Invalid '{what}' setting for task. '{text}' is no size.")))
}
