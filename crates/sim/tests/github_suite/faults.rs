//! Faults: what arrives is what GitHub would say, and what has happened has happened.

use std::time::Duration;

use fleetfoot_sim::events::JobStatus;
use fleetfoot_sim::faults::Faults;
use reqwest::Method;
use serde_json::{Value, json};

use super::service::{Hand, one_job};
use super::world::{Got, RUNNERS, World, eventually};

async fn world(plan: &str) -> (World, Faults) {
    let faults = Faults::new(plan.parse().unwrap());
    let world = World::with(|config| {
        config.faults = faults.clone();
        config.lost_after = Duration::from_millis(200);
    })
    .await;
    (world, faults)
}

async fn mint(world: &World, name: &str) -> Got {
    let body = json!({ "name": name, "runner_group_id": 1, "labels": ["x"] });
    world.post(&world.admin, &format!("{RUNNERS}/generate-jitconfig"), body).await
}

/// A request to the API of which no answer arrives.
async fn cut(world: &World, method: Method, path: &str, body: &Value) {
    let request = reqwest::Client::new().request(method, format!("{}{path}", world.sim.api_url()));
    let sent = request.bearer_auth(&world.admin).header("User-Agent", "suite").json(body).send().await;
    let error = sent.unwrap_err();
    assert!(error.is_request() && !error.is_connect(), "{error:?}");
}

#[tokio::test]
async fn errors_of_the_server_have_no_effect() {
    let (world, faults) = world("github-500:generate-jitconfig github-502:get-runners").await;
    let got = mint(&world, "r").await;
    assert_eq!((got.status, &got.body), (500, &json!({ "message": "Server Error" })));
    assert!(world.sim.runners().is_empty());
    let got = world.get(&world.admin, RUNNERS).await;
    assert_eq!((got.status, got.header("content-type")), (502, "text/html; charset=utf-8"));
    assert!(got.body.as_str().unwrap().contains("Unicorn!"));
    assert_eq!(world.get(&world.admin, RUNNERS).await.status, 200);
    assert_eq!(mint(&world, "r").await.status, 201);
    let fired: Vec<String> = faults.fired().iter().map(|fired| fired.on.clone()).collect();
    assert_eq!(fired, ["github generate-jitconfig", "github get-runners"]);
    world.end().await;
}

#[tokio::test]
async fn a_primary_limit_holds_until_its_reset() {
    for (plan, status) in [("rate-limit-primary:403:1", 403), ("rate-limit-primary:429:1:get-runners", 429)] {
        let (world, faults) = world(plan).await;
        let got = world.get(&world.admin, RUNNERS).await;
        assert_eq!((got.status, got.header("x-ratelimit-remaining")), (status, "0"));
        assert!(got.message().starts_with("API rate limit exceeded"), "{}", got.message());
        assert_eq!(got.header("retry-after"), "");
        let reset: i64 = got.header("x-ratelimit-reset").parse().unwrap();
        assert!((0..=2).contains(&(reset - jiff::Timestamp::now().as_second())), "{reset}");
        // It is so for every call of this user, and for nobody else's.
        assert_eq!(mint(&world, "r").await.status, status);
        assert_eq!(world.get(&world.classic("eve", &["repo"]), "/repos/octo/open").await.status, 200);
        let wait = jiff::Timestamp::from_second(reset).unwrap().duration_since(jiff::Timestamp::now());
        tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
        assert_eq!(mint(&world, "r").await.status, 201);
        assert_eq!(faults.fired().len(), 1);
        world.end().await;
    }
}

#[tokio::test]
async fn a_secondary_limit_tells_when_to_come_back() {
    let plan = "rate-limit-secondary:403:1 rate-limit-secondary:429:1:generate-jitconfig";
    let (world, _) = world(plan).await;
    for status in [403, 429] {
        let got = mint(&world, "r").await;
        assert_eq!((got.status, got.header("retry-after")), (status, "1"));
        assert_ne!(got.header("x-ratelimit-remaining"), "0");
        assert!(got.message().starts_with("You have exceeded a secondary rate limit."), "{}", got.message());
        assert_eq!(world.get(&world.admin, RUNNERS).await.status, status, "too early");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert_eq!(mint(&world, "r").await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn who_does_too_much_runs_into_the_secondary_limit_without_any_fault() {
    let world = World::with(|config| {
        config.secondary_points = 10;
        config.registrations = 3;
    })
    .await;
    assert_eq!((mint(&world, "a").await.status, mint(&world, "b").await.status), (201, 201));
    let refused = mint(&world, "c").await;
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!(refused.status == 403 && (1..=60).contains(&wait), "{wait}");
    // Other endpoints have points of their own; registrations are counted for the repository.
    assert_eq!(world.get(&world.admin, RUNNERS).await.status, 200);
    let other = world.fine_grained(&[("administration", fleetfoot_sim::github::Level::Write)]);
    assert_eq!(world.get(&other, RUNNERS).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn who_registers_too_many_runners_has_to_wait() {
    let world = World::with(|config| config.content_in_minute = 2).await;
    assert_eq!((mint(&world, "a").await.status, mint(&world, "b").await.status), (201, 201));
    let refused = mint(&world, "c").await;
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!(refused.status == 403 && (1..=60).contains(&wait), "{wait}");
    assert!(
        refused.message().starts_with("You have exceeded a secondary rate limit."),
        "{}",
        refused.message()
    );
    // What creates nothing goes on.
    let path = format!("{RUNNERS}/registration-token");
    assert_eq!(world.call(Method::POST, &world.admin, &path, None, &[]).await.status, 201);
    let id = world.get(&world.admin, RUNNERS).await.body["runners"][0]["id"].to_string();
    let path = format!("{RUNNERS}/{id}");
    assert_eq!(world.call(Method::DELETE, &world.admin, &path, None, &[]).await.status, 204);
    world.end().await;
}

#[tokio::test]
async fn a_taken_name_is_found_deleted_and_free() {
    let (world, faults) = world("jit-409").await;
    let conflict = mint(&world, "ff-1").await;
    assert_eq!(conflict.status, 409);
    assert!(conflict.message().contains("A runner with the name 'ff-1' already exists"));
    let found = world.get(&world.admin, &format!("{RUNNERS}?name=ff-1")).await.body;
    assert_eq!((&found["total_count"], &found["runners"][0]["status"]), (&json!(1), &json!("offline")));
    let path = format!("{RUNNERS}/{}", found["runners"][0]["id"]);
    assert_eq!(world.call(Method::DELETE, &world.admin, &path, None, &[]).await.status, 204);
    assert_eq!(mint(&world, "ff-1").await.status, 201);
    assert_eq!(faults.fired()[0].on, "ff-1");
    world.end().await;
}

#[tokio::test]
async fn an_answer_is_lost_after_the_registration_was_made_or_deleted() {
    let plan =
        "lost-answer:generate-jitconfig lost-answer:generate-jitconfig:cut lost-answer:delete-runner:cut";
    let (world, _) = world(plan).await;
    let lost = mint(&world, "a").await;
    assert_eq!((lost.status, &lost.body), (500, &json!({ "message": "Server Error" })));
    let body = json!({ "name": "b", "runner_group_id": 1, "labels": ["x"] });
    cut(&world, Method::POST, &format!("{RUNNERS}/generate-jitconfig"), &body).await;
    let names: Vec<String> = world.sim.runners().into_iter().map(|runner| runner.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(mint(&world, "b").await.status, 409, "a blind retry");
    let id = world.sim.runners()[0].id;
    cut(&world, Method::DELETE, &format!("{RUNNERS}/{id}"), &Value::Null).await;
    assert_eq!(world.sim.runners().len(), 1);
    let call = world.book.calls().into_iter().find(|call| call.status == 0).unwrap();
    assert_eq!((call.response, call.caller.as_str()), (None, "classic token of mona"));
    world.sim.shutdown().await;
}

#[tokio::test]
async fn a_runner_never_gets_a_session_however_often_it_asks() {
    let (world, faults) = world("runner-never-online runner-never-online:refused").await;
    for (name, status) in [("a", 503), ("b", 401)] {
        let (_, mut hand) = Hand::register(&world, name, &["x"]).await;
        for _ in 0..3 {
            assert_eq!(hand.connect("2.336.0").await.status, status);
        }
    }
    Hand::online(&world, "c", &["x"]).await;
    assert_eq!(faults.fired().len(), 2);
    let online: Vec<bool> = world.sim.runners().iter().map(|runner| runner.online).collect();
    assert_eq!(online, [false, false, true]);
    world.end().await;
}

#[tokio::test]
async fn a_registration_disappears_offline_online_or_busy() {
    let plan = "registration-deleted:offline registration-deleted registration-deleted:busy";
    let (world, _) = world(plan).await;
    let (_, mut offline) = Hand::register(&world, "a", &["x"]).await;
    assert!(world.sim.runners().is_empty());
    assert_eq!(offline.connect("2.336.0").await.status, 404);

    let (_, online) = Hand::online(&world, "b", &["x"]).await;
    let gone = online.poll().await;
    assert_eq!(gone.status, 404);
    assert!(gone.message().contains("has been deleted from the server"), "{}", gone.message());

    let run = one_job(&world, "x");
    let (_, busy) = Hand::online(&world, "c", &["x"]).await;
    let job = busy.begin().await;
    assert!(world.sim.runners().is_empty());
    assert_eq!(busy.job(&job["job_id"], "renew", None).await.status, 404);
    // The job fails once it has not been heard of for long enough.
    eventually(|| {
        let job = world.sim.run(run)?.jobs.remove(0);
        let lost = job.annotations.iter().any(|it| it.message.contains("lost communication with the server"));
        (lost && matches!(job.status, JobStatus::Completed(_))).then_some(())
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_version_is_deprecated_for_one_runner() {
    let (world, _) = world("version-deprecated").await;
    let (_, mut hand) = Hand::register(&world, "a", &["x"]).await;
    let got = hand.connect("2.336.0").await;
    assert_eq!(got.status, 403);
    assert_eq!(got.message(), "Runner version v2.336.0 is deprecated and cannot receive messages.");
    Hand::online(&world, "b", &["x"]).await;
    world.end().await;
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims
}

#[tokio::test]
async fn the_token_endpoint_refuses_and_its_clock_is_off() {
    let (world, _) = world("oidc-refused oidc-refused:500 oidc-refused:503 clock-skew:3600:oidc").await;
    let path = world.workflow(
        "on: workflow_dispatch\npermissions: { id-token: write }\njobs:\n  build:\n    runs-on: x\n    steps:\n      \
         - run: echo hello\n",
    );
    world.sim.dispatch(&fleetfoot_sim::github::Dispatch::new("octo/demo", path, "mona")).unwrap();
    let (_, hand) = Hand::online(&world, "a", &["x"]).await;
    let job = hand.begin().await;
    let variable = |name: &str| job["environment"][name].as_str().unwrap().to_owned();
    let url = format!("{}&audience=sts.amazonaws.com", variable("ACTIONS_ID_TOKEN_REQUEST_URL"));
    let ask = async || world.raw(Method::GET, &url, &variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), None).await;
    for status in [403, 500, 503] {
        let got = ask().await;
        assert_eq!((got.status, got.body["message"].is_string()), (status, true));
    }
    let (ahead, right) = (ask().await, ask().await);
    let issued = |got: &Got| claims(got.body["value"].as_str().unwrap())["iat"].as_i64().unwrap();
    assert!((3590..=3600).contains(&(issued(&ahead) - issued(&right))));
    world.sim.shutdown().await;
}

#[tokio::test]
async fn an_app_is_refused_by_a_clock_that_is_off() {
    let (world, _) = world("clock-skew:-3600:github clock-skew:3600:github").await;
    let key = world.app(&[("administration", fleetfoot_sim::github::Level::Write)]);
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({ "iss": "Iv23liTESTTESTTEST00", "iat": now - 60, "exp": now + 540 });
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(key.as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    for words in ["is too far in the future", "must be a numeric value representing the future time"] {
        let got = world.get(&token, "/app").await;
        assert!(got.status == 401 && got.message().contains(words), "{} {}", got.status, got.message());
        assert!(!got.header("date").is_empty());
    }
    assert_eq!(world.get(&token, "/app").await.status, 200);
    world.end().await;
}
