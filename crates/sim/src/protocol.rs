//! What the simulated GitHub and the stand-in runner say to each other.
//!
//! GitHub's own broker protocol is private and changes; this is a small service of our own with the
//! same observable behaviour: a runner is online while it holds a session, a job is assigned by a long
//! poll, a deleted registration ends the session, a single-use runner is removed after its job.
//! All routes are below `{server_url}` of the runner's settings and want `Authorization: Bearer
//! <credential>` from its `.credentials`.
//!
//! | call | body → answer |
//! |---|---|
//! | `POST /sessions` | [`SessionRequest`] → 200 [`Session`]; 401 unknown credential; 403 version deprecated; 404 registration deleted; 409 somebody else holds the session |
//! | `GET /sessions/{id}/message` | long poll → 200 [`JobMessage`]; 202 nothing yet; 404 registration deleted |
//! | `POST /jobs/{id}/start` | → 204; the runner is busy from here on |
//! | `POST /jobs/{id}/log` | [`LogLines`] → 204 |
//! | `POST /jobs/{id}/steps` | [`StepUpdate`] → 204 |
//! | `POST /jobs/{id}/renew` | → 200 [`Renewal`]; asked every second or so |
//! | `POST /jobs/{id}/complete` | [`Completion`] → 204 |
//! | `DELETE /sessions/{id}` | → 204; the runner is offline |

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::workflow::{JobBody, Published};

/// The file `.runner` of a JIT configuration, cut to what the stand-in reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunnerSettings {
    /// The runner's id, as the REST API shows it.
    pub agent_id: u64,
    /// The runner's name.
    pub agent_name: String,
    /// Base address of this service for this runner, without a trailing slash.
    pub server_url: String,
    /// Folder for jobs, relative to the runner's root.
    pub work_folder: String,
    /// Whether the runner is removed after one job; JIT runners always are.
    pub ephemeral: bool,
}

/// The file `.credentials` of a JIT configuration.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunnerCredentials {
    /// Always `OAuth`.
    pub scheme: String,
    /// The bearer credential of this registration.
    pub token: String,
}

/// Opens a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionRequest {
    /// Version of the runner software, `2.336.0`.
    pub version: String,
    /// `linux`.
    pub os: String,
    /// `X64` or `ARM64`.
    pub arch: String,
}

/// An open session: the runner is online.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// To be named in the later calls.
    pub session_id: String,
}

/// A job for this runner.
#[derive(Clone, Serialize, Deserialize)]
pub struct JobMessage {
    /// The job's id, as in the REST API.
    pub job_id: u64,
    /// The run's id.
    pub run_id: u64,
    /// Display name, matrix values included: untrusted text.
    pub name: String,
    /// What to do.
    pub body: JobBody,
    /// The contexts that the server knows: `github`, `needs`, `strategy`, `matrix`, `inputs`, `vars`, `secrets`.
    pub contexts: Map<String, Value>,
    /// Environment of every step that the server sets: `CI`, `GITHUB_*` that are no paths, `RUNNER_NAME`,
    /// and `ACTIONS_ID_TOKEN_REQUEST_URL`/`_TOKEN` if the job may have an OIDC token.
    pub environment: BTreeMap<String, String>,
    /// Values to mask in every log line: secrets and tokens.
    pub masks: Vec<String>,
    /// The simulated repository's files on this machine; `actions/checkout` copies them.
    pub repository: PathBuf,
    /// Repositories whose actions its steps may use.
    #[serde(default)]
    pub published: Published,
}

/// Log lines of a job, masked by the runner.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogLines {
    /// Number of the step they belong to, from 1; 0 for the job itself.
    pub step: u32,
    /// The lines, without line ends.
    pub lines: Vec<String>,
}

/// A step began or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUpdate {
    /// Number of the step, from 1.
    pub number: u32,
    /// Display name.
    pub name: String,
    /// The result, once it has one.
    pub conclusion: Option<Conclusion>,
}

/// The server's answer to a running job's sign of life.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Renewal {
    /// The run was cancelled: interrupt the step, run what has `always()` or `cancelled()`, complete.
    pub cancel: bool,
}

/// The job is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Completion {
    /// The job's result.
    pub conclusion: Conclusion,
    /// Its outputs; those that hold a masked value were dropped by the runner.
    pub outputs: BTreeMap<String, String>,
    /// Error annotations (`::error::`), for the run's report.
    #[serde(default)]
    pub annotations: Vec<Annotation>,
    /// What the steps wrote to `$GITHUB_STEP_SUMMARY`, joined.
    #[serde(default)]
    pub summary: String,
}

/// What `::error::`, `::warning::` or `::notice::` said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// `error`, `warning` or `notice`.
    pub level: String,
    /// The `title` property, if any.
    pub title: Option<String>,
    /// The message.
    pub message: String,
}

/// How a step, a job or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// It did what it should.
    Success,
    /// It failed.
    Failure,
    /// Somebody cancelled it.
    Cancelled,
    /// Its condition was false.
    Skipped,
}
