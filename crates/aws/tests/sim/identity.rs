//! Roles, trust, and what may be read as whom.

use fleetfoot_aws::TrustRefused;
use fleetfoot_core::fault::Class;
use fleetfoot_core::ports::Tasks;
use secrecy::ExposeSecret;

use crate::world::World;

const MAIN: &str = "repo:acme/shop:ref:refs/heads/main";

#[tokio::test]
async fn a_trusted_workflow_gets_credentials() {
    let world = World::new().await;
    let aws = world.connect("launcher", &[]).await;
    aws.check_credentials().await.unwrap();
    aws.check_credentials().await.unwrap();
    assert_eq!(world.book.count("sts", "AssumeRoleWithWebIdentity"), 1, "credentials are kept");
    assert_eq!(aws.region(), "eu-west-1");
    world.aws.shutdown().await;
}

#[tokio::test]
async fn a_stranger_is_told_that_the_trust_policy_refuses() {
    let world = World::new().await;
    let role = world.role("launcher", &[]);
    let aws = world.connect_with(&role, "repo:evil/fork:pull_request", "sts.amazonaws.com").await;
    let fault = aws.check_credentials().await.unwrap_err();
    assert_eq!(fault.class, Class::Denied);
    let refused = TrustRefused::of(&fault).unwrap();
    assert_eq!(refused.role_arn, role);
    assert_eq!(refused.message, "Not authorized to perform sts:AssumeRoleWithWebIdentity");

    // The same through the SDK and through our own client: the refusal is not lost on the way.
    let task = "arn:aws:ecs:eu-west-1:123456789012:task/ff/1".parse().unwrap();
    let by_sdk = aws.tasks("ff").describe(&[task]).await.unwrap_err();
    let by_rpc = aws.parameter("/fleetfoot/prod").await.unwrap_err();
    for fault in [by_sdk, by_rpc] {
        assert_eq!(TrustRefused::of(&fault), Some(refused), "{fault}");
    }
    world.aws.shutdown().await;
}

#[tokio::test]
async fn other_refusals_of_sts_are_told_apart() {
    let world = World::new().await;
    let role = world.role("launcher", &[]);
    let cases = [
        (role.as_str(), "somebody.else", Class::Denied, "Incorrect token audience"),
        ("arn:aws:iam::123456789012:role/missing", "sts.amazonaws.com", Class::Denied, "Not authorized"),
    ];
    for (role, audience, class, why) in cases {
        let fault = world.connect_with(role, MAIN, audience).await.check_credentials().await.unwrap_err();
        assert_eq!(fault.class, class, "{fault}");
        assert!(fault.why.contains(why), "{fault}");
        assert!(fault.remedy.is_some());
    }
    world.aws.shutdown().await;
}

#[tokio::test]
async fn a_parameter_is_read_or_its_absence_told() {
    let world = World::new().await;
    world.aws.put_parameter("/fleetfoot/prod", "{\"version\": 1}").unwrap();
    let aws = world.connect("reader", &["ssm:GetParameter"]).await;
    assert_eq!(aws.parameter("/fleetfoot/prod").await.unwrap(), "{\"version\": 1}");

    let missing = aws.parameter("/fleetfoot/test").await.unwrap_err();
    assert_eq!(missing.class, Class::NotFound);
    assert!(missing.remedy.unwrap().contains("--stack"));

    let stranger = world.connect("stranger", &[]).await;
    let denied = stranger.parameter("/fleetfoot/prod").await.unwrap_err();
    assert_eq!(denied.class, Class::Denied);
    assert!(denied.remedy.unwrap().starts_with("allow ssm:GetParameter on arn:aws:ssm:"));
    world.aws.shutdown().await;
}

#[tokio::test]
async fn a_secret_is_read_and_shows_nowhere() {
    let world = World::new().await;
    let arn = world.aws.put_secret("app-key", "s3cret");
    let aws = world.connect("reader", &["secretsmanager:GetSecretValue"]).await;
    let secret = aws.secret(&arn).await.unwrap();
    assert_eq!(secret.expose_secret(), "s3cret");
    assert_eq!(aws.secret("app-key").await.unwrap().expose_secret(), "s3cret");
    assert!(!format!("{secret:?}{aws:?}").contains("s3cret"));

    let missing = aws.secret("nothing").await.unwrap_err();
    assert_eq!(missing.class, Class::NotFound, "{missing}");
    let denied = world.connect("stranger", &[]).await.secret(&arn).await.unwrap_err();
    assert_eq!(denied.class, Class::Denied);
    assert!(denied.remedy.unwrap().contains("secretsmanager:GetSecretValue"));
    world.aws.shutdown().await;
}
