//! Faults of tasks: what DescribeTasks says of them, and what their processes notice.

use std::time::{Duration, Instant};

use fleetfoot_sim::aws::{Task, TaskStatus};
use serde_json::json;

use super::account::Account;

/// A program that goes on until somebody ends it, and says so when it is asked politely.
const LOOP: &str = "trap 'echo term=1; exit 3' TERM; echo up=1; while :; do sleep 0.05; done";

fn ending(task: &Task) -> (&str, &str, Option<i32>) {
    let code = task.stop_code.map_or("none", |code| code.as_str());
    (code, task.stopped_reason.as_deref().unwrap_or_default(), task.containers[0].exit_code)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_class_of_failed_starts_has_its_code_and_sentence() {
    let account = Account::start().await;
    account.on_fargate("work", LOOP);
    for (reason, words) in [
        (
            "pull",
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref work",
        ),
        (
            "init",
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval",
        ),
        ("network", "Timeout waiting for network interface provisioning to complete."),
        ("capacity", "Capacity is unavailable at this time. Please try again later or in a different"),
    ] {
        account.faults.inject(format!("task-fails-to-start:{reason}").parse().unwrap());
        let arn = account.run_on("work", "FARGATE").await;
        let task = account.until(&arn, TaskStatus::Stopped).await;
        let (code, why, exit) = ending(&task);
        assert_eq!((code, exit), ("TaskFailedToStart", None), "{reason}");
        assert!(why.starts_with(words), "{why}");
        assert_eq!(task.containers[0].reason.is_some(), reason == "pull");
        assert!(account.log(&arn).is_empty(), "nothing was started");
    }
    // Killed for its memory, it was started and ended with 137.
    account.faults.inject("task-fails-to-start:memory".parse().unwrap());
    let arn = account.run_on("work", "FARGATE").await;
    account.until(&arn, TaskStatus::Stopped).await;
    let (_, shown) =
        account.ecs(&account.admin, "DescribeTasks", &json!({ "cluster": "prod", "tasks": [arn] })).await;
    let task = &shown["tasks"][0];
    assert_eq!(task["stopCode"], "EssentialContainerExited");
    assert_eq!(task["stoppedReason"], "Essential container in task exited");
    assert_eq!(task["containers"][0]["exitCode"], 137);
    assert_eq!(task["containers"][0]["reason"], "OutOfMemoryError: Container killed due to memory usage");
    assert_eq!(account.faults.fired().last().unwrap().on, arn);
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_killed_at_the_moment_that_was_asked_for() {
    let account = Account::start().await;
    account.on_fargate("work", LOOP);
    account.on_fargate("runner", "echo up=1; sleep 0.2; echo 'Z: Running job: build'; exec sleep 60");
    for (fault, family) in [
        ("task-killed:starting", "work"),
        ("task-killed", "work"),
        ("task-killed:0.2:FARGATE", "work"),
        ("task-killed:busy", "runner"),
    ] {
        account.faults.inject(fault.parse().unwrap());
        let began = Instant::now();
        let arn = account.run_on(family, "FARGATE").await;
        let task = account.until(&arn, TaskStatus::Stopped).await;
        assert_eq!(
            ending(&task),
            ("EssentialContainerExited", "Essential container in task exited", Some(137)),
            "{fault}"
        );
        let log = account.log(&arn);
        assert!(!log.contains(&"term=1".to_owned()), "{fault}: SIGKILL says nothing before");
        assert_eq!(log.iter().any(|line| line.contains("Running job: ")), family == "runner");
        let late = fault.contains("0.2") || family == "runner";
        assert!(!late || began.elapsed() >= Duration::from_millis(200), "{fault}");
    }
    // A running task can be hit too.
    let arn = account.run_on("work", "FARGATE").await;
    account.printed(&arn, "up").await;
    assert!(account.aws.kill_task(&arn) && !account.aws.interrupt_task(&arn, Duration::ZERO));
    assert_eq!(ending(&account.until(&arn, TaskStatus::Stopped).await).2, Some(137));
    assert!(!account.aws.kill_task(&arn));
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spot_is_interrupted_with_notice_and_nothing_else_is() {
    let account = Account::with("spot-interruption:0.3 spot-interruption:0.3:0.2").await;
    account.on_fargate("polite", LOOP);
    account.on_fargate("deaf", "trap '' TERM; echo up=1; while :; do sleep 0.05; done");
    let spared = account.run_on("polite", "FARGATE").await;
    account.printed(&spared, "up").await;
    for (family, exit) in [("polite", 3), ("deaf", 137)] {
        let arn = account.run_on(family, "FARGATE_SPOT").await;
        account.printed(&arn, "up").await;
        let task = account.until(&arn, TaskStatus::Stopped).await;
        assert_eq!(
            ending(&task),
            ("SpotInterruption", "Your Spot Task was interrupted.", Some(exit)),
            "{family}"
        );
        let between = task.times.stopped.unwrap().duration_since(task.times.stopping.unwrap());
        // The deaf one had its notice of 0.2 s and not its stopTimeout of two.
        assert!(family == "polite" || (200..1800).contains(&between.as_millis()), "{between:?}");
    }
    assert_eq!(account.task(&spared).status, TaskStatus::Running);

    let arn = account.run_on("polite", "FARGATE_SPOT").await;
    account.printed(&arn, "up").await;
    assert!(account.aws.interrupt_task(&arn, Duration::from_mins(2)));
    assert!(!account.aws.interrupt_task(&arn, Duration::ZERO), "once is enough");
    assert_eq!(ending(&account.until(&arn, TaskStatus::Stopped).await).0, "SpotInterruption");
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_host_stops_the_task() {
    let account = Account::with("task-retired:0.3").await;
    account.script("work", LOOP);
    let arn = account.run("work").await;
    account.printed(&arn, "up").await;
    let task = account.until(&arn, TaskStatus::Stopped).await;
    let (code, reason, exit) = ending(&task);
    assert_eq!((code, exit), ("TerminationNotice", Some(3)));
    assert!(reason.starts_with("ECS is performing maintenance"), "{reason}");
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_start_takes_its_time() {
    let account = Account::with("slow-start:0.4:FARGATE").await;
    account.on_fargate("work", LOOP);
    let arn = account.run_on("work", "FARGATE").await;
    let next = account.run_on("work", "FARGATE").await;
    account.until(&next, TaskStatus::Running).await;
    assert_eq!(account.task(&arn).status, TaskStatus::Provisioning);
    let task = account.until(&arn, TaskStatus::Running).await;
    let took = task.times.started.unwrap().duration_since(task.times.created);
    assert!(took.as_millis() >= 400, "{took:?}");
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_of_a_task_end_and_are_renewed() {
    let account = Account::with("credentials-expire:1").await;
    account.script("wait", "echo creds=$AWS_CONTAINER_CREDENTIALS_FULL_URI; echo token=$AWS_CONTAINER_AUTHORIZATION_TOKEN; exec sleep 60");
    let arn = account.run("wait").await;
    let (address, token) = (account.printed(&arn, "creds").await, account.printed(&arn, "token").await);
    let ask = async || {
        let answer = account.http.get(&address).header("authorization", &token).send().await.unwrap();
        let session: serde_json::Value = answer.json().await.unwrap();
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        (text("AccessKeyId"), text("SecretAccessKey"), Some(text("Token")))
    };
    let keys = ask().await;
    let read = async |keys| account.s3(keys, "GET", "/bucket/mailbox/x", &[], "").await.1;
    assert!(read(&keys).await.contains("<Code>AccessDenied</Code>"), "not yet there");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(read(&keys).await.contains("<Code>ExpiredToken</Code>"));
    let renewed = ask().await;
    assert_ne!(keys.0, renewed.0);
    assert!(read(&renewed).await.contains("<Code>AccessDenied</Code>"));
    account.aws.shutdown().await;
}
