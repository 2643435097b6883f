//! `fleetfoot reap`: what it finds, what it leaves alone, what it says.

use std::fs;
use std::time::Duration;

use fleetfoot::demo::world::{BUCKET, REPOSITORY};
use fleetfoot_sim::aws::{TaskStatus, User};
use fleetfoot_sim::github::{Level, TokenKind};
use fleetfoot_sim::protocol::Conclusion;
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::{Fleetfoot, JITCONFIG, Stage, until};
use crate::stop::waiting_job;

const DELETE_RUNNER: &str = "DELETE /repos/{owner}/{repo}/actions/runners/{runner_id}";
const RUN_ID: &str = "GET /repos/{owner}/{repo}/actions/runs/{run_id}";

impl Stage {
    /// `fleetfoot reap --output json …` of an administrator.
    fn reap(&self, arguments: &[&str]) -> Fleetfoot {
        self.by_hand(&[&["reap", "--output", "json"], arguments].concat())
    }

    /// The same, with `--yes`, of somebody who has these rights in AWS.
    fn reap_with(&self, rights: &[&str]) -> Fleetfoot {
        let allow = json!({ "Effect": "Allow", "Action": rights, "Resource": "*" });
        let user = User {
            name: "reaper".into(),
            access_key_id: "AKIAREAPER".into(),
            secret_access_key: "s3cret".into(),
            policies: vec![json!({ "Version": "2012-10-17", "Statement": [allow] })],
        };
        self.world.aws.add_user(user).unwrap();
        let reap = self.reap(&["--yes"]).env("AWS_ACCESS_KEY_ID", "AKIAREAPER");
        reap.env("AWS_SECRET_ACCESS_KEY", "s3cret")
    }

    /// What a look finds: kind and class of each.
    async fn found(&self, arguments: &[&str]) -> Vec<(String, String)> {
        let json = self.reap(arguments).ok().await.json();
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        let rows = json["unwanted"].as_array().unwrap().iter();
        rows.map(|row| (text(row, "what"), text(row, "class"))).collect()
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(what, why)| ((*what).to_owned(), (*why).to_owned())).collect()
}

/// A launcher that starts tasks for a real run of a workflow, as its step would.
fn start_for(stage: &Stage, run: u64, arguments: &[&str]) -> Fleetfoot {
    stage
        .in_job(&[&["start", "--wait", "running"], arguments].concat())
        .env("GITHUB_RUN_ID", &run.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_no_work() {
    let stage = Stage::new().await;
    assert_eq!(stage.by_hand(&["reap", "--yes"]).ok().await.stdout, "nothing to reap\n");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_changes_nothing() {
    let stage = Stage::new().await;
    stage.in_job(&["start", "--wait", "running", "--key", "build"]).ok().await;
    let said = stage.by_hand(&["reap"]).ok().await.stdout;
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("not wanted any more: 1 to be taken away; run again with --yes"), "{said}");
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["what", "id", "for", "age", "cost", "why"]
    );
    let row = lines.nth(1).unwrap();
    for part in ["task", "run 4711-1, key build", "its run 4711 was deleted", "$0.0", "s "] {
        assert!(row.contains(part), "{part:?} is not in {row:?}");
    }
    let task = &stage.live_tasks()[0];
    assert!(row.contains(task.arn.rsplit('/').next().unwrap()), "{row}");
    assert_eq!(stage.world.github.runners().len(), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_yes_task_registration_and_assignment_go() {
    let stage = Stage::as_fargate().await;
    // Not one of these tasks gets so far that it could take its assignment.
    stage.in_job(&["start", "--wait", "none", "--count", "2"]).ok().await;
    assert_eq!(stage.world.aws.objects(BUCKET).len(), 2);
    let json = stage.reap(&["--yes"]).ok().await.json();
    assert_eq!((&json["found"], &json["removed"], &json["failed"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!(json["unwanted"][0]["outcome"], "removed");
    assert_eq!(json["unwanted"][0]["repository"], REPOSITORY);
    stage.assert_nothing_left();
    assert_eq!(stage.reap(&["--yes"]).ok().await.json()["found"], 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_keeps_its_runners() {
    let stage = Stage::new().await;
    let run = stage.dispatch("  wait:\n    runs-on: [self-hosted, nobody]\n    steps: [run: 'true']\n");
    start_for(&stage, run.id, &[]).ok().await;
    assert_eq!(stage.found(&[]).await, []);
    assert!(stage.count("github", RUN_ID) > 0);
    stage.world.github.cancel_run(run.id);
    assert_eq!(run.end().await, Conclusion::Cancelled);
    assert_eq!(stage.found(&["--yes"]).await, pairs(&[("task", "run-over")]));
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_by_hand_is_not_wanted_only_when_it_is_old() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k"]).ok().await;
    assert_eq!(stage.found(&["--yes"]).await, []);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(stage.found(&["--older-than", "1h"]).await, []);
    assert_eq!(stage.found(&["--older-than", "1s", "--yes"]).await, pairs(&[("task", "too-old")]));
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_runner_stays_whatever_its_run_and_age() {
    let stage = Stage::new().await;
    let label = stage.in_job(&["start", "--output", "json"]).ok().await.label();
    let run = waiting_job(&stage, &label);
    until("the job runs", || stage.path("runs").exists()).await;

    let json = stage.reap(&["--older-than", "1ms", "--yes"]).ok().await.json();
    assert_eq!((&json["busy"], &json["removed"], &json["failed"]), (&json!(1), &json!(0), &json!(0)));
    let said = stage.by_hand(&["reap", "--yes"]).ok().await.stdout;
    assert!(said.contains("1 left alone because a job runs there"), "{said}");
    assert_eq!(stage.live_tasks().len(), 1);
    assert_eq!(stage.count("ecs", "StopTask"), 0);
    assert_eq!(stage.count("github", DELETE_RUNNER), 0, "not even asked for");

    fs::write(stage.path("go"), "").unwrap();
    run.succeeds().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_task_has_left_goes() {
    let stage = Stage::new().await;
    stage.arm("task-fails-to-start:network").await;
    stage.by_hand(&["start", "--key", "k", "--wait", "none"]).ok().await;
    until("the task has stopped", || stage.world.aws.tasks()[0].status == TaskStatus::Stopped).await;
    assert_eq!(stage.world.github.runners().len(), 1);
    assert_eq!(stage.world.aws.objects(BUCKET).len(), 1);
    let both = pairs(&[("runner", "task-stopped"), ("mail", "task-stopped")]);
    assert_eq!(stage.found(&["--yes"]).await, both);
    stage.assert_nothing_left();
    stage.close().await;
}

/// Registrations that no task tells of: the label says whose they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_without_a_task_goes_if_it_is_this_stack_s() {
    let stage = Stage::new().await;
    let started = stage.by_hand(&["start", "--key", "k", "--wait", "running", "--output", "json"]).ok().await;
    let file = stage.stack_file(|stack| stack["name"] = "other".into());
    let foreign = stage.by_hand(&[
        "start",
        "--stack-file",
        &file,
        "--key",
        "k",
        "--wait",
        "running",
        "--output",
        "json",
    ]);
    let foreign = foreign.without("FLEETFOOT_STACK").ok().await;
    let add = |id: &str, label: &str| {
        stage.world.github.add_runner(REPOSITORY, &format!("ff-{id:0>32}"), &["self-hosted", label]).unwrap()
    };
    let own = add("1", &started.label());
    let (other, unknown) = (add("2", &foreign.label()), add("3", "linux"));
    let named = stage.world.github.add_runner(REPOSITORY, "ff-somebody", &["self-hosted"]).unwrap();

    let look = stage.by_hand(&["reap"]).ok().await;
    assert!(look.stdout.contains("it has no task"), "{look:#?}");
    assert!(look.stderr.contains("note: 2 offline runners named ff-…"), "{look:#?}");
    let json = stage.reap(&["--yes"]).ok().await.json();
    assert_eq!((&json["removed"], &json["unproven"]), (&json!(1), &json!(2)));
    assert_eq!(json["unwanted"][0]["runner_id"], own);
    assert_eq!((&json["unwanted"][0]["run"], &json["unwanted"][0]["key"]), (&json!("hand"), &json!("k")));
    let left: Vec<u64> = stage.world.github.runners().iter().map(|runner| runner.id).collect();
    for id in [other, unknown, named] {
        assert!(left.contains(&id), "{id}");
    }
    assert_eq!(stage.live_tasks().len(), 2);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_stack_s_things_are_never_touched() {
    let stage = Stage::as_fargate().await;
    let file = stage.stack_file(|stack| stack["name"] = "other".into());
    let other = |arguments: &[&str]| {
        stage.by_hand(&[arguments, &["--stack-file", &file]].concat()).without("FLEETFOOT_STACK")
    };
    other(&["start", "--key", "lives", "--wait", "none"]).ok().await;
    stage.arm("task-fails-to-start:network").await;
    other(&["start", "--key", "dies", "--wait", "none"]).ok().await;
    until("a task has stopped", || {
        stage.world.aws.tasks().iter().any(|task| task.status == TaskStatus::Stopped)
    })
    .await;
    assert_eq!(stage.found(&["--older-than", "1ms", "--yes"]).await, []);
    assert_eq!(stage.live_tasks().len(), 1);
    assert_eq!((stage.world.github.runners().len(), stage.world.aws.objects(BUCKET).len()), (2, 2));
    // Its own reap takes them.
    other(&["reap", "--older-than", "1ms", "--yes"]).ok().await;
    stage.assert_nothing_left();
    stage.close().await;
}

/// `kill -9` at each step of the road that leaves another trace.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_launcher_leaves_is_found() {
    for (service, operation) in [("ecs", "RunTask"), ("github", JITCONFIG), ("s3", "PutObject")] {
        let stage = Stage::as_fargate().await;
        let launcher = stage.in_job(&["start", "--count", "3"]).spawn();
        until(operation, || stage.count(service, operation) > 0).await;
        launcher.signal(Signal::SIGKILL);
        launcher.end().await;
        // ECS shows a new task only after a moment.
        tokio::time::sleep(Duration::from_secs(2)).await;
        stage.reap(&["--yes"]).ok().await;
        stage.assert_nothing_left();
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_list_the_bucket_is_told_and_goes_on() {
    let stage = Stage::new().await;
    stage.in_job(&["start", "--wait", "running"]).ok().await;
    let rights = ["ecs:*", "ssm:GetParameter", "s3:PutObject", "s3:DeleteObject"];
    let ran = stage.reap_with(&rights).ok().await;
    assert_eq!(ran.json()["removed"], 1);
    assert_eq!(ran.json()["notes"][0]["class"], "denied");
    let note = "note: cannot list the mailboxes in the bucket fleetfoot-demo-mailbox: AccessDenied";
    assert!(ran.stderr.contains(note) && ran.stderr.contains("s3:ListBucket"), "{ran:#?}");
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_away_is_named() {
    let stage = Stage::as_fargate().await;
    stage.in_job(&["start", "--wait", "none", "--count", "2"]).ok().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ran =
        stage.reap_with(&["ecs:ListTasks", "ecs:DescribeTasks", "ssm:GetParameter", "s3:*"]).run().await;
    assert_eq!(ran.code, 4, "{ran:#?}");
    let json = ran.json();
    assert_eq!((&json["removed"], &json["failed"]), (&json!(0), &json!(2)));
    let task = &stage.live_tasks()[0].arn;
    let named = format!("task {}: cannot stop the task", task.rsplit('/').next().unwrap());
    assert!(
        ran.stderr.contains("error: 2 could not be taken away: ") && ran.stderr.contains(&named),
        "{ran:#?}"
    );
    assert!(ran.stderr.contains("help: Allow ecs:StopTask on arn:aws:ecs:"), "{ran:#?}");
    // What could be done is done: neither task can be taken by a job any more.
    assert_eq!((stage.world.github.runners(), stage.world.aws.objects(BUCKET)), (vec![], vec![]));
    stage.reap(&["--yes"]).ok().await;
    stage.assert_nothing_left();
    stage.close().await;
}

/// Only GitHub's answer to a deletion tells that no job runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_registration_goes_before_its_task() {
    let stage = Stage::as_fargate().await;
    stage.in_job(&["start", "--wait", "none"]).ok().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = stage.world.book.calls().len();
    stage.reap(&["--yes"]).ok().await;
    let calls = &stage.world.book.calls()[before..];
    let at = |operation: &str| calls.iter().position(|call| call.operation == operation).unwrap();
    assert!(at(DELETE_RUNNER) < at("StopTask").min(at("DeleteObject")), "{calls:#?}");
    stage.close().await;
}

/// What one try does not get, another does.
#[tokio::test(flavor = "multi_thread")]
async fn a_moment_s_fault_is_outlived() {
    const FAULTS: [&str; 9] = [
        "ecs-throttle:ListTasks*5",
        "ecs-500:DescribeTasks*5",
        "ecs-500:StopTask*5",
        "rate-limit-secondary:403:1:get-runners",
        "rate-limit-secondary:429:1:get-run",
        "rate-limit-secondary:429:1:delete-runner",
        "github-502:delete-runner*5",
        "s3-fails:503:ListObjectsV2*5",
        "s3-fails:cut:DeleteObject*5",
    ];
    join_all(FAULTS.map(|fault| async move {
        let stage = Stage::new().await;
        stage.in_job(&["start", "--wait", "running"]).ok().await;
        stage.arm(fault).await;
        let json = stage.reap(&["--yes"]).ok().await.json();
        assert_eq!(json["removed"], 1, "{fault}: {json:#}");
        assert!(stage.fired().await > 0, "{fault} never fired");
        stage.assert_nothing_left();
        stage.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_organisation_the_task_tells_where_its_run_is() {
    let stage = Stage::new().await;
    let token = stage.token(&["admin:org", "repo"]);
    let url = format!("{}/octo-org", stage.world.github.server_url());
    let file = stage.stack_file(|stack| stack["github"]["url"] = url.into());
    let of_organization = |process: Fleetfoot| {
        let process = process.env("FLEETFOOT_GITHUB_TOKEN", &token).without("FLEETFOOT_STACK");
        process.env("FLEETFOOT_STACK_FILE", &file)
    };
    let run = stage.dispatch("  wait:\n    runs-on: [self-hosted, nobody]\n    steps: [run: 'true']\n");
    of_organization(start_for(&stage, run.id, &[])).ok().await;
    assert_eq!(of_organization(stage.reap(&["--yes"])).ok().await.json()["found"], 0);
    stage.world.github.cancel_run(run.id);
    run.end().await;
    let json = of_organization(stage.reap(&["--yes"])).ok().await.json();
    assert_eq!((&json["removed"], &json["unwanted"][0]["class"]), (&json!(1), &json!("run-over")));
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_job_can_do_it_by_variables_alone() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k", "--wait", "running"]).ok().await;
    let variables =
        [("FLEETFOOT_YES", "true"), ("FLEETFOOT_OLDER_THAN", "1ms"), ("FLEETFOOT_OUTPUT", "json")];
    let mut reap = stage.in_job(&["reap"]);
    for (name, value) in variables {
        reap = reap.env(name, value);
    }
    assert_eq!(reap.ok().await.json()["removed"], 1);
    let summary = stage.read("summary.md");
    assert!(summary.starts_with("### Fleetfoot: not wanted any more: 1 taken away\n\n| what"), "{summary}");
    assert!(summary.contains("by hand, key k"), "{summary}");
    stage.assert_nothing_left();
    stage.close().await;
}

/// Whoever cannot see the run's repository must not take its 404 for the end of the run.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_seen_is_not_over() {
    let stage = Stage::new().await;
    stage.in_job(&["start", "--wait", "running"]).ok().await;
    let blind = stage
        .world
        .github
        .add_token(
            fleetfoot::demo::world::ACTOR,
            TokenKind::FineGrained {
                resource_owner: "octo-org".into(),
                repositories: Some(vec![REPOSITORY.into()]),
                permissions: [("administration".to_owned(), Level::Write)].into_iter().collect(),
            },
        )
        .unwrap();
    let ran = stage.reap(&["--yes"]).env("FLEETFOOT_GITHUB_TOKEN", &blind).ok().await;
    assert_eq!(ran.json()["found"], 0);
    let note = &ran.json()["notes"][0];
    assert_eq!(note["class"], "denied");
    assert!(note["remedy"].as_str().unwrap().contains("Actions: read"), "{note}");
    assert!(ran.stderr.contains("note: cannot read the run 4711 of octo-org/demo"), "{ran:#?}");
    assert_eq!(stage.live_tasks().len(), 1);
    stage.close().await;
}
