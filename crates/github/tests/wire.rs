//! What goes over the wire, against a server that answers what the simulated GitHub would not: broken
//! answers, lost connections, tokens that end early.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../tests/support/log.rs"]
mod log;

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::ports::{RunnerRequest, Runners};
use fleetfoot_github::{Clock, Credentials, GitHubRunners, OidcEndpoint, PemSigner, Scope};
use fleetfoot_net::Network;
use jiff::Timestamp;
use log::Log;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// A request as it came.
#[derive(Debug, Clone)]
struct Seen {
    line: String,
    headers: HeaderMap,
    body: Value,
}

type Answer = dyn Fn(usize, &Seen) -> (StatusCode, String) + Send + Sync;

/// A server that answers by a function of the request's number and content.
#[derive(Clone)]
struct Fake {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    async fn start(answer: impl Fn(usize, &Seen) -> (StatusCode, String) + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { url, seen: Arc::default() };
        let state: (Self, Arc<Answer>) = (fake.clone(), Arc::new(answer));
        let router = Router::new().fallback(Self::serve).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    #[expect(clippy::unused_async, reason = "a handler of axum is async")]
    async fn serve(
        State((fake, answer)): State<(Self, Arc<Answer>)>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> (StatusCode, String) {
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let seen = Seen { line: format!("{method} {uri}"), headers, body };
        let number = {
            let mut all = fake.seen.lock().unwrap();
            all.push(seen.clone());
            all.len()
        };
        answer(number, &seen)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    fn runners(&self, credentials: Credentials) -> GitHubRunners {
        self.runners_at(credentials, Clock::new(|| Timestamp::UNIX_EPOCH))
    }

    fn runners_at(&self, credentials: Credentials, clock: Clock) -> GitHubRunners {
        let scope = Scope::parse(&format!("{}/acme/shop", self.url)).unwrap();
        GitHubRunners::new(scope, credentials, clock, &Network::default()).unwrap()
    }
}

fn ok(body: &Value) -> (StatusCode, String) {
    (StatusCode::OK, body.to_string())
}

fn runner() -> Value {
    json!({"id": 7, "name": "ff-1", "os": "linux", "status": "online", "busy": false, "labels": []})
}

fn name() -> RunnerName {
    RunnerName::of_task(&"arn:aws:ecs:eu-west-1:123456789012:task/ff/1".parse().unwrap())
}

fn request() -> RunnerRequest {
    RunnerRequest { name: name(), labels: vec!["self-hosted".parse().unwrap()], group: 1 }
}

fn signer() -> PemSigner {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let body = STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    PemSigner::from_pem(&pem.into()).unwrap()
}

#[tokio::test]
async fn a_request_says_who_asks_and_for_which_version() {
    let fake = Fake::start(|_, _| ok(&runner())).await;
    let seen = fake.runners(Credentials::token("ghp_s3cret")).get(RunnerId(7)).await.unwrap().unwrap();
    assert_eq!((seen.id, seen.online, seen.busy), (RunnerId(7), true, false));
    let sent = &fake.seen()[0];
    assert_eq!(sent.line, "GET /api/v3/repos/acme/shop/actions/runners/7");
    let header = |name: &str| sent.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("authorization"), "Bearer ghp_s3cret");
    assert_eq!(header("accept"), "application/vnd.github+json");
    assert_eq!(header("x-github-api-version"), "2026-03-10");
    assert_eq!(header("user-agent"), concat!("fleetfoot/", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_read_is_repeated_and_a_mint_never_is() {
    let fake =
        Fake::start(
            |number, _| {
                if number < 3 { (StatusCode::BAD_GATEWAY, "<html>".into()) } else { ok(&runner()) }
            },
        )
        .await;
    assert!(fake.runners(Credentials::token("t")).get(RunnerId(7)).await.unwrap().is_some());
    assert_eq!(fake.lines().len(), 3);

    let broken = Fake::start(|_, _| (StatusCode::BAD_GATEWAY, String::new())).await;
    let fault = broken.runners(Credentials::token("t")).mint(&request()).await.unwrap_err();
    assert_eq!(fault.class, Class::Unknown);
    assert_eq!(broken.lines(), ["POST /api/v3/repos/acme/shop/actions/runners/generate-jitconfig"]);
}

#[tokio::test]
async fn a_broken_answer_to_a_mint_is_unknown_and_shows_no_secret() {
    let fake =
        Fake::start(|_, _| (StatusCode::CREATED, r#"{"encoded_jit_config":"s3cret","runner":7}"#.into()))
            .await;
    let fault = fake.runners(Credentials::token("t")).mint(&request()).await.unwrap_err();
    assert_eq!(fault.class, Class::Unknown);
    assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
}

#[tokio::test]
async fn nobody_there_is_unknown_with_the_cause() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Fake { url: format!("http://{}", listener.local_addr().unwrap()), seen: Arc::default() }
    };
    let fault = nobody.runners(Credentials::token("t")).mint(&request()).await.unwrap_err();
    assert_eq!(fault.class, Class::Unknown);
    assert!(fault.why.contains("no connection to GitHub (Connection refused"), "{fault}");
}

#[tokio::test]
async fn a_name_is_matched_exactly() {
    let fake = Fake::start(|_, _| {
        let mut other = runner();
        other["name"] = json!("ff-10");
        ok(&json!({"total_count": 1, "runners": [other]}))
    })
    .await;
    assert_eq!(fake.runners(Credentials::token("t")).find(&name()).await.unwrap(), None);
    assert_eq!(fake.lines(), ["GET /api/v3/repos/acme/shop/actions/runners?name=ff-1&per_page=100"]);
}

/// A GitHub Enterprise Server may limit nothing, and has no repository of the runner's releases.
#[tokio::test]
async fn a_server_of_one_s_own_has_neither_limit_nor_releases() {
    let fake = Fake::start(|_, _| {
        (StatusCode::NOT_FOUND, json!({"message": "Rate limiting is not enabled."}).to_string())
    })
    .await;
    let runners = fake.runners(Credentials::token("t"));
    assert_eq!(runners.rate_limit().await.unwrap(), None);
    assert_eq!(runners.latest_runner().await.unwrap_err().class, Class::NotFound);
    assert!(Timestamp::now().duration_since(runners.date().await.unwrap()).as_secs().abs() < 30);
    let rate_limit = "GET /api/v3/rate_limit";
    assert_eq!(fake.lines(), [rate_limit, "GET /api/v3/repos/actions/runner/releases/latest", rate_limit]);
    assert!(!fake.seen()[2].headers.contains_key("authorization"), "the time needs no credentials");
}

/// Answers as GitHub does to an App whose tokens end after an hour of `clock`.
async fn github_for_apps(clock: Arc<AtomicI64>, refuse_first: bool) -> (Fake, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let fake = Fake::start(move |_, seen| {
        let bearer = seen.headers["authorization"].to_str().unwrap();
        if seen.line.ends_with("/installation") {
            return ok(&json!({"id": 42}));
        }
        if seen.line == "POST /api/v3/app/installations/42/access_tokens" {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let end = Timestamp::from_second(clock.load(Ordering::SeqCst) + 3600).unwrap();
            let body = json!({"token": format!("ghs_{number}"), "expires_at": end.to_string()});
            return (StatusCode::CREATED, body.to_string());
        }
        if refuse_first && bearer == "Bearer ghs_1" {
            return (StatusCode::UNAUTHORIZED, json!({"message": "Bad credentials"}).to_string());
        }
        ok(&runner())
    })
    .await;
    (fake, made)
}

#[tokio::test]
async fn an_installation_token_is_narrow_and_kept_until_shortly_before_its_end() {
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let (fake, made) = github_for_apps(Arc::clone(&clock), false).await;
    let now = Arc::clone(&clock);
    let now = Clock::new(move || Timestamp::from_second(now.load(Ordering::SeqCst)).unwrap());
    let runners = fake.runners_at(Credentials::app("Iv23", None, signer()), now);

    for _ in 0..3 {
        runners.get(RunnerId(7)).await.unwrap();
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    let seen = fake.seen();
    assert_eq!(seen[0].line, "GET /api/v3/repos/acme/shop/installation");
    assert_eq!(seen[1].body, json!({"repositories": ["shop"], "permissions": {"administration": "write"}}));
    assert_eq!(seen[2].headers["authorization"], "Bearer ghs_1");

    clock.fetch_add(54 * 60, Ordering::SeqCst);
    runners.get(RunnerId(7)).await.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 1, "six minutes are left");
    clock.fetch_add(2 * 60, Ordering::SeqCst);
    runners.get(RunnerId(7)).await.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 2, "four minutes are left");
}

#[tokio::test]
async fn many_callers_make_one_token() {
    let (fake, made) = github_for_apps(Arc::new(AtomicI64::new(0)), false).await;
    let runners = Arc::new(fake.runners(Credentials::app("Iv23", Some(42), signer())));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let runners = Arc::clone(&runners);
            tokio::spawn(async move { runners.get(RunnerId(7)).await.map(drop) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert!(!fake.lines().iter().any(|line| line.ends_with("/installation")), "the id was given");
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_replaced_once() {
    let (fake, made) = github_for_apps(Arc::new(AtomicI64::new(0)), true).await;
    let runners = fake.runners(Credentials::app("Iv23", Some(42), signer()));
    assert!(runners.get(RunnerId(7)).await.unwrap().is_some());
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_plain_token_that_is_refused_stays_refused() {
    let fake =
        Fake::start(|_, _| (StatusCode::UNAUTHORIZED, json!({"message": "Bad credentials"}).to_string()))
            .await;
    let fault = fake.runners(Credentials::token("ghp_x")).mint(&request()).await.unwrap_err();
    assert_eq!(fault.class, Class::Denied);
    assert_eq!(fault.why, "GitHub answered 401: Bad credentials");
    assert_eq!(fake.lines().len(), 1);
}

#[tokio::test]
async fn an_id_token_is_asked_for_with_its_audience() {
    let fake = Fake::start(|number, _| {
        if number == 1 {
            (StatusCode::SERVICE_UNAVAILABLE, String::new())
        } else {
            ok(&json!({"value": "a.b.c"}))
        }
    })
    .await;
    let endpoint = OidcEndpoint::new(&format!("{}/token?api-version=2.0", fake.url), "req").unwrap();
    let token = endpoint.fetch("sts.amazonaws.com", &Network::default()).await.unwrap();
    assert_eq!(token.secret().expose_secret(), "a.b.c");
    let seen = fake.seen();
    assert_eq!(seen.len(), 2, "the first answer was a passing failure");
    assert_eq!(seen[1].line, "GET /token?api-version=2.0&audience=sts.amazonaws.com");
    assert_eq!(seen[1].headers["authorization"], "Bearer req");

    let refusing = Fake::start(|_, _| (StatusCode::FORBIDDEN, String::new())).await;
    let endpoint = OidcEndpoint::new(&refusing.url, "req").unwrap();
    let fault = endpoint.fetch("sts.amazonaws.com", &Network::default()).await.unwrap_err();
    assert_eq!(fault.class, Class::Denied);
    assert!(fault.remedy.unwrap().contains("id-token: write"));
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = Log::listen();
    let fake = Fake::start(|_, _| {
        (StatusCode::CREATED, json!({"runner": runner(), "encoded_jit_config": "s3cret-jit"}).to_string())
    })
    .await;
    let minted = fake.runners(Credentials::token("ghp_s3cret")).mint(&request()).await.unwrap();
    assert_eq!(minted.jit_config.expose_secret(), "s3cret-jit");
    log.assert_hides(&["GitHub answered"], &["s3cret-jit", "ghp_s3cret"]);
}
