//! What all steps of a job share: folders, environment, path, masks, and how the job stands.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::log::JobLog;
use super::{HostOptions, files, orphans};
use crate::protocol::JobMessage;
use crate::workflow::Published;
use crate::workflow::expression::Status;

/// Where Linux looks for programs if nobody says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The machine as one job sees it.
pub(crate) struct Machine {
    pub(crate) workspace: PathBuf,
    pub(crate) temp: PathBuf,
    pub(crate) repository: PathBuf,
    pub(crate) published: Published,
    /// Where actions of other repositories are put.
    pub(crate) actions: PathBuf,
    pub(crate) log: JobLog,
    /// Fires when the job is cancelled or has run too long.
    pub(crate) stop: CancellationToken,
    /// Fires when a cancelled job has had its time to clean up.
    pub(crate) force: CancellationToken,
    /// The job is cancelled: steps that began before have been interrupted.
    pub(crate) cancelled: bool,
    pub(crate) default_shell: Option<String>,
    pub(crate) default_working_directory: Option<String>,
    pub(crate) summary: String,
    /// Host, server and runner, under everything the job says.
    base: BTreeMap<String, String>,
    /// What steps cannot change.
    fixed: BTreeMap<String, String>,
    /// `env` of workflow and job, then what steps wrote to `$GITHUB_ENV`: the `env` context.
    pub(crate) env: BTreeMap<String, String>,
    /// What steps wrote to `$GITHUB_PATH`, the latest first, then the host's.
    path: Vec<PathBuf>,
    runner: Value,
    files: u32,
}

impl Machine {
    /// Makes the folders, and gathers what is known before the first step.
    pub(crate) fn prepare(
        job: &JobMessage,
        host: &HostOptions,
        log: JobLog,
        mark: &str,
        tokens: (CancellationToken, CancellationToken),
    ) -> io::Result<Self> {
        let work = std::path::absolute(&host.work)?;
        let name = repository_name(&job.contexts);
        let workspace = work.join(&name).join(&name);
        let (temp, tools) = (work.join("_temp"), work.join("_tool"));
        for folder in [&temp, &work.join("_actions")] {
            if folder.exists() {
                std::fs::remove_dir_all(folder)?;
            }
        }
        for folder in [&workspace, &temp, &tools] {
            std::fs::create_dir_all(folder)?;
        }
        let event =
            job.contexts.get("github").and_then(|github| github.get("event")).cloned().unwrap_or_default();
        let event = files::write_event(&temp, &event)?;
        let kind = if host.github_hosted { "github-hosted" } else { "self-hosted" };
        let show = |path: &Path| path.display().to_string();
        let fixed = [
            ("GITHUB_WORKSPACE", show(&workspace)),
            ("GITHUB_EVENT_PATH", show(&event)),
            ("RUNNER_WORKSPACE", show(&work.join(&name))),
            ("RUNNER_TEMP", show(&temp)),
            ("RUNNER_TOOL_CACHE", show(&tools)),
            ("RUNNER_OS", OS.to_owned()),
            ("RUNNER_ARCH", arch().to_owned()),
            ("RUNNER_NAME", host.runner_name.clone()),
            ("RUNNER_ENVIRONMENT", kind.to_owned()),
            (orphans::VARIABLE, mark.to_owned()),
        ];
        let mut fixed: BTreeMap<_, _> =
            fixed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        fixed.extend(job.environment.clone());
        Ok(Self {
            runner: json!({
                "name": host.runner_name, "os": OS, "arch": arch(), "temp": show(&temp), "tool_cache": show(&tools),
                "environment": kind, "workspace": show(&work.join(&name)),
            }),
            workspace,
            temp,
            repository: job.repository.clone(),
            published: job.published.clone(),
            actions: work.join("_actions"),
            log,
            stop: tokens.0,
            force: tokens.1,
            cancelled: false,
            default_shell: job.body.default_shell.clone(),
            default_working_directory: job.body.default_working_directory.clone(),
            summary: String::new(),
            base: host.environment.clone(),
            fixed,
            env: BTreeMap::new(),
            path: host.path_prepend.clone(),
            files: 0,
        })
    }

    /// The `github` context of a job, with what only its runner knows.
    pub(crate) fn complete_github(&self, contexts: &mut Map<String, Value>) {
        let github = contexts.entry("github").or_insert_with(|| Map::new().into());
        if let Some(github) = github.as_object_mut() {
            github.insert("workspace".to_owned(), self.workspace.display().to_string().into());
            let event = self.fixed.get("GITHUB_EVENT_PATH").cloned().unwrap_or_default();
            github.insert("event_path".to_owned(), event.into());
        }
    }

    /// Adds `env`, `job` and `runner` to the contexts of a step.
    pub(crate) fn complete_contexts(
        &self,
        contexts: &mut Map<String, Value>,
        env: &BTreeMap<String, String>,
        status: Status,
    ) {
        contexts.insert("env".to_owned(), json!(env));
        contexts.insert("job".to_owned(), json!({"status": status_name(status)}));
        contexts.insert("runner".to_owned(), self.runner.clone());
    }

    /// The whole environment of a process. `env` is the step's `env` context, `more` comes last.
    pub(crate) fn environment(
        &self,
        env: &BTreeMap<String, String>,
        more: impl IntoIterator<Item = (String, String)>,
    ) -> BTreeMap<String, String> {
        let mut all = self.base.clone();
        all.extend(env.clone());
        let inherited = all.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        let path: Vec<_> = self.path.iter().cloned().chain(std::env::split_paths(inherited)).collect();
        // A folder with a colon in it cannot be in a path; it is left out as a shell would.
        let joined =
            std::env::join_paths(path.iter().filter(|folder| !folder.to_string_lossy().contains(':')));
        let joined = joined.map_or_else(|_| inherited.to_owned(), |path| path.to_string_lossy().into_owned());
        all.insert("PATH".to_owned(), joined);
        all.extend(self.fixed.clone());
        all.extend(more);
        all
    }

    /// Keeps what a step wrote to `$GITHUB_ENV`, `$GITHUB_PATH` and `$GITHUB_STEP_SUMMARY`.
    pub(crate) fn keep(&mut self, env: Vec<(String, String)>, path: Vec<PathBuf>, summary: &str) {
        self.env.extend(env);
        for folder in path {
            self.path.insert(0, folder);
        }
        if !summary.is_empty() {
            self.summary.push_str(&self.log.masks().apply(summary));
            if !self.summary.ends_with('\n') {
                self.summary.push('\n');
            }
        }
    }

    /// A fresh folder for a step's files.
    pub(crate) fn files_folder(&mut self) -> PathBuf {
        self.files += 1;
        self.temp.join("_runner_file_commands").join(self.files.to_string())
    }

    /// Notices a cancellation. Steps that begin from now on are stopped by [`Machine::force`] only.
    pub(crate) fn notice_cancellation(&mut self) -> bool {
        self.cancelled |= self.stop.is_cancelled();
        self.cancelled
    }

    /// What stops a process that begins now.
    pub(crate) fn token(&self) -> CancellationToken {
        if self.cancelled { self.force.clone() } else { self.stop.clone() }
    }
}

const OS: &str = if cfg!(target_os = "macos") { "macOS" } else { "Linux" };

/// `X64` or `ARM64`, as `runner.arch` has it.
pub(crate) fn arch() -> &'static str {
    if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }
}

pub(crate) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Success => "success",
        Status::Failure => "failure",
        Status::Cancelled => "cancelled",
        Status::Skipped => "skipped",
    }
}

/// The repository's name without its owner: the name of the folders.
fn repository_name(contexts: &Map<String, Value>) -> String {
    let full = contexts.get("github").and_then(|github| github.get("repository")).and_then(Value::as_str);
    full.and_then(|full| full.rsplit('/').next())
        .filter(|name| !name.is_empty() && *name != "." && *name != "..")
        .unwrap_or("repository")
        .to_owned()
}
