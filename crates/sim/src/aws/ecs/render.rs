//! Tasks as the API shows them. Source: ECS API Reference, "Task". Sizes are strings, times are seconds
//! with a fraction, members without a value are left out.

use serde_json::{Map, Value, json};

use super::super::ssm::epoch;
use super::model::{Container, ContainerStatus, LaunchType, Task, TaskStatus};

/// The member `tasks[]` of answers.
pub(super) fn task(task: &Task, with_tags: bool) -> Value {
    let desired = if task.desired_stopped { "STOPPED" } else { "RUNNING" };
    let definition = &task.definition.definition;
    let mut overrides = task.overrides.clone();
    if let Some(members) = overrides.as_object_mut() {
        members.entry("containerOverrides").or_insert_with(|| json!([]));
        members.entry("inferenceAcceleratorOverrides").or_insert_with(|| json!([]));
    }
    let mut shown = json!({
        "taskArn": task.arn,
        "clusterArn": task.cluster,
        "taskDefinitionArn": task.definition.arn,
        "group": task.group,
        "lastStatus": task.status.as_str(),
        "desiredStatus": desired,
        "launchType": task.launch_type.as_str(),
        "availabilityZone": task.availability_zone,
        "healthStatus": "UNKNOWN",
        "enableExecuteCommand": task.execute_command,
        "createdAt": epoch(task.times.created),
        "overrides": overrides,
        "attributes": [{ "name": "ecs.cpu-architecture", "value": architecture(task) }],
        "attachments": attachments(task),
        "containers": task.containers.iter().map(|c| container(task, c)).collect::<Vec<_>>(),
        "inferenceAccelerators": [],
        "tags": if with_tags { json!(task.tags) } else { json!([]) },
        "version": task.version,
    });
    let Some(members) = shown.as_object_mut() else {
        return shown;
    };
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    };
    put("cpu", task.cpu.map(|cpu| json!(cpu.to_string())));
    put("memory", task.memory.map(|memory| json!(memory.to_string())));
    put("capacityProviderName", task.capacity_provider.as_ref().map(|name| json!(name)));
    put("startedBy", task.started_by.as_ref().map(|who| json!(who)));
    if task.launch_type == LaunchType::Fargate {
        put("platformVersion", Some(json!("1.4.0")));
        let family = definition.runtime_platform.as_ref().and_then(|p| p.operating_system_family.as_deref());
        put(
            "platformFamily",
            Some(json!(if family.is_none_or(|f| f == "LINUX") { "Linux" } else { "Windows" })),
        );
    }
    if let Some(gib) = task.ephemeral_storage {
        put("ephemeralStorage", Some(json!({ "sizeInGiB": gib })));
        put("fargateEphemeralStorage", Some(json!({ "sizeInGiB": gib })));
    }
    let times = &task.times;
    put("connectivity", times.connectivity.map(|_| json!("CONNECTED")));
    for (name, time) in [
        ("connectivityAt", times.connectivity),
        ("pullStartedAt", times.pull_started),
        ("pullStoppedAt", times.pull_stopped),
        ("startedAt", times.started),
        ("stoppingAt", times.stopping),
        ("executionStoppedAt", times.execution_stopped),
        ("stoppedAt", times.stopped),
    ] {
        put(name, time.map(epoch));
    }
    put("stopCode", task.stop_code.map(|code| json!(code.as_str())));
    put("stoppedReason", task.stopped_reason.as_ref().map(|reason| json!(reason)));
    shown
}

/// `x86_64` or `arm64`, as the attribute says it.
pub(crate) fn architecture(task: &Task) -> &'static str {
    let platform = task.definition.definition.runtime_platform.as_ref();
    match platform.and_then(|platform| platform.cpu_architecture.as_deref()) {
        Some("ARM64") => "arm64",
        _ => "x86_64",
    }
}

fn container(task: &Task, container: &Container) -> Value {
    let definition =
        task.definition.definition.container_definitions.iter().find(|d| d.name == container.name);
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("containerArn", json!(container.arn));
    put("taskArn", json!(task.arn));
    put("name", json!(container.name));
    put("lastStatus", json!(container_status(task, container)));
    put("networkBindings", json!([]));
    put("healthStatus", json!("UNKNOWN"));
    if let Some(definition) = definition {
        put("image", json!(definition.image));
        put("cpu", json!(definition.cpu.to_string()));
        for (name, size) in
            [("memory", definition.memory), ("memoryReservation", definition.memory_reservation)]
        {
            if let Some(size) = size {
                put(name, json!(size.to_string()));
            }
        }
    }
    if container.launched {
        put("runtimeId", json!(container.runtime_id));
    }
    if let Some(code) = container.exit_code {
        put("exitCode", json!(code));
    }
    if let Some(reason) = &container.reason {
        put("reason", json!(reason));
    }
    let interfaces: Vec<Value> = task
        .interface
        .iter()
        .map(|eni| json!({ "attachmentId": eni.attachment, "privateIpv4Address": eni.address }))
        .collect();
    put("networkInterfaces", json!(interfaces));
    Value::Object(shown)
}

fn container_status(task: &Task, container: &Container) -> &'static str {
    match container.status {
        ContainerStatus::Pending if task.status == TaskStatus::Provisioning => "PROVISIONING",
        ContainerStatus::Pending => "PENDING",
        ContainerStatus::Running => "RUNNING",
        ContainerStatus::Stopped => "STOPPED",
    }
}

fn attachments(task: &Task) -> Value {
    let Some(eni) = &task.interface else {
        return json!([]);
    };
    let status = match task.status {
        TaskStatus::Provisioning => "PRECREATED",
        TaskStatus::Stopped => "DELETED",
        TaskStatus::Deprovisioning => "DETACHING",
        _ => "ATTACHED",
    };
    json!([{
        "id": eni.attachment,
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": [
            { "name": "subnetId", "value": eni.subnet },
            { "name": "networkInterfaceId", "value": eni.id },
            { "name": "privateIPv4Address", "value": eni.address },
        ],
    }])
}
