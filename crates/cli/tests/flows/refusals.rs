//! What bad input gets: a distinct, clear error with its remedy, before anything is created.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::common::{START, Stage};

/// What a start by hand says on standard error.
async fn refused(stage: &Stage, code: i32, arguments: &[&str]) -> String {
    stage.by_hand(&[&["start", "--key", "k"], arguments].concat()).fails(code).await
}

/// What a start with this change of the stack file says.
async fn refused_with(stage: &Stage, code: i32, change: impl FnOnce(&mut Value)) -> String {
    let file = stage.stack_file(change);
    let start = stage.by_hand(&["start", "--key", "k", "--stack-file", &file]);
    start.without("FLEETFOOT_STACK").fails(code).await.replace(&file, "stack.json")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_not_there() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused(&stage, 2, &["--pool", "Nope"]).await, @r#"
    error: the stack demo has no pool "Nope"; it has: Fargate, Fargate-Spot, EC2, linux-arm64
      help: Name one of them with --pool, or add the pool to the stack.
    "#);
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_that_fargate_does_not_have() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused(&stage, 2, &["--cpu", "1024", "--memory", "16384"]).await, @"
    error: pool Fargate: Fargate has no task with 1024 CPU units and 16384 MiB; with 1024 CPU units it has 2048 to 8192 MiB in steps of 1024
      help: Change --cpu, --memory or --ephemeral-storage.
    ");
    insta::assert_snapshot!(refused(&stage, 2, &["--cpu", "1000"]).await, @"
    error: pool Fargate: Fargate has no task with 1000 CPU units; it has 256, 512, 1024, 2048, 4096, 8192 and 16384
      help: Change --cpu, --memory or --ephemeral-storage.
    ");
    insta::assert_snapshot!(refused(&stage, 2, &["--ephemeral-storage", "201"]).await, @"
    error: pool Fargate: ephemeral storage of 201 GiB is not possible; Fargate takes 21 to 200 GiB (20 without asking)
      help: Change --cpu, --memory or --ephemeral-storage.
    ");
    insta::assert_snapshot!(refused(&stage, 2, &["--pool", "EC2", "--ephemeral-storage", "50"]).await, @"
    error: pool EC2 may run on EC2, where tasks share the instance's disk
      help: Leave --ephemeral-storage out, or take a pool that is on Fargate alone.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_checked_before_any_call_if_the_stack_is_a_file() {
    let stage = Stage::new().await;
    let file = stage.stack_file(|_| {});
    let start = stage.by_hand(&["start", "--key", "k", "--stack-file", &file, "--memory", "1"]);
    start.without("FLEETFOOT_STACK").fails(2).await;
    assert_eq!(stage.world.book.calls().len(), 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_github_would_not_take() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused(&stage, 2, &["--label", "two words"]).await, @r#"
    error: invalid value 'two words' for '--label <LABEL>': label "two words" is not valid: 1 to 256 characters without spaces or commas

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refused(&stage, 2, &["--label", "one,two"]).await, @r#"
    error: invalid value 'one,two' for '--label <LABEL>': label "one,two" is not valid: 1 to 256 characters without spaces or commas

    For more information, try '--help'.
    "#);
    let long = "x".repeat(257);
    let said = refused(&stage, 2, &["--label", &long]).await.replace(&long, "x…");
    insta::assert_snapshot!(said, @r#"
    error: invalid value 'x…' for '--label <LABEL>': label "x…" is not valid: 1 to 256 characters without spaces or commas

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refused(&stage, 2, &["--label", "ff-hand-k-r4nd"]).await, @"
    error: the label ff-hand-k-r4nd looks like the label of a start
      help: Take another word; fleetfoot makes the labels that begin with ff- itself.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_of_none_or_too_many() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused(&stage, 2, &["--count", "0"]).await, @"
    error: invalid value '0' for '--count <N>': 0 is not in 1..=100

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&stage, 2, &["--count", "101"]).await, @"
    error: invalid value '101' for '--count <N>': 101 is not in 1..=100

    For more information, try '--help'.
    ");
    let said = refused_with(&stage, 2, |stack| {
        stack["pools"][0]["max"] = json!(3);
        stack["pools"][0]["warm"] = json!(4);
    });
    insta::assert_snapshot!(said.await, @"
    error: the stack document in stack.json cannot be used: pools[0].warm: is above max
      help: Mend it there; docs/stack.schema.json describes every field.
    ");
    stage.change_stack(|stack| stack["pools"][0]["max"] = json!(3));
    insta::assert_snapshot!(refused(&stage, 2, &["--count", "4"]).await, @"
    error: 4 runners are more than pool Fargate may have: 3
      help: Lower --count, or raise the pool's max in the stack.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_durations_and_the_lack_of_a_key() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(stage.by_hand(&["start"]).fails(2).await, @"
    error: outside a workflow a start needs a key, to be found again
      help: Name one with --key, such as --key try.
    ");
    insta::assert_snapshot!(stage.by_hand(&["start", "--key", "a/b"]).fails(2).await, @r#"
    error: invalid value 'a/b' for '--key <KEY>': key "a/b" is not valid: 1 to 48 letters, digits, - or _

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(refused(&stage, 2, &["--timeout", "soon"]).await, @"
    error: invalid value 'soon' for '--timeout <DURATION>': a duration is written like 90s, 5m or 1h30m

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&stage, 2, &["--runner-group", "gpu"]).await, @r#"
    error: cannot find the runner group "gpu" of octo-org/demo: a repository has no runner group but Default
      help: Register at the organisation, or leave the runner group out.
    "#);
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_the_stack_document_that_are_unknown_or_missing_with_their_place() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused_with(&stage, 2, |stack| stack["pools"][1]["cpus"] = json!(1)).await, @"
    error: the stack document in stack.json cannot be used: pools[1].cpus: unknown field `cpus`, expected one of `name`, `task_definition`, `container`, `arch`, `cpu`, `memory`, `network`, `capacity`, `max`, `warm`, `schedules`, `adaptive`
      help: Mend it there; docs/stack.schema.json describes every field.
    ");
    let missing = |stack: &mut Value| drop(stack["pools"][2].as_object_mut().unwrap().remove("arch"));
    insta::assert_snapshot!(refused_with(&stage, 2, missing).await, @"
    error: the stack document in stack.json cannot be used: pools[2]: missing field `arch`
      help: Mend it there; docs/stack.schema.json describes every field.
    ");
    let file = stage.file("broken.json", "{\n  \"version\": 1,\n");
    let broken = ["start", "--key", "k", "--stack-file", &file];
    let said = stage.by_hand(&broken).without("FLEETFOOT_STACK").fails(2).await.replace(&file, "broken.json");
    insta::assert_snapshot!(said, @"
    error: the stack document in broken.json cannot be used: line 3, column 0: EOF while parsing a value
      help: Mend it there; docs/stack.schema.json describes every field.
    ");
    assert_eq!(stage.world.book.calls().len(), 0, "all before any call");

    stage.change_stack(|stack| stack["mailbox"] = json!({ "bucket": "b", "key": "k" }));
    insta::assert_snapshot!(refused(&stage, 2, &[]).await, @"
    error: the stack document in SSM parameter /fleetfoot/demo cannot be used: mailbox.key: unknown field `key`, expected `bucket` or `prefix`
      help: Mend it there; docs/stack.schema.json describes every field.
    ");
    stage.change_stack(|stack| stack["version"] = json!(2));
    insta::assert_snapshot!(refused(&stage, 2, &[]).await, @"
    error: the stack document in SSM parameter /fleetfoot/demo cannot be used: version: this fleetfoot reads version 1, the document has 2
      help: Mend it there; docs/stack.schema.json describes every field.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_not_there() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused(&stage, 2, &["--stack", "nope"]).await, @"
    error: cannot read the SSM parameter /fleetfoot/nope: ParameterNotFound
      help: There is no parameter /fleetfoot/nope in this account and region: check --stack and the region, or give the document by --stack-file.
    ");
    stage.world.aws.put_parameter("/fleetfoot/alias", &stage.world.stack.to_string()).unwrap();
    insta::assert_snapshot!(refused(&stage, 2, &["--stack", "alias"]).await, @"
    error: the SSM parameter /fleetfoot/alias holds the stack demo
      help: A stack's parameter carries its name; rename one of them.
    ");
    let nameless = || stage.by_hand(&["start", "--key", "k"]).without("FLEETFOOT_STACK");
    insta::assert_snapshot!(nameless().fails(2).await, @"
    error: no stack was named
      help: Name it with --stack NAME (FLEETFOOT_STACK) or --stack-file PATH.
    ");
    insta::assert_snapshot!(nameless().env("FLEETFOOT_STACK_FILE", "/no/such.json").fails(2).await, @"
    error: cannot read the stack file /no/such.json: No such file or directory (os error 2)
      help: Name an existing file with --stack-file.
    ");
    let no_region = stage.by_hand(&["start", "--key", "k"]).without("AWS_REGION");
    insta::assert_snapshot!(no_region.fails(2).await, @"
    error: no AWS region was named
      help: Name it with --region or AWS_REGION, such as eu-west-1.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_without_subnets() {
    let stage = Stage::new().await;
    let empty = |stack: &mut Value| stack["pools"][0]["network"]["subnets"] = json!([]);
    insta::assert_snapshot!(refused_with(&stage, 2, empty).await, @"
    error: the stack document in stack.json cannot be used: pools[0].network.subnets: is empty; tasks in awsvpc mode need at least one subnet
      help: Mend it there; docs/stack.schema.json describes every field.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overrides_longer_than_ecs_takes() {
    let stage = Stage::new().await;
    let long = |stack: &mut Value| stack["mailbox"]["prefix"] = "x".repeat(9000).into();
    insta::assert_snapshot!(refused_with(&stage, 2, long).await, @"
    error: cannot start a task of fleetfoot-demo-fargate on FARGATE in cluster arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: the overrides are 9168 characters of JSON; ECS takes 8192
      help: Shorten mailbox.prefix and the container's name in the stack document.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_or_a_task_definition_that_is_not_there() {
    let stage = Stage::new().await;
    let cluster = |stack: &mut Value| stack["cluster"] = "nope".into();
    insta::assert_snapshot!(refused_with(&stage, 2, cluster).await, @"
    error: cannot use the pool Fargate in cluster nope: there is no cluster nope
      help: Check cluster and region of the stack document, and the account of the role.
    ");
    let definition = |stack: &mut Value| stack["pools"][0]["task_definition"] = "nope".into();
    insta::assert_snapshot!(refused_with(&stage, 2, definition).await, @"
    error: cannot use the pool Fargate in cluster arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: ClientException: Unable to describe task definition.
      help: There is no such task definition: check task_definition of the pool.
    ");
    stage.assert_nothing_created();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_does_not_fit_its_cluster_or_task_definition() {
    let stage = Stage::new().await;
    let provider = |stack: &mut Value| stack["pools"][2]["capacity"][0]["provider"] = "nope".into();
    let file = stage.stack_file(provider);
    let start = stage.by_hand(&["start", "--key", "k", "--pool", "EC2", "--stack-file", &file]);
    insta::assert_snapshot!(start.without("FLEETFOOT_STACK").fails(2).await, @"
    error: cannot use the pool EC2 in cluster arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: the capacity provider nope is not associated with the cluster, which has: FARGATE, FARGATE_SPOT, fleetfoot-demo-ec2
      help: Associate it (aws ecs put-cluster-capacity-providers), or take nope out of the pool's capacity.
    ");
    insta::assert_snapshot!(refused_with(&stage, 2, |stack| stack["pools"][0]["container"] = "nope".into()).await, @r#"
    error: cannot use the pool Fargate in cluster arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: fleetfoot-demo-fargate has no container "nope", but: runner
      help: Name the container that runs the agent in the pool's `container`
    "#);
    stage.assert_nothing_created();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_aws_credentials_at_all() {
    let stage = Stage::new().await;
    let nobody = stage.by_hand(&["start", "--key", "k"]).without("AWS_ACCESS_KEY_ID");
    insta::assert_snapshot!(nobody.without("AWS_SECRET_ACCESS_KEY").fails(4).await, @"
    error: cannot get AWS credentials: there are none here
      help: In a workflow, name a role (--role, or launcher_role in the stack document) and give the job `permissions: id-token: write`; elsewhere set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    ");
    let wrong = stage.by_hand(&["start", "--key", "k"]).env("AWS_SECRET_ACCESS_KEY", "wrong");
    let said = wrong.fails(4).await;
    assert!(
        said.starts_with("error: cannot read the SSM parameter /fleetfoot/demo: InvalidSignatureException"),
        "{said}"
    );
    assert!(said.contains("AWS refuses the credentials themselves"), "{said}");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

/// The job may not ask for a token: GitHub tells it by leaving two variables out.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_the_permission_for_oidc_is_shown_the_lines_to_add() {
    let stage = Stage::new().await;
    let start = START.replace("id-token: write, ", "").replace("ARGS", "");
    let run = stage.dispatch(&start);
    run.end().await;
    insta::assert_snapshot!(run.job("start").annotations[0].message, @"
    cannot assume arn:aws:iam::123456789012:role/fleetfoot-demo-launcher: the job \"start\" has no permission `id-token: write`
    add to the job or the workflow:
      permissions:
        id-token: write
        contents: read
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_policy_that_does_not_fit_is_shown_beside_the_token_s_subject() {
    let stage = Stage::new().await;
    stage.only_trust("repo:octo-org/demo:environment:production");
    let wants = "--role-subject repo:octo-org/demo:environment:production";
    let run = stage.dispatch(&START.replace("ARGS", wants));
    run.end().await;
    let said = run.job("start").annotations[0].message.replace(&stage.issuer_host(), "ISSUER");
    insta::assert_snapshot!(said, @"
    cannot assume the role arn:aws:iam::123456789012:role/fleetfoot-demo-launcher: Not authorized to perform sts:AssumeRoleWithWebIdentity; the token's sub is repo:octo-org/demo:environment:dev, the role wants repo:octo-org/demo:environment:production
    Let the role's trust policy accept ISSUER:aud sts.amazonaws.com and ISSUER:sub repo:octo-org/demo:environment:dev, or a pattern of it; or run the job where the role expects it (environment, branch).
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_role_wants_may_stand_in_the_stack_file() {
    let stage = Stage::new().await;
    stage.only_trust("repo:octo-org/demo:ref:refs/heads/release");
    stage.stack_file(|stack| {
        stack["launcher_subjects"] = json!(["repo:octo-org/demo:ref:refs/heads/release"]);
    });
    let file = stage.path("stack.json").display().to_string();
    let start = START.replace("ARGS", &format!("--stack-file {file}"));
    let env = "{ FLEETFOOT_GITHUB_TOKEN: '${{ secrets.FLEETFOOT_GITHUB_TOKEN }}' }";
    let run = stage.dispatch(&start.replace("AS_LAUNCHER", env));
    run.end().await;
    let said = &run.job("start").annotations[0].message;
    assert!(said.contains("the token's sub is repo:octo-org/demo:environment:dev, the role wants repo:octo-org/demo:ref:refs/heads/release"), "{said}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stop_cannot_understand() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(stage.by_hand(&["stop"]).fails(2).await, @"
    error: outside a workflow stop must be told what to stop
      help: Name it with --key, --run-id, --label or --task.
    ");
    insta::assert_snapshot!(stage.by_hand(&["stop", "--label", "linux"]).fails(2).await, @r#"
    error: "linux" is not the label of a start
      help: Such a label begins with ff-; it is the output `label` of `fleetfoot start`.
    "#);
    insta::assert_snapshot!(stage.by_hand(&["stop", "--task", "0123abcd"]).fails(2).await, @r#"
    error: invalid value '0123abcd' for '--task <ARN>': task ARN "0123abcd" is not valid: arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID

    For more information, try '--help'.
    "#);
    assert_eq!(stage.world.book.calls().len(), 0);
    stage.close().await;
}

/// Each is told in words of its own, so that nobody has to guess.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_of_them_say_the_same() {
    let stage = Stage::new().await;
    let mut said = BTreeSet::new();
    let cases: [&[&str]; 9] = [
        &["--pool", "Nope"],
        &["--memory", "1"],
        &["--label", "a b"],
        &["--count", "0"],
        &["--stack", "nope"],
        &["--runner-group", "x"],
        &["--github-token-file", "/no/such"],
        &["--app-client-id", "Iv1", "--app-key", "file:/no/such"],
        &["--app-client-id", "Iv1", "--app-key", "kms:arn"],
    ];
    for arguments in cases {
        let text = refused(&stage, 2, arguments).await;
        assert!(text.starts_with("error: ") && text.lines().count() > 1, "{text}");
        assert!(said.insert(text.clone()), "twice: {text}");
    }
    stage.assert_nothing_asked_for();
    stage.close().await;
}
