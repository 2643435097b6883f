//! Simulated ECS: tasks on Fargate and on a cluster's machines.
//!
//! A synchronous state machine. Calls come in through [`Ecs::answer`] with their time; the life of tasks
//! goes on in [`lifecycle`]; what a machine has to do goes out as [`Effect`]s. Services, daemons,
//! container instances and exec are left out: a call for them is refused by name.

mod api;
mod buckets;
mod client_token;
mod definition_rules;
mod fargate;
mod launch;
mod lifecycle;
mod model;
mod placement;
mod query;
mod render;
mod run_task;
mod setup;
mod store;
mod task_definition;
#[cfg(test)]
mod tests;
mod trouble;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::AwsError;
use super::identity::{Caller, Identities};
use super::ids::Ids;
use crate::faults::Faults;
use buckets::{Bucket, Buckets};
use client_token::ClientTokens;
use setup::Image;
use store::TaskStore;
use task_definition::TaskDefinitions;

pub use api::EphemeralStorage;
pub use buckets::{Rate, Rates};
pub(crate) use launch::{Launch, Run, Surroundings};
pub(crate) use lifecycle::Effect;
pub use model::{Container, ContainerStatus, Interface, LaunchType, StopCode, Tag, Task, TaskStatus, Times};
pub(crate) use render::architecture;
pub use setup::{Capacity, CapacityProvider, Cluster, LocalImage, Shortage, StrategyItem, Timing};
pub use task_definition::{
    ContainerDefinition, KeyValue, LogConfiguration, NetworkMode, Registered, RuntimePlatform, TaskDefinition,
};

/// What a call brings along.
pub(crate) struct Call<'a> {
    /// When it is.
    pub(crate) now: Timestamp,
    /// Who calls.
    pub(crate) caller: &'a Caller,
    /// Whom there is, for the roles of tasks.
    pub(crate) identities: &'a Identities,
    /// Where new ids come from.
    pub(crate) ids: &'a mut Ids,
}

/// A cluster as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct StoredCluster {
    name: String,
    arn: String,
    instance_arn: String,
    providers: Vec<String>,
    default_strategy: Vec<StrategyItem>,
    /// By provider or launch type; what is not named has no limit.
    capacity: BTreeMap<String, Capacity>,
}

/// Clusters and the network that tasks can be on.
#[derive(Default)]
pub(crate) struct Clusters {
    by_name: BTreeMap<String, StoredCluster>,
    /// Availability zones of subnets, by id.
    subnets: BTreeMap<String, String>,
    security_groups: BTreeSet<String>,
}

/// The whole of ECS in one account and region.
pub(crate) struct Ecs {
    region: String,
    account: String,
    fargate_timing: Timing,
    ec2_timing: Timing,
    clusters: Clusters,
    definitions: TaskDefinitions,
    images: BTreeMap<String, Image>,
    tasks: TaskStore,
    tokens: ClientTokens,
    buckets: Buckets,
    outbox: Vec<Effect>,
    /// Whether anybody wants to hear of every change of a task.
    pub(crate) notes_changes: bool,
    /// The changes since the last time: when, and the task as it was shown then.
    changes: Vec<(Timestamp, Value)>,
    /// Set once the servers listen.
    pub(crate) surroundings: Surroundings,
    /// What goes wrong.
    pub(crate) faults: Faults,
}

impl Ecs {
    pub(crate) fn new(region: &str, account: &str, timings: (Timing, Timing), rates: &Rates) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            fargate_timing: timings.0,
            ec2_timing: timings.1,
            clusters: Clusters::default(),
            definitions: TaskDefinitions::default(),
            images: BTreeMap::new(),
            tasks: TaskStore::default(),
            tokens: ClientTokens::default(),
            buckets: Buckets::new(rates),
            outbox: Vec::new(),
            notes_changes: false,
            changes: Vec::new(),
            surroundings: Surroundings::default(),
            faults: Faults::default(),
        }
    }

    /// Answers an operation.
    pub(crate) fn answer(
        &mut self,
        operation: &str,
        body: &Value,
        call: &mut Call<'_>,
    ) -> Result<Value, AwsError> {
        let bucket = match operation {
            "RunTask" | "StopTask" => Bucket::RunAndStop,
            "DescribeTasks" | "ListTasks" => Bucket::DescribeAndList,
            "RegisterTaskDefinition" => Bucket::Register,
            "TagResource" => Bucket::Tag,
            _ => Bucket::Other,
        };
        self.buckets.take(bucket, 1, call.now)?;
        if self.faults.throttles(operation, call.now) {
            return Err(buckets::throttled());
        }
        if self.faults.ecs_fails(operation, call.now) {
            return Err(AwsError::internal("ecs"));
        }
        match operation {
            "RunTask" => self.run_task(body, call),
            "StopTask" => self.stop_task(body, call),
            "DescribeTasks" => self.describe_tasks(body, call),
            "ListTasks" => self.list_tasks(body, call),
            "TagResource" => self.tag_resource(body, call),
            "DescribeClusters" => self.describe_clusters(body, call),
            "ListClusters" => {
                call.caller.check("ecs:ListClusters", "*", &call.caller.context())?;
                let arns: Vec<&String> = self.clusters.by_name.values().map(|cluster| &cluster.arn).collect();
                Ok(json!({ "clusterArns": arns }))
            }
            "DescribeTaskDefinition" => self.describe_task_definition(body, call),
            "RegisterTaskDefinition" => self.register_task_definition(body, call),
            other => Err(AwsError::not_simulated(format!("ECS {other}"))),
        }
    }

    /// Adds a cluster, or replaces the one of this name. Gives its ARN.
    pub(crate) fn add_cluster(&mut self, cluster: Cluster, ids: &mut Ids) -> String {
        let arn = self.cluster_arn(Some(&cluster.name));
        let mut capacity: BTreeMap<String, Capacity> =
            cluster.capacity_providers.iter().map(|p| (p.name.clone(), p.capacity)).collect();
        capacity.insert(LaunchType::Ec2.as_str().to_owned(), cluster.instances);
        let instance = format!("container-instance/{}/{}", cluster.name, ids.hex(32));
        let stored = StoredCluster {
            arn: arn.clone(),
            instance_arn: format!("arn:aws:ecs:{}:{}:{instance}", self.region, self.account),
            providers: cluster.capacity_providers.into_iter().map(|provider| provider.name).collect(),
            default_strategy: cluster.default_strategy,
            capacity,
            name: cluster.name.clone(),
        };
        self.clusters.by_name.insert(cluster.name, stored);
        arn
    }

    /// Changes what a provider, or a launch type, of a cluster has.
    pub(crate) fn set_capacity(
        &mut self,
        cluster: &str,
        pool: &str,
        capacity: Capacity,
    ) -> Result<(), AwsError> {
        let stored = self.clusters.by_name.get_mut(cluster).ok_or_else(no_cluster)?;
        stored.capacity.insert(pool.to_owned(), capacity);
        Ok(())
    }

    /// Adds a subnet in an availability zone.
    pub(crate) fn add_subnet(&mut self, id: &str, zone: &str) {
        self.clusters.subnets.insert(id.to_owned(), zone.to_owned());
    }

    /// Adds a security group.
    pub(crate) fn add_security_group(&mut self, id: &str) {
        self.clusters.security_groups.insert(id.to_owned());
    }

    /// Says what an image is.
    pub(crate) fn add_image(&mut self, name: &str, image: impl Into<Image>) {
        self.images.insert(name.to_owned(), image.into());
    }

    /// Registers a task definition.
    pub(crate) fn register(
        &mut self,
        definition: TaskDefinition,
        now: Timestamp,
    ) -> Result<Arc<Registered>, AwsError> {
        self.definitions.register(definition, (&self.region, &self.account), now)
    }

    /// All tasks that are not forgotten, oldest first.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter()
    }

    /// The tokens with which tasks get their credentials.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = String> {
        self.tasks.iter().map(|task| task.credentials_token.clone())
    }

    /// The task whose container has this id at the runtime, and the container.
    pub(crate) fn by_runtime_id(&self, runtime_id: &str) -> Option<(&Task, &Container)> {
        let task = &self.tasks[self.tasks.number_of_container(runtime_id)?];
        let container = task.containers.iter().find(|container| container.runtime_id == runtime_id)?;
        Some((task, container))
    }

    /// The task that credentials are asked for with this id and token. A stopped task gets none.
    pub(crate) fn by_credentials(&self, id: &str, token: &str) -> Option<&Task> {
        let own = |task: &&Task| task.credentials_token == token && task.status != TaskStatus::Stopped;
        self.tasks.of_credentials(id).filter(own)
    }

    fn timing(&self, launch_type: LaunchType) -> Timing {
        match launch_type {
            LaunchType::Fargate => self.fargate_timing,
            LaunchType::Ec2 => self.ec2_timing,
        }
    }

    /// The ARN of a cluster by name or ARN; without either the cluster `default`.
    pub(crate) fn cluster_arn(&self, cluster: Option<&str>) -> String {
        match cluster {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            name => {
                format!("arn:aws:ecs:{}:{}:cluster/{}", self.region, self.account, name.unwrap_or("default"))
            }
        }
    }

    fn cluster(&self, cluster: Option<&str>) -> Result<&StoredCluster, AwsError> {
        let arn = self.cluster_arn(cluster);
        self.clusters.by_name.values().find(|cluster| cluster.arn == arn).ok_or_else(no_cluster)
    }
}

fn no_cluster() -> AwsError {
    AwsError::new("ClusterNotFoundException", "Cluster not found.")
}
