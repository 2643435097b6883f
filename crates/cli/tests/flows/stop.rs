//! `fleetfoot stop`: which runners it finds, which it leaves alone, what it says.

use std::fs;

use fleetfoot_sim::aws::TaskStatus;
use fleetfoot_sim::events::JobStatus;
use fleetfoot_sim::protocol::Conclusion;
use serde_json::json;

use crate::common::{IMAGE, RUNNER, RUNNERS, Run, START, Stage, until};

/// Starts a runner under this key; gives its label and its task.
pub(crate) async fn start(stage: &Stage, key: &str) -> (String, String) {
    let ran = stage.by_hand(&["start", "--key", key, "--output", "json"]).ok().await;
    (ran.label(), ran.tasks().remove(0))
}

fn live(stage: &Stage) -> Vec<String> {
    stage.live_tasks().into_iter().map(|task| task.arn).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_all_starts_of_this_run_and_of_no_other() {
    let stage = Stage::new().await;
    let other = ("GITHUB_RUN_ID", "47110");
    for key in ["one", "two"] {
        stage.in_job(&["start", "--key", key, "--wait", "running"]).ok().await;
    }
    let stays =
        stage.in_job(&["start", "--wait", "running", "--output", "json"]).env(other.0, other.1).ok().await;
    let stopped = stage.in_job(&["stop", "--output", "json"]).ok().await.json();
    assert_eq!(stopped["stopped"], 2);
    assert_eq!(live(&stage), stays.tasks());
    let left: Vec<_> = stage.world.github.runners().into_iter().map(|runner| runner.labels).collect();
    assert!(left.len() == 1 && left[0].contains(&stays.label()), "{left:?}");
    stage.close().await;
}

/// "Re-run failed jobs" does not run a start again that has succeeded.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_attempt_stops_what_an_earlier_one_started() {
    let stage = Stage::new().await;
    for (arguments, number) in
        [(&["start", "--wait", "running"][..], "1"), (&["stop", "--key", "launch"], "3")]
    {
        stage.in_job(arguments).env("GITHUB_RUN_ATTEMPT", number).ok().await;
    }
    stage.assert_nothing_left();
    stage.in_job(&["start", "--wait", "running"]).ok().await;
    stage.in_job(&["stop"]).env("GITHUB_RUN_ATTEMPT", "2").ok().await;
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key() {
    let stage = Stage::new().await;
    start(&stage, "k").await;
    let (_, other) = start(&stage, "kk").await;
    stage.by_hand(&["stop", "--key", "k"]).ok().await;
    assert_eq!(live(&stage), [other]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_run_and_key_from_anywhere() {
    let stage = Stage::new().await;
    for key in ["one", "two"] {
        stage.in_job(&["start", "--key", key, "--wait", "running"]).ok().await;
    }
    stage.by_hand(&["stop", "--run-id", "4711", "--key", "one"]).ok().await;
    let left = stage.live_tasks();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].started_by.as_deref(), Some("fleetfoot/demo/4711-1/two"));
    stage.by_hand(&["stop", "--run-id", "4711"]).ok().await;
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_label() {
    let stage = Stage::new().await;
    let (label, _) = start(&stage, "k").await;
    let (_, other) = start(&stage, "other").await;
    stage.by_hand(&["stop", "--label", &label]).ok().await;
    assert_eq!(live(&stage), [other]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_task_arn() {
    let stage = Stage::new().await;
    let (_, first) = start(&stage, "k").await;
    let (_, second) = start(&stage, "k2").await;
    let (_, other) = start(&stage, "other").await;
    stage.by_hand(&["stop", "--task", &first, "--task", &second]).ok().await;
    assert_eq!(live(&stage), [other]);
    stage.close().await;
}

/// The start step was cancelled or failed: its outputs are empty, its runners are there.
#[tokio::test(flavor = "multi_thread")]
async fn no_output_of_the_start_step_is_needed() {
    let stage = Stage::new().await;
    let stop = "
  stop:
    needs: start
    if: always()
    runs-on: ubuntu-latest
    environment: dev
    permissions: { id-token: write }
    steps:
      - run: fleetfoot stop
        env: AS_LAUNCHER
";
    let start =
        START.replace("exec fleetfoot start ARGS", "fleetfoot start && echo > $GITHUB_OUTPUT && exit 1");
    let run = stage.dispatch(&(start + stop));
    assert_eq!(run.end().await, Conclusion::Failure);
    assert_eq!(run.job("stop").status, JobStatus::Completed(Conclusion::Success), "{}", run.logs());
    assert_eq!(stage.launches().len(), 1);
    stage.assert_nothing_left();
    stage.close().await;
}

/// A job on this label that says that it runs and ends when the file `go` is there.
pub(crate) fn waiting_job<'a>(stage: &'a Stage, label: &str) -> Run<'a> {
    let folder = stage.path("");
    stage.dispatch(&format!(
        "  build:
    runs-on: [self-hosted, {label}]
    steps:
      - run: |
          cd {}
          trap 'exit 130' INT
          : > runs
          until [ -e go ]; do sleep 0.05; done
",
        folder.display()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_runner_is_never_stopped() {
    let stage = Stage::new().await;
    let (label, task) = start(&stage, "k").await;
    let run = waiting_job(&stage, &label);
    until("the job runs", || stage.path("runs").exists()).await;

    let ran = stage.by_hand(&["stop", "--key", "k", "--output", "json"]).ok().await;
    assert_eq!((&ran.json()["busy"], &ran.json()["stopped"]), (&json!(1), &json!(0)), "{ran:#?}");
    assert_eq!(ran.json()["runners"][0]["busy"], true);
    let said = stage.by_hand(&["stop", "--key", "k"]).ok().await.stdout;
    assert!(said.contains("1 left alone because a job runs there (--force stops it)"), "{said}");
    assert_eq!(live(&stage), [task]);
    assert_eq!(stage.count("ecs", "StopTask"), 0);

    fs::write(stage.path("go"), "").unwrap();
    run.succeeds().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unless_it_is_forced() {
    let stage = Stage::new().await;
    let (label, _) = start(&stage, "k").await;
    let _run = waiting_job(&stage, &label);
    until("the job runs", || stage.path("runs").exists()).await;
    let ran = stage.by_hand(&["stop", "--key", "k", "--force", "--output", "json"]).ok().await;
    assert_eq!(ran.json()["stopped"], 1, "{ran:#?}");
    assert_eq!(live(&stage), [""; 0]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_is_as_good_as_once() {
    let stage = Stage::new().await;
    start(&stage, "k").await;
    stage.by_hand(&["stop", "--key", "k", "--wait"]).ok().await;
    let again = stage.by_hand(&["stop", "--key", "k"]).ok().await;
    assert_eq!(again.stdout, "no runner to stop\n");
    let task = stage.world.aws.tasks()[0].arn.clone();
    let by_task = stage.by_hand(&["stop", "--task", &task, "--output", "json"]).ok().await.json();
    assert_eq!((&by_task["stopped"], &by_task["gone"]), (&json!(0), &json!(1)));
    assert_eq!(by_task["runners"][0]["outcome"], "stopped");
    assert_eq!(stage.count("ecs", "StopTask"), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stops_at_once_do_not_disturb_each_other() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k", "--count", "3"]).ok().await;
    let stop = ["stop", "--key", "k"];
    tokio::join!(stage.by_hand(&stop).ok(), stage.by_hand(&stop).ok());
    stage.assert_nothing_left();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_another_stack_is_refused() {
    let stage = Stage::new().await;
    let file = stage.stack_file(|stack| stack["name"] = "other".into());
    let foreign = ["start", "--stack-file", &file, "--key", "k", "--wait", "running", "--output", "json"];
    let task = stage.by_hand(&foreign).without("FLEETFOOT_STACK").ok().await.tasks().remove(0);
    until("the task can be seen", || stage.world.aws.tasks()[0].times.connectivity.is_some()).await;
    let said = stage.by_hand(&["stop", "--task", &task, "--force"]).fails(2).await;
    assert_eq!(
        said,
        format!(
            "error: task {task} was not started by the stack demo\n  help: Stop only what fleetfoot has started; see \
             the task's startedBy.\n"
        )
    );
    assert_eq!(live(&stage), [task]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phases_and_cost_are_printed() {
    let stage = Stage::new().await;
    start(&stage, "k").await;
    let said = stage.by_hand(&["stop", "--key", "k", "--wait"]).ok().await.stdout;
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("runners: 1 stopped"));
    let header: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(
        header,
        ["runner", "capacity", "provisioning", "pulling", "starting", "online", "gone", "cost", "outcome"]
    );
    let row: Vec<&str> = lines.nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row.len(), header.len(), "{said}");
    assert!(row[0].starts_with("ff-") && row[1] == "FARGATE", "{said}");
    assert!(row[2..7].iter().all(|time| time.ends_with('s')), "{said}");
    // A minute at least: 1 vCPU, 2 GB and a public address.
    assert_eq!(row[7..], ["$0.00091", "stopped"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_s_summary_has_a_table() {
    let stage = Stage::new().await;
    stage.in_job(&["start"]).ok().await;
    let name = stage.world.github.runners()[0].name.clone();
    stage
        .in_job(&["stop"])
        .env("GITHUB_STEP_SUMMARY", &stage.path("stop.md").display().to_string())
        .ok()
        .await;
    let summary = stage.read("stop.md");
    assert!(summary.starts_with("### Fleetfoot: runners: 1 stopped\n\n| runner"), "{summary}");
    assert!(summary.contains(&name), "{summary}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_waits_until_the_tasks_have_stopped() {
    let stage = Stage::new().await;
    start(&stage, "k").await;
    let json = stage.by_hand(&["stop", "--key", "k", "--wait", "--output", "json"]).ok().await.json();
    assert_eq!(stage.world.aws.tasks()[0].status, TaskStatus::Stopped);
    let runner = &json["runners"][0];
    assert!(runner["phases"]["gone"].is_string(), "{json:#}");
    assert_eq!(runner["end"]["stop_code"], "UserInitiated");
    assert!(runner["cost"].as_f64().unwrap() > 0.0, "{json:#}");
    stage.close().await;
}

/// Each runner is looked up and deleted; nobody else's is even listed.
#[tokio::test(flavor = "multi_thread")]
async fn the_calls_to_github_do_not_grow_with_other_runners() {
    let stage = Stage::new().await;
    stage.add_others(200);
    start(&stage, "k").await;
    let before = stage.world.book.calls().len();
    stage.by_hand(&["stop", "--key", "k"]).ok().await;
    let calls = &stage.world.book.calls()[before..];
    let asked: Vec<&str> =
        calls.iter().filter(|call| call.service == "github").map(|call| call.operation.as_str()).collect();
    assert_eq!(asked, [RUNNERS, &RUNNER.replace("GET", "DELETE")]);
    let found = calls.iter().find(|call| call.operation == RUNNERS).unwrap();
    assert_eq!(found.response.as_ref().unwrap()["total_count"], 1, "{found:?}");
    stage.close().await;
}

/// The usual case: the job is over and its task has stopped when the stop job comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_left_after_its_job_is_no_work() {
    let stage = Stage::new().await;
    let (label, task) = start(&stage, "k").await;
    let job = format!("  build:\n    runs-on: [self-hosted, {label}]\n    steps: [run: 'true']\n");
    stage.dispatch(&job).succeeds().await;
    until("the task has stopped", || stage.world.aws.tasks()[0].status == TaskStatus::Stopped).await;
    for wait in [&[][..], &["--wait"]] {
        let stop = [&["stop", "--task", &task, "--timeout", "5s", "--output", "json"], wait].concat();
        let json = stage.by_hand(&stop).ok().await.json();
        assert_eq!((&json["stopped"], &json["gone"]), (&json!(0), &json!(1)));
        assert_eq!(json["runners"][0]["end"]["exit_code"], 0);
    }
    assert_eq!(stage.count("ecs", "StopTask"), 0);
    stage.close().await;
}

/// Killed in its job, the runner is busy for GitHub until it is missed, minutes later.
#[tokio::test(flavor = "multi_thread")]
async fn a_forced_stop_that_waits_does_not_wait_for_github() {
    let stage = Stage::new().await;
    // Its stop timeout is shorter than the grace that the agent gives a job.
    stage.use_image(IMAGE);
    let (label, _) = start(&stage, "k").await;
    let _run = waiting_job(&stage, &label);
    until("the job runs", || stage.path("runs").exists()).await;
    let stop = ["stop", "--key", "k", "--force", "--wait", "--timeout", "15s", "--output", "json"];
    let json = stage.by_hand(&stop).ok().await.json();
    assert_eq!(json["stopped"], 1, "{json:#}");
    assert_eq!(json["runners"][0]["end"]["exit_code"], 137, "{json:#}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_can_be_given_by_variables_alone() {
    let stage = Stage::new().await;
    let mut labels = Vec::new();
    for key in ["one", "two", "three"] {
        labels.push(start(&stage, key).await);
    }
    let stop =
        || stage.by_hand(&["stop"]).env("FLEETFOOT_WAIT_STOPPED", "true").env("FLEETFOOT_OUTPUT", "json");
    for (variable, value) in
        [("FLEETFOOT_KEY", "one"), ("FLEETFOOT_RUN_LABEL", &labels[1].0), ("FLEETFOOT_TASK", &labels[2].1)]
    {
        let json = stop().env(variable, value).ok().await.json();
        assert_eq!(
            (&json["stopped"], &json["runners"][0]["end"]["exit_code"].is_null()),
            (&json!(1), &false)
        );
    }
    assert_eq!(live(&stage), [""; 0]);
    stage.close().await;
}
