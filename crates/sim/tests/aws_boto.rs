//! The simulated AWS read by a client that is not ours: boto3 and the AWS CLI.
//!
//! Needs a Python with boto3: `$FLEETFOOT_PYTHON`, or the one in the workspace's `.venv`. The script is
//! `tests/boto/read_aws.py`; it checks every answer against the service models that botocore carries.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "aws_suite/issuer.rs"]
mod issuer;

use std::path::{Path, PathBuf};

use fleetfoot_sim::aws::{
    AwsConfig, AwsSim, Cluster, ContainerDefinition, LifecycleRule, LocalImage, LogConfiguration,
    NetworkMode, OidcProvider, Role, TaskDefinition, User, VpcEndpoint, tasks_trust_policy,
};
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;
use issuer::Issuer;
use serde_json::json;

const NAME: &str = "token.actions.githubusercontent.com";

fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("FLEETFOOT_PYTHON") {
        return Some(python.into());
    }
    let python = workspace().join(".venv/bin/python");
    python.exists().then_some(python)
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The world that the script expects.
fn furnish(aws: &AwsSim, issuer: &Issuer) {
    let all = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } });
    aws.add_user(User {
        name: "boto".into(),
        access_key_id: "AKIABOTO".into(),
        secret_access_key: "boto-secret".into(),
        policies: vec![all.clone()],
    })
    .unwrap();
    let provider = aws.add_oidc_provider(OidcProvider::new(&issuer.url).named(NAME));
    let read_mail = json!({ "Statement": { "Effect": "Allow", "Action": "s3:GetObject",
                            "Resource": "arn:aws:s3:::mail/*" } });
    aws.add_role(Role::new("launcher", Issuer::trust(NAME, &provider), vec![read_mail])).unwrap();
    let task = aws.add_role(Role::new("task", tasks_trust_policy(), vec![])).unwrap();
    let execution = aws.add_role(Role::new("execution", tasks_trust_policy(), vec![all])).unwrap();
    aws.create_cluster(Cluster::new("prod", &["FARGATE", "FARGATE_SPOT"]));
    aws.add_subnet("subnet-1", "eu-west-1a");
    aws.add_security_group("sg-1");
    aws.create_bucket("mail");
    aws.create_bucket("plain");
    let (id, prefix) = ("old".into(), "mailbox/".into());
    aws.set_lifecycle("mail", vec![LifecycleRule { id, prefix, days: 1, enabled: true }]);
    aws.put_vpc_endpoint(VpcEndpoint {
        id: "vpce-1".into(),
        vpc: aws.default_vpc().into(),
        service: "s3".into(),
        gateway_of: Some(vec!["rtb-0d3fa0175e77ab1e5".into()]),
    });
    aws.create_log_group("/boto");
    aws.create_queue("events");
    aws.send_task_events("prod", "events");
    aws.put_parameter("/stack/prod", "{\"version\":1}").unwrap();
    aws.put_secret("app/key", "hush");
    let script = "echo \"hello $WHO\"; trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done";
    let argv = vec!["/bin/sh".into(), "-c".into(), script.into()];
    aws.add_image("runner:1", LocalImage { argv, ..LocalImage::default() });
    aws.register_task_definition(TaskDefinition {
        family: "runner".into(),
        network_mode: Some(NetworkMode::Awsvpc),
        requires_compatibilities: vec!["FARGATE".into()],
        cpu: Some("1024".into()),
        memory: Some("2048".into()),
        task_role_arn: Some(task),
        execution_role_arn: Some(execution),
        container_definitions: vec![ContainerDefinition {
            name: "runner".into(),
            image: "runner:1".into(),
            stop_timeout: Some(5),
            log_configuration: Some(LogConfiguration::awslogs("/boto", aws.region(), "runner")),
            ..ContainerDefinition::default()
        }],
        ..TaskDefinition::default()
    })
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_reads_what_it_expects() {
    let Some(python) = python() else {
        println!("skipped: no $FLEETFOOT_PYTHON and no .venv/bin/python");
        return;
    };
    let mut issuer = Issuer::start().await;
    let book = Book::default();
    let aws = AwsSim::start(AwsConfig::default(), book.clone(), Bus::default()).await.unwrap();
    furnish(&aws, &issuer);
    let output = tokio::process::Command::new(python)
        .arg(workspace().join("tests/boto/read_aws.py"))
        .env("AWS_ENDPOINT_URL", aws.endpoint())
        .env("AWS_ACCESS_KEY_ID", "AKIABOTO")
        .env("AWS_SECRET_ACCESS_KEY", "boto-secret")
        .env("AWS_DEFAULT_REGION", aws.region())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .env("WEB_IDENTITY_TOKEN", issuer.token("repo:acme/app:ref:refs/heads/main"))
        .env("FOREIGN_TOKEN", issuer.token("repo:evil/app:ref:refs/heads/main"))
        .output()
        .await
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("all checks passed"), "{said}");
    // The script really talked to every service.
    for service in ["ecs", "ec2", "s3", "sts", "ssm", "secretsmanager", "logs", "servicequotas", "sqs"] {
        assert!(book.calls().iter().any(|call| call.service == service), "no call of {service}");
    }
    issuer.stop().await;
    aws.shutdown().await;
}
