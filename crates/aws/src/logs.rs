//! CloudWatch Logs: whether a log group is there, and what a task has said.

use fleetfoot_core::fault::{Class, Fault};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::aws::Aws;
use crate::errors::Refusal;
use crate::json_rpc::{Call, JsonRpc};
use crate::signed::Service;

const LOGS: Service = Service { name: "logs", id: "CloudWatch Logs" };

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// The line.
    pub message: String,
}

/// Some lines of a log, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The lines, the oldest first.
    pub lines: Vec<LogLine>,
    /// To be given to the next call. The same as before when there was nothing more.
    pub next: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetLogEvents {
    events: Vec<OutputLogEvent>,
    next_forward_token: String,
}

#[derive(Deserialize)]
struct OutputLogEvent {
    timestamp: i64,
    message: String,
}

impl Aws {
    /// Lines of a log stream, from its beginning or from where the last page ended; `None` if there is no such
    /// stream, which appears with its first line.
    ///
    /// # Errors
    /// `Denied` without `logs:GetLogEvents`.
    pub async fn log_lines(
        &self,
        group: &str,
        stream: &str,
        next: Option<&str>,
    ) -> Result<Option<LogPage>, Fault> {
        let what = format!("read the log {stream} of {group}");
        let mut input = json!({"logGroupName": group, "logStreamName": stream, "startFromHead": true});
        if let Some(next) = next {
            input["nextToken"] = json!(next);
        }
        let call = Call {
            what: &what,
            service: LOGS,
            target: "Logs_20140328.GetLogEvents",
            action: "logs:GetLogEvents",
            input: &input,
        };
        let rpc = JsonRpc::new(&self.signed);
        match rpc.call::<GetLogEvents>(&call, |refusal| refused(&what, refusal)).await {
            Ok(answer) => {
                let line = |event: OutputLogEvent| LogLine {
                    at: Timestamp::from_millisecond(event.timestamp).unwrap_or_default(),
                    message: event.message,
                };
                let lines = answer.events.into_iter().map(line).collect();
                Ok(Some(LogPage { lines, next: answer.next_forward_token }))
            }
            Err(fault) if fault.class == Class::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Whether CloudWatch Logs has a log group of this name. Asks for one of its streams: unlike
    /// DescribeLogGroups, that can be allowed for this group alone.
    ///
    /// # Errors
    /// `Denied` if the group may not be looked at.
    pub async fn has_log_group(&self, name: &str) -> Result<bool, Fault> {
        let what = format!("look at the log group {name}");
        let call = Call {
            what: &what,
            service: LOGS,
            target: "Logs_20140328.DescribeLogStreams",
            action: "logs:DescribeLogStreams",
            input: &json!({"logGroupName": name, "limit": 1}),
        };
        let rpc = JsonRpc::new(&self.signed);
        match rpc.call::<IgnoredAny>(&call, |refusal| refused(&what, refusal)).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.class == Class::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

/// The service's own code (CloudWatch Logs API Reference, DescribeLogStreams).
fn refused(what: &str, refusal: &Refusal<'_>) -> Option<Fault> {
    (refusal.code == "ResourceNotFoundException").then(|| Fault::new(Class::NotFound, what, refusal.said()))
}
