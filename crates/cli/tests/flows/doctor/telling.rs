//! How it tells what it found: to people, to scripts, to a workflow.

use fleetfoot_sim::protocol::Conclusion;

use super::{close, define, plain, stage, version_tag};
use crate::common::{START, Stage};

/// A job that runs `fleetfoot doctor` as its step. `ARGS` stands for its arguments.
fn job() -> String {
    START.replace("fleetfoot start ARGS", "fleetfoot doctor ARGS")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_stage_is_all_ok() {
    let stage = Stage::new().await;
    let ran = stage.by_hand(&["doctor"]).ok().await;
    assert_eq!(ran.stderr, "");
    insta::assert_snapshot!(plain(&stage, &ran.stdout), @"
    AWS
      ok       aws-credentials      AWS takes these credentials for arn:aws:iam::123456789012:user/mona
      ok       aws-clock            this machine's clock agrees with AWS's
      note     role                 not assumed, because no OIDC token is to be had here; all the rest was checked as arn:aws:iam::123456789012:user/mona
                                    To check its trust policy, run `fleetfoot doctor` in a job with `permissions: id-token: write`.
    Stack demo
      ok       stack-document       SSM parameter /fleetfoot/demo describes the stack demo in us-east-1, with the pools Fargate, Fargate-Spot, EC2, linux-arm64
      ok       account              cluster and credentials are of the account 123456789012
      ok       cluster              the cluster is ACTIVE; its capacity providers: FARGATE, FARGATE_SPOT, fleetfoot-demo-ec2
      ok       tasks                tasks may be listed, described and stopped; starting one is not tried
    Pool Fargate
      ok       task-definition      fleetfoot-demo-fargate:1 fits the pool (awsvpc, container runner)
      ok       capacity-providers   the cluster has what the pool names: FARGATE
      ok       subnets              4091 free addresses in subnet-0a1b2c3d4e5f60718 (us-east-1a) of vpc-0d3fa0175e77ab1e5
      ok       way-out              tasks reach the internet: subnet-0a1b2c3d4e5f60718 through igw-0d3fa0175e77ab1e5, with public addresses
      ok       security-groups      sg-0a1b2c3d4e5f60718: traffic may leave on port 443
      ok       quota                100 tasks of the pool are 100 vCPU; of Fargate the account may have 256 vCPU on-demand
      ok       runner-version       the image has the runner 2.336.0, the newest
    Pool Fargate-Spot
      ok       task-definition      fleetfoot-demo-fargate:1 fits the pool (awsvpc, container runner)
      ok       capacity-providers   the cluster has what the pool names: FARGATE_SPOT, FARGATE
      ok       subnets              4091 free addresses in subnet-0a1b2c3d4e5f60718 (us-east-1a) of vpc-0d3fa0175e77ab1e5
      ok       way-out              tasks reach the internet: subnet-0a1b2c3d4e5f60718 through igw-0d3fa0175e77ab1e5, with public addresses
      ok       security-groups      sg-0a1b2c3d4e5f60718: traffic may leave on port 443
      ok       quota                100 tasks of the pool are 100 vCPU; of Fargate the account may have 256 vCPU on-demand and 256 vCPU spot
      ok       runner-version       the image has the runner 2.336.0, the newest
    Pool EC2
      ok       task-definition      fleetfoot-demo-ec2:1 fits the pool (bridge, container runner)
      ok       capacity-providers   the cluster has what the pool names: fleetfoot-demo-ec2
      note     way-out              not checked: the pool's tasks have the network of their instances
                                    See that the instances reach GitHub and AWS on port 443.
      ok       runner-version       the image has the runner 2.336.0, the newest
    Pool linux-arm64
      ok       task-definition      fleetfoot-demo-arm64:1 fits the pool (awsvpc, container runner)
      ok       capacity-providers   the cluster has what the pool names: FARGATE_SPOT, FARGATE
      ok       subnets              4091 free addresses in subnet-0a1b2c3d4e5f60718 (us-east-1a) of vpc-0d3fa0175e77ab1e5
      ok       way-out              tasks reach the internet: subnet-0a1b2c3d4e5f60718 through igw-0d3fa0175e77ab1e5, with public addresses
      ok       security-groups      sg-0a1b2c3d4e5f60718: traffic may leave on port 443
      ok       quota                100 tasks of the pool are 100 vCPU; of Fargate the account may have 256 vCPU on-demand and 256 vCPU spot
      ok       runner-version       the image has the runner 2.336.0, the newest
    Mailbox and logs
      ok       mailbox-write        assignments may be put under mailbox/
      ok       mailbox-delete       assignments may be deleted under mailbox/
      ok       mailbox-lifecycle    assignments that nobody takes are deleted after 1 day
      ok       log-group            the log group /fleetfoot/demo is there
    GitHub
      ok       github-clock         this machine's clock agrees with GitHub's
      ok       github-credentials   GitHub takes the token
      ok       github-rate-limit    5000 of 5000 requests of this hour are left
      ok       runner-registration  runners may be registered at octo-org/demo
      ok       runner-group         the runner group Default is there (id 1)

    41 checks: 2 notes, 39 ok
    ");
    close(stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_get_an_array() {
    let stage = stage().await;
    define(&stage, |definition| definition.tags = vec![version_tag("2.335.0")]);
    let ran = stage.by_hand(&["doctor", "--output", "json"]).ok().await;
    let findings = ran.json();
    let findings = findings.as_array().unwrap();
    assert_eq!(findings.len(), 23);
    let keys: Vec<&String> = findings[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["check", "subject", "state", "sentence", "remedy"]);
    let of = |check: &str| findings.iter().find(|finding| finding["check"] == check).unwrap();
    assert_eq!((&of("cluster")["state"], &of("cluster")["remedy"]), (&"ok".into(), &().into()));
    assert_eq!(of("runner-version")["state"], "warning");
    assert!(of("runner-version")["remedy"].is_string());
    close(stage).await;
}

/// As the launcher, with the job's OIDC token: what only an administrator may see is noted, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_workflow_the_launcher_has_a_summary_and_no_problem() {
    let stage = stage().await;
    let run = stage.dispatch(&job().replace("ARGS", ""));
    run.succeeds().await;
    let job = run.job("start");
    assert_eq!(job.annotations, []);
    insta::assert_snapshot!(plain(&stage, &job.summary), @"
    ### Fleetfoot doctor: 23 checks: 3 skipped, 7 notes, 13 ok

    **AWS**

    | | check | |
    |---|---|---|
    | ok | `aws-credentials` | AWS takes these credentials for arn:aws:sts::123456789012:assumed-role/fleetfoot-demo-launcher/fleetfoot-19000000001-1 |
    | ok | `aws-clock` | this machine's clock agrees with AWS's |
    | ok | `role` | arn:aws:iam::123456789012:role/fleetfoot-demo-launcher was assumed through this job's OIDC token: its trust policy lets the job in |

    **Stack demo**

    | | check | |
    |---|---|---|
    | ok | `stack-document` | SSM parameter /fleetfoot/demo describes the stack demo in us-east-1, with the pools Fargate |
    | ok | `account` | cluster and credentials are of the account 123456789012 |
    | note | `cluster` | not checked: these credentials may not ecs:DescribeClusters<br>*A start does not need it; run this as an administrator to have it checked.* |
    | ok | `tasks` | tasks may be listed, described and stopped; starting one is not tried |

    **Pool Fargate**

    | | check | |
    |---|---|---|
    | note | `task-definition` | not checked: these credentials may not ecs:DescribeTaskDefinition<br>*A start does not need it; run this as an administrator to have it checked.* |
    | skipped | `capacity-providers` | not checked, because it builds on cluster |
    | note | `subnets` | not checked: these credentials may not ec2:DescribeSubnets<br>*A start does not need it; run this as an administrator to have it checked.* |
    | skipped | `way-out` | not checked, because it builds on subnets |
    | note | `security-groups` | not checked: these credentials may not ec2:DescribeSecurityGroups<br>*A start does not need it; run this as an administrator to have it checked.* |
    | note | `quota` | not checked: these credentials may not servicequotas:GetServiceQuota<br>*A start does not need it; run this as an administrator to have it checked.* |
    | skipped | `runner-version` | not checked, because it builds on task-definition |

    **Mailbox and logs**

    | | check | |
    |---|---|---|
    | ok | `mailbox-write` | assignments may be put under mailbox/ |
    | ok | `mailbox-delete` | assignments may be deleted under mailbox/ |
    | note | `mailbox-lifecycle` | not checked: these credentials may not s3:GetLifecycleConfiguration<br>*A start does not need it; run this as an administrator to have it checked.* |
    | note | `log-group` | not checked: these credentials may not logs:DescribeLogStreams<br>*A start does not need it; run this as an administrator to have it checked.* |

    **GitHub**

    | | check | |
    |---|---|---|
    | ok | `github-clock` | this machine's clock agrees with GitHub's |
    | ok | `github-credentials` | GitHub takes the token |
    | ok | `github-rate-limit` | 5000 of 5000 requests of this hour are left |
    | ok | `runner-registration` | runners may be registered at octo-org/demo |
    | ok | `runner-group` | the runner group Default is there (id 1) |
    ");
    assert_eq!(stage.count("sts", "AssumeRoleWithWebIdentity"), 1);
    close(stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_workflow_a_problem_is_an_annotation_and_fails_the_step() {
    let stage = stage().await;
    stage.only_trust("repo:octo-org/demo:environment:production");
    let wants = "--role-subject repo:octo-org/demo:environment:production";
    let run = stage.dispatch(&job().replace("ARGS", wants));
    assert_eq!(run.end().await, Conclusion::Failure);
    let told: Vec<String> = run
        .job("start")
        .annotations
        .iter()
        .filter(|annotation| annotation.message.contains("sub"))
        .map(|annotation| format!("{}\n{}", annotation.title.clone().unwrap_or_default(), annotation.message))
        .collect();
    insta::assert_snapshot!(plain(&stage, &told.join("\n\n")), @"
    fleetfoot doctor: aws-credentials of arn:aws:iam::123456789012:role/fleetfoot-demo-launcher
    cannot assume the role arn:aws:iam::123456789012:role/fleetfoot-demo-launcher: Not authorized to perform sts:AssumeRoleWithWebIdentity; the token's sub is repo:octo-org/demo:environment:dev, the role wants repo:octo-org/demo:environment:production
    Let the role's trust policy accept ISSUER:aud sts.amazonaws.com and ISSUER:sub repo:octo-org/demo:environment:dev, or a pattern of it; or run the job where the role expects it (environment, branch).
    ");
    assert!(run.job("start").summary.contains("| problem | `aws-credentials` |"));
    close(stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_token_nor_key_is_ever_shown() {
    let stage = stage().await;
    let ran = stage.by_hand(&["doctor"]).env("FLEETFOOT_LOG", "trace").ok().await;
    for secret in [&stage.world.token, &stage.world.keys.secret_access_key] {
        assert!(!ran.said().contains(secret.as_str()), "{secret}");
    }
    assert!(ran.stderr.contains("GetCallerIdentity") || ran.stderr.contains("whose credentials"));
    close(stage).await;
}

/// Colour is for those who see it, and want it.
#[tokio::test(flavor = "multi_thread")]
async fn colour_is_only_for_a_terminal() {
    let stage = stage().await;
    let ran = stage.by_hand(&["doctor"]).ok().await;
    assert!(!ran.stdout.contains('\u{1b}'));
    let forced = stage.by_hand(&["doctor"]).env("FORCE_COLOR", "1").env("NO_COLOR", "1").ok().await;
    assert!(!forced.stdout.contains('\u{1b}'));
    close(stage).await;
}
