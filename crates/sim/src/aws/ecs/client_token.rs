//! RunTask's idempotency. Source: ECS API Reference, "Ensuring idempotency".
//!
//! A token lives the lesser of 24 hours and the life of its tasks plus one hour. The same token with the
//! same parameters gives the first answer again, failures included; with others a conflict that names
//! the tasks.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::error::AwsError;
use super::model::Task;

const LIFE: SignedDuration = SignedDuration::from_hours(24);
const AFTER_TASKS: SignedDuration = SignedDuration::from_hours(1);

struct Use {
    parameters: Value,
    answer: Value,
    tasks: Vec<String>,
    at: Timestamp,
}

/// The tokens that are remembered.
#[derive(Default)]
pub(super) struct ClientTokens(HashMap<String, Use>);

impl ClientTokens {
    /// The first answer to this token, if it is remembered.
    pub(super) fn replay(&self, token: &str, request: &Value) -> Result<Option<Value>, AwsError> {
        match self.0.get(token) {
            None => Ok(None),
            Some(used) if used.parameters == parameters(request) => Ok(Some(used.answer.clone())),
            Some(used) => Err(AwsError::new(
                "ConflictException",
                "The clientToken was already used in a request with other parameters",
            )
            .member("resourceIds", json!(used.tasks))),
        }
    }

    /// Remembers an answer.
    pub(super) fn remember(
        &mut self,
        token: &str,
        request: &Value,
        answer: &Value,
        tasks: Vec<String>,
        at: Timestamp,
    ) {
        let used = Use { parameters: parameters(request), answer: answer.clone(), tasks, at };
        self.0.insert(token.to_owned(), used);
    }

    /// Forgets the token if its time is over. `find` gives a task by its ARN.
    pub(super) fn expire<'a>(
        &mut self,
        token: &str,
        now: Timestamp,
        find: impl Fn(&str) -> Option<&'a Task>,
    ) {
        let Some(used) = self.0.get(token) else { return };
        let over = |arn: &String| {
            find(arn).is_none_or(|task| {
                task.times.stopped.is_some_and(|stopped| now.duration_since(stopped) >= AFTER_TASKS)
            })
        };
        let tasks_over = !used.tasks.is_empty() && used.tasks.iter().all(over);
        if tasks_over || now.duration_since(used.at) >= LIFE {
            self.0.remove(token);
        }
    }
}

/// The request without the token itself.
fn parameters(request: &Value) -> Value {
    let mut parameters = request.clone();
    if let Some(members) = parameters.as_object_mut() {
        members.shift_remove("clientToken");
    }
    parameters
}

/// The token's rules: up to 64 characters in the range of 33 to 126.
pub(super) fn check(token: &str) -> Result<(), AwsError> {
    if token.len() > 64 || token.is_empty() || !token.bytes().all(|byte| (33..=126).contains(&byte)) {
        return Err(AwsError::invalid_parameter(
            "clientToken must have 1 to 64 characters in the range of 33 to 126",
        ));
    }
    Ok(())
}
