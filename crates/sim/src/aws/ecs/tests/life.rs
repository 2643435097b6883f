//! The states of a task and their times.

use std::time::Duration;

use super::*;

fn statuses(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Changed { status, .. } => Some(*status),
            _ => None,
        })
        .collect()
}

fn launch(effects: Vec<Effect>) -> Launch {
    let started = effects.into_iter().find_map(|effect| match effect {
        Effect::Start(launch) => Some(*launch),
        _ => None,
    });
    started.expect("a process is started")
}

/// Runs a task until it is RUNNING; gives its ARN and what was launched.
fn running(fixture: &mut Fixture, change: Value) -> (String, Launch) {
    let arn = fixture.run_one(change);
    let launched = launch(fixture.pass(1000));
    assert_eq!(fixture.describe(&arn)["lastStatus"], "RUNNING");
    (arn, launched)
}

#[test]
fn from_provisioning_to_running_with_all_times() {
    let mut fixture = Fixture::new();
    let created = fixture.now.as_millisecond();
    let arn = fixture.run_one(json!({}));
    assert_eq!(statuses(&fixture.ecs.take_effects()), ["PROVISIONING"]);
    // Timing::demo_fargate: 150 + 350 + 450 + 50 ms.
    let expected = [
        (150, "PENDING", "connectivityAt"),
        (500, "PENDING", "pullStartedAt"),
        (950, "ACTIVATING", "pullStoppedAt"),
        (1000, "RUNNING", "startedAt"),
    ];
    for (at, status, time) in expected {
        let passed = fixture.now.as_millisecond() - created;
        fixture.pass(at - passed - 1);
        assert_eq!(fixture.describe(&arn).get(time), None, "{time} is too early");
        fixture.pass(1);
        let task = fixture.describe(&arn);
        assert_eq!(task["lastStatus"], status);
        let milliseconds = task[time].as_f64().unwrap() * 1000.0;
        assert!(
            (milliseconds - f64::from(u32::try_from(at).unwrap()) - 1_777_629_600_000.0).abs() < 1.0,
            "{task}"
        );
    }
    let task = fixture.describe(&arn);
    assert_eq!(task["desiredStatus"], "RUNNING");
    assert_eq!(task["connectivity"], "CONNECTED");
    assert_eq!(task["attachments"][0]["status"], "ATTACHED");
    assert_eq!(task["containers"][0]["lastStatus"], "RUNNING");
    assert_eq!(fixture.ecs.next_due(), None);
}

#[test]
fn a_late_look_sees_the_times_that_were_due() {
    let mut fixture = Fixture::new();
    let arn = fixture.run_one(json!({}));
    fixture.pass(3_600_000);
    let task = fixture.describe(&arn);
    let took = task["startedAt"].as_f64().unwrap() - task["createdAt"].as_f64().unwrap();
    assert!((took - 1.0).abs() < 0.001, "{took}");
}

#[test]
fn a_new_task_is_hidden_for_a_moment() {
    let mut fixture = Fixture::new();
    let arn = fixture.run_one(json!({}));
    let body = json!({ "cluster": "prod", "tasks": [arn] });
    let early = fixture.call("DescribeTasks", &body).unwrap();
    assert_eq!(early, json!({ "tasks": [], "failures": [{ "arn": arn, "reason": "MISSING" }] }));
    assert!(fixture.list(json!({})).unwrap().is_empty());
    fixture.pass(100);
    assert_eq!(fixture.describe(&arn)["taskArn"], arn.as_str());
    assert_eq!(fixture.list(json!({})).unwrap(), [arn]);
}

#[test]
fn the_end_of_the_essential_container_ends_the_task() {
    let mut fixture = Fixture::new();
    let (arn, launch) = running(&mut fixture, json!({}));
    fixture.ecs.container_exited(&launch.runtime_id, 3, fixture.now);
    assert_eq!(statuses(&fixture.pass(1000)), ["DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]);
    let task = fixture.describe(&arn);
    assert_eq!(task["stopCode"], "EssentialContainerExited");
    assert_eq!(task["stoppedReason"], "Essential container in task exited");
    assert_eq!(task["containers"][0]["exitCode"], 3);
    for time in ["stoppingAt", "executionStoppedAt", "stoppedAt"] {
        assert!(task[time].is_number(), "{time}");
    }
}

#[test]
fn stop_task_terminates_and_waits_for_the_exit() {
    let mut fixture = Fixture::new();
    let tags = json!({ "tags": [{ "key": "run", "value": "1" }], "propagateTags": "TASK_DEFINITION",
                       "enableECSManagedTags": true });
    let (arn, launch) = running(&mut fixture, tags);
    let keys: Vec<String> =
        fixture.describe(&arn)["tags"].as_array().unwrap().iter().map(|t| t["key"].to_string()).collect();
    assert_eq!(keys, ["\"run\"", "\"team\"", "\"aws:ecs:clusterName\""]);

    let body = json!({ "cluster": "prod", "task": arn, "reason": "enough" });
    let answer = fixture.call("StopTask", &body).unwrap();
    assert_eq!(answer["task"]["desiredStatus"], "STOPPED");
    assert_eq!(answer["task"]["tags"], json!([]));
    let effects = fixture.pass(1000);
    assert_eq!(statuses(&effects), ["DEACTIVATING", "STOPPING"]);
    let grace = effects.iter().find_map(|effect| match effect {
        Effect::Stop { runtime_id, grace } if *runtime_id == launch.runtime_id => Some(*grace),
        _ => None,
    });
    assert_eq!(grace, Some(Duration::from_secs(20)));
    fixture.pass(60_000);
    assert_eq!(fixture.describe(&arn)["lastStatus"], "STOPPING");
    fixture.ecs.container_exited(&launch.runtime_id, 137, fixture.now);
    fixture.pass(1000);
    // Stopping again changes nothing.
    let again =
        fixture.call("StopTask", &json!({ "cluster": "prod", "task": arn, "reason": "again" })).unwrap();
    assert_eq!(again["task"]["stoppedReason"], "enough");
    assert_eq!(again["task"]["stopCode"], "UserInitiated");
    assert_eq!(again["task"]["lastStatus"], "STOPPED");
    let unknown =
        fixture.call("StopTask", &json!({ "cluster": "prod", "task": "0".repeat(32) })).unwrap_err();
    assert_eq!(unknown.code, "InvalidParameterException");
    assert_eq!(unknown.message, "The referenced task was not found.");
}

#[test]
fn a_task_that_is_stopped_while_it_pulls_starts_nothing() {
    let mut fixture = Fixture::new();
    let arn = fixture.run_one(json!({}));
    fixture.pass(600);
    fixture.call("StopTask", &json!({ "cluster": "prod", "task": arn })).unwrap();
    let effects = fixture.pass(10_000);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Start(_))));
    let task = fixture.describe(&arn);
    assert_eq!(task["lastStatus"], "STOPPED");
    assert_eq!(task["containers"][0].get("exitCode"), None);
    assert_eq!(task.get("startedAt"), None);
}

#[test]
fn what_is_missing_fails_the_start() {
    let mut fixture = Fixture::new();
    let mut missing = definition("missing", NetworkMode::Awsvpc, "FARGATE");
    missing.container_definitions[0].image = "nowhere/none:1".into();
    fixture.ecs.register(missing, fixture.now).unwrap();
    let mut mute = definition("mute", NetworkMode::Awsvpc, "FARGATE");
    mute.container_definitions[0].log_configuration =
        Some(LogConfiguration::awslogs("/none", "eu-west-1", "p"));
    fixture.ecs.register(mute, fixture.now).unwrap();
    for (family, reason) in [
        (
            "missing",
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref nowhere/none:1",
        ),
        ("mute", "ResourceInitializationError: failed to validate logger args"),
    ] {
        let arn = fixture.run_one(json!({ "taskDefinition": family }));
        fixture.pass(2000);
        let task = fixture.describe(&arn);
        assert_eq!(task["stopCode"], "TaskFailedToStart");
        assert!(task["stoppedReason"].as_str().unwrap().starts_with(reason), "{task}");
        assert_eq!(task["lastStatus"], "STOPPED");
    }
    let (arn, launch) = running(&mut fixture, json!({}));
    fixture.ecs.container_failed(
        &launch.runtime_id,
        "CannotStartContainerError: no such file".into(),
        fixture.now,
    );
    fixture.pass(2000);
    let task = fixture.describe(&arn);
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    assert_eq!(task["containers"][0]["reason"], "CannotStartContainerError: no such file");
}

#[test]
fn a_container_that_is_not_essential_may_end() {
    let mut fixture = Fixture::new();
    let mut pair = definition("pair", NetworkMode::Awsvpc, "FARGATE");
    let mut helper = pair.container_definitions[0].clone();
    helper.name = "helper".into();
    helper.essential = Some(false);
    pair.container_definitions.push(helper);
    fixture.ecs.register(pair, fixture.now).unwrap();
    let arn = fixture.run_one(json!({ "taskDefinition": "pair" }));
    let ids: Vec<String> = fixture
        .pass(1000)
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Start(launch) => Some(launch.runtime_id),
            _ => None,
        })
        .collect();
    fixture.ecs.container_exited(&ids[1], 0, fixture.now);
    fixture.pass(1000);
    assert_eq!(fixture.describe(&arn)["lastStatus"], "RUNNING");
    fixture.ecs.container_exited(&ids[0], 0, fixture.now);
    fixture.pass(1000);
    assert_eq!(fixture.describe(&arn)["lastStatus"], "STOPPED");
}

#[test]
fn a_bridge_task_has_no_interface_and_no_provisioning() {
    let mut fixture = Fixture::new();
    fixture.ecs.set_capacity("prod", "EC2", Capacity::Unlimited).unwrap();
    let change = json!({ "taskDefinition": "bridge", "launchType": "EC2", "networkConfiguration": null });
    let (arn, _) = running(&mut fixture, change);
    let task = fixture.describe(&arn);
    assert_eq!(task["attachments"], json!([]));
    assert_eq!(task["launchType"], "EC2");
    assert_eq!(task.get("platformVersion"), None);
}

#[test]
fn a_process_gets_its_environment_in_layers() {
    let mut fixture = Fixture::new();
    fixture.ecs.surroundings.path = "/bin".into();
    let image = LocalImage {
        argv: vec!["/bin/agent".into()],
        env: [("A", "image"), ("B", "image"), ("C", "image")].map(|(n, v)| (n.into(), v.into())).into(),
        ..LocalImage::default()
    };
    fixture.ecs.add_image("image", image);
    let mut layered = definition("layered", NetworkMode::Awsvpc, "FARGATE");
    layered.container_definitions[0].command = vec!["from-definition".into()];
    layered.container_definitions[0].environment =
        vec![KeyValue::new("B", "task"), KeyValue::new("C", "task")];
    fixture.ecs.register(layered, fixture.now).unwrap();
    let overrides = json!({ "containerOverrides": [{ "name": "main", "command": ["run", "once"],
                            "environment": [{ "name": "C", "value": "override" }] }] });
    let (_, launch) = running(&mut fixture, json!({ "taskDefinition": "layered", "overrides": overrides }));
    let Run::Process { argv, .. } = launch.run else { panic!("the image is a program") };
    assert_eq!(argv, ["/bin/agent", "run", "once"]);
    let env = |name: &str| launch.env.get(name).map(String::as_str);
    assert_eq!(
        (env("A"), env("B"), env("C"), env("PATH")),
        (Some("image"), Some("task"), Some("override"), Some("/bin"))
    );
    assert!(env("ECS_CONTAINER_METADATA_URI_V4").unwrap().ends_with(&launch.runtime_id));
    assert!(env("AWS_CONTAINER_CREDENTIALS_FULL_URI").unwrap().contains("/v2/credentials/"));
}

#[test]
fn stopped_tasks_are_forgotten_after_an_hour() {
    let mut fixture = Fixture::with(Timing::instant());
    let arn = fixture.run_one(json!({}));
    fixture.call("StopTask", &json!({ "cluster": "prod", "task": arn })).unwrap();
    fixture.pass(1);
    fixture.pass(3_599_000);
    assert_eq!(fixture.describe(&arn)["lastStatus"], "STOPPED");
    fixture.pass(2_000);
    assert!(fixture.describe(&arn).is_null());
}
