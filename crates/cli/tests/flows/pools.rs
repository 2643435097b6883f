//! `fleetfoot start` on every kind of capacity: Fargate, Fargate Spot, EC2 in awsvpc and in bridge mode,
//! any capacity provider, and the next choice when one has no room.

use fleetfoot::demo::world::CLUSTER;
use fleetfoot_sim::aws::{Capacity, CapacityProvider, Cluster, LaunchType, Shortage, Task, TaskDefinition};
use serde_json::{Value, json};

use crate::common::{IMAGE, Stage, until};

const ASG: &str = "fleetfoot-demo-ec2";

/// Starts a runner on a pool until it is online; gives its task and the RunTask call that brought it.
async fn start_on(stage: &Stage, pool: &str) -> (Task, Value) {
    stage.by_hand(&["start", "--key", "k", "--pool", pool]).ok().await;
    assert!(stage.world.github.runners()[0].online);
    let tasks = stage.live_tasks();
    assert_eq!(tasks.len(), 1);
    (tasks[0].clone(), stage.launches().pop().unwrap())
}

/// A pool on the cluster's machines, with a network of its own or without.
fn ec2_pool(stack: &mut Value, task_definition: &str, network: bool, capacity: &Value) {
    let fargate = stack["pools"][0].clone();
    let pools = stack["pools"].as_array_mut().unwrap();
    let mut pool = json!({ "name": "mine", "task_definition": task_definition, "arch": "x86_64", "cpu": 1024,
                           "memory": 2048, "capacity": [capacity] });
    if network {
        pool["network"] = fargate["network"].clone();
        // A task on EC2 cannot have a public address.
        pool["network"]["assign_public_ip"] = json!(false);
    }
    pools.push(pool);
}

#[tokio::test(flavor = "multi_thread")]
async fn fargate() {
    let stage = Stage::new().await;
    let (task, launch) = start_on(&stage, "Fargate").await;
    assert_eq!(task.capacity_provider.as_deref(), Some("FARGATE"));
    let vpc = &launch["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(vpc["subnets"], json!(["subnet-0a1b2c3d4e5f60718"]));
    assert_eq!(vpc["assignPublicIp"], "ENABLED");
    assert!(launch.get("launchType").is_none(), "a strategy and a launch type exclude each other");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fargate_spot() {
    let stage = Stage::new().await;
    let (task, _) = start_on(&stage, "Fargate-Spot").await;
    assert_eq!(task.capacity_provider.as_deref(), Some("FARGATE_SPOT"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ec2_in_bridge_mode() {
    let stage = Stage::new().await;
    let (task, launch) = start_on(&stage, "EC2").await;
    assert_eq!((task.capacity_provider.as_deref(), task.launch_type), (Some(ASG), LaunchType::Ec2));
    assert!(task.interface.is_none());
    assert!(launch.get("networkConfiguration").is_none());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ec2_in_awsvpc_mode() {
    let stage = Stage::new().await;
    let definition = TaskDefinition {
        requires_compatibilities: vec!["EC2".into()],
        ..stage.definition("fleetfoot-demo-awsvpc", IMAGE)
    };
    stage.world.aws.register_task_definition(definition).unwrap();
    stage.change_stack(|stack| ec2_pool(stack, "fleetfoot-demo-awsvpc", true, &json!({ "provider": ASG })));
    let (task, launch) = start_on(&stage, "mine").await;
    assert_eq!(task.capacity_provider.as_deref(), Some(ASG));
    assert!(task.interface.is_some());
    assert_eq!(launch["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"], "DISABLED");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_launch_type_ec2_without_a_provider() {
    let stage = Stage::new().await;
    stage.world.aws.set_capacity(CLUSTER, "EC2", Capacity::Unlimited).unwrap();
    stage
        .change_stack(|stack| ec2_pool(stack, "fleetfoot-demo-ec2", false, &json!({ "launch_type": "EC2" })));
    let (task, launch) = start_on(&stage, "mine").await;
    assert_eq!((task.capacity_provider, task.launch_type), (None, LaunchType::Ec2));
    assert_eq!(launch["launchType"], "EC2");
    assert!(launch.get("capacityProviderStrategy").is_none());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_launch_type_fargate() {
    let stage = Stage::new().await;
    stage.change_stack(|stack| stack["pools"][0]["capacity"] = json!([{ "launch_type": "FARGATE" }]));
    let (task, _) = start_on(&stage, "Fargate").await;
    assert_eq!((task.capacity_provider, task.launch_type), (None, LaunchType::Fargate));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_capacity_provider_of_the_cluster() {
    let stage = Stage::new().await;
    stage.world.aws.create_cluster(Cluster {
        capacity_providers: vec![CapacityProvider::new("gpu-machines")],
        ..Cluster::new(CLUSTER, &[])
    });
    let capacity = json!({ "provider": "gpu-machines" });
    stage.change_stack(|stack| ec2_pool(stack, "fleetfoot-demo-ec2", false, &capacity));
    let (task, _) = start_on(&stage, "mine").await;
    assert_eq!(task.capacity_provider.as_deref(), Some("gpu-machines"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_name_the_stack_s_first_pool_is_taken() {
    let stage = Stage::new().await;
    stage.change_stack(|stack| stack["pools"].as_array_mut().unwrap().reverse());
    stage.by_hand(&["start", "--key", "k", "--wait", "none"]).ok().await;
    assert_eq!(stage.runner_labels()[3], "linux-arm64");
    stage.close().await;
}

/// Fargate never turns spot into on-demand by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_choice_is_taken_when_the_first_has_no_room() {
    let stage = Stage::new().await;
    stage.world.aws.set_capacity(CLUSTER, "FARGATE_SPOT", Capacity::Unavailable).unwrap();
    let (task, launch) = start_on(&stage, "Fargate-Spot").await;
    assert_eq!(task.capacity_provider.as_deref(), Some("FARGATE"));
    // With another token: ECS would answer the same one with the same failure.
    assert_eq!(stage.count("ecs", "RunTask"), 2);
    assert_ne!(stage.launches()[0]["clientToken"], launch["clientToken"]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_choice_has_is_taken_and_the_rest_comes_from_the_next() {
    let stage = Stage::new().await;
    let two = Capacity::Slots { count: 2, shortage: Shortage::Cpu };
    stage.world.aws.set_capacity(CLUSTER, "FARGATE_SPOT", two).unwrap();
    let start = ["start", "--key", "k", "--pool", "Fargate-Spot", "--count", "5", "--wait", "none"];
    stage.by_hand(&start).ok().await;
    let tasks = stage.live_tasks();
    let on = |name: &str| tasks.iter().filter(|t| t.capacity_provider.as_deref() == Some(name)).count();
    assert_eq!((on("FARGATE_SPOT"), on("FARGATE")), (2, 3));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_anywhere_the_start_fails_with_what_each_choice_said_and_leaves_nothing() {
    let stage = Stage::new().await;
    for provider in ["FARGATE_SPOT", "FARGATE"] {
        let one = Capacity::Slots { count: 1, shortage: Shortage::Cpu };
        stage.world.aws.set_capacity(CLUSTER, provider, one).unwrap();
    }
    let start = stage.by_hand(&["start", "--key", "k", "--pool", "Fargate-Spot", "--count", "3"]);
    let said = start.fails(1).await;
    assert!(
        said.contains("error: no capacity of the pool could start the task: cannot start 3 tasks"),
        "{said}"
    );
    for provider in ["on FARGATE_SPOT in", "on FARGATE in", "Capacity is unavailable at this time"] {
        assert!(said.contains(provider), "{said}");
    }
    assert!(said.contains("  help: Try again later, or add another capacity to the pool."), "{said}");
    until("the two that were started are gone", || stage.live_tasks().is_empty()).await;
    assert_eq!(stage.world.aws.tasks().len(), 2);
    stage.assert_nothing_left();
    stage.close().await;
}
