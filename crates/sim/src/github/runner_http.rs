//! The routes of the runners' service; see [`crate::protocol`].

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::rest::Body;
use super::runner_service::Refusal;
use super::server::{Content, Reply, bearer};
use super::shared::Shared;

/// Answers a request below `/_services/runner/`.
pub(crate) async fn answer(shared: &Arc<Shared>, parts: &Parts, path: &str, body: Body) -> Reply {
    let runner = match shared.with(|state, _| state.authenticate_runner(bearer(parts))) {
        Ok(runner) => runner,
        Err(refusal) => return gone(parts, path, &refusal),
    };
    let segments: Vec<&str> = path.split('/').collect();
    let (operation, outcome) = match (&parts.method, segments.as_slice()) {
        (&Method::POST, ["sessions"]) => (
            "POST /sessions",
            with_body(body, |request| {
                shared.with(|state, now| state.runner_connects(runner, &request, now)).map(json)
            }),
        ),
        (&Method::GET, ["sessions", session, "message"]) => {
            ("GET /sessions/{id}/message", Ok(poll(shared, runner, session).await))
        }
        (&Method::DELETE, ["sessions", session]) => (
            "DELETE /sessions/{id}",
            Ok(shared.with(|state, now| state.runner_leaves(runner, session, now)).map(nothing)),
        ),
        (&Method::POST, ["jobs", job, verb]) => {
            job_call(shared, runner, job.parse().unwrap_or(0), verb, body)
        }
        _ => return reply(404, "unknown", Content::Json(json!({ "message": "Not Found" }))),
    };
    let answer = match outcome {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => (refusal.status(), Content::Json(refusal.body())),
        Err(BadBody(message)) => (400, Content::Json(json!({ "message": message }))),
    };
    // Messages and logs are long and hold secrets; the book does without them.
    let confidential = matches!(operation, "GET /sessions/{id}/message" | "POST /jobs/{id}/log");
    Reply { caller: format!("runner {runner}"), confidential, ..reply(answer.0, operation, answer.1) }
}

type Answer = (u16, Content);

/// A body that is not what the route wants.
struct BadBody(String);

fn reply(status: u16, operation: &str, content: Content) -> Reply {
    Reply::new("runner", operation, status, content)
}

/// A runner that leaves after its removal has what it wants.
fn gone(parts: &Parts, path: &str, refusal: &Refusal) -> Reply {
    if parts.method == Method::DELETE && path.starts_with("sessions/") && *refusal == Refusal::Deleted {
        return reply(204, "DELETE /sessions/{id}", Content::Nothing);
    }
    let operation = format!("{} /{}", parts.method, path.split('/').next().unwrap_or_default());
    reply(refusal.status(), &operation, Content::Json(refusal.body()))
}

fn job_call(
    shared: &Shared,
    runner: u64,
    job: u64,
    verb: &str,
    body: Body,
) -> (&'static str, Result<Result<Answer, Refusal>, BadBody>) {
    match verb {
        "start" => (
            "POST /jobs/{id}/start",
            Ok(shared.with(|state, now| state.runner_starts(runner, job, now)).map(nothing)),
        ),
        "renew" => (
            "POST /jobs/{id}/renew",
            Ok(shared.with(|state, now| state.runner_renews(runner, job, now)).map(json)),
        ),
        "log" => (
            "POST /jobs/{id}/log",
            with_body(body, |lines| {
                shared.with(|state, now| state.runner_logs(runner, job, lines, now)).map(nothing)
            }),
        ),
        "steps" => (
            "POST /jobs/{id}/steps",
            with_body(body, |update| {
                shared.with(|state, now| state.runner_steps(runner, job, update, now)).map(nothing)
            }),
        ),
        "complete" => (
            "POST /jobs/{id}/complete",
            with_body(body, |completion| {
                shared.with(|state, now| state.runner_completes(runner, job, completion, now)).map(nothing)
            }),
        ),
        _ => ("unknown", Ok(Err(Refusal::NotYours))),
    }
}

fn with_body<T: DeserializeOwned>(
    body: Body,
    act: impl FnOnce(T) -> Result<Answer, Refusal>,
) -> Result<Result<Answer, Refusal>, BadBody> {
    let value = match body {
        Body::Json(value) => value,
        Body::Absent => Value::Null,
        Body::Malformed => return Err(BadBody("the body is no JSON".into())),
    };
    serde_json::from_value(value).map(act).map_err(|error| BadBody(error.to_string()))
}

fn nothing((): ()) -> Answer {
    (204, Content::Nothing)
}

fn json(value: impl Serialize) -> Answer {
    (200, Content::Json(json!(value)))
}

/// Holds the poll open until there is a job, or the time is over.
async fn poll(shared: &Shared, runner: u64, session: &str) -> Result<Answer, Refusal> {
    let timeout: Duration = shared.with(|state, _| state.config.poll_timeout);
    let deadline = Instant::now() + timeout;
    let mut changes = shared.changes();
    loop {
        // Marked before the look, so that what comes after the look is not missed.
        changes.borrow_and_update();
        if let Some(message) = shared.with(|state, now| state.runner_polls(runner, session, now))? {
            return Ok(json(message));
        }
        tokio::select! {
            Ok(()) = changes.changed() => {}
            () = sleep_until(deadline) => return Ok((202, Content::Nothing)),
            () = shared.stop.cancelled() => return Ok((202, Content::Nothing)),
        }
    }
}
