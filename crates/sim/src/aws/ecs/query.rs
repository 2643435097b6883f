//! The calls that look, and StopTask and TagResource.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::error::AwsError;
use super::super::wire::decode;
use super::api;
use super::model::{StopCode, Task, TaskStatus};
use super::task_definition::TaskDefinition;
use super::{Call, Ecs, render, validate};

impl Ecs {
    pub(super) fn describe_tasks(&self, body: &Value, call: &Call<'_>) -> Result<Value, AwsError> {
        let request: api::DescribeTasks = decode(body)?;
        let arns = self.task_arns(request.cluster.as_deref(), &request.tasks);
        self.check_tasks("ecs:DescribeTasks", request.cluster.as_deref(), &arns, call)?;
        self.cluster(request.cluster.as_deref())?;
        if arns.is_empty() {
            return Err(AwsError::invalid_parameter("Tasks cannot be empty."));
        }
        if arns.len() > 100 {
            return Err(AwsError::invalid_parameter("Tasks cannot have more than 100 items."));
        }
        let with_tags = request.include.iter().any(|field| field == "TAGS");
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for arn in arns {
            match self.tasks.find(&arn).filter(|task| task.visible_at <= call.now) {
                Some(task) => tasks.push(render::task(task, with_tags)),
                None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
            }
        }
        Ok(json!({ "tasks": tasks, "failures": failures }))
    }

    pub(super) fn list_tasks(&self, body: &Value, call: &Call<'_>) -> Result<Value, AwsError> {
        let request: api::ListTasks = decode(body)?;
        let cluster_arn = self.cluster_arn(request.cluster.as_deref());
        let context = call.caller.context().with("ecs:cluster", &cluster_arn);
        // ListTasks is granted on container instances, and in practice on * with the cluster as condition.
        let resource = cluster_arn.replacen(":cluster/", ":container-instance/", 1) + "/*";
        call.caller.check("ecs:ListTasks", &resource, &context)?;
        self.cluster(request.cluster.as_deref())?;
        // "When you specify startedBy as the filter, it must be the only filter that you use."
        let filters = [
            &request.family,
            &request.service_name,
            &request.container_instance,
            &request.launch_type,
            &request.desired_status,
        ];
        if request.started_by.is_some() && filters.iter().any(|filter| filter.is_some()) {
            return Err(AwsError::invalid_parameter("startedBy cannot be combined with other filters."));
        }
        if request.container_instance.is_some() {
            return Err(AwsError::not_simulated("the filter containerInstance"));
        }
        if request.service_name.is_some() {
            return Err(AwsError::new("ServiceNotFoundException", "Service not found."));
        }
        let limit = match request.max_results.unwrap_or(100) {
            limit @ 1..=100 => usize::try_from(limit).unwrap_or(100),
            _ => return Err(AwsError::invalid_parameter("maxResults must be between 1 and 100.")),
        };
        let after = request.next_token.as_deref().map_or(Ok(0), page)?;
        let desired = request.desired_status.as_deref().unwrap_or("RUNNING");
        if !["RUNNING", "PENDING", "STOPPED"].contains(&desired) {
            return Err(AwsError::invalid_parameter(format!("desiredStatus {desired} is not valid.")));
        }
        let same =
            |filter: &Option<String>, value: Option<&str>| filter.is_none() || filter.as_deref() == value;
        let wanted = |task: &&Task| {
            task.cluster == cluster_arn
                && task.visible_at <= call.now
                && desired == if task.desired_stopped { "STOPPED" } else { "RUNNING" }
                && same(&request.started_by, task.started_by.as_deref())
                && same(&request.family, Some(&task.definition.definition.family))
                && same(&request.launch_type, Some(task.launch_type.as_str()))
        };
        let mut found: Vec<&Task> = self.tasks.after(after).filter(wanted).take(limit + 1).collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let mut answer = json!({ "taskArns": found.iter().map(|task| &task.arn).collect::<Vec<_>>() });
        if let (true, Some(last)) = (more, found.last()) {
            answer["nextToken"] = json!(STANDARD.encode(format!("task:{}", last.sequence)));
        }
        Ok(answer)
    }

    pub(super) fn stop_task(&mut self, body: &Value, call: &Call<'_>) -> Result<Value, AwsError> {
        let request: api::StopTask = decode(body)?;
        let arns = self.task_arns(request.cluster.as_deref(), std::slice::from_ref(&request.task));
        self.check_tasks("ecs:StopTask", request.cluster.as_deref(), &arns, call)?;
        self.cluster(request.cluster.as_deref())?;
        if request.reason.as_ref().is_some_and(|reason| reason.chars().count() > 1024) {
            return Err(AwsError::invalid_parameter("reason must have 1024 characters at most."));
        }
        let index = arns
            .iter()
            .find_map(|arn| self.tasks.number_of(arn))
            .ok_or_else(|| AwsError::invalid_parameter("The referenced task was not found."))?;
        let reason = request.reason.unwrap_or_else(|| "Task stopped by user".to_owned());
        self.begin_stop(index, StopCode::UserInitiated, reason, call.now);
        self.tasks[index].tags.clear();
        Ok(json!({ "task": render::task(&self.tasks[index], true) }))
    }

    pub(super) fn tag_resource(&mut self, body: &Value, call: &Call<'_>) -> Result<Value, AwsError> {
        let request: api::TagResource = decode(body)?;
        let mut context = call.caller.context();
        for tag in &request.tags {
            context = context
                .with(&format!("aws:RequestTag/{}", tag.key), &tag.value)
                .with("aws:TagKeys", &tag.key);
        }
        call.caller.check("ecs:TagResource", &request.resource_arn, &context)?;
        validate::tags(&request.tags)?;
        let lives = |index: &u64| self.tasks[*index].status != TaskStatus::Stopped;
        let index = self
            .tasks
            .number_of(&request.resource_arn)
            .filter(lives)
            .ok_or_else(|| AwsError::invalid_parameter("The specified task was not found."))?;
        let task = &mut self.tasks[index];
        let mut tags = task.tags.clone();
        tags.retain(|tag| request.tags.iter().all(|new| new.key != tag.key));
        tags.extend(request.tags);
        validate::tags(&tags.iter().filter(|tag| !tag.key.starts_with("aws:")).cloned().collect::<Vec<_>>())?;
        task.tags = tags;
        Ok(json!({}))
    }

    pub(super) fn describe_clusters(&self, body: &Value, call: &Call<'_>) -> Result<Value, AwsError> {
        let request: api::DescribeClusters = decode(body)?;
        let names = if request.clusters.is_empty() { vec!["default".to_owned()] } else { request.clusters };
        if names.len() > 100 {
            return Err(AwsError::invalid_parameter("Clusters cannot have more than 100 items."));
        }
        let (mut clusters, mut failures) = (Vec::new(), Vec::new());
        for name in &names {
            let arn = self.cluster_arn(Some(name));
            call.caller.check(
                "ecs:DescribeClusters",
                &arn,
                &call.caller.context().with("ecs:cluster", &arn),
            )?;
            let Ok(cluster) = self.cluster(Some(name)) else {
                failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                continue;
            };
            let count = |from: TaskStatus, to: TaskStatus| {
                let counts = |task: &&Task| task.cluster == arn && (from..=to).contains(&task.status);
                self.tasks.iter().filter(counts).count()
            };
            clusters.push(json!({
                "clusterArn": arn, "clusterName": cluster.name, "status": "ACTIVE",
                "registeredContainerInstancesCount": 0, "activeServicesCount": 0,
                "runningTasksCount": count(TaskStatus::Running, TaskStatus::Running),
                "pendingTasksCount": count(TaskStatus::Provisioning, TaskStatus::Activating),
                "capacityProviders": cluster.providers, "settings": [], "statistics": [], "tags": [],
                "defaultCapacityProviderStrategy": cluster.default_strategy,
            }));
        }
        Ok(json!({ "clusters": clusters, "failures": failures }))
    }

    pub(super) fn describe_task_definition(&self, body: &Value, call: &Call<'_>) -> Result<Value, AwsError> {
        let request: api::DescribeTaskDefinition = decode(body)?;
        call.caller.check("ecs:DescribeTaskDefinition", "*", &call.caller.context())?;
        let found = self
            .definitions
            .find(&request.task_definition)
            .ok_or_else(|| AwsError::client("Unable to describe task definition."))?;
        let mut answer = json!({ "taskDefinition": found.render(&self.account) });
        if request.include.iter().any(|field| field == "TAGS") {
            answer["tags"] = json!(found.definition.tags);
        }
        Ok(answer)
    }

    pub(super) fn register_task_definition(
        &mut self,
        body: &Value,
        call: &Call<'_>,
    ) -> Result<Value, AwsError> {
        call.caller.check("ecs:RegisterTaskDefinition", "*", &call.caller.context())?;
        let definition: TaskDefinition = decode(body)?;
        for role in definition.task_role_arn.iter().chain(&definition.execution_role_arn) {
            let context = call.caller.context().with("iam:PassedToService", "ecs-tasks.amazonaws.com");
            call.caller.check("iam:PassRole", role, &context)?;
        }
        validate::tags(&definition.tags)?;
        let registered = self.register(definition, call.now)?;
        Ok(json!({ "taskDefinition": registered.render(&self.account), "tags": registered.definition.tags }))
    }

    /// Task ids and ARNs as ARNs of this cluster.
    fn task_arns(&self, cluster: Option<&str>, tasks: &[String]) -> Vec<String> {
        let prefix = self.cluster_arn(cluster).replacen(":cluster/", ":task/", 1);
        let arn =
            |task: &String| if task.starts_with("arn:") { task.clone() } else { format!("{prefix}/{task}") };
        tasks.iter().map(arn).collect()
    }

    fn check_tasks(
        &self,
        action: &str,
        cluster: Option<&str>,
        arns: &[String],
        call: &Call<'_>,
    ) -> Result<(), AwsError> {
        let context = call.caller.context().with("ecs:cluster", self.cluster_arn(cluster));
        arns.iter().try_for_each(|arn| call.caller.check(action, arn, &context))
    }

    /// When the next thing happens by itself; `None` if every task waits for its process or for a call.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.tasks.next_due()
    }
}

fn page(token: &str) -> Result<u64, AwsError> {
    STANDARD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("task:")?.parse().ok())
        .ok_or_else(|| AwsError::invalid_parameter("Invalid token."))
}
