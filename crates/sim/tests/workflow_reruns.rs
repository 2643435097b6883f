//! Which jobs run once more, by GitHub's rules, and with what.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fleetfoot_sim::protocol::Conclusion::{self, Cancelled, Failure, Success};
use fleetfoot_sim::workflow::{Again, JobKey, Published, QueuedJob, ReadyState, Run, Start, Workflow};
use serde_json::json;

fn start(jobs: &str) -> Run {
    let text = format!("on: push\njobs:\n{jobs}");
    let workflow = Workflow::parse(&text, "w.yml", Path::new("/nowhere"), &Published::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let github = json!({"run_attempt": "1", "triggering_actor": "mona"});
    let start = Start {
        event_name: "push".to_owned(),
        github: github.as_object().unwrap().clone(),
        ..Start::default()
    };
    Run::new(Arc::new(workflow), start).unwrap()
}

fn job(id: &str, keys: &str) -> String {
    format!("  {id}: {{runs-on: x, steps: [{{run: 'true'}}], {keys}}}\n")
}

fn key(id: &str, index: usize) -> JobKey {
    JobKey { id: id.to_owned(), index }
}

/// Lets every job that is handed out end like this, until the run is over; gives the names in their order.
fn play(run: &mut Run, end: impl Fn(&str) -> Conclusion) -> Vec<String> {
    let mut played = Vec::new();
    while run.conclusion().is_none() {
        let ready = run.take_ready();
        assert!(!ready.is_empty(), "{run:?}");
        for ready in ready {
            if let ReadyState::Queued(_) = ready.state {
                let outputs = BTreeMap::from([("label".to_owned(), format!("of-{}", ready.name))]);
                let interrupted = run.complete(&ready.key, end(&ready.name), outputs);
                assert!(interrupted.is_empty(), "{interrupted:?}");
                played.push(ready.name);
            }
        }
    }
    played
}

fn queued(run: &mut Run) -> Vec<QueuedJob> {
    let jobs = run.take_ready().into_iter().map(|ready| match ready.state {
        ReadyState::Queued(job) => *job,
        other => panic!("{} is {other:?}", ready.name),
    });
    jobs.collect()
}

/// The shape of all workflows that start runners: the label of the first job routes the second.
fn on_demand() -> Run {
    start(
        &[
            job("start", "outputs: {label: '${{ steps.s.outputs.label }}'}"),
            "  build: {needs: start, runs-on: '${{ needs.start.outputs.label }}', steps: [{run: x}]}\n"
                .into(),
            job("stop", "needs: [start, build], if: always()"),
            job("other", "needs: []"),
        ]
        .concat(),
    )
}

#[test]
fn failed_jobs_run_again_with_those_that_depend_on_them_and_not_with_those_they_need() {
    let mut run = on_demand();
    assert_eq!(play(&mut run, |job| if job == "build" { Failure } else { Success }).len(), 4);
    assert!(run.rerun(&Again::Failed, 2, "eve"));
    assert_eq!(run.conclusion(), None);
    let build = queued(&mut run).remove(0);
    assert_eq!(build.labels, ["of-start"], "the output of the job that is not run again is kept");
    let github = &build.contexts["github"];
    assert_eq!((&github["run_attempt"], &github["triggering_actor"]), (&json!("2"), &json!("eve")));
    assert!(run.complete(&key("build", 0), Success, BTreeMap::new()).is_empty());
    assert_eq!(play(&mut run, |_| Success), ["stop"]);
    assert_eq!(run.conclusion(), Some(Success));
}

#[test]
fn one_job_runs_again_with_those_that_depend_on_it() {
    let mut run = on_demand();
    play(&mut run, |job| if job == "build" { Failure } else { Success });
    assert!(run.rerun(&Again::Job(key("start", 0)), 2, "eve"));
    assert_eq!(play(&mut run, |_| Success), ["start", "build", "stop"]);
    assert!(run.rerun(&Again::Job(key("stop", 0)), 3, "eve"));
    assert_eq!(play(&mut run, |_| Success), ["stop"]);
    assert!(!run.rerun(&Again::Job(key("nobody", 0)), 4, "eve"));
    assert_eq!(run.conclusion(), Some(Success));
}

#[test]
fn where_nothing_failed_there_is_nothing_to_run_again() {
    let mut run = on_demand();
    play(&mut run, |_| Success);
    assert!(!run.rerun(&Again::Failed, 2, "eve"));
    run.restart(2, "eve");
    assert_eq!(play(&mut run, |_| Success), ["start", "other", "build", "stop"]);
}

/// GitHub shows such a job as failed though the run is a success.
#[test]
fn a_failure_that_is_forgiven_counts_as_failed_all_the_same() {
    let jobs = [job("red", "continue-on-error: true"), job("next", "needs: red"), job("green", "needs: []")];
    let mut run = start(&jobs.concat());
    play(&mut run, |job| if job == "red" { Failure } else { Success });
    assert_eq!(run.conclusion(), Some(Success));
    assert!(run.rerun(&Again::Failed, 2, "eve"));
    assert_eq!(play(&mut run, |_| Success), ["red", "next"]);
}

#[test]
fn of_a_matrix_those_that_failed_or_were_cancelled_run_again() {
    let matrix = job(
        "m",
        "strategy: {fail-fast: false, matrix: {v: [1, 2, 3]}}, env: {ATTEMPT: '${{ github.run_attempt }}'}",
    );
    let mut run = start(&(matrix + &job("after", "needs: m, if: always()")));
    let ends = |job: &str| match job {
        "m (1)" => Failure,
        "m (3)" => Cancelled,
        _ => Success,
    };
    assert_eq!(play(&mut run, ends).len(), 4);
    assert!(run.rerun(&Again::Failed, 2, "eve"));
    assert_eq!(play(&mut run, |_| Success), ["m (1)", "m (3)", "after"]);
    assert!(run.rerun(&Again::Job(key("m", 1)), 3, "eve"));
    let one = queued(&mut run);
    assert_eq!((one.len(), &one[0].contexts["matrix"]), (1, &json!({"v": 2})));
}

#[test]
fn what_was_skipped_because_of_a_failure_gets_its_turn() {
    let mut run = start(&[job("a", "needs: []"), job("b", "needs: a"), job("c", "needs: b")].concat());
    assert_eq!(play(&mut run, |_| Failure), ["a"]);
    assert!(run.rerun(&Again::Failed, 2, "eve"));
    assert_eq!(play(&mut run, |_| Success), ["a", "b", "c"]);
}

#[test]
fn a_cancelled_run_can_run_again() {
    let mut run = start(&[job("a", "needs: []"), job("b", "needs: a")].concat());
    run.take_ready();
    assert_eq!(run.cancel(), [key("a", 0)]);
    assert!(run.complete(&key("a", 0), Cancelled, BTreeMap::new()).is_empty());
    run.take_ready();
    assert_eq!(run.conclusion(), Some(Cancelled));
    assert!(run.rerun(&Again::Failed, 2, "eve"));
    assert_eq!(play(&mut run, |_| Success), ["a", "b"]);
}

/// A start and a build in one called workflow are no better off than beside each other.
#[test]
fn in_a_called_workflow_the_same_holds() {
    let folder = tempfile::tempdir().unwrap();
    let lib =
        format!("on: workflow_call\njobs:\n{}{}", job("start", "needs: []"), job("build", "needs: start"));
    std::fs::write(folder.path().join("lib.yml"), lib).unwrap();
    let text = format!(
        "on: push\njobs:\n  call: {{uses: ./.github/workflows/lib.yml}}\n{}",
        job("after", "needs: call")
    );
    let workflow = Workflow::parse(&text, "w.yml", folder.path(), &Published::default()).unwrap();
    let mut run =
        Run::new(Arc::new(workflow), Start { event_name: "push".to_owned(), ..Start::default() }).unwrap();
    let ends = |job: &str| if job == "call / build" { Failure } else { Success };
    assert_eq!(play(&mut run, ends), ["call / start", "call / build"]);
    assert!(run.rerun(&Again::Failed, 2, "eve"));
    assert_eq!(play(&mut run, |_| Success), ["call / build", "after"]);
    assert!(run.rerun(&Again::Job(key("call/start", 0)), 3, "eve"));
    assert_eq!(play(&mut run, |_| Success), ["call / start", "call / build", "after"]);
}
