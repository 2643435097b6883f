//! What goes over the wire, against a server that does what the simulated AWS would not: answers that are
//! lost, credentials that end, refusals of every kind.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../tests/support/log.rs"]
mod log;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use fleetfoot_aws::{Aws, Identity, Options, WebIdentity};
use fleetfoot_core::assignment::{Assignment, MailboxAddress, MailboxPrefix, VERSION};
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::ports::{Inbox, Outbox};
use jiff::{SignedDuration, Timestamp};
use log::Log;

const ROLE: &str = "arn:aws:iam::123456789012:role/launcher";

/// A request other than to STS.
#[derive(Clone)]
struct Seen {
    line: String,
    headers: HeaderMap,
    body: String,
}

type Answer = dyn Fn(usize) -> (u16, String) + Send + Sync;

/// A server that is STS to whoever asks for a role, and answers all else by the request's number.
#[derive(Clone)]
struct Fake {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    roles: Arc<AtomicUsize>,
    /// How long the credentials last, of each asking; the last one's is refused if there is none.
    lives: Arc<Vec<SignedDuration>>,
    answer: Arc<Answer>,
}

impl Fake {
    async fn start(answer: impl Fn(usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::with_lives(&[SignedDuration::from_hours(1)], answer).await
    }

    async fn with_lives(
        lives: &[SignedDuration],
        answer: impl Fn(usize) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            seen: Arc::default(),
            roles: Arc::default(),
            lives: Arc::new(lives.to_vec()),
            answer: Arc::new(answer),
        };
        let router = Router::new().fallback(Self::serve).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    #[expect(clippy::unused_async, reason = "a handler of axum is async")]
    async fn serve(
        State(fake): State<Self>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> (StatusCode, String) {
        let body = String::from_utf8_lossy(&body).into_owned();
        if body.contains("Action=AssumeRoleWithWebIdentity") {
            return fake.assume();
        }
        let number = {
            let mut seen = fake.seen.lock().unwrap();
            seen.push(Seen { line: format!("{method} {uri}"), headers, body });
            seen.len()
        };
        let (status, body) = (fake.answer)(number);
        (StatusCode::from_u16(status).unwrap(), body)
    }

    fn assume(&self) -> (StatusCode, String) {
        let number = self.roles.fetch_add(1, Ordering::SeqCst);
        let Some(life) = self.lives.get(number) else {
            let body =
                "<ErrorResponse><Error><Code>AccessDenied</Code><Message>m</Message></Error></ErrorResponse>";
            return (StatusCode::BAD_REQUEST, body.into());
        };
        // STS tells whole seconds.
        let end = Timestamp::from_second((Timestamp::now() + *life).as_second()).unwrap();
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA{number}</AccessKeyId>\
             <SecretAccessKey>s3cret-key</SecretAccessKey><SessionToken>session-{number}</SessionToken>\
             <Expiration>{end}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        );
        (StatusCode::OK, body)
    }

    async fn connect(&self) -> Aws {
        self.connect_with(|| async { Ok("token".into()) }).await
    }

    async fn connect_with<F, T>(&self, token: F) -> Aws
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<secrecy::SecretString, Fault>> + Send + 'static,
    {
        let options = Options {
            region: Some("eu-west-1".into()),
            endpoint: Some(self.url.clone()),
            ..Options::default()
        };
        let identity = Identity::WebIdentity(WebIdentity::new(ROLE, "run-7", token));
        Aws::connect(options, identity).await.unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn error(code: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>because</Message></Error>")
}

fn task() -> TaskArn {
    "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd".parse().unwrap()
}

fn address() -> MailboxAddress {
    MailboxPrefix::new("mail", "mailbox", "n0nce").of_task(&task())
}

async fn put(answers: &'static [(u16, &'static str)]) -> (Result<(), Fault>, usize) {
    let fake = Fake::start(|number| {
        let (status, code) = answers[(number - 1).min(answers.len() - 1)];
        (status, error(code))
    })
    .await;
    let assignment = Assignment {
        version: VERSION,
        runner: RunnerName::of_task(&task()),
        jit_config: "s3cret-jit".into(),
        idle_timeout: 60,
        max_lifetime: 600,
    };
    let result = fake.connect().await.mailbox("mail").put(&address(), &assignment).await;
    if let Err(fault) = &result {
        assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
    }
    let seen = fake.seen();
    assert_eq!(seen[0].line, "PUT /mail/mailbox/n0nce/0123abcd");
    assert_eq!(seen[0].headers["if-none-match"], "*");
    assert_eq!(seen[0].headers["x-amz-security-token"], "session-0");
    (result, seen.len())
}

#[tokio::test]
async fn a_put_whose_answer_was_lost_is_cleared_up() {
    let (result, calls) = put(&[(200, "")]).await;
    assert_eq!((result.is_ok(), calls), (true, 1));
    let (result, calls) = put(&[(500, "InternalError"), (412, "PreconditionFailed")]).await;
    assert_eq!((result.is_ok(), calls), (true, 2), "what lies there is ours");
}

#[tokio::test]
async fn a_put_that_had_no_effect_does_not_make_theirs_object_ours() {
    for first in [(503, "SlowDown"), (409, "ConditionalRequestConflict")] {
        let answers = Box::leak(Box::new([first, (412, "PreconditionFailed")]));
        let (result, calls) = put(answers).await;
        assert_eq!((result.unwrap_err().class, calls), (Class::Conflict, 2), "{first:?}");
    }
    let (result, calls) = put(&[(412, "PreconditionFailed")]).await;
    assert_eq!((result.unwrap_err().class, calls), (Class::Conflict, 1));
}

#[tokio::test]
async fn a_put_gives_up_on_what_lasts() {
    let (result, calls) = put(&[(500, "InternalError")]).await;
    assert_eq!((result.unwrap_err().class, calls), (Class::Unknown, 4));
    let (result, calls) = put(&[(503, "SlowDown")]).await;
    assert_eq!((result.unwrap_err().class, calls), (Class::Throttled { retry_after: None }, 4));
    let (result, calls) = put(&[(403, "AccessDenied")]).await;
    assert_eq!((result.unwrap_err().class, calls), (Class::Denied, 1));
}

#[tokio::test]
async fn a_read_tells_not_yet_from_never() {
    let cases = [
        (404, "NoSuchKey", None),
        (403, "AccessDenied", None),
        (403, "InvalidAccessKeyId", Some(Class::Denied)),
        (403, "SignatureDoesNotMatch", Some(Class::Denied)),
        (403, "RequestTimeTooSkewed", Some(Class::Denied)),
        (400, "ExpiredToken", Some(Class::Denied)),
        (404, "NoSuchBucket", Some(Class::Invalid)),
        (301, "PermanentRedirect", Some(Class::Invalid)),
        (400, "AuthorizationHeaderMalformed", Some(Class::Invalid)),
        (503, "SlowDown", Some(Class::Throttled { retry_after: None })),
        (500, "InternalError", Some(Class::Unknown)),
    ];
    for (status, code, class) in cases {
        let fake = Fake::start(move |_| (status, error(code))).await;
        let read = fake.connect().await.mailbox("mail").read(&address()).await;
        match (read, class) {
            (Ok(None), None) => {}
            (Err(fault), Some(class)) => assert_eq!(fault.class, class, "{status} {code}: {fault}"),
            (read, class) => panic!("{status} {code}: {read:?}, not {class:?}"),
        }
        assert_eq!(fake.seen().len(), 1, "whoever polls decides when to ask again");
    }
    let proxy = Fake::start(|_| (403, "<html>Forbidden by proxy</html>".into())).await;
    let fault = proxy.connect().await.mailbox("mail").read(&address()).await.unwrap_err();
    assert_eq!(fault.class, Class::Denied, "{fault}");
}

#[tokio::test]
async fn emptying_is_repeated_and_needs_nothing_there() {
    let fake =
        Fake::start(|number| if number == 1 { (500, String::new()) } else { (204, String::new()) }).await;
    fake.connect().await.mailbox("mail").empty(&address()).await.unwrap();
    assert_eq!(fake.seen().len(), 2);
    let gone = Fake::start(|_| (404, error("NoSuchKey"))).await;
    gone.connect().await.mailbox("mail").empty(&address()).await.unwrap();
}

#[tokio::test]
async fn a_parameter_is_asked_for_again_only_while_that_may_help() {
    let fake = Fake::start(|number| match number {
        1 => (500, String::new()),
        2 => (400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#.into()),
        _ => (200, r#"{"Parameter":{"Name":"n","Value":"v"}}"#.into()),
    })
    .await;
    assert_eq!(fake.connect().await.parameter("n").await.unwrap(), "v");
    let seen = fake.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].line, "POST /");
    assert_eq!(seen[0].headers["x-amz-target"], "AmazonSSM.GetParameter");
    assert!(seen[0].headers["authorization"].to_str().unwrap().contains("/eu-west-1/ssm/aws4_request"));

    let body = r#"{"__type":"com.amazonaws.ssm#ParameterNotFound"}"#;
    let missing = Fake::start(move |_| (400, body.into())).await;
    assert_eq!(missing.connect().await.parameter("n").await.unwrap_err().class, Class::NotFound);
    assert_eq!(missing.seen().len(), 1);
}

#[tokio::test]
async fn ec2_is_asked_page_by_page_and_again_while_it_is_busy() {
    let subnet = |id: &str, next: &str| {
        format!(
            "<DescribeSubnetsResponse><subnetSet><item><subnetId>{id}</subnetId><vpcId>vpc-1</vpcId>\
             <availabilityZone>a</availabilityZone><availableIpAddressCount>1</availableIpAddressCount></item>\
             </subnetSet>{next}</DescribeSubnetsResponse>"
        )
    };
    let (first, second) = (subnet("subnet-1", "<nextToken>t</nextToken>"), subnet("subnet-2", ""));
    let busy = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";
    let fake = Fake::start(move |number| match number {
        1 => (503, busy.to_owned()),
        2 => (200, first.clone()),
        _ => (200, second.clone()),
    })
    .await;
    let found = fake.connect().await.subnets(&["subnet-1".into(), "subnet-2".into()]).await.unwrap();
    assert_eq!(found.iter().map(|subnet| subnet.id.as_str()).collect::<Vec<_>>(), ["subnet-1", "subnet-2"]);
    let seen = fake.seen();
    let by_ids = "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=subnet-id\
                  &Filter.1.Value.1=subnet-1&Filter.1.Value.2=subnet-2";
    let bodies: Vec<&str> = seen.iter().map(|seen| seen.body.as_str()).collect();
    assert_eq!(bodies, [by_ids, by_ids, &format!("{by_ids}&NextToken=t")]);
    assert!(seen[0].headers["authorization"].to_str().unwrap().contains("/eu-west-1/ec2/aws4_request"));
}

/// S3 never would; what is like S3 may take an object whose checksum is another's.
#[tokio::test]
async fn a_probe_that_was_taken_is_taken_back() {
    let fake = Fake::start(|number| (if number == 1 { 200 } else { 204 }, String::new())).await;
    fake.connect().await.mailbox("mail").check_put(&address()).await.unwrap();
    let lines: Vec<String> = fake.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["PUT /mail/mailbox/n0nce/0123abcd", "DELETE /mail/mailbox/n0nce/0123abcd"]);
}

#[tokio::test]
async fn a_refusal_tells_the_time_as_well() {
    let fake = Fake::start(|_| (403, error("SignatureDoesNotMatch"))).await;
    let who = fake.connect().await.who_am_i().await;
    assert_eq!(who.caller.unwrap_err().class, Class::Denied);
    assert!(who.date.is_some());
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn an_unreadable_secret_is_not_quoted() {
    let fake = Fake::start(|_| (200, r#"{"SecretString": ["s3cret"]}"#.into())).await;
    let fault = fake.connect().await.secret("id").await.unwrap_err();
    assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
    let binary = Fake::start(|_| (200, r#"{"SecretBinary": "AAAA"}"#.into())).await;
    let fault = binary.connect().await.secret("id").await.unwrap_err();
    assert_eq!(fault.class, Class::Invalid);
    assert!(fault.why.contains("binary"));
}

/// Asks the mailbox thrice and says with which session each time.
async fn sessions(fake: &Fake, aws: &Aws) -> Vec<String> {
    for _ in 0..3 {
        aws.mailbox("mail").empty(&address()).await.unwrap();
    }
    let session = |seen: Seen| seen.headers["x-amz-security-token"].to_str().unwrap().to_owned();
    fake.seen().into_iter().map(session).collect()
}

#[tokio::test]
async fn credentials_are_renewed_with_a_new_token_before_they_end() {
    let lives = [SignedDuration::from_mins(4), SignedDuration::from_hours(1)];
    let fake = Fake::with_lives(&lives, |_| (204, String::new())).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let aws = fake
        .connect_with(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok("token".into()) }
        })
        .await;
    assert_eq!(sessions(&fake, &aws).await, ["session-0", "session-1", "session-1"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "each renewal asks for a token");
    assert!(!format!("{aws:?}").contains("s3cret-key"));
}

#[tokio::test]
async fn a_failed_renewal_does_not_matter_while_the_old_ones_last() {
    let fake = Fake::with_lives(&[SignedDuration::from_mins(4)], |_| (204, String::new())).await;
    let aws = fake.connect().await;
    assert_eq!(sessions(&fake, &aws).await, ["session-0", "session-0", "session-0"]);
    assert_eq!(fake.roles.load(Ordering::SeqCst), 3, "each call tries to renew");
}

#[tokio::test]
async fn what_keeps_the_token_away_is_told_as_it_is() {
    let fake = Fake::start(|_| (204, String::new())).await;
    let aws = fake
        .connect_with(|| async {
            Err(Fault::new(Class::Denied, "get an OIDC token", "no permission").remedy("id-token: write"))
        })
        .await;
    for fault in [
        aws.check_credentials().await.unwrap_err(),
        aws.mailbox("mail").empty(&address()).await.unwrap_err(),
        fleetfoot_core::ports::Tasks::describe(&aws.tasks("ff"), &[task()]).await.unwrap_err(),
    ] {
        assert_eq!(fault.to_string(), "cannot get an OIDC token: no permission");
        assert_eq!(fault.remedy.as_deref(), Some("id-token: write"));
    }
    assert!(fake.seen().is_empty(), "nothing was called");
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = Log::listen();
    let fake = Fake::start(|_| (200, r#"{"SecretString":"s3cret-answer"}"#.into())).await;
    let aws = fake.connect_with(|| async { Ok("s3cret-token".into()) }).await;
    aws.secret("id").await.unwrap();
    aws.mailbox("mail").read(&address()).await.unwrap();
    fleetfoot_core::ports::Tasks::describe(&aws.tasks("ff"), &[task()]).await.unwrap();
    log.assert_hides(
        &["assumed a role", "AWS answered"],
        &["s3cret-answer", "s3cret-token", "s3cret-key", "session-0"],
    );
    let text = log.text();
    let ours = text.lines().find(|line| line.contains("fleetfoot_aws") && line.contains("n0nce"));
    assert_eq!(ours, None, "the mailbox's address is in a line of ours");
}
