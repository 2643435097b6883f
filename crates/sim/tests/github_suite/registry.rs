//! Runners and groups as the REST API has them.

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{RUNNERS, World, jit_file};

#[tokio::test]
async fn a_runner_is_registered_looked_up_and_deleted() {
    let world = World::new().await;
    let (id, encoded) = world.register("ff-1", &["self-hosted", "Linux", "ff-9"]).await;
    assert!((4_097..8_192).contains(&encoded.len()), "{} characters", encoded.len());
    let settings = jit_file(&encoded, ".runner");
    assert_eq!((&settings["agentId"], &settings["agentName"]), (&json!(id), &json!("ff-1")));
    assert_eq!(settings["workFolder"], "_work");
    assert_eq!(jit_file(&encoded, ".credentials")["scheme"], "OAuth");
    assert!(jit_file(&encoded, ".credentials_rsaparams")["modulus"].is_string());

    let one = world.get(&world.admin, &format!("{RUNNERS}/{id}")).await;
    assert_eq!((&one.body["status"], &one.body["busy"]), (&json!("offline"), &json!(false)));
    let labels = world.get(&world.admin, &format!("{RUNNERS}/{id}/labels")).await;
    let types: Vec<&Value> = labels.body["labels"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
    assert_eq!(types, ["read-only", "read-only", "custom"]);

    let delete =
        async || world.call(Method::DELETE, &world.admin, &format!("{RUNNERS}/{id}"), None, &[]).await;
    assert_eq!(delete().await.status, 204);
    assert_eq!(delete().await.status, 404);
    assert_eq!(world.get(&world.admin, &format!("{RUNNERS}/{id}")).await.status, 404);
    world.end().await;
}

/// Whoever asks whether a secret shows must know all of them, and the book must not show any.
#[tokio::test]
async fn every_secret_is_known_and_none_is_in_the_book() {
    let world = World::new().await;
    let (_, encoded) = world.register("ff-1", &["self-hosted"]).await;
    let path = format!("{RUNNERS}/registration-token");
    let token = world.call(Method::POST, &world.admin, &path, None, &[]).await;
    let credential = jit_file(&encoded, ".credentials")["token"].clone();
    let secrets = world.sim.secrets();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for secret in [world.admin.clone(), encoded, text(&credential), text(&token.body["token"])] {
        assert!(secrets.contains(&secret), "{secret}");
    }
    let book = serde_json::to_string(&world.book.calls()).unwrap();
    assert!(!secrets.iter().any(|secret| book.contains(secret.as_str())), "the book holds a secret");
    world.end().await;
}

#[tokio::test]
async fn bad_registrations_are_refused() {
    let world = World::new().await;
    let long = "x".repeat(65);
    let label = "x".repeat(257);
    let many: Vec<String> = (0..101).map(|number| format!("l{number}")).collect();
    for (body, status, words) in [
        (json!({ "name": long, "runner_group_id": 1, "labels": ["x"] }), 422, "too long"),
        (json!({ "runner_group_id": 1, "labels": ["x"] }), 422, "name"),
        (json!({ "name": "r", "labels": ["x"] }), 422, "runner_group_id"),
        (json!({ "name": "r", "runner_group_id": 1, "labels": [] }), 422, "1 to 100"),
        (json!({ "name": "r", "runner_group_id": 1, "labels": many }), 422, "1 to 100"),
        (json!({ "name": "r", "runner_group_id": 1, "labels": ["a b"] }), 422, "spaces or commas"),
        (json!({ "name": "r", "runner_group_id": 1, "labels": ["a,b"] }), 422, "spaces or commas"),
        (json!({ "name": "r", "runner_group_id": 1, "labels": [label] }), 422, "too long"),
        (json!({ "name": "r", "runner_group_id": 1, "labels": [7] }), 422, "must be a string"),
        (json!({ "name": "r", "runner_group_id": 9, "labels": ["x"] }), 404, "Not Found"),
        (json!([]), 400, "JSON object"),
    ] {
        let got = world.post(&world.admin, &format!("{RUNNERS}/generate-jitconfig"), body).await;
        assert_eq!(got.status, status, "{}", got.body);
        assert!(got.body.to_string().contains(words), "{}", got.body);
    }
    assert!(world.sim.runners().is_empty());

    world.register("twice", &["x"]).await;
    let again = json!({ "name": "twice", "runner_group_id": 1, "labels": ["y"] });
    let got = world.post(&world.admin, &format!("{RUNNERS}/generate-jitconfig"), again.clone()).await;
    assert_eq!(got.status, 409);
    // A name is unique within its repository or organisation only.
    let got = world.post(&world.admin, "/orgs/octo/actions/runners/generate-jitconfig", again).await;
    assert_eq!(got.status, 201);
    world.end().await;
}

#[tokio::test]
async fn lists_have_pages_and_a_name_filter() {
    let world = World::new().await;
    for number in 0..5 {
        world.register(&format!("r{number}"), &["x"]).await;
    }
    let got = world.get(&world.admin, &format!("{RUNNERS}?per_page=2&page=2")).await;
    assert_eq!(got.body["total_count"], 5);
    let names: Vec<&Value> = got.body["runners"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["r2", "r3"]);
    let link = got.header("link");
    assert!(link.contains("page=3>; rel=\"next\"") && link.contains("page=1>; rel=\"prev\""), "{link}");
    let got = world.get(&world.admin, &format!("{RUNNERS}?name=r4")).await;
    assert_eq!((&got.body["total_count"], &got.body["runners"][0]["name"]), (&json!(1), &json!("r4")));
    world.end().await;
}

#[tokio::test]
async fn groups_hold_the_runners_of_an_organisation() {
    let world = World::new().await;
    let id = world.sim.add_runner_group("octo", "fast", Some(&["octo/demo"])).unwrap();
    let groups = "/orgs/octo/actions/runner-groups";
    let got = world.get(&world.admin, groups).await;
    assert_eq!(got.body["total_count"], 2);
    assert_eq!(
        (&got.body["runner_groups"][0]["name"], &got.body["runner_groups"][0]["default"]),
        (&json!("Default"), &json!(true))
    );
    let visible = world.get(&world.admin, &format!("{groups}?visible_to_repository=open")).await;
    assert_eq!(visible.body["total_count"], 1);

    let body = json!({ "name": "r", "runner_group_id": id, "labels": ["x"] });
    let made = world.post(&world.admin, "/orgs/octo/actions/runners/generate-jitconfig", body).await;
    assert_eq!(made.body["runner"]["runner_group_id"], json!(id));
    let listed = world.get(&world.admin, &format!("{groups}/{id}/runners")).await;
    assert_eq!(listed.body["runners"][0]["name"], "r");
    assert_eq!(world.get(&world.admin, &format!("{groups}/{id}")).await.body["visibility"], "selected");
    assert_eq!(world.get(&world.admin, &format!("{groups}/77")).await.status, 404);
    // An organisation's runner is none of the repository's.
    assert_eq!(world.get(&world.admin, RUNNERS).await.body["total_count"], 0);
    world.end().await;
}

#[tokio::test]
async fn the_runner_software_and_the_repository_are_described() {
    let world = World::new().await;
    let latest = world.get(&world.admin, "/repos/actions/runner/releases/latest").await;
    assert_eq!(latest.body["tag_name"], "v2.336.0");
    assert_eq!(world.get(&world.admin, "/repos/octo/demo/releases/latest").await.status, 404);
    for scope in ["/repos/octo/demo", "/orgs/octo"] {
        let downloads = world.get(&world.admin, &format!("{scope}/actions/runners/downloads")).await;
        assert_eq!(downloads.body[0]["filename"], "actions-runner-linux-x64-2.336.0.tar.gz");
        for kind in ["registration-token", "remove-token"] {
            let path = format!("{scope}/actions/runners/{kind}");
            assert_eq!(world.call(Method::POST, &world.admin, &path, None, &[]).await.status, 201);
        }
    }
    let repository = world.get(&world.admin, "/repos/Octo/DEMO").await;
    assert_eq!(repository.body["full_name"], "octo/demo");
    let subject = world.get(&world.admin, "/repos/octo/demo/actions/oidc/customization/sub").await;
    assert_eq!(subject.body["sub_claim_prefix"], "repo:octo/demo");
    world.end().await;
}
