//! The thin HTTP layer: two listeners on loopback, one for the API, one for what tasks ask.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::process::Running;
use super::wire::Request;
use super::world::World;
use super::{metadata, oidc};
use crate::book::{Book, Call};
use crate::events::{Bus, Event};
use crate::line::{self, Line};

/// Larger bodies than any test writes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What servers and driver share.
pub(crate) struct Shared {
    world: Mutex<World>,
    /// Woken whenever there may be something new to do.
    pub(crate) wake: Notify,
    /// Woken whenever there may be something new in a queue.
    pub(crate) arrivals: Notify,
    pub(crate) book: Book,
    pub(crate) bus: Bus,
    /// The processes of containers, to be ended whatever happens.
    pub(crate) running: Running,
    client: reqwest::Client,
}

impl Shared {
    pub(crate) fn new(world: World, book: Book, bus: Bus, client: reqwest::Client) -> Self {
        Self {
            world: Mutex::new(world),
            wake: Notify::new(),
            arrivals: Notify::new(),
            book,
            bus,
            running: Running::default(),
            client,
        }
    }

    /// The account. Never held across a wait.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // The state machines leave nothing half done where they could panic.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the API until `stop`.
pub(crate) async fn serve_api(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    serve(listener, Router::new().fallback(api).with_state(shared), stop).await;
}

/// Serves metadata and credentials to tasks until `stop`.
pub(crate) async fn serve_tasks(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let router = Router::new()
        .route("/v4/{container}", get(container_metadata))
        .route("/v4/{container}/task", get(task_metadata))
        .route("/v2/credentials/{id}", get(credentials))
        .with_state(shared);
    serve(listener, router, stop).await;
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    if let Err(error) = line::serve(listener, router, stop).await {
        tracing::error!(%error, "the simulated AWS stopped serving");
    }
}

async fn api(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    };
    let delay = shared.world().delay(&request, Timestamp::now());
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    wait_for_messages(&shared, &request).await;
    let issuer = shared.world().issuer_to_ask(&request);
    let keys = match issuer {
        Some(issuer) => Some(oidc::fetch_keys(&shared.client, &issuer).await),
        None => None,
    };
    let now = Timestamp::now();
    let (outcome, written) = {
        let mut world = shared.world();
        (world.answer(&request, keys, now), world.s3.take_written())
    };
    shared.wake.notify_one();
    shared.arrivals.notify_waiters();
    for (bucket, key) in written {
        shared.bus.send(Event::Object { bucket, key });
    }
    tracing::debug!(
        service = outcome.service,
        operation = outcome.operation,
        status = outcome.answer.status,
        caller = outcome.caller,
        "aws call"
    );
    let mut request_line = format!("{} {}", request.method, request.path);
    if !request.query.is_empty() {
        request_line = format!("{request_line}?{}", request.query);
    }
    let mut answer = outcome.answer;
    if outcome.cut {
        line.cut();
        (answer.status, answer.record) = (0, None);
    }
    shared.book.record(Call {
        at: now,
        service: outcome.service,
        operation: outcome.operation,
        request_line,
        request: outcome.request,
        status: answer.status,
        response: answer.record,
        caller: outcome.caller,
    });
    if outcome.cut {
        // Nobody gets it.
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be built");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// Holds a long poll open until there is something in its queue, or its time is over.
async fn wait_for_messages(shared: &Shared, request: &Request) {
    let arrived = Timestamp::now();
    loop {
        let news = shared.arrivals.notified();
        tokio::pin!(news);
        // Marked before the look, so that what comes after the look is not missed.
        news.as_mut().enable();
        let wait = shared.world().wait(request, arrived, Timestamp::now());
        let Some(wait) = wait else { return };
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn container_metadata(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let world = shared.world();
    found(
        world
            .ecs
            .by_runtime_id(&id)
            .map(|(task, container)| metadata::container(task, container, &world.region)),
    )
}

async fn task_metadata(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let world = shared.world();
    found(world.ecs.by_runtime_id(&id).map(|(task, _)| metadata::task(task, &world.region)))
}

async fn credentials(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Some(document) = shared.world().task_credentials(&id, token, Timestamp::now()) {
        return Json(document).into_response();
    }
    let refusal = json!({ "code": "InvalidIdInRequest", "message": "No credentials for this id and token" });
    (StatusCode::BAD_REQUEST, Json(refusal)).into_response()
}

fn found(document: Option<Value>) -> Response {
    match document {
        Some(document) => Json(document).into_response(),
        None => (StatusCode::NOT_FOUND, "V4 metadata handler: unable to find the container").into_response(),
    }
}
