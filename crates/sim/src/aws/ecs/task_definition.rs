//! Task definitions: families with numbered revisions. Source: ECS API Reference, "RegisterTaskDefinition".

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::error::AwsError;
use super::super::ssm::epoch;
use super::api::EphemeralStorage;
use super::fargate;
use super::model::Tag;

/// How a task's containers are on the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Each task has an interface of its own.
    Awsvpc,
    /// Behind the machine's address.
    #[default]
    Bridge,
    /// On the machine's interfaces.
    Host,
    /// Not at all.
    None,
}

/// A name with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The name.
    pub name: String,
    /// The value.
    #[serde(default)]
    pub value: String,
}

impl KeyValue {
    /// A pair.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Where a container's lines go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogConfiguration {
    /// Only `awslogs` is simulated.
    pub log_driver: String,
    /// `awslogs-group`, `awslogs-region`, `awslogs-stream-prefix`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl LogConfiguration {
    /// The driver `awslogs` with a group and a prefix: streams are called `prefix/container/task id`.
    pub fn awslogs(group: &str, region: &str, prefix: &str) -> Self {
        let options =
            [("awslogs-group", group), ("awslogs-region", region), ("awslogs-stream-prefix", prefix)];
        Self {
            log_driver: "awslogs".to_owned(),
            options: options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

/// A container of a task definition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerDefinition {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// CPU units that are set aside for it.
    pub cpu: u32,
    /// Its limit of memory in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Memory that is set aside for it in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<u32>,
    /// Whether the task ends with it; absent means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub essential: Option<bool>,
    /// Stands in the place of the image's program.
    pub entry_point: Vec<String>,
    /// Arguments.
    pub command: Vec<String>,
    /// Its environment.
    pub environment: Vec<KeyValue>,
    /// Where its lines go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_configuration: Option<LogConfiguration>,
    /// Seconds between SIGTERM and SIGKILL, 2 to 120 on Fargate; absent means 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
    /// What has no effect here, kept and given back.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The chip and the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimePlatform {
    /// `X86_64` or `ARM64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_architecture: Option<String>,
    /// `LINUX`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operating_system_family: Option<String>,
}

/// A task definition as it is registered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDefinition {
    /// Its family.
    pub family: String,
    /// The role that its containers have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_role_arn: Option<String>,
    /// The role that starts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_role_arn: Option<String>,
    /// Its network mode; absent means `bridge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<NetworkMode>,
    /// Its containers.
    pub container_definitions: Vec<ContainerDefinition>,
    /// `FARGATE`, `EC2`.
    pub requires_compatibilities: Vec<String>,
    /// CPU units, `1024` or `1 vCPU`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory in MiB, `2048` or `2 GB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Ephemeral storage, on Fargate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<EphemeralStorage>,
    /// The chip and the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_platform: Option<RuntimePlatform>,
    /// Tags; not part of the definition in answers.
    #[serde(skip_serializing)]
    pub tags: Vec<Tag>,
    /// What has no effect here, kept and given back.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A task definition with its revision.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Its ARN, revision included.
    pub arn: String,
    /// Number within the family, from 1.
    pub revision: u32,
    /// When it was registered.
    pub registered: Timestamp,
    /// What was registered, with sizes as plain numbers.
    pub definition: TaskDefinition,
}

impl Registered {
    /// The network mode, with the default for none.
    pub fn network_mode(&self) -> NetworkMode {
        self.definition.network_mode.unwrap_or_default()
    }

    /// Whether tasks of it can run on Fargate.
    pub(super) fn fits_fargate(&self) -> bool {
        self.definition.requires_compatibilities.iter().any(|c| c == "FARGATE")
    }

    /// Whether tasks of it can run on the cluster's machines.
    pub(super) fn fits_ec2(&self) -> bool {
        let required = &self.definition.requires_compatibilities;
        required.is_empty() || required.iter().any(|c| c == "EC2")
    }

    /// The member `taskDefinition` of answers.
    pub(super) fn render(&self, account: &str) -> Value {
        let mut value = json!(self.definition);
        let compatibilities = if self.network_mode() == NetworkMode::Awsvpc && self.definition.cpu.is_some() {
            json!(["EC2", "FARGATE"])
        } else {
            json!(["EC2"])
        };
        let more = json!({
            "taskDefinitionArn": self.arn, "revision": self.revision, "status": "ACTIVE", "volumes": [],
            "requiresAttributes": [], "placementConstraints": [], "compatibilities": compatibilities,
            "registeredAt": epoch(self.registered), "registeredBy": format!("arn:aws:iam::{account}:root"),
        });
        if let (Value::Object(members), Value::Object(more)) = (&mut value, more) {
            for (name, member) in more {
                members.entry(name).or_insert(member);
            }
        }
        value
    }
}

/// All families.
#[derive(Default)]
pub(super) struct TaskDefinitions(BTreeMap<String, Vec<Arc<Registered>>>);

impl TaskDefinitions {
    /// Finds one by `family` (the newest), `family:revision` or ARN.
    pub(super) fn find(&self, name: &str) -> Option<&Arc<Registered>> {
        let name = name.split_once("task-definition/").map_or(name, |(_, name)| name);
        let (family, revision) = name.split_once(':').map_or((name, None), |(f, r)| (f, Some(r)));
        let revisions = self.0.get(family)?;
        match revision {
            None => revisions.last(),
            Some(revision) => revisions.iter().find(|known| known.revision.to_string() == revision),
        }
    }

    /// Registers a new revision.
    pub(super) fn register(
        &mut self,
        mut definition: TaskDefinition,
        (region, account): (&str, &str),
        now: Timestamp,
    ) -> Result<Arc<Registered>, AwsError> {
        check(&mut definition)?;
        let revisions = self.0.entry(definition.family.clone()).or_default();
        let revision = revisions.last().map_or(1, |last| last.revision + 1);
        let arn = format!("arn:aws:ecs:{region}:{account}:task-definition/{}:{revision}", definition.family);
        let registered = Arc::new(Registered { arn, revision, registered: now, definition });
        revisions.push(Arc::clone(&registered));
        Ok(registered)
    }
}

/// Refuses what the service refuses and writes the sizes as plain numbers.
fn check(definition: &mut TaskDefinition) -> Result<(), AwsError> {
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
                d.container_definitions[0].log_configuration = Some(LogConfiguration::awslogs("/g", "r", "p"))
            },
            "execution role",
        );
        refused(|d| d.container_definitions.push(d.container_definitions[0].clone()), "used twice");
    }
}
