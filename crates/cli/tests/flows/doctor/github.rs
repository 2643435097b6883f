//! GitHub: clock, credentials, limits, groups.

use fleetfoot_sim::github::{AppSpec, Level, Permissions};

use super::{by_hand, faulty_stage, found, stage};
use crate::common::{Fleetfoot, Stage};

fn doctor(stage: &Stage, arguments: &[&str]) -> Fleetfoot {
    stage.by_hand(&[&["doctor", "--output", "json"], arguments].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token() {
    let stage = stage().await;
    let doctor = doctor(&stage, &[]).without("FLEETFOOT_GITHUB_TOKEN");
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    skipped runner-version of Fargate: not checked, because it builds on github-credentials
    problem github-credentials of the token: no GitHub credentials were given
      Set FLEETFOOT_GITHUB_TOKEN to a token that may manage runners, or name an App with --app-client-id and --app-key. A job's own GITHUB_TOKEN can never register a runner.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_github_does_not_know() {
    let stage = stage().await;
    let doctor = doctor(&stage, &[]).env("FLEETFOOT_GITHUB_TOKEN", "ghp_0123456789");
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    skipped runner-version of Fargate: not checked, because it builds on github-credentials
    problem github-credentials of the token: cannot ask GitHub for the rate limit: GitHub answered 401: Bad credentials
      The token is wrong, revoked or expired: make a new one and put it into the secret.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope() {
    let stage = stage().await;
    let token = stage.token(&["read:org"]);
    let doctor = doctor(&stage, &[]).env("FLEETFOOT_GITHUB_TOKEN", &token);
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    problem runner-registration of octo-org/demo: cannot register runners at octo-org/demo: GitHub answered 404: Not Found (needs the scope repo; the token's scopes: read:org)
      Give the token the scope `repo`, and see that its owner is an administrator of octo-org/demo.
    skipped runner-group of Default: not checked, because it builds on runner-registration
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_that_is_not_there() {
    let stage = stage().await;
    stage.change_stack(|stack| {
        stack["pools"].as_array_mut().unwrap().truncate(1);
        stack["github"]["api_url"] = "http://127.0.0.1:1/api/v3".into();
    });
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 1
    skipped runner-version of Fargate: not checked, because it builds on github-clock
    problem github-clock of 127.0.0.1: cannot ask GitHub for the time: no connection to GitHub (Connection refused (os error 111))
      Check the network, and https://www.githubstatus.com.
    skipped github-credentials of the token: not checked, because it builds on github-clock
    ");
}

/// An App; gives the place of its key.
fn app(stage: &Stage, permission: &str) -> String {
    let permissions: Permissions = [(permission.to_owned(), Level::Write)].into();
    let spec = AppSpec {
        owner: "octo-org".into(),
        app_id: 77,
        client_id: "Iv23liFleetfoot".into(),
        permissions,
        public_key: None,
    };
    let key = stage.world.github.add_app(spec).unwrap().unwrap();
    format!("file:{}", stage.file("key.pem", &key))
}

fn as_app(stage: &Stage, key: &str) -> Fleetfoot {
    let doctor = doctor(stage, &["--app-client-id", "Iv23liFleetfoot", "--app-key", key]);
    doctor.without("FLEETFOOT_GITHUB_TOKEN")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_well() {
    let stage = stage().await;
    let key = app(&stage, "administration");
    stage.world.github.install_app(77, "octo-org", None, None).unwrap();
    let doctor = as_app(&stage, &key);
    assert_eq!(found(stage, doctor).await, "exit 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_not_installed() {
    let stage = stage().await;
    let key = app(&stage, "administration");
    let doctor = as_app(&stage, &key);
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    skipped runner-version of Fargate: not checked, because it builds on github-credentials
    problem github-credentials of the App Iv23liFleetfoot: cannot find the GitHub App's installation on octo-org/demo: the App is not installed on octo-org/demo
      Install it there, or correct the address octo-org/demo.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_the_permission() {
    let stage = stage().await;
    let key = app(&stage, "contents");
    stage.world.github.install_app(77, "octo-org", None, None).unwrap();
    let doctor = as_app(&stage, &key);
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    skipped runner-version of Fargate: not checked, because it builds on github-credentials
    problem github-credentials of the App Iv23liFleetfoot: cannot get a token of the GitHub App for octo-org/demo: GitHub answered 422: The permissions requested are not granted to this installation.
      Grant the App Administration: read and write (repository) in its settings, and accept the change on the installation of octo-org/demo.
    ");
}

/// What is at GitHub cannot be asked as an App whose key nobody can fetch.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_key_is_in_aws_without_credentials_there() {
    let stage = stage().await;
    let file = stage.stack_file(|stack| {
        let key = "secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:key-0";
        stack["github"]["app"] = serde_json::json!({ "client_id": "Iv23liFleetfoot", "key": key });
        stack["pools"].as_array_mut().unwrap().truncate(1);
    });
    let doctor = doctor(&stage, &["--stack-file", &file]).without("FLEETFOOT_STACK");
    let doctor = doctor.without("FLEETFOOT_GITHUB_TOKEN").without("AWS_ACCESS_KEY_ID");
    let told = found(stage, doctor.without("AWS_SECRET_ACCESS_KEY")).await;
    let (_, rest) = told.split_once("skipped cluster").unwrap();
    insta::assert_snapshot!(rest, @"
     of arn:aws:ecs:us-east-1:123456789012:cluster/fleetfoot-demo: not checked, because it builds on aws-credentials
    skipped task-definition of Fargate: not checked, because it builds on aws-credentials
    skipped mailbox-write of fleetfoot-demo-mailbox: not checked, because it builds on aws-credentials
    skipped github-credentials of the App Iv23liFleetfoot: not checked, because it builds on aws-credentials
    ");
}

/// Its tokens carry times, unlike those that people make.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_github_refuses_of_an_app() {
    let stage = faulty_stage("clock-skew:-120:github*").await;
    let key = app(&stage, "administration");
    stage.world.github.install_app(77, "octo-org", None, None).unwrap();
    let doctor = as_app(&stage, &key);
    insta::assert_snapshot!(found(stage, doctor).await, @"
    exit 1
    skipped runner-version of Fargate: not checked, because it builds on github-clock
    problem github-clock of 127.0.0.1: this machine's clock is N s ahead of GitHub's, and GitHub refuses an App's token that begins in the future or has ended
      Let the clock be set by NTP (timedatectl set-ntp true); a container has its host's.
    skipped github-credentials of the App Iv23liFleetfoot: not checked, because it builds on github-clock
    ");
}

/// GitHub will take the same call later, so that nothing is wrong with the installation.
#[tokio::test(flavor = "multi_thread")]
async fn to_be_slowed_down_is_a_warning() {
    let stage = faulty_stage("rate-limit-secondary:429:30:registration-token*").await;
    insta::assert_snapshot!(by_hand(stage).await, @"
    exit 0
    note runner-version of Fargate: the image has the runner 2.336.0; whether there is a newer one is not known: cannot find the newest release of GitHub's runner: GitHub answered 429: You have exceeded a secondary rate limit. Please wait a few minutes before you try again.
      Compare it with https://github.com/actions/runner/releases.
    warning runner-registration of octo-org/demo: cannot register runners at octo-org/demo: GitHub answered 429: You have exceeded a secondary rate limit. Please wait a few minutes before you try again.
      Wait, or use a GitHub App, whose limits are higher.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_left() {
    let stage = faulty_stage("rate-limit-primary:403:3600:registration-token").await;
    // The last request is used up by the first of two.
    stage.by_hand(&["doctor"]).ok().await;
    let told = by_hand(stage).await;
    let (before, after) = told.split_once(", until ").unwrap();
    insta::assert_snapshot!(format!("{before}, until TIME{}", &after["00:00:00".len()..]), @"
    exit 1
    skipped runner-version of Fargate: not checked, because it builds on github-rate-limit
    problem github-rate-limit of the token: 0 of 5000 requests of this hour are left, until TIME UTC
      Wait, or use a GitHub App: its limit is its own, and higher.
    skipped runner-registration of octo-org/demo: not checked, because it builds on github-rate-limit
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_group_that_is_not_there() {
    let stage = stage().await;
    let url = format!("{}/octo-org", stage.world.github.server_url());
    stage.change_stack(|stack| {
        stack["pools"].as_array_mut().unwrap().truncate(1);
        stack["github"]["url"] = url.into();
        stack["scale_sets"] =
            serde_json::json!([{ "name": "small", "pool": "Fargate", "runner_group": "fast" }]);
    });
    let token = stage.token(&["admin:org"]);
    let doctor = doctor(&stage, &["--runner-group", "large"]).env("FLEETFOOT_GITHUB_TOKEN", &token);
    insta::assert_snapshot!(found(stage, doctor).await, @r#"
    exit 1
    problem runner-group of fast: cannot find the runner group "fast" of octo-org: there is none; there are: Default
      Correct the runner group's name, or leave it out for Default.
    problem runner-group of large: cannot find the runner group "large" of octo-org: there is none; there are: Default
      Correct the runner group's name, or leave it out for Default.
    "#);
}
