//! `fleetfoot start` run twice with the same key: it finds what is there and starts nothing new.

use fleetfoot_sim::aws::TaskStatus;
use fleetfoot_sim::protocol::Conclusion;
use nix::sys::signal::Signal;

use crate::common::{JITCONFIG, Stage, until};

const START: [&str; 5] = ["start", "--key", "k", "--output", "json"];

#[tokio::test(flavor = "multi_thread")]
async fn the_second_start_finds_the_first_one_s_runners() {
    let stage = Stage::new().await;
    let start = [&START[..], &["--count", "2"]].concat();
    let first = stage.by_hand(&start).ok().await.json();
    let second = stage.by_hand(&start).ok().await.json();
    for output in ["label", "runs-on", "runner-names", "runner-ids", "task-arns"] {
        assert_eq!(first[output], second[output], "{output}");
    }
    assert_eq!(stage.count("ecs", "RunTask"), 1);
    assert_eq!(stage.count("github", JITCONFIG), 2);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_another_start() {
    let stage = Stage::new().await;
    let first = stage.by_hand(&[&START[..], &["--wait", "none"]].concat()).ok().await.label();
    let other = ["start", "--key", "other", "--wait", "none", "--output", "json"];
    assert_ne!(first, stage.by_hand(&other).ok().await.label());
    assert_eq!(stage.live_tasks().len(), 2);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_count_adds_what_is_missing_under_the_same_label() {
    let stage = Stage::new().await;
    let first = stage.by_hand(&START).ok().await;
    let second = stage.by_hand(&[&START[..], &["--count", "3"]].concat()).ok().await;
    assert_eq!(first.label(), second.label());
    assert!(second.tasks().contains(&first.tasks()[0]));
    assert_eq!(stage.live_tasks().len(), 3);
    let labels = stage.world.github.runners().into_iter().map(|runner| runner.labels);
    assert!(labels.into_iter().all(|labels| labels.contains(&first.label())));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_starts_at_once_bring_only_as_many_as_one() {
    let stage = Stage::new().await;
    let start = [&START[..], &["--count", "3"]].concat();
    let (one, two) = tokio::join!(stage.by_hand(&start).ok(), stage.by_hand(&start).ok());
    assert_eq!(one.label(), two.label());
    assert_eq!(one.tasks(), two.tasks());
    assert_eq!(stage.world.aws.tasks().len(), 3);
    assert_eq!(stage.world.github.runners().len(), 3);
    stage.close().await;
}

/// On the real ECS a new task may be unknown to DescribeTasks for longer than a few looks.
#[tokio::test(flavor = "multi_thread")]
async fn two_starts_at_once_wait_for_tasks_that_cannot_be_seen_yet() {
    let stage = Stage::as_fargate().await;
    let start = [&START[..], &["--count", "3"]].concat();
    let (one, two) = (stage.by_hand(&start).spawn(), stage.by_hand(&start).spawn());
    until("all are bound", || stage.count("s3", "PutObject") >= 3).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(stage.world.aws.tasks().len(), 3);
    assert_eq!(stage.count("s3", "PutObject"), 3);
    for start in [one, two] {
        start.signal(Signal::SIGTERM);
        start.end().await;
    }
    until("nothing is left", || stage.live_tasks().is_empty()).await;
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_the_key_starts_anew() {
    let stage = Stage::new().await;
    let first = stage.by_hand(&START).ok().await;
    stage.by_hand(&["stop", "--key", "k"]).ok().await;
    let second = stage.by_hand(&START).ok().await;
    assert_ne!(first.label(), second.label());
    assert_ne!(first.tasks(), second.tasks());
    assert_eq!(stage.live_tasks().len(), 1);
    stage.close().await;
}

/// The job has taken its runner with it; another job of that label would wait for a day.
#[tokio::test(flavor = "multi_thread")]
async fn after_its_job_the_key_starts_anew() {
    let stage = Stage::new().await;
    let first = stage.by_hand(&START).ok().await;
    let label = first.label();
    let run =
        stage.dispatch(&format!("  build:\n    runs-on: [self-hosted, {label}]\n    steps: [run: 'true']\n"));
    assert_eq!(run.end().await, Conclusion::Success);
    until("the task is over", || stage.world.aws.tasks()[0].status == TaskStatus::Stopped).await;
    let second = stage.by_hand(&START).ok().await;
    assert_ne!(label, second.label());
    assert_eq!(second.tasks().len(), 1);
    assert_ne!(first.tasks(), second.tasks());
    assert!(stage.world.github.runners()[0].online);
    stage.close().await;
}

/// The launcher was killed between RunTask and the mailbox.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_start_left_unbound_is_bound_by_the_next() {
    let stage = Stage::new().await;
    let killed = stage.by_hand(&[&START[..], &["--count", "2"]].concat()).spawn();
    until("tasks are started", || stage.count("ecs", "RunTask") == 1).await;
    killed.signal(Signal::SIGKILL);
    killed.end().await;
    let bound = stage.count("s3", "PutObject");
    let next = stage.by_hand(&[&START[..], &["--count", "2"]].concat()).ok().await;
    assert_eq!(next.tasks().len(), 2, "{bound} were bound before");
    assert_eq!(stage.live_tasks().len(), 2);
    assert!(stage.world.github.runners().iter().all(|runner| runner.online));
    stage.close().await;
}
