//! Task definitions: families with numbered revisions. Source: ECS API Reference, "RegisterTaskDefinition".

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::error::AwsError;
use super::super::ssm::epoch;
use super::api::EphemeralStorage;
use super::definition_rules;
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
        definition_rules::check(&mut definition)?;
        let revisions = self.0.entry(definition.family.clone()).or_default();
        let revision = revisions.last().map_or(1, |last| last.revision + 1);
        let arn = format!("arn:aws:ecs:{region}:{account}:task-definition/{}:{revision}", definition.family);
        let registered = Arc::new(Registered { arn, revision, registered: now, definition });
        revisions.push(Arc::clone(&registered));
        Ok(registered)
    }
}
