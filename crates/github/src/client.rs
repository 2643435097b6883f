//! Calls to GitHub's REST API: one request, one answer, one kind of failure.
//!
//! What may be repeated blindly is: reads and deletions. `generate-jitconfig` is not, since a lost answer
//! and a second try collide; whoever mints looks first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::Repository;
use fleetfoot_net::Network;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::app::InstallationTokens;
use crate::auth::{Clock, Credentials, TokenKind};
use crate::refusal::{Operation, Refusal};
use crate::scope::Scope;
use crate::turns::RequestTurns;

/// The version of the REST API that the requests are written for (`contracts`: 2026-03-10).
const API_VERSION: &str = "2026-03-10";

pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection pool that speaks this version of the API.
pub(crate) fn http(network: &Network) -> Result<reqwest::Client, Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    headers.insert(HeaderName::from_static("x-github-api-version"), HeaderValue::from_static(API_VERSION));
    network.client(|client| client.default_headers(headers).connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT))
}

/// Waits a little longer each time: three more tries within about four seconds.
pub(crate) fn patience() -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(Duration::from_millis(300)).with_max_times(3).with_jitter()
}

/// One request, to be shown to the user by `what`.
pub(crate) struct Call<'a> {
    /// As the sentence "cannot …" goes on.
    pub(crate) what: String,
    pub(crate) operation: Operation,
    pub(crate) method: Method,
    /// Path below the API's base address.
    pub(crate) path: String,
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Value>,
    /// The repository whose runs it is about; an App needs another token for them.
    runs_of: Option<&'a Repository>,
    /// Whether a second one does no harm when it is not known what came of the first.
    repeatable: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn get(operation: Operation, what: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            operation,
            method: Method::GET,
            path: path.into(),
            query: &[],
            body: None,
            runs_of: None,
            repeatable: true,
        }
    }

    pub(crate) fn delete(operation: Operation, what: impl Into<String>, path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(operation, what, path) }
    }

    pub(crate) fn post(
        operation: Operation,
        what: impl Into<String>,
        path: impl Into<String>,
        body: Value,
    ) -> Self {
        let body = (!body.is_null()).then_some(body);
        Self { method: Method::POST, body, repeatable: false, ..Self::get(operation, what, path) }
    }

    /// Writes what can be written again.
    pub(crate) fn put(
        operation: Operation,
        what: impl Into<String>,
        path: impl Into<String>,
        body: Value,
    ) -> Self {
        Self { method: Method::PUT, repeatable: true, ..Self::post(operation, what, path, body) }
    }

    /// Changes to what can be changed to again.
    pub(crate) fn patch(
        operation: Operation,
        what: impl Into<String>,
        path: impl Into<String>,
        body: Value,
    ) -> Self {
        Self { method: Method::PATCH, ..Self::put(operation, what, path, body) }
    }

    pub(crate) fn query(mut self, query: &'a [(&'a str, &'a str)]) -> Self {
        self.query = query;
        self
    }

    /// About the runs of this repository.
    pub(crate) fn runs_of(mut self, repository: &'a Repository) -> Self {
        self.runs_of = Some(repository);
        self
    }

    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Whether something new is at GitHub afterwards; a second one would make a second of it.
    pub(crate) const fn creates(&self) -> bool {
        !self.repeatable
    }
}

/// The wire: knows addresses, limits and refusals, not credentials.
#[derive(Debug)]
pub(crate) struct Wire {
    http: reqwest::Client,
    pub(crate) network: Network,
    /// Shared by all that speak with the same token, or as the same installation.
    pub(crate) turns: Arc<RequestTurns>,
    pub(crate) scope: Scope,
    pub(crate) clock: Clock,
}

impl Wire {
    /// Sends a request with this bearer and gives back the body of a success.
    pub(crate) async fn send(
        &self,
        call: &Call<'_>,
        bearer: &SecretString,
        kind: TokenKind,
    ) -> Result<Vec<u8>, Fault> {
        let once = || self.send_once(call, bearer, kind);
        if call.repeatable {
            once.retry(patience()).when(|fault: &Fault| fault.class == Class::Unknown).await
        } else {
            once().await
        }
    }

    async fn send_once(
        &self,
        call: &Call<'_>,
        bearer: &SecretString,
        kind: TokenKind,
    ) -> Result<Vec<u8>, Fault> {
        let _turn = self.turns.take(call).await?;
        let mut request = self
            .http
            .request(call.method.clone(), self.address(&call.path))
            .bearer_auth(bearer.expose_secret())
            .query(call.query);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let broken = |error| transport(&self.network, &call.what, error);
        let answer = request.send().await.map_err(broken)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(self.network.proxy_refuses(answer.url()).into_fault(&call.what, LOOK));
        }
        let body = answer.bytes().await.map_err(broken)?.to_vec();
        tracing::debug!(method = %call.method, path = call.path, status = status.as_u16(), "GitHub answered");
        if status.is_success() {
            return Ok(body);
        }
        let refusal = Refusal::read(status, &headers, &body);
        Err(refusal.into_fault(call.operation, &call.what, kind, self.scope.target(), self.clock.now()))
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.scope.api_url().clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }
}

/// The wire with credentials.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) wire: Wire,
    credentials: Credentials,
    for_runners: Arc<InstallationTokens>,
    for_runs: Mutex<BTreeMap<Repository, Arc<InstallationTokens>>>,
}

impl Client {
    pub(crate) fn new(
        scope: Scope,
        credentials: Credentials,
        clock: Clock,
        network: &Network,
    ) -> Result<Self, Fault> {
        let network = network.clone();
        let wire = Wire { http: http(&network)?, network, turns: Arc::default(), scope, clock };
        let for_runners = Arc::new(InstallationTokens::for_runners());
        Ok(Self { wire, credentials, for_runners, for_runs: Mutex::default() })
    }

    /// The same at another place of the same GitHub. What GitHub counts together, it counts together, too.
    pub(crate) fn at(&self, scope: Scope) -> Self {
        let same_owner = scope.target().is_of_same_owner(self.wire.scope.target());
        let is_token = matches!(self.credentials, Credentials::Token(_));
        let turns = if same_owner || is_token { Arc::clone(&self.wire.turns) } else { Arc::default() };
        let credentials = self.credentials.clone();
        let Wire { http, network, clock, .. } = &self.wire;
        let (http, network, clock) = (http.clone(), network.clone(), clock.clone());
        Self {
            wire: Wire { http, network, turns, scope, clock },
            credentials: if same_owner { credentials } else { credentials.for_another_owner() },
            for_runners: Arc::new(InstallationTokens::for_runners()),
            for_runs: Mutex::default(),
        }
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Sends a request; an answer of 204 is read as `null`.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Fault> {
        let body = self.send(call).await?;
        let body = if body.is_empty() { b"null" } else { body.as_slice() };
        // The decoder's error could quote a secret of the answer, so only its place is told.
        serde_json::from_slice(body).map_err(|error| {
            let why = format!(
                "GitHub's answer is not what its API describes (line {}, column {})",
                error.line(),
                error.column()
            );
            Fault::new(Class::Unknown, &call.what, why)
        })
    }

    /// The App's tokens for this call.
    fn tokens(&self, call: &Call<'_>) -> Arc<InstallationTokens> {
        let Some(repository) = call.runs_of else { return Arc::clone(&self.for_runners) };
        let mut for_runs = self.for_runs.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = for_runs.entry(repository.clone());
        Arc::clone(tokens.or_insert_with(|| Arc::new(InstallationTokens::for_runs_of(repository.clone()))))
    }

    async fn send(&self, call: &Call<'_>) -> Result<Vec<u8>, Fault> {
        let kind = self.credentials.kind();
        let app = match &self.credentials {
            Credentials::Token(token) => return self.wire.send(call, token, kind).await,
            Credentials::App(app) => app,
        };
        let tokens = self.tokens(call);
        let token = tokens.current(&self.wire, app).await?;
        let first = self.wire.send(call, &token, kind).await;
        match first {
            // A refused token was revoked or ended early, and a refused call had no effect: once more with
            // a new one.
            Err(fault) if fault.class == Class::Denied && tokens.forget_refused(&fault).await => {
                let token = tokens.current(&self.wire, app).await?;
                self.wire.send(call, &token, kind).await
            }
            other => other,
        }
    }
}

/// A failure on the way: whether GitHub acted on the request is not known.
pub(crate) fn transport(network: &Network, what: &str, error: reqwest::Error) -> Fault {
    network.trouble("GitHub", error).into_fault(what, LOOK)
}

const LOOK: &str = "check the network, and https://www.githubstatus.com";

/// Whether an answer with this status refuses the token itself.
pub(crate) const fn refuses_token(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED)
}
