//! SQS: standard queues, as much as a reader of events needs. Source: SQS API Reference (ReceiveMessage,
//! DeleteMessage, GetQueueAttributes, SendMessage) and Developer Guide, "Visibility timeout", "Long polling".
//!
//! Left out and refused by name: FIFO queues, message attributes, delays, dead letters, tags. A queue here
//! delivers in order and once as long as nobody asks for faults; real ones promise neither.

mod queue;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::AwsError;
use super::identity::Caller;
use super::ids::Ids;
use super::wire::{Answer, Request, decode};
use queue::Queue;
use requests::{Batch, CreateQueue, DeleteMessage, GetAttributes, GetQueueUrl, Receive, SendMessage};

/// The longest that a poll is held open.
const LONGEST_WAIT: u64 = 20;

/// All queues, by name.
pub(crate) struct Sqs {
    region: String,
    account: String,
    /// Where they are called; set once the server listens.
    pub(crate) endpoint: String,
    queues: BTreeMap<String, Queue>,
}

/// What a call brings along.
pub(crate) struct Call<'a> {
    pub(crate) now: Timestamp,
    pub(crate) caller: &'a Caller,
    pub(crate) ids: &'a mut Ids,
}

impl Sqs {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            endpoint: String::new(),
            queues: BTreeMap::new(),
        }
    }

    /// Makes a queue if there is none of this name; gives its address.
    pub(crate) fn ensure(&mut self, name: &str, now: Timestamp) -> String {
        self.queues.entry(name.to_owned()).or_insert_with(|| Queue::new(now));
        self.url(name)
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.endpoint, self.account)
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account)
    }

    /// Puts a message into a queue, to be seen from `at` on. Nothing happens if there is no such queue, as with
    /// a rule whose target is gone.
    pub(crate) fn put(&mut self, name: &str, body: String, at: Timestamp, ids: &mut Ids) {
        if let Some(queue) = self.queues.get_mut(name) {
            queue.put(body, at, ids);
        }
    }

    /// The bodies of the messages that are in a queue, in flight or not.
    pub(crate) fn bodies(&self, name: &str) -> Vec<String> {
        self.queues.get(name).map(Queue::bodies).unwrap_or_default()
    }

    /// How long a poll has to wait before there is something to see, at most until it is over; nothing if it
    /// has to be answered now.
    pub(crate) fn wait(&self, request: &Request, arrived: Timestamp, now: Timestamp) -> Option<Duration> {
        if request.header("x-amz-target") != Some("AmazonSQS.ReceiveMessage") {
            return None;
        }
        let receive: Receive = serde_json::from_slice(&request.body).ok()?;
        let queue = self.queues.get(self.name_of(&receive.queue_url)?)?;
        let wait = receive.wait_time_seconds.filter(|seconds| *seconds <= LONGEST_WAIT)?;
        let over = arrived.checked_add(jiff::SignedDuration::from_secs(i64::try_from(wait).ok()?)).ok()?;
        let next = queue.next_visible().min(over);
        Duration::try_from(next.duration_since(now)).ok().filter(|wait| !wait.is_zero())
    }

    /// The name in a queue's address, which must be of this account.
    fn name_of<'u>(&self, url: &'u str) -> Option<&'u str> {
        let (rest, name) = url.rsplit_once('/')?;
        rest.ends_with(&format!("/{}", self.account)).then_some(name)
    }

    /// The queue of an address, for whoever may do this with it.
    fn open(&mut self, url: &str, action: &str, caller: &Caller) -> Result<&mut Queue, AwsError> {
        let name = self.name_of(url).ok_or_else(no_queue)?.to_owned();
        caller.check(action, &self.arn(&name), &caller.context())?;
        self.queues.get_mut(&name).ok_or_else(no_queue)
    }

    /// Answers an operation.
    pub(crate) fn answer(
        &mut self,
        operation: &str,
        body: &Value,
        call: &mut Call<'_>,
    ) -> Result<Answer, AwsError> {
        self.do_it(operation, body, call).map(Answer::json)
    }

    fn do_it(&mut self, operation: &str, body: &Value, call: &mut Call<'_>) -> Result<Value, AwsError> {
        let (now, caller) = (call.now, call.caller);
        match operation {
            "CreateQueue" => {
                let create: CreateQueue = decode(body)?;
                create.check()?;
                caller.check("sqs:CreateQueue", &self.arn(&create.queue_name), &caller.context())?;
                Ok(json!({ "QueueUrl": self.ensure(&create.queue_name, now) }))
            }
            "GetQueueUrl" => {
                let get: GetQueueUrl = decode(body)?;
                caller.check("sqs:GetQueueUrl", &self.arn(&get.queue_name), &caller.context())?;
                let known = self.queues.contains_key(&get.queue_name);
                if known { Ok(json!({ "QueueUrl": self.url(&get.queue_name) })) } else { Err(no_queue()) }
            }
            "GetQueueAttributes" => {
                let get: GetAttributes = decode(body)?;
                let arn = self.arn(self.name_of(&get.queue_url).ok_or_else(no_queue)?);
                let queue = self.open(&get.queue_url, "sqs:GetQueueAttributes", caller)?;
                Ok(queue.attributes(&get.attribute_names, &arn, now))
            }
            "SendMessage" => {
                let send: SendMessage = decode(body)?;
                let queue = self.open(&send.queue_url, "sqs:SendMessage", caller)?;
                Ok(queue.send(send.message_body, now, call.ids))
            }
            "ReceiveMessage" => {
                let receive: Receive = decode(body)?;
                receive.check(LONGEST_WAIT)?;
                let queue = self.open(&receive.queue_url, "sqs:ReceiveMessage", caller)?;
                Ok(queue.receive(&receive, now, call.ids))
            }
            "DeleteMessage" => {
                let delete: DeleteMessage = decode(body)?;
                self.open(&delete.queue_url, "sqs:DeleteMessage", caller)?.delete(&delete.receipt_handle)?;
                Ok(json!({}))
            }
            "DeleteMessageBatch" => {
                let batch: Batch = decode(body)?;
                batch.check()?;
                Ok(self.open(&batch.queue_url, "sqs:DeleteMessage", caller)?.delete_batch(&batch))
            }
            other => Err(AwsError::not_simulated(format!("AmazonSQS.{other}"))),
        }
    }
}

/// The code of a refusal in SQS's older protocol, which clients of it still look for; it is sent beside the new
/// one (`x-amzn-query-error`).
pub(crate) fn older_code(code: &str) -> Option<String> {
    let code = code.rsplit_once('#')?.1;
    Some(match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "EmptyBatchRequest" | "TooManyEntriesInBatchRequest" | "BatchEntryIdsNotDistinct" => {
            format!("AWS.SimpleQueueService.{code}")
        }
        "InvalidParameterValueException" => "InvalidParameterValue".to_owned(),
        other => other.to_owned(),
    })
}

fn no_queue() -> AwsError {
    AwsError::new("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
}
