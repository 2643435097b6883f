//! A simulated account with a cluster, a bucket and whatever roles a test asks for.

use std::collections::BTreeMap;

use fleetfoot_aws::{Aws, Identity, Options, WebIdentity};
use fleetfoot_sim::aws::{
    AwsConfig, AwsSim, Cluster, ContainerDefinition, LocalImage, NetworkMode, OidcProvider, Role,
    TaskDefinition,
};
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;
use serde_json::{Value, json};

use crate::issuer::Issuer;

pub(crate) const CLUSTER: &str = "ff";
pub(crate) const BUCKET: &str = "mail";
const SUBJECT: &str = "repo:acme/shop:ref:refs/heads/main";
/// What the simulated issuer is called in trust policies, as GitHub's is.
const PROVIDER: &str = "token.actions.githubusercontent.com";

pub(crate) struct World {
    pub(crate) aws: AwsSim,
    pub(crate) book: Book,
    pub(crate) issuer: Issuer,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(AwsConfig::default()).await
    }

    pub(crate) async fn with(config: AwsConfig) -> Self {
        let (book, issuer) = (Book::default(), Issuer::start().await);
        let aws = AwsSim::start(config, book.clone(), Bus::default()).await.unwrap();
        aws.add_oidc_provider(OidcProvider::new(issuer.url.clone()).named(PROVIDER));
        aws.create_bucket(BUCKET);
        aws.create_cluster(Cluster::new(CLUSTER, &["FARGATE", "FARGATE_SPOT"]));
        aws.add_subnet("subnet-1", "eu-west-1a");
        let image =
            LocalImage { argv: vec!["/bin/sleep".into(), "60".into()], env: BTreeMap::new(), files: None };
        aws.add_image("runner:1", image);
        let container = ContainerDefinition {
            name: "runner".into(),
            image: "runner:1".into(),
            stop_timeout: Some(2),
            ..ContainerDefinition::default()
        };
        let definition = TaskDefinition {
            family: "ff-linux".into(),
            network_mode: Some(NetworkMode::Awsvpc),
            requires_compatibilities: vec!["FARGATE".into()],
            cpu: Some("1024".into()),
            memory: Some("2048".into()),
            container_definitions: vec![container],
            ..TaskDefinition::default()
        };
        aws.register_task_definition(definition).unwrap();
        Self { aws, book, issuer }
    }

    /// Adds a role that workflows of acme/shop may take, with these actions allowed on everything.
    pub(crate) fn role(&self, name: &str, actions: &[&str]) -> String {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:aws:iam::{}:oidc-provider/{PROVIDER}", self.aws.account())},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {format!("{PROVIDER}:aud"): "sts.amazonaws.com"},
                "StringLike": {format!("{PROVIDER}:sub"): "repo:acme/shop:*"},
            },
        }]});
        let allow: Vec<Value> = if actions.is_empty() {
            Vec::new()
        } else {
            vec![json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": actions, "Resource": "*"}
            ]})]
        };
        self.aws.add_role(Role::new(name, trust, allow)).unwrap()
    }

    /// A connection as a role of its own with these actions.
    pub(crate) async fn connect(&self, role: &str, actions: &[&str]) -> Aws {
        let role = self.role(role, actions);
        self.connect_with(&role, SUBJECT, "sts.amazonaws.com").await
    }

    /// A connection as this role with a token for this subject and audience.
    pub(crate) async fn connect_with(&self, role: &str, subject: &str, audience: &str) -> Aws {
        let token = self.issuer.token(subject, audience);
        let identity = WebIdentity::new(role, "shop-run-7", move || {
            let token = token.clone();
            async move { Ok(token) }
        });
        let options = Options {
            region: Some(self.aws.region().into()),
            endpoint: Some(self.aws.endpoint()),
            ..Options::default()
        };
        Aws::connect(options, Identity::WebIdentity(identity)).await.unwrap()
    }
}
