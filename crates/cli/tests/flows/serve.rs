//! `fleetfoot serve`: jobs that name a scale set, and the runners that appear for them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use fleetfoot::demo::world::ACTOR;
use fleetfoot_sim::github::Rerun;
use fleetfoot_sim::protocol::Conclusion;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::{Collector, Fleetfoot, Stage, until};

/// A scale set of the stack.
const SET: &str = "my-pool";

/// Two jobs that need no start job.
const JOBS: &str = "
  one:
    runs-on: my-pool
    steps:
      - run: echo \"one on $RUNNER_NAME\"
  two:
    runs-on: my-pool
    steps:
      - run: echo \"two on $RUNNER_NAME\"
";

impl Stage {
    /// The autoscaler over a stack with this scale set, changed.
    fn serve(&self, change: impl FnOnce(&mut Value)) -> Fleetfoot {
        let stack = self.stack_file(|stack| {
            stack["scale_sets"] = json!([{ "name": SET, "pool": "Fargate", "max": 4 }]);
            change(stack);
        });
        let serve = ["serve", "--stack-file", stack.as_str(), "--listen", "127.0.0.1:0"];
        self.by_hand(&serve).without("FLEETFOOT_STACK").env("FLEETFOOT_GRACE", "1s")
    }

    /// GitHub gives the sessions up, as it does some minutes after their last poll.
    fn give_sessions_up(&self) {
        for set in self.world.github.scale_sets() {
            self.world.github.end_session(set.id);
        }
    }

    fn live(&self) -> usize {
        self.live_tasks().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_name_a_scale_set_get_a_runner_each() {
    let stage = Stage::new().await;
    let serving = stage.serve(|_| {}).spawn();
    let run = stage.dispatch(JOBS);
    run.succeeds().await;
    let runners = [run.job("one").runner, run.job("two").runner].map(Option::unwrap);
    assert_ne!(runners[0], runners[1], "a runner is good for one job");
    until("the tasks have stopped", || stage.live() == 0).await;
    serving.signal(Signal::SIGTERM);
    let end = serving.end().await;
    assert_eq!(end.code, 0, "{end:#?}");
    assert!(end.stdout.contains("\"message\":\"job ended\""), "{end:#?}");
    assert_eq!(stage.world.github.runners().len(), 0, "no registration is left");
    stage.close().await;
}

/// With a start job the label would be one of an attempt that is over; a scale set's name is good for ever.
#[tokio::test(flavor = "multi_thread")]
async fn re_run_failed_jobs_needs_no_care() {
    let stage = Stage::new().await;
    let serving = stage.serve(|_| {}).spawn();
    let jobs = JOBS.replace("echo \"two", "test $GITHUB_RUN_ATTEMPT -gt 1 && echo \"two");
    let run = stage.dispatch(&jobs);
    assert_eq!(run.end().await, Conclusion::Failure, "{}", run.logs());
    let first = [run.job("one"), run.job("two")];
    stage.world.github.rerun(run.id, Rerun::Failed, ACTOR).unwrap();
    run.succeeds().await;
    assert_eq!(run.job("one").id, first[0].id, "it was not run again");
    assert_eq!(run.job("two").attempt, 2);
    assert_ne!(run.job("two").runner, first[1].runner);
    assert_eq!(stage.world.aws.tasks().len(), 3, "one task a job");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.code, 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_and_warm_tasks_are_kept() {
    let stage = Stage::new().await;
    let serving = stage
        .serve(|stack| {
            stack["scale_sets"][0]["min"] = 1.into();
            stack["pools"][0]["warm"] = 2.into();
        })
        .spawn();
    until("a runner waits and two tasks are warm", || {
        stage.live() == 3 && stage.world.github.runners().len() == 1
    })
    .await;
    let run = stage.dispatch(JOBS);
    run.succeeds().await;
    until("all is as before", || stage.live() == 3 && stage.world.github.runners().len() == 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.live(), 3);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.code, 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_another_goes_on() {
    let stage = Stage::new().await;
    // A job that outlives the autoscaler that has brought its runner.
    let long = "
  one:
    runs-on: my-pool
    steps:
      - run: sleep 4
  two:
    runs-on: my-pool
    steps:
      - run: sleep 4
";
    let run = stage.dispatch(long);
    for pause in [200, 500, 900] {
        let mut serving = stage.serve(|_| {}).spawn();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        serving.child().kill().await.unwrap();
        stage.give_sessions_up();
    }
    let serving = stage.serve(|_| {}).spawn();
    run.succeeds().await;
    until("the tasks have stopped", || stage.live() == 0).await;
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.code, 0);
    assert_eq!(stage.world.aws.tasks().len(), 2, "no task was started twice");
    assert_eq!(stage.world.github.runners().len(), 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_acts_and_the_other_takes_over() {
    let stage = Stage::new().await;
    let mut first = stage.serve(|_| {}).spawn();
    stage.dispatch(JOBS).succeeds().await;
    let second = stage.serve(|_| {}).spawn();
    stage.dispatch(JOBS).succeeds().await;
    first.child().kill().await.unwrap();
    stage.give_sessions_up();
    stage.dispatch(JOBS).succeeds().await;
    second.signal(Signal::SIGTERM);
    let end = second.end().await;
    assert_eq!(end.code, 0, "{end:#?}");
    let led = end.stdout.matches("\"message\":\"leading\"").count();
    assert_eq!(led, 1, "{}", end.stdout);
    assert_eq!(stage.world.aws.tasks().len(), 6, "one task a job");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_hands_over_within_ten_seconds_and_loses_nothing() {
    let stage = Stage::new().await;
    let first = stage.serve(|_| {}).spawn();
    let run = stage.dispatch(JOBS);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let second = stage.serve(|_| {}).spawn();
    let told = std::time::Instant::now();
    first.signal(Signal::SIGTERM);
    assert_eq!(first.end().await.code, 0);
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
    run.succeeds().await;
    second.signal(Signal::SIGTERM);
    assert_eq!(second.end().await.code, 0);
    assert_eq!(stage.world.aws.tasks().len(), 2, "one task a job");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_takes_a_warm_task_and_the_pool_is_filled_again() {
    let stage = Stage::new().await;
    let warm = |stack: &mut Value| stack["pools"][0]["warm"] = 2.into();
    let serving = stage.serve(warm).spawn();
    let running = || stage.live_tasks().iter().filter(|task| task.times.started.is_some()).count();
    until("two tasks are warm", || running() == 2).await;
    let stack = stage.path("stack.json").display().to_string();
    let start = ["start", "--stack-file", stack.as_str(), "--key", "k", "--count", "3", "--output", "json"];
    let ran = stage.by_hand(&start).without("FLEETFOOT_STACK").ok().await;
    let whose: Vec<Option<String>> = ran
        .tasks()
        .iter()
        .map(|arn| stage.world.aws.tasks().into_iter().find(|task| task.arn == *arn).unwrap().started_by)
        .collect();
    let of_pool = whose.iter().filter(|by| by.as_deref() == Some("fleetfoot/demo/Fargate")).count();
    assert_eq!((of_pool, whose.len()), (2, 3), "two were warm, one was launched: {whose:?}");
    let label = ran.label();
    let answering = |runner: &fleetfoot_sim::github::RunnerSnapshot| runner.labels.contains(&label);
    assert_eq!(stage.world.github.runners().iter().filter(|runner| answering(runner)).count(), 3);
    until("the pool is filled again", || running() == 5).await;
    let stop = ["stop", "--stack-file", stack.as_str(), "--key", "k", "--wait", "--output", "json"];
    let stopped = stage.by_hand(&stop).without("FLEETFOOT_STACK").ok().await.json();
    assert_eq!(stopped["runners"].as_array().map(Vec::len), Some(3), "{stopped:#}");
    until("only the warm tasks are left", || stage.live() == 2).await;
    assert_eq!(stage.world.github.runners().len(), 0);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.code, 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_queue_of_events_tasks_need_not_be_looked_at() {
    let stage = Stage::new().await;
    let queue = stage.world.aws.create_queue("task-changes");
    stage.world.aws.send_task_events(fleetfoot::demo::world::CLUSTER, "task-changes");
    let with_queue = |stack: &mut Value| stack["events_queue"] = queue.into();
    let serving = stage.serve(with_queue).env("FLEETFOOT_POLL", "10m").spawn();
    stage.dispatch(JOBS).succeeds().await;
    until("the tasks have stopped", || stage.live() == 0).await;
    // The last event follows its change.
    tokio::time::sleep(Duration::from_secs(1)).await;
    until("the events were taken off the queue", || {
        stage.world.aws.queue_messages("task-changes").is_empty()
    })
    .await;
    let looks = stage.world.book.calls().iter().filter(|call| call.operation == "DescribeTasks").count();
    // One at the beginning, with nothing to describe, makes no call.
    assert_eq!(looks, 0);
    serving.signal(Signal::SIGTERM);
    let end = serving.end().await;
    assert_eq!(end.code, 0, "{end:#?}");
    assert_eq!(end.stdout.matches("\"message\":\"task stopped\"").count(), 2, "{}", end.stdout);
    stage.close().await;
}

/// An attribute of a span.
fn told<'a>(span: &'a Value, key: &str) -> &'a str {
    let all = span["attributes"].as_array().unwrap();
    let one = all.iter().find(|told| told["key"] == key).unwrap_or_else(|| panic!("{key}: {span:#}"));
    one["value"]["stringValue"].as_str().unwrap()
}

fn is_hex(id: &Value, length: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    id.as_str().is_some_and(|id| id.len() == length && id.bytes().all(is_digit))
}

/// A moment, as OTLP writes one.
fn nanoseconds(span: &Value, key: &str) -> u64 {
    span[key].as_str().unwrap_or_else(|| panic!("{key} is no string: {span:#}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_runner_is_a_trace_at_a_collector_that_is_not_there_at_first() {
    let stage = Stage::new().await;
    let collector = Collector::answering([StatusCode::SERVICE_UNAVAILABLE]).await;
    let serving = stage
        .serve(|_| {})
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.address)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=very%20secret")
        .env("OTEL_SERVICE_NAME", "runners")
        .spawn();
    // One ends while the other runs: the first export is about it alone, and meets a collector that is down.
    let run = stage.dispatch(&JOBS.replace("echo \"two", "sleep 3; echo \"two"));
    until("an export was refused", || collector.refused() == 1).await;
    assert_eq!(stage.live(), 1, "the other job runs on");
    run.succeeds().await;
    let roots = || collector.spans().into_iter().filter(|span| span["name"] == "runner").collect::<Vec<_>>();
    until("both runners are told of", || roots().len() == 2).await;
    serving.signal(Signal::SIGTERM);
    let end = serving.end().await;
    assert_eq!(end.code, 0, "{end:#?}");
    for (line, times) in [("traces are not taken", 1), ("traces are taken again", 1), ("very secret", 0)] {
        let found = (end.stdout.clone() + &end.stderr).matches(line).count();
        assert_eq!(found, times, "{line}: {end:#?}");
    }
    for (headers, export) in collector.taken() {
        assert_eq!(headers["api-key"], "very secret");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(told(&export["resourceSpans"][0]["resource"], "service.name"), "runners");
    }

    let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for span in collector.spans() {
        assert!(is_hex(&span["traceId"], 32) && is_hex(&span["spanId"], 16), "{span:#}");
        assert_eq!((&span["kind"], &span["status"]), (&json!(1), &Value::Null), "{span:#}");
        let [start, end] = ["startTimeUnixNano", "endTimeUnixNano"].map(|key| nanoseconds(&span, key));
        assert!(1_700_000_000_000_000_000 < start && start <= end, "{span:#}");
        traces.entry(span["traceId"].as_str().unwrap().to_owned()).or_default().push(span);
    }
    assert_eq!(traces.len(), 2, "one trace a runner");
    for job in ["one", "two"] {
        let (runner, id) = (run.job(job).runner.unwrap(), run.id.to_string());
        let root = roots().into_iter().find(|root| told(root, "cicd.worker.name") == runner).unwrap();
        let tasks = stage.world.aws.tasks();
        let task = tasks.iter().find(|task| task.arn == told(&root, "aws.ecs.task.arn")).unwrap();
        assert!(task.arn.ends_with(root["traceId"].as_str().unwrap()), "the trace's id is the task's");
        for (key, value) in [
            ("fleetfoot.scale_set", SET),
            ("fleetfoot.pool", "Fargate"),
            ("fleetfoot.outcome", "done"),
            ("cicd.pipeline.run.id", &id),
            ("cicd.pipeline.task.run.result", "success"),
        ] {
            assert_eq!(told(&root, key), value, "{key}");
        }
        let phases = &traces[root["traceId"].as_str().unwrap()][1..];
        assert!(phases.iter().all(|phase| phase["parentSpanId"] == root["spanId"]), "{phases:#?}");
        let names: Vec<&str> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
        let expected = ["requested", "provisioning", "pulling", "starting", "bound", "job", "done"];
        assert_eq!(names, expected);
        let [from, to] = ["startTimeUnixNano", "endTimeUnixNano"].map(|key| nanoseconds(&phases[5], key));
        assert_eq!(to - from > 2_000_000_000, job == "two", "how long {job} ran");
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_cannot_be_spoken_to_is_refused_before_anything_is_begun() {
    let stage = Stage::new().await;
    let said = stage
        .serve(|_| {})
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .fails(2)
        .await;
    assert!(said.contains("OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\""), "{said}");
    assert_eq!(stage.world.book.calls().len(), 0, "nobody was called");
    stage.close().await;
}
