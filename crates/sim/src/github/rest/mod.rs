//! The REST API: from a request to an answer, without HTTP.
//!
//! The order is GitHub's: user agent, API version, credentials, rate limit, route, permission, handler.

mod apps;
mod error;
mod org_settings;
mod page;
mod repos;
mod routes;
mod runners;
mod runs;
mod settings;
mod shapes;
mod version;

use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) use error::ApiError;

use super::accounts::Scope;
use super::auth::{self, Caller};
use super::limits::Usage;
use super::state::State;
use crate::faults::{Breakage, github_operation};
use routes::{Need, Route};
use version::ApiVersion;

/// A request below the API's base path.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// From the slash after the base path on.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// The body of a request.
pub(crate) enum Body {
    Absent,
    Json(Value),
    /// Something else.
    Text(String),
}

impl Request {
    #[cfg(test)]
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Body::Absent,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as a JSON object; an absent one is an empty object.
    pub(crate) fn object(&self) -> Result<serde_json::Map<String, Value>, ApiError> {
        match &self.body {
            Body::Absent => Ok(serde_json::Map::new()),
            Body::Json(Value::Object(object)) => Ok(object.clone()),
            Body::Json(_) => Err(ApiError::new(400, "Body should be a JSON object")),
            Body::Text(_) => Err(ApiError::new(400, "Problems parsing JSON")),
        }
    }
}

/// What is sent back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Option<Value>) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::new(200, Some(body))
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::new(201, Some(body))
    }

    pub(crate) fn no_content() -> Self {
        Self::new(204, None)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn with_optional(self, name: &'static str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        let retry_after = error.retry_after.map(|seconds| seconds.to_string());
        Self::new(error.status, Some(error.body())).with_optional("Retry-After", retry_after)
    }
}

/// What a handler works with besides the state.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) request: &'a Request,
    pub(crate) caller: &'a Caller,
    /// The repository or organisation of the route, which the caller may use so.
    pub(crate) scope: Option<Scope>,
    params: routes::Params,
}

impl Context<'_> {
    /// A parameter of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A numeric parameter of the path; text is no id of anything.
    pub(crate) fn id(&self, name: &str) -> Result<u64, ApiError> {
        self.param(name).parse().map_err(|_| ApiError::not_found())
    }

    /// The scope of a route that has one.
    pub(crate) fn scope(&self) -> Result<Scope, ApiError> {
        self.scope.ok_or_else(ApiError::not_found)
    }
}

/// An answer, with what the book of calls says of it.
pub(crate) struct Handled {
    pub(crate) answer: Answer,
    /// Method and route template.
    pub(crate) operation: String,
    pub(crate) caller: String,
    /// What arrives in place of the answer.
    pub(crate) broken: Option<Broken>,
    /// What the server's clock shows.
    pub(crate) clock: Timestamp,
}

/// What arrives where an answer should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// An error with this status, 500 or 502.
    Status(u16),
    /// Nothing: the connection is cut.
    Cut,
}

/// Answers a request.
pub(crate) fn handle(state: &mut State, request: &Request, now: Timestamp) -> Handled {
    let matched = routes::find(&request.method, &request.path);
    let template = matched.as_ref().map_or(request.path.as_str(), |(route, _)| route.template);
    let operation = format!("{} {template}", request.method);

    let short = github_operation(request.method.as_str(), template);
    let faults = state.config.faults.clone();
    let clock = faults.clock("github", &short, now);

    let caller = match admit(state, request, clock) {
        Ok(caller) => caller,
        Err(error) => {
            let caller = "unknown".into();
            return Handled { answer: error.into(), operation, caller, broken: None, clock };
        }
    };
    if let Some(status) = faults.github_fails(&short, now) {
        let (answer, broken) = (Answer::new(status, None), Some(Broken::Status(status)));
        return Handled { answer, operation, caller: caller.describe(), broken, clock };
    }
    let (answer, usage) = limited(state, request, &caller, matched.as_ref(), &short, now);
    // What was refused had no effect: no answer to it is missed.
    let lost = if answer.status < 400 { faults.loses_answer("github", &short, now) } else { None };
    let broken = lost.map(|how| match how {
        Breakage::Status500 => Broken::Status(500),
        Breakage::Cut => Broken::Cut,
    });
    let route = matched.map(|(route, _)| route);
    let answer = decorate(answer, request, &caller, route, usage);
    Handled { answer, operation, caller: caller.describe(), broken, clock }
}

/// What is asked of every request before it is looked at.
fn admit(state: &State, request: &Request, now: Timestamp) -> Result<Caller, ApiError> {
    if request.header("user-agent").is_none_or(|agent| agent.trim().is_empty()) {
        return Err(ApiError::new(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
        ));
    }
    ApiVersion::of(request)?;
    auth::authenticate(request.header("authorization"), &state.tokens, &state.accounts, now)
}

/// Answers within the caller's rate limit. What costs nothing: `/rate_limit`, and answers with 304.
fn limited(
    state: &mut State,
    request: &Request,
    caller: &Caller,
    matched: Option<&(&'static Route, routes::Params)>,
    short: &str,
    now: Timestamp,
) -> (Answer, Usage) {
    let bucket = caller.bucket();
    let free = matched.is_some_and(|(route, _)| matches!(route.need, Need::Nothing));
    // Who is limited already runs into nothing new.
    let limited =
        state.limits.usage(&bucket, now).remaining() == 0 || state.secondary.refuses(&bucket, now).is_some();
    if !free && !limited {
        let faults = &state.config.faults;
        if let Some(limit) = faults.primary_limit(short, now) {
            state.limits.exhaust(&bucket, limit, now);
        }
        if let Some(limit) = faults.secondary_limit(short, now) {
            state.secondary.refuse(&bucket, limit, now);
        }
    }
    let usage = state.limits.usage(&bucket, now);
    if usage.remaining() == 0 && !free {
        let message = format!("API rate limit exceeded for {}.", caller.describe());
        return (ApiError::new(usage.status.code(), message).into(), usage);
    }
    let endpoint = matched.map_or("", |(route, _)| route.template);
    if !free && let Err(too_much) = state.secondary.admit(&bucket, &request.method, endpoint, now) {
        return (ApiError::secondary_limit(too_much).into(), usage);
    }
    let answer = match matched {
        Some((route, params)) => {
            answer(state, request, caller, route, params, now).unwrap_or_else(Answer::from)
        }
        None => ApiError::not_found().into(),
    };
    let answer = conditional(answer, request);
    let usage = if free || answer.status == 304 { usage } else { state.limits.charge(&bucket, now) };
    (answer, usage)
}

fn answer(
    state: &mut State,
    request: &Request,
    caller: &Caller,
    route: &Route,
    params: &routes::Params,
    now: Timestamp,
) -> Result<Answer, ApiError> {
    let param = |name: &str| params.get(name).map_or("", String::as_str);
    let accounts = &state.accounts;
    let scope = match &route.need {
        Need::Nothing => None,
        Need::App => match caller {
            Caller::App(_) => None,
            _ => return Err(ApiError::new(401, "A JSON web token could not be decoded")),
        },
        Need::Repository(demand) => {
            let repository =
                accounts.repository(param("owner"), param("repo")).ok_or_else(ApiError::not_found)?;
            Some(auth::on_repository(caller, repository, demand, accounts)?)
        }
        Need::Organization(demand) => {
            let account = accounts
                .account(param("org"))
                .filter(|account| account.is_organization())
                .ok_or_else(ApiError::not_found)?;
            Some(auth::on_organization(caller, account, demand, accounts)?)
        }
    };
    let context = Context { now, request, caller, scope, params: params.clone() };
    let mut answer = (route.handler)(state, &context)?;
    if let Some(body) = &mut answer.body {
        ApiVersion::of(request)?.adapt(body);
    }
    Ok(answer)
}

/// Turns an answer that the caller already has into 304.
fn conditional(answer: Answer, request: &Request) -> Answer {
    let Some(body) = answer.body.as_ref().filter(|_| request.method == Method::GET && answer.status == 200)
    else {
        return answer;
    };
    let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(body.to_string())));
    let known = request.header("if-none-match").is_some_and(|tags| {
        tags.split(',').any(|candidate| candidate.trim() == tag || candidate.trim() == "*")
    });
    if known { Answer::new(304, None).with("ETag", tag) } else { answer.with("ETag", tag) }
}

/// The headers that every answer has.
fn decorate(
    mut answer: Answer,
    request: &Request,
    caller: &Caller,
    route: Option<&Route>,
    usage: Usage,
) -> Answer {
    answer = answer
        .with("X-RateLimit-Limit", usage.limit.to_string())
        .with("X-RateLimit-Remaining", usage.remaining().to_string())
        .with("X-RateLimit-Used", usage.used.to_string())
        .with("X-RateLimit-Reset", usage.reset.as_second().to_string())
        .with("X-RateLimit-Resource", "core");
    if let Ok(version) = ApiVersion::of(request) {
        answer = answer.with("X-GitHub-Api-Version-Selected", version.as_str());
    }
    let demand = route.and_then(|route| match &route.need {
        Need::Repository(demand) | Need::Organization(demand) => Some(demand),
        Need::Nothing | Need::App => None,
    });
    match (caller.scopes(), demand) {
        (Some(scopes), demand) => answer
            .with("X-OAuth-Scopes", scopes.join(", "))
            .with("X-Accepted-OAuth-Scopes", demand.map_or(String::new(), |demand| demand.scopes.join(", "))),
        (None, Some(demand)) => {
            answer.with("X-Accepted-GitHub-Permissions", demand.accepted(caller.is_personal()))
        }
        (None, None) => answer,
    }
}

/// `GET /rate_limit`.
#[expect(clippy::unnecessary_wraps, reason = "a handler like the others, which can refuse")]
fn rate_limit(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let usage = state.limits.usage(&context.caller.bucket(), context.now);
    let core = json!({
        "limit": usage.limit,
        "remaining": usage.remaining(),
        "reset": usage.reset.as_second(),
        "used": usage.used,
    });
    let search = json!({ "limit": 30, "remaining": 30, "reset": usage.reset.as_second(), "used": 0 });
    Ok(Answer::ok(json!({ "resources": { "core": core, "search": search }, "rate": core })))
}
