//! Bad input, credentials, clocks, the stack document and its cluster.

use fleetfoot::demo::world::STACK;

use super::{as_user, by_hand, close, denied, faulty_stage, found, stage};

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_no_finding() {
    let stage = stage().await;
    let unnamed = stage.by_hand(&["doctor"]).without("FLEETFOOT_STACK");
    insta::assert_snapshot!(unnamed.fails(2).await, @"
    error: no stack was named
      help: Name it with --stack NAME (FLEETFOOT_STACK) or --stack-file PATH.
    ");
    let nowhere = stage.by_hand(&["doctor", "--stack-file", "/no/such"]).without("FLEETFOOT_STACK");
    insta::assert_snapshot!(nowhere.fails(2).await, @"
    error: cannot read the stack file /no/such: No such file or directory (os error 2)
      help: Name an existing file with --stack-file.
    ");
    let anywhere = stage.by_hand(&["doctor", "--stack", STACK]).without("AWS_REGION");
    insta::assert_snapshot!(anywhere.fails(2).await, @"
    error: no AWS region was named
      help: Name it with --region or AWS_REGION, such as eu-west-1.
    ");
    close(stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_aws_credentials() {
    let stage = stage().await;
    let doctor = stage.by_hand(&["doctor", "--output", "json"]).without("AWS_ACCESS_KEY_ID");
    let doctor = doctor.without("AWS_SECRET_ACCESS_KEY");
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    problem aws-credentials of the AWS SDK's default credentials: cannot get AWS credentials: there are none here
      In a workflow, name a role (--role, or launcher_role in the stack document) and give the job `permissions: id-token: write`; elsewhere set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    skipped aws-clock of AWS: not checked, because it builds on aws-credentials
    skipped stack-document of demo: not checked, because it builds on aws-credentials
    skipped cluster of the stack: not checked, because it builds on stack-document
    skipped task-definition of the stack: not checked, because it builds on stack-document
    skipped mailbox-write of the stack: not checked, because it builds on stack-document
    skipped github-credentials of the stack: not checked, because it builds on stack-document
    ");
}

/// What does not build on AWS is checked all the same: the stack is a file here.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_aws_credentials() {
    let stage = stage().await;
    let file = stage.stack_file(|_| {});
    let doctor = stage.by_hand(&["doctor", "--output", "json", "--stack-file", &file]);
    let doctor = doctor.without("FLEETFOOT_STACK").env("AWS_SECRET_ACCESS_KEY", "wrong");
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    problem aws-credentials of the AWS SDK's default credentials: cannot ask AWS whose credentials these are: SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.
      AWS refuses the credentials themselves: they are wrong, ended, or this machine's clock is off; get new ones.
    skipped cluster of arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: not checked, because it builds on aws-credentials
    skipped task-definition of Fargate: not checked, because it builds on aws-credentials
    skipped task-definition of Fargate-Spot: not checked, because it builds on aws-credentials
    skipped task-definition of EC2: not checked, because it builds on aws-credentials
    skipped task-definition of linux-arm64: not checked, because it builds on aws-credentials
    skipped mailbox-write of fleetfoot-demo-mailbox: not checked, because it builds on aws-credentials
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_aws_refuses() {
    let stage = faulty_stage("clock-skew:400:sts* clock-skew:400:ssm*").await;
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    skipped aws-credentials of the AWS SDK's default credentials: not checked, because it builds on aws-clock
    problem aws-clock of AWS: this machine's clock is N s behind AWS's, and AWS refuses signatures that are more than 5 minutes off
      Let the clock be set by NTP (timedatectl set-ntp true); a container has its host's.
    skipped stack-document of demo: not checked, because it builds on aws-credentials
    skipped cluster of the stack: not checked, because it builds on stack-document
    skipped task-definition of the stack: not checked, because it builds on stack-document
    skipped mailbox-write of the stack: not checked, because it builds on stack-document
    skipped github-credentials of the stack: not checked, because it builds on stack-document
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_little_off() {
    let stage = faulty_stage("clock-skew:-100:sts*").await;
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    warning aws-clock of AWS: this machine's clock is N s ahead of AWS's
      Let the clock be set by NTP (timedatectl set-ntp true); a container has its host's.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_not_there() {
    let stage = stage().await;
    let doctor = stage.by_hand(&["doctor", "--output", "json", "--stack", "nope"]);
    insta::assert_snapshot!(found(stage, doctor.without("FLEETFOOT_STACK")).await, @"
    exit 1
    problem stack-document of SSM parameter /fleetfoot/nope: cannot read the SSM parameter /fleetfoot/nope: ParameterNotFound
      There is no parameter /fleetfoot/nope in this account and region: check --stack and the region, or give the document by --stack-file.
    skipped cluster of the stack: not checked, because it builds on stack-document
    skipped task-definition of the stack: not checked, because it builds on stack-document
    skipped mailbox-write of the stack: not checked, because it builds on stack-document
    skipped github-credentials of the stack: not checked, because it builds on stack-document
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_document_that_makes_no_sense() {
    let stage = stage().await;
    let file = stage.stack_file(|stack| stack["surplus"] = 1.into());
    let doctor = stage.by_hand(&["doctor", "--output", "json", "--stack-file", &file]);
    insta::assert_snapshot!(found(stage, doctor.without("FLEETFOOT_STACK")).await, @"
    exit 1
    problem stack-document of stack.json: the stack document in stack.json cannot be used: surplus: unknown field `surplus`, expected one of `version`, `name`, `region`, `cluster`, `mailbox`, `log_group`, `launcher_role`, `launcher_subjects`, `events_queue`, `github`, `pools`, `scale_sets`
      Mend it there; docs/stack.schema.json describes every field.
    skipped cluster of the stack: not checked, because it builds on stack-document
    skipped task-definition of the stack: not checked, because it builds on stack-document
    skipped mailbox-write of the stack: not checked, because it builds on stack-document
    skipped github-credentials of the stack: not checked, because it builds on stack-document
    ");
}

/// The region stands in the document, so that AWS cannot even be asked who we are.
#[tokio::test(flavor = "multi_thread")]
async fn a_stack_document_that_is_none_and_no_region() {
    let stage = stage().await;
    let file = stage.file("stack.json", "version = 1");
    let doctor = stage.by_hand(&["doctor", "--output", "json", "--stack-file", &file]);
    let doctor = doctor.without("FLEETFOOT_STACK").without("AWS_REGION");
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    skipped aws-credentials of AWS: not checked, because it builds on stack-document
    problem stack-document of stack.json: the stack document in stack.json cannot be used: line 1, column 1: expected value
      Mend it there; docs/stack.schema.json describes every field.
    skipped cluster of the stack: not checked, because it builds on stack-document
    skipped task-definition of the stack: not checked, because it builds on stack-document
    skipped mailbox-write of the stack: not checked, because it builds on stack-document
    skipped github-credentials of the stack: not checked, because it builds on stack-document
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_region_than_the_stack_s() {
    let stage = stage().await;
    let file = stage.stack_file(|_| {});
    let doctor = ["doctor", "--output", "json", "--stack-file", &file, "--region", "eu-west-1"];
    let doctor = stage.by_hand(&doctor).without("FLEETFOOT_STACK");
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    problem stack-document of stack.json: the stack is in us-east-1, but AWS would be called in eu-west-1
      Give the stack's region with --region (AWS_REGION), or correct it in the stack document.
    skipped cluster of the stack: not checked, because it builds on stack-document
    skipped task-definition of the stack: not checked, because it builds on stack-document
    skipped mailbox-write of the stack: not checked, because it builds on stack-document
    skipped github-credentials of the stack: not checked, because it builds on stack-document
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_of_another_region() {
    let stage = stage().await;
    stage.change_stack(|stack| stack["region"] = "eu-west-1".into());
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem stack-document of SSM parameter /fleetfoot/demo: the stack is in eu-west-1, and its cluster in us-east-1
      Correct region or cluster of the stack document.
    skipped cluster of the stack: not checked, because it builds on stack-document
    skipped task-definition of the stack: not checked, because it builds on stack-document
    skipped mailbox-write of the stack: not checked, because it builds on stack-document
    skipped github-credentials of the stack: not checked, because it builds on stack-document
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_of_another_account() {
    let stage = stage().await;
    stage.change_stack(|stack| {
        let cluster = stack["cluster"].as_str().unwrap().replace("123456789012", "210987654321");
        stack["cluster"] = cluster.into();
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem account of arn:aws:ecs:us-east-1:210987654321:cluster/fleetfoot-demo: the cluster is in the account 210987654321, the credentials are of 123456789012
      Use credentials of the stack's account, or correct the cluster in the stack document.
    skipped cluster of arn:aws:ecs:us-east-1:210987654321:cluster/fleetfoot-demo: not checked, because it builds on account
    skipped task-definition of Fargate: not checked, because it builds on account
    skipped task-definition of Fargate-Spot: not checked, because it builds on account
    skipped task-definition of EC2: not checked, because it builds on account
    skipped task-definition of linux-arm64: not checked, because it builds on account
    skipped mailbox-write of fleetfoot-demo-mailbox: not checked, because it builds on account
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_there() {
    let stage = stage().await;
    stage.change_stack(|stack| {
        stack["pools"].as_array_mut().unwrap().truncate(1);
        stack["cluster"] = "nope".into();
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem cluster of nope: cannot use the cluster nope: there is no cluster nope
      Check cluster and region of the stack document, and the account of the role.
    skipped tasks of nope: not checked, because it builds on cluster
    skipped capacity-providers of Fargate: not checked, because it builds on cluster
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_may_not_be_stopped() {
    let stage = stage().await;
    let doctor = denied(&stage, stage.by_hand(&["doctor", "--output", "json"]), &["ecs:StopTask"]);
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    problem tasks of arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: cannot stop the task RANDOM: AccessDeniedException: User: arn:aws:iam::123456789012:user/hana is not authorized to perform: ecs:StopTask on resource: arn:aws:ecs:us-east-1:123456789012:task/fleetfoot-demo/RANDOM with an explicit deny in an identity-based policy
      A policy denies ecs:StopTask on arn:aws:ecs:us-east-1:123456789012:task/fleetfoot-demo/RANDOM explicitly: remove that statement or use another role.
    ");
}

/// The launcher's own permissions, by hand: everything else is a note with the permission's name.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_an_administrator_may_see_is_noted() {
    let stage = stage().await;
    let doctor = stage.by_hand(&["doctor", "--output", "json"]);
    let statements = serde_json::json!([{
        "Effect": "Allow", "Resource": "*",
        "Action": ["ecs:ListTasks", "ecs:DescribeTasks", "ecs:StopTask", "s3:PutObject", "s3:DeleteObject",
                   "ssm:GetParameter"],
    }]);
    let doctor = as_user(&stage, doctor, &statements);
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 0
    note cluster of arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: not checked: these credentials may not ecs:DescribeClusters
      A start does not need it; run this as an administrator to have it checked.
    note task-definition of Fargate: not checked: these credentials may not ecs:DescribeTaskDefinition
      A start does not need it; run this as an administrator to have it checked.
    skipped capacity-providers of Fargate: not checked, because it builds on cluster
    note subnets of Fargate: not checked: these credentials may not ec2:DescribeSubnets
      A start does not need it; run this as an administrator to have it checked.
    skipped way-out of Fargate: not checked, because it builds on subnets
    note security-groups of Fargate: not checked: these credentials may not ec2:DescribeSecurityGroups
      A start does not need it; run this as an administrator to have it checked.
    note quota of Fargate: not checked: these credentials may not servicequotas:GetServiceQuota
      A start does not need it; run this as an administrator to have it checked.
    skipped runner-version of Fargate: not checked, because it builds on task-definition
    note mailbox-lifecycle of fleetfoot-demo-mailbox: not checked: these credentials may not s3:GetLifecycleConfiguration
      A start does not need it; run this as an administrator to have it checked.
    note log-group of /fleetfoot/demo: not checked: these credentials may not logs:DescribeLogStreams
      A start does not need it; run this as an administrator to have it checked.
    ");
}
