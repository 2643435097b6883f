//! `fleetfoot demo --serve`: the real autoscaler on any machine, with nothing installed, and nothing left behind.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::demo::{Machine, drain, read_on, read_until};

/// Every job's name and result, run by run.
pub(crate) fn results(json: &Value) -> Vec<(&str, &str)> {
    let runs = json["runs"].as_array().unwrap().iter();
    let jobs = runs.flat_map(|run| run["jobs"].as_array().unwrap());
    jobs.map(|job| (job["name"].as_str().unwrap(), job["conclusion"].as_str().unwrap_or("-"))).collect()
}

/// What is left, and how often two calls were made, in a summary.
fn of_two(json: &Value) -> bool {
    json["left"]["as_wanted"] == true && json["left"]["tasks"] == json!({ "Fargate": 2 })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_workflow_gets_a_runner_for_each_job() {
    let machine = Machine::new();
    let said = machine.fleetfoot(&["demo", "--serve"]).ok().await.stdout;
    for (what, text) in [
        ("what is real", "GitHub and AWS are simulated on this machine; `fleetfoot serve` is real"),
        ("that it leads", " serve                    leading; "),
        ("how things stand", "s serve                    Jobs: "),
        ("a job in progress", "lint                     ● in progress on ff-"),
        ("a runner's phase", "◆ busy"),
        ("a job's log", "packaged on ff-"),
        ("its jobs", "\nJobs of autoscaler\n job "),
        ("its runners", "\nRunners, each phase in seconds since the first\n runner "),
        ("the counts", "\nJobs:  5 of 5 succeeded\nWaits: from queued to begun p50 "),
        ("warm tasks", " of 5 runners of scale sets were warm tasks\n"),
        ("calls", "\nCalls\n service "),
        (
            "what is left",
            "\nLeft: 2 tasks in pool Fargate, as the stack wants it; no runner registered at GitHub, ",
        ),
        ("the end", "\n`fleetfoot serve` ended "),
        ("the cost", "\nIt would have cost $0.0"),
        ("the result", "\nResult: success\n"),
    ] {
        assert!(said.contains(text), "{what}: {said}");
    }
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_takes_a_warm_task_and_a_job_at_github_goes_its_own_way() {
    let machine = Machine::new();
    let file = machine.workflow(
        "  one:\n    runs-on: Fargate\n    steps: [run: 'echo one']\n  two:\n    needs: one\n    runs-on: ubuntu-latest\n    \
         steps: [run: 'echo two']\n",
    );
    let ran = machine.fleetfoot(&["demo", "--serve", &file, "--output", "json"]).ok().await;
    let json = ran.json();
    assert_eq!(results(&json), [("one", "success"), ("two", "success")]);
    assert_eq!(
        json["counts"],
        json!({ "total": 2, "success": 2, "failure": 0, "cancelled": 0, "skipped": 0 })
    );
    assert_eq!(json["waits"]["jobs"], 1, "two is no job of a scale set: {json:#}");
    assert_eq!(
        json["tasks"],
        json!({ "launched": 3, "bound": 1, "warm": 1 }),
        "the pool is filled again: {json:#}"
    );
    assert!(of_two(&json) && json["handed_over"].as_f64().unwrap() < 10.0, "{json:#}");
    assert!(json["cost"].as_f64().unwrap() > 0.0, "{json:#}");
    assert!(ran.stderr.contains("● in progress"), "progress is elsewhere: {}", ran.stderr);
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_beside_it_takes_a_warm_task() {
    let machine = Machine::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/on-demand.yml");
    let ran = machine.fleetfoot(&["demo", "--serve", example, "--output", "json"]).ok().await;
    let json = ran.json();
    assert_eq!(json["counts"]["success"], 3, "{json:#}");
    assert_eq!(json["tasks"], json!({ "launched": 3, "bound": 0, "warm": 0 }), "one in its place: {json:#}");
    assert!(of_two(&json), "{json:#}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_borne_at_its_rate() {
    let machine = Machine::new();
    let arguments =
        ["demo", "--serve", "--jobs", "30", "--rate", "10", "--job-time", "200ms", "--output", "json"];
    let ran = machine.fleetfoot(&arguments).ok().await;
    let json = ran.json();
    assert_eq!((&json["counts"]["success"], &json["tasks"]["bound"]), (&json!(30), &json!(30)), "{json:#}");
    assert_eq!((&json["runs"], &json["runners"]), (&Value::Null, &Value::Null), "they are all alike");
    let waits = &json["waits"];
    assert_eq!(waits["jobs"], 30);
    let [p50, p95, max] = ["p50", "p95", "max"].map(|name| waits[name].as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= p95 && p95 <= max, "{waits}");
    assert!(of_two(&json), "{json:#}");
    let said = "30 jobs of 200ms, 10 a second, for the scale sets fargate and fargate-spot. Each task is a real agent";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(ran.stderr.contains(" of 30 done"), "how things stand: {}", ran.stderr);
    assert!(!ran.stderr.contains("▸"), "no step has a line of its own: {}", ran.stderr);
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_load_has_tasks_that_are_functions_and_says_so() {
    let machine = Machine::new();
    let arguments = ["demo", "--serve", "--jobs", "301", "--job-time", "500ms"];
    let mut demo = machine.fleetfoot(&arguments).spawn();
    let lines =
        read_until(&mut demo, |line| line.contains("More than 300 jobs: here the tasks are functions "))
            .await;
    let lines = read_on(lines, |line| line.contains(" 301 of 301 done")).await;
    // It may have started a task too many. That one stays for a minute, for which nobody waits here.
    demo.signal(Signal::SIGTERM);
    let rest = tokio::spawn(drain(lines));
    let ran = demo.end().await;
    let rest = rest.await.unwrap();
    assert!(rest.contains("\nJobs:  301 of 301 succeeded\n"), "{rest}");
    assert!(rest.contains("\nResult: success") && ran.stderr.is_empty(), "{rest}{}", ran.stderr);
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_fails_the_demo_and_can_be_run_again() {
    let machine = Machine::new();
    let file = machine.workflow(
        "  good:\n    runs-on: fargate\n    steps: [run: 'true']\n  bad:\n    runs-on: fargate\n    steps: [run: 'test \
         $GITHUB_RUN_ATTEMPT = 2']\n",
    );
    let once = machine.fleetfoot(&["demo", "--serve", &file, "--output", "json"]).run();
    let again = machine.fleetfoot(&["demo", "--serve", &file, "--rerun", "failed"]).ok();
    let (ran, again) = tokio::join!(once, again);
    assert_eq!(
        (ran.code, results(&ran.json())),
        (1, vec![("good", "success"), ("bad", "failure")]),
        "{ran:#?}"
    );
    assert!(of_two(&ran.json()), "{ran:#?}");

    assert!(
        again.stdout.contains("Attempt 2: the failed jobs and those that need them."),
        "{}",
        again.stdout
    );
    assert!(again.stdout.contains("\nJobs:  2 of 2 succeeded\n"), "{}", again.stdout);
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_workflows_of_a_repository_run_side_by_side() {
    let machine = Machine::new();
    let first = machine.workflow("  one:\n    runs-on: ec2\n    steps: [run: 'true']\n");
    let second = first.replace("workflow.yml", "second.yml");
    std::fs::write(
        &second,
        "name: other\non: push\njobs:\n  two:\n    runs-on: linux-arm64\n    steps: [run: 'echo by $GITHUB_EVENT_NAME']\n",
    )
    .unwrap();
    let ran = machine.fleetfoot(&["demo", "--serve", &first, &second, "--output", "json"]).ok().await;
    let json = ran.json();
    assert_eq!(results(&json), [("one", "success"), ("two", "success")]);
    assert_eq!([&json["runs"][0]["workflow"], &json["runs"][1]["workflow"]], ["mine", "other"]);
    assert!(ran.stderr.contains("by push"), "{}", ran.stderr);

    let elsewhere = Machine::new().workflow("  one:\n    runs-on: ec2\n    steps: [run: 'true']\n");
    let said = machine.fleetfoot(&["demo", "--serve", &first, &elsewhere]).fails(2).await;
    assert!(said.starts_with("error: cannot read the workflow "), "its folder is gone: {said}");
    let other = Machine::new();
    let elsewhere = other.workflow("  one:\n    runs-on: ec2\n    steps: [run: 'true']\n");
    let said = machine.fleetfoot(&["demo", "--serve", &first, &elsewhere]).fails(2).await;
    assert!(said.contains(" belong to different repositories, "), "{said}");
    machine.assert_clean();
}

/// GitHub would let it wait for a day, and a demo that did so would look as if it hung.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_no_scale_set_ends_its_run() {
    let machine = Machine::new();
    let file = machine.workflow("  build:\n    runs-on: [fargate, nobody]\n    steps: [run: make]\n");
    let ran = machine.fleetfoot(&["demo", "--serve", &file]).run().await;
    let said = "build waits for a runner with the labels fargate, nobody, and nobody brings one: the scale sets here \
                are fargate, fargate-spot, ec2, linux-arm64.";
    assert!(ran.code == 1 && ran.stdout.contains(said), "{ran:#?}");
    assert!(ran.stdout.ends_with("\nResult: cancelled\n"), "{ran:#?}");

    let file = machine.workflow("  build:\n    runs-on: fargate\n    steps: [run: make]\n");
    let ran = machine.fleetfoot(&["demo", &file]).run().await;
    let hint = "With --serve the autoscaler starts one: that is the name of a scale set.";
    assert!(ran.code == 1 && ran.stdout.contains(hint), "{ran:#?}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_of_and_outlived() {
    let machine = Machine::new();
    let arguments =
        ["demo", "--serve", "--fault", "no-capacity:FARGATE_SPOT ecs-500:RunTask", "--output", "json"];
    let ran = machine.fleetfoot(&arguments).ok().await;
    let json = ran.json();
    assert_eq!(json["faults"].as_array().unwrap().len(), 2, "{json:#}");
    assert!(ran.stderr.contains("! no task was started (Fargate-Spot, no-capacity): "), "{}", ran.stderr);
    assert!(of_two(&json), "{json:#}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_together_is_refused_before_anything_starts() {
    let machine = Machine::new();
    let file = machine.workflow("  build:\n    runs-on: fargate\n    steps: [run: make]\n");
    for (arguments, said) in [
        (
            &["--jobs", "5"][..],
            "error: --jobs is about jobs for the autoscaler, which only --serve runs\n  help: Say, ",
        ),
        (&["--rate", "5"], "error: --rate is about jobs for the autoscaler"),
        (
            &["--serve", "--rate", "5"],
            "error: --rate says how --jobs come, and it is not said how many\n  help: ",
        ),
        (&["--serve", "--job-time", "5s"], "error: --job-time says how --jobs come"),
        (&["--serve", "--keep"], "error: --keep leaves the simulators up for starts by hand, and --serve "),
        (&["--serve", "--jobs", "5", "--rerun", "all"], "error: --jobs makes jobs that are not run again\n"),
        (
            &["--serve", "--jobs", "5", "-f", "a=b"],
            "error: --jobs makes jobs of its own, which have no inputs\n",
        ),
        (&["--serve", "--jobs", "5", &file], "error: --jobs makes jobs of its own, and the workflow "),
        (
            &["--serve", "--jobs", "10000", "--rate", "1"],
            "error: at this --rate the jobs take longer than half an ",
        ),
        (&["--serve", "--jobs", "0"], "error: invalid value '0' for '--jobs <N>': 0 is not in 1..=10000"),
        (
            &["--serve", "--jobs", "10001"],
            "error: invalid value '10001' for '--jobs <N>': 10001 is not in 1..=10000",
        ),
        (
            &["--serve", "--jobs", "5", "--rate", "nan"],
            "error: invalid value 'nan' for '--rate <R>': a rate is ",
        ),
        (&["--serve", "--jobs", "5", "--rate", "0"], "error: invalid value '0' for '--rate <R>': a rate is "),
        (&[&file, &file], "error: the demo runs one workflow, and 2 are named\n"),
    ] {
        let stderr = machine.fleetfoot(&[&["demo"][..], arguments].concat()).fails(2).await;
        assert!(stderr.starts_with(said), "{arguments:?}: {stderr}");
    }
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_demo_leaves_no_process() {
    let amid_a_job = async {
        let machine = Machine::new();
        let file = machine.workflow(
            "  build:\n    runs-on: fargate\n    steps:\n      - run: echo under way; exec sleep 100\n",
        );
        let mut demo = machine.fleetfoot(&["demo", "--serve", &file]).spawn();
        let lines = read_until(&mut demo, |line| line.ends_with("  under way")).await;
        demo.signal(Signal::SIGINT);
        let rest = tokio::spawn(drain(lines));
        let ran = demo.end().await;
        assert_eq!(ran.code, 130, "{ran:#?}");
        let rest = rest.await.unwrap();
        assert!(rest.contains("Cancelling the runs.") && rest.ends_with("\nResult: cancelled\n"), "{rest}");
        machine.assert_clean();
    };
    let after = async |pause: Duration, arguments: &[&str]| {
        let machine = Machine::new();
        let demo = machine.fleetfoot(&[&["demo", "--serve"][..], arguments].concat()).spawn();
        tokio::time::sleep(pause).await;
        demo.signal(Signal::SIGTERM);
        let ran = demo.end().await;
        assert_eq!(ran.code, 143, "{ran:#?}");
        machine.assert_clean();
    };
    let as_it_begins = after(Duration::from_millis(100), &[]);
    let amid_a_load = after(Duration::from_secs(9), &["--jobs", "200", "--rate", "20"]);
    tokio::join!(amid_a_job, as_it_begins, amid_a_load);
}
