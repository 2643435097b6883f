//! moto, a simulated AWS that is not ours (PyPI, `moto[server]`): what Terraform applies to.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fleetfoot::demo::world::REGION;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// A running moto of its own, with an account of its own. Ended with the value.
pub(super) struct Moto {
    url: String,
    _server: Child,
}

/// A program of the Python helpers.
pub(super) fn helper(name: &str) -> PathBuf {
    let python = std::env::var_os("FLEETFOOT_PYTHON").expect("`cargo xtask test` sets FLEETFOOT_PYTHON");
    Path::new(&python).with_file_name(name)
}

impl Moto {
    pub(super) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new(helper("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            // Without them, attaching a policy of AWS's own fails.
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..300 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Self { url: format!("http://127.0.0.1:{port}"), _server: server };
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("moto did not begin to listen within 30 seconds");
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Calls a JSON service, whose calls are named `Prefix.Operation`.
    pub(super) async fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        // moto reads from it which service is meant, and verifies nothing.
        let signed =
            format!("AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/{service}/aws4_request, Signature=x");
        let request = reqwest::Client::new()
            .post(&self.url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", signed)
            .body(body.to_string());
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{target}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Deletes something of S3's, such as `bucket?policy`.
    pub(super) async fn delete(&self, what: &str) {
        let answer = reqwest::Client::new().delete(format!("{}/{what}", self.url)).send().await.unwrap();
        assert!(answer.status().is_success(), "{what}: {}", answer.status());
    }

    /// ARNs of what there is with the tag of this project's stacks; roles and providers are not among it.
    pub(super) async fn inventory(&self) -> Vec<String> {
        let target = "ResourceGroupsTaggingAPI_20170126.GetResources";
        let filter = json!({ "TagFilters": [{ "Key": "fleetfoot:stack" }], "ResourcesPerPage": 100 });
        let answer = self.call("tagging", target, &filter).await;
        let found = answer["ResourceTagMappingList"].as_array().unwrap().iter();
        found.map(|resource| resource["ResourceARN"].as_str().unwrap().to_owned()).collect()
    }
}
