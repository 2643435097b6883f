//! HTTP: finds out which part of the simulated GitHub a request is for, and writes the answer into the book.

use std::sync::Arc;

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{ConnectInfo, Request as HttpRequest, State as Extract};
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::oidc::Issuer;
use super::rest::{self, ApiError, Body, Broken, Request};
use super::runner_http;
use super::scale_sets;
use super::shared::Shared;
use crate::book::Call;
use crate::line::{Line, http_date};

/// What GitHub's front shows when what is behind it does not answer.
pub(crate) const BAD_GATEWAY: &str = "<!DOCTYPE html>\n<html><head><title>Unicorn! &middot; GitHub</title></head><body><p>\
                           <strong>We had issues producing the response to your request.</strong></p></body></html>\n";

/// Larger bodies are refused.
const MAX_BODY: usize = 16 << 20;

/// What is sent back, and what the book says of it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content: Content,
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) caller: String,
    /// Whether bodies are left out of the book: they hold secrets, or are no JSON worth keeping.
    pub(crate) confidential: bool,
    /// Whether the connection is cut before anything of it arrives.
    pub(crate) cut: bool,
}

pub(crate) enum Content {
    Nothing,
    Json(Value),
    Text(String),
    Page(&'static str),
}

impl Reply {
    pub(crate) fn new(
        service: &'static str,
        operation: impl Into<String>,
        status: u16,
        content: Content,
    ) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content,
            service,
            operation: operation.into(),
            caller: "anonymous".into(),
            confidential: false,
            cut: false,
        }
    }
}

/// Answers a request and records it.
pub(crate) async fn serve(
    Extract(shared): Extract<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: HttpRequest,
) -> Response {
    let (parts, body) = request.into_parts();
    let request_line = format!("{} {}", parts.method, parts.uri);
    let (reply, request) = if let Ok(bytes) = to_bytes(body, MAX_BODY).await {
        let body = parse(&bytes);
        let copy = if let Body::Json(value) = &body { Some(value.clone()) } else { None };
        (answer(&shared, &parts, body).await, copy)
    } else {
        let error = ApiError::new(413, "The request's body is too large or broke off.").body();
        (Reply::new("github", request_line.clone(), 413, Content::Json(error)), None)
    };
    let response = match &reply.content {
        Content::Json(value) if !reply.confidential && !reply.cut => Some(redacted(value.clone())),
        _ => None,
    };
    shared.book.record(Call {
        at: Timestamp::now(),
        service: reply.service,
        operation: reply.operation.clone(),
        request_line,
        request: request.filter(|_| !reply.confidential),
        status: if reply.cut { 0 } else { reply.status },
        response,
        caller: reply.caller.clone(),
    });
    if reply.cut {
        line.cut();
    }
    into_http(reply)
}

fn parse(bytes: &[u8]) -> Body {
    if bytes.is_empty() {
        return Body::Absent;
    }
    serde_json::from_slice(bytes)
        .map_or_else(|_| Body::Text(String::from_utf8_lossy(bytes).into_owned()), Body::Json)
}

async fn answer(shared: &Arc<Shared>, parts: &Parts, body: Body) -> Reply {
    let path = parts.uri.path();
    if path == "/api/v3/actions/runner-registration" && parts.method == http::Method::POST {
        return scale_sets::connect(shared, parts, body);
    }
    if let Some(path) = path.strip_prefix("/_services/actions/") {
        return scale_sets::answer(shared, parts, path, body);
    }
    if let Some(path) = path.strip_prefix("/_services/broker/scalesets/") {
        return scale_sets::broker(shared, parts, path).await;
    }
    if let Some(path) = path.strip_prefix("/api/v3").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        return rest_api(shared, parts, path, body);
    }
    if let Some(path) = path.strip_prefix("/_services/runner/") {
        return runner_http::answer(shared, parts, path, body).await;
    }
    if let Some(path) = path.strip_prefix("/_services/token/") {
        return id_token(shared, parts, path);
    }
    if let Some(secret) = path.strip_prefix("/_services/logs/") {
        return log(shared, secret);
    }
    if let Some(owner) = path.strip_suffix("settings/apps/new").filter(|_| parts.method == http::Method::POST)
    {
        return manifest(shared, parts, owner, &body);
    }
    let operation = format!("{} {path}", parts.method);
    let document = match path {
        "/.well-known/openid-configuration" => shared.with(|state, _| Issuer::discovery(&state.urls)),
        "/.well-known/jwks" => shared.with(|state, _| state.issuer.jwks()),
        _ => {
            let content = Content::Json(ApiError::not_found().body());
            return Reply::new("github", operation, 404, content);
        }
    };
    Reply::new("oidc", operation, 200, Content::Json(document))
}

fn rest_api(shared: &Shared, parts: &Parts, path: &str, body: Body) -> Reply {
    let request = Request {
        method: parts.method.clone(),
        path: path.to_owned(),
        query: query(parts),
        headers: parts.headers.clone(),
        body,
    };
    let (handled, now) = shared.with(|state, now| (rest::handle(state, &request, now), now));
    let (status, content, mut headers) = match handled.broken {
        Some(Broken::Status(502)) => (502, Content::Page(BAD_GATEWAY), Vec::new()),
        Some(Broken::Status(status)) => {
            (status, Content::Json(json!({ "message": "Server Error" })), Vec::new())
        }
        Some(Broken::Cut) | None => {
            let content = handled.answer.body.map_or(Content::Nothing, Content::Json);
            (handled.answer.status, content, handled.answer.headers)
        }
    };
    if handled.clock != now {
        headers.push(("Date", http_date(handled.clock)));
    }
    Reply {
        headers,
        caller: handled.caller,
        cut: handled.broken == Some(Broken::Cut),
        ..Reply::new("github", handled.operation, status, content)
    }
}

/// `GET /_services/token/runs/{run}/jobs/{job}/idtoken`, which a job finds in
/// `ACTIONS_ID_TOKEN_REQUEST_URL`.
fn id_token(shared: &Shared, parts: &Parts, path: &str) -> Reply {
    const OPERATION: &str = "GET /_services/token/runs/{run_id}/jobs/{job_id}/idtoken";
    let segments: Vec<&str> = path.split('/').collect();
    let (["runs", _, "jobs", job, "idtoken"], &http::Method::GET) = (segments.as_slice(), &parts.method)
    else {
        let content = Content::Json(ApiError::not_found().body());
        return Reply::new("oidc", format!("{} /_services/token/…", parts.method), 404, content);
    };
    let query = query(parts);
    let audience = query.iter().find(|(name, _)| name == "audience").map(|(_, value)| value.as_str());
    let token = bearer(parts).unwrap_or_default();
    let id = job.parse().unwrap_or(0);
    let result = shared.with(|state, now| {
        let faults = state.config.faults.clone();
        if let Some(status) = faults.refuses_id_token(id, now) {
            return Err((status, "the token could not be issued".to_owned()));
        }
        let clock = faults.clock("oidc", "idtoken", now);
        state.id_token(id, token, audience, clock).map_err(|error| (401, error.to_string()))
    });
    let caller = format!("job {id}");
    let (status, body) = match result {
        Ok(token) => (200, json!({ "count": token.len(), "value": token })),
        Err((status, message)) => (status, json!({ "message": message })),
    };
    Reply { caller, ..Reply::new("oidc", OPERATION, status, Content::Json(body)) }
}

fn log(shared: &Shared, secret: &str) -> Reply {
    let (status, content) = match shared.with(|state, now| state.log_by_secret(secret, now)) {
        Some(text) => (200, Content::Text(text)),
        None => (404, Content::Json(ApiError::not_found().body())),
    };
    Reply::new("blob", "GET /_services/logs/{secret}", status, content)
}

/// `POST /organizations/{org}/settings/apps/new`, or the same of the user who is logged in.
fn manifest(shared: &Shared, parts: &Parts, owner: &str, body: &Body) -> Reply {
    const OPERATION: &str = "POST /settings/apps/new";
    let organization = owner.trim_matches('/').strip_prefix("organizations/");
    let form = if let Body::Text(text) = body { text.as_str() } else { "" };
    let manifest = url::form_urlencoded::parse(form.as_bytes())
        .find_map(|(name, value)| (name == "manifest").then(|| value.into_owned()))
        .unwrap_or_default();
    let query = query(parts);
    let state = query.iter().find(|(name, _)| name == "state").map(|(_, value)| value.as_str());
    match shared.with(|github, now| github.post_manifest(organization, &manifest, state, now)) {
        Ok(back) => Reply {
            headers: vec![("Location", back.to_string())],
            ..Reply::new("web", OPERATION, 302, Content::Nothing)
        },
        Err(why) => Reply::new("web", OPERATION, 422, Content::Text(why)),
    }
}

pub(crate) fn query(parts: &Parts) -> Vec<(String, String)> {
    let text = parts.uri.query().unwrap_or_default();
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// The credential of `Authorization: Bearer …`.
pub(crate) fn bearer(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(credential.trim())
}

/// A copy for the book: secrets are replaced by a text, so that the shape stays what it was.
fn redacted(mut value: Value) -> Value {
    const SECRET: [&str; 7] = [
        "token",
        "encoded_jit_config",
        "encodedJITConfig",
        "messageQueueAccessToken",
        "value",
        "pem",
        "client_secret",
    ];
    match &mut value {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                let secret = SECRET.contains(&key.as_str()) && value.is_string();
                *value = if secret { json!("redacted") } else { redacted(value.take()) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        _ => {}
    }
    value
}

fn into_http(reply: Reply) -> Response {
    let (kind, body) = match reply.content {
        Content::Nothing => (None, HttpBody::empty()),
        Content::Json(value) => (Some("application/json; charset=utf-8"), HttpBody::from(value.to_string())),
        Content::Page(text) => (Some("text/html; charset=utf-8"), HttpBody::from(text)),
        Content::Text(text) => (Some("text/plain; charset=utf-8"), HttpBody::from(text)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_the_copy_and_the_shape_stays() {
        let body =
            json!({ "token": "ghs_x", "a": [{ "encoded_jit_config": "e30=" }], "value": 7, "name": "n" });
        let wanted = json!({ "token": "redacted", "a": [{ "encoded_jit_config": "redacted" }], "value": 7, "name": "n" });
        assert_eq!(redacted(body), wanted);
    }
}
