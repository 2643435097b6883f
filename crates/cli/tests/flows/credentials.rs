//! As whom `fleetfoot start` acts: at AWS the role of the job's OIDC token or the SDK's default chain, at
//! GitHub a token or an App.

use fleetfoot::demo::world::{REGION, REPOSITORY, STACK};
use fleetfoot_sim::github::{AppSpec, Level, Permissions};
use serde_json::json;

use crate::common::{Fleetfoot, JITCONFIG, START, Stage};

/// Who called an operation the last time.
fn caller(stage: &Stage, service: &str, operation: &str) -> String {
    stage.calls(service, operation).pop().unwrap().caller
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_role_is_assumed_through_the_job_s_oidc_token_without_any_key() {
    let stage = Stage::new().await;
    let run = stage.dispatch(&START.replace("ARGS", "--wait none"));
    run.succeeds().await;
    let session =
        format!("arn:aws:sts::123456789012:assumed-role/fleetfoot-demo-launcher/fleetfoot-{}-1", run.id);
    for (service, operation) in [("ssm", "GetParameter"), ("ecs", "RunTask"), ("s3", "PutObject")] {
        assert_eq!(caller(&stage, service, operation), session, "{operation}");
    }
    assert_eq!(stage.count("sts", "AssumeRoleWithWebIdentity"), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_may_come_from_the_stack_file() {
    let stage = Stage::new().await;
    stage.stack_file(|_| {});
    let file = stage.path("stack.json").display().to_string();
    let start = START.replace("ARGS", &format!("--wait none --stack-file {file}"));
    let env = "{ FLEETFOOT_GITHUB_TOKEN: '${{ secrets.FLEETFOOT_GITHUB_TOKEN }}' }";
    stage.dispatch(&start.replace("AS_LAUNCHER", env)).succeeds().await;
    assert!(caller(&stage, "ecs", "RunTask").contains("assumed-role/fleetfoot-demo-launcher/"));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_role_the_default_chain_serves_the_environment_s_keys() {
    let stage = Stage::new().await;
    stage.by_hand(&["start", "--key", "k", "--wait", "none"]).ok().await;
    assert_eq!(caller(&stage, "ecs", "RunTask"), "arn:aws:iam::123456789012:user/mona");
    assert_eq!(stage.count("sts", "AssumeRoleWithWebIdentity"), 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_role_the_default_chain_serves_a_profile() {
    let stage = Stage::new().await;
    let keys = &stage.world.keys;
    let profile = format!(
        "[work]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access_key_id, keys.secret_access_key
    );
    let file = stage.file("credentials", &profile);
    let start = stage.by_hand(&["start", "--key", "k", "--wait", "none"]);
    let start = start.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    start.env("AWS_SHARED_CREDENTIALS_FILE", &file).env("AWS_PROFILE", "work").ok().await;
    assert_eq!(caller(&stage, "ecs", "RunTask"), "arn:aws:iam::123456789012:user/mona");
    stage.close().await;
}

/// By hand nobody offers an OIDC token, so that the role of the stack is not taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_oidc_leaves_the_default_chain() {
    let stage = Stage::new().await;
    let role = stage.world.launcher_role.clone();
    stage.by_hand(&["start", "--key", "k", "--wait", "none", "--role", &role]).ok().await;
    assert_eq!(caller(&stage, "ecs", "RunTask"), "arn:aws:iam::123456789012:user/mona");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_token_comes_from_a_file() {
    let stage = Stage::new().await;
    let file = stage.file("token", &format!("{}\n", stage.world.token));
    let start = stage.by_hand(&["start", "--key", "k", "--wait", "none", "--github-token-file", &file]);
    start.without("FLEETFOOT_GITHUB_TOKEN").ok().await;
    assert_eq!(caller(&stage, "github", JITCONFIG), "fine-grained token of mona");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_token_comes_from_gh_s_own_variable() {
    let stage = Stage::new().await;
    let start = stage.by_hand(&["start", "--key", "k", "--wait", "none"]);
    start.without("FLEETFOOT_GITHUB_TOKEN").env("GH_TOKEN", &stage.world.token).ok().await;
    assert_eq!(caller(&stage, "github", JITCONFIG), "fine-grained token of mona");
    stage.close().await;
}

const CLIENT_ID: &str = "Iv23liFleetfoot";

/// An App that may manage the repository's runners; gives its private key and its installation.
fn app(stage: &Stage) -> (String, u64) {
    let permissions: Permissions = [("administration".to_owned(), Level::Write)].into();
    let spec = AppSpec {
        owner: "octo-org".into(),
        app_id: 77,
        client_id: CLIENT_ID.into(),
        permissions,
        public_key: None,
    };
    let key = stage.world.github.add_app(spec).unwrap().unwrap();
    let installation = stage.world.github.install_app(77, "octo-org", Some(&[REPOSITORY]), None).unwrap();
    (key, installation)
}

/// Starts as the App, and looks that it was.
async fn starts_as_app(stage: &Stage, start: Fleetfoot, installation: u64) {
    start.without("FLEETFOOT_GITHUB_TOKEN").ok().await;
    assert_eq!(caller(stage, "github", JITCONFIG), format!("installation {installation}"));
}

fn as_app(key: &str) -> Vec<&str> {
    vec!["start", "--key", "k", "--wait", "none", "--app-client-id", CLIENT_ID, "--app-key", key]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_its_key_in_a_file() {
    let stage = Stage::new().await;
    let (key, installation) = app(&stage);
    let place = format!("file:{}", stage.file("key.pem", &key));
    starts_as_app(&stage, stage.by_hand(&as_app(&place)), installation).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_its_key_in_the_environment() {
    let stage = Stage::new().await;
    let (key, installation) = app(&stage);
    let start = stage.by_hand(&as_app("env:APP_KEY")).env("APP_KEY", &key);
    starts_as_app(&stage, start, installation).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_its_key_in_secrets_manager() {
    let stage = Stage::new().await;
    let (key, installation) = app(&stage);
    let place = format!("secretsmanager:{}", stage.world.aws.put_secret("app-key", &key));
    starts_as_app(&stage, stage.by_hand(&as_app(&place)), installation).await;
    assert_eq!(stage.count("secretsmanager", "GetSecretValue"), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_of_the_stack_is_taken_without_a_flag() {
    let stage = Stage::new().await;
    let (key, installation) = app(&stage);
    let arn = stage.world.aws.put_secret("app-key", &key);
    stage.change_stack(|stack| {
        stack["github"]["app"] = json!({ "client_id": CLIENT_ID, "installation_id": installation,
                                         "key": format!("secretsmanager:{arn}") });
    });
    let start = stage.by_hand(&["start", "--key", "k", "--wait", "none"]);
    starts_as_app(&stage, start, installation).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_token_nor_key_is_ever_shown() {
    let stage = Stage::new().await;
    let (key, _) = app(&stage);
    let place = format!("file:{}", stage.file("key.pem", &key));
    let ran = stage.by_hand(&as_app(&place)).env("FLEETFOOT_LOG", "trace").ok().await;
    let by_token = ["start", "--key", "other", "--wait", "none"];
    let token = stage.by_hand(&by_token).env("FLEETFOOT_LOG", "trace").ok().await;
    let line = key.lines().nth(3).unwrap();
    let keys = &stage.world.keys;
    for secret in [line, &stage.world.token, &keys.secret_access_key, "eyIucnVubmVyI", "ghs_"] {
        assert!(!ran.said().contains(secret) && !token.said().contains(secret), "{secret}");
    }
    // It did say a lot.
    assert!(token.stderr.contains("generate-jitconfig"), "{}", token.stderr);
    stage.close().await;
}

/// `--region` comes before the stack document, and AWS_DEFAULT_REGION serves as AWS_REGION does.
#[tokio::test(flavor = "multi_thread")]
async fn the_region_may_be_the_sdk_s_default() {
    let stage = Stage::new().await;
    let start = stage.by_hand(&["start", "--key", "k", "--wait", "none", "--stack", STACK]);
    start.without("AWS_REGION").env("AWS_DEFAULT_REGION", REGION).ok().await;
    assert_eq!(stage.live_tasks().len(), 1);
    stage.close().await;
}
