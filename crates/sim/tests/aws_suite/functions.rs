//! Tasks that are functions of this process, and what tells them where their mail is.

use fleetfoot_sim::aws::{Surroundings, TaskFunction, TaskStatus};
use fleetfoot_sim::events::Event;
use serde_json::json;

use super::account::{Account, shell, wait};

/// Ends when it is told to, with what it was given to say.
async fn obedient(given: Surroundings) -> i32 {
    given.stop.cancelled().await;
    given.env["CODE"].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_lives_and_ends_like_a_process() {
    let account = Account::start().await;
    account.define("function", shell("exit 1"));
    account.aws.add_function("function", TaskFunction::new(obedient));
    let request = |code: &str| {
        json!({ "cluster": "prod", "taskDefinition": "function", "launchType": "EC2", "count": 2,
                "overrides": { "containerOverrides": [
                    { "name": "main", "environment": [{ "name": "CODE", "value": code }] }] } })
    };
    // More than any rate admits at once.
    let mut arns = Vec::new();
    for _ in 0..150 {
        arns.extend(account.aws.add_tasks(&account.admin.0, &request("7")).unwrap());
    }
    assert_eq!(arns.len(), 300);
    let running = || account.aws.tasks().iter().filter(|task| task.status == TaskStatus::Running).count();
    wait("all run", || (running() == 300).then_some(())).await;
    account.stop(&arns[8]).await;
    let stopped = account.until(&arns[8], TaskStatus::Stopped).await;
    assert_eq!(stopped.containers[0].exit_code, Some(7));
    assert!(account.aws.kill_task(&arns[9]));
    let killed = account.until(&arns[9], TaskStatus::Stopped).await;
    assert_eq!(killed.containers[0].exit_code, Some(137));
    assert_eq!(running(), 298, "the others go on");

    let nobody = account.aws.add_tasks("AKIANOBODY", &request("7")).unwrap_err();
    assert!(nobody.message.contains("access key"), "{nobody}");
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_does_not_listen_is_killed_in_the_end() {
    let account = Account::start().await;
    account.define("deaf", shell("exit 1"));
    account.aws.add_function("deaf", TaskFunction::new(|_| std::future::pending()));
    let arn = account.run("deaf").await;
    account.until(&arn, TaskStatus::Running).await;
    account.stop(&arn).await;
    let task = account.until(&arn, TaskStatus::Stopped).await;
    assert_eq!(task.containers[0].exit_code, Some(137));
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_hears_of_objects() {
    let account = Account::start().await;
    let mut events = account.bus.subscribe();
    let put = account.s3(&account.admin, "PUT", "/bucket/mailbox/n/t", &[], "letter").await;
    assert_eq!(put.0, 200);
    let Event::Object { bucket, key } = events.recv().await.unwrap() else { panic!("an object was put") };
    assert_eq!((bucket.as_str(), key.as_str()), ("bucket", "mailbox/n/t"));
    assert_eq!(account.aws.take_object(&bucket, &key).unwrap(), b"letter");
    assert_eq!(account.aws.take_object(&bucket, &key), None);
    account.aws.shutdown().await;
}
