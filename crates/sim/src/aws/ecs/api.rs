//! The requests of ECS that are read here. Members that are not named are taken and have no effect,
//! except where [`super::validate`] refuses them.

use serde::Deserialize;
use serde_json::Value;

use super::model::Tag;
use super::setup::StrategyItem;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunTask {
    pub(super) cluster: Option<String>,
    pub(super) task_definition: String,
    pub(super) count: Option<i64>,
    pub(super) launch_type: Option<String>,
    #[serde(default)]
    pub(super) capacity_provider_strategy: Vec<StrategyItem>,
    pub(super) network_configuration: Option<NetworkConfiguration>,
    pub(super) overrides: Option<Value>,
    pub(super) started_by: Option<String>,
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
    pub(super) client_token: Option<String>,
    #[serde(default, rename = "enableECSManagedTags")]
    pub(super) enable_ecs_managed_tags: bool,
    #[serde(default)]
    pub(super) enable_execute_command: bool,
    pub(super) propagate_tags: Option<String>,
    pub(super) platform_version: Option<String>,
    #[serde(default)]
    pub(super) placement_constraints: Vec<Value>,
    #[serde(default)]
    pub(super) placement_strategy: Vec<Value>,
    #[serde(default)]
    pub(super) volume_configurations: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NetworkConfiguration {
    pub(super) awsvpc_configuration: Option<AwsVpc>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AwsVpc {
    #[serde(default)]
    pub(super) subnets: Vec<String>,
    #[serde(default)]
    pub(super) security_groups: Vec<String>,
    pub(super) assign_public_ip: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskOverride {
    #[serde(default)]
    pub(super) container_overrides: Vec<ContainerOverride>,
    pub(super) cpu: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) ephemeral_storage: Option<EphemeralStorage>,
    pub(super) task_role_arn: Option<String>,
    pub(super) execution_role_arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerOverride {
    pub(super) name: Option<String>,
    pub(super) command: Option<Vec<String>>,
    #[serde(default)]
    pub(super) environment: Vec<super::task_definition::KeyValue>,
    #[serde(default)]
    pub(super) environment_files: Vec<Value>,
}

/// Ephemeral storage of a Fargate task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, Deserialize)]
pub struct EphemeralStorage {
    /// 21 to 200 GiB.
    #[serde(rename = "sizeInGiB")]
    pub size_in_gib: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct DescribeTasks {
    pub(super) cluster: Option<String>,
    pub(super) tasks: Vec<String>,
    #[serde(default)]
    pub(super) include: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTasks {
    pub(super) cluster: Option<String>,
    pub(super) family: Option<String>,
    pub(super) started_by: Option<String>,
    pub(super) service_name: Option<String>,
    pub(super) container_instance: Option<String>,
    pub(super) desired_status: Option<String>,
    pub(super) launch_type: Option<String>,
    pub(super) max_results: Option<i64>,
    pub(super) next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StopTask {
    pub(super) cluster: Option<String>,
    pub(super) task: String,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DescribeClusters {
    #[serde(default)]
    pub(super) clusters: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTaskDefinition {
    pub(super) task_definition: String,
    #[serde(default)]
    pub(super) include: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    pub(super) resource_arn: String,
    pub(super) tags: Vec<Tag>,
}
