//! Task definitions, capacity, quotas, and the runner in the image.

use fleetfoot_sim::aws::RuntimePlatform;

use super::{by_hand, define, one_pool, stage, version_tag};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_definition_that_is_not_there() {
    let stage = stage().await;
    one_pool(&stage, |pool| pool["task_definition"] = "nope".into());
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem task-definition of Fargate: cannot use the task definition nope: ClientException: Unable to describe task definition.
      There is no such task definition: check task_definition of the pool.
    skipped runner-version of Fargate: not checked, because it builds on task-definition
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_not_there() {
    let stage = stage().await;
    one_pool(&stage, |pool| pool["container"] = "nope".into());
    insta::assert_snapshot!(by_hand(stage).await, @r#"
    exit 1
    problem task-definition of Fargate: cannot use the pool Fargate in cluster arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: fleetfoot-demo-fargate has no container "nope", but: runner
      Name the container that runs the agent in the pool's `container`
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_architecture() {
    let stage = stage().await;
    define(&stage, |definition| {
        definition.runtime_platform =
            Some(RuntimePlatform { cpu_architecture: Some("ARM64".into()), operating_system_family: None });
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem task-definition of Fargate: cannot use the pool Fargate in cluster arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: fleetfoot-demo-other is for ARM64, but the pool's arch is X86_64
      Correct the pool's arch, or runtimePlatform of the task definition.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sizes() {
    let stage = stage().await;
    define(&stage, |definition| {
        (definition.cpu, definition.memory) = (Some("512".into()), Some("1024".into()));
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    warning task-definition of Fargate: fleetfoot-demo-other:1 has 512 CPU units and 1024 MiB, but the pool says 1024 and 2048
      Write the same sizes into the stack document: costs and quotas are reckoned by it.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capacity_provider_that_is_not_there() {
    let stage = stage().await;
    stage.change_stack(|stack| {
        stack["pools"].as_array_mut().unwrap().drain(..2);
        stack["pools"][0]["capacity"] = serde_json::json!([{ "provider": "nope" }]);
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem capacity-providers of EC2: cannot use the pool EC2 in cluster arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: the capacity provider nope is not associated with the cluster, which has: FARGATE, FARGATE_SPOT, fleetfoot-demo-ec2
      Associate it (aws ecs put-cluster-capacity-providers), or take nope out of the pool's capacity.
    note way-out of EC2: not checked: the pool's tasks have the network of their instances
      See that the instances reach GitHub and AWS on port 443.
    ");
}

/// What a new account has.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_too_small_for_the_pool() {
    let stage = stage().await;
    one_pool(&stage, |pool| {
        pool["capacity"] = serde_json::json!([{ "provider": "FARGATE_SPOT" }, { "provider": "FARGATE" }]);
    });
    for code in ["L-3032A538", "L-36FBB829"] {
        assert!(stage.world.aws.set_quota(code, 6.0));
    }
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    warning quota of Fargate: 100 tasks of the pool are 100 vCPU; of Fargate the account may have 6 vCPU on-demand and 6 vCPU spot, other tasks included
      Ask for more in Service Quotas (fargate, L-3032A538, L-36FBB829), or lower the pool's max.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_nobody_tells_of() {
    let stage = stage().await;
    define(&stage, |definition| definition.tags.clear());
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    note runner-version of Fargate: the task definition does not say which version of GitHub's runner its image holds
      Tag the task definition where it is registered: fleetfoot:runner-version = 2.336.0, say.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_not_the_newest() {
    let stage = stage().await;
    define(&stage, |definition| definition.tags = vec![version_tag("2.335.1")]);
    let told = by_hand(stage).await;
    // The newest came out when the stage was built.
    let today = jiff::Timestamp::now();
    let month = today + jiff::SignedDuration::from_hours(30 * 24);
    let told = told.replace(&today.strftime("%F").to_string(), "TODAY");
    insta::assert_snapshot!(told.replace(&month.strftime("%F").to_string(), "IN 30 DAYS"), @"
    exit 0
    warning runner-version of Fargate: the image has the runner 2.335.1; 2.336.0 came out on TODAY, so that GitHub gives it jobs until IN 30 DAYS at the longest
      Build the image anew from ghcr.io/actions/actions-runner:2.336.0, and register the task definition with it and its tag.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_github_registers_no_more() {
    let stage = stage().await;
    define(&stage, |definition| definition.tags = vec![version_tag("2.328.0")]);
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem runner-version of Fargate: the image has the runner 2.328.0; GitHub registers none below 2.329.0
      Build the image anew from ghcr.io/actions/actions-runner:2.336.0, and register the task definition with it and its tag.
    ");
}
