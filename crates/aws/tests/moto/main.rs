//! S3, STS, EC2, SSM, SQS, KMS, Logs and Secrets Manager against moto, a peer that is not ours (PyPI, `moto[server]`).
//!
//! moto is looked for beside `$FLEETFOOT_PYTHON`, which the check of the whole project sets, and then must be
//! there; else in the workspace's `.venv`, and if it is not there either, these tests say so and pass. moto
//! takes any web identity and any signature, so what it proves is the protocol: that an independent
//! implementation reads what we send and we read what it answers.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it skips")]

mod events;
mod kms;
mod look;
mod server;

use fleetfoot_aws::Aws;
use fleetfoot_core::assignment::{Assignment, MailboxPrefix, VERSION};
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::ports::{Inbox, Mailroom, Outbox};
use secrecy::ExposeSecret;

use crate::server::Moto;

fn task() -> TaskArn {
    "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd".parse().unwrap()
}

#[tokio::test]
async fn everything_but_ecs_is_understood_by_moto() {
    let Some(moto) = Moto::start(&["moto_server"]).await else { return };
    let aws = moto.connect().await;
    aws.check_credentials().await.unwrap();

    hand_over(&moto, &aws).await;
    read_parameters(&moto, &aws).await;
    read_secrets(&moto, &aws).await;
    look::at_all(&moto, &aws).await;
    events::are_read(&moto, &aws).await;
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
    let mail = mailbox.list("mailbox/a b+c=d/").await.unwrap();
    assert_eq!(mail.iter().map(|mail| &mail.address).collect::<Vec<_>>(), [&address]);
    assert_eq!(mailbox.list("mailbox/none").await.unwrap(), []);
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
