//! Whole runs of workflows, without a runner: who may start when, with which labels and values.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fleetfoot_sim::protocol::Conclusion::{self, Cancelled, Failure, Skipped, Success};
use fleetfoot_sim::workflow::{
    EnvironmentScope, JobKey, Published, QueuedJob, Ready, ReadyState, Run, Start, StartError, Workflow,
};
use serde_json::json;

fn run_with(text: &str, start: Start) -> Run {
    let workflow = Workflow::parse(text, "w.yml", Path::new("/nowhere"), &Published::default())
        .unwrap_or_else(|error| panic!("{error}"));
    Run::new(Arc::new(workflow), start).unwrap_or_else(|error| panic!("{error}"))
}

fn run(jobs: &str) -> Run {
    run_with(&format!("on: push\njobs:\n{jobs}"), push())
}

fn push() -> Start {
    let github = json!({"repository": "o/r", "ref": "refs/heads/main"});
    Start { event_name: "push".to_owned(), github: github.as_object().unwrap().clone(), ..Start::default() }
}

/// A job with a step, and these keys.
fn job(id: &str, keys: &str) -> String {
    format!("  {id}: {{runs-on: x, steps: [{{run: 'true'}}], {keys}}}\n")
}

/// The names and states of what became ready.
fn ready(run: &mut Run) -> Vec<String> {
    run.take_ready().iter().map(shown).collect()
}

fn shown(ready: &Ready) -> String {
    let state = match &ready.state {
        ReadyState::Queued(_) => "queued".to_owned(),
        ReadyState::Skipped => "skipped".to_owned(),
        ReadyState::Cancelled => "cancelled".to_owned(),
        ReadyState::Failed(reason) => format!("failed: {reason}"),
    };
    format!("{} {state}", ready.name)
}

fn queued(run: &mut Run) -> Vec<QueuedJob> {
    let ready = run.take_ready().into_iter();
    ready
        .map(|ready| match ready.state {
            ReadyState::Queued(job) => *job,
            other => panic!("{} is {other:?}", ready.name),
        })
        .collect()
}

fn key(id: &str, index: usize) -> JobKey {
    JobKey { id: id.to_owned(), index }
}

fn end(run: &mut Run, id: &str, conclusion: Conclusion) -> Vec<JobKey> {
    run.complete(&key(id, 0), conclusion, BTreeMap::new())
}

fn outputs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The shape of the workflow that all this is for.
const ON_DEMAND: &str = r#"
name: On demand
run-name: Build for ${{ inputs.Env }}
on:
  workflow_dispatch:
    inputs:
      Env: { type: environment, required: true }
      LaunchMode: { type: choice, options: [EC2, Fargate], default: Fargate }
      Debug: { type: boolean, default: false }
permissions: { contents: read }
jobs:
  start:
    runs-on: ubuntu-latest
    environment: ${{ github.event.inputs.Env }}
    permissions: { id-token: write, contents: read }
    outputs:
      label: ${{ steps.label.outputs.label }}
    steps:
      - id: label
        run: echo "label=${{ vars.PREFIX }}-1" >> "$GITHUB_OUTPUT"
  build:
    needs: start
    runs-on: [self-hosted, "${{ needs.start.outputs.label }}"]
    steps:
      - run: make
  stop:
    needs: [start, build]
    if: always()
    runs-on: ubuntu-latest
    steps:
      - run: echo stop
"#;

fn on_demand() -> Start {
    let scope =
        EnvironmentScope { vars: outputs([("PREFIX", "dev")]), secrets: outputs([("ROLE", "arn:dev")]) };
    Start {
        event_name: "workflow_dispatch".to_owned(),
        inputs: outputs([("Env", "dev")]),
        vars: outputs([("PREFIX", "any"), ("OTHER", "o")]),
        secrets: outputs([("ROLE", "arn:any"), ("PAT", "p")]),
        environments: [("dev".to_owned(), scope)].into(),
        ..push()
    }
}

#[test]
fn a_label_made_by_one_job_routes_the_next() {
    let mut run = run_with(ON_DEMAND, on_demand());
    assert_eq!(run.name(), "Build for dev");
    let start = queued(&mut run).remove(0);
    assert_eq!(start.labels, ["ubuntu-latest"]);
    assert_eq!(start.environment.as_deref(), Some("dev"));
    assert!(start.permissions.id_token_write());
    assert_eq!(start.contexts["vars"], json!({"OTHER": "o", "PREFIX": "dev"}));
    assert_eq!(start.contexts["secrets"], json!({"PAT": "p", "ROLE": "arn:dev"}));
    assert_eq!(start.contexts["inputs"], json!({"Env": "dev", "LaunchMode": "Fargate", "Debug": false}));
    assert_eq!(start.contexts["github"]["event"]["inputs"]["Debug"], "false");
    assert_eq!(start.contexts["github"]["job"], "start");
    assert_eq!(start.body.timeout_minutes.to_string(), "360");

    assert!(ready(&mut run).is_empty());
    assert!(run.complete(&key("start", 0), Success, outputs([("label", "ff-1")])).is_empty());
    let build = queued(&mut run).remove(0);
    assert_eq!(build.labels, ["self-hosted", "ff-1"]);
    assert!(!build.permissions.id_token_write());
    assert_eq!(
        build.contexts["needs"],
        json!({"start": {"result": "success", "outputs": {"label": "ff-1"}}})
    );
    assert_eq!(build.contexts["vars"]["PREFIX"], "any");

    assert!(end(&mut run, "build", Failure).is_empty());
    assert_eq!(ready(&mut run), ["stop queued"]);
    assert_eq!(run.conclusion(), None);
    assert!(end(&mut run, "stop", Success).is_empty());
    assert_eq!(run.conclusion(), Some(Failure));
}

#[test]
fn a_label_that_was_never_made_fails_the_job_and_not_the_clean_up() {
    let mut run = run_with(ON_DEMAND, on_demand());
    ready(&mut run);
    assert!(end(&mut run, "start", Success).is_empty());
    let ready = ready(&mut run);
    assert!(ready[0].starts_with("build failed: a label of `runs-on` is empty"), "{ready:?}");
    assert_eq!(ready[1], "stop queued");
}

#[test]
fn inputs_are_checked_before_anything_starts() {
    let workflow =
        Arc::new(Workflow::parse(ON_DEMAND, "w.yml", Path::new("/nowhere"), &Published::default()).unwrap());
    assert_eq!(workflow.inputs().len(), 3);
    let refused = |inputs, event: &str| {
        let start = Start { inputs, event_name: event.to_owned(), ..on_demand() };
        Run::new(Arc::clone(&workflow), start).unwrap_err()
    };
    assert_eq!(refused(outputs([]), "workflow_dispatch"), StartError::MissingInput("Env".to_owned()));
    assert!(matches!(refused(outputs([]), "push"), StartError::NotTriggered { .. }));
    for (inputs, expected) in [
        (
            outputs([("Env", "dev"), ("Nope", "x")]),
            "the workflow has no input `Nope`: it has Env, LaunchMode, Debug",
        ),
        (
            outputs([("Env", "dev"), ("LaunchMode", "x")]),
            "the input `LaunchMode` cannot be `x`: it must be one of EC2, Fargate",
        ),
        (
            outputs([("Env", "dev"), ("Debug", "yes")]),
            "the input `Debug` cannot be `yes`: it must be true or false",
        ),
    ] {
        assert_eq!(refused(inputs, "workflow_dispatch").to_string(), expected);
    }
}

#[test]
fn a_failure_skips_what_needs_it_but_not_what_asks_for_it() {
    let jobs = [
        job("a", "needs: []"),
        job("plain", "needs: a"),
        job("failure", "needs: a, if: failure()"),
        job("both", "needs: [a], if: 'always() && needs.a.result == ''FAILURE'''"),
        job("behind", "needs: plain"),
        job("negated", "needs: a, if: '!success()'"),
    ];
    let mut run = run(&jobs.concat());
    assert_eq!(ready(&mut run), ["a queued"]);
    assert!(end(&mut run, "a", Failure).is_empty());
    assert_eq!(
        ready(&mut run),
        ["plain skipped", "behind skipped", "failure queued", "both queued", "negated queued"]
    );
}

/// A job behind a skipped one is skipped, whatever stands between them, unless it says otherwise.
#[test]
fn success_looks_at_all_jobs_before() {
    let jobs = [
        job("a", "if: false"),
        job("b", "needs: a, if: always()"),
        job("c", "needs: b"),
        job("d", "needs: b, if: '!failure()'"),
    ];
    let mut run = run(&jobs.concat());
    assert_eq!(ready(&mut run), ["a skipped", "b queued"]);
    assert!(end(&mut run, "b", Success).is_empty());
    assert_eq!(ready(&mut run), ["c skipped", "d queued"]);
}

#[test]
fn all_skipped_is_skipped() {
    let mut run = run(&job("a", "if: false"));
    assert_eq!(ready(&mut run), ["a skipped"]);
    assert_eq!(run.conclusion(), Some(Skipped));
}

#[test]
fn a_matrix_makes_jobs_with_names_labels_and_contexts() {
    let text = r#"
on: push
jobs:
  list:
    runs-on: x
    steps: [{ run: "true" }]
  test:
    needs: list
    strategy:
      max-parallel: 2
      matrix: ${{ fromJSON(needs.list.outputs.matrix) }}
    name: Test ${{ matrix.v }}
    runs-on: { group: big, labels: ["l-${{ matrix.v }}"] }
    timeout-minutes: ${{ matrix.v }}
    continue-on-error: ${{ matrix.v == 3 }}
    steps: [{ run: "true" }]
  plain:
    strategy: { matrix: { os: [a, b], n: [{ x: 1 }] } }
    runs-on: ${{ fromJSON('["self-hosted", "y"]') }}
    steps: [{ run: "true" }]
  after:
    needs: test
    runs-on: x
    steps: [{ run: "true" }]
"#;
    let mut run = run_with(text, push());
    assert_eq!(ready(&mut run), ["list queued", "plain (a, 1) queued", "plain (b, 1) queued"]);
    assert!(run.complete(&key("list", 0), Success, outputs([("matrix", r#"{"v": [1, 2, 3]}"#)])).is_empty());
    let first = run.take_ready();
    assert_eq!(first.iter().map(shown).collect::<Vec<_>>(), ["Test 1 queued", "Test 2 queued"]);
    let ReadyState::Queued(job) = &first[1].state else { panic!("not queued") };
    assert_eq!((job.labels.as_slice(), job.group.as_deref()), (["l-2".to_owned()].as_slice(), Some("big")));
    assert_eq!(
        job.contexts["strategy"],
        json!({"fail-fast": true, "job-index": 1, "job-total": 3, "max-parallel": 2})
    );
    assert_eq!(job.contexts["matrix"], json!({"v": 2}));
    assert!((job.body.timeout_minutes - 2.0).abs() < f64::EPSILON);

    assert!(end(&mut run, "test", Success).is_empty());
    assert_eq!(ready(&mut run), ["Test 3 queued"]);
    assert!(run.complete(&key("test", 1), Success, outputs([("a", "1")])).is_empty());
    // This one may fail: nobody is stopped, and the matrix is a success all the same.
    assert!(run.complete(&key("test", 2), Failure, outputs([("a", ""), ("b", "2")])).is_empty());
    let after = queued(&mut run).remove(0);
    assert_eq!(
        after.contexts["needs"]["test"],
        json!({"result": "success", "outputs": {"a": "1", "b": "2"}})
    );
}

#[test]
fn fail_fast_stops_the_rest_of_a_matrix() {
    let matrix =
        |more: &str| job("m", &format!("strategy: {{matrix: {{v: [1, 2, 3]}}, max-parallel: 2, {more}}}"));
    let mut fast = run(&matrix(""));
    assert_eq!(ready(&mut fast).len(), 2);
    assert_eq!(end(&mut fast, "m", Failure), [key("m", 1)]);
    assert_eq!(ready(&mut fast), ["m (3) cancelled"]);
    assert!(fast.complete(&key("m", 1), Cancelled, outputs([])).is_empty());
    assert_eq!(fast.conclusion(), Some(Failure));

    let mut slow = run(&matrix("fail-fast: false"));
    ready(&mut slow);
    assert!(end(&mut slow, "m", Failure).is_empty());
    assert_eq!(ready(&mut slow), ["m (3) queued"]);
}

#[test]
fn a_matrix_that_cannot_be_made_fails() {
    let mut run = run(&job("m", "strategy: {matrix: '${{ fromJSON(''[]'') }}'}"));
    assert_eq!(ready(&mut run), ["m failed: `matrix` is no mapping"]);
    assert_eq!(run.conclusion(), Some(Failure));
}

#[test]
fn cancelling_spares_what_must_run_even_so() {
    let jobs = [
        job("a", "needs: []"),
        job("guard", "if: always()"),
        job("b", "needs: a"),
        job("c", "needs: a, if: cancelled()"),
    ];
    let mut run = run(&jobs.concat());
    assert_eq!(ready(&mut run).len(), 2);
    assert_eq!(run.cancel(), [key("a", 0)]);
    assert!(ready(&mut run).is_empty());
    assert!(end(&mut run, "a", Cancelled).is_empty());
    assert_eq!(ready(&mut run), ["b cancelled", "c queued"]);
    assert!(end(&mut run, "guard", Success).is_empty());
    assert!(end(&mut run, "c", Success).is_empty());
    assert_eq!(run.conclusion(), Some(Cancelled));
}

#[test]
fn the_live_view_knows_jobs_that_wait() {
    let jobs = [job("a", "needs: []"), job("m", "needs: a, strategy: {matrix: {v: [1, 2]}}")];
    let mut run = run(&jobs.concat());
    ready(&mut run);
    let names = |run: &Run| run.jobs().into_iter().map(|job| (job.name, job.ready)).collect::<Vec<_>>();
    assert_eq!(names(&run), [("a".to_owned(), true), ("m".to_owned(), false)]);
    assert!(end(&mut run, "a", Success).is_empty());
    ready(&mut run);
    assert_eq!(names(&run)[1..], [("m (1)".to_owned(), true), ("m (2)".to_owned(), true)]);
}

#[test]
fn ends_that_make_no_sense_change_nothing() {
    let mut run = run(&job("a", "needs: []"));
    assert!(end(&mut run, "a", Success).is_empty());
    assert_eq!(run.conclusion(), None);
    ready(&mut run);
    assert!(end(&mut run, "nobody", Failure).is_empty());
    assert!(end(&mut run, "a", Success).is_empty());
    assert!(end(&mut run, "a", Failure).is_empty());
    assert_eq!(run.conclusion(), Some(Success));
}

#[test]
fn permissions_of_the_job_replace_those_of_the_workflow() {
    use fleetfoot_sim::workflow::Access;
    let text = |permissions: &str| {
        format!(
            "on: push\n{permissions}jobs:\n{}{}",
            job("a", "needs: []"),
            job("b", "permissions: {issues: write}")
        )
    };
    let of = |permissions: &str| {
        let jobs = queued(&mut run_with(&text(permissions), push()));
        (jobs[0].permissions.clone(), jobs[1].permissions.clone())
    };
    let (default, own) = of("");
    assert_eq!(
        (default.get("contents"), default.get("issues"), default.id_token_write()),
        (Access::Read, Access::None, false)
    );
    assert_eq!(own.iter().collect::<Vec<_>>(), [("issues", Access::Write)]);
    assert!(of("permissions: write-all\n").0.id_token_write());
    let (read, _) = of("permissions: read-all\n");
    assert_eq!((read.get("actions"), read.id_token_write()), (Access::Read, false));
    assert_eq!(of("permissions: {}\n").0.iter().count(), 0);
}
