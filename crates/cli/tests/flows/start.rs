//! `fleetfoot start`: what it reads, what it orders, what it shows.

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory;
use fleetfoot::args::Cli;
use fleetfoot_sim::aws::TaskStatus;
use serde_json::{Value, json};

use crate::common::{JITCONFIG, REGISTRATION_TOKEN, RUNNER, RUNNERS, Stage, tag, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_document_comes_from_its_ssm_parameter() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--stack", "demo", "--key", "k"]).without("FLEETFOOT_STACK").ok().await;
    assert_eq!(stage.calls("ssm", "GetParameter")[0].request.as_ref().unwrap()["Name"], "/fleetfoot/demo");
    assert_eq!(stage.live_tasks().len(), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_document_comes_from_a_file() {
    let stage = Stage::new().await;
    let file = stage.stack_file(|_| {});
    let start = stage.by_hand(&["start", "--stack-file", &file, "--key", "k"]).without("FLEETFOOT_STACK");
    // The file names the region, too.
    start.without("AWS_REGION").ok().await;
    assert_eq!(stage.count("ssm", "GetParameter"), 0);
    assert_eq!(stage.live_tasks().len(), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn launch_first_bind_later() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k"]).ok().await;
    let order: Vec<String> = stage.world.book.calls().into_iter().map(|call| call.operation).collect();
    let at = |operation: &str| order.iter().position(|done| done == operation).unwrap();
    assert!(at("RunTask") < at(JITCONFIG) && at(JITCONFIG) < at("PutObject"), "{order:?}");
    // Bound while the image was still being pulled, so that it costs no time.
    let calls = stage.calls("s3", "PutObject");
    let task = &stage.world.aws.tasks()[0];
    assert!(calls[0].at < task.times.pull_stopped.unwrap());
    assert_eq!(stage.world.github.runners()[0].name, format!("ff-{}", task.id));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_runners_share_the_label() {
    let stage = Stage::new().await;
    let ran = stage.by_hand(&["start", "--key", "k", "--count", "3", "--output", "json"]).ok().await;
    let (json, label) = (ran.json(), ran.label());
    assert_eq!(json["runs-on"], json!(["self-hosted", label]));
    let runners = stage.world.github.runners();
    assert_eq!(runners.len(), 3);
    assert!(runners.iter().all(|runner| runner.online && runner.labels.contains(&label)), "{runners:?}");
    let output = |field: &str| -> BTreeSet<String> {
        json[field].as_array().unwrap().iter().map(Value::to_string).collect()
    };
    let names: BTreeSet<String> = runners.iter().map(|runner| json!(runner.name).to_string()).collect();
    let ids: BTreeSet<String> = runners.iter().map(|runner| runner.id.to_string()).collect();
    let tasks: BTreeSet<String> = stage.live_tasks().iter().map(|task| json!(task.arn).to_string()).collect();
    assert_eq!(output("runner-names"), names);
    assert_eq!(output("runner-ids"), ids);
    assert_eq!(output("task-arns"), tasks);
    assert_eq!(stage.launches().len(), 1, "one call for all of them");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_ten_runners_take_a_call_for_every_ten() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k", "--count", "23", "--wait", "none"]).ok().await;
    let launches = stage.launches();
    let mut counts: Vec<u64> = launches.iter().map(|body| body["count"].as_u64().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [3, 10, 10]);
    let tokens: BTreeSet<&str> = launches.iter().map(|body| body["clientToken"].as_str().unwrap()).collect();
    assert_eq!(tokens.len(), 3);
    assert_eq!(stage.live_tasks().len(), 23);
    assert_eq!(stage.world.github.runners().len(), 23);
    let labels: BTreeSet<_> =
        stage.live_tasks().iter().map(|t| tag(t, "fleetfoot:label").unwrap().to_owned()).collect();
    assert_eq!(labels.len(), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_overridden() {
    let stage = Stage::new().await;
    let sizes = ["--cpu", "2048", "--memory", "8192", "--ephemeral-storage", "50"];
    stage.by_hand(&[&["start", "--key", "k", "--wait", "none"], &sizes[..]].concat()).ok().await;
    let overrides = &stage.launches()[0]["overrides"];
    assert_eq!(
        (&overrides["cpu"], &overrides["memory"], &overrides["ephemeralStorage"]["sizeInGiB"]),
        (&json!("2048"), &json!("8192"), &json!(50))
    );
    let task = &stage.live_tasks()[0];
    assert_eq!((task.cpu, task.memory, task.ephemeral_storage), (Some(2048), Some(8192), Some(50)));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_label_set_is_registered_explicitly() {
    let stage = Stage::new().await;
    let extra = ["--label", "gpu", "--label", "team:blue"];
    let start = [&["start", "--key", "k", "--wait", "none", "--output", "json"], &extra[..]].concat();
    let label = stage.by_hand(&start).ok().await.label();
    let wanted = ["self-hosted", "linux", "x64", "Fargate", &label, "gpu", "team:blue"];
    assert_eq!(stage.runner_labels(), wanted);
    assert_eq!(stage.calls("github", JITCONFIG)[0].request.as_ref().unwrap()["labels"], json!(wanted));
    stage.close().await;
}

/// Another workflow of the repository that guessed the label could take the runner.
#[tokio::test(flavor = "multi_thread")]
async fn the_label_cannot_be_guessed() {
    let stage = Stage::new().await;
    let mut ends = BTreeSet::new();
    for key in ["a", "b"] {
        let start = stage.by_hand(&["start", "--key", key, "--wait", "none", "--output", "json"]);
        let label = start.ok().await.label();
        let random = label.strip_prefix(&format!("ff-hand-{key}-")).unwrap().to_owned();
        let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
        assert!(random.bytes().all(|byte| letters.contains(&byte)), "{random}");
        // Five bits a letter.
        assert!(random.len() * 5 >= 80, "{random}");
        ends.insert(random);
    }
    assert_eq!(ends.len(), 2);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn started_by_and_tags_name_what_a_task_is_for() {
    let stage = Stage::new().await;
    let start = stage.in_job(&["start", "--wait", "none", "--pool", "Fargate-Spot", "--output", "json"]);
    let label = start.ok().await.label();
    let task = &stage.live_tasks()[0];
    // The job's id is the key.
    assert_eq!(task.started_by.as_deref(), Some("fleetfoot/demo/4711-1/launch"));
    assert!(label.starts_with("ff-4711-1-launch-"));
    let tags: BTreeMap<&str, &str> =
        task.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    let wanted = [
        ("fleetfoot:stack", "demo"),
        ("fleetfoot:pool", "Fargate-Spot"),
        ("fleetfoot:label", &label),
        ("fleetfoot:repository", "octo-org/demo"),
        // ECS takes no `&` in a tag.
        ("fleetfoot:workflow", "Build _ test"),
        ("fleetfoot:run", "4711-1"),
        ("fleetfoot:job", "launch"),
        ("fleetfoot:actor", "mona"),
        ("fleetfoot:max-lifetime", "21600"),
    ];
    assert_eq!(tags, wanted.into());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_none_is_content_when_the_assignment_lies_ready() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k", "--wait", "none"]).ok().await;
    let task = &stage.live_tasks()[0];
    assert!(task.times.started.is_none(), "{task:?}");
    assert_eq!(stage.count("s3", "PutObject"), 1);
    // It comes up all the same.
    until("the runner is online", || stage.world.github.runners()[0].online).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_running_is_content_when_the_task_runs() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k", "--wait", "running"]).ok().await;
    assert_eq!(stage.live_tasks()[0].status, TaskStatus::Running);
    // Whether the runner is online was not asked.
    assert_eq!(stage.count("github", RUNNER), 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_online_is_the_default() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k"]).ok().await;
    assert!(stage.world.github.runners()[0].online);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phases_are_shown_as_they_pass() {
    let stage = Stage::new().await;
    let ran = stage.by_hand(&["start", "--key", "k"]).ok().await;
    let runner = &stage.world.github.runners()[0].name;
    let mut shown: Vec<&str> = Vec::new();
    for line in ran.stderr.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [at, who, phase] = words[..] else { panic!("{line:?}") };
        assert!(at.ends_with('s') && at.trim_end_matches('s').parse::<f64>().is_ok(), "{line:?}");
        assert_eq!(who, runner);
        shown.push(phase);
    }
    // The assignment is put into the mailbox while ECS is still pulling.
    assert_eq!(shown, ["requested", "provisioning", "bound", "pulling", "starting", "online"]);
    assert!(ran.stdout.starts_with("1 runner on pool Fargate in "), "{}", ran.stdout);
    for column in ["requested", "provisioning", "pulling", "starting", "bound", "online", "cost"] {
        assert!(ran.stdout.contains(column), "{}", ran.stdout);
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_runner_leaves_after_its_idle_timeout() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k", "--idle-timeout", "1s"]).ok().await;
    until("the task stops", || stage.world.aws.tasks()[0].status == TaskStatus::Stopped).await;
    assert_eq!(stage.world.aws.tasks()[0].containers[0].exit_code, Some(20));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_ends_at_its_maximum_lifetime() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k", "--max-lifetime", "1s"]).ok().await;
    until("the task stops", || stage.world.aws.tasks()[0].status == TaskStatus::Stopped).await;
    assert_eq!(stage.world.aws.tasks()[0].containers[0].exit_code, Some(25));
    stage.close().await;
}

#[test]
fn every_flag_of_start_and_stop_has_a_variable() {
    for name in ["start", "stop"] {
        let cli = Cli::command();
        let command = cli.find_subcommand(name).unwrap();
        for argument in command.get_arguments().filter(|argument| argument.get_long() != Some("help")) {
            let variable = argument.get_env().unwrap_or_else(|| panic!("{name} {argument} has none"));
            assert!(variable.to_str().unwrap().starts_with("FLEETFOOT_"), "{name} {argument}: {variable:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_can_be_given_by_variables_alone() {
    let stage = Stage::new().await;
    let start = stage
        .by_hand(&["start"])
        .env("FLEETFOOT_KEY", "by-variable")
        .env("FLEETFOOT_POOL", "Fargate-Spot")
        .env("FLEETFOOT_COUNT", "2")
        .env("FLEETFOOT_CPU", "512")
        .env("FLEETFOOT_MEMORY", "1024")
        .env("FLEETFOOT_EPHEMERAL_STORAGE", "30")
        .env("FLEETFOOT_LABEL", "one\ntwo")
        .env("FLEETFOOT_WAIT", "none")
        .env("FLEETFOOT_OUTPUT", "json")
        .env("FLEETFOOT_REGION", "us-east-1")
        .without("AWS_REGION")
        // What `${{ vars.NAME }}` gives for a variable that does not exist.
        .env("FLEETFOOT_TIMEOUT", "");
    let label = start.ok().await.label();
    let launch = &stage.launches()[0];
    assert_eq!(launch["count"], 2);
    assert_eq!(launch["startedBy"], "fleetfoot/demo/hand/by-variable");
    assert_eq!(launch["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE_SPOT");
    let overrides = &launch["overrides"];
    assert_eq!(
        (&overrides["cpu"], &overrides["memory"], &overrides["ephemeralStorage"]["sizeInGiB"]),
        (&json!("512"), &json!("1024"), &json!(30))
    );
    let labels = &stage.world.github.runners()[0].labels;
    assert_eq!(labels[3..], ["Fargate-Spot".to_owned(), label, "one".into(), "two".into()]);
    stage.close().await;
}

/// What a start asks GitHub between two looks at ECS, at most.
async fn most_calls_per_poll(stage: &Stage) -> usize {
    let before = stage.world.book.calls().len();
    stage.by_hand(&["start", "--key", "k"]).ok().await;
    let calls = &stage.world.book.calls()[before..];
    let from = calls.iter().position(|call| call.operation == "PutObject").unwrap();
    let polls = calls[from..].split(|call| call.operation == "DescribeTasks");
    let asked = |poll: &[fleetfoot_sim::book::Call]| {
        poll.iter()
            .filter(|call| call.service == "github")
            .inspect(|call| assert_eq!(call.operation, RUNNER))
            .count()
    };
    let most = polls.map(asked).max().unwrap();
    assert_eq!(stage.count("github", REGISTRATION_TOKEN), 1);
    assert_eq!(stage.count("github", RUNNERS), 0, "no list of all runners");
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_makes_as_many_calls_with_two_thousand_runners_as_with_one() {
    let alone = Stage::new().await;
    assert_eq!(most_calls_per_poll(&alone).await, 1);
    alone.close().await;

    let crowd = Stage::new().await;
    crowd.add_others(2_000);
    assert_eq!(crowd.world.github.runners().len(), 2_000);
    assert_eq!(most_calls_per_poll(&crowd).await, 1);
    crowd.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_can_look_at_a_task_sees_a_secret() {
    let stage = Stage::new().await;
    stage.in_job(&["start"]).ok().await;
    // Every JIT configuration begins like this one, which was made for nobody.
    let jit_config = stage.register("other").await;
    let secrets = [&jit_config[..24], &stage.world.token, &stage.world.keys.secret_access_key];
    let clean = |what: &str, text: &str| {
        for secret in secrets {
            assert!(!text.contains(secret), "{what}: {text}");
        }
    };
    let launch = stage.launches()[0].to_string();
    clean("RunTask", &launch);
    for call in stage.world.book.calls() {
        clean(&call.operation, &call.request_line);
    }
    let task = &stage.live_tasks()[0];
    clean("what DescribeTasks shows", &format!("{:?} {}", task.tags, task.overrides));
    let variables = task.overrides["containerOverrides"][0]["environment"].as_array().unwrap();
    assert_eq!(variables.len(), 1, "only the mailbox's address");
    assert_eq!(variables[0]["name"], "FLEETFOOT_MAILBOX");
    let definition = &task.definition.definition.container_definitions[0];
    clean("the task definition", &format!("{:?}", definition.environment));
    let log = stage.world.aws.log_lines("/fleetfoot/demo", &format!("runner/runner/{}", task.id));
    assert!(!log.is_empty());
    clean("the task's log", &log.join("\n"));
    stage.close().await;
}

/// Runners of an organisation can be kept to a group of its repositories.
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_group_of_the_organisation_is_found_by_its_name() {
    let stage = Stage::new().await;
    let group = stage.world.github.add_runner_group("octo-org", "gpu", None).unwrap();
    let url = format!("{}/octo-org", stage.world.github.server_url());
    stage.change_stack(|stack| stack["github"]["url"] = url.into());
    let start = stage.by_hand(&["start", "--key", "k", "--runner-group", "GPU"]);
    start.env("FLEETFOOT_GITHUB_TOKEN", &stage.token(&["admin:org"])).ok().await;
    let minted = stage.calls("github", "POST /orgs/{org}/actions/runners/generate-jitconfig");
    assert_eq!(minted[0].request.as_ref().unwrap()["runner_group_id"], group);
    assert!(stage.world.github.runners()[0].online);
    stage.close().await;
}
