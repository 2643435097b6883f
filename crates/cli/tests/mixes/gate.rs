//! A gate between a command and the simulators, which can hold back one of its calls.
//!
//! So a command can be killed exactly before a call has any effect, and exactly after it, before the answer.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::common::{Fleetfoot, Stage};
use crate::host::Host;

/// When a call is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before it reaches the service.
    Before,
    /// When the service has done it and answered.
    After,
}

/// The gate of one world.
pub(crate) struct Gate {
    url: String,
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

struct Inner {
    github: String,
    aws: String,
    client: reqwest::Client,
    count: Mutex<Count>,
    held: Notify,
}

#[derive(Default)]
struct Count {
    seen: usize,
    hold: Option<(usize, Moment)>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Gate {
    /// Puts a gate before both simulators. The stack's document names it in GitHub's place from now on.
    pub(crate) async fn build(stage: &Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            github: stage.world.github.server_url(),
            aws: stage.world.aws.endpoint(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            count: Mutex::default(),
            held: Notify::new(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        stage.change_stack(|stack| stack["github"]["api_url"] = format!("{url}/api/v3").into());
        Self { url, inner, server }
    }

    /// A command of the job, with this gate before everything that it calls.
    pub(crate) fn before(&self, host: &Host<'_>, arguments: &[&str]) -> Fleetfoot {
        let id_token = host.variable("ACTIONS_ID_TOKEN_REQUEST_URL").replace(&self.inner.github, &self.url);
        let call = host.call(arguments);
        call.env("AWS_ENDPOINT_URL", &self.url).env("ACTIONS_ID_TOKEN_REQUEST_URL", &id_token)
    }

    /// Counts anew, and holds back the call of this number, from 1, and all that come later.
    pub(crate) fn hold(&self, number: usize, moment: Moment) {
        *self.count() = Count { seen: 0, hold: Some((number, moment)) };
    }

    /// Holds back nothing any more.
    pub(crate) fn open(&self) {
        *self.count() = Count::default();
    }

    /// Waits until the call is held back.
    pub(crate) async fn held(&self) {
        self.inner.held.notified().await;
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.inner.count()
    }
}

impl Inner {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and says what becomes of it.
    fn turn(&self) -> Turn {
        let mut count = self.count();
        count.seen += 1;
        match count.hold {
            Some((number, moment)) if count.seen == number => Turn::Held(moment),
            Some((number, _)) if count.seen > number => Turn::TooLate,
            _ => Turn::Passes,
        }
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Passes,
    Held(Moment),
    /// It comes after the one that is held back, and never arrives.
    TooLate,
}

async fn pass(State(gate): State<Arc<Inner>>, request: Request) -> Response {
    let turn = gate.turn();
    let arrives = matches!(turn, Turn::Passes | Turn::Held(Moment::After));
    // Once it is on its way it arrives, whether or not somebody still waits for the answer.
    let answer =
        if arrives { Some(tokio::spawn(forward(Arc::clone(&gate), request)).await.unwrap()) } else { None };
    if matches!(turn, Turn::Held(_)) {
        gate.held.notify_one();
    }
    match answer {
        Some(answer) if turn == Turn::Passes => answer,
        _ => pending().await,
    }
}

async fn forward(gate: Arc<Inner>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let github = path.starts_with("/api/v3/") || path.starts_with("/_services/");
    let url = format!("{}{path}", if github { &gate.github } else { &gate.aws });
    let body = to_bytes(body, usize::MAX).await.unwrap();
    // The header Host stays what it was, because it is signed.
    let answer = gate.client.request(parts.method, url).headers(parts.headers).body(body).send().await;
    let Ok(answer) = answer else {
        let mut broken = Response::new(Body::empty());
        *broken.status_mut() = StatusCode::BAD_GATEWAY;
        return broken;
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}
