//! Everything that RunTask and its neighbours refuse.

use super::*;

fn refused(change: Value, code: &str, words: &str) {
    let mut fixture = Fixture::new();
    let shown = change.to_string();
    match fixture.run(change) {
        Ok(answer) => panic!("{shown} was accepted: {answer}"),
        Err(error) => {
            assert_eq!(error.code, code, "{shown}: {error}");
            assert!(error.message.contains(words), "{shown}: {error}");
        }
    }
    assert!(fixture.ecs.tasks().next().is_none(), "{shown} left a task behind");
}

const INVALID: &str = "InvalidParameterException";
const CLIENT: &str = "ClientException";

#[test]
fn counts_names_and_tags() {
    refused(json!({ "count": 0 }), INVALID, "between 1 and 10");
    refused(json!({ "count": 11 }), INVALID, "between 1 and 10");
    refused(json!({ "startedBy": "a".repeat(129) }), INVALID, "128 characters");
    refused(json!({ "startedBy": "a b" }), INVALID, "letters, digits");
    refused(json!({ "startedBy": "a.b" }), INVALID, "letters, digits");
    let tags: Vec<Value> = (0..51).map(|i| json!({ "key": format!("k{i}"), "value": "v" })).collect();
    refused(json!({ "tags": tags }), INVALID, "50");
    refused(json!({ "tags": [{ "key": "aws:x", "value": "" }] }), INVALID, "reserved");
    refused(
        json!({ "tags": [{ "key": "a", "value": "1" }, { "key": "a", "value": "2" }] }),
        INVALID,
        "twice",
    );
    refused(json!({ "tags": [{ "key": "a", "value": "{}" }] }), INVALID, "not valid");
    refused(json!({ "propagateTags": "SERVICE" }), INVALID, "propagateTags");
    refused(json!({ "clientToken": "x".repeat(65) }), INVALID, "clientToken");
    refused(json!({ "clientToken": "a b" }), INVALID, "clientToken");
}

#[test]
fn what_is_not_there() {
    refused(json!({ "cluster": "none" }), "ClusterNotFoundException", "Cluster not found");
    refused(json!({ "taskDefinition": "none" }), CLIENT, "TaskDefinition not found");
    refused(json!({ "taskDefinition": "runner:9" }), CLIENT, "TaskDefinition not found");
    refused(json!({ "platformVersion": "9.9.9" }), "PlatformUnknownException", "platform version");
    refused(json!({ "count": "two" }), "SerializationException", "");
}

#[test]
fn capacity_choices() {
    let strategy = |items: Value| json!({ "launchType": null, "capacityProviderStrategy": items });
    let both = json!({ "capacityProviderStrategy": [{ "capacityProvider": "FARGATE" }] });
    refused(both, INVALID, "both a launch type and capacity provider strategy");
    refused(json!({ "launchType": "FARGATE_SPOT" }), INVALID, "FARGATE_SPOT");
    refused(strategy(json!([{ "capacityProvider": "other" }])), INVALID, "not associated");
    let mixed =
        json!([{ "capacityProvider": "FARGATE", "weight": 1 }, { "capacityProvider": "asg", "weight": 1 }]);
    refused(strategy(mixed), INVALID, "mix of capacity providers");
    let bases = json!([{ "capacityProvider": "FARGATE", "base": 1, "weight": 1 },
                       { "capacityProvider": "FARGATE_SPOT", "base": 1 }]);
    refused(strategy(bases), INVALID, "base");
    let weightless = json!([{ "capacityProvider": "FARGATE" }, { "capacityProvider": "FARGATE_SPOT" }]);
    refused(strategy(weightless), INVALID, "weight greater than 0");
    refused(strategy(json!([{ "capacityProvider": "asg" }])), INVALID, "does not support launch_type EC2");
    refused(json!({ "taskDefinition": "bridge" }), INVALID, "does not support launch_type FARGATE");
    refused(json!({ "placementConstraints": [{ "type": "distinctInstance" }] }), INVALID, "Placement");

    let mut fixture = Fixture::new();
    let mut bare = Cluster::new("bare", &["FARGATE"]);
    bare.default_strategy = vec![StrategyItem { capacity_provider: "FARGATE".into(), weight: 1, base: 0 }];
    fixture.ecs.add_cluster(bare, &mut fixture.ids);
    let spot = json!([{ "capacityProvider": "FARGATE_SPOT" }]);
    let change = json!({ "cluster": "bare", "launchType": null, "capacityProviderStrategy": spot });
    assert!(fixture.run(change).unwrap_err().message.contains("not associated"));
    let defaulted = fixture.run(json!({ "cluster": "bare", "launchType": null })).unwrap();
    assert_eq!(defaulted["tasks"][0]["capacityProviderName"], "FARGATE");
}

#[test]
fn networks() {
    let vpc = |vpc: Value| json!({ "networkConfiguration": { "awsvpcConfiguration": vpc } });
    refused(json!({ "networkConfiguration": null }), INVALID, "must be provided");
    refused(vpc(json!({ "subnets": [] })), INVALID, "subnets can not be empty");
    refused(vpc(json!({ "subnets": vec!["subnet-a"; 17] })), INVALID, "at most 16");
    refused(vpc(json!({ "subnets": ["subnet-x"] })), INVALID, "InvalidSubnetID.NotFound");
    refused(
        vpc(json!({ "subnets": ["subnet-a"], "securityGroups": ["sg-x"] })),
        INVALID,
        "InvalidGroup.NotFound",
    );
    refused(vpc(json!({ "subnets": ["subnet-a"], "securityGroups": vec!["sg-1"; 6] })), INVALID, "at most 5");
    let ec2 = json!({ "taskDefinition": "vpc", "launchType": "EC2" });
    refused(ec2, INVALID, "Assign public IP is not supported");
    let bridge = json!({ "taskDefinition": "bridge", "launchType": "EC2" });
    refused(bridge, INVALID, "not valid for the given networkMode");
}

#[test]
fn overrides() {
    let over = |overrides: Value| json!({ "overrides": overrides });
    let container = |member: Value| over(json!({ "containerOverrides": [member] }));
    refused(container(json!({ "name": "other" })), INVALID, "Override for container named other");
    refused(container(json!({ "command": ["x"] })), INVALID, "must have a name");
    let long = json!({ "name": "main", "environment": [{ "name": "A", "value": "x".repeat(8192) }] });
    refused(container(long), INVALID, "8192");
    refused(over(json!({ "cpu": "1024", "memory": "1024" })), CLIENT, "No Fargate configuration exists");
    refused(over(json!({ "cpu": "fast" })), CLIENT, "Invalid 'cpu'");
    refused(over(json!({ "ephemeralStorage": { "sizeInGiB": 20 } })), INVALID, "between 21 and 200");
    refused(over(json!({ "ephemeralStorage": { "sizeInGiB": 201 } })), INVALID, "between 21 and 200");

    let mut fixture = Fixture::new();
    let filled = |length: usize| {
        json!({ "containerOverrides": [{ "name": "main", "environment": [
            { "name": "A", "value": "x".repeat(length) }] }] })
    };
    let fits = filled(8192 - filled(0).to_string().len());
    assert_eq!(fits.to_string().len(), 8192);
    fixture.run(over(fits)).unwrap();
    let sized = json!({ "cpu": "2 vCPU", "memory": "16384", "ephemeralStorage": { "sizeInGiB": 21 } });
    let task = fixture.run(over(sized)).unwrap()["tasks"][0].clone();
    assert_eq!((&task["cpu"], &task["memory"]), (&json!("2048"), &json!("16384")));
    assert_eq!(task["ephemeralStorage"]["sizeInGiB"], 21);
}

#[test]
fn shortages_are_failures_in_the_answer() {
    let mut fixture = Fixture::new();
    let ec2 =
        json!({ "taskDefinition": "bridge", "launchType": "EC2", "networkConfiguration": null, "count": 3 });
    for (shortage, reason) in [
        (Shortage::Cpu, "RESOURCE:CPU"),
        (Shortage::Memory, "RESOURCE:MEMORY"),
        (Shortage::Eni, "RESOURCE:ENI"),
    ] {
        let count = fixture.ecs.tasks().count() + 1;
        fixture.ecs.set_capacity("prod", "EC2", Capacity::Slots { count, shortage }).unwrap();
        let answer = fixture.run(ec2.clone()).unwrap();
        assert_eq!(answer["tasks"].as_array().unwrap().len(), 1);
        assert_eq!(answer["failures"].as_array().unwrap().len(), 2);
        assert_eq!(answer["failures"][0]["reason"], reason);
        assert!(answer["failures"][0]["arn"].as_str().unwrap().contains(":container-instance/prod/"));
    }
    // Spot that is gone stays gone: nobody turns it into on-demand.
    fixture.ecs.set_capacity("prod", "FARGATE_SPOT", Capacity::Unavailable).unwrap();
    let spot =
        json!({ "launchType": null, "capacityProviderStrategy": [{ "capacityProvider": "FARGATE_SPOT" }] });
    let answer = fixture.run(spot).unwrap();
    assert_eq!(answer["tasks"], json!([]));
    assert!(
        answer["failures"][0]["reason"].as_str().unwrap().starts_with("Capacity is unavailable at this time")
    );
    assert_eq!(fixture.run(json!({})).unwrap()["failures"], json!([]));
}

#[test]
fn a_slot_is_free_again_when_its_task_is_over() {
    let mut fixture = Fixture::with(Timing::instant());
    fixture.ecs.set_capacity("prod", "asg", Capacity::Slots { count: 1, shortage: Shortage::Cpu }).unwrap();
    let asg = json!({ "taskDefinition": "bridge", "launchType": null, "networkConfiguration": null,
                      "capacityProviderStrategy": [{ "capacityProvider": "asg", "weight": 1 }] });
    let first = fixture.run_one(asg.clone());
    assert_eq!(fixture.run(asg.clone()).unwrap()["failures"][0]["reason"], "RESOURCE:CPU");
    fixture.call("StopTask", &json!({ "cluster": "prod", "task": first })).unwrap();
    fixture.pass(1);
    fixture.run_one(asg);
}

#[test]
fn rates() {
    let mut fixture = Fixture::new();
    for _ in 0..20 {
        fixture.run(json!({})).unwrap();
    }
    // 20 calls a second on Fargate, whatever the larger bucket still holds.
    let error = fixture.run(json!({})).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), ("ThrottlingException", "Rate exceeded"));
    fixture.pass(1000);
    // Launches: 100 at once on on-demand, 20 of which were used and 20 refilled.
    for _ in 0..10 {
        fixture.run(json!({ "count": 10 })).unwrap();
    }
    assert_eq!(fixture.run(json!({ "count": 10 })).unwrap_err().code, "ThrottlingException");
    let spot = json!({ "count": 10, "launchType": null,
                       "capacityProviderStrategy": [{ "capacityProvider": "FARGATE_SPOT" }] });
    fixture.run(spot).unwrap();

    let mut fixture = Fixture::new();
    for _ in 0..100 {
        fixture.list(json!({})).unwrap();
    }
    assert_eq!(fixture.list(json!({})).unwrap_err().code, "ThrottlingException");
}

#[test]
fn lists_and_descriptions() {
    let mut fixture = Fixture::with(Timing::instant());
    let mine = fixture.run_one(json!({ "startedBy": "me/1" }));
    let others: Vec<String> = (0..4).map(|_| fixture.run_one(json!({ "startedBy": "you" }))).collect();
    assert_eq!(fixture.list(json!({ "startedBy": "me/1" })).unwrap(), std::slice::from_ref(&mine));
    let others_beside = [
        json!({ "family": "runner" }),
        json!({ "launchType": "FARGATE" }),
        json!({ "desiredStatus": "STOPPED" }),
    ];
    for other in others_beside {
        let error = fixture.list(merged(json!({ "startedBy": "me/1" }), other)).unwrap_err();
        assert_eq!(error.code, INVALID);
    }
    fixture.call("StopTask", &json!({ "cluster": "prod", "task": mine })).unwrap();
    assert!(fixture.list(json!({ "startedBy": "me/1" })).unwrap().is_empty());
    assert_eq!(fixture.list(json!({ "desiredStatus": "STOPPED" })).unwrap(), [mine]);
    assert_eq!(fixture.list(json!({ "family": "runner" })).unwrap(), others);
    assert!(fixture.list(json!({ "family": "bridge" })).unwrap().is_empty());
    assert_eq!(fixture.list(json!({ "cluster": "none" })).unwrap_err().code, "ClusterNotFoundException");

    let mut found = Vec::new();
    let mut token = Value::Null;
    for expected in [3, 1] {
        let body = merged(json!({ "cluster": "prod", "maxResults": 3 }), json!({ "nextToken": token }));
        let page = fixture.call("ListTasks", &body).unwrap();
        let arns: Vec<String> = serde_json::from_value(page["taskArns"].clone()).unwrap();
        assert_eq!(arns.len(), expected);
        found.extend(arns);
        token = page.get("nextToken").cloned().unwrap_or_default();
    }
    assert_eq!((found, token), (others.clone(), Value::Null));
    assert_eq!(fixture.list(json!({ "nextToken": "junk" })).unwrap_err().code, INVALID);
    assert_eq!(fixture.list(json!({ "maxResults": 101 })).unwrap_err().code, INVALID);

    let describe = |tasks: Value| json!({ "cluster": "prod", "tasks": tasks });
    assert_eq!(fixture.call("DescribeTasks", &describe(json!([]))).unwrap_err().code, INVALID);
    let many = json!(vec!["0".repeat(32); 101]);
    assert_eq!(fixture.call("DescribeTasks", &describe(many)).unwrap_err().code, INVALID);
    let id = others[0].rsplit('/').next().unwrap();
    let answer = fixture.call("DescribeTasks", &describe(json!([id, "nobody"]))).unwrap();
    assert_eq!(answer["tasks"][0]["taskArn"], others[0].as_str());
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
}
