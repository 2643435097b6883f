//! The runners' own service, driven by hand: sessions, polls, assignment, the life of a job.

use std::time::Duration;

use fleetfoot_sim::events::{Event, JobStatus};
use fleetfoot_sim::github::Dispatch;
use fleetfoot_sim::protocol::Conclusion;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{Got, RUNNERS, World, eventually, jit_file};

/// A runner that does nothing by itself.
pub(crate) struct Hand<'a> {
    world: &'a World,
    url: String,
    token: String,
    session: String,
}

impl<'a> Hand<'a> {
    /// Registers a runner without connecting it.
    pub(crate) async fn register(world: &'a World, name: &str, labels: &[&str]) -> (u64, Self) {
        let (id, encoded) = world.register(name, labels).await;
        (id, Self::configured(world, &encoded))
    }

    /// The runner of an answer of `generate-jitconfig`, connected.
    pub(crate) async fn of(world: &'a World, made: &Got) -> (u64, Self) {
        let encoded = made.body["encoded_jit_config"].as_str().unwrap();
        let mut hand = Self::configured(world, encoded);
        assert_eq!(hand.connect("2.336.0").await.status, 200);
        (made.body["runner"]["id"].as_u64().unwrap(), hand)
    }

    fn configured(world: &'a World, encoded: &str) -> Self {
        let url = jit_file(encoded, ".runner")["serverUrl"].as_str().unwrap().to_owned();
        let token = jit_file(encoded, ".credentials")["token"].as_str().unwrap().to_owned();
        Self { world, url, token, session: String::new() }
    }

    /// Registers and connects a runner.
    pub(crate) async fn online(world: &'a World, name: &str, labels: &[&str]) -> (u64, Self) {
        let (id, mut hand) = Self::register(world, name, labels).await;
        assert_eq!(hand.connect("2.336.0").await.status, 200);
        (id, hand)
    }

    pub(crate) async fn connect(&mut self, version: &str) -> Got {
        let body = json!({ "version": version, "os": "linux", "arch": "X64" });
        let got = self.call(Method::POST, "/sessions", Some(body)).await;
        if let Some(session) = got.body["session_id"].as_str() {
            session.clone_into(&mut self.session);
        }
        got
    }

    pub(crate) async fn poll(&self) -> Got {
        self.call(Method::GET, &format!("/sessions/{}/message", self.session), None).await
    }

    pub(crate) async fn leave(&self) -> Got {
        self.call(Method::DELETE, &format!("/sessions/{}", self.session), None).await
    }

    pub(crate) async fn job(&self, job: &Value, verb: &str, body: Option<Value>) -> Got {
        self.call(Method::POST, &format!("/jobs/{job}/{verb}"), body).await
    }

    /// Polls for a job, begins it, and returns the message.
    pub(crate) async fn begin(&self) -> Value {
        let message = self.poll().await;
        assert_eq!(message.status, 200, "{}", message.body);
        assert_eq!(self.job(&message.body["job_id"], "start", None).await.status, 204);
        message.body
    }

    pub(crate) async fn finish(&self, job: &Value, conclusion: &str) -> Got {
        self.job(job, "complete", Some(json!({ "conclusion": conclusion, "outputs": {} }))).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Got {
        self.world.raw(method, &format!("{}{path}", self.url), &self.token, body).await
    }
}

/// Starts a run of one job with these labels.
pub(crate) fn one_job(world: &World, labels: &str) -> u64 {
    let workflow = world.workflow(&format!(
        "on: workflow_dispatch\npermissions: {{ contents: read }}\njobs:\n  build:\n    runs-on: {labels}\n    \
         steps:\n      - run: echo hello\n"
    ));
    world.sim.dispatch(&Dispatch::new("octo/demo", workflow, "mona")).unwrap()
}

fn status(world: &World, run: u64) -> JobStatus {
    world.sim.run(run).unwrap().jobs[0].status
}

#[tokio::test]
async fn a_session_is_opened_refused_and_closed() {
    let world = World::new().await;
    let (id, mut hand) = Hand::register(&world, "r", &["x"]).await;
    let deprecated = hand.connect("2.300.0").await;
    assert_eq!((deprecated.status, deprecated.message().contains("deprecated")), (403, true));
    assert_eq!(hand.connect("2.336.0").await.status, 200);
    assert_eq!(hand.connect("2.336.0").await.status, 409);
    let runner = world.get(&world.admin, &format!("{RUNNERS}/{id}")).await.body;
    assert_eq!(
        (&runner["status"], &runner["os"], &runner["version"]),
        (&json!("online"), &json!("Linux"), &json!("2.336.0"))
    );
    assert_eq!(hand.poll().await.status, 202);

    assert_eq!(hand.leave().await.status, 204);
    assert!(!world.sim.runners()[0].online);
    assert_eq!(hand.connect("2.336.0").await.status, 200);

    assert!(world.sim.delete_runner(id));
    let gone = hand.poll().await;
    assert_eq!((gone.status, gone.message().contains("has been deleted")), (404, true));
    assert_eq!(hand.leave().await.status, 204);
    hand.token = "nobody's".into();
    assert_eq!(hand.poll().await.status, 401);
    world.end().await;
}

#[tokio::test]
async fn a_job_lives_on_a_runner_and_takes_it_along() {
    let world = World::new().await;
    let mut events = world.bus.subscribe();
    let run = one_job(&world, "[self-hosted, FF-1]");
    let (id, hand) = Hand::online(&world, "r", &["Self-Hosted", "ff-1", "more"]).await;
    let message = hand.poll().await.body;
    // Until it is started it is told again, should the answer have been lost.
    assert_eq!(hand.poll().await.body["job_id"], message["job_id"]);
    assert_eq!(status(&world, run), JobStatus::Queued);
    assert!(!world.sim.runners()[0].busy);

    let job = &message["job_id"];
    assert_eq!(hand.job(job, "start", None).await.status, 204);
    assert_eq!(status(&world, run), JobStatus::InProgress);
    let got = world.call(Method::DELETE, &world.admin, &format!("{RUNNERS}/{id}"), None, &[]).await;
    assert_eq!((got.status, got.message().contains("still running a job")), (422, true));
    assert_eq!(world.get(&world.admin, &format!("{RUNNERS}/{id}")).await.body["busy"], json!(true));

    let step = json!({ "number": 1, "name": "Run echo hello", "conclusion": null });
    assert_eq!(hand.job(job, "steps", Some(step.clone())).await.status, 204);
    assert_eq!(
        hand.job(job, "log", Some(json!({ "step": 1, "lines": ["hello", "there"] }))).await.status,
        204
    );
    assert_eq!(hand.job(job, "renew", None).await.body, json!({ "cancel": false }));
    let mut done = step;
    done["conclusion"] = json!("success");
    assert_eq!(hand.job(job, "steps", Some(done)).await.status, 204);
    assert_eq!(hand.job(job, "steps", Some(json!({ "number": "one" }))).await.status, 400);
    assert_eq!(hand.finish(job, "success").await.status, 204);

    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Success));
    assert!(world.sim.runners().is_empty());
    assert_eq!(hand.poll().await.status, 404);
    let id = job.as_u64().unwrap();
    assert_eq!(world.sim.job_log(id).unwrap(), ["hello", "there"]);
    let shown = world.get(&world.admin, &format!("/repos/octo/demo/actions/jobs/{job}")).await.body;
    assert_eq!((&shown["conclusion"], &shown["runner_name"]), (&json!("success"), &json!("r")));
    assert_eq!(shown["steps"][0]["conclusion"], "success");

    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(match event {
            Event::Job { status, .. } => format!("job {status:?}"),
            Event::Runner { status, .. } => format!("runner {status}"),
            Event::Run { conclusion, .. } => format!("run {conclusion:?}"),
            Event::Step { conclusion, .. } => format!("step {conclusion:?}"),
            Event::JobLog { line, .. } => line,
            _ => continue,
        });
    }
    let wanted = [
        "job Waiting",
        "job Queued",
        "runner online",
        "job InProgress",
        "runner busy",
        "step None",
        "hello",
        "there",
        "step Some(Success)",
        "job Completed(Success)",
        "runner removed",
        "run Success",
    ];
    assert_eq!(told, wanted);
    world.end().await;
}

#[tokio::test]
async fn a_job_waits_for_a_runner_with_all_its_labels() {
    let world = World::new().await;
    let run = one_job(&world, "[self-hosted, gpu]");
    let (_, wrong) = Hand::online(&world, "wrong", &["self-hosted", "cpu"]).await;
    assert_eq!(wrong.poll().await.status, 202);
    let (_, right) = Hand::online(&world, "right", &["self-hosted", "gpu"]).await;
    let message = right.begin().await;
    assert_eq!(wrong.poll().await.status, 202);
    // A job of another is not for the wrong runner.
    assert_eq!(wrong.finish(&message["job_id"], "success").await.status, 404);
    right.finish(&message["job_id"], "failure").await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Failure));
    world.end().await;
}

#[tokio::test]
async fn a_job_that_is_not_picked_up_goes_to_another_runner() {
    let world = World::with(|config| config.assignment_timeout = Duration::from_millis(300)).await;
    let run = one_job(&world, "x");
    let (_, lazy) = Hand::online(&world, "lazy", &["x"]).await;
    let message = lazy.poll().await.body;
    lazy.leave().await;
    let (_, eager) = Hand::online(&world, "eager", &["x"]).await;
    let mut taken = None;
    for _ in 0..20 {
        let got = eager.poll().await;
        if got.status == 200 {
            taken = Some(got.body);
            break;
        }
    }
    let taken = taken.expect("the job within twenty polls");
    assert_eq!(taken["job_id"], message["job_id"]);
    assert_eq!(lazy.job(&message["job_id"], "start", None).await.status, 404);
    eager.job(&taken["job_id"], "start", None).await;
    eager.finish(&taken["job_id"], "success").await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Success));
    world.end().await;
}

#[tokio::test]
async fn silent_runners_go_offline_lose_their_job_and_are_forgotten() {
    let world = World::with(|config| {
        config.offline_after = Duration::from_millis(300);
        config.lost_after = Duration::from_millis(600);
        config.offline_removal = Duration::from_millis(900);
    })
    .await;
    let run = one_job(&world, "x");
    let (_, hand) = Hand::online(&world, "silent", &["x"]).await;
    hand.begin().await;
    eventually(|| (!world.sim.runners().first()?.online).then_some(())).await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Failure));
    let annotations = world.sim.run(run).unwrap().jobs[0].annotations.clone();
    assert!(annotations[0].message.contains("lost communication"), "{annotations:?}");

    world.register("never-came", &["x"]).await;
    eventually(|| world.sim.runners().is_empty().then_some(())).await;
    world.end().await;
}

#[tokio::test]
async fn a_job_that_nobody_takes_is_cancelled() {
    let world = World::with(|config| config.queue_timeout = Duration::from_millis(200)).await;
    let run = one_job(&world, "nobody-has-this");
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Cancelled));
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_run_stops_what_runs_and_what_waits() {
    let world = World::new().await;
    let run = one_job(&world, "x");
    let (_, hand) = Hand::online(&world, "r", &["x"]).await;
    let job = hand.begin().await["job_id"].clone();
    let path = format!("/repos/octo/demo/actions/runs/{run}/cancel");
    let cancel = async || world.call(Method::POST, &world.admin, &path, None, &[]).await;
    assert_eq!(cancel().await.status, 202);
    assert_eq!(hand.job(&job, "renew", None).await.body, json!({ "cancel": true }));
    hand.finish(&job, "cancelled").await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Cancelled));
    assert_eq!(cancel().await.status, 409);

    let queued = one_job(&world, "nobody-has-this");
    assert!(world.sim.cancel_run(queued));
    assert_eq!(world.sim.wait_run(queued).await, Some(Conclusion::Cancelled));
    world.end().await;
}

#[tokio::test]
async fn a_runner_that_is_deleted_before_it_starts_gives_its_job_back() {
    let world = World::new().await;
    let run = one_job(&world, "x");
    let (first, hand) = Hand::online(&world, "first", &["x"]).await;
    assert_eq!(hand.poll().await.status, 200);
    let path = format!("{RUNNERS}/{first}");
    assert_eq!(world.call(Method::DELETE, &world.admin, &path, None, &[]).await.status, 204);
    let (_, second) = Hand::online(&world, "second", &["x"]).await;
    let job = second.begin().await["job_id"].clone();
    second.finish(&job, "success").await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Success));
    world.end().await;
}
