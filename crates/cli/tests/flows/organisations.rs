//! `fleetfoot serve` for the scale sets of two organisations, with one App that is installed on both, or not.

use std::net::TcpListener;

use fleetfoot::demo::world::ACTOR;
use fleetfoot_sim::github::{AppSpec, Level, Permissions, RepositorySpec};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::{Fleetfoot, Stage, until};

/// The name of both scale sets.
const SET: &str = "my-pool";

/// The other organisation, and its repository.
const OTHER: &str = "umbrella";
const SITE: &str = "umbrella/site";

const JOB: &str = "
  one:
    runs-on: my-pool
    steps:
      - run: echo \"one on $RUNNER_NAME\"
";

const APP: u64 = 12;
const CLIENT: &str = "Iv23liORGANISATIONS0";

impl Stage {
    /// With another organisation, and an App that is installed on these.
    async fn with_app_on(owners: &[&str]) -> Self {
        let stage = Self::new().await;
        let github = &stage.world.github;
        github.add_organization(OTHER, &[ACTOR]).unwrap();
        github.add_repository(RepositorySpec::new(SITE, stage.repository())).unwrap();
        let spec = AppSpec {
            owner: "octo-org".into(),
            app_id: APP,
            client_id: CLIENT.into(),
            permissions: Permissions::from([("organization_self_hosted_runners".into(), Level::Write)]),
            public_key: None,
        };
        let pem = github.add_app(spec).unwrap().unwrap();
        for owner in owners {
            github.install_app(APP, owner, None, None).unwrap();
        }
        stage.file("app.pem", &pem);
        stage
    }

    /// A scale set in each of the two, from one pool.
    fn of_both(&self, change: impl FnOnce(&mut Value)) -> String {
        let (server, key) = (self.world.github.server_url(), self.path("app.pem"));
        self.stack_file(|stack| {
            stack["github"] = json!({
                "url": format!("{server}/octo-org"),
                "app": { "client_id": CLIENT, "key": format!("file:{}", key.display()) },
            });
            stack["scale_sets"] = json!([
                { "name": SET, "pool": "Fargate", "max": 4 },
                { "name": SET, "pool": "Fargate", "max": 4, "url": format!("{server}/{OTHER}") },
            ]);
            change(stack);
        })
    }

    /// A command on this stack, as the App.
    fn as_app(&self, arguments: &[&str], stack: &str) -> Fleetfoot {
        let all = [arguments, &["--stack-file", stack]].concat();
        self.by_hand(&all)
            .without("FLEETFOOT_STACK")
            .without("FLEETFOOT_GITHUB_TOKEN")
            .env("FLEETFOOT_GRACE", "1s")
    }

    fn running(&self) -> usize {
        self.live_tasks().iter().filter(|task| task.times.started.is_some()).count()
    }
}

/// The lines of a log with this message.
fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message || line["fields"]["message"] == message).collect()
}

/// A free port, and what is served there.
struct Door(String);

impl Door {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self(free.local_addr().unwrap().to_string())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        match reqwest::get(format!("http://{}{path}", self.0)).await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap()),
            Err(_) => (0, String::new()),
        }
    }

    /// Waits until it says so.
    async fn says(&self, path: &str, so: impl Fn(u16, &str) -> bool) {
        for _ in 0..600 {
            let (status, text) = self.get(path).await;
            if so(status, &text) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{path} says {:?}", self.get(path).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_tasks_are_for_the_jobs_of_both() {
    let stage = Stage::with_app_on(&["octo-org", OTHER]).await;
    let stack = stage.of_both(|stack| stack["pools"][0]["warm"] = 2.into());
    let door = Door::new();
    let serving = stage.as_app(&["serve", "--listen", &door.0], &stack).spawn();
    let warm = "fleetfoot_runners{pool=\"Fargate\",phase=\"warm\"} 2\n";
    door.says("/metrics", |_, text| text.contains(warm)).await;
    door.says("/readyz", |status, text| (status, text) == (200, "ready\n")).await;

    let (here, there) = (stage.dispatch(JOB), stage.dispatch_in(SITE, JOB));
    here.succeeds().await;
    there.succeeds().await;
    until("the pool is filled again", || stage.running() == 2 && stage.world.github.runners().is_empty())
        .await;
    let (_, metrics) = door.get("/metrics").await;
    for github in ["octo-org", OTHER] {
        let listening = format!("fleetfoot_listening{{scale_set=\"{SET}\",github=\"{github}\"}} 1");
        assert!(metrics.contains(&listening), "{metrics}");
    }
    serving.signal(Signal::SIGTERM);
    let end = serving.end().await;
    assert_eq!(end.code, 0, "{end:#?}");
    let mut bound: Vec<(String, bool)> = lines(&end.stdout, "task is a runner")
        .iter()
        .map(|line| (line["github"].as_str().unwrap().to_owned(), line["warm"].as_bool().unwrap()))
        .collect();
    bound.sort();
    assert_eq!(bound, [("octo-org".into(), true), (OTHER.into(), true)], "{}", end.stdout);
    // Each was registered by a token of its own organisation.
    let mut tokens: Vec<String> = stage
        .calls("github", "POST /app/installations/{installation_id}/access_tokens")
        .into_iter()
        .map(|call| call.request_line)
        .collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_without_the_app_leaves_the_other_be() {
    let stage = Stage::with_app_on(&["octo-org"]).await;
    let stack = stage.of_both(|_| {});
    let door = Door::new();
    let serving = stage.as_app(&["serve", "--listen", &door.0], &stack).spawn();
    let told = "cannot listen to my-pool of umbrella: cannot find the GitHub App's installation on umbrella: \
                the App is not installed on umbrella";
    door.says("/readyz", |status, text| status == 200 && text.starts_with("ready\n") && text.contains(told))
        .await;
    stage.dispatch(JOB).succeeds().await;
    let (_, metrics) = door.get("/metrics").await;
    assert!(
        metrics.contains("fleetfoot_listening{scale_set=\"my-pool\",github=\"umbrella\"} 0"),
        "{metrics}"
    );

    let status = stage.as_app(&["status", "--output", "json"], &stack).ok().await.json();
    assert_eq!(status["scale_sets"][0]["registered"], 0, "{status:#}");
    assert_eq!(status["scale_sets"][1]["registered"], Value::Null, "{status:#}");
    assert!(
        status["notes"][0]["sentence"].as_str().unwrap().ends_with("not installed on umbrella"),
        "{status:#}"
    );
    // A start would work.
    let checked = stage.as_app(&["doctor"], &stack).ok().await;
    assert!(
        checked.stdout.contains("GitHub: umbrella") && checked.stdout.contains("not installed on umbrella"),
        "{checked:#?}"
    );

    // Whoever installs it need not tell anybody.
    let waiting = stage.dispatch_in(SITE, JOB);
    stage.world.github.install_app(APP, OTHER, None, None).unwrap();
    waiting.succeeds().await;
    door.says("/readyz", |status, text| (status, text) == (200, "ready\n")).await;
    serving.signal(Signal::SIGTERM);
    let end = serving.end().await;
    assert_eq!(end.code, 0, "{end:#?}");
    let warned = lines(
        &end.stdout,
        "runners cannot be registered there; the other places are served, and this one is tried again",
    );
    assert_eq!(warned.len(), 1, "{}", end.stdout);
    assert_eq!((&warned[0]["github"], &warned[0]["class"]), (&json!(OTHER), &json!("not-found")));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_place_of_the_first_set_nothing_is_served() {
    let stage = Stage::with_app_on(&[OTHER]).await;
    let stack = stage.of_both(|_| {});
    let said = stage.as_app(&["serve", "--listen", "127.0.0.1:0"], &stack).run().await;
    assert_eq!(said.code, 2, "{said:#?}");
    assert!(
        said.stderr.contains(
            "the App is not installed on octo-org; the first scale set is there, and no other is served"
        ),
        "{said:#?}"
    );
    assert_eq!(stage.world.github.scale_sets(), []);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fine_grained_token_serves_one_owner_alone() {
    let stage = Stage::with_app_on(&[]).await;
    let stack = stage.of_both(|stack| stack["github"] = stage.world.stack["github"].clone());
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let token = stage.world.token.clone();
    let serving = stage.as_app(&serve, &stack).env("FLEETFOOT_GITHUB_TOKEN", &token).spawn();
    stage.dispatch(JOB).succeeds().await;
    serving.signal(Signal::SIGTERM);
    let end = serving.end().await;
    assert_eq!(end.code, 0, "{end:#?}");
    assert!(end.stdout.contains("a fine-grained token is of one owner alone"), "{}", end.stdout);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_in_either_is_found_and_removed() {
    let stage = Stage::with_app_on(&["octo-org", OTHER]).await;
    let stack = stage.of_both(|stack| {
        for set in [0, 1] {
            stack["scale_sets"][set]["min"] = 1.into();
        }
    });
    let mut serving = stage.as_app(&["serve", "--listen", "127.0.0.1:0"], &stack).spawn();
    until("a runner waits in each", || stage.world.github.runners().iter().filter(|r| r.online).count() == 2)
        .await;
    serving.child().kill().await.unwrap();

    let status = stage.as_app(&["status", "--output", "json"], &stack).ok().await.json();
    let sets: Vec<_> =
        status["scale_sets"].as_array().unwrap().iter().map(|set| &set["registered"]).collect();
    assert_eq!(sets, [1, 1], "{status:#}");
    let text = stage.as_app(&["status"], &stack).ok().await.stdout;
    assert!(text.contains(&format!("{}/{OTHER} ", stage.world.github.server_url())), "{text}");

    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let reap = ["reap", "--older-than", "1s", "--yes", "--output", "json"];
    let reaped = stage.as_app(&reap, &stack).ok().await.json();
    assert_eq!((&reaped["removed"], &reaped["failed"]), (&json!(2), &json!(0)), "{reaped:#}");
    until("nothing is left", || stage.live_tasks().is_empty()).await;
    assert_eq!(stage.world.github.runners(), []);

    let removed = stage.as_app(&["serve", "--remove", "--listen", "127.0.0.1:0"], &stack).ok().await;
    assert_eq!(
        removed.stdout,
        "removed the scale set my-pool of octo-org\nremoved the scale set my-pool of umbrella\n"
    );
    assert_eq!(stage.world.github.scale_sets(), []);
    stage.close().await;
}
