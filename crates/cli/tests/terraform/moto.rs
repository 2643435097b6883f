//! moto, a simulated AWS that is not ours (PyPI, `moto[server]`): what Terraform applies to.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// A running moto of its own, with an account of its own, of which one region is used. Ended with the value.
pub(super) struct Moto {
    url: String,
    region: &'static str,
    _server: Child,
}

/// A program of the Python helpers.
pub(super) fn helper(name: &str) -> PathBuf {
    let python = std::env::var_os("FLEETFOOT_PYTHON").expect("`cargo xtask test` sets FLEETFOOT_PYTHON");
    Path::new(&python).with_file_name(name)
}

impl Moto {
    pub(super) async fn start(region: &'static str) -> Self {
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
                return Self { url: format!("http://127.0.0.1:{port}"), region, _server: server };
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
        let request = reqwest::Client::new()
            .post(&self.url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .body(body.to_string());
        serde_json::from_str(&self.send(service, request).await).unwrap()
    }

    /// Calls a service that takes forms and answers in XML.
    async fn query(&self, service: &str, form: &str) -> String {
        let request = reqwest::Client::new()
            .post(&self.url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        self.send(service, request).await
    }

    async fn send(&self, service: &str, request: reqwest::RequestBuilder) -> String {
        // moto reads from it which service and region are meant, and verifies nothing.
        let scope = format!("{}/{service}/aws4_request", self.region);
        let signed = format!("AWS4-HMAC-SHA256 Credential=x/20260101/{scope}, Signature=x");
        let answer = request.header("authorization", signed).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{service}: {status}: {text}");
        text
    }

    /// Deletes something of S3's, such as `bucket?policy`.
    pub(super) async fn delete(&self, what: &str) {
        let answer = reqwest::Client::new().delete(format!("{}/{what}", self.url)).send().await.unwrap();
        assert!(answer.status().is_success(), "{what}: {}", answer.status());
    }

    /// ARNs of what there is with the tag of this project's stacks, and of the account's roles and OIDC
    /// providers, which that list lacks.
    pub(super) async fn inventory(&self) -> Vec<String> {
        let target = "ResourceGroupsTaggingAPI_20170126.GetResources";
        let filter = json!({ "TagFilters": [{ "Key": "fleetfoot:stack" }], "ResourcesPerPage": 100 });
        let answer = self.call("tagging", target, &filter).await;
        assert_eq!(answer["PaginationToken"].as_str().unwrap_or_default(), "", "there is more");
        let mut found = Vec::new();
        for resource in answer["ResourceTagMappingList"].as_array().unwrap() {
            let arn = resource["ResourceARN"].as_str().unwrap();
            if self.is_there(arn).await {
                found.push(arn.to_owned());
            }
        }
        for list in ["ListRoles", "ListOpenIDConnectProviders"] {
            let answer = self.query("iam", &format!("Action={list}&Version=2010-05-08")).await;
            let arns = answer.split("<Arn>").skip(1).filter_map(|rest| rest.split_once("</Arn>"));
            found.extend(arns.map(|(arn, _)| arn.to_owned()));
        }
        found
    }

    /// Whether something is not only remembered, as AWS, too, remembers some kinds for a while.
    async fn is_there(&self, arn: &str) -> bool {
        let ecs = async |operation: &str, body: Value| {
            self.call("ecs", &format!("AmazonEC2ContainerServiceV20141113.{operation}"), &body).await
        };
        match arn.splitn(6, ':').nth(5).and_then(|name| name.split_once('/')) {
            Some(("cluster", _)) => {
                ecs("DescribeClusters", json!({ "clusters": [arn] })).await["clusters"][0]["status"]
                    == "ACTIVE"
            }
            Some(("task-definition", _)) => {
                let described = ecs("DescribeTaskDefinition", json!({ "taskDefinition": arn })).await;
                described["taskDefinition"]["status"] == "ACTIVE"
            }
            Some(("service", name)) => {
                let cluster = name.split('/').next();
                let wanted = json!({ "cluster": cluster, "services": [arn] });
                ecs("DescribeServices", wanted).await["services"][0]["status"] == "ACTIVE"
            }
            Some(("natgateway", id)) => {
                let form = format!("Action=DescribeNatGateways&Version=2016-11-15&NatGatewayId.1={id}");
                !self.query("ec2", &form).await.contains("<state>deleted</state>")
            }
            // With a group that is deleted by force, AWS ends its instances; moto leaves those that are
            // protected from scale-in, as all of ours are.
            Some(("instance", _)) => false,
            _ => true,
        }
    }
}
