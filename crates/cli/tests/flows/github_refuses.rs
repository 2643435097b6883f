//! What a start without the right to register runners gets: which right, for which kind of token.

use fleetfoot::demo::world::{ACTOR, REPOSITORY};
use fleetfoot_sim::github::{AppSpec, Level, Permissions, TokenKind};

use crate::common::{START, Stage};

async fn refused(stage: &Stage, code: i32, token: &str) -> String {
    stage.by_hand(&["start", "--key", "k"]).env("FLEETFOOT_GITHUB_TOKEN", token).fails(code).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classic_token_without_the_scope() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused(&stage, 4, &stage.token(&["read:org"])).await, @"
    error: cannot register runners at octo-org/demo: GitHub answered 404: Not Found (needs the scope repo; the token's scopes: read:org)
      help: Give the token the scope `repo`, and see that its owner is an administrator of octo-org/demo.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fine_grained_token_without_the_permission() {
    let stage = Stage::new().await;
    let kind = TokenKind::FineGrained {
        resource_owner: "octo-org".into(),
        repositories: Some(vec![REPOSITORY.into()]),
        permissions: [("administration".to_owned(), Level::Read)].into(),
    };
    let token = stage.world.github.add_token(ACTOR, kind).unwrap();
    insta::assert_snapshot!(refused(&stage, 4, &token).await, @"
    error: cannot register runners at octo-org/demo: GitHub answered 403: Resource not accessible by personal access token (needs the permission administration=write)
      help: Give the token the permission Administration: read and write (repository) for octo-org/demo, and see that its owner is an administrator.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_job_can_never() {
    let stage = Stage::new().await;
    let env = "FLEETFOOT_GITHUB_TOKEN: '${{ github.token }}' }";
    let start = START.replace("AS_LAUNCHER", crate::common::AS_LAUNCHER);
    let start = start.replace("FLEETFOOT_GITHUB_TOKEN: '${{ secrets.FLEETFOOT_GITHUB_TOKEN }}' }", env);
    let run = stage.dispatch(&start.replace("ARGS", ""));
    run.end().await;
    insta::assert_snapshot!(run.job("start").annotations[0].message, @"
    cannot register runners at octo-org/demo: GitHub answered 403: Resource not accessible by integration (needs the permission administration=write)
    A job's GITHUB_TOKEN can never register a runner, whatever its permissions: use a GitHub App with Administration: read and write (repository), or a personal access token; if it is an App's token, grant the App this permission.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_none() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused(&stage, 4, "ghp_0123456789").await, @"
    error: cannot register runners at octo-org/demo: GitHub answered 401: Bad credentials
      help: The token is wrong, revoked or expired: make a new one and put it into the secret.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credentials_at_all() {
    let stage = Stage::new().await;
    insta::assert_snapshot!(refused(&stage, 4, "").await, @"
    error: no GitHub credentials were given
      help: Set FLEETFOOT_GITHUB_TOKEN to a token that may manage runners, or name an App with --app-client-id and --app-key. A job's own GITHUB_TOKEN can never register a runner.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_the_token_does_not_see() {
    let stage = Stage::new().await;
    let url = format!("{}/octo-org/nope", stage.world.github.server_url());
    stage.change_stack(|stack| stack["github"]["url"] = url.into());
    insta::assert_snapshot!(refused(&stage, 2, &stage.token(&["repo"])).await, @"
    error: cannot register runners at octo-org/nope: GitHub answered 404: Not Found; octo-org/nope does not exist, or this token may not see it
      help: Correct the address in the stack document if it is wrong; if not, the token has the scope `repo`, but its owner must be an administrator of octo-org/nope.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

/// An App; gives the place of its key.
fn app(stage: &Stage, permission: &str) -> String {
    let permissions: Permissions = [(permission.to_owned(), Level::Write)].into();
    let (app_id, client_id) = (77, "Iv23liFleetfoot".into());
    let spec = AppSpec { owner: "octo-org".into(), app_id, client_id, permissions, public_key: None };
    let key = stage.world.github.add_app(spec).unwrap().unwrap();
    format!("file:{}", stage.file("key.pem", &key))
}

async fn refused_as_app(stage: &Stage, code: i32, key: &str) -> String {
    let start = ["start", "--key", "k", "--app-client-id", "Iv23liFleetfoot", "--app-key", key];
    stage.by_hand(&start).without("FLEETFOOT_GITHUB_TOKEN").fails(code).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_not_installed() {
    let stage = Stage::new().await;
    let key = app(&stage, "administration");
    insta::assert_snapshot!(refused_as_app(&stage, 2, &key).await, @"
    error: cannot find the GitHub App's installation on octo-org/demo: the App is not installed on octo-org/demo
      help: Install it there, or correct the address octo-org/demo.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_the_permission() {
    let stage = Stage::new().await;
    let key = app(&stage, "contents");
    stage.world.github.install_app(77, "octo-org", None, None).unwrap();
    insta::assert_snapshot!(refused_as_app(&stage, 4, &key).await, @"
    error: cannot get a token of the GitHub App for octo-org/demo: GitHub answered 422: The permissions requested are not granted to this installation.
      help: Grant the App Administration: read and write (repository) in its settings, and accept the change on the installation of octo-org/demo.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_another_app_s_key() {
    let stage = Stage::new().await;
    app(&stage, "administration");
    stage.world.github.install_app(77, "octo-org", None, None).unwrap();
    let other = AppSpec {
        owner: "octo-org".into(),
        app_id: 78,
        client_id: "Iv23liOther".into(),
        permissions: Permissions::new(),
        public_key: None,
    };
    let key = stage.world.github.add_app(other).unwrap().unwrap();
    let key = format!("file:{}", stage.file("other.pem", &key));
    insta::assert_snapshot!(refused_as_app(&stage, 4, &key).await, @"
    error: cannot find the GitHub App's installation on octo-org/demo: GitHub answered 401: A JSON web token could not be decoded
      help: Check that the client id and the private key belong to the same App, that the key was not deleted in the App's settings, and that this machine's clock is right.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none() {
    let stage = Stage::new().await;
    app(&stage, "administration");
    let key = format!("file:{}", stage.file("no.pem", "not a key"));
    insta::assert_snapshot!(refused_as_app(&stage, 2, &key).await, @"
    error: cannot use the GitHub App's private key: it is not a PEM private key
      help: Give the .pem file that GitHub made, as it is.
    ");
    stage.assert_nothing_asked_for();
    stage.close().await;
}
