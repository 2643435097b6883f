//! The workflows in `examples/`, as they stand there, each with what it is there to show.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use fleetfoot::demo::action::publish;
use fleetfoot_sim::workflow::Workflow;
use serde_json::Value;

use crate::common::{PROGRAM, Stage, process::Ran};
use crate::demo::Machine;
use crate::demo_serve::results;
use crate::snippets::{self, Snippet};

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../examples"].iter().collect()
}

fn example(name: &str) -> String {
    folder().join(name).display().to_string()
}

/// Runs an example with these arguments of `demo`; gives what it came to.
async fn demo(name: &str, arguments: &[&str]) -> Value {
    let ran = run(name, arguments).await;
    assert_eq!(ran.code, 0, "{ran:#?}");
    let json = ran.json();
    assert_eq!(json["conclusion"], "success", "{json:#}");
    json
}

async fn run(name: &str, arguments: &[&str]) -> Ran {
    let machine = Machine::new();
    let file = example(name);
    let ran = machine.fleetfoot(&[&["demo", &file, "--output", "json"][..], arguments].concat()).run().await;
    machine.assert_clean();
    ran
}

/// Name, attempt and result of every job.
fn jobs(json: &Value) -> Vec<(&str, u64, &str)> {
    let jobs = json["jobs"].as_array().unwrap().iter();
    jobs.map(|job| {
        let text = |key: &str| job[key].as_str().unwrap_or("-");
        (text("name"), job["attempt"].as_u64().unwrap(), text("conclusion"))
    })
    .collect()
}

/// The runners of jobs that ran on ours.
fn runners(json: &Value) -> Vec<&str> {
    let names = json["jobs"].as_array().unwrap().iter().filter_map(|job| job["runner"].as_str());
    names.filter(|name| name.starts_with("ff-")).collect()
}

fn capacities(json: &Value) -> Vec<&str> {
    json["runners"].as_array().unwrap().iter().map(|runner| runner["capacity"].as_str().unwrap()).collect()
}

/// A new example needs a test here and a line in the folder's README.
#[test]
fn every_example_is_tested_and_told_of() {
    let tested = [
        "arm-spot.yml",
        "autoscaler.yml",
        "call-ecs-build.yml",
        "deploy.yml",
        "ecs-build.yml",
        "matrix.yml",
        "on-demand.yml",
        "rerun.yml",
        "several-jobs.yml",
    ];
    let files =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = files.filter(|name| name != "README.md").collect();
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), tested);
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for name in tested {
        assert!(readme.contains(&format!("({name})")), "README.md does not link to {name}");
    }
}

/// Whoever copies a workflow from a page shall not be the first to try it.
#[test]
fn what_the_pages_show_is_understood() {
    let root = folder().join("..");
    let home = tempfile::tempdir().unwrap();
    let published = publish(home.path()).unwrap();
    let snippets = snippets::all(&root).unwrap();
    assert!(snippets.iter().any(|snippet| snippet.page == "README.md"), "the README shows one");
    for Snippet { page, line, workflow } in snippets {
        let read = Workflow::parse(&workflow, &page, &root, &published);
        read.unwrap_or_else(|error| panic!("the workflow at {page}:{line}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_demand_builds_on_a_runner_that_was_not_there() {
    let json = demo("on-demand.yml", &["--input", "LaunchMode=EC2"]).await;
    assert_eq!(capacities(&json), ["fleetfoot-demo-ec2"]);
    assert_eq!(runners(&json).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_name_a_scale_set_need_no_start_and_can_be_run_again() {
    let flaky = ["--serve", "--input", "flaky=true"];
    let once = run("autoscaler.yml", &flaky);
    let again = [&flaky[..], &["--rerun", "failed"]].concat();
    let (ran, once, again) =
        tokio::join!(run("autoscaler.yml", &["--serve"]), once, run("autoscaler.yml", &again));
    assert_eq!(ran.code, 0, "{ran:#?}");
    let json = ran.json();
    let jobs = ["lint", "test (1)", "test (2)", "test (3)", "package"];
    assert_eq!(results(&json), jobs.map(|job| (job, "success")));
    assert_eq!(
        capacities(&json).iter().filter(|on| **on == "FARGATE").count(),
        3,
        "lint, and two that are warm"
    );

    assert_eq!((once.code, results(&once.json())[2]), (1, ("test (2)", "failure")), "{once:#?}");
    assert_eq!(
        (again.code, results(&again.json())),
        (0, jobs.map(|job| (job, "success")).into()),
        "{again:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matrix_gets_a_runner_for_each_of_its_jobs() {
    let json = demo("matrix.yml", &[]).await;
    let distinct: BTreeSet<&str> = runners(&json).into_iter().collect();
    assert_eq!(distinct.len(), 3, "{json:#}");
    let launches =
        json["calls"].as_array().unwrap().iter().find(|call| call["operation"] == "RunTask").unwrap();
    assert_eq!(launches["count"], 1, "one call for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_jobs_each_have_a_runner_and_stop_takes_the_rest() {
    let json = demo("several-jobs.yml", &[]).await;
    assert_eq!(runners(&json).len(), 3);

    let ran = run("several-jobs.yml", &["--input", "fail=true"]).await;
    let json = ran.json();
    assert_eq!(
        jobs(&json),
        [
            ("start", 1, "success"),
            ("lint", 1, "failure"),
            ("test", 1, "skipped"),
            ("package", 1, "skipped"),
            ("stop", 1, "success")
        ]
    );
    assert!(ran.stderr.contains("runners: 2 stopped, 1 had left already"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("(started by the job start) did not succeed. To run it again, re-run the job")
    );
    assert_eq!(json["runners"].as_array().unwrap().len(), 3);
}

/// What does not work, and what does.
#[tokio::test(flavor = "multi_thread")]
async fn failed_jobs_that_need_their_start_wait_in_vain_and_re_running_the_start_helps() {
    let ran = run("several-jobs.yml", &["--input", "fail=true", "--rerun", "failed"]).await;
    assert_eq!(ran.code, 1);
    let json = ran.json();
    assert_eq!(jobs(&json)[..2], [("start", 1, "success"), ("lint", 2, "cancelled")], "{json:#}");
    assert!(
        ran.stderr.contains("lint waits for a runner with the labels self-hosted, ff-"),
        "{}",
        ran.stderr
    );

    let ran = run("several-jobs.yml", &["--input", "fail=true", "--rerun", "start"]).await;
    let json = ran.json();
    // It fails again, because it is told to; but it ran.
    assert_eq!(jobs(&json)[..2], [("start", 2, "success"), ("lint", 2, "failure")], "{json:#}");
    assert_eq!(runners(&json).len(), 1);
    assert_eq!(json["runners"].as_array().unwrap().len(), 6, "three for each attempt");
}

/// The role trusts the environment `production` and nothing else, as the example's head says it should.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_starts_from_its_environment_only() {
    let stage = Stage::new().await;
    let workflow = fs::read_to_string(example("deploy.yml")).unwrap();
    let jobs = |text: &str| text.split_once("\njobs:\n").unwrap().1.to_owned();
    // The stop is somebody else's, in an environment of its own.
    let without_stop = |jobs: String| jobs.split("\n  stop:").next().unwrap().to_owned() + "\n";
    stage.only_trust("repo:octo-org/demo:environment:production");
    let refused = without_stop(jobs(&workflow)).replace("environment: production", "environment: dev");
    let run = stage.dispatch(&refused);
    run.end().await;
    assert!(
        run.log("start").contains("the token's sub is repo:octo-org/demo:environment:dev"),
        "{}",
        run.logs()
    );
    stage.assert_nothing_asked_for();
    stage.close().await;

    let json = demo("deploy.yml", &[]).await;
    assert_eq!(runners(&json).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn arm_runs_on_spot_else_on_demand_else_at_github() {
    let json = demo("arm-spot.yml", &[]).await;
    assert_eq!(capacities(&json), ["FARGATE_SPOT"]);
    let cheap = json["cost"].as_f64().unwrap();

    let json = demo("arm-spot.yml", &["--fault", "no-capacity:FARGATE_SPOT"]).await;
    assert_eq!(capacities(&json), ["FARGATE"]);
    assert!(json["cost"].as_f64().unwrap() > 2.0 * cheap, "{json:#}");

    let ran = run("arm-spot.yml", &["--fault", "no-capacity:FARGATE_SPOT no-capacity:FARGATE"]).await;
    let json = ran.json();
    assert_eq!(jobs(&json).iter().filter(|job| job.2 == "success").count(), 3, "{json:#}");
    assert!(runners(&json).is_empty() && ran.stderr.contains("built on GitHub Actions"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reusable_workflow_needs_one_use() {
    let ran = run("call-ecs-build.yml", &[]).await;
    assert_eq!(ran.code, 0, "{ran:#?}");
    let json = ran.json();
    let names: Vec<&str> = jobs(&json).into_iter().map(|job| job.0).collect();
    assert_eq!(
        names,
        [
            "test / start",
            "test / build",
            "test / stop",
            "package / start",
            "package / build",
            "package / stop",
            "report"
        ]
    );
    assert_eq!(capacities(&json), ["FARGATE", "FARGATE_SPOT"]);
    let [test, package] = runners(&json)[..] else { panic!("{json:#}") };
    let said = format!("tested on {test}, packaged on {package}");
    assert!(ran.stderr.contains(&said), "{said}: {}", ran.stderr);

    let machine = Machine::new();
    let alone = machine.fleetfoot(&["demo", &example("ecs-build.yml")]).fails(2).await;
    assert!(alone.contains("the workflow ecs-build starts by nothing itself"), "{alone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn re_run_failed_jobs_works_where_the_start_holds() {
    let json = demo("rerun.yml", &[]).await;
    assert_eq!(jobs(&json), [("label", 1, "success"), ("runner", 1, "success"), ("build", 1, "success")]);

    let json = demo("rerun.yml", &["--input", "flaky=true", "--rerun", "failed"]).await;
    assert_eq!(jobs(&json), [("label", 1, "success"), ("runner", 2, "success"), ("build", 2, "success")]);
    assert_eq!(json["runners"].as_array().unwrap().len(), 2, "a fresh one for each attempt");

    let ran = run("rerun.yml", &["--input", "flaky=true"]).await;
    assert_eq!(jobs(&ran.json())[1..], [("runner", 1, "failure"), ("build", 1, "failure")]);
    assert!(!ran.stderr.contains("re-run the job that started its runner"), "here the button works");
    assert!(ran.stderr.contains("so that \"Re-run failed jobs\" runs both again"), "{}", ran.stderr);
}

/// A demo that was built elsewhere has no checkout.
#[tokio::test(flavor = "multi_thread")]
async fn examples_need_nothing_but_themselves() {
    let home = tempfile::tempdir().unwrap();
    for name in ["call-ecs-build.yml", "ecs-build.yml"] {
        fs::copy(example(name), home.path().join(name)).unwrap();
    }
    let ran = tokio::process::Command::new(PROGRAM)
        .args(["demo", "call-ecs-build.yml"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(home.path())
        .output()
        .await
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}
