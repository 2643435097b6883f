//! The task metadata endpoint, version 4. Source: ECS Developer Guide, "Amazon ECS task metadata endpoint
//! version 4", for Fargate and EC2.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ecs::{Container, ContainerStatus, LaunchType, Task, architecture};

/// `$ECS_CONTAINER_METADATA_URI_V4/task`.
pub(crate) fn task(task: &Task, region: &str) -> Value {
    let desired = if task.desired_stopped { "STOPPED" } else { "RUNNING" };
    let mut document = json!({
        "Cluster": match task.launch_type {
            LaunchType::Fargate => task.cluster.as_str(),
            // On the cluster's machines the agent gives the bare name.
            LaunchType::Ec2 => task.cluster.rsplit('/').next().unwrap_or_default(),
        },
        "TaskARN": task.arn,
        "Family": task.definition.definition.family,
        "Revision": task.definition.revision.to_string(),
        "DesiredStatus": desired,
        "KnownStatus": task.status.as_str(),
        "LaunchType": task.launch_type.as_str(),
        "AvailabilityZone": task.availability_zone,
        "Containers": task.containers.iter().map(|c| container(task, c, region)).collect::<Vec<_>>(),
    });
    let mut limits = json!({});
    if let Some(cpu) = task.cpu {
        limits["CPU"] = json!(f64::from(cpu) / 1024.0);
    }
    if let Some(memory) = task.memory {
        limits["Memory"] = json!(memory);
    }
    document["Limits"] = limits;
    for (name, time) in [
        ("PullStartedAt", task.times.pull_started),
        ("PullStoppedAt", task.times.pull_stopped),
        ("ExecutionStoppedAt", task.times.execution_stopped),
    ] {
        if let Some(time) = time {
            document[name] = json!(rfc3339(time));
        }
    }
    document
}

/// `$ECS_CONTAINER_METADATA_URI_V4`.
pub(crate) fn container(task: &Task, container: &Container, region: &str) -> Value {
    let definitions = &task.definition.definition.container_definitions;
    let definition = definitions.iter().find(|definition| definition.name == container.name);
    let known = match container.status {
        ContainerStatus::Pending => "CREATED",
        ContainerStatus::Running => "RUNNING",
        ContainerStatus::Stopped => "STOPPED",
    };
    let mut document = json!({
        "DockerId": container.runtime_id,
        "Name": container.name,
        "DockerName": container.name,
        "Image": definition.map(|definition| definition.image.as_str()),
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster,
            "com.amazonaws.ecs.container-name": container.name,
            "com.amazonaws.ecs.task-arn": task.arn,
            "com.amazonaws.ecs.task-definition-family": task.definition.definition.family,
            "com.amazonaws.ecs.task-definition-version": task.definition.revision.to_string(),
        },
        "DesiredStatus": if task.desired_stopped { "STOPPED" } else { "RUNNING" },
        "KnownStatus": known,
        "Limits": { "CPU": definition.map_or(0, |definition| definition.cpu) },
        "CreatedAt": task.times.pull_stopped.map(rfc3339),
        "StartedAt": task.times.pull_stopped.map(rfc3339),
        "Type": "NORMAL",
        "ContainerARN": container.arn,
        "ImageArchitecture": architecture(task),
        "Networks": task.interface.iter().map(|eni| json!({
            "NetworkMode": "awsvpc", "IPv4Addresses": [eni.address], "AttachmentIndex": 0,
        })).collect::<Vec<_>>(),
    });
    if let Some(code) = container.exit_code {
        document["ExitCode"] = json!(code);
    }
    if let Some(log) = definition.and_then(|definition| definition.log_configuration.as_ref()) {
        document["LogDriver"] = json!(log.log_driver);
        document["LogOptions"] = json!({
            "awslogs-group": log.options.get("awslogs-group"),
            "awslogs-region": region,
            "awslogs-stream": format!(
                "{}/{}/{}",
                log.options.get("awslogs-stream-prefix").map_or("", String::as_str), container.name, task.id
            ),
        });
    }
    document
}

fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}
