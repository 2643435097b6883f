//! What `fleetfoot stop` says became of runners that had left before it came: each that has not done its job gets
//! a sentence with class and remedy, in the terminal, the annotation, the step's summary and JSON.

use std::time::Duration;

use fleetfoot_sim::aws::{KeyValue, TaskStatus};
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::{IMAGE, Stage, until};
use crate::stop::{start, waiting_job};

impl Stage {
    /// Lets the pool Fargate run the demo's image with these settings of the agent.
    fn set_agent(&self, settings: &[(&str, &str)]) {
        let mut definition = self.definition("fleetfoot-demo-other", IMAGE);
        definition.container_definitions[0].environment = settings
            .iter()
            .map(|(name, value)| KeyValue { name: (*name).to_owned(), value: (*value).to_owned() })
            .collect();
        self.world.aws.register_task_definition(definition).unwrap();
        self.change_stack(|stack| stack["pools"][0]["task_definition"] = "fleetfoot-demo-other".into());
    }

    async fn all_stopped(&self, why: &str) {
        let stopped = || self.world.aws.tasks().iter().all(|task| task.status == TaskStatus::Stopped);
        until(&format!("the task has stopped ({why})"), stopped).await;
    }

    /// What `stop` reports of the only runner of key `k`, which has left.
    async fn told(&self, why: &str) -> Value {
        self.all_stopped(why).await;
        let json = self.by_hand(&["stop", "--key", "k", "--output", "json"]).ok().await.json();
        assert_eq!(
            (&json["stopped"], &json["gone"], &json["busy"]),
            (&json!(0), &json!(1), &json!(0)),
            "{json:#}"
        );
        self.assert_nothing_left();
        json
    }
}

fn assert_told(json: &Value, outcome: &str, class: &str, sentence: &str) {
    let runner = &json["runners"][0];
    let lost = u8::from(outcome != "ran-its-job");
    assert_eq!(json["lost"], json!(lost), "{json:#}");
    assert_eq!(
        (&runner["outcome"], &runner["verdict"]["class"]),
        (&json!(outcome), &json!(class)),
        "{json:#}"
    );
    let said = runner["verdict"]["sentence"].as_str().unwrap();
    let wanted = format!("{} {sentence}", runner["name"].as_str().unwrap());
    assert_eq!(said, wanted);
    assert_eq!(runner["verdict"]["remedy"].is_string(), lost == 1, "{json:#}");
}

/// Runners that leave without a job: a fault, further arguments of the start, and what is told.
const WITHOUT_A_JOB: [(&str, &[&str], &str, &str); 4] = [
    ("", &["--idle-timeout", "1s"], "idle", "no job came within the idle timeout (the agent's exit code 20)"),
    (
        "version-deprecated*",
        &["--wait", "none"],
        "version-deprecated",
        "GitHub refuses this version of the runner software (the agent's exit code 24)",
    ),
    (
        "task-retired:1",
        &["--wait", "none"],
        "instance-lost",
        "ECS is performing maintenance on the underlying infrastructure hosting the task (the agent's exit code 143)",
    ),
    ("task-killed:1", &["--wait", "none"], "killed", "Essential container in task exited (exit code 137)"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_left_without_a_job_is_told_with_the_reason() {
    join_all(WITHOUT_A_JOB.map(|(fault, arguments, class, sentence)| async move {
        let stage = Stage::new().await;
        if !fault.is_empty() {
            stage.arm(fault).await;
        }
        stage.by_hand(&[&["start", "--key", "k"], arguments].concat()).ok().await;
        let told = stage.told(class).await;
        assert_told(&told, "without-job", class, &format!("ended without its job: {sentence}"));
        stage.close().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_somebody_deleted_at_github_is_told_of() {
    let stage = Stage::new().await;
    start(&stage, "k").await;
    assert!(stage.world.github.delete_runner(stage.world.github.runners()[0].id));
    let sentence = "ended without its job: GitHub does not know the runner's registration any more (the agent's exit \
                    code 23)";
    assert_told(&stage.told("deleted").await, "without-job", "registration-gone", sentence);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_whose_launcher_was_killed_is_told_of() {
    let stage = Stage::new().await;
    stage.set_agent(&[("FLEETFOOT_BIND_TIMEOUT", "1s")]);
    // A launcher that cannot register the runner yet, and never will.
    stage.arm("rate-limit-secondary:403:5:generate-jitconfig").await;
    let start = stage.by_hand(&["start", "--key", "k"]).spawn();
    until("there is a task", || !stage.world.aws.tasks().is_empty()).await;
    start.signal(Signal::SIGKILL);
    start.end().await;
    let sentence = "ended without its job: the runner was given no registration before the deadline (the agent's exit \
                    code 21)";
    assert_told(&stage.told("never bound").await, "without-job", "no-assignment", sentence);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_interruption_in_the_middle_of_a_job_is_told_as_such() {
    let stage = Stage::new().await;
    stage.set_agent(&[("FLEETFOOT_STOP_GRACE", "2s")]);
    stage.change_stack(|stack| {
        stack["pools"][0]["task_definition"] = "fleetfoot-demo-other".into();
        stack["pools"][0]["capacity"] = json!([{ "provider": "FARGATE_SPOT" }]);
    });
    let (label, task) = start(&stage, "k").await;
    let _run = waiting_job(&stage, &label);
    until("the job runs", || stage.path("runs").exists()).await;
    assert!(stage.world.aws.interrupt_task(&task, Duration::from_mins(2)));
    let told = stage.told("interrupted").await;
    let sentence =
        "ended in the middle of its job: Your Spot Task was interrupted (the agent's exit code 13)";
    assert_told(&told, "job-cut-off", "spot-interruption", sentence);
    let remedy = told["runners"][0]["verdict"]["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("on-demand") && remedy.contains("re-run the job that started its runner"),
        "{remedy}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_that_ends_a_job_is_told_as_such() {
    let stage = Stage::new().await;
    let begun =
        stage.by_hand(&["start", "--key", "k", "--max-lifetime", "4s", "--output", "json"]).ok().await;
    let _run = waiting_job(&stage, &begun.label());
    let sentence =
        "ended in the middle of its job: the runner reached its maximum lifetime (the agent's exit code 25)";
    assert_told(&stage.told("lifetime").await, "job-cut-off", "max-lifetime", sentence);
    stage.close().await;
}

/// The agent could not say anything, so that GitHub's status decides.
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_was_killed_in_its_job_is_told_everywhere() {
    let stage = Stage::new().await;
    let begun = stage.in_job(&["start", "--output", "json"]).ok().await;
    let (label, task) = (begun.label(), begun.tasks().remove(0));
    let _run = waiting_job(&stage, &label);
    until("the job runs", || stage.path("runs").exists()).await;
    assert!(stage.world.aws.kill_task(&task));
    stage.all_stopped("killed").await;
    std::fs::remove_file(stage.path("summary.md")).unwrap();

    let ran = stage.in_job(&["stop"]).ok().await;
    let name = format!("ff-{}", task.rsplit('/').next().unwrap());
    let sentence =
        format!("{name} ended in the middle of its job: Essential container in task exited (exit code 137)");
    let remedy = "Give the tasks more memory (--memory) if it happens again; see also that the agent's \
                  FLEETFOOT_STOP_GRACE is the container's stopTimeout. To run it again, re-run the job that started its \
                  runner, and this one goes with it: \"Re-run failed jobs\" leaves that out, and then it waits for a \
                  runner that is gone.";
    assert!(
        ran.stdout.starts_with("runners: 1 had left already without having done their job\n"),
        "{ran:#?}"
    );
    assert!(ran.stdout.ends_with(&format!("\n\n{sentence}\n  help: {remedy}\n")), "{ran:#?}");
    assert!(ran.stderr.contains(&format!("::warning title=fleetfoot::{sentence}%0A{remedy}\n")), "{ran:#?}");
    let summary = stage.read("summary.md");
    let row = summary.lines().find(|line| line.contains(&name)).unwrap();
    assert!(row.contains("| job-cut-off"), "{summary}");
    assert!(summary.contains(&sentence) && summary.contains(remedy), "{summary}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runners_that_did_their_job_or_were_not_needed_are_no_warning() {
    let stage = Stage::new().await;
    let begun = stage.in_job(&["start", "--count", "2", "--output", "json"]).ok().await;
    let job = format!("  build:\n    runs-on: [self-hosted, {}]\n    steps: [run: 'false']\n", begun.label());
    stage.dispatch(&job).end().await;
    until("one has left", || stage.live_tasks().len() == 1).await;
    stage.in_job(&["stop", "--wait"]).ok().await;
    let arguments: Vec<String> =
        begun.tasks().into_iter().flat_map(|arn| ["--task".to_owned(), arn]).collect();
    let mut stop = vec!["stop", "--output", "json"];
    stop.extend(arguments.iter().map(String::as_str));
    let again = stage.in_job(&stop).ok().await;
    assert!(!again.said().contains("::warning"), "{again:#?}");
    let json = again.json();
    let mut outcomes: Vec<&str> =
        json["runners"].as_array().unwrap().iter().map(|it| it["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["ran-its-job", "stopped"], "{json:#}");
    assert_eq!(json["lost"], 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_stop_tells_of_the_job_and_does_not_warn() {
    let stage = Stage::new().await;
    let (label, _) = start(&stage, "k").await;
    let _run = waiting_job(&stage, &label);
    until("the job runs", || stage.path("runs").exists()).await;
    let busy = stage.by_hand(&["stop", "--key", "k", "--output", "json"]).ok().await.json();
    assert_eq!(busy["runners"][0]["outcome"], "busy");
    let json = stage.by_hand(&["stop", "--key", "k", "--force", "--output", "json"]).ok().await.json();
    assert_eq!(
        (&json["runners"][0]["outcome"], &json["lost"]),
        (&json!("job-cut-off"), &json!(0)),
        "{json:#}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ecs_has_forgotten_is_told_by_name() {
    let stage = Stage::new().await;
    let (_, task) = start(&stage, "k").await;
    let unknown = format!("{}/{}", task.rsplit_once('/').unwrap().0, "0".repeat(32));
    let stop = ["stop", "--task", &task, "--task", &unknown];
    let said = stage.by_hand(&stop).ok().await.stdout;
    let line = format!(
        "ECS does not know the task {unknown} (any more): it keeps a stopped one for about an hour\n"
    );
    assert!(said.starts_with("runners: 1 stopped\n") && said.ends_with(&line), "{said}");
    let json = stage.by_hand(&[&stop[..], &["--output", "json"]].concat()).ok().await.json();
    assert_eq!(json["forgotten"], json!([unknown]));
    stage.close().await;
}
