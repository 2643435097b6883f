//! Who may do what with which token.

use fleetfoot_sim::github::Level;
use reqwest::Method;
use serde_json::json;

use super::world::{RUNNERS, World};

#[tokio::test]
async fn wrong_and_missing_credentials() {
    let world = World::new().await;
    let got = world.get("ghp_nobodys", RUNNERS).await;
    assert_eq!((got.status, got.message()), (401, "Bad credentials"));
    // A stranger does not even learn that a private repository exists.
    assert_eq!(world.get("", RUNNERS).await.status, 404);
    assert_eq!(world.get("", "/repos/octo/open/actions/runners").await.status, 401);
    assert_eq!(world.get("", "/repos/octo/open").await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_client_must_name_itself_and_a_known_version() {
    let world = World::new().await;
    assert_eq!(world.bare("/rate_limit").await.status, 403);
    let version = |text| [("X-GitHub-Api-Version", text)];
    let old = world.call(Method::GET, "", "/rate_limit", None, &version("2022-11-28")).await;
    assert_eq!((old.status, old.header("X-GitHub-Api-Version-Selected")), (200, "2022-11-28"));
    assert!(old.body["rate"].is_object());
    let new = world.call(Method::GET, "", "/rate_limit", None, &version("2026-03-10")).await;
    assert_eq!(new.body.get("rate"), None);
    assert_eq!(world.call(Method::GET, "", "/rate_limit", None, &version("1999-01-01")).await.status, 400);
    world.end().await;
}

#[tokio::test]
async fn classic_tokens_need_their_scopes_and_an_owner() {
    let world = World::new().await;
    let got = world.get(&world.classic("mona", &["repo"]), RUNNERS).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.header("X-OAuth-Scopes"), "repo");
    assert_eq!(got.header("X-Accepted-OAuth-Scopes"), "repo");

    // Without `repo` a private repository is invisible; the headers say what is missing.
    let got = world.get(&world.classic("mona", &["gist"]), RUNNERS).await;
    assert_eq!(got.status, 404);
    assert_eq!((got.header("X-OAuth-Scopes"), got.header("X-Accepted-OAuth-Scopes")), ("gist", "repo"));

    let strangers = world.classic("eve", &["repo", "admin:org"]);
    assert_eq!(world.get(&strangers, RUNNERS).await.status, 404);
    assert_eq!(world.get(&strangers, "/repos/octo/open/actions/runners").await.status, 403);
    assert_eq!(world.get(&strangers, "/orgs/octo/actions/runners").await.status, 403);

    let without = world.get(&world.classic("mona", &["repo"]), "/orgs/octo/actions/runners").await;
    assert_eq!((without.status, without.header("X-Accepted-OAuth-Scopes")), (403, "admin:org"));
    assert_eq!(
        world.get(&world.classic("mona", &["admin:org"]), "/orgs/octo/actions/runners").await.status,
        200
    );
    world.end().await;
}

#[tokio::test]
async fn fine_grained_tokens_need_their_permissions() {
    let world = World::new().await;
    let jit = json!({ "name": "r", "runner_group_id": 1, "labels": ["x"] });
    let post = async |token: &str, on: &str| {
        world.post(token, &format!("{on}/actions/runners/generate-jitconfig"), jit.clone()).await
    };

    let reads = world.fine_grained(&[("administration", Level::Read)]);
    assert_eq!(world.get(&reads, RUNNERS).await.status, 200);
    let got = post(&reads, "/repos/octo/demo").await;
    assert_eq!((got.status, got.message()), (403, "Resource not accessible by personal access token"));
    assert_eq!(got.header("X-Accepted-GitHub-Permissions"), "administration=write");
    let writes = world.fine_grained(&[("administration", Level::Write)]);
    assert_eq!(post(&writes, "/repos/octo/demo").await.status, 201);

    let runners = [("organization_self_hosted_runners", Level::Write)];
    let got = post(&world.fine_grained(&runners), "/orgs/octo").await;
    assert_eq!(got.status, 403);
    assert_eq!(
        got.header("X-Accepted-GitHub-Permissions"),
        "organization_self_hosted_runners=write,organization_administration=read"
    );
    let both = [runners[0], ("organization_administration", Level::Read)];
    assert_eq!(post(&world.fine_grained(&both), "/orgs/octo").await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn what_is_not_simulated_is_not_found() {
    let world = World::new().await;
    let got = world.get(&world.admin, "/repos/octo/demo/pulls").await;
    assert_eq!(got.status, 404);
    assert_eq!(got.body["status"], "404");
    assert!(got.body["documentation_url"].is_string());
    // No such route is in the contract, so this call cannot be checked against it.
    let problem = fleetfoot_sim::contract::check_all(&world.book.calls()).unwrap_err();
    assert!(problem.contains("not in the contract"), "{problem}");
    world.sim.shutdown().await;
}

#[tokio::test]
async fn no_secret_is_in_the_book() {
    let world = World::new().await;
    let (_, encoded) = world.register("r", &["x"]).await;
    let token = world.post(&world.admin, &format!("{RUNNERS}/registration-token"), json!({})).await;
    assert_eq!(token.status, 201);
    let book = serde_json::to_string(&world.book.calls()).unwrap();
    for secret in [&encoded, token.body["token"].as_str().unwrap(), &world.admin] {
        assert!(!book.contains(secret));
    }
    assert!(book.contains("classic token of mona"));
    world.sim.shutdown().await;
}
