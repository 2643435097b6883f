//! Whole runs: real shells on the hosted machine and on a runner that was not there before.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetfoot_sim::events::JobStatus;
use fleetfoot_sim::github::{Dispatch, DispatchError};
use fleetfoot_sim::protocol::Conclusion;
use fleetfoot_sim::runner;
use reqwest::Method;
use serde_json::json;

use super::service::Hand;
use super::world::{RUNNERS, World, eventually};

const ON_DEMAND: &str = r#"
name: On demand
on:
  workflow_dispatch:
    inputs:
      greeting: { type: string, default: hello }
permissions: { contents: read, id-token: write }
jobs:
  start:
    runs-on: ubuntu-latest
    outputs:
      label: ${{ steps.label.outputs.label }}
    steps:
      - id: label
        run: |
          test -n "$ACTIONS_ID_TOKEN_REQUEST_URL"
          echo "label=ff-$GITHUB_RUN_ID" >> "$GITHUB_OUTPUT"
  build:
    needs: start
    runs-on: ${{ needs.start.outputs.label }}
    env:
      KEY: ${{ secrets.DEPLOY_KEY }}
    steps:
      - run: echo "${{ inputs.greeting }} from $RUNNER_NAME with $KEY"
  stop:
    if: always()
    needs: [start, build]
    runs-on: ubuntu-latest
    steps:
      - run: echo "build was ${{ needs.build.result }}"
"#;

#[tokio::test]
async fn a_job_runs_on_a_runner_that_was_not_there_before() {
    let world = World::new().await;
    let workflow = world.workflow(ON_DEMAND);
    let mut dispatch = Dispatch::new("octo/demo", workflow, "mona");
    dispatch.inputs = BTreeMap::from([("greeting".into(), "good day".into())]);
    let run = world.sim.dispatch(&dispatch).unwrap();

    let build = || world.sim.run(run)?.jobs.into_iter().find(|job| job.key == "build");
    let queued = eventually(|| build().filter(|job| job.status == JobStatus::Queued)).await;
    assert_eq!(queued.labels, [format!("ff-{run}")]);
    let (_, encoded) = world.register("fresh", &["self-hosted", &queued.labels[0]]).await;

    let root = world.folder.path().join("runner");
    std::fs::create_dir_all(&root).unwrap();
    let mut options = runner::Options::new(Some(encoded), root, Box::new(std::io::sink()));
    options.environment.insert("PATH".into(), std::env::var("PATH").unwrap());
    let code = tokio::time::timeout(Duration::from_secs(30), runner::run(options)).await.unwrap();
    assert_eq!(code, 0);

    let conclusion = tokio::time::timeout(Duration::from_secs(30), world.sim.wait_run(run)).await.unwrap();
    assert_eq!(conclusion, Some(Conclusion::Success), "{:#?}", world.sim.run(run));
    let jobs = world.sim.run(run).unwrap().jobs;
    let log = world.sim.job_log(jobs[1].id).unwrap();
    assert!(log.iter().any(|line| line == "good day from fresh with ***"), "{log:#?}");
    let log = world.sim.job_log(jobs[2].id).unwrap();
    assert!(log.iter().any(|line| line == "build was success"), "{log:#?}");
    assert!(world.sim.runners().is_empty());

    // The REST API tells the same story.
    let shown = world.get(&world.admin, &format!("/repos/octo/demo/actions/runs/{run}")).await.body;
    assert_eq!((&shown["status"], &shown["conclusion"]), (&json!("completed"), &json!("success")));
    let listed = world.get(&world.admin, &format!("/repos/octo/demo/actions/runs/{run}/jobs")).await.body;
    assert_eq!(listed["total_count"], 3);
    assert_eq!(listed["jobs"][0]["runner_group_name"], "GitHub Actions");
    let logs = format!("/repos/octo/demo/actions/jobs/{}/logs", jobs[1].id);
    let redirect = world.get(&world.admin, &logs).await;
    assert_eq!(redirect.status, 302);
    let text = world.raw(Method::GET, redirect.header("location"), "", None).await;
    assert!(text.body.as_str().unwrap().contains("good day from fresh"), "{}", text.body);
    assert!(!serde_json::to_string(&world.book.calls()).unwrap().contains("s3cr3t-value"));
    world.end().await;
}

#[tokio::test]
async fn the_token_of_a_job_never_registers_a_runner() {
    let world = World::new().await;
    let workflow = world.workflow(
        "on: workflow_dispatch\npermissions: write-all\njobs: { a: { runs-on: x, steps: [{ run: echo }] } }\n",
    );
    world.sim.dispatch(&Dispatch::new("octo/demo", workflow, "mona")).unwrap();
    let (_, hand) = Hand::online(&world, "r", &["x"]).await;
    let message = hand.begin().await;
    let token = message["contexts"]["github"]["token"].as_str().unwrap();
    assert_eq!(message["contexts"]["secrets"]["GITHUB_TOKEN"], json!(token));
    let masks = message["masks"].as_array().unwrap();
    assert!(masks.contains(&json!(token)) && masks.contains(&json!("s3cr3t-value")));
    assert!(message["environment"].get("GITHUB_TOKEN").is_none());
    for (variable, wanted) in [
        ("CI", "true"),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REPOSITORY", "octo/demo"),
        ("GITHUB_REPOSITORY_OWNER", "octo"),
        ("GITHUB_ACTOR", "mona"),
        ("GITHUB_JOB", "a"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_REF_NAME", "main"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_RUN_NUMBER", "1"),
        ("GITHUB_EVENT_NAME", "workflow_dispatch"),
        ("GITHUB_API_URL", &world.sim.api_url()),
        ("GITHUB_SERVER_URL", &world.sim.server_url()),
        ("RUNNER_NAME", "r"),
    ] {
        assert_eq!(message["environment"][variable], json!(wanted), "{variable}");
    }

    let run = &message["run_id"];
    assert_eq!(world.get(token, &format!("/repos/octo/demo/actions/runs/{run}")).await.status, 200);
    let jit = json!({ "name": "n", "runner_group_id": 1, "labels": ["x"] });
    let got = world.post(token, &format!("{RUNNERS}/generate-jitconfig"), jit).await;
    assert_eq!((got.status, got.message()), (403, "Resource not accessible by integration"));
    hand.finish(&message["job_id"], "success").await;
    assert_eq!(world.get(token, "/repos/octo/demo").await.status, 401, "it ends with its job");
    world.end().await;
}

#[tokio::test]
async fn a_hosted_job_is_cancelled_in_the_middle() {
    let world = World::new().await;
    let workflow = world.workflow(
        "on: workflow_dispatch\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: sleep 60 }] } }\n",
    );
    let run = world.sim.dispatch(&Dispatch::new("octo/demo", workflow, "mona")).unwrap();
    eventually(|| (!world.sim.run(run)?.jobs[0].steps.is_empty()).then_some(())).await;
    assert!(world.sim.cancel_run(run));
    let conclusion = tokio::time::timeout(Duration::from_secs(30), world.sim.wait_run(run)).await.unwrap();
    assert_eq!(conclusion, Some(Conclusion::Cancelled));
    world.end().await;
}

#[tokio::test]
async fn machines_that_are_not_simulated_fail_their_job() {
    let world = World::new().await;
    let workflow = world
        .workflow("on: workflow_dispatch\njobs: { a: { runs-on: macos-latest, steps: [{ run: echo }] } }\n");
    let run = world.sim.dispatch(&Dispatch::new("octo/demo", workflow, "mona")).unwrap();
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Failure));
    let job = world.sim.run(run).unwrap().jobs.remove(0);
    assert!(job.annotations[0].message.contains("macos-latest"), "{:?}", job.annotations);
    world.end().await;
}

#[tokio::test]
async fn runs_that_cannot_start_say_why() {
    let world = World::new().await;
    let workflow = world.workflow(ON_DEMAND);
    let refused = |dispatch: Dispatch| world.sim.dispatch(&dispatch).unwrap_err();
    let nowhere = refused(Dispatch::new("octo/nowhere", &workflow, "mona"));
    assert!(matches!(nowhere, DispatchError::UnknownRepository(_)), "{nowhere}");
    let nobody = refused(Dispatch::new("octo/demo", &workflow, "nobody"));
    assert!(matches!(nobody, DispatchError::UnknownActor(_)), "{nobody}");
    let absent = refused(Dispatch::new("octo/demo", ".github/workflows/absent.yml", "mona"));
    assert!(matches!(absent, DispatchError::Load(_)), "{absent}");
    let mut unfit = Dispatch::new("octo/demo", &workflow, "mona");
    unfit.inputs.insert("unknown".into(), "x".into());
    let unfit = refused(unfit);
    assert!(matches!(unfit, DispatchError::Start(_)), "{unfit}");
    assert!(world.sim.runs().is_empty());
    assert_eq!(world.sim.wait_run(1).await, None);
    world.end().await;
}
