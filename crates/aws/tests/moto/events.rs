//! Changes of tasks from a queue of moto's, which somebody else has filled.

use fleetfoot_aws::Aws;
use fleetfoot_core::fault::Class;
use fleetfoot_core::task::TaskState;
use fleetfoot_core::task_events::TaskEvents;
use serde_json::json;

use crate::server::Moto;

fn event(task: &str, version: u64, status: &str) -> String {
    let arn = |kind: &str| format!("arn:aws:ecs:eu-west-1:123456789012:{kind}");
    json!({
        "version": "0", "source": "aws.ecs", "detail-type": "ECS Task State Change",
        "detail": {
            "taskArn": arn(&format!("task/ff/{task}")), "clusterArn": arn("cluster/ff"),
            "lastStatus": status, "version": version, "createdAt": "2026-03-01T10:00:00.123Z",
        },
    })
    .to_string()
}

pub(crate) async fn are_read(moto: &Moto, aws: &Aws) {
    let url = moto
        .aws(&["sqs", "create-queue", "--queue-name", "events", "--output", "text", "--query", "QueueUrl"])
        .await;
    let attributes = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    let left = async || {
        let query = "Attributes.*";
        let call = ["sqs", "get-queue-attributes", "--queue-url", &url, "--output", "text", "--query", query];
        moto.aws(&[&call[..], &["--attribute-names"], &attributes].concat()).await
    };
    let sent = [
        event("1", 2, "RUNNING"),
        event("1", 2, "RUNNING"),
        event("1", 1, "PENDING"),
        event("2", 7, "STOPPED"),
        "no event at all".to_owned(),
    ];
    let entry = |(id, body): (usize, &String)| json!({"Id": id.to_string(), "MessageBody": body});
    let entries = json!(sent.iter().enumerate().map(entry).collect::<Vec<_>>()).to_string();
    moto.aws(&["sqs", "send-message-batch", "--queue-url", &url, "--entries", &entries]).await;
    let events = aws.task_events(&url, "arn:aws:ecs:eu-west-1:123456789012:cluster/ff");
    let mut changes = Vec::new();
    while changes.len() < 2 {
        changes.extend(events.next().await.unwrap());
    }
    // moto keeps no order, so the older change of the first task may have come first.
    let newest = |task: &str| changes.iter().rev().find(|change| change.view.arn.id() == task).unwrap();
    assert_eq!((newest("2").version, newest("2").view.state), (7, TaskState::Stopped));
    assert_eq!(changes.iter().filter(|change| change.version == 2).count(), 1, "{changes:?}");
    assert_ne!(left().await.split_whitespace().collect::<Vec<_>>(), ["0", "0"]);

    moto.aws(&["sqs", "send-message", "--queue-url", &url, "--message-body", &event("3", 1, "PENDING")])
        .await;
    let more = events.next().await.unwrap();
    assert_eq!(more.iter().map(|change| change.view.arn.id()).collect::<Vec<_>>(), ["3"]);
    moto.aws(&["sqs", "send-message", "--queue-url", &url, "--message-body", &event("3", 2, "RUNNING")])
        .await;
    events.next().await.unwrap();
    // All but the last one are deleted.
    assert_eq!(left().await.split_whitespace().collect::<Vec<_>>(), ["0", "1"]);

    let missing = aws.task_events(url.replace("events", "none"), "ff");
    let fault = missing.next().await.unwrap_err();
    assert_eq!(fault.class, Class::NotFound, "{fault}");
}
