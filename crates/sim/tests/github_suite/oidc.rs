//! OIDC tokens of jobs, verified as a cloud would: by the issuer's published keys.

use fleetfoot_sim::github::{Dispatch, RepositorySpec, SubjectForm};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::Method;
use serde_json::{Value, json};

use super::service::Hand;
use super::world::World;

const WORKFLOW: &str = "name: Deploy
on: workflow_dispatch
permissions: { id-token: write }
jobs:
  deploy:
    runs-on: x
    steps: [{ run: echo }]
";

/// Verifies a token by the discovery document alone.
async fn verified(world: &World, token: &str, audience: &str) -> Value {
    let issuer = world.sim.issuer();
    let discovery =
        world.raw(Method::GET, &format!("{issuer}/.well-known/openid-configuration"), "-", None).await.body;
    assert_eq!(discovery["issuer"], json!(issuer));
    let keys = world.raw(Method::GET, discovery["jwks_uri"].as_str().unwrap(), "-", None).await.body;
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let key = keys.find(&decode_header(token).unwrap().kid.unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_nbf = true;
    validation.set_audience(&[audience]);
    validation.set_issuer(&[issuer]);
    decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims
}

fn text<'a>(message: &'a Value, name: &str) -> &'a str {
    message["environment"][name].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_job_with_the_permission_gets_a_token_while_it_runs() {
    let world = World::new().await;
    let run = world.sim.dispatch(&Dispatch::new("octo/demo", world.workflow(WORKFLOW), "mona")).unwrap();
    let (_, hand) = Hand::online(&world, "r", &["x"]).await;
    let message = hand.poll().await.body;
    let url = format!("{}&audience=sts.amazonaws.com", text(&message, "ACTIONS_ID_TOKEN_REQUEST_URL"));
    let secret = text(&message, "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    assert!(message["masks"].as_array().unwrap().contains(&json!(secret)));
    let ask = async |secret: &str| world.raw(Method::GET, &url, secret, None).await;
    assert_eq!(ask(secret).await.status, 401, "the job has not started");
    hand.job(&message["job_id"], "start", None).await;
    assert_eq!(ask("another's").await.status, 401);

    let got = ask(secret).await;
    assert_eq!(got.status, 200);
    let claims = verified(&world, got.body["value"].as_str().unwrap(), "sts.amazonaws.com").await;
    let sha = &message["contexts"]["github"]["sha"];
    for (claim, wanted) in [
        ("sub", json!("repo:octo/demo:ref:refs/heads/main")),
        ("repository", json!("octo/demo")),
        ("repository_owner", json!("octo")),
        ("repository_visibility", json!("private")),
        ("ref", json!("refs/heads/main")),
        ("ref_type", json!("branch")),
        ("sha", sha.clone()),
        ("actor", json!("mona")),
        ("workflow", json!("Deploy")),
        ("event_name", json!("workflow_dispatch")),
        ("run_id", json!(run.to_string())),
        ("run_attempt", json!("1")),
        ("job_workflow_ref", json!("octo/demo/.github/workflows/test.yml@refs/heads/main")),
        ("runner_environment", json!("self-hosted")),
    ] {
        assert_eq!(claims[claim], wanted, "{claim}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert!(claims.get("environment").is_none() && claims["jti"].is_string());

    // Without an audience the token is for the repository's owner.
    let plain = world.raw(Method::GET, text(&message, "ACTIONS_ID_TOKEN_REQUEST_URL"), secret, None).await;
    let owner = format!("{}/octo", world.sim.server_url());
    verified(&world, plain.body["value"].as_str().unwrap(), &owner).await;

    hand.finish(&message["job_id"], "success").await;
    assert_eq!(ask(secret).await.status, 401, "the job is over");
    world.end().await;
}

#[tokio::test]
async fn a_job_without_the_permission_is_not_even_told_where_to_ask() {
    let world = World::new().await;
    let workflow = world.workflow(&WORKFLOW.replace("id-token: write", "contents: read"));
    world.sim.dispatch(&Dispatch::new("octo/demo", workflow, "mona")).unwrap();
    let (_, hand) = Hand::online(&world, "r", &["x"]).await;
    let message = hand.begin().await;
    assert_eq!(text(&message, "ACTIONS_ID_TOKEN_REQUEST_URL"), "");
    let (run, job) = (&message["run_id"], &message["job_id"]);
    let url = format!(
        "{}/_services/token/runs/{run}/jobs/{job}/idtoken?api-version=2.0&audience=x",
        world.sim.server_url()
    );
    assert_eq!(world.raw(Method::GET, &url, "", None).await.status, 401);
    world.end().await;
}

#[tokio::test]
async fn the_subject_names_the_environment_and_in_new_repositories_the_ids() {
    let world = World::new().await;
    let files = world.folder.path().join("demo");
    let fresh = RepositorySpec {
        id: Some(777),
        subject: SubjectForm::NamesAndIds,
        ..RepositorySpec::new("octo/fresh", files)
    };
    world.sim.add_repository(fresh).unwrap();
    let owner = world.get(&world.admin, "/repos/octo/fresh").await.body["owner"]["id"].clone();
    let (vars, secrets) =
        ([("REGION".into(), "eu".into())].into(), [("KEY".into(), "prod-key".into())].into());
    world.sim.add_environment("octo/fresh", "prod:eu", vars, secrets).unwrap();
    for (workflow, context) in [
        (WORKFLOW.to_owned(), "ref:refs/heads/main"),
        (WORKFLOW.replace("    runs-on", "    environment: prod:eu\n    runs-on"), "environment:prod%3Aeu"),
    ] {
        world.sim.dispatch(&Dispatch::new("octo/fresh", world.workflow(&workflow), "mona")).unwrap();
        let body = json!({ "name": "r", "runner_group_id": 1, "labels": ["x"] });
        let made =
            world.post(&world.admin, "/repos/octo/fresh/actions/runners/generate-jitconfig", body).await;
        let (_, hand) = Hand::of(&world, &made).await;
        let message = hand.begin().await;
        if context.starts_with("environment") {
            assert_eq!(message["contexts"]["vars"]["REGION"], "eu");
            assert!(message["masks"].as_array().unwrap().contains(&json!("prod-key")));
        }
        let (url, secret) = (
            text(&message, "ACTIONS_ID_TOKEN_REQUEST_URL"),
            text(&message, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        );
        let got = world.raw(Method::GET, &format!("{url}&audience=a"), secret, None).await;
        let claims = verified(&world, got.body["value"].as_str().unwrap(), "a").await;
        assert_eq!(claims["sub"], json!(format!("repo:octo@{owner}/fresh@777:{context}")));
        hand.finish(&message["job_id"], "success").await;
    }
    world.end().await;
}

/// So that a cloud can trust one reusable workflow, whoever calls it.
#[tokio::test]
async fn the_token_of_a_called_workflow_s_job_names_that_workflow() {
    let world = World::new().await;
    let library = world.folder.path().join("demo/.github/workflows/lib.yml");
    std::fs::write(library, WORKFLOW.replace("workflow_dispatch", "workflow_call")).unwrap();
    let caller = "on: workflow_dispatch
permissions: { id-token: write }
jobs: { call: { uses: ./.github/workflows/lib.yml } }
";
    world.sim.dispatch(&Dispatch::new("octo/demo", world.workflow(caller), "mona")).unwrap();
    let (_, hand) = Hand::online(&world, "r", &["x"]).await;
    let message = hand.begin().await;
    let url = format!("{}&audience=a", text(&message, "ACTIONS_ID_TOKEN_REQUEST_URL"));
    let secret = text(&message, "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let token = world.raw(Method::GET, &url, secret, None).await.body;
    let claims = verified(&world, token["value"].as_str().unwrap(), "a").await;
    assert_eq!(claims["workflow_ref"], "octo/demo/.github/workflows/test.yml@refs/heads/main");
    assert_eq!(claims["job_workflow_ref"], "octo/demo/.github/workflows/lib.yml@refs/heads/main");
    world.end().await;
}
