//! The simulated GitHub: jobs come from workflow runs, and runners connect.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;
use fleetfoot_sim::faults::Faults;
use fleetfoot_sim::github::{Acquisition, Dispatch, GithubConfig, GithubSim, RepositorySpec, TokenKind};
use reqwest::Method;
use scaleset::{Client, Credentials, RetryPolicy, ScaleSetId};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::story::Stage;

const WORKFLOW: &str = ".github/workflows/ci.yml";

pub(crate) struct Simulated {
    github: GithubSim,
    faults: Faults,
    token: String,
    /// The runs, each with one job.
    runs: Mutex<Vec<u64>>,
    /// The credentials of the runners.
    runners: Mutex<HashMap<String, String>>,
    http: reqwest::Client,
    _files: TempDir,
}

impl Simulated {
    pub(crate) async fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let workflow = files.path().join(WORKFLOW);
        std::fs::create_dir_all(workflow.parent().unwrap()).unwrap();
        let text = "on: push\njobs: { build: { runs-on: linux, steps: [{ run: 'true' }] } }\n";
        std::fs::write(workflow, text).unwrap();
        let faults = Faults::default();
        let config = GithubConfig {
            acquisition: Acquisition::ByClient,
            poll_timeout: Duration::from_millis(100),
            faults: faults.clone(),
            ..GithubConfig::new(files.path())
        };
        let github = GithubSim::start(config, Book::default(), Bus::default()).await.unwrap();
        github.add_user("mona").unwrap();
        github.add_organization("org", &["mona"]).unwrap();
        github.add_repository(RepositorySpec::new("org/repo", files.path())).unwrap();
        let scopes = vec!["repo".into(), "admin:org".into()];
        let token = github.add_token("mona", TokenKind::Classic { scopes }).unwrap();
        let (runs, runners, http) = (Mutex::default(), Mutex::default(), reqwest::Client::new());
        Self { github, faults, token, runs, runners, http, _files: files }
    }

    /// Ends the world; what was to end before its time must have been asked for.
    pub(crate) async fn end(&self) {
        let fired: Vec<String> = self.faults.fired().iter().map(|fired| fired.fault.to_string()).collect();
        assert_eq!(fired, ["service-token-ends", "service-token-ends:admin"]);
        self.github.shutdown().await;
    }

    fn client_with(&self, token: &str) -> Client {
        let credentials = Credentials::personal_access_token(token).unwrap();
        let builder = Client::builder(format!("{}/org", self.github.server_url()), credentials);
        builder.allow_http(true).retry_policy(RetryPolicy::none()).build().unwrap()
    }

    fn job(&self, number: usize) -> u64 {
        let run = self.runs.lock().unwrap()[number];
        self.github.run(run).unwrap().jobs[0].id
    }

    /// A call of a runner to the service of runners.
    async fn as_runner(&self, runner: &str, path: &str, body: &Value) {
        let token = self.runners.lock().unwrap()[runner].clone();
        let url = format!("{}/_services/runner/{path}", self.github.server_url());
        let answer = self.http.request(Method::POST, url).bearer_auth(token).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
}

impl Stage for Simulated {
    fn client(&self) -> Client {
        self.client_with(&self.token)
    }

    fn stranger(&self) -> Client {
        self.client_with("ghp_stranger")
    }

    async fn queue(&self, _set: ScaleSetId) {
        let dispatch = Dispatch { event: "push".into(), ..Dispatch::new("org/repo", WORKFLOW, "mona") };
        let run = self.github.dispatch(&dispatch).unwrap();
        self.runs.lock().unwrap().push(run);
    }

    async fn connect(&self, runner: &str, jit_config: &str) {
        let files: Value = serde_json::from_slice(&STANDARD.decode(jit_config).unwrap()).unwrap();
        let file = STANDARD.decode(files[".credentials"].as_str().unwrap()).unwrap();
        let credentials: Value = serde_json::from_slice(&file).unwrap();
        let token = credentials["token"].as_str().unwrap().to_owned();
        self.runners.lock().unwrap().insert(runner.to_owned(), token);
        let session = json!({ "version": "2.336.0", "os": "linux", "arch": "X64" });
        self.as_runner(runner, "sessions", &session).await;
    }

    async fn start(&self, job: usize, runner: &str) {
        self.as_runner(runner, &format!("jobs/{}/start", self.job(job)), &json!({})).await;
    }

    async fn fail(&self, job: usize, runner: &str) {
        let completion = json!({ "conclusion": "failure", "outputs": {} });
        self.as_runner(runner, &format!("jobs/{}/complete", self.job(job)), &completion).await;
    }

    async fn cancel(&self, job: usize) {
        let run = self.runs.lock().unwrap()[job];
        assert!(self.github.cancel_run(run));
    }

    async fn end_queue_token(&self, _set: ScaleSetId) {
        self.faults.inject("service-token-ends".parse().unwrap());
    }

    async fn end_admin_tokens(&self) {
        self.faults.inject("service-token-ends:admin".parse().unwrap());
    }

    async fn end_session(&self, set: ScaleSetId) {
        assert!(self.github.end_session(u64::try_from(set.get()).unwrap()));
    }
}
