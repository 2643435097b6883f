//! The simulated AWS over real HTTP, with real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fleetfoot_sim::aws::{
    AwsConfig, AwsSim, Capacity, Cluster, ContainerDefinition, LocalImage, LogConfiguration, NetworkMode,
    Role, Task, TaskDefinition, TaskStatus, Timing, User, tasks_trust_policy,
};
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::{Bus, Event};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const GROUP: &str = "/test";

/// Access key, secret, session token.
type Keys = (String, String, Option<String>);

/// An account with a cluster of machines, an administrator and a task definition per script.
struct Account {
    aws: AwsSim,
    book: Book,
    bus: Bus,
    http: reqwest::Client,
    admin: Keys,
}

impl Account {
    async fn start() -> Self {
        let fast = Timing { hidden: Duration::ZERO, ..Timing::instant() };
        let config = AwsConfig { fargate_timing: fast, ec2_timing: fast, ..AwsConfig::default() };
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
        aws.create_cluster(Cluster::new("prod", &["FARGATE"]));
        aws.set_capacity("prod", "EC2", Capacity::Unlimited).unwrap();
        aws.create_bucket("bucket");
        aws.create_log_group(GROUP);
        let admin = ("AKIAADMIN".to_owned(), "very-secret".to_owned(), None);
        Self { aws, book, bus, http: reqwest::Client::new(), admin }
    }

    /// Makes an image of a script, or of something else, and a definition with that name.
    fn define(&self, family: &str, image: LocalImage) {
        self.aws.add_image(family, image);
        let definition = TaskDefinition {
            family: family.into(),
            network_mode: Some(NetworkMode::Bridge),
            requires_compatibilities: vec!["EC2".into()],
            cpu: Some("256".into()),
            memory: Some("512".into()),
            task_role_arn: Some(self.aws.role_arn("task")),
            execution_role_arn: Some(self.aws.role_arn("execution")),
            container_definitions: vec![ContainerDefinition {
                name: "main".into(),
                image: family.into(),
                stop_timeout: Some(1),
                log_configuration: Some(LogConfiguration::awslogs(GROUP, self.aws.region(), "p")),
                ..ContainerDefinition::default()
            }],
            ..TaskDefinition::default()
        };
        self.aws.register_task_definition(definition).unwrap();
    }

    fn script(&self, family: &str, script: &str) {
        self.define(family, shell(script));
    }

    async fn run(&self, family: &str) -> String {
        let body = json!({ "cluster": "prod", "taskDefinition": family, "launchType": "EC2" });
        let (status, answer) = self.ecs(&self.admin, "RunTask", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
    }

    async fn stop(&self, arn: &str) {
        let body = json!({ "cluster": "prod", "task": arn, "reason": "test" });
        let (status, answer) = self.ecs(&self.admin, "StopTask", &body).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn ecs(&self, keys: &Keys, operation: &str, body: &Value) -> (u16, Value) {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        self.json(keys, "ecs", &target, body).await
    }

    async fn json(&self, keys: &Keys, service: &str, target: &str, body: &Value) -> (u16, Value) {
        let extra = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let (status, text) = self.send(keys, service, "POST", "/", &extra, body.to_string()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn s3(
        &self,
        keys: &Keys,
        method: &str,
        path: &str,
        extra: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        self.send(keys, "s3", method, path, extra, body.to_owned()).await
    }

    async fn send(
        &self,
        keys: &Keys,
        service: &str,
        method: &str,
        path: &str,
        extra: &[(&str, &str)],
        body: String,
    ) -> (u16, String) {
        let url = format!("{}{path}", self.aws.endpoint());
        let mut request = self.http.request(method.parse().unwrap(), url);
        for (name, value) in sign(keys, service, method, path, &self.aws.endpoint()[7..], extra, &body) {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    fn task(&self, arn: &str) -> Task {
        self.aws.tasks().into_iter().find(|task| task.arn == arn).unwrap()
    }

    fn log(&self, arn: &str) -> Vec<String> {
        self.aws.log_lines(GROUP, &format!("p/main/{}", self.task(arn).id))
    }

    async fn until(&self, arn: &str, status: TaskStatus) -> Task {
        wait(&format!("{arn} is {status:?}"), || {
            let task = self.task(arn);
            (task.status == status).then_some(task)
        })
        .await
    }

    /// Waits for a line that begins with `name=` and gives the rest.
    async fn printed(&self, arn: &str, name: &str) -> String {
        let prefix = format!("{name}=");
        wait(&prefix, || self.log(arn).iter().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned)))
            .await
    }
}

fn shell(script: &str) -> LocalImage {
    LocalImage { argv: vec!["/bin/sh".into(), "-c".into(), script.into()], ..LocalImage::default() }
}

async fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
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

/// How many living processes have `mark` as an argument.
fn processes(mark: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == mark.as_bytes()))
        .count()
}

/// A duration for `sleep` that nobody else uses.
fn unique_sleep(number: u32) -> String {
    format!("3{number}.{}", std::process::id())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_a_process_with_a_log_and_an_exit_code() {
    let account = Account::start().await;
    account.script("work", "echo hello; echo oops >&2; echo \"cwd=$PWD\"; env | sort; exit 7");
    let mut events = account.bus.subscribe();
    let arn = account.run("work").await;
    let task = account.until(&arn, TaskStatus::Stopped).await;
    assert_eq!(task.containers[0].exit_code, Some(7));
    assert_eq!(task.stop_code.unwrap().as_str(), "EssentialContainerExited");
    let log = account.log(&arn);
    assert!(log.contains(&"hello".to_owned()) && log.contains(&"oops".to_owned()), "{log:?}");
    let names: Vec<&str> = log.iter().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let inherited = ["HOME", "CARGO", "USER"].iter().find(|name| names.contains(name));
    assert_eq!(inherited, None, "the environment is clean");
    assert!(names.contains(&"ECS_CONTAINER_METADATA_URI_V4") && names.contains(&"AWS_ENDPOINT_URL"));
    let folder = PathBuf::from(log.iter().find_map(|line| line.strip_prefix("cwd=")).unwrap());
    assert!(!folder.exists(), "{} outlives its container", folder.display());

    let (mut statuses, mut lines) = (Vec::new(), 0);
    while let Ok(event) = events.try_recv() {
        match event {
            Event::Task { status, .. } => statuses.push(status),
            Event::TaskLog { .. } => lines += 1,
            _ => {}
        }
    }
    assert_eq!(lines, log.len());
    assert_eq!(statuses.first().map(String::as_str), Some("PENDING"));
    assert_eq!(statuses.last().map(String::as_str), Some("STOPPED"));
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_knows_itself_and_has_its_roles_credentials_only() {
    let account = Account::start().await;
    account.script(
        "wait",
        "echo uri=$ECS_CONTAINER_METADATA_URI_V4; echo creds=$AWS_CONTAINER_CREDENTIALS_FULL_URI; \
         echo token=$AWS_CONTAINER_AUTHORIZATION_TOKEN; echo file=$(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE); \
         exec sleep 60",
    );
    let arn = account.run("wait").await;
    account.until(&arn, TaskStatus::Running).await;
    let get = async |url: String| account.http.get(url).send().await.unwrap().json::<Value>().await.unwrap();
    let uri = account.printed(&arn, "uri").await;
    let document = get(format!("{uri}/task")).await;
    assert_eq!(document["TaskARN"], arn.as_str());
    assert_eq!((&document["Family"], &document["Revision"]), (&json!("wait"), &json!("1")));
    assert_eq!(document["Limits"], json!({ "CPU": 0.25, "Memory": 512 }));
    assert!(document["PullStartedAt"].is_string());
    assert_eq!(get(uri).await["Name"], "main");

    let (address, token) = (account.printed(&arn, "creds").await, account.printed(&arn, "token").await);
    assert_eq!(account.printed(&arn, "file").await, token);
    let without = account.http.get(&address).send().await.unwrap();
    assert_eq!(without.status(), 400);
    let answer = account.http.get(&address).header("authorization", token).send().await.unwrap();
    let session: Value = answer.json().await.unwrap();
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    assert!(text("AccessKeyId").starts_with("ASIA"));
    let keys = (text("AccessKeyId"), text("SecretAccessKey"), Some(text("Token")));

    account.s3(&account.admin, "PUT", "/bucket/mailbox/n/t", &[], "letter").await;
    assert_eq!(account.s3(&keys, "GET", "/bucket/mailbox/n/t", &[], "").await, (200, "letter".into()));
    // Not yet there looks like forbidden to who may not list.
    let (status, text) = account.s3(&keys, "GET", "/bucket/mailbox/n/other", &[], "").await;
    assert!(status == 403 && text.contains("<Code>AccessDenied</Code>"), "{status} {text}");
    assert_eq!(account.s3(&keys, "PUT", "/bucket/mailbox/n/x", &[], "").await.0, 403);
    let (status, error) = account.ecs(&keys, "ListTasks", &json!({ "cluster": "prod" })).await;
    assert_eq!((status, &error["__type"]), (400, &json!("AccessDeniedException")));
    assert!(error["Message"].as_str().unwrap().contains("assumed-role/task/"), "{error}");
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_task_terminates_and_after_the_grace_kills() {
    let account = Account::start().await;
    account.script("polite", "trap 'echo bye; exit 0' TERM; echo up=1; while :; do sleep 0.05; done");
    account.script("deaf", "trap '' TERM; echo up=1; while :; do sleep 0.05; done");
    for (family, code) in [("polite", 0), ("deaf", 137)] {
        let arn = account.run(family).await;
        account.printed(&arn, "up").await;
        let began = Instant::now();
        account.stop(&arn).await;
        let task = account.until(&arn, TaskStatus::Stopped).await;
        assert_eq!(task.containers[0].exit_code, Some(code), "{family}");
        assert_eq!(task.stop_code.unwrap().as_str(), "UserInitiated");
        assert_eq!(task.stopped_reason.as_deref(), Some("test"));
        // The deaf one had its second.
        assert_eq!(began.elapsed() >= Duration::from_secs(1), family == "deaf");
    }
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why() {
    let account = Account::start().await;
    account.define("ghost", LocalImage { argv: vec!["/nowhere/program".into()], ..LocalImage::default() });
    let task = account.until(&account.run("ghost").await, TaskStatus::Stopped).await;
    assert_eq!(task.stop_code.unwrap().as_str(), "TaskFailedToStart");
    assert!(task.stopped_reason.unwrap().starts_with("CannotStartContainerError"));
    assert_eq!(task.containers[0].exit_code, None);
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_task_has_its_own_copy_of_the_images_files() {
    let account = Account::start().await;
    let files = tempfile::tempdir().unwrap();
    std::fs::create_dir(files.path().join("bin")).unwrap();
    std::fs::write(files.path().join("bin/note"), "original").unwrap();
    std::os::unix::fs::symlink("bin/note", files.path().join("link")).unwrap();
    let script = "echo read=$(cat link); echo changed > bin/note; echo home=$HOME";
    let image = LocalImage {
        env: [("HOME".to_owned(), "{root}/bin".to_owned())].into(),
        files: Some(files.path().to_owned()),
        ..shell(script)
    };
    account.define("files", image);
    let mut homes = Vec::new();
    for _ in 0..2 {
        let arn = account.run("files").await;
        account.until(&arn, TaskStatus::Stopped).await;
        assert_eq!(account.printed(&arn, "read").await, "original");
        homes.push(account.printed(&arn, "home").await);
    }
    assert_ne!(homes[0], homes[1]);
    assert!(homes[0].ends_with("/bin"));
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_outlives_its_container_or_the_account() {
    let account = Account::start().await;
    let (child, daemon, main) = (unique_sleep(1), unique_sleep(2), unique_sleep(3));
    let all = [&child, &daemon, &main];
    // A child, and one that left the group and has no parent any more.
    account.script("short", &format!("sleep {child} & (setsid sleep {daemon} &) ; sleep 0.3"));
    let arn = account.run("short").await;
    account.until(&arn, TaskStatus::Stopped).await;
    assert_eq!(all.map(|mark| processes(mark)), [0, 0, 0]);

    let long = format!(
        "sleep {child} & (cd / && env -i setsid sleep {daemon}) & trap '' TERM; echo up=1; sleep {main}; sleep {main}"
    );
    account.script("long", &long);
    let arn = account.run("long").await;
    account.printed(&arn, "up").await;
    wait("all three run", || (all.map(|mark| processes(mark)) == [1, 1, 1]).then_some(())).await;
    account.aws.shutdown().await;
    assert_eq!(all.map(|mark| processes(mark)), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_handle_kills_too() {
    let account = Account::start().await;
    let mark = unique_sleep(4);
    account.script("long", &format!("echo up=1; exec sleep {mark}"));
    let arn = account.run("long").await;
    account.printed(&arn, "up").await;
    wait("it runs", || (processes(&mark) == 1).then_some(())).await;
    drop(account);
    wait("it is gone", || (processes(&mark) == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_is_conditional_and_deletes_in_bulk() {
    let account = Account::start().await;
    let admin = &account.admin;
    let once = [("if-none-match", "*")];
    assert_eq!(account.s3(admin, "PUT", "/bucket/a", &once, "1").await.0, 200);
    let (status, text) = account.s3(admin, "PUT", "/bucket/a", &once, "2").await;
    assert!(status == 412 && text.contains("<Code>PreconditionFailed</Code>"), "{status} {text}");
    assert_eq!(account.s3(admin, "GET", "/bucket/a", &[], "").await, (200, "1".into()));
    let (status, text) = account.s3(admin, "GET", "/bucket/b", &[], "").await;
    assert!(status == 404 && text.contains("<Code>NoSuchKey</Code>"), "{status} {text}");
    assert_eq!(account.s3(admin, "GET", "/none/b", &[], "").await.0, 404);
    let xml =
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key></Object></Delete>";
    assert_eq!(account.s3(admin, "POST", "/bucket?delete", &[], xml).await.0, 400, "a checksum is demanded");
    let (status, text) = account.s3(admin, "POST", "/bucket?delete", &[("content-md5", "x")], xml).await;
    assert!(status == 200 && text.contains("<Deleted><Key>a</Key></Deleted>"), "{status} {text}");
    assert!(account.aws.objects("bucket").is_empty());
    assert_eq!(account.s3(admin, "DELETE", "/bucket/a", &[], "").await.0, 204);
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_turned_away_in_each_protocols_words() {
    let account = Account::start().await;
    let stranger = ("AKIANOBODY".to_owned(), "guess".to_owned(), None);
    let (status, error) = account.ecs(&stranger, "ListTasks", &json!({})).await;
    assert_eq!((status, &error["__type"]), (400, &json!("UnrecognizedClientException")));
    let (status, text) = account.s3(&stranger, "GET", "/bucket/a", &[], "").await;
    assert!(status == 403 && text.contains("<Code>InvalidAccessKeyId</Code>"), "{text}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = "Action=GetCallerIdentity&Version=2011-06-15".to_owned();
    let (status, text) = account.send(&stranger, "sts", "POST", "/", &form, body.clone()).await;
    assert!(status == 403 && text.contains("<Code>InvalidClientTokenId</Code>"), "{text}");
    let (status, text) = account.send(&account.admin, "sts", "POST", "/", &form, body).await;
    assert!(status == 200 && text.contains(":user/admin</Arn>"), "{text}");
    // A key scoped to another service is of no use here.
    let target = "AmazonEC2ContainerServiceV20141113.ListTasks";
    let (_, error) = account.json(&account.admin, "ssm", target, &json!({})).await;
    assert_eq!(error["__type"], "InvalidSignatureException");
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_book_knows_the_calls_and_no_secret() {
    let account = Account::start().await;
    account.aws.put_secret("app/key", "the-private-key");
    let get = json!({ "SecretId": "app/key" });
    let (_, secret) =
        account.json(&account.admin, "secretsmanager", "secretsmanager.GetSecretValue", &get).await;
    assert_eq!(secret["SecretString"], "the-private-key");
    let put = json!({ "Name": "/token", "Value": "the-parameter", "Type": "SecureString" });
    account.json(&account.admin, "ssm", "AmazonSSM.PutParameter", &put).await;
    let get = json!({ "Name": "/token", "WithDecryption": true });
    let (_, parameter) = account.json(&account.admin, "ssm", "AmazonSSM.GetParameter", &get).await;
    assert_eq!(parameter["Parameter"]["Value"], "the-parameter");
    account.s3(&account.admin, "PUT", "/bucket/k", &[], "the-object").await;
    account.s3(&account.admin, "GET", "/bucket/k", &[], "").await;

    for (service, operation) in [
        ("secretsmanager", "GetSecretValue"),
        ("ssm", "PutParameter"),
        ("ssm", "GetParameter"),
        ("s3", "PutObject"),
    ] {
        assert_eq!(account.book.count(service, operation), 1, "{service} {operation}");
    }
    let calls = account.book.calls();
    assert!(calls.iter().all(|call| call.caller.ends_with(":user/admin") && call.status == 200));
    let everything = serde_json::to_string(&calls).unwrap();
    for secret in ["the-private-key", "the-parameter", "the-object", "very-secret", "Signature"] {
        assert!(!everything.contains(secret), "the book holds {secret}");
    }
    account.aws.shutdown().await;
}
