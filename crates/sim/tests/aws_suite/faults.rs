//! Faults of calls: what arrives is what the real service would say, and what has happened has happened.

use std::time::{Duration, Instant};

use fleetfoot_sim::aws::{AwsConfig, AwsSim, OidcProvider, Role};
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;
use fleetfoot_sim::faults::Faults;
use serde_json::{Value, json};

use super::account::Account;
use super::issuer::Issuer;
use super::web_identity::{NAME, SUBJECT, assume};

/// What fired, each with what it hit.
fn fired(faults: &Faults) -> Vec<String> {
    faults.fired().iter().map(|fired| format!("{} on {}", fired.fault, fired.on)).collect()
}

#[tokio::test]
async fn ecs_throttles_and_fails_by_operation_and_count() {
    let account = Account::with("ecs-throttle:ListTasks*2 ecs-500:DescribeClusters+1").await;
    let call =
        async |operation: &str| account.ecs(&account.admin, operation, &json!({ "cluster": "prod" })).await;
    for _ in 0..2 {
        let throttled = json!({ "__type": "ThrottlingException", "message": "Rate exceeded" });
        assert_eq!(call("ListTasks").await, (400, throttled));
    }
    assert_eq!(call("ListTasks").await.0, 200);
    assert_eq!(call("DescribeClusters").await.0, 200);
    let (status, error) = call("DescribeClusters").await;
    assert_eq!((status, &error["__type"]), (500, &json!("ServerException")));
    assert_eq!(
        fired(&account.faults),
        [
            "ecs-throttle:ListTasks*2 on ecs ListTasks",
            "ecs-throttle:ListTasks*2 on ecs ListTasks",
            "ecs-500:DescribeClusters+1 on ecs DescribeClusters"
        ]
    );
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn capacity_is_short_for_single_tasks_of_single_providers() {
    let account = Account::with("no-capacity:FARGATE_SPOT*3 no-capacity:EC2").await;
    account.on_fargate("work", "true");
    account.script("machine", "true");
    let (status, answer) = account.launch("work", "FARGATE_SPOT", 2).await;
    let reason =
        "Capacity is unavailable at this time. Please try again later or in a different availability zone";
    assert_eq!(
        (status, answer),
        (200, json!({ "tasks": [], "failures": [{ "reason": reason }, { "reason": reason }] }))
    );
    let (_, answer) = account.launch("work", "FARGATE_SPOT", 2).await;
    let made = |answer: &Value, member: &str| answer[member].as_array().unwrap().len();
    assert_eq!((made(&answer, "tasks"), made(&answer, "failures")), (1, 1));
    account.run_on("work", "FARGATE").await;

    let body = json!({ "cluster": "prod", "taskDefinition": "machine", "launchType": "EC2" });
    let (_, answer) = account.ecs(&account.admin, "RunTask", &body).await;
    assert_eq!(answer["failures"][0]["reason"], "RESOURCE:MEMORY");
    assert!(answer["failures"][0]["arn"].as_str().unwrap().contains(":container-instance/"), "{answer}");
    account.run("machine").await;
    account.aws.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_lost_after_the_call_took_effect() {
    let account = Account::with("lost-answer:RunTask lost-answer:StopTask:cut").await;
    account.script("wait", "exec sleep 60");
    let run = |token: &str| json!({ "cluster": "prod", "taskDefinition": "wait", "launchType": "EC2", "clientToken": token });
    // What is refused has no answer to lose.
    let mut wrong = run("one");
    wrong["taskDefinition"] = json!("unknown");
    assert_eq!(account.ecs(&account.admin, "RunTask", &wrong).await.0, 400);
    let (status, error) = account.ecs(&account.admin, "RunTask", &run("one")).await;
    assert_eq!((status, &error["__type"]), (500, &json!("ServerException")));
    assert_eq!(account.aws.tasks().len(), 1, "the task is there all the same");
    let (_, answer) = account.ecs(&account.admin, "RunTask", &run("one")).await;
    let arn = account.aws.tasks()[0].arn.clone();
    assert_eq!(answer["tasks"][0]["taskArn"], arn.as_str(), "the token brings the same task");

    let stop = json!({ "cluster": "prod", "task": arn }).to_string();
    let target = "AmazonEC2ContainerServiceV20141113.StopTask";
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
    let cut = account.request(&account.admin, "ecs", "POST", "/", &headers, stop).await.unwrap_err();
    assert!(cut.is_request() && cut.status().is_none(), "{cut:?}");
    assert!(account.task(&arn).desired_stopped);
    let calls = account.book.calls();
    let stopped = calls.iter().find(|call| call.operation == "StopTask").unwrap();
    assert_eq!((stopped.status, &stopped.response), (0, &None));
    assert!(stopped.request.is_some() && stopped.caller.ends_with(":user/admin"));
    account.aws.shutdown().await;
}

#[tokio::test]
async fn s3_fails_before_and_after_it_took_effect() {
    let account = Account::with("").await;
    let admin = &account.admin;
    let inject = |fault: &str| account.faults.inject(fault.parse().unwrap());
    for (fault, status, words, kept) in [
        (
            "s3-fails:503:PutObject",
            503,
            "<Code>SlowDown</Code><Message>Please reduce your request rate.",
            false,
        ),
        (
            "s3-fails:500:PutObject",
            500,
            "<Code>InternalError</Code><Message>We encountered an internal error.",
            false,
        ),
        ("s3-fails:late-503:PutObject", 503, "<Code>SlowDown</Code>", true),
        ("s3-fails:late-500", 500, "<Code>InternalError</Code>", true),
        ("lost-answer:PutObject", 500, "<Code>InternalError</Code>", true),
    ] {
        inject(fault);
        let (got, text) = account.s3(admin, "PUT", "/bucket/key", &[], "letter").await;
        assert!(got == status && text.contains(words), "{fault}: {got} {text}");
        assert_eq!(account.aws.objects("bucket").len(), usize::from(kept), "{fault}");
        account.s3(admin, "DELETE", "/bucket/key", &[], "").await;
    }
    for (fault, kept) in [("s3-fails:cut", false), ("s3-fails:late-cut", true)] {
        inject(fault);
        let cut = account.request(admin, "s3", "PUT", "/bucket/key", &[], "letter".to_owned()).await;
        assert!(cut.unwrap_err().is_request(), "{fault}");
        assert_eq!(account.aws.objects("bucket").len(), usize::from(kept), "{fault}");
    }
    // Aimed at another operation it passes.
    inject("s3-fails:503:DeleteObject");
    assert_eq!(account.s3(admin, "GET", "/bucket/key", &[], "").await, (200, "letter".into()));
    account.aws.shutdown().await;
}

#[tokio::test]
async fn s3_is_slow_and_does_nothing_in_the_meantime() {
    let account = Account::with("s3-slow:0.4:PutObject").await;
    let began = Instant::now();
    let put = account.s3(&account.admin, "PUT", "/bucket/slow", &[], "x");
    let look = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        account.aws.objects("bucket").len()
    };
    let ((status, _), before) = tokio::join!(put, look);
    assert_eq!((status, before), (200, 0));
    assert!(began.elapsed() >= Duration::from_millis(400));
    assert_eq!(account.aws.objects("bucket"), ["slow"]);
    account.aws.shutdown().await;
}

#[tokio::test]
async fn a_clock_that_is_off_refuses_signatures() {
    let account =
        Account::with("clock-skew:3600:ecs clock-skew:-3600:ecs clock-skew:1200:s3 clock-skew:240:ssm*")
            .await;
    let list = async || account.ecs(&account.admin, "ListTasks", &json!({ "cluster": "prod" })).await;
    for words in ["Signature expired: ", "Signature not yet current: "] {
        let (status, error) = list().await;
        assert_eq!((status, &error["__type"]), (400, &json!("InvalidSignatureException")));
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(words) && message.ends_with("5 min.)"), "{message}");
    }
    assert_eq!(list().await.0, 200);

    let get = async || {
        account.request(&account.admin, "s3", "GET", "/bucket/key", &[], String::new()).await.unwrap()
    };
    let skewed = get().await;
    let date = |answer: &reqwest::Response| {
        let text = answer.headers()["date"].to_str().unwrap().to_owned();
        jiff::Timestamp::strptime("%a, %d %b %Y %H:%M:%S %z", text.replace("GMT", "+0000")).unwrap()
    };
    assert_eq!(skewed.status(), 403);
    let ahead = date(&skewed).as_second() - jiff::Timestamp::now().as_second();
    assert!((1190..=1200).contains(&ahead), "the answer's Date is {ahead} s ahead");
    let text = skewed.text().await.unwrap();
    for words in [
        "<Code>RequestTimeTooSkewed</Code>",
        "<Message>The difference between the request time and the current time is too large.</Message>",
        "<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(get().await.status(), 404);
    // Four minutes are tolerated.
    let parameter = json!({ "Name": "/none" });
    let (_, error) = account.json(&account.admin, "ssm", "AmazonSSM.GetParameter", &parameter).await;
    assert_eq!(error["__type"], "ParameterNotFound");
    account.aws.shutdown().await;
}

#[tokio::test]
async fn sts_takes_no_token_or_tells_of_an_early_end() {
    let mut issuer = Issuer::start().await;
    let plan = "oidc-refused:AccessDenied oidc-refused:InvalidIdentityToken oidc-refused:IDPCommunicationError \
                credentials-expire:2 credentials-expire:0:untold";
    let faults = Faults::new(plan.parse().unwrap());
    let config = AwsConfig { faults: faults.clone(), ..AwsConfig::default() };
    let aws = AwsSim::start(config, Book::default(), Bus::default()).await.unwrap();
    let provider = aws.add_oidc_provider(OidcProvider::new(&issuer.url).named(NAME));
    let policy = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } });
    let role = aws.add_role(Role::new("launcher", Issuer::trust(NAME, &provider), vec![policy])).unwrap();
    let token = issuer.token(SUBJECT);
    for (status, words) in [
        (403, "<Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        (400, "<Code>InvalidIdentityToken</Code><Message>Couldn&apos;t retrieve verification key"),
        (400, "<Code>IDPCommunicationError</Code>"),
    ] {
        let (got, text) = assume(&aws, &role, &token).await;
        let text = text.replace('\'', "&apos;");
        assert!(got == status && text.contains(words), "{got} {text}");
    }
    faults.inject("clock-skew:3600:sts".parse().unwrap());
    let (status, text) = assume(&aws, &role, &token).await;
    assert!(status == 400 && text.contains("<Code>ExpiredTokenException</Code>"), "{text}");
    assert!(text.contains("Token expired: current date/time"), "{text}");

    let (status, text) = assume(&aws, &role, &token).await;
    assert_eq!(status, 200, "{text}");
    let member = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    let expiration: jiff::Timestamp = member(&text, "Expiration").parse().unwrap();
    let left = expiration.as_second() - jiff::Timestamp::now().as_second();
    assert!((0..=2).contains(&left), "the answer tells of {left} s");
    let (_, text) = assume(&aws, &role, &token).await;
    let expiration: jiff::Timestamp = member(&text, "Expiration").parse().unwrap();
    assert!(expiration.as_second() - jiff::Timestamp::now().as_second() > 3000, "the answer tells nothing");

    // Both are refused alike once they are over.
    let keys =
        (member(&text, "AccessKeyId"), member(&text, "SecretAccessKey"), Some(member(&text, "SessionToken")));
    let account = Account { aws, ..Account::start().await };
    let (status, error) = account.ecs(&keys, "ListTasks", &json!({})).await;
    assert_eq!((status, &error["__type"]), (400, &json!("ExpiredTokenException")));
    assert_eq!(error["message"], "The security token included in the request is expired");
    let (status, text) = account.s3(&keys, "GET", "/bucket/key", &[], "").await;
    assert!(status == 400 && text.contains("<Code>ExpiredToken</Code>"), "{text}");
    account.aws.shutdown().await;
    issuer.stop().await;
}
