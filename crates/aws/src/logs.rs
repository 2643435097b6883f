//! Whether a log group is there.

use fleetfoot_core::fault::{Class, Fault};
use serde::de::IgnoredAny;
use serde_json::json;

use crate::aws::Aws;
use crate::errors::Refusal;
use crate::json_rpc::{Call, JsonRpc};
use crate::signed::Service;

const LOGS: Service = Service { name: "logs", id: "CloudWatch Logs" };

impl Aws {
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
