//! Handing over an assignment, each side with the rights it really has.

use fleetfoot_core::assignment::{Assignment, MailboxAddress, MailboxPrefix, VERSION};
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::ports::{Inbox, Mailroom, Outbox};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::world::{BUCKET, World};

fn task() -> TaskArn {
    "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd".parse().unwrap()
}

fn address(bucket: &str) -> MailboxAddress {
    MailboxPrefix::new(bucket, "mailbox/with space+plus", "n0nce").of_task(&task())
}

fn assignment() -> Assignment {
    Assignment {
        version: VERSION,
        runner: RunnerName::of_task(&task()),
        jit_config: "s3cret".into(),
        idle_timeout: 60,
        max_lifetime: 600,
    }
}

#[tokio::test]
async fn an_assignment_is_handed_over_once() {
    let world = World::new().await;
    let launcher = world.connect("launcher", &["s3:PutObject", "s3:DeleteObject"]).await.mailbox(BUCKET);
    let agent = world.connect("agent", &["s3:GetObject", "s3:DeleteObject"]).await.mailbox(BUCKET);
    let address = address(BUCKET);

    assert!(agent.read(&address).await.unwrap().is_none(), "403 means not yet");
    launcher.put(&address, &assignment()).await.unwrap();
    assert_eq!(world.aws.objects(BUCKET), ["mailbox/with space+plus/n0nce/0123abcd"]);
    assert_eq!(launcher.put(&address, &assignment()).await.unwrap_err().class, Class::Conflict);

    let text = agent.read(&address).await.unwrap().unwrap();
    let read = Assignment::from_json(text.expose_secret().as_bytes()).unwrap();
    assert_eq!(read.jit_config.expose_secret(), "s3cret");
    agent.delete(&address).await.unwrap();
    assert!(agent.read(&address).await.unwrap().is_none());
    launcher.empty(&address).await.unwrap();
    assert!(world.aws.objects(BUCKET).is_empty());
    for call in world.book.calls() {
        assert!(!format!("{}{:?}", call.request_line, call.caller).contains("s3cret"));
    }
    world.aws.shutdown().await;
}

#[tokio::test]
async fn whoever_may_list_is_told_404_which_is_not_yet_too() {
    let world = World::new().await;
    let admin = world.connect("admin", &["s3:*"]).await.mailbox(BUCKET);
    assert!(admin.read(&address(BUCKET)).await.unwrap().is_none());
    world.aws.shutdown().await;
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let world = World::new().await;
    let admin = world.connect("admin", &["s3:*"]).await;
    let nowhere = admin.mailbox("nowhere");
    for fault in [
        nowhere.read(&address("nowhere")).await.unwrap_err(),
        nowhere.put(&address("nowhere"), &assignment()).await.unwrap_err(),
    ] {
        assert_eq!(fault.class, Class::Invalid, "{fault}");
        assert!(fault.remedy.unwrap().contains("mailbox.bucket"));
    }
    let other = admin.mailbox("other").read(&address(BUCKET)).await.unwrap_err();
    assert_eq!(other.class, Class::Invalid, "an address in another bucket");

    let stranger = world.connect("stranger", &["s3:GetObject"]).await.mailbox(BUCKET);
    let put = stranger.put(&address(BUCKET), &assignment()).await.unwrap_err();
    assert_eq!(put.class, Class::Denied);
    assert!(put.remedy.unwrap().contains("s3:PutObject"));
    assert_eq!(stranger.empty(&address(BUCKET)).await.unwrap_err().class, Class::Denied);
    world.aws.shutdown().await;
}

#[tokio::test]
async fn an_administrator_sees_all_mailboxes_of_the_stack_and_no_others() {
    let world = World::new().await;
    let admin = world.connect("admin", &["s3:*"]).await.mailbox(BUCKET);
    assert_eq!(admin.list("mailbox/with space+plus/").await.unwrap(), []);
    let elsewhere = MailboxPrefix::new(BUCKET, "other", "n0nce").of_task(&task());
    for address in [&address(BUCKET), &elsewhere] {
        admin.put(address, &assignment()).await.unwrap();
    }
    let before = Timestamp::now();
    let mail = admin.list("mailbox/with space+plus/").await.unwrap();
    assert_eq!(mail.iter().map(|mail| &mail.address).collect::<Vec<_>>(), [&address(BUCKET)]);
    assert!(before.duration_since(mail[0].since).as_secs() < 60, "{mail:?}");
    admin.empty(&mail[0].address).await.unwrap();
    assert_eq!(world.aws.objects(BUCKET), ["other/n0nce/0123abcd"]);

    let launcher = world.connect("launcher", &["s3:PutObject", "s3:DeleteObject"]).await.mailbox(BUCKET);
    let fault = launcher.list("mailbox/").await.unwrap_err();
    assert_eq!(fault.class, Class::Denied);
    assert!(fault.remedy.unwrap().starts_with("allow s3:ListBucket on arn:aws:s3:::mail"));
    world.aws.shutdown().await;
}

#[tokio::test]
async fn more_mailboxes_than_a_page_has() {
    let world = World::new().await;
    let admin = world.connect("admin", &["s3:*"]).await.mailbox(BUCKET);
    let prefix = MailboxPrefix::new(BUCKET, "mailbox", "n0nce");
    let mut all: Vec<MailboxAddress> = (0..1001)
        .map(|n| {
            prefix.of_task(&format!("arn:aws:ecs:eu-west-1:123456789012:task/ff/{n:04}").parse().unwrap())
        })
        .collect();
    for address in &all {
        admin.put(address, &assignment()).await.unwrap();
    }
    let mut listed: Vec<MailboxAddress> =
        admin.list("mailbox/").await.unwrap().into_iter().map(|mail| mail.address).collect();
    listed.sort_by(|a, b| a.key.cmp(&b.key));
    all.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(listed, all);
    assert_eq!(world.book.count("s3", "ListObjectsV2"), 2);
    world.aws.shutdown().await;
}
