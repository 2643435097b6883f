//! Runs that are run again, through GitHub's API.

use fleetfoot_sim::events::JobStatus;
use fleetfoot_sim::github::{Dispatch, Level, Rerun, RerunError};
use fleetfoot_sim::protocol::Conclusion;
use serde_json::json;

use super::service::Hand;
use super::world::{World, eventually};

/// A job on a hosted machine makes a label, a job on a runner with that label follows.
const ON_DEMAND: &str = r#"
on: workflow_dispatch
jobs:
  start:
    runs-on: ubuntu-latest
    outputs: { label: "${{ steps.l.outputs.label }}" }
    steps: [{ id: l, run: 'echo "label=ff-$GITHUB_RUN_ATTEMPT" >> "$GITHUB_OUTPUT"' }]
  build:
    needs: start
    runs-on: ${{ needs.start.outputs.label }}
    steps: [{ run: make }]
"#;

const RUNS: &str = "/repos/octo/demo/actions/runs";

/// Starts the workflow and lets its build fail on a runner.
async fn failed(world: &World) -> u64 {
    let run = world.sim.dispatch(&Dispatch::new("octo/demo", world.workflow(ON_DEMAND), "mona")).unwrap();
    build(world, run, "one", "ff-1", "failure").await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Failure));
    run
}

/// Lets the build of a run end like this, on a runner with the label.
async fn build(world: &World, run: u64, runner: &str, label: &str, end: &str) {
    eventually(|| {
        let jobs = world.sim.run(run)?.jobs;
        jobs.into_iter().find(|job| job.key == "build" && job.status == JobStatus::Queued)
    })
    .await;
    let (_, hand) = Hand::online(world, runner, &[label]).await;
    let message = hand.begin().await;
    hand.finish(&message["job_id"], end).await;
}

#[tokio::test]
async fn failed_jobs_run_again_and_the_others_keep_what_they_were() {
    let world = World::new().await;
    let run = failed(&world).await;
    let before = world.sim.run(run).unwrap();
    let got = world.post(&world.admin, &format!("{RUNS}/{run}/rerun-failed-jobs"), json!({})).await;
    assert_eq!((got.status, &got.body), (201, &json!({})));

    let shown = world.get(&world.admin, &format!("{RUNS}/{run}")).await.body;
    assert_eq!(
        (&shown["run_attempt"], &shown["status"], &shown["conclusion"]),
        (&json!(2), &json!("queued"), &json!(null))
    );
    assert!(shown["previous_attempt_url"].as_str().unwrap().ends_with("/attempts/1"));
    let jobs = world.sim.run(run).unwrap().jobs;
    assert_eq!(
        jobs.iter().map(|job| (job.key.as_str(), job.attempt)).collect::<Vec<_>>(),
        [("start", 1), ("build", 2)]
    );
    assert_eq!(jobs[0].id, before.jobs[0].id);
    assert_ne!(jobs[1].id, before.jobs[1].id);
    assert_eq!(jobs[1].labels, ["ff-1"], "the label of the start that is not run again");

    let listed = |filter: &str| format!("{RUNS}/{run}/jobs?filter={filter}");
    assert_eq!(world.get(&world.admin, &listed("latest")).await.body["total_count"], 2);
    assert_eq!(world.get(&world.admin, &listed("all")).await.body["total_count"], 3);

    build(&world, run, "two", "ff-1", "success").await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Success));
    let again = world.post(&world.admin, &format!("{RUNS}/{run}/rerun-failed-jobs"), json!({})).await;
    assert_eq!((again.status, again.message()), (403, "This workflow run has no failed jobs to re-run"));
    world.end().await;
}

#[tokio::test]
async fn one_job_runs_again_with_those_that_need_it() {
    let world = World::new().await;
    let run = failed(&world).await;
    let start = world.sim.run(run).unwrap().jobs[0].id;
    let path = format!("/repos/octo/demo/actions/jobs/{start}/rerun");
    assert_eq!(world.post(&world.admin, &path, json!({})).await.status, 201);
    build(&world, run, "two", "ff-2", "success").await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Success));
    assert!(world.sim.run(run).unwrap().jobs.iter().all(|job| job.attempt == 2));

    let old = world.post(&world.admin, &path, json!({})).await;
    assert_eq!((old.status, old.message()), (403, "Only jobs from the current attempt can be re-run"));
    assert_eq!(world.post(&world.admin, &format!("{RUNS}/{run}/rerun"), json!({})).await.status, 201);
    build(&world, run, "three", "ff-3", "success").await;
    assert_eq!(world.sim.wait_run(run).await, Some(Conclusion::Success));
    world.end().await;
}

#[tokio::test]
async fn what_cannot_run_again_says_why() {
    let world = World::new().await;
    let workflow = world.workflow(ON_DEMAND);
    let run = world.sim.dispatch(&Dispatch::new("octo/demo", workflow, "mona")).unwrap();
    for path in ["rerun", "rerun-failed-jobs"] {
        let got = world.post(&world.admin, &format!("{RUNS}/{run}/{path}"), json!({})).await;
        assert_eq!((got.status, got.message()), (403, "This workflow is already running"));
    }
    let start = world.sim.run(run).unwrap().jobs[0].id;
    let job = format!("/repos/octo/demo/actions/jobs/{start}/rerun");
    let got = world.post(&world.admin, &job, json!({})).await;
    assert_eq!((got.status, got.message()), (403, "The workflow run containing this job is already running"));
    build(&world, run, "one", "ff-1", "failure").await;
    world.sim.wait_run(run).await;

    let reader = world.fine_grained(&[("actions", Level::Read)]);
    assert_eq!(world.post(&reader, &format!("{RUNS}/{run}/rerun"), json!({})).await.status, 403);
    let debug = json!({ "enable_debug_logging": true });
    assert_eq!(world.post(&world.admin, &format!("{RUNS}/{run}/rerun"), debug).await.status, 403);
    assert_eq!(world.post(&world.admin, &format!("{RUNS}/1/rerun"), json!({})).await.status, 404);
    assert_eq!(world.sim.rerun(run, Rerun::Failed, "nobody"), Err(RerunError::NotFound));
    world.end().await;
}

/// The token of an attempt says which one it is.
#[tokio::test]
async fn jobs_know_their_attempt() {
    let world = World::new().await;
    let run = failed(&world).await;
    world.sim.rerun(run, Rerun::Failed, "mona").unwrap();
    let (_, hand) = Hand::online(&world, "two", &["ff-1"]).await;
    let message = hand.begin().await;
    assert_eq!(message["environment"]["GITHUB_RUN_ATTEMPT"], "2");
    assert_eq!(message["contexts"]["github"]["run_attempt"], "2");
    assert_eq!(message["contexts"]["github"]["triggering_actor"], "mona");
    world.end().await;
}
