//! The SDK's default chain, which reads the environment: each case is a process of its own with nothing in
//! its environment but what it is about.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use axum::routing::get;
use axum::{Json, Router};
use fleetfoot_aws::{Aws, Identity, Options};
use fleetfoot_core::fault::Class;
use fleetfoot_net::Network;
use serde_json::json;

/// Runs one ignored test of this file with this environment alone.
async fn run(name: &str, environment: &[(&str, &str)]) -> (bool, String) {
    let home = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success() && text.contains("1 passed"), text)
}

#[tokio::test]
async fn without_credentials_a_clear_fault_comes_soon() {
    let (passed, text) = run("inside::no_credentials", &[("AWS_EC2_METADATA_DISABLED", "true")]).await;
    assert!(passed, "{text}");
}

#[tokio::test]
async fn without_a_region_nothing_is_probed() {
    let (passed, text) = run("inside::no_region", &[]).await;
    assert!(passed, "{text}");
}

#[tokio::test]
async fn the_environment_gives_region_and_endpoints() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
    let server = Router::new().fallback(|| async { r#"{"Parameter":{"Value":"from the endpoint"}}"# });
    let url = serve(server).await;
    for endpoint in [("AWS_ENDPOINT_URL", url.as_str()), ("AWS_ENDPOINT_URL_SSM", url.as_str())] {
        let environment = [&keys[..], &[("AWS_REGION", "eu-west-1"), endpoint]].concat();
        let (passed, text) = run("inside::parameter", &environment).await;
        assert!(passed, "{text}");
    }
}

#[tokio::test]
async fn a_task_gets_the_credentials_of_its_role() {
    let credentials = json!({
        "AccessKeyId": "ASIA", "SecretAccessKey": "s3cret", "Token": "session",
        "Expiration": (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string(),
    });
    let server = Router::new().route("/role", get(move || async { Json(credentials) }));
    let url = format!("{}/role", serve(server).await);
    let environment = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str())];
    let (passed, text) = run("inside::some_credentials", &environment).await;
    assert!(passed, "{text}");
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// What runs in the processes.
mod inside {
    use super::*;

    #[tokio::test]
    #[ignore = "run by the tests above, with another environment"]
    async fn no_credentials() {
        let begin = Instant::now();
        let fault = Aws::from_environment("eu-west-1", Network::default())
            .await
            .unwrap()
            .check_credentials()
            .await
            .unwrap_err();
        assert_eq!(fault.class, Class::Denied, "{fault}");
        assert_eq!(fault.to_string(), "cannot get AWS credentials: there are none here");
        assert!(fault.remedy.unwrap().contains("id-token: write"));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    #[ignore = "run by the tests above, with another environment"]
    async fn no_region() {
        let begin = Instant::now();
        let fault = Aws::connect(Options::default(), Identity::DefaultChain).await.unwrap_err();
        assert_eq!(fault.class, Class::Invalid, "{fault}");
        assert!(fault.remedy.unwrap().contains("AWS_REGION"));
        assert!(begin.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    #[ignore = "run by the tests above, with another environment"]
    async fn parameter() {
        let aws = Aws::connect(Options::default(), Identity::DefaultChain).await.unwrap();
        assert_eq!(aws.parameter("n").await.unwrap(), "from the endpoint");
    }

    #[tokio::test]
    #[ignore = "run by the tests above, with another environment"]
    async fn some_credentials() {
        Aws::from_environment("eu-west-1", Network::default())
            .await
            .unwrap()
            .check_credentials()
            .await
            .unwrap();
    }
}
