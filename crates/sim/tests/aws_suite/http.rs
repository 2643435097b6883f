//! Tasks are real processes; S3 is conditional; strangers are turned away.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fleetfoot_sim::aws::{LocalImage, TaskStatus};
use fleetfoot_sim::events::Event;
use serde_json::{Value, json};

use super::account::{Account, shell, wait};

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
