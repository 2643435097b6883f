//! What goes wrong on the way: a start outlives it, or says why not and leaves nothing behind.

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::json;

use crate::common::{Stage, until};

impl Stage {
    /// Arms a fault at the simulators' control address.
    pub(crate) async fn arm(&self, fault: &str) {
        let answer =
            Client::new().post(self.world.control.url()).body(fault.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{fault}");
    }

    pub(crate) async fn fired(&self) -> usize {
        let control = Client::new().get(self.world.control.url()).send().await.unwrap();
        let control: serde_json::Value = control.json().await.unwrap();
        control["fired"].as_array().unwrap().len()
    }
}

/// Faults of one moment, and what another try mends.
const OUTLIVED: [&str; 17] = [
    "ecs-throttle*3",
    "ecs-500:RunTask",
    "lost-answer:RunTask",
    "lost-answer:RunTask:cut",
    "lost-answer:generate-jitconfig",
    "lost-answer:PutObject",
    "jit-409",
    "github-500:generate-jitconfig",
    "github-502:get-runner",
    "rate-limit-secondary:403:2:generate-jitconfig",
    "rate-limit-primary:429:2:registration-token",
    "s3-fails:503:PutObject",
    "s3-fails:late-cut:PutObject",
    "task-fails-to-start:pull",
    "task-fails-to-start:network",
    "task-killed:starting",
    "registration-deleted:offline",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_start_outlives_faults_of_a_moment() {
    join_all(OUTLIVED.map(|fault| async move {
        let stage = Stage::new().await;
        stage.arm(fault).await;
        let start = stage.by_hand(&["start", "--key", "k", "--output", "json"]).ok().await;
        assert_eq!(start.json()["runner-names"].as_array().unwrap().len(), 1, "{fault}");
        assert!(stage.fired().await > 0, "{fault} never fired");
        let online = stage.world.github.runners().iter().filter(|runner| runner.online).count();
        assert_eq!((stage.live_tasks().len(), online), (1, 1), "{fault}");
        stage.by_hand(&["stop", "--key", "k", "--wait"]).ok().await;
        // A task that failed and was replaced is not under the key any more, and neither is its mail.
        until(fault, || stage.world.aws.tasks().iter().all(|task| task.times.stopped.is_some())).await;
        stage.assert_nothing_left();
        stage.close().await;
    }))
    .await;
}

/// Faults that stay, each with the words that the error must hold.
const FATAL: [(&str, &str); 5] = [
    ("no-capacity*", "Capacity is unavailable at this time"),
    ("task-fails-to-start:capacity*", "Capacity is unavailable at this time"),
    ("task-fails-to-start:memory*", "OutOfMemoryError"),
    ("version-deprecated*", "GitHub refuses this version of the runner software"),
    ("runner-never-online:refused*", "ended before its runner was online"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_cannot_be_says_why_and_leaves_nothing() {
    join_all(FATAL.map(|(fault, words)| async move {
        let stage = Stage::new().await;
        stage.arm(fault).await;
        let said = stage.by_hand(&["start", "--key", "k"]).fails(1).await;
        assert!(said.contains(words) && said.contains("\n  help: "), "{fault}: {said}");
        until(fault, || stage.world.aws.tasks().iter().all(|task| task.times.stopped.is_some())).await;
        stage.assert_nothing_left();
        stage.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_falls_back_to_another_runner_and_says_why() {
    let stage = Stage::new().await;
    stage.arm("no-capacity*").await;
    let fall_back = ["start", "--key", "k", "--fallback", "ubuntu-latest", "--output", "json"];
    let fell = stage.in_job(&fall_back).ok().await;
    assert_eq!(fell.json()["runs-on"], json!(["ubuntu-latest"]));
    assert_eq!(fell.json()["fallback"]["class"], "no-capacity");
    assert!(stage.read("output").contains("[\"ubuntu-latest\"]"));
    assert!(fell.stderr.contains("::warning title=fleetfoot::jobs will run on ubuntu-latest instead: "));
    assert!(stage.read("summary.md").contains("no runner could be had"));
    stage.assert_nothing_left();

    // What the user got wrong is no reason to run elsewhere.
    let said =
        stage.by_hand(&["start", "--key", "k", "--pool", "none", "--fallback", "ubuntu-latest"]).fails(2);
    assert!(said.await.contains("has no pool"));
    stage.close().await;
}
