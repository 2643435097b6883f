//! One queue: messages that are hidden while somebody has them, and come back if he does not delete them.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::super::error::AwsError;
use super::super::ids::Ids;
use super::requests::{Batch, Receive};

/// How long a message is hidden after it was received, unless the receiver says otherwise.
const HIDDEN: Duration = Duration::from_secs(30);
/// How long a message is kept: four days.
const KEPT: Duration = Duration::from_hours(96);

struct Message {
    id: String,
    body: String,
    sent: Timestamp,
    /// When it can be seen, for the first time or again.
    visible: Timestamp,
    /// Of the last time that it was received.
    receipt: Option<String>,
    received: u32,
}

pub(super) struct Queue {
    created: Timestamp,
    messages: VecDeque<Message>,
}

impl Queue {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { created: now, messages: VecDeque::new() }
    }

    pub(super) fn bodies(&self) -> Vec<String> {
        self.messages.iter().map(|message| message.body.clone()).collect()
    }

    /// Puts a message in, to be seen from then on.
    pub(super) fn put(&mut self, body: String, visible: Timestamp, ids: &mut Ids) -> &str {
        let message = Message { id: ids.uuid(), body, sent: visible, visible, receipt: None, received: 0 };
        self.messages.push_back(message);
        self.messages.back().map_or("", |message| &message.id)
    }

    pub(super) fn send(&mut self, body: String, now: Timestamp, ids: &mut Ids) -> Value {
        let digest = md5(&body);
        json!({ "MessageId": self.put(body, now, ids), "MD5OfMessageBody": digest })
    }

    /// When something can be seen; at the end of time where there is nothing.
    pub(super) fn next_visible(&self) -> Timestamp {
        self.messages.iter().map(|message| message.visible).min().unwrap_or(Timestamp::MAX)
    }

    pub(super) fn receive(&mut self, receive: &Receive, now: Timestamp, ids: &mut Ids) -> Value {
        self.messages.retain(|message| now.duration_since(message.sent).unsigned_abs() < KEPT);
        let hidden = receive.visibility_timeout.map_or(HIDDEN, Duration::from_secs);
        let mut visible: Vec<&mut Message> =
            self.messages.iter_mut().filter(|message| message.visible <= now).collect();
        // What was late comes after what was sent meanwhile.
        visible.sort_by_key(|message| message.visible);
        let mut shown = Vec::new();
        for message in visible.into_iter().take(receive.most()) {
            message.visible = now.checked_add(hidden).unwrap_or(Timestamp::MAX);
            message.received += 1;
            // One receipt is good for one delivery; only the newest deletes for certain.
            let receipt = ids.secret(96);
            message.receipt = Some(receipt.clone());
            shown.push(shape(message, &receipt, &receive.message_system_attribute_names));
        }
        // An answer without messages has no such member.
        if shown.is_empty() { json!({}) } else { json!({ "Messages": shown }) }
    }

    pub(super) fn delete(&mut self, receipt: &str) -> Result<(), AwsError> {
        if receipt.len() < 32 {
            return Err(AwsError::new(
                "com.amazonaws.sqs#ReceiptHandleIsInvalid",
                format!("The input receipt handle \"{receipt}\" is not a valid receipt handle."),
            ));
        }
        // An old receipt is taken and has no effect.
        self.messages.retain(|message| message.receipt.as_deref() != Some(receipt));
        Ok(())
    }

    pub(super) fn delete_batch(&mut self, batch: &Batch) -> Value {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in &batch.entries {
            match self.delete(&entry.receipt_handle) {
                Ok(()) => successful.push(json!({ "Id": entry.id })),
                Err(error) => failed.push(json!({
                    "Id": entry.id, "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": error.message,
                })),
            }
        }
        json!({ "Successful": successful, "Failed": failed })
    }

    pub(super) fn attributes(&self, wanted: &[String], arn: &str, now: Timestamp) -> Value {
        let visible = self.messages.iter().filter(|message| message.visible <= now).count();
        let in_flight = self.messages.iter().filter(|it| it.visible > now && it.receipt.is_some()).count();
        let all = [
            ("ApproximateNumberOfMessages", visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", (self.messages.len() - visible - in_flight).to_string()),
            ("CreatedTimestamp", self.created.as_second().to_string()),
            ("LastModifiedTimestamp", self.created.as_second().to_string()),
            ("MessageRetentionPeriod", KEPT.as_secs().to_string()),
            ("QueueArn", arn.to_owned()),
            ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
            ("VisibilityTimeout", HIDDEN.as_secs().to_string()),
        ];
        let asked = |name: &str| wanted.iter().any(|it| it == "All" || it == name);
        let shown: Map<String, Value> = all
            .into_iter()
            .filter(|(name, _)| asked(name))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        if shown.is_empty() { json!({}) } else { json!({ "Attributes": shown }) }
    }
}

fn shape(message: &Message, receipt: &str, attributes: &[String]) -> Value {
    let all = [
        ("ApproximateReceiveCount", message.received.to_string()),
        ("SentTimestamp", message.sent.as_millisecond().to_string()),
    ];
    let asked = |name: &str| attributes.iter().any(|it| it == "All" || it == name);
    let shown: Map<String, Value> = all
        .into_iter()
        .filter(|(name, _)| asked(name))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let mut shape = json!({
        "MessageId": message.id,
        "ReceiptHandle": receipt,
        "MD5OfBody": md5(&message.body),
        "Body": message.body,
    });
    if !shown.is_empty() {
        shape["Attributes"] = Value::Object(shown);
    }
    shape
}

/// What clients check a body by.
fn md5(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}
