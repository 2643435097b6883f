//! The page on this machine that sends an App's manifest to GitHub and takes the browser back.
//!
//! A browser shows it to whatever site asks, so it answers only under its own address, and takes a code only
//! with the state that it has sent.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use fleetfoot_github::manifest::Manifest;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Url;

use crate::failure::Failure;

/// A page that listens.
pub(super) struct LocalPage {
    listener: TcpListener,
    address: String,
}

struct Shown {
    host: String,
    form: String,
    state: String,
    told: Mutex<Option<oneshot::Sender<String>>>,
}

#[derive(Deserialize)]
struct Back {
    code: Option<String>,
    state: Option<String>,
}

impl LocalPage {
    /// Takes a free port on loopback.
    pub(super) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = format!("http://{}/", listener.local_addr()?);
        Ok(Self { listener, address })
    }

    /// Where it is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Where GitHub sends the browser back.
    pub(super) fn callback(&self) -> String {
        format!("{}created", self.address)
    }

    /// Serves until the browser comes back with a code.
    pub(super) async fn code(
        self,
        action: &Url,
        manifest: &Manifest,
        state: &str,
    ) -> Result<String, Failure> {
        let (told, code) = oneshot::channel();
        let host = self.address.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shown = Arc::new(Shown {
            host,
            form: form(action, manifest),
            state: state.to_owned(),
            told: Mutex::new(Some(told)),
        });
        let router = Router::new().route("/", get(show)).route("/created", get(take_back)).with_state(shown);
        let ended = |why: String| {
            Failure::failed("io", format!("the page on this machine ended: {why}"), "Begin again.")
        };
        tokio::select! {
            served = axum::serve(self.listener, router) => {
                Err(ended(served.err().map_or_else(String::new, |error| error.to_string())))
            }
            code = code => code.map_err(|_| ended("nobody listens".into())),
        }
    }
}

async fn show(State(page): State<Arc<Shown>>, headers: HeaderMap) -> Response {
    if !page.is_asked_by_its_name(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    html(StatusCode::OK, page.form.clone())
}

async fn take_back(State(page): State<Arc<Shown>>, headers: HeaderMap, Query(back): Query<Back>) -> Response {
    if !page.is_asked_by_its_name(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (Some(code), Some(state)) = (back.code, back.state) else {
        return html(StatusCode::BAD_REQUEST, sentence("GitHub has sent no code. Begin again."));
    };
    if state != page.state {
        return html(StatusCode::BAD_REQUEST, sentence("This was begun somewhere else. Begin again."));
    }
    let told = page.told.lock().ok().and_then(|mut told| told.take());
    match told.map(|told| told.send(code)) {
        Some(Ok(())) => {
            html(StatusCode::OK, sentence("GitHub has created the App. Go back to your terminal."))
        }
        _ => html(StatusCode::GONE, sentence("This page has done its work already.")),
    }
}

impl Shown {
    /// Whether the browser means this page, and was not led here by another name for this machine.
    fn is_asked_by_its_name(&self, headers: &HeaderMap) -> bool {
        headers.get(header::HOST).and_then(|host| host.to_str().ok()) == Some(self.host.as_str())
    }
}

fn html(status: StatusCode, text: String) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (status, headers, Html(text)).into_response()
}

fn sentence(text: &str) -> String {
    format!("<!DOCTYPE html><meta charset=\"utf-8\"><title>Fleetfoot</title><p>{text}</p>\n")
}

/// A form with one button; people see what they ask for before GitHub shows it again.
fn form(action: &Url, manifest: &Manifest) -> String {
    let text = serde_json::json!(manifest).to_string();
    format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Fleetfoot</title>\n\
         <h1>Create the GitHub App {name}</h1>\n\
         <p>Fleetfoot starts runners as this App. GitHub will show what it may do, and ask you.</p>\n\
         <form action=\"{action}\" method=\"post\">\n\
         <input type=\"hidden\" name=\"manifest\" value=\"{text}\">\n\
         <button>Continue at {host}</button>\n</form></html>\n",
        name = escaped(&manifest.name),
        action = escaped(action.as_str()),
        text = escaped(&text),
        host = escaped(action.host_str().unwrap_or("GitHub")),
    )
}

/// Text for HTML, also between quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
