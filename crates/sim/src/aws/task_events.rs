//! EventBridge, as far as tasks are concerned: rules that send ECS's "Task State Change" events of a cluster
//! to queues.
//!
//! Source: ECS Developer Guide, "Amazon ECS task state change events" and "Amazon ECS events" (`detail.version`
//! grows with every change), EventBridge User Guide, "Event structure". EventBridge delivers at least once and
//! in no order; here it is once and in order unless a fault says otherwise.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ids::Ids;
use super::sqs::Sqs;
use crate::faults::{Delivery, Faults};

/// Sends the events of a cluster to a queue.
struct Rule {
    cluster: String,
    queue: String,
}

/// The rules of the account.
pub(crate) struct TaskEvents {
    region: String,
    account: String,
    rules: Vec<Rule>,
}

impl TaskEvents {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        Self { region: region.to_owned(), account: account.to_owned(), rules: Vec::new() }
    }

    /// Adds a rule for the cluster of this ARN.
    pub(crate) fn send(&mut self, cluster: String, queue: String) {
        self.rules.push(Rule { cluster, queue });
    }

    /// Whether anybody wants to hear of tasks.
    pub(crate) fn are_wanted(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Delivers what happened to tasks, each as the API shows the task at that moment.
    pub(crate) fn deliver(
        &self,
        changes: Vec<(Timestamp, Value)>,
        queues: &mut Sqs,
        faults: &Faults,
        ids: &mut Ids,
        now: Timestamp,
    ) {
        for (at, task) in changes {
            let cluster = task["clusterArn"].as_str().unwrap_or_default();
            let arn = task["taskArn"].as_str().unwrap_or_default().to_owned();
            for rule in self.rules.iter().filter(|rule| rule.cluster == cluster) {
                let event = self.event(&arn, at, task.clone(), ids).to_string();
                let late = |by: Duration| now.checked_add(by).unwrap_or(now);
                match faults.delivers_event(&arn, now) {
                    None => queues.put(&rule.queue, event, now, ids),
                    Some(Delivery::Lost) => {}
                    Some(Delivery::Late(by)) => queues.put(&rule.queue, event, late(by), ids),
                    Some(Delivery::Twice) => {
                        queues.put(&rule.queue, event.clone(), now, ids);
                        queues.put(&rule.queue, event, now, ids);
                    }
                }
            }
        }
    }

    fn event(&self, arn: &str, at: Timestamp, mut detail: Value, ids: &mut Ids) -> Value {
        if let Some(detail) = detail.as_object_mut() {
            // Events have their times as texts, and say neither health nor tags.
            detail.retain(|name, _| name != "healthStatus" && name != "tags");
            detail.insert("updatedAt".to_owned(), json!(at.to_string()));
            for (name, value) in detail.iter_mut() {
                let seconds = value.as_f64().filter(|_| name.ends_with("At"));
                if let Some(seconds) = seconds.and_then(timestamp) {
                    *value = json!(seconds.to_string());
                }
            }
            for container in detail.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten()
            {
                container.as_object_mut().map(|container| container.remove("healthStatus"));
            }
        }
        json!({
            "version": "0",
            "id": ids.uuid(),
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": self.account,
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": self.region,
            "resources": [arn],
            "detail": detail,
        })
    }
}

/// The time of a number of seconds with a fraction, as the API writes it.
fn timestamp(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a time of this age")]
    let milliseconds = (seconds * 1000.0).round() as i64;
    Timestamp::from_millisecond(milliseconds).ok()
}
