//! A furnished account, and a client that signs by hand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleetfoot_sim::aws::{
    AwsConfig, AwsSim, Capacity, Cluster, ContainerDefinition, LocalImage, LogConfiguration, NetworkMode,
    Role, Task, TaskDefinition, TaskStatus, Timing, User, tasks_trust_policy,
};
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;
use fleetfoot_sim::faults::Faults;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const GROUP: &str = "/test";

/// Access key, secret, session token.
pub(crate) type Keys = (String, String, Option<String>);

/// An account with a cluster of machines and of Fargate, an administrator and a task definition per script.
pub(crate) struct Account {
    pub(crate) aws: AwsSim,
    pub(crate) book: Book,
    pub(crate) bus: Bus,
    pub(crate) http: reqwest::Client,
    pub(crate) admin: Keys,
    pub(crate) faults: Faults,
}

impl Account {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// With faults, as text.
    pub(crate) async fn with(faults: &str) -> Self {
        let faults = Faults::new(faults.parse().unwrap());
        let fast = Timing { hidden: Duration::ZERO, ..Timing::instant() };
        let config = AwsConfig {
            fargate_timing: fast,
            ec2_timing: fast,
            faults: faults.clone(),
            ..AwsConfig::default()
        };
        let (book, bus) = (Book::default(), Bus::default());
        let aws = AwsSim::start(config, book.clone(), bus.clone()).await.unwrap();
        let admin = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } });
        aws.add_user(User {
            name: "admin".into(),
            access_key_id: "AKIAADMIN".into(),
            secret_access_key: "very-secret".into(),
            policies: vec![admin.clone()],
        })
        .unwrap();
        let mailbox = json!({ "Statement": { "Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject"],
                              "Resource": "arn:aws:s3:::bucket/mailbox/*" } });
        aws.add_role(Role::new("task", tasks_trust_policy(), vec![mailbox])).unwrap();
        aws.add_role(Role::new("execution", tasks_trust_policy(), vec![admin])).unwrap();
        aws.create_cluster(Cluster::new("prod", &["FARGATE", "FARGATE_SPOT"]));
        aws.add_subnet("subnet-a", "eu-west-1a");
        aws.set_capacity("prod", "EC2", Capacity::Unlimited).unwrap();
        aws.create_bucket("bucket");
        aws.create_log_group(GROUP);
        let admin = ("AKIAADMIN".to_owned(), "very-secret".to_owned(), None);
        Self { aws, book, bus, http: reqwest::Client::new(), admin, faults }
    }

    /// Makes an image of a script, or of something else, and a definition with that name.
    pub(crate) fn define(&self, family: &str, image: LocalImage) {
        self.define_on(family, image, NetworkMode::Bridge, "EC2");
    }

    /// Makes a definition of a script that runs on Fargate.
    pub(crate) fn on_fargate(&self, family: &str, script: &str) {
        self.define_on(family, shell(script), NetworkMode::Awsvpc, "FARGATE");
    }

    fn define_on(&self, family: &str, image: LocalImage, mode: NetworkMode, compatibility: &str) {
        self.aws.add_image(family, image);
        let definition = TaskDefinition {
            family: family.into(),
            network_mode: Some(mode),
            requires_compatibilities: vec![compatibility.into()],
            cpu: Some("256".into()),
            memory: Some("512".into()),
            task_role_arn: Some(self.aws.role_arn("task")),
            execution_role_arn: Some(self.aws.role_arn("execution")),
            container_definitions: vec![ContainerDefinition {
                name: "main".into(),
                image: family.into(),
                // Fargate takes two seconds at least.
                stop_timeout: Some(if compatibility == "FARGATE" { 2 } else { 1 }),
                log_configuration: Some(LogConfiguration::awslogs(GROUP, self.aws.region(), "p")),
                ..ContainerDefinition::default()
            }],
            ..TaskDefinition::default()
        };
        self.aws.register_task_definition(definition).unwrap();
    }

    pub(crate) fn script(&self, family: &str, script: &str) {
        self.define(family, shell(script));
    }

    pub(crate) async fn run(&self, family: &str) -> String {
        let body = json!({ "cluster": "prod", "taskDefinition": family, "launchType": "EC2" });
        let (status, answer) = self.ecs(&self.admin, "RunTask", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
    }

    /// The answer to RunTask on a capacity provider of Fargate.
    pub(crate) async fn launch(&self, family: &str, provider: &str, count: u32) -> (u16, Value) {
        let body = json!({
            "cluster": "prod", "taskDefinition": family, "count": count,
            "capacityProviderStrategy": [{ "capacityProvider": provider, "weight": 1 }],
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-a"] } },
        });
        self.ecs(&self.admin, "RunTask", &body).await
    }

    /// Starts a task on a capacity provider of Fargate; gives its ARN.
    pub(crate) async fn run_on(&self, family: &str, provider: &str) -> String {
        let (status, answer) = self.launch(family, provider, 1).await;
        assert_eq!((status, &answer["failures"]), (200, &json!([])), "{answer}");
        answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn stop(&self, arn: &str) {
        let body = json!({ "cluster": "prod", "task": arn, "reason": "test" });
        let (status, answer) = self.ecs(&self.admin, "StopTask", &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    pub(crate) async fn ecs(&self, keys: &Keys, operation: &str, body: &Value) -> (u16, Value) {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        self.json(keys, "ecs", &target, body).await
    }

    pub(crate) async fn json(&self, keys: &Keys, service: &str, target: &str, body: &Value) -> (u16, Value) {
        let extra = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let (status, text) = self.send(keys, service, "POST", "/", &extra, body.to_string()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    pub(crate) async fn s3(
        &self,
        keys: &Keys,
        method: &str,
        path: &str,
        extra: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        self.send(keys, "s3", method, path, extra, body.to_owned()).await
    }

    pub(crate) async fn send(
        &self,
        keys: &Keys,
        service: &str,
        method: &str,
        path: &str,
        extra: &[(&str, &str)],
        body: String,
    ) -> (u16, String) {
        let response = self.request(keys, service, method, path, extra, body).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Sends a signed request; an error if no answer arrives.
    pub(crate) async fn request(
        &self,
        keys: &Keys,
        service: &str,
        method: &str,
        path: &str,
        extra: &[(&str, &str)],
        body: String,
    ) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}{path}", self.aws.endpoint());
        let mut request = self.http.request(method.parse().unwrap(), url);
        for (name, value) in sign(keys, service, method, path, &self.aws.endpoint()[7..], extra, &body) {
            request = request.header(name, value);
        }
        request.body(body).send().await
    }

    pub(crate) fn task(&self, arn: &str) -> Task {
        self.aws.tasks().into_iter().find(|task| task.arn == arn).unwrap()
    }

    pub(crate) fn log(&self, arn: &str) -> Vec<String> {
        self.aws.log_lines(GROUP, &format!("p/main/{}", self.task(arn).id))
    }

    pub(crate) async fn until(&self, arn: &str, status: TaskStatus) -> Task {
        wait(&format!("{arn} is {status:?}"), || {
            let task = self.task(arn);
            (task.status == status).then_some(task)
        })
        .await
    }

    /// Waits for a line that begins with `name=` and gives the rest.
    pub(crate) async fn printed(&self, arn: &str, name: &str) -> String {
        let prefix = format!("{name}=");
        wait(&prefix, || self.log(arn).iter().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned)))
            .await
    }
}

pub(crate) fn shell(script: &str) -> LocalImage {
    LocalImage { argv: vec!["/bin/sh".into(), "-c".into(), script.into()], ..LocalImage::default() }
}

pub(crate) async fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A client's side of Signature Version 4, for requests without query.
fn sign(
    (key, secret, token): &Keys,
    service: &str,
    method: &str,
    path: &str,
    host: &str,
    extra: &[(&str, &str)],
    body: &str,
) -> Vec<(String, String)> {
    let hmac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let date = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let hash = hex::encode(Sha256::digest(body));
    let mut headers: BTreeMap<String, String> =
        extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers.insert("host".into(), host.to_owned());
    headers.insert("x-amz-date".into(), date.clone());
    headers.insert("x-amz-content-sha256".into(), hash.clone());
    if let Some(token) = token {
        headers.insert("x-amz-security-token".into(), token.clone());
    }
    let names = headers.keys().cloned().collect::<Vec<_>>().join(";");
    let lines = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>().concat();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query = if query.is_empty() { String::new() } else { format!("{query}=") };
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{hash}");
    let scope = format!("{}/eu-west-1/{service}/aws4_request", &date[..8]);
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let day = hmac(format!("AWS4{secret}").as_bytes(), &date[..8]);
    let signing = ["eu-west-1", service, "aws4_request"].iter().fold(day, |key, part| hmac(&key, part));
    let signature = hex::encode(hmac(&signing, &text));
    let value =
        format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}");
    headers.insert("authorization".into(), value);
    headers.into_iter().collect()
}
