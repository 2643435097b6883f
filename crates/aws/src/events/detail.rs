//! An event of a task, read into the task that DescribeTasks would show.

use std::str::FromStr;

use aws_sdk_ecs::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ecs::types::{
    Container, ContainerOverride, EphemeralStorage, KeyValuePair, LaunchType, Task, TaskOverride,
    TaskStopCode,
};
use fleetfoot_core::task_events::TaskChange;
use serde::Deserialize;

use crate::ecs;

/// Why a message is of no use.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) String);

/// An event, as EventBridge puts it into a queue.
#[derive(Deserialize)]
pub(super) struct Envelope {
    source: String,
    #[serde(rename = "detail-type")]
    kind: String,
    detail: serde_json::Value,
}

/// The task, cut to what is used. Members that ECS may add are left alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    task_arn: String,
    cluster_arn: String,
    last_status: String,
    version: u64,
    #[serde(default)]
    containers: Vec<ContainerDetail>,
    overrides: Option<Overrides>,
    started_by: Option<String>,
    capacity_provider_name: Option<String>,
    launch_type: Option<String>,
    cpu: Option<String>,
    memory: Option<String>,
    ephemeral_storage: Option<Storage>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
    created_at: Option<String>,
    pull_started_at: Option<String>,
    pull_stopped_at: Option<String>,
    started_at: Option<String>,
    execution_stopped_at: Option<String>,
    stopped_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerDetail {
    name: Option<String>,
    exit_code: Option<i32>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    #[serde(default)]
    container_overrides: Vec<OfContainer>,
}

#[derive(Deserialize)]
struct OfContainer {
    name: Option<String>,
    #[serde(default)]
    environment: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Storage {
    #[serde(rename = "sizeInGiB")]
    gib: i32,
}

impl Envelope {
    /// The change of a task of this cluster; nothing if it is about something else.
    pub(super) fn read(body: &str, cluster: &str) -> Result<Option<TaskChange>, Unreadable> {
        // Only the place is told: the text may hold what nobody should read in a log.
        let unreadable = |error: serde_json::Error| {
            Unreadable(format!("line {}, column {}", error.line(), error.column()))
        };
        let envelope: Self = serde_json::from_str(body).map_err(unreadable)?;
        if envelope.source != "aws.ecs" || envelope.kind != "ECS Task State Change" {
            return Ok(None);
        }
        let detail: Detail = serde_json::from_value(envelope.detail)
            .map_err(|_| Unreadable("its detail is not that of a task".to_owned()))?;
        if detail.cluster_arn.rsplit('/').next() != Some(cluster) {
            return Ok(None);
        }
        let version = detail.version;
        let view = ecs::of_task("read an event of a task", &detail.into_task());
        view.map(|view| Some(TaskChange { view, version })).map_err(|fault| Unreadable(fault.to_string()))
    }
}

impl Detail {
    fn into_task(self) -> Task {
        let container = |container: ContainerDetail| {
            Container::builder()
                .set_name(container.name)
                .set_exit_code(container.exit_code)
                .set_reason(container.reason)
                .build()
        };
        let of_container = |of: OfContainer| {
            let pair = |pair: Pair| KeyValuePair::builder().name(pair.name).value(pair.value).build();
            let environment = of.environment.into_iter().map(pair).collect();
            ContainerOverride::builder().set_name(of.name).set_environment(Some(environment)).build()
        };
        let overrides = self.overrides.map(|overrides| {
            let all = overrides.container_overrides.into_iter().map(of_container).collect();
            TaskOverride::builder().set_container_overrides(Some(all)).build()
        });
        Task::builder()
            .task_arn(self.task_arn)
            .last_status(self.last_status)
            .set_containers(Some(self.containers.into_iter().map(container).collect()))
            .set_overrides(overrides)
            .set_started_by(self.started_by)
            .set_capacity_provider_name(self.capacity_provider_name)
            .set_launch_type(self.launch_type.as_deref().map(LaunchType::from))
            .set_cpu(self.cpu)
            .set_memory(self.memory)
            .set_ephemeral_storage(
                self.ephemeral_storage
                    .map(|storage| EphemeralStorage::builder().size_in_gib(storage.gib).build()),
            )
            .set_stop_code(self.stop_code.as_deref().map(TaskStopCode::from))
            .set_stopped_reason(self.stopped_reason)
            .set_created_at(time(self.created_at))
            .set_pull_started_at(time(self.pull_started_at))
            .set_pull_stopped_at(time(self.pull_stopped_at))
            .set_started_at(time(self.started_at))
            .set_execution_stopped_at(time(self.execution_stopped_at))
            .set_stopped_at(time(self.stopped_at))
            .build()
    }
}

/// Events have their times as texts, where the API has numbers.
fn time(text: Option<String>) -> Option<DateTime> {
    let at = jiff::Timestamp::from_str(&text?).ok()?;
    DateTime::from_str(&at.to_string(), DateTimeFormat::DateTime).ok()
}

#[cfg(test)]
mod tests {
    use fleetfoot_core::stack::Capacity;
    use fleetfoot_core::task::TaskState;
    use serde_json::{Value, json};

    use super::*;

    fn event() -> Value {
        json!({
            "version": "0", "id": "b5d1", "detail-type": "ECS Task State Change", "source": "aws.ecs",
            "account": "123456789012", "time": "2026-03-01T10:00:09Z", "region": "eu-west-1",
            "resources": ["arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd"],
            "detail": {
                "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd",
                "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/ff",
                "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "version": 9,
                "startedBy": "fleetfoot/prod/pool", "capacityProviderName": "FARGATE_SPOT", "launchType": "FARGATE",
                "cpu": "1024", "memory": "2048", "group": "family:ff", "attachments": [],
                "createdAt": "2026-03-01T10:00:00.123Z", "pullStartedAt": "2026-03-01T10:00:04.5Z",
                "stoppedAt": "2026-03-01T10:00:09.25Z", "updatedAt": "2026-03-01T10:00:09.25Z",
                "stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted.",
                "containers": [{"name": "runner", "exitCode": 143, "lastStatus": "STOPPED"}],
                "overrides": {"containerOverrides": [{"name": "runner", "environment": [
                    {"name": "FLEETFOOT_MAILBOX", "value": "s3://mail/mailbox/n/"}]}]},
            },
        })
    }

    fn read(event: &Value) -> Result<Option<TaskChange>, Unreadable> {
        Envelope::read(&event.to_string(), "ff")
    }

    #[test]
    fn an_event_is_read_as_the_task_that_ecs_would_show() {
        let change = read(&event()).unwrap().unwrap();
        assert_eq!((change.version, change.view.state), (9, TaskState::Stopped));
        let view = change.view;
        assert_eq!(view.started_by.as_deref(), Some("fleetfoot/prod/pool"));
        assert_eq!(view.capacity, Some(Capacity::Provider("FARGATE_SPOT".into())));
        assert_eq!((view.cpu, view.memory), (Some(1024), Some(2048)));
        assert_eq!(view.billed_from.unwrap().to_string(), "2026-03-01T10:00:04.5Z");
        assert_eq!(view.stopped_at.unwrap().to_string(), "2026-03-01T10:00:09.25Z");
        let end = view.end.unwrap();
        assert_eq!((end.stop_code.as_deref(), end.exit_code), (Some("SpotInterruption"), Some(143)));
        assert!(view.tags.is_empty());
        assert!(view.mailbox.is_some());
    }

    #[test]
    fn what_is_about_something_else_is_left_and_what_is_no_event_is_told() {
        for (place, value) in [
            ("/source", json!("aws.ec2")),
            ("/detail-type", json!("ECS Deployment State Change")),
            ("/detail/clusterArn", json!("arn:aws:ecs:eu-west-1:123456789012:cluster/other")),
        ] {
            let mut other = event();
            *other.pointer_mut(place).unwrap() = value;
            assert_eq!(read(&other).unwrap(), None, "{place}");
        }
        for (place, value) in [("/detail/version", json!("nine")), ("/detail/taskArn", json!("no ARN"))] {
            let mut broken = event();
            *broken.pointer_mut(place).unwrap() = value;
            assert!(read(&broken).is_err(), "{place}");
        }
        assert!(Envelope::read("no JSON", "ff").is_err());
    }
}
