//! The mailbox and the log group.

use fleetfoot::demo::world::BUCKET;

use super::{by_hand, close, denied, found, stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there() {
    let stage = stage().await;
    stage.change_stack(|stack| {
        stack["pools"].as_array_mut().unwrap().truncate(1);
        stack["mailbox"]["bucket"] = "nope".into();
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem mailbox-write of nope: cannot put assignments into the bucket nope: NoSuchBucket: The specified bucket does not exist
      There is no bucket nope: check mailbox.bucket of the stack document.
    skipped mailbox-delete of nope: not checked, because it builds on mailbox-write
    skipped mailbox-lifecycle of nope: not checked, because it builds on mailbox-write
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_that_may_not_be_put() {
    let stage = stage().await;
    let doctor = denied(&stage, stage.by_hand(&["doctor", "--output", "json"]), &["s3:PutObject"]);
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    problem mailbox-write of fleetfoot-demo-mailbox: cannot put assignments into the bucket fleetfoot-demo-mailbox: AccessDenied: User: arn:aws:iam::123456789012:user/hana is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::fleetfoot-demo-mailbox/mailbox/RANDOM/RANDOM with an explicit deny in an identity-based policy
      A policy denies s3:PutObject on arn:aws:s3:::fleetfoot-demo-mailbox/mailbox/RANDOM/RANDOM explicitly: remove that statement or use another role.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_that_may_not_be_deleted() {
    let stage = stage().await;
    let doctor = denied(&stage, stage.by_hand(&["doctor", "--output", "json"]), &["s3:DeleteObject"]);
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    problem mailbox-delete of fleetfoot-demo-mailbox: cannot delete assignments from the bucket fleetfoot-demo-mailbox: AccessDenied: User: arn:aws:iam::123456789012:user/hana is not authorized to perform: s3:DeleteObject on resource: arn:aws:s3:::fleetfoot-demo-mailbox/mailbox/RANDOM/RANDOM with an explicit deny in an identity-based policy
      A policy denies s3:DeleteObject on arn:aws:s3:::fleetfoot-demo-mailbox/mailbox/RANDOM/RANDOM explicitly: remove that statement or use another role.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_that_stay_for_ever() {
    let stage = stage().await;
    stage.world.aws.set_lifecycle(BUCKET, Vec::new());
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    warning mailbox-lifecycle of fleetfoot-demo-mailbox: no lifecycle rule deletes what is left under mailbox/
      Add a rule to the bucket that lets objects under this prefix expire after a day: each holds a runner's registration.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_group_that_is_not_there() {
    let stage = stage().await;
    stage.change_stack(|stack| {
        stack["pools"].as_array_mut().unwrap().truncate(1);
        stack["log_group"] = "/nope".into();
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    problem log-group of /nope: there is no log group /nope, so that tasks whose definition names it do not start
      Create it, or correct log_group of the stack document and the task definitions.
    ");
}

/// What it asks S3 for has no effect, and proves all the same that it may.
#[tokio::test(flavor = "multi_thread")]
async fn the_put_is_one_that_s3_refuses() {
    let stage = stage().await;
    stage.by_hand(&["doctor"]).ok().await;
    let puts = stage.calls("s3", "PutObject");
    let answers: Vec<(u16, String)> = puts
        .into_iter()
        .map(|call| (call.status, call.response.unwrap()["code"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(answers, [(400, "BadDigest".to_owned())]);
    close(stage).await;
}
