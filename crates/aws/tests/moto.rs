//! S3, STS, SSM and Secrets Manager against moto, a peer that is not ours (PyPI, `moto[server]`).
//!
//! moto is looked for beside `$FLEETFOOT_PYTHON`, which the check of the whole project sets, and then must be
//! there; else in the workspace's `.venv`, and if it is not there either, these tests say so and pass. moto
//! takes any web identity and any signature, so what it proves is the protocol: that an independent
//! implementation reads what we send and we read what it answers.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it skips")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fleetfoot_aws::{Aws, Identity, Options, WebIdentity};
use fleetfoot_core::assignment::{Assignment, MailboxPrefix, VERSION};
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::ports::{Inbox, Outbox};
use secrecy::ExposeSecret;

/// Where moto is, if it is.
fn moto_server() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("FLEETFOOT_PYTHON") {
        let program = Path::new(&python).with_file_name("moto_server");
        assert!(program.is_file(), "{} is not there", program.display());
        return Some(program);
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/moto_server");
    program.is_file().then_some(program)
}

/// A running moto, ended with the value.
struct Moto {
    child: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    async fn start() -> Option<Self> {
        let Some(program) = moto_server() else {
            println!("skipped: there is no .venv/bin/moto_server, and FLEETFOOT_PYTHON is not set");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        // The pipe must be read, or moto stops when it is full.
        std::thread::spawn(move || errors.lines().map_while(Result::ok).for_each(drop));
        let moto = Self { child, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..300 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(moto);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("moto did not begin to listen within 30 seconds");
    }

    async fn connect(&self) -> Aws {
        // Never evaluated, but moto wants the form of a JWT.
        let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyZXBvOmFjbWUvc2hvcCJ9.c2ln";
        let role = "arn:aws:iam::123456789012:role/launcher";
        let identity = WebIdentity::new(role, "run-7", move || async move { Ok(token.into()) });
        let options = Options { region: Some("eu-west-1".into()), endpoint: Some(self.url.clone()) };
        Aws::connect(options, Identity::WebIdentity(identity)).await.unwrap()
    }

    /// Sets something up with the aws command beside moto.
    async fn aws(&self, args: &[&str]) {
        let program = moto_server().unwrap().with_file_name("aws");
        let output = tokio::process::Command::new(program)
            .args(["--endpoint-url", &self.url, "--region", "eu-west-1"])
            .args(args)
            .env("AWS_ACCESS_KEY_ID", "x")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn task() -> TaskArn {
    "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd".parse().unwrap()
}

#[tokio::test]
async fn everything_but_ecs_is_understood_by_moto() {
    let Some(moto) = Moto::start().await else { return };
    let aws = moto.connect().await;
    aws.check_credentials().await.unwrap();

    hand_over(&moto, &aws).await;
    read_parameters(&moto, &aws).await;
    read_secrets(&moto, &aws).await;
}

async fn hand_over(moto: &Moto, aws: &Aws) {
    let location = "LocationConstraint=eu-west-1";
    moto.aws(&["s3api", "create-bucket", "--bucket", "mail", "--create-bucket-configuration", location])
        .await;
    let mailbox = aws.mailbox("mail");
    let address = MailboxPrefix::new("mail", "mailbox/a b+c=d", "n0nce").of_task(&task());
    let assignment = Assignment {
        version: VERSION,
        runner: RunnerName::of_task(&task()),
        jit_config: "jit".repeat(1500).into(),
        idle_timeout: 60,
        max_lifetime: 600,
    };
    assert!(mailbox.read(&address).await.unwrap().is_none());
    mailbox.put(&address, &assignment).await.unwrap();
    assert_eq!(mailbox.put(&address, &assignment).await.unwrap_err().class, Class::Conflict);
    let text = mailbox.read(&address).await.unwrap().unwrap();
    assert_eq!(text.expose_secret(), assignment.to_json().expose_secret());
    // moto wrote it under the key that was meant, not an encoded one.
    moto.aws(&["s3api", "head-object", "--bucket", "mail", "--key", &address.key]).await;
    Inbox::delete(&mailbox, &address).await.unwrap();
    mailbox.empty(&address).await.unwrap();
    assert!(mailbox.read(&address).await.unwrap().is_none());

    let nowhere = MailboxPrefix::new("nowhere", "mailbox", "n").of_task(&task());
    let fault = aws.mailbox("nowhere").read(&nowhere).await.unwrap_err();
    assert_eq!(fault.class, Class::Invalid, "{fault}");
}

async fn read_parameters(moto: &Moto, aws: &Aws) {
    for (name, kind) in [("/fleetfoot/plain", "String"), ("/fleetfoot/sealed", "SecureString")] {
        moto.aws(&["ssm", "put-parameter", "--name", name, "--type", kind, "--value", "{\"ü\": 1}"]).await;
        assert_eq!(aws.parameter(name).await.unwrap(), "{\"ü\": 1}");
    }
    assert_eq!(aws.parameter("/fleetfoot/none").await.unwrap_err().class, Class::NotFound);
}

async fn read_secrets(moto: &Moto, aws: &Aws) {
    moto.aws(&["secretsmanager", "create-secret", "--name", "key", "--secret-string", "s3cret\nline"]).await;
    assert_eq!(aws.secret("key").await.unwrap().expose_secret(), "s3cret\nline");
    assert_eq!(aws.secret("none").await.unwrap_err().class, Class::NotFound);
}
