//! What RegisterTaskDefinition refuses. Source: ECS API Reference, "RegisterTaskDefinition", and Developer
//! Guide, "Task definition differences for Fargate".

use serde_json::Value;

use super::super::error::AwsError;
use super::fargate;
use super::task_definition::{NetworkMode, TaskDefinition};

/// Refuses what the service refuses and writes the sizes as plain numbers.
pub(super) fn check(definition: &mut TaskDefinition) -> Result<(), AwsError> {
    let client = |message: String| Err(AwsError::client(message));
    let name = |text: &str| {
        (1..=255).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if !name(&definition.family) {
        return client(format!(
            "Family '{}' is not valid: up to 255 letters, digits, hyphens and underscores",
            definition.family
        ));
    }
    let size = |text: &Option<String>, read: fn(&str) -> Option<u32>, what: &str| match text {
        Some(text) => read(text).map(|number| Some(number.to_string())).ok_or_else(|| {
            AwsError::client(format!("Invalid '{what}' setting for task. '{text}' is no size."))
        }),
        None => Ok(None),
    };
    definition.cpu = size(&definition.cpu, fargate::cpu_units, "cpu")?;
    definition.memory = size(&definition.memory, fargate::memory_mib, "memory")?;
    if definition.container_definitions.is_empty() {
        return client("Container list cannot be empty.".to_owned());
    }
    if let Some(unknown) =
        definition.requires_compatibilities.iter().find(|c| !["EC2", "FARGATE"].contains(&c.as_str()))
    {
        return Err(AwsError::not_simulated(format!("the compatibility {unknown}")));
    }
    let fargate = definition.requires_compatibilities.iter().any(|c| c == "FARGATE");
    if fargate {
        check_fargate(definition)?;
    }
    for (index, container) in definition.container_definitions.iter().enumerate() {
        if !name(&container.name) {
            return client(format!("Container.name '{}' is not valid.", container.name));
        }
        if definition.container_definitions[..index].iter().any(|other| other.name == container.name) {
            return client(format!("Container name '{}' is used twice.", container.name));
        }
        if container.image.is_empty() {
            return client("Container.image should not be null or empty.".to_owned());
        }
        if definition.memory.is_none() && container.memory.is_none() && container.memory_reservation.is_none()
        {
            return client(format!(
                "Invalid setting for container '{}'. At least one of 'memory' or 'memoryReservation' must be \
                 specified.",
                container.name
            ));
        }
        if fargate && container.stop_timeout.is_some_and(|timeout| !(2..=120).contains(&timeout)) {
            return client("Stop timeout must be between 2 and 120 seconds on Fargate.".to_owned());
        }
        for unsupported in ["secrets", "dependsOn", "environmentFiles"] {
            let asked = container
                .other
                .get(unsupported)
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty());
            if asked {
                return Err(AwsError::not_simulated(format!("{unsupported} of a container definition")));
            }
        }
        if let Some(log) = &container.log_configuration {
            if log.log_driver != "awslogs" {
                return Err(AwsError::not_simulated(format!("the log driver {}", log.log_driver)));
            }
            if !log.options.contains_key("awslogs-group") {
                return client(
                    "Log driver awslogs requires options: awslogs-group, awslogs-region".to_owned(),
                );
            }
            if fargate && !log.options.contains_key("awslogs-stream-prefix") {
                return client(
                    "Log driver awslogs requires option 'awslogs-stream-prefix' on Fargate.".to_owned(),
                );
            }
        }
    }
    if !definition.container_definitions.iter().any(|container| container.essential != Some(false)) {
        return client("At least one container must be essential.".to_owned());
    }
    Ok(())
}

fn check_fargate(definition: &TaskDefinition) -> Result<(), AwsError> {
    let client = |message: String| Err(AwsError::client(message));
    if definition.network_mode != Some(NetworkMode::Awsvpc) {
        return client("Fargate only supports network mode ‘awsvpc’.".to_owned());
    }
    let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<u32>().ok());
    let (Some(cpu), Some(memory)) = (number(&definition.cpu), number(&definition.memory)) else {
        return client("Fargate requires that 'cpu' and 'memory' be defined at the task level.".to_owned());
    };
    if !fargate::has_size(cpu, memory) {
        return client(format!(
            "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory."
        ));
    }
    let storage = definition.ephemeral_storage.map(|storage| storage.size_in_gib);
    if storage.is_some_and(|gib| !(21..=200).contains(&gib)) {
        return client("EphemeralStorage.sizeInGiB must be between 21 and 200.".to_owned());
    }
    if definition.execution_role_arn.is_none()
        && definition.container_definitions.iter().any(|container| container.log_configuration.is_some())
    {
        return client(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs."
                .to_owned(),
        );
    }
    if definition
        .container_definitions
        .iter()
        .any(|container| container.other.get("privileged").and_then(Value::as_bool) == Some(true))
    {
        return client("Fargate does not support privileged containers.".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::super::api::EphemeralStorage;
    use super::super::task_definition::{ContainerDefinition, LogConfiguration, Registered, TaskDefinitions};
    use super::*;

    fn definition() -> TaskDefinition {
        TaskDefinition {
            family: "runner".into(),
            network_mode: Some(NetworkMode::Awsvpc),
            requires_compatibilities: vec!["FARGATE".into()],
            cpu: Some("1 vCPU".into()),
            memory: Some("2 GB".into()),
            container_definitions: vec![ContainerDefinition {
                name: "runner".into(),
                image: "image".into(),
                ..ContainerDefinition::default()
            }],
            ..TaskDefinition::default()
        }
    }

    fn register(change: impl FnOnce(&mut TaskDefinition)) -> Result<Arc<Registered>, AwsError> {
        let mut definition = definition();
        change(&mut definition);
        TaskDefinitions::default().register(definition, ("eu-west-1", "1"), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn revisions_count_and_are_found() {
        let mut all = TaskDefinitions::default();
        for revision in 1..=3 {
            let new = all.register(definition(), ("eu-west-1", "1"), Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(new.revision, revision);
        }
        assert_eq!(all.find("runner").unwrap().revision, 3);
        assert_eq!(all.find("runner:2").unwrap().revision, 2);
        assert_eq!(all.find("arn:aws:ecs:eu-west-1:1:task-definition/runner:1").unwrap().revision, 1);
        assert!(all.find("runner:4").is_none() && all.find("other").is_none());
    }

    #[test]
    fn sizes_become_numbers() {
        let registered = register(|_| ()).unwrap();
        assert_eq!(registered.definition.cpu.as_deref(), Some("1024"));
        assert_eq!(registered.render("1")["memory"], "2048");
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        let refused = |change: fn(&mut TaskDefinition), words: &str| {
            let error = register(change).unwrap_err();
            assert!(error.message.contains(words), "{error}");
        };
        refused(|d| d.network_mode = Some(NetworkMode::Bridge), "awsvpc");
        refused(|d| d.memory = Some("9 GB".into()), "No Fargate configuration exists");
        refused(|d| d.cpu = None, "at the task level");
        refused(|d| d.family = "a b".into(), "Family");
        refused(|d| d.container_definitions.clear(), "cannot be empty");
        refused(|d| d.container_definitions[0].essential = Some(false), "essential");
        refused(|d| d.container_definitions[0].stop_timeout = Some(121), "between 2 and 120");
        refused(|d| d.ephemeral_storage = Some(EphemeralStorage { size_in_gib: 20 }), "between 21 and 200");
        refused(
            |d| {
                d.container_definitions[0].log_configuration =
                    Some(LogConfiguration::awslogs("/g", "r", "p"));
            },
            "execution role",
        );
        refused(|d| d.container_definitions.push(d.container_definitions[0].clone()), "used twice");
    }
}
