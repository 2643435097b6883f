//! Simulated GitHub: REST API, OIDC issuer, workflow runs, hosted and self-hosted runners.
//!
//! It is one loopback server laid out like a GHES: the API at `/api/v3`, the OIDC issuer at the root, the
//! runners' own service ([`crate::protocol`]) at `/_services/runner`, and the service of scale sets at
//! `/_services/actions`, with their queues at `/_services/broker`. Behind it is a state machine that
//! knows neither HTTP nor the clock. Whatever GitHub's OpenAPI description does not allow, it does not
//! answer; whatever the description leaves out (credentials, permissions, limits), it adds.
//!
//! Not simulated: git, webhooks, environments' protection rules.

mod accounts;
mod auth;
mod config;
mod configured;
#[cfg(feature = "contract")]
pub mod contract;
mod entropy;
mod hosted;
mod jit;
mod job;
mod keys;
mod limits;
mod logs;
mod manifests;
mod message;
mod oidc;
mod permissions;
mod reruns;
mod rest;
mod routing;
mod runner_http;
mod runner_service;
mod runners;
mod runs;
mod scale_sets;
mod secondary;
mod server;
mod setup;
mod shared;
mod snapshot;
mod state;
mod tokens;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use accounts::RepositorySpec;
pub use config::{Acquisition, GithubConfig, HostedRunners};
pub use configured::Configured;
pub use keys::KeyError;
pub use oidc::SubjectForm;
pub use permissions::{Level, Permissions};
pub use reruns::{Rerun, RerunError};
pub use runs::{Dispatch, DispatchError};
pub use setup::{AppSpec, SetupError};
pub use snapshot::{JobSnapshot, RunSnapshot, RunnerSnapshot, ScaleSetSnapshot, StepSnapshot};
pub use tokens::TokenKind;

use crate::book::Book;
use crate::events::Bus;
use crate::line;
use crate::protocol::Conclusion;
use crate::workflow::Workflow;
use accounts::Environment;
use config::Urls;
use shared::Shared;
use state::State;

/// A running simulated GitHub. Clones are the same one. Call [`GithubSim::shutdown`] at the end.
#[derive(Clone)]
pub struct GithubSim {
    shared: Arc<Shared>,
    urls: Urls,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl std::fmt::Debug for GithubSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GithubSim").field("server", &self.urls.server).finish_non_exhaustive()
    }
}

impl GithubSim {
    /// Starts the server on a free port of the loopback interface.
    ///
    /// # Errors
    /// No port can be had, or no key for the OIDC issuer could be made.
    pub async fn start(config: GithubConfig, book: Book, bus: Bus) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let urls = Urls { server: format!("http://{}", listener.local_addr()?) };
        let seed = config.seed.unwrap_or_else(rand::random);
        let (tick, hosted_settings) = (config.tick, config.hosted.clone());
        let state = State::new(config, urls.clone(), seed).map_err(io::Error::other)?;
        let (hosted, hosted_jobs) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(state, hosted, book, bus));

        let router = Router::new().fallback(server::serve).with_state(Arc::clone(&shared));
        let stop = shared.stop.clone();
        let server = async move {
            if let Err(error) = line::serve(listener, router, stop).await {
                tracing::error!(%error, "the simulated GitHub stopped serving");
            }
        };
        let ticking = Arc::clone(&shared);
        let ticker = async move {
            let mut interval = tokio::time::interval(tick);
            while ticking.stop.run_until_cancelled(interval.tick()).await.is_some() {
                ticking.with(State::tick);
            }
        };
        let tasks = vec![
            tokio::spawn(server),
            tokio::spawn(ticker),
            tokio::spawn(hosted::serve(Arc::clone(&shared), hosted_jobs, hosted_settings)),
        ];
        Ok(Self { shared, urls, tasks: Arc::new(Mutex::new(tasks)) })
    }

    /// `http://127.0.0.1:PORT`, as in `GITHUB_SERVER_URL`.
    pub fn server_url(&self) -> String {
        self.urls.server.clone()
    }

    /// Base of the REST API, as in `GITHUB_API_URL`.
    pub fn api_url(&self) -> String {
        self.urls.api()
    }

    /// The issuer of the OIDC tokens.
    pub fn issuer(&self) -> String {
        self.urls.server.clone()
    }

    /// Adds a user. Returns its id.
    pub fn add_user(&self, login: &str) -> Result<u64, SetupError> {
        self.shared.with(|state, _| state.add_account(login, None))
    }

    /// Adds an organisation with these users as owners. Returns its id.
    pub fn add_organization(&self, login: &str, owners: &[&str]) -> Result<u64, SetupError> {
        let owners = owners.iter().map(|&owner| owner.to_owned()).collect();
        self.shared.with(|state, _| state.add_account(login, Some(owners)))
    }

    /// Adds a repository to an account. Returns its id.
    pub fn add_repository(&self, spec: RepositorySpec) -> Result<u64, SetupError> {
        self.shared.with(|state, now| state.add_repository(spec, now))
    }

    /// Adds an environment to a repository, or replaces it. Its variables and secrets win over the
    /// repository's.
    pub fn add_environment(
        &self,
        repository: &str,
        name: &str,
        vars: BTreeMap<String, String>,
        secrets: BTreeMap<String, String>,
    ) -> Result<(), SetupError> {
        self.shared.with(|state, _| state.add_environment(repository, name, Environment { vars, secrets }))
    }

    /// Adds a runner group to an organisation, for all of its repositories or for some (full names).
    /// Returns its id.
    pub fn add_runner_group(
        &self,
        organization: &str,
        name: &str,
        repositories: Option<&[&str]>,
    ) -> Result<u64, SetupError> {
        self.shared.with(|state, _| state.add_runner_group(organization, name, repositories))
    }

    /// Adds a self-hosted runner to a repository that is offline and stays so: one of many that were there
    /// before. It counts towards no limit. Returns its id.
    pub fn add_runner(&self, repository: &str, name: &str, labels: &[&str]) -> Result<u64, SetupError> {
        self.shared.with(|state, now| state.add_runner(repository, name, labels, now))
    }

    /// Registers a runner of a scale set, one of many that were there before: it counts towards no limit.
    /// Returns its JIT configuration.
    pub fn add_scale_set_runner(&self, scale_set: u64, name: &str) -> Result<String, SetupError> {
        self.shared.with(|state, now| state.add_scale_set_runner(scale_set, name, now))
    }

    /// Adds a personal access token of a user. Returns the token.
    pub fn add_token(&self, user: &str, kind: TokenKind) -> Result<String, SetupError> {
        self.shared.with(|state, _| state.add_token(user, kind))
    }

    /// Adds a GitHub App. Where it brings no key, returns the private half of the one made for it, PEM.
    pub fn add_app(&self, spec: AppSpec) -> Result<Option<String>, SetupError> {
        self.shared.with(|state, now| state.add_app(spec, now))
    }

    /// Installs an App on an account, for all of its repositories or for some (full names), with all of the
    /// App's permissions or some. Returns the installation's id.
    pub fn install_app(
        &self,
        app_id: u64,
        account: &str,
        repositories: Option<&[&str]>,
        permissions: Option<Permissions>,
    ) -> Result<u64, SetupError> {
        self.shared.with(|state, now| state.install_app(app_id, account, repositories, permissions, now))
    }

    /// Starts a run of a workflow. Returns the run's id.
    ///
    /// # Errors
    /// Repository or actor are unknown, the workflow is refused, or the inputs do not fit it.
    pub fn dispatch(&self, dispatch: &Dispatch) -> Result<u64, DispatchError> {
        let (files, published) = self
            .shared
            .with(|state, _| {
                let repository = state.accounts.by_full_name(&dispatch.repository)?;
                Some((repository.files.clone(), state.config.published.clone()))
            })
            .ok_or_else(|| DispatchError::UnknownRepository(dispatch.repository.clone()))?;
        let workflow = Arc::new(Workflow::load(Path::new(&dispatch.workflow), &files, &published)?);
        self.shared.with(|state, now| state.dispatch(dispatch, workflow, now))
    }

    /// Waits for the end of a run. Nothing: there is no such run, or the simulator stopped.
    pub async fn wait_run(&self, run_id: u64) -> Option<Conclusion> {
        let mut changes = self.shared.changes();
        loop {
            changes.borrow_and_update();
            let conclusion = self.shared.with(|state, _| state.runs.run(run_id).map(|run| run.conclusion))?;
            if conclusion.is_some() {
                return conclusion;
            }
            self.shared.stop.run_until_cancelled(changes.changed()).await?.ok()?;
        }
    }

    /// Cancels a run. False: it is over, or there is none.
    pub fn cancel_run(&self, run_id: u64) -> bool {
        self.shared.with(|state, now| state.cancel_run(run_id, now))
    }

    /// Runs jobs of a run that is over once more, as a button on its page would.
    ///
    /// # Errors
    /// The run goes on, is too old, has nothing to be run again, or there is none; the actor is unknown.
    pub fn rerun(&self, run_id: u64, which: Rerun, actor: &str) -> Result<(), RerunError> {
        self.shared.with(|state, now| {
            let account = state.accounts.account(actor).ok_or(RerunError::NotFound)?;
            let (login, id) = (account.login.clone(), account.id);
            state.rerun(run_id, which, (&login, id), now)
        })
    }

    /// A run and its jobs as they are now.
    pub fn run(&self, run_id: u64) -> Option<RunSnapshot> {
        self.shared.with(|state, _| state.runs.run(run_id).map(|run| state.run_snapshot(run)))
    }

    /// All runs, the oldest first.
    pub fn runs(&self) -> Vec<RunSnapshot> {
        self.shared.with(|state, _| state.runs.all().map(|run| state.run_snapshot(run)).collect())
    }

    /// All registered runners, the oldest first.
    pub fn runners(&self) -> Vec<RunnerSnapshot> {
        self.shared.with(|state, _| state.runner_snapshots())
    }

    /// All scale sets, the oldest first.
    pub fn scale_sets(&self) -> Vec<ScaleSetSnapshot> {
        self.shared.with(|state, _| state.scale_set_snapshots())
    }

    /// Removes a scale set, as GitHub does with one that was idle for a week, and has done in an incident.
    /// False: there is none.
    pub fn delete_scale_set(&self, id: u64) -> bool {
        self.shared.with(|state, now| state.remove_scale_set(id, now))
    }

    /// Ends the session of a scale set, as GitHub does when nobody polls. False: it has none.
    pub fn end_session(&self, scale_set: u64) -> bool {
        self.shared.with(|state, _| state.end_session(scale_set))
    }

    /// The lines of a job's log so far, masked by its runner.
    pub fn job_log(&self, job_id: u64) -> Option<Vec<String>> {
        self.shared.with(|state, _| {
            let job = state.runs.job(job_id)?;
            Some(job.log.iter().map(|entry| entry.line.clone()).collect())
        })
    }

    /// Variables and secrets of a repository, of one of its environments, or of an organisation; absent: there is
    /// no such thing.
    pub fn configured(&self, target: &str, environment: Option<&str>) -> Option<Configured> {
        self.shared.with(|state, _| Configured::of(&state.accounts, target, environment))
    }

    /// The private half of the key that secrets are sealed for, in base64: for the question what a client has
    /// sealed.
    pub fn sealing_key(&self) -> String {
        self.shared.with(|state, _| STANDARD.encode(state.sealing_key.to_bytes()))
    }

    /// Every secret that was handed out so far: tokens, credentials of runners, JIT configurations. For the
    /// question whether one of them shows where it should not.
    pub fn secrets(&self) -> Vec<String> {
        self.shared.with(|state, _| state.handed_out())
    }

    /// Removes a runner's registration, busy or not, as an incident at GitHub would. False: there is none.
    pub fn delete_runner(&self, runner_id: u64) -> bool {
        self.shared.with(|state, now| state.remove_runner(runner_id, now))
    }

    /// Stops serving, ends hosted jobs, and waits until all is quiet.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the simulated GitHub broke down");
            }
        }
    }
}
