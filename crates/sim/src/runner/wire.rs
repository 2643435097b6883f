//! The runner's side of [`crate::protocol`].

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Reporter;
use super::config::JitConfig;
use crate::protocol::{Completion, JobMessage, LogLines, Renewal, Session, SessionRequest, StepUpdate};

/// Longer than the server's long poll.
const TIMEOUT: Duration = Duration::from_secs(100);
/// How often a report is tried before it is given up.
const ATTEMPTS: u32 = 5;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// The service, with this runner's credential.
#[derive(Clone)]
pub(crate) struct Service {
    client: Client,
    base: String,
    token: String,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the credential is not known")]
    Unauthorized,
    #[error("the version is deprecated")]
    Deprecated,
    #[error("the registration has been deleted")]
    Deleted,
    #[error("A session for this runner already exists.")]
    Conflict,
    #[error("{0}")]
    Unreachable(String),
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PollError {
    #[error("the registration has been deleted")]
    Deleted,
    #[error("{0}")]
    Unreachable(String),
}

/// What came of a sign of life.
pub(crate) enum Alive {
    /// The job goes on, or is to be cancelled.
    Yes { cancel: bool },
    /// The server no longer counts on this runner for the job.
    Abandoned,
    /// No answer; try again.
    Unknown,
}

impl Service {
    pub(crate) fn new(config: &JitConfig) -> Result<Self, String> {
        // The service is on this machine: a proxy is for others.
        let client =
            Client::builder().no_proxy().timeout(TIMEOUT).build().map_err(|error| error.to_string())?;
        let base = config.settings.server_url.trim_end_matches('/').to_owned();
        Ok(Self { client, base, token: config.credentials.token.clone() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub(crate) async fn open(&self, request: &SessionRequest) -> Result<Session, SessionError> {
        let unreachable = |error: reqwest::Error| SessionError::Unreachable(chain(&error));
        let answer =
            self.request(Method::POST, "/sessions").json(request).send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => answer.json().await.map_err(unreachable),
            StatusCode::UNAUTHORIZED => Err(SessionError::Unauthorized),
            StatusCode::FORBIDDEN => Err(SessionError::Deprecated),
            StatusCode::NOT_FOUND => Err(SessionError::Deleted),
            StatusCode::CONFLICT => Err(SessionError::Conflict),
            status => Err(SessionError::Unreachable(format!("the server answered {status}"))),
        }
    }

    /// One long poll.
    pub(crate) async fn poll(&self, session: &Session) -> Result<Option<JobMessage>, PollError> {
        let unreachable = |error: reqwest::Error| PollError::Unreachable(chain(&error));
        let path = format!("/sessions/{}/message", session.session_id);
        let answer = self.request(Method::GET, &path).send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => answer.json().await.map(Some).map_err(unreachable),
            StatusCode::ACCEPTED => Ok(None),
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED => Err(PollError::Deleted),
            status => Err(PollError::Unreachable(format!("the server answered {status}"))),
        }
    }

    /// Closes the session; an error is of no consequence, the server notices by itself.
    pub(crate) async fn close(&self, session: &Session) {
        let path = format!("/sessions/{}", session.session_id);
        if let Err(error) = self.request(Method::DELETE, &path).timeout(Duration::from_secs(5)).send().await {
            tracing::debug!(error = chain(&error), "the session was not closed");
        }
    }

    /// Tells that the job begins; whether it is still this runner's.
    pub(crate) async fn start(&self, job: u64) -> Result<bool, String> {
        match self.deliver(&format!("/jobs/{job}/start"), &()).await? {
            StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::GONE => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(format!("the server answered {status}")),
        }
    }

    pub(crate) async fn renew(&self, job: u64) -> Alive {
        match self.request(Method::POST, &format!("/jobs/{job}/renew")).send().await {
            Ok(answer) if answer.status() == StatusCode::OK => match answer.json::<Renewal>().await {
                Ok(renewal) => Alive::Yes { cancel: renewal.cancel },
                Err(_) => Alive::Unknown,
            },
            Ok(answer) if answer.status().is_client_error() => Alive::Abandoned,
            _ => Alive::Unknown,
        }
    }

    pub(crate) async fn complete(&self, job: u64, completion: &Completion) -> Result<(), String> {
        match self.deliver(&format!("/jobs/{job}/complete"), completion).await? {
            status if status.is_success() => Ok(()),
            status => Err(format!("the server answered {status}")),
        }
    }

    /// Posts until the server takes or refuses it.
    async fn deliver(&self, path: &str, body: &impl Serialize) -> Result<StatusCode, String> {
        let mut last = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            match self.request(Method::POST, path).json(body).send().await {
                Ok(answer) if answer.status().is_server_error() => {
                    last = format!("the server answered {}", answer.status());
                }
                Ok(answer) => return Ok(answer.status()),
                Err(error) => last = chain(&error),
            }
        }
        Err(last)
    }
}

/// An error with its causes; without the address, which says nothing to a reader.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Reports over HTTP, in order, without making the job wait.
pub(crate) struct HttpReporter(mpsc::UnboundedSender<Report>);

enum Report {
    Log(LogLines),
    Step(StepUpdate),
}

impl HttpReporter {
    /// The task ends when the reporter is dropped and everything is told.
    pub(crate) fn start(service: Service, job: u64) -> (Self, JoinHandle<()>) {
        let (sender, mut reports) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut batch = Vec::new();
            while reports.recv_many(&mut batch, 1000).await > 0 {
                for report in merged(batch.drain(..)) {
                    let told = match &report {
                        Report::Log(lines) => service.deliver(&format!("/jobs/{job}/log"), lines).await,
                        Report::Step(update) => service.deliver(&format!("/jobs/{job}/steps"), update).await,
                    };
                    match told {
                        Ok(status) if status.is_success() => {}
                        Ok(status) => tracing::warn!(job, %status, "a report of the job was refused"),
                        Err(error) => tracing::warn!(job, error, "a report of the job was lost"),
                    }
                }
            }
        });
        (Self(sender), task)
    }

    fn send(&self, report: Report) {
        // The task lives as long as this sender; it is gone only when the runtime is.
        let _ = self.0.send(report);
    }
}

impl Reporter for HttpReporter {
    fn log(&self, lines: LogLines) {
        self.send(Report::Log(lines));
    }

    fn step(&self, update: StepUpdate) {
        self.send(Report::Step(update));
    }
}

/// Joins neighbouring lines of the same step into one report.
fn merged(reports: impl Iterator<Item = Report>) -> Vec<Report> {
    let mut merged: Vec<Report> = Vec::new();
    for report in reports {
        match (merged.last_mut(), report) {
            (Some(Report::Log(before)), Report::Log(lines)) if before.step == lines.step => {
                before.lines.extend(lines.lines);
            }
            (_, report) => merged.push(report),
        }
    }
    merged
}
