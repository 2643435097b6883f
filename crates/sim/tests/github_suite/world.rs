//! A small furnished GitHub, and a client that says what it means.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleetfoot_sim::book::Book;
use fleetfoot_sim::contract;
use fleetfoot_sim::events::Bus;
use fleetfoot_sim::github::{
    AppSpec, GithubConfig, GithubSim, Level, Permissions, RepositorySpec, TokenKind,
};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const RUNNERS: &str = "/repos/octo/demo/actions/runners";

/// The user `mona` owns the organisation `octo` with the private repository `demo` and the public one `open`;
/// the user `eve` owns nothing. The repository `actions/runner` has a release.
pub(crate) struct World {
    pub(crate) sim: GithubSim,
    pub(crate) book: Book,
    pub(crate) bus: Bus,
    /// May do everything in `octo`.
    pub(crate) admin: String,
    client: Client,
    pub(crate) folder: TempDir,
}

pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut GithubConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = GithubConfig::new(folder.path().join("hosted"));
        config.poll_timeout = Duration::from_millis(200);
        config.tick = Duration::from_millis(20);
        config.seed = Some(42);
        config.hosted.env.insert("PATH".into(), std::env::var("PATH").unwrap());
        adjust(&mut config);
        let (book, bus) = (Book::default(), Bus::default());
        let sim = GithubSim::start(config, book.clone(), bus.clone()).await.unwrap();
        for login in ["mona", "eve"] {
            sim.add_user(login).unwrap();
        }
        sim.add_organization("octo", &["mona"]).unwrap();
        sim.add_organization("actions", &[]).unwrap();
        let files = folder.path().join("demo");
        std::fs::create_dir_all(files.join(".github/workflows")).unwrap();
        let mut demo = RepositorySpec::new("octo/demo", &files);
        demo.secrets.insert("DEPLOY_KEY".into(), "s3cr3t-value".into());
        sim.add_repository(demo).unwrap();
        for public in ["octo/open", "actions/runner"] {
            sim.add_repository(RepositorySpec { private: false, ..RepositorySpec::new(public, &files) })
                .unwrap();
        }
        let scopes = vec!["repo".into(), "admin:org".into()];
        let admin = sim.add_token("mona", TokenKind::Classic { scopes }).unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { sim, book, bus, admin, client, folder }
    }

    pub(crate) fn classic(&self, user: &str, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        self.sim.add_token(user, TokenKind::Classic { scopes }).unwrap()
    }

    pub(crate) fn fine_grained(&self, permissions: &[(&str, Level)]) -> String {
        let permissions = permissions_of(permissions);
        let kind = TokenKind::FineGrained { resource_owner: "octo".into(), repositories: None, permissions };
        self.sim.add_token("mona", kind).unwrap()
    }

    /// An App of `octo` with a key; returns the private half.
    pub(crate) fn app(&self, permissions: &[(&str, Level)]) -> String {
        let spec = AppSpec {
            owner: "octo".into(),
            app_id: 12,
            client_id: "Iv23liTESTTESTTEST00".into(),
            permissions: permissions_of(permissions),
            public_key: None,
        };
        self.sim.add_app(spec).unwrap().unwrap()
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Got {
        self.call(Method::GET, token, path, None, &[]).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Got {
        self.call(Method::POST, token, path, Some(body), &[]).await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        token: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Got {
        let url = format!("{}{path}", self.sim.api_url());
        let mut request = self.client.request(method, url).header("User-Agent", "suite");
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        got(request).await
    }

    /// Calls any address of the server, outside the API.
    pub(crate) async fn raw(&self, method: Method, url: &str, bearer: &str, body: Option<Value>) -> Got {
        let mut request = self.client.request(method, url).bearer_auth(bearer);
        if let Some(body) = body {
            request = request.json(&body);
        }
        got(request).await
    }

    /// A request without the headers that every client should send.
    pub(crate) async fn bare(&self, path: &str) -> Got {
        got(self.client.get(format!("{}{path}", self.sim.api_url()))).await
    }

    /// Registers a runner in `octo/demo`; returns its id and configuration.
    pub(crate) async fn register(&self, name: &str, labels: &[&str]) -> (u64, String) {
        let body = json!({ "name": name, "runner_group_id": 1, "labels": labels });
        let got = self.post(&self.admin, &format!("{RUNNERS}/generate-jitconfig"), body).await;
        assert_eq!(got.status, 201, "{}", got.body);
        let id = got.body["runner"]["id"].as_u64().unwrap();
        (id, got.body["encoded_jit_config"].as_str().unwrap().to_owned())
    }

    /// Writes a workflow of `octo/demo`; returns its path in the repository.
    pub(crate) fn workflow(&self, text: &str) -> String {
        let path = PathBuf::from(".github/workflows/test.yml");
        std::fs::write(self.folder.path().join("demo").join(&path), text).unwrap();
        path.display().to_string()
    }

    /// Ends the test: all calls to routes that exist must be within the contract.
    pub(crate) async fn end(self) {
        self.sim.shutdown().await;
        contract::check_all(&self.book.calls()).unwrap();
    }
}

pub(crate) fn permissions_of(permissions: &[(&str, Level)]) -> Permissions {
    permissions.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect::<BTreeMap<_, _>>()
}

async fn got(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Got { status, headers, body }
}

/// A file of a JIT configuration.
pub(crate) fn jit_file(encoded: &str, name: &str) -> Value {
    let files: Value = serde_json::from_slice(&STANDARD.decode(encoded).unwrap()).unwrap();
    let file = STANDARD.decode(files[name].as_str().unwrap()).unwrap();
    serde_json::from_slice(&file).unwrap()
}

/// Asks again until it is so; ten seconds at most.
pub(crate) async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not happen within ten seconds");
}
