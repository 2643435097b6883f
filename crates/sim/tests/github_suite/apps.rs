//! GitHub Apps: their own tokens and those of their installations.

use std::time::{SystemTime, UNIX_EPOCH};

use fleetfoot_sim::github::{AppSpec, Level};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{RUNNERS, World, permissions_of};

const RUNNER_PERMISSIONS: [(&str, Level); 2] =
    [("administration", Level::Write), ("organization_self_hosted_runners", Level::Write)];

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn sign(key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(key.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
}

fn jwt(key: &str) -> String {
    sign(key, &json!({ "iss": "12", "iat": now() - 60, "exp": now() + 540 }))
}

#[tokio::test]
async fn an_apps_own_token_is_verified() {
    let world = World::new().await;
    let key = world.app(&RUNNER_PERMISSIONS);
    let by_id = world.get(&jwt(&key), "/app").await;
    assert_eq!((by_id.status, &by_id.body["id"]), (200, &json!(12)));
    let client_id = json!({ "iss": "Iv23liTESTTESTTEST00", "iat": now() - 60, "exp": now() + 60 });
    assert_eq!(world.get(&sign(&key, &client_id), "/app").await.status, 200);

    let claims =
        |iss: &str, iat: i64, exp: i64| json!({ "iss": iss, "iat": now() + iat, "exp": now() + exp });
    for (claims, status, words) in [
        (claims("12", -60, 700), 401, "too far in the future"),
        (claims("12", -60, -1), 401, "'Expiration time' claim ('exp') must be"),
        (claims("12", 30, 500), 401, "'Issued at' claim ('iat')"),
        (claims("99", -60, 500), 404, "Integration not found"),
        (json!({ "iat": now(), "exp": now() + 9 }), 401, "'issuer' claim"),
    ] {
        let got = world.get(&sign(&key, &claims), "/app").await;
        assert_eq!(got.status, status, "{claims}");
        assert!(got.message().contains(words), "{}", got.message());
    }

    // Another's key, and a personal token where an App's is wanted.
    let another = AppSpec {
        owner: "octo".into(),
        app_id: 13,
        client_id: "Iv23liOTHEROTHER0000".into(),
        permissions: permissions_of(&[]),
        public_key: None,
    };
    let strangers = world.sim.add_app(another).unwrap().unwrap();
    let got = world.get(&jwt(&strangers), "/app").await;
    assert_eq!((got.status, got.message()), (401, "A JSON web token could not be decoded"));
    assert_eq!(world.get(&world.admin, "/app").await.status, 401);
    // And an App's where an installation's is wanted.
    assert_eq!(world.get(&jwt(&key), RUNNERS).await.status, 403);
    world.end().await;
}

#[tokio::test]
async fn an_installation_is_found_and_its_token_reaches_what_it_was_given() {
    let world = World::new().await;
    let key = world.app(&RUNNER_PERMISSIONS);
    for path in ["/repos/octo/demo/installation", "/orgs/octo/installation"] {
        assert_eq!(world.get(&jwt(&key), path).await.status, 404);
    }
    let id = world.sim.install_app(12, "octo", Some(&["octo/demo"]), None).unwrap();
    for path in ["/repos/octo/demo/installation", "/orgs/octo/installation"] {
        assert_eq!(world.get(&jwt(&key), path).await.body["id"], json!(id));
    }
    assert_eq!(world.get(&jwt(&key), "/repos/octo/open/installation").await.status, 404);
    let listed = world.get(&jwt(&key), "/app/installations?per_page=5").await;
    assert_eq!(listed.body.as_array().unwrap().len(), 1);

    let tokens = format!("/app/installations/{id}/access_tokens");
    let got = world.post(&jwt(&key), &tokens, json!({})).await;
    assert_eq!(got.status, 201);
    assert_eq!(got.body["repository_selection"], "selected");
    let token = got.body["token"].as_str().unwrap();
    assert!(token.starts_with("ghs_") && token.len() > 255, "{} characters", token.len());
    assert_eq!(world.get(token, RUNNERS).await.status, 200);
    assert_eq!(world.get(token, "/orgs/octo/actions/runners").await.status, 200);
    let elsewhere = world.get(token, "/repos/octo/open/actions/runners").await;
    assert_eq!((elsewhere.status, elsewhere.message()), (403, "Resource not accessible by integration"));
    world.end().await;
}

#[tokio::test]
async fn a_token_may_be_narrowed_and_never_widened() {
    let world = World::new().await;
    let key = world.app(&RUNNER_PERMISSIONS);
    let permissions = permissions_of(&[("administration", Level::Read)]);
    let id = world.sim.install_app(12, "octo", None, Some(permissions)).unwrap();
    let tokens = format!("/app/installations/{id}/access_tokens");
    let ask = async |body: Value| world.post(&jwt(&key), &tokens, body).await;

    let narrow = ask(json!({ "repositories": ["open"], "permissions": { "administration": "read" } })).await;
    assert_eq!(narrow.status, 201);
    assert_eq!(narrow.body["repositories"][0]["full_name"], "octo/open");
    assert_eq!(narrow.body["permissions"], json!({ "administration": "read", "metadata": "read" }));
    let token = narrow.body["token"].as_str().unwrap();
    assert_eq!(world.get(token, "/repos/octo/open/actions/runners").await.status, 200);
    assert_eq!(world.get(token, RUNNERS).await.status, 404);
    assert_eq!(world.get(token, "/orgs/octo/actions/runners").await.status, 403);

    let wide = ask(json!({ "permissions": { "administration": "write" } })).await;
    assert_eq!(wide.status, 422);
    assert_eq!(wide.message(), "The permissions requested are not granted to this installation.");
    assert_eq!(ask(json!({ "repositories": ["nowhere"] })).await.status, 422);
    assert_eq!(ask(json!({ "repository_ids": [1] })).await.status, 422);
    assert_eq!(world.post(&jwt(&key), "/app/installations/7/access_tokens", json!({})).await.status, 404);
    // What the App itself does not have, no installation can be given.
    let more = permissions_of(&[("secrets", Level::Write)]);
    assert!(world.sim.install_app(12, "octo", None, Some(more)).is_err());
    world.end().await;
}

#[tokio::test]
async fn an_app_comes_from_a_manifest_and_a_code_that_is_good_once() {
    let world = World::new().await;
    let manifest = |name: &str, url: &str| {
        json!({
            "name": name, "url": url, "redirect_url": "http://127.0.0.1:9/created", "public": false,
            "default_permissions": { "organization_self_hosted_runners": "write" },
        })
    };
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let press = async |path: &str, manifest: &Value| {
        let form = [("manifest", manifest.to_string())];
        browser.post(format!("{}{path}", world.sim.server_url())).form(&form).send().await.unwrap()
    };
    let page = "/organizations/octo/settings/apps/new?state=s3cret";

    let back = press(page, &manifest("Fleet of Octo", "https://octo.example")).await;
    assert_eq!(back.status(), 302);
    let location = back.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("http://127.0.0.1:9/created?code="), "{location}");
    let (code, state) = location.split_once("code=").unwrap().1.split_once("&state=").unwrap();
    assert_eq!(state, "s3cret");

    let path = format!("/app-manifests/{code}/conversions");
    let made = world.call(Method::POST, "", &path, None, &[]).await;
    assert_eq!((made.status, &made.body["slug"]), (201, &json!("fleet-of-octo")));
    let key = made.body["pem"].as_str().unwrap();
    let claims = json!({ "iss": made.body["client_id"], "iat": now() - 60, "exp": now() + 540 });
    assert_eq!(world.get(&sign(key, &claims), "/app").await.body["id"], made.body["id"]);
    assert!(!format!("{:?}", world.book.calls()).contains("PRIVATE KEY"));

    assert_eq!(world.call(Method::POST, "", &path, None, &[]).await.status, 404);
    for (path, manifest) in [
        (page, manifest("Fleet of Octo", "https://octo.example")),
        (page, manifest(&"x".repeat(35), "https://octo.example")),
        (page, manifest("Other", "octo")),
        ("/organizations/nobody/settings/apps/new", manifest("Other", "https://octo.example")),
    ] {
        assert_eq!(press(path, &manifest).await.status(), 422, "{path} {manifest}");
    }
    world.end().await;
}
