//! The state machine under a clock that the tests move.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::identity::{Role, User};
use super::super::logs::Logs;
use super::*;

mod idempotency;
mod life;
mod limits;
mod permissions;

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";

/// An account with a cluster, an administrator, and the task definitions `runner` (Fargate), `bridge` and
/// `vpc` (both EC2).
struct Fixture {
    ecs: Ecs,
    identities: Identities,
    ids: Ids,
    logs: Logs,
    now: Timestamp,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Timing::demo_fargate())
    }

    fn with(timing: Timing) -> Self {
        let mut ids = Ids::new(Some(7));
        let mut identities = Identities::new("123456789012", "eu-west-1");
        let admin = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } });
        add_user(&mut identities, &mut ids, "ADMIN", vec![admin.clone()]);
        let trust = crate::aws::tasks_trust_policy();
        identities.add_role(Role::new("task", trust.clone(), vec![]), &mut ids).unwrap();
        identities.add_role(Role::new("execution", trust, vec![admin]), &mut ids).unwrap();
        let mut ecs = Ecs::new("eu-west-1", "123456789012", (timing, timing), &Rates::default());
        ecs.add_cluster(Cluster::new("prod", &["FARGATE", "FARGATE_SPOT", "asg"]), &mut ids);
        ecs.add_subnet("subnet-a", "eu-west-1a");
        ecs.add_subnet("subnet-b", "eu-west-1b");
        ecs.add_security_group("sg-1");
        ecs.add_image("image", LocalImage { argv: vec!["/bin/true".into()], ..LocalImage::default() });
        let now = "2026-05-01T10:00:00Z".parse().unwrap();
        for (family, mode, compatibility) in [
            ("runner", NetworkMode::Awsvpc, "FARGATE"),
            ("bridge", NetworkMode::Bridge, "EC2"),
            ("vpc", NetworkMode::Awsvpc, "EC2"),
        ] {
            ecs.register(definition(family, mode, compatibility), now).unwrap();
        }
        Self { ecs, identities, ids, logs: Logs::default(), now }
    }

    /// Calls as the administrator.
    fn call(&mut self, operation: &str, body: &Value) -> Result<Value, AwsError> {
        self.call_as("ADMIN", operation, body)
    }

    fn call_as(&mut self, key: &str, operation: &str, body: &Value) -> Result<Value, AwsError> {
        let caller = self.identities.caller(self.identities.key(key).unwrap());
        let mut call =
            Call { now: self.now, caller: &caller, identities: &self.identities, ids: &mut self.ids };
        self.ecs.answer(operation, body, &mut call)
    }

    /// RunTask of `runner` on Fargate with some members changed.
    fn run(&mut self, change: Value) -> Result<Value, AwsError> {
        self.call("RunTask", &run_task(change))
    }

    /// RunTask of one task; gives its ARN.
    fn run_one(&mut self, change: Value) -> String {
        let answer = self.run(change).unwrap();
        assert_eq!(answer["failures"], json!([]));
        answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
    }

    fn pass(&mut self, milliseconds: i64) -> Vec<Effect> {
        self.now += SignedDuration::from_millis(milliseconds);
        self.ecs.advance(self.now, &self.identities, &mut self.logs);
        self.ecs.take_effects()
    }

    fn describe(&mut self, arn: &str) -> Value {
        let body = json!({ "cluster": "prod", "tasks": [arn], "include": ["TAGS"] });
        self.call("DescribeTasks", &body).unwrap()["tasks"][0].clone()
    }

    fn list(&mut self, filter: Value) -> Result<Vec<String>, AwsError> {
        let answer = self.call("ListTasks", &merged(json!({ "cluster": "prod" }), filter))?;
        Ok(serde_json::from_value(answer["taskArns"].clone()).unwrap())
    }
}

fn add_user(identities: &mut Identities, ids: &mut Ids, key: &str, policies: Vec<Value>) {
    let user =
        User { name: key.to_lowercase(), access_key_id: key.into(), secret_access_key: "s".into(), policies };
    identities.add_user(user, ids).unwrap();
}

fn definition(family: &str, mode: NetworkMode, compatibility: &str) -> TaskDefinition {
    let role = |name: &str| Some(format!("arn:aws:iam::123456789012:role/{name}"));
    TaskDefinition {
        family: family.into(),
        network_mode: Some(mode),
        requires_compatibilities: vec![compatibility.into()],
        cpu: Some("1024".into()),
        memory: Some("2048".into()),
        task_role_arn: role("task"),
        execution_role_arn: role("execution"),
        container_definitions: vec![ContainerDefinition {
            name: "main".into(),
            image: "image".into(),
            stop_timeout: Some(20),
            ..ContainerDefinition::default()
        }],
        tags: vec![Tag { key: "team".into(), value: "build".into() }],
        ..TaskDefinition::default()
    }
}

/// The members of a RunTask call that works; `null` takes one away.
fn run_task(change: Value) -> Value {
    merged(
        json!({
            "cluster": "prod", "taskDefinition": "runner", "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": {
                "subnets": ["subnet-a"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED" } },
        }),
        change,
    )
}

fn merged(mut base: Value, change: Value) -> Value {
    let (Value::Object(members), Value::Object(change)) = (&mut base, change) else {
        panic!("both are objects");
    };
    for (name, value) in change {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    base
}
