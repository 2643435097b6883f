//! The books of the simulators: every call that reached them, and what came of it.
//!
//! Tests assert on it, the demo counts it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// One HTTP call that a simulator answered.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// When the answer was ready.
    pub at: Timestamp,
    /// `github`, `oidc`, `sts`, `ecs`, `ec2`, `s3`, `ssm`, `sqs`, `secretsmanager`, `logs`, `servicequotas`;
    /// the service of scale sets is `actions`, the runner's own service is `runner`.
    pub service: &'static str,
    /// `RunTask`, `PutObject`; at GitHub method and route template, `GET /repos/{owner}/{repo}/actions/runners`.
    pub operation: String,
    /// Method and path with query, as they came, for assertions on secrets.
    pub request_line: String,
    /// The JSON body of the request, where it was JSON.
    pub request: Option<Value>,
    /// HTTP status of the answer; 0 where the connection was cut before any of it arrived.
    pub status: u16,
    /// The JSON body of the answer, where it was JSON.
    pub response: Option<Value>,
    /// Who called: role session or access key at AWS, token kind at GitHub. No secret.
    pub caller: String,
}

/// A shared, append-only list of calls.
#[derive(Debug, Clone, Default)]
pub struct Book(Arc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    calls: Mutex<Vec<Call>>,
    without_bodies: AtomicBool,
}

impl Book {
    /// Appends a call.
    pub fn record(&self, mut call: Call) {
        if self.0.without_bodies.load(Ordering::Relaxed) {
            (call.request, call.response) = (None, None);
        }
        self.lock().push(call);
    }

    /// Keeps no bodies from now on: of a hundred thousand calls they would fill the memory.
    pub fn leave_bodies_out(&self) {
        self.0.without_bodies.store(true, Ordering::Relaxed);
    }

    /// Those of the calls from this place on that are of interest, each as what is wanted of it.
    pub fn since<T>(&self, place: usize, of_interest: impl FnMut(&Call) -> Option<T>) -> Vec<T> {
        self.lock().iter().skip(place).filter_map(of_interest).collect()
    }

    /// All calls so far, in the order of their answers.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().clone()
    }

    /// How many calls there were so far.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nobody has called yet.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// How many calls of a service and operation there were.
    pub fn count(&self, service: &str, operation: &str) -> usize {
        self.lock().iter().filter(|c| c.service == service && c.operation == operation).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        // A panic while recording leaves a list that is still whole.
        self.0.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
