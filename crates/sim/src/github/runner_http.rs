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
    let segments: Vec<&str> = path.split('/').collect();
    let Some(operation) = template(&parts.method, &segments) else {
        return reply(
            404,
            &format!("{} /{path}", parts.method),
            Content::Json(json!({ "message": "Not Found" })),
        );
    };
    let runner = match shared.with(|state, _| state.authenticate_runner(bearer(parts))) {
        Ok(runner) => runner,
        // A runner that leaves after its removal has what it wants.
        Err(Refusal::Deleted) if parts.method == Method::DELETE => {
            return reply(204, operation, Content::Nothing);
        }
        Err(refusal) => return reply(refusal.status(), operation, Content::Json(refusal.body())),
    };
    let outcome = match segments.as_slice() {
        ["sessions"] => with_body(body, |request| {
            shared.with(|state, now| state.runner_connects(runner, &request, now)).map(json)
        }),
        ["sessions", session, "message"] => Ok(poll(shared, runner, session).await),
        ["sessions", session] => {
            Ok(shared.with(|state, now| state.runner_leaves(runner, session, now)).map(nothing))
        }
        ["jobs", job, verb] => job_call(shared, runner, job.parse().unwrap_or(0), verb, body),
        _ => Ok(Err(Refusal::NotYours)),
    };
    let (status, content) = match outcome {
        Ok(Ok(answer)) => answer,
        Ok(Err(refusal)) => (refusal.status(), Content::Json(refusal.body())),
        Err(BadBody(message)) => (400, Content::Json(json!({ "message": message }))),
    };
    // Messages and logs are long and hold secrets; the book does without them.
    let confidential = matches!(operation, "GET /sessions/{id}/message" | "POST /jobs/{id}/log");
    Reply { caller: format!("runner {runner}"), confidential, ..reply(status, operation, content) }
}

/// The route of a request, for the book.
fn template(method: &Method, segments: &[&str]) -> Option<&'static str> {
    Some(match (method, segments) {
        (&Method::POST, ["sessions"]) => "POST /sessions",
        (&Method::GET, ["sessions", _, "message"]) => "GET /sessions/{id}/message",
        (&Method::DELETE, ["sessions", _]) => "DELETE /sessions/{id}",
        (&Method::POST, ["jobs", _, "start"]) => "POST /jobs/{id}/start",
        (&Method::POST, ["jobs", _, "log"]) => "POST /jobs/{id}/log",
        (&Method::POST, ["jobs", _, "steps"]) => "POST /jobs/{id}/steps",
        (&Method::POST, ["jobs", _, "renew"]) => "POST /jobs/{id}/renew",
        (&Method::POST, ["jobs", _, "complete"]) => "POST /jobs/{id}/complete",
        _ => return None,
    })
}

type Answer = (u16, Content);

/// A body that is not what the route wants.
struct BadBody(String);

type Outcome = Result<Result<Answer, Refusal>, BadBody>;

fn reply(status: u16, operation: &str, content: Content) -> Reply {
    Reply::new("runner", operation, status, content)
}

fn job_call(shared: &Shared, runner: u64, job: u64, verb: &str, body: Body) -> Outcome {
    match verb {
        "start" => Ok(shared.with(|state, now| state.runner_starts(runner, job, now)).map(nothing)),
        "renew" => Ok(shared.with(|state, now| state.runner_renews(runner, job, now)).map(json)),
        "log" => with_body(body, |lines| {
            shared.with(|state, now| state.runner_logs(runner, job, lines, now)).map(nothing)
        }),
        "steps" => with_body(body, |update| {
            shared.with(|state, now| state.runner_steps(runner, job, update, now)).map(nothing)
        }),
        "complete" => with_body(body, |completion| {
            shared.with(|state, now| state.runner_completes(runner, job, completion, now)).map(nothing)
        }),
        _ => Ok(Err(Refusal::NotYours)),
    }
}

fn with_body<T: DeserializeOwned>(body: Body, act: impl FnOnce(T) -> Result<Answer, Refusal>) -> Outcome {
    let value = match body {
        Body::Json(value) => value,
        Body::Absent => Value::Null,
        Body::Text(_) => return Err(BadBody("the body is no JSON".into())),
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
