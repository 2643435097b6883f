//! `fleetfoot demo` and `fleetfoot sim`: on any machine, with nothing installed, and nothing left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::common::{Fleetfoot, PATIENCE, Running};

/// A machine with nothing on it but `/usr/bin` and `/bin`, whose temporary folder is its own.
pub(crate) struct Machine(TempDir);

impl Machine {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn fleetfoot(&self, arguments: &[&str]) -> Fleetfoot {
        let temporary = self.temporary();
        fs::create_dir_all(&temporary).unwrap();
        Fleetfoot::new(self.0.path(), arguments)
            .without("HOME")
            .without("AWS_EC2_METADATA_DISABLED")
            .env("TMPDIR", &temporary.display().to_string())
    }

    fn temporary(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    pub(crate) fn workflow(&self, jobs: &str) -> String {
        let path = self.0.path().join("workflow.yml");
        fs::write(&path, format!("name: mine\non: workflow_dispatch\njobs:\n{jobs}")).unwrap();
        path.display().to_string()
    }

    /// Nothing in the temporary folder, and no process that was started below it.
    pub(crate) fn assert_clean(&self) {
        let left: Vec<_> =
            fs::read_dir(self.temporary()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "temporary files: {left:?}");
        let mark = self.temporary().display().to_string();
        let mut left = Vec::new();
        for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let folder = process.path();
            let of_ours = ["environ", "cmdline"].into_iter().any(|file| {
                // Not every process may be looked at, and some end meanwhile.
                let text = fs::read(folder.join(file)).unwrap_or_default();
                String::from_utf8_lossy(&text).contains(&mark)
            });
            if of_ours {
                left.push(fs::read_to_string(folder.join("cmdline")).unwrap_or_default());
            }
        }
        assert_eq!(left, [""; 0], "processes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_workflow_runs_with_nothing_installed() {
    let machine = Machine::new();
    let said = machine.fleetfoot(&["demo"]).ok().await.stdout;
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("GitHub and AWS are simulated on this machine"), "{first}");
    for (what, text) in [
        ("live progress of jobs", "build-code               ● in progress on ff-"),
        ("live progress of runners", "◆ online"),
        ("the build's log", "Hello world from ff-"),
        ("jobs", "\nJobs\n job "),
        ("runners", "\nRunners, each phase in seconds since the first\n runner "),
        ("calls to GitHub", "POST /repos/{owner}/{repo}/actions/runners/generate-jitconfig   1       0"),
        ("calls to AWS", "RunTask                                                         1       0"),
        ("the cost", "It would have cost $0.0"),
        ("what is not real", "GitHub and AWS were simulated on this machine"),
        ("the result", "\nResult: success\n"),
    ] {
        assert!(said.contains(text), "{what}: {said}");
    }
    let table = said.split("\nRunners, ").nth(1).unwrap();
    let columns: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    let wanted = [
        "runner",
        "capacity",
        "requested",
        "provisioning",
        "pulling",
        "starting",
        "bound",
        "online",
        "busy",
        "done",
        "gone",
        "cost",
    ];
    assert_eq!(columns, wanted);
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_choose_where_the_task_is_launched() {
    let machine = Machine::new();
    for (mode, capacity) in [("Fargate-Spot", "FARGATE_SPOT"), ("EC2", "fleetfoot-demo-ec2")] {
        let input = format!("LaunchMode={mode}");
        let ran = machine.fleetfoot(&["demo", "--input", &input, "--output", "json"]).ok().await.json();
        assert_eq!(ran["runners"][0]["capacity"], capacity);
    }
    let said = machine.fleetfoot(&["demo", "--input", "LaunchMode=Moon"]).run().await;
    assert_eq!(said.code, 2, "{said:#?}");
    assert!(said.stderr.contains("LaunchMode") && said.stderr.contains("Moon"), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_alone_on_standard_output() {
    let machine = Machine::new();
    let ran = machine.fleetfoot(&["demo", "--output", "json"]).ok().await;
    let json = ran.json();
    assert_eq!((&json["simulated"], &json["conclusion"]), (&Value::Bool(true), &"success".into()));
    let jobs: Vec<&str> =
        json["jobs"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(jobs, ["activate-github-runner", "build-code", "remove-github-runner"]);
    let phases = json["runners"][0]["phases"].as_object().unwrap();
    assert!(phases.contains_key("online") && phases.contains_key("gone"), "{phases:?}");
    assert!(json["cost"].as_f64().unwrap() > 0.0);
    assert!(ran.stderr.contains("● in progress"), "progress is elsewhere: {}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_fails_fails_the_demo() {
    let machine = Machine::new();
    let file = machine.workflow("  build:\n    runs-on: ubuntu-latest\n    steps: [run: exit 3]\n");
    let ran = machine.fleetfoot(&["demo", &file]).run().await;
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stdout.ends_with("Result: failure\n"), "{ran:#?}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_cannot_be_run_is_refused_with_file_and_line_before_anything_starts() {
    let machine = Machine::new();
    let file = machine.workflow(
        "  build:\n    runs-on: ubuntu-latest\n    container: alpine\n    steps:\n      - run: touch ran\n",
    );
    let said = machine.fleetfoot(&["demo", &file]).fails(2).await;
    assert!(said.starts_with("error: the workflow cannot be run here:\nworkflow.yml:6: "), "{said}");
    assert!(said.contains("container"), "{said}");
    assert!(said.contains("\n  help: The demo runs jobs with shell steps"), "{said}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_is_not_there() {
    let machine = Machine::new();
    insta::assert_snapshot!(machine.fleetfoot(&["demo", "no.yml"]).fails(2).await, @"
    error: cannot read the workflow no.yml: No such file or directory (os error 2)
      help: Name an existing workflow file.
    ");
}

/// GitHub would let it wait for a day, and a demo that did so would look as if it hung.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_in_vain_ends_the_demo() {
    let machine = Machine::new();
    let file = machine.workflow("  build:\n    runs-on: [self-hosted, nobody]\n    steps: [run: make]\n");
    let ran = machine.fleetfoot(&["demo", &file]).run().await;
    assert_eq!(ran.code, 1, "{ran:#?}");
    let said = "build waits for a runner with the labels self-hosted, nobody, and there is none";
    assert!(ran.stdout.contains(said) && ran.stdout.ends_with("Result: cancelled\n"), "{ran:#?}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_is_not_started_by_hand_is_started_by_its_event() {
    let machine = Machine::new();
    let jobs = "  a:\n    runs-on: ubuntu-latest\n    steps: [run: 'echo by $GITHUB_EVENT_NAME']\n";
    let file = machine.workflow(jobs);
    for (on, wanted) in [("[schedule, push]", "push"), ("{schedule: [{cron: '1 1 * * 1'}]}", "schedule")] {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(text.lines().nth(1).unwrap(), &format!("on: {on}"))).unwrap();
        let said = machine.fleetfoot(&["demo", &file]).ok().await.stdout;
        assert!(said.contains(&format!("by {wanted}")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_run_again_must_be_there() {
    let machine = Machine::new();
    let file = machine.workflow("  build:\n    runs-on: ubuntu-latest\n    steps: [run: exit 1]\n");
    let ran = machine.fleetfoot(&["demo", &file, "--rerun", "package"]).run().await;
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert!(ran.stderr.contains("the run has no job `package` to run again; it has: build"), "{ran:#?}");
    let ran = machine.fleetfoot(&["demo", &file, "--rerun", "all"]).run().await;
    assert!(ran.code == 1 && ran.stdout.contains("Attempt 2: all jobs."), "{ran:#?}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_demo_leaves_nothing() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let machine = Machine::new();
        let file = machine.workflow(
            "  build:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo under way; sleep 100\n",
        );
        let mut demo = machine.fleetfoot(&["demo", &file]).spawn();
        let lines = read_until(&mut demo, |line| line.ends_with("  under way")).await;
        demo.signal(signal);
        let rest = tokio::spawn(drain(lines));
        let ran = demo.end().await;
        assert_eq!(ran.code, code, "{signal}: {ran:#?}");
        let rest = rest.await.unwrap();
        assert!(rest.contains("Cancelling the run.") && rest.contains("Result: cancelled"), "{rest}");
        machine.assert_clean();
    }
}

pub(crate) type Lines = tokio::io::Lines<BufReader<tokio::process::ChildStdout>>;

/// Reads standard output up to such a line.
pub(crate) async fn read_until(running: &mut Running, is_it: impl Fn(&str) -> bool) -> Lines {
    read_on(BufReader::new(running.child().stdout.take().unwrap()).lines(), is_it).await
}

/// Reads on up to such a line.
pub(crate) async fn read_on(mut lines: Lines, is_it: impl Fn(&str) -> bool) -> Lines {
    let limit = tokio::time::Instant::now() + PATIENCE;
    while let Some(line) = tokio::time::timeout_at(limit, lines.next_line()).await.unwrap().unwrap() {
        if is_it(&line) {
            return lines;
        }
    }
    panic!("it ended before");
}

pub(crate) async fn drain(lines: Lines) -> String {
    let mut rest = String::new();
    lines.into_inner().read_to_string(&mut rest).await.unwrap();
    rest
}

/// The environment that a running simulator tells of in JSON, once it does.
async fn environment(running: &mut Running) -> BTreeMap<String, String> {
    let mut text = String::new();
    let mut lines = BufReader::new(running.child().stdout.take().unwrap()).lines();
    let limit = tokio::time::Instant::now() + PATIENCE;
    while let Some(line) = tokio::time::timeout_at(limit, lines.next_line()).await.unwrap().unwrap() {
        text.push_str(&line);
        // It is one document, for the kept demo within the summary.
        if let Ok(document) = serde_json::from_str::<Value>(&text) {
            // Whoever closes the pipe ends the writer.
            tokio::spawn(drain(lines));
            let told = document.get("kept").unwrap_or(&document);
            return serde_json::from_value(told["environment"].clone()).unwrap();
        }
    }
    panic!("it ended before: {text}");
}

/// Starts and stops a runner in a simulator that another process serves.
async fn start_and_stop(machine: &Machine, environment: &BTreeMap<String, String>) {
    let fleetfoot = |arguments: &[&str]| {
        environment.iter().fold(machine.fleetfoot(arguments), |call, (name, value)| call.env(name, value))
    };
    let started = fleetfoot(&["start", "--key", "try", "--pool", "Fargate", "--output", "json"]).ok().await;
    assert!(started.label().starts_with("ff-hand-try-"));
    let stopped = fleetfoot(&["stop", "--key", "try", "--output", "json"]).ok().await.json();
    assert_eq!(stopped["stopped"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_demo_serves_other_processes_until_it_is_interrupted() {
    let machine = Machine::new();
    let mut demo = machine.fleetfoot(&["demo", "--keep", "--output", "json"]).spawn();
    let environment = environment(&mut demo).await;
    start_and_stop(&machine, &environment).await;
    demo.signal(Signal::SIGINT);
    let ran = demo.end().await;
    assert_eq!(ran.code, 0, "its workflow succeeded: {ran:#?}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_demo_says_how_to_reach_it() {
    let machine = Machine::new();
    let mut demo = machine.fleetfoot(&["demo", "--keep"]).spawn();
    let lines = read_until(&mut demo, |line| line.starts_with("Result: ")).await;
    let rest = tokio::spawn(drain(lines));
    tokio::time::sleep(Duration::from_millis(200)).await;
    demo.signal(Signal::SIGINT);
    demo.end().await;
    let rest = rest.await.unwrap();
    for text in [
        "Simulated GitHub: http://127.0.0.1:",
        "Simulated AWS:    http://127.0.0.1:",
        "export AWS_ENDPOINT_URL=",
        "Ctrl-C",
    ] {
        assert!(rest.contains(text), "{text}: {rest}");
    }
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_serves_until_it_is_told_to_end_and_takes_its_processes_with_it() {
    let machine = Machine::new();
    let mut sim = machine.fleetfoot(&["sim", "--output", "json"]).spawn();
    let environment = environment(&mut sim).await;
    start_and_stop(&machine, &environment).await;
    // One that runs when the end comes.
    let start = machine.fleetfoot(&["start", "--key", "stays", "--pool", "EC2"]);
    environment.iter().fold(start, |call, (name, value)| call.env(name, value)).ok().await;
    sim.signal(Signal::SIGTERM);
    let ran = sim.end().await;
    assert_eq!(ran.code, 0, "{ran:#?}");
    machine.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_needs_a_folder_that_is_there() {
    let machine = Machine::new();
    insta::assert_snapshot!(machine.fleetfoot(&["sim", "--files", "/no/such"]).fails(2).await, @"
    error: cannot use /no/such as the repository: No such file or directory (os error 2)
      help: Name an existing folder with --files.
    ");
}
