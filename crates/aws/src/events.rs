//! Changes of tasks: ECS tells EventBridge, a rule sends them to a queue, and they are read from there.
//!
//! Source: ECS Developer Guide, "Amazon ECS task state change events"; SQS API Reference. The queue may bring a
//! change twice, late, or after a newer one, and what the rule lets through besides is dropped unread. A message
//! that cannot be read is dropped with a warning: it would come again for ever, and the truth is with ECS anyhow.

mod detail;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::task::TaskState;
use fleetfoot_core::task_events::{TaskChange, TaskEvents};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::errors::Refusal;
use crate::json_rpc::{Call, JsonRpc};
use crate::signed::{Service, Signed};
use detail::{Envelope, Unreadable};

const SQS: Service = Service { name: "sqs", id: "SQS" };

/// The most that one call receives and deletes (SQS API Reference, ReceiveMessage, DeleteMessageBatch).
const MOST: usize = 10;

/// The longest that SQS holds a poll open, and how long it is waited for.
const WAIT_SECONDS: u32 = 20;
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the last version of a stopped task is remembered. Its events come within seconds, as a rule.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The [`TaskEvents`] of one cluster, from a queue.
pub struct SqsTaskEvents {
    signed: Signed,
    queue_url: String,
    /// Name of the cluster.
    cluster: String,
    seen: Mutex<Seen>,
}

/// What was given so far.
#[derive(Default)]
struct Seen {
    /// The newest version of each task, and when it was seen to have stopped.
    versions: HashMap<TaskArn, (u64, Option<Instant>)>,
    /// Receipts of what is to be deleted by the next call.
    receipts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    receipt_handle: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    #[serde(default)]
    failed: Vec<NotDeleted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NotDeleted {
    #[serde(default)]
    code: String,
}

impl fmt::Debug for SqsTaskEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsTaskEvents").field("queue", &self.queue_url).finish_non_exhaustive()
    }
}

impl SqsTaskEvents {
    pub(crate) fn new(signed: Signed, queue_url: String, cluster: &str) -> Self {
        let cluster = cluster.rsplit('/').next().unwrap_or(cluster).to_owned();
        Self { signed, queue_url, cluster, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes what the last call gave.
    async fn delete(&self) -> Result<(), Fault> {
        let receipts = self.seen().receipts.clone();
        if receipts.is_empty() {
            return Ok(());
        }
        let what = format!("delete read messages of the queue {}", self.queue_url);
        for batch in receipts.chunks(MOST) {
            let entry =
                |(id, receipt): (usize, &String)| json!({"Id": id.to_string(), "ReceiptHandle": receipt});
            let entries: Vec<Value> = batch.iter().enumerate().map(entry).collect();
            let call = Call {
                what: &what,
                service: SQS,
                target: "AmazonSQS.DeleteMessageBatch",
                action: "sqs:DeleteMessage",
                input: &json!({"QueueUrl": self.queue_url, "Entries": entries}),
            };
            let rpc = JsonRpc::new(&self.signed);
            let deleted: Deleted = rpc.call(&call, |refusal| refused(&what, refusal)).await?;
            if let Some(failed) = deleted.failed.first() {
                // It comes again and is known then.
                tracing::debug!(
                    code = failed.code,
                    count = deleted.failed.len(),
                    "messages stay in the queue"
                );
            }
        }
        self.seen().receipts.clear();
        Ok(())
    }

    async fn receive(&self) -> Result<Vec<Message>, Fault> {
        let what = format!("receive messages from the queue {}", self.queue_url);
        let call = Call {
            what: &what,
            service: SQS,
            target: "AmazonSQS.ReceiveMessage",
            action: "sqs:ReceiveMessage",
            input: &json!({
                "QueueUrl": self.queue_url, "MaxNumberOfMessages": MOST, "WaitTimeSeconds": WAIT_SECONDS,
            }),
        };
        let rpc = JsonRpc::new(&self.signed);
        let received: Received = rpc.poll(&call, TIMEOUT, |refusal| refused(&what, refusal)).await?;
        Ok(received.messages)
    }

    /// What is new of these messages. All of them are deleted by the next call.
    fn take_in(&self, messages: Vec<Message>) -> Vec<TaskChange> {
        let mut seen = self.seen();
        let mut changes = Vec::new();
        for message in messages {
            match Envelope::read(&message.body, &self.cluster) {
                Ok(Some(change)) if seen.is_news(&change) => changes.push(change),
                Ok(_) => {}
                Err(Unreadable(why)) => tracing::warn!(%why, "a message of the events queue cannot be read"),
            }
            seen.receipts.push(message.receipt_handle);
        }
        changes
    }
}

impl Seen {
    /// Whether no change was given that is as new; then this one is noted.
    fn is_news(&mut self, change: &TaskChange) -> bool {
        let now = Instant::now();
        self.versions.retain(|_, (_, stopped)| stopped.is_none_or(|at| now.duration_since(at) < REMEMBERED));
        let known = self.versions.get(&change.view.arn).map(|(version, _)| *version);
        if known.is_some_and(|known| known >= change.version) {
            return false;
        }
        let stopped = (change.view.state == TaskState::Stopped).then_some(now);
        self.versions.insert(change.view.arn.clone(), (change.version, stopped));
        true
    }
}

impl TaskEvents for SqsTaskEvents {
    async fn next(&self) -> Result<Vec<TaskChange>, Fault> {
        self.delete().await?;
        let messages = self.receive().await?;
        Ok(self.take_in(messages))
    }
}

/// SQS's own codes (SQS API Reference, ReceiveMessage, Errors).
fn refused(what: &str, refusal: &Refusal<'_>) -> Option<Fault> {
    let fault = |class| Fault::new(class, what, refusal.said());
    Some(match refusal.code {
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" => fault(Class::NotFound).remedy(
            "there is no such queue in this account and region: correct events_queue in the stack document",
        ),
        "InvalidAddress" => {
            fault(Class::NotFound).remedy("events_queue in the stack document must be the URL of a queue")
        }
        "OverLimit" | "RequestThrottled" | "KmsThrottled" => fault(Class::Throttled { retry_after: None }),
        "KmsAccessDenied" | "KmsDisabled" | "KmsNotFound" | "KmsInvalidState" => {
            fault(Class::Denied).remedy("allow kms:Decrypt on the queue's key, and see that it is enabled")
        }
        _ => return None,
    })
}
