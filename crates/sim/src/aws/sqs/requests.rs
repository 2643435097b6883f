//! What clients ask, and what SQS refuses of it.

use serde::Deserialize;

use super::super::error::AwsError;

/// Most messages of one answer, and most entries of a batch.
const MOST: usize = 10;
/// The longest that a message can be hidden: twelve hours.
const LONGEST_HIDDEN: u64 = 43_200;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    pub(super) queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueUrl {
    pub(super) queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    pub(super) queue_url: String,
    pub(super) message_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    pub(super) queue_url: String,
    pub(super) max_number_of_messages: Option<usize>,
    pub(super) visibility_timeout: Option<u64>,
    pub(super) wait_time_seconds: Option<u64>,
    /// `ApproximateReceiveCount`, `SentTimestamp`, …
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessage {
    pub(super) queue_url: String,
    pub(super) receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch {
    pub(super) queue_url: String,
    pub(super) entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) receipt_handle: String,
}

impl CreateQueue {
    pub(super) fn check(&self) -> Result<(), AwsError> {
        let name = &self.queue_name;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if (1..=80).contains(&name.len()) && plain {
            return Ok(());
        }
        Err(invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"))
    }
}

impl Receive {
    /// How many messages are wanted.
    pub(super) fn most(&self) -> usize {
        self.max_number_of_messages.unwrap_or(1)
    }

    pub(super) fn check(&self, longest_wait: u64) -> Result<(), AwsError> {
        let wrong = |name: &str, value: u64, most: u64, least: u64| {
            invalid(&format!(
                "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if \
                 provided."
            ))
        };
        let most = self.most();
        if !(1..=MOST).contains(&most) {
            return Err(wrong("MaxNumberOfMessages", most as u64, MOST as u64, 1));
        }
        if let Some(wait) = self.wait_time_seconds.filter(|wait| *wait > longest_wait) {
            return Err(wrong("WaitTimeSeconds", wait, longest_wait, 0));
        }
        if let Some(hidden) = self.visibility_timeout.filter(|hidden| *hidden > LONGEST_HIDDEN) {
            return Err(wrong("VisibilityTimeout", hidden, LONGEST_HIDDEN, 0));
        }
        Ok(())
    }
}

impl Batch {
    pub(super) fn check(&self) -> Result<(), AwsError> {
        if self.entries.is_empty() {
            return Err(AwsError::new(
                "com.amazonaws.sqs#EmptyBatchRequest",
                "There should be at least one DeleteMessageBatchRequestEntry in the request.",
            ));
        }
        if self.entries.len() > MOST {
            return Err(AwsError::new(
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
                format!(
                    "Maximum number of entries per request are {MOST}. You have sent {}.",
                    self.entries.len()
                ),
            ));
        }
        let mut ids: Vec<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        ids.sort_unstable();
        let twice = ids.iter().zip(ids.iter().skip(1)).find(|(id, next)| id == next);
        if let Some((twice, _)) = twice {
            return Err(AwsError::new(
                "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
                format!("Id {twice} repeated."),
            ));
        }
        Ok(())
    }
}

pub(super) fn invalid(message: &str) -> AwsError {
    AwsError::new("com.amazonaws.sqs#InvalidParameterValueException", message)
}
