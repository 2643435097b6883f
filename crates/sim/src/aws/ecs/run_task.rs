//! RunTask: from the request to tasks and failures.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::error::AwsError;
use super::super::iam::Context;
use super::super::wire::decode;
use super::api::RunTask;
use super::buckets::Bucket;
use super::lifecycle::Stage;
use super::model::{Container, ContainerStatus, Interface, LaunchType, Tag, Task, TaskStatus, Times};
use super::task_definition::{NetworkMode, Registered};
use super::validate::{self, Valid};
use super::{Call, Ecs, StoredCluster, client_token, placement, render};
use crate::faults::Chosen;

/// The service that takes the roles of tasks.
const TASKS_SERVICE: &str = "ecs-tasks.amazonaws.com";

impl Ecs {
    pub(super) fn run_task(&mut self, body: &Value, call: &mut Call<'_>) -> Result<Value, AwsError> {
        self.start_tasks(body, call, Self::throttle)
    }

    /// RunTask past the rates of Fargate.
    pub(crate) fn add_tasks(&mut self, body: &Value, call: &mut Call<'_>) -> Result<Value, AwsError> {
        self.start_tasks(body, call, |_, _, _| Ok(()))
    }

    fn start_tasks(
        &mut self,
        body: &Value,
        call: &mut Call<'_>,
        throttle: impl FnOnce(&mut Self, &Valid, jiff::Timestamp) -> Result<(), AwsError>,
    ) -> Result<Value, AwsError> {
        let request: RunTask = decode(body)?;
        let cluster_arn = self.cluster_arn(request.cluster.as_deref());
        let registered = self.definitions.find(&request.task_definition).map(Arc::clone);
        let definition_arn = registered
            .as_ref()
            .map_or_else(|| self.unknown_definition_arn(&request), |known| known.arn.clone());
        let context = call.caller.context().with("ecs:cluster", &cluster_arn);
        call.caller.check("ecs:RunTask", &definition_arn, &context)?;
        let cluster = self.cluster(request.cluster.as_deref())?.clone();
        let registered = registered.ok_or_else(|| AwsError::client("TaskDefinition not found."))?;

        let now = call.now;
        if let Some(token) = &request.client_token {
            client_token::check(token)?;
            self.tokens.expire(token, now, |arn| self.tasks.find(arn));
            if let Some(answer) = self.tokens.replay(token, body)? {
                return Ok(answer);
            }
        }
        let valid = validate::run_task(&request, &cluster, &self.clusters, &registered)?;
        self.check_permissions(&request, &valid, &cluster, call)?;
        throttle(self, &valid, now)?;

        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for pool in placement::pools(&valid.choice, valid.count) {
            let launch_type = valid.choice.launch_type();
            let exhausted = self.faults.has_no_capacity(&pool, now);
            match placement::room(&cluster, &pool, launch_type, &self.tasks, exhausted) {
                Ok(()) => {
                    let task = self.new_task(&request, &valid, &cluster, &registered, &pool, call);
                    tasks.push(render::task(&task, true));
                    self.announce(&task);
                    self.tasks.push(task);
                }
                Err(reason) => failures.push(match launch_type {
                    LaunchType::Fargate => json!({ "reason": reason }),
                    LaunchType::Ec2 => json!({ "arn": cluster.instance_arn, "reason": reason }),
                }),
            }
        }
        let answer = json!({ "tasks": tasks, "failures": failures });
        if let Some(token) = &request.client_token {
            let arns = tasks.iter().filter_map(|task| task["taskArn"].as_str().map(str::to_owned)).collect();
            self.tokens.remember(token, body, &answer, arns, now);
        }
        Ok(answer)
    }

    /// The ARN to ask policies about when there is no such definition.
    fn unknown_definition_arn(&self, request: &RunTask) -> String {
        if request.task_definition.starts_with("arn:") {
            return request.task_definition.clone();
        }
        let revision = if request.task_definition.contains(':') { "" } else { ":*" };
        format!(
            "arn:aws:ecs:{}:{}:task-definition/{}{revision}",
            self.region, self.account, request.task_definition
        )
    }

    /// Tagging and passing roles need permissions of their own.
    fn check_permissions(
        &self,
        request: &RunTask,
        valid: &Valid,
        cluster: &StoredCluster,
        call: &Call<'_>,
    ) -> Result<(), AwsError> {
        if !request.tags.is_empty() {
            let resource = format!("arn:aws:ecs:{}:{}:task/{}/*", self.region, self.account, cluster.name);
            let mut context =
                call.caller.context().with("ecs:cluster", &cluster.arn).with("ecs:CreateAction", "RunTask");
            for tag in &request.tags {
                context = context
                    .with(&format!("aws:RequestTag/{}", tag.key), &tag.value)
                    .with("aws:TagKeys", &tag.key);
            }
            call.caller.check("ecs:TagResource", &resource, &context)?;
        }
        let mut roles: Vec<&String> = valid.task_role.iter().chain(&valid.execution_role).collect();
        roles.dedup();
        for role in roles {
            let context = call.caller.context().with("iam:PassedToService", TASKS_SERVICE);
            call.caller.check("iam:PassRole", role, &context)?;
            let trust = Context::default()
                .with("aws:SourceAccount", &self.account)
                .with("aws:SourceArn", format!("arn:aws:ecs:{}:{}:*", self.region, self.account));
            if !call.identities.service_can_assume(TASKS_SERVICE, role, &trust) {
                return Err(AwsError::client(format!(
                    "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that \
                     the role being passed has the proper trust relationship and permissions and that your IAM user \
                     has permissions to pass this role."
                )));
            }
        }
        Ok(())
    }

    /// Fargate counts calls and tasks in buckets of their own.
    fn throttle(&mut self, valid: &Valid, now: jiff::Timestamp) -> Result<(), AwsError> {
        if valid.choice.launch_type() != LaunchType::Fargate {
            return Ok(());
        }
        let pools = placement::pools(&valid.choice, valid.count);
        let spot = pools.iter().filter(|pool| *pool == "FARGATE_SPOT").count();
        self.buckets.take(Bucket::FargateRun, 1, now)?;
        self.buckets.take(Bucket::SpotLaunch, spot, now)?;
        self.buckets.take(Bucket::FargateLaunch, pools.len() - spot, now)
    }

    fn new_task(
        &mut self,
        request: &RunTask,
        valid: &Valid,
        cluster: &StoredCluster,
        registered: &Arc<Registered>,
        pool: &str,
        call: &mut Call<'_>,
    ) -> Task {
        let (now, ids) = (call.now, &mut *call.ids);
        let launch_type = valid.choice.launch_type();
        let timing = self.timing(launch_type);
        let id = ids.hex(32);
        let arn = format!("arn:aws:ecs:{}:{}:task/{}/{id}", self.region, self.account, cluster.name);
        let containers = registered
            .definition
            .container_definitions
            .iter()
            .map(|container| Container {
                name: container.name.clone(),
                arn: format!(
                    "arn:aws:ecs:{}:{}:container/{}/{id}/{}",
                    self.region,
                    self.account,
                    cluster.name,
                    ids.uuid()
                ),
                runtime_id: format!("{id}-{}", ids.hex(10)),
                status: ContainerStatus::Pending,
                exit_code: None,
                reason: None,
                launched: false,
                kill_reason: None,
            })
            .collect();
        let subnet = valid.network.as_ref().and_then(|vpc| {
            // One after the other, so that tasks spread over the zones.
            vpc.subnets.get(self.tasks.len() % vpc.subnets.len().max(1)).cloned()
        });
        let availability_zone = subnet
            .as_ref()
            .and_then(|subnet| self.clusters.subnets.get(subnet).cloned())
            .unwrap_or_else(|| format!("{}a", self.region));
        let interface = subnet.map(|subnet| Interface {
            attachment: ids.uuid(),
            id: format!("eni-{}", ids.hex(17)),
            subnet,
            address: ids.private_ip(),
        });
        let fate = self.faults.fate(
            Chosen {
                task: &arn,
                provider: pool,
                fargate: launch_type == LaunchType::Fargate,
                interface: interface.is_some(),
            },
            now,
        );
        // Only an interface of its own needs provisioning.
        let (status, next) = match registered.network_mode() {
            NetworkMode::Awsvpc => {
                (TaskStatus::Provisioning, (now + timing.provisioning + fate.slow, Stage::Provisioned))
            }
            _ => (TaskStatus::Pending, (now + timing.pending + fate.slow, Stage::PullStarted)),
        };
        Task {
            id,
            cluster: cluster.arn.clone(),
            status,
            desired_stopped: false,
            launch_type,
            capacity_provider: matches!(valid.choice, validate::Choice::Strategy(..))
                .then(|| pool.to_owned()),
            started_by: request.started_by.clone(),
            group: request
                .group
                .clone()
                .unwrap_or_else(|| format!("family:{}", registered.definition.family)),
            tags: tags(request, cluster, registered),
            overrides: request.overrides.clone().unwrap_or_else(|| json!({})),
            cpu: valid.cpu,
            memory: valid.memory,
            ephemeral_storage: valid.ephemeral_storage,
            task_role: valid.task_role.clone(),
            execution_role: valid.execution_role.clone(),
            execute_command: request.enable_execute_command,
            availability_zone,
            interface,
            containers,
            times: Times::new(now),
            stop_code: None,
            stopped_reason: None,
            version: 1,
            pool: pool.to_owned(),
            visible_at: now + timing.hidden,
            sequence: self.tasks.next_number(),
            next: Some(next),
            fate,
            notice: None,
            credentials_id: ids.uuid(),
            credentials_token: ids.secret(43),
            definition: Arc::clone(registered),
            arn,
        }
    }
}

/// The request's tags, then the definition's and ECS's own if they are asked for.
fn tags(request: &RunTask, cluster: &StoredCluster, registered: &Registered) -> Vec<Tag> {
    let mut tags = request.tags.clone();
    if request.propagate_tags.as_deref() == Some("TASK_DEFINITION") {
        let inherited =
            registered.definition.tags.iter().filter(|tag| request.tags.iter().all(|t| t.key != tag.key));
        tags.extend(inherited.cloned());
    }
    if request.enable_ecs_managed_tags {
        tags.push(Tag { key: "aws:ecs:clusterName".to_owned(), value: cluster.name.clone() });
    }
    tags
}
