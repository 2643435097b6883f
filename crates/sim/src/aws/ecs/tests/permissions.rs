//! Who may do what, with the resources and conditions of the real service.

use super::*;

const DEFINITION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/runner:*";

/// The policy of a launcher as it should be: nothing wider than needed.
fn statements() -> [Value; 4] {
    let cluster = json!({ "ArnEquals": { "ecs:cluster": CLUSTER } });
    [
        json!({ "Effect": "Allow", "Action": "ecs:RunTask", "Resource": DEFINITION, "Condition": cluster }),
        json!({ "Effect": "Allow", "Action": "ecs:TagResource",
                "Resource": "arn:aws:ecs:eu-west-1:123456789012:task/prod/*",
                "Condition": { "StringEquals": { "ecs:CreateAction": "RunTask" } } }),
        json!({ "Effect": "Allow", "Action": "iam:PassRole",
                "Resource": ["arn:aws:iam::123456789012:role/task", "arn:aws:iam::123456789012:role/execution"],
                "Condition": { "StringEquals": { "iam:PassedToService": "ecs-tasks.amazonaws.com" } } }),
        json!({ "Effect": "Allow", "Action": ["ecs:DescribeTasks", "ecs:StopTask", "ecs:ListTasks"],
                "Resource": "*", "Condition": cluster }),
    ]
}

fn fixture(statements: &[Value]) -> Fixture {
    let mut fixture = Fixture::with(Timing::instant());
    let policy = json!({ "Statement": statements });
    add_user(&mut fixture.identities, &mut fixture.ids, "LAUNCHER", vec![policy]);
    fixture
}

fn run(fixture: &mut Fixture, change: Value) -> Result<Value, AwsError> {
    fixture.call_as("LAUNCHER", "RunTask", &run_task(change))
}

#[test]
fn the_right_policy_suffices() {
    let mut fixture = fixture(&statements());
    let answer = run(&mut fixture, json!({ "tags": [{ "key": "run", "value": "1" }] })).unwrap();
    let arn = &answer["tasks"][0]["taskArn"];
    for (operation, body) in [
        ("DescribeTasks", json!({ "cluster": "prod", "tasks": [arn] })),
        ("ListTasks", json!({ "cluster": CLUSTER })),
        ("StopTask", json!({ "cluster": "prod", "task": arn })),
    ] {
        fixture.call_as("LAUNCHER", operation, &body).unwrap();
    }
    let error = fixture.call_as("LAUNCHER", "DescribeTaskDefinition", &json!({ "taskDefinition": "runner" }));
    assert_eq!(error.unwrap_err().code, "AccessDeniedException");
}

#[test]
fn each_statement_is_needed() {
    let tagged = || json!({ "tags": [{ "key": "run", "value": "1" }] });
    for (without, action) in [(0, "ecs:RunTask"), (1, "ecs:TagResource"), (2, "iam:PassRole")] {
        let mut kept = statements().to_vec();
        kept.remove(without);
        let mut fixture = fixture(&kept);
        let error = run(&mut fixture, tagged()).unwrap_err();
        assert_eq!(error.code, "AccessDeniedException");
        let words = format!(
            "User: arn:aws:iam::123456789012:user/launcher is not authorized to perform: {action} on"
        );
        assert!(error.message.starts_with(&words), "{error}");
        assert!(fixture.ecs.tasks().next().is_none());
    }
    // Without tags TagResource is not asked for.
    run(&mut fixture(&[statements()[0].clone(), statements()[2].clone()]), json!({})).unwrap();
}

#[test]
fn other_clusters_definitions_and_roles_are_out_of_reach() {
    let mut fixture = fixture(&statements());
    fixture.ecs.add_cluster(Cluster::new("other", &["FARGATE"]), &mut fixture.ids);
    let admin = json!({ "overrides": { "taskRoleArn": "arn:aws:iam::123456789012:role/admin" } });
    for change in [
        json!({ "cluster": "other" }),
        json!({ "taskDefinition": "vpc" }),
        json!({ "cluster": "none" }),
        admin,
    ] {
        assert_eq!(run(&mut fixture, change).unwrap_err().code, "AccessDeniedException");
    }
}

#[test]
fn a_role_must_trust_the_tasks_service() {
    let mut fixture = Fixture::with(Timing::instant());
    let trust = json!({ "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole",
                        "Principal": { "Service": "ec2.amazonaws.com" } } });
    fixture.identities.add_role(Role::new("machine", trust, vec![]), &mut fixture.ids).unwrap();
    let over = json!({ "overrides": { "taskRoleArn": "arn:aws:iam::123456789012:role/machine" } });
    let error = fixture.run(over).unwrap_err();
    assert!(error.message.contains("unable to assume the role"), "{error}");

    // With the conditions that AWS recommends against the confused deputy.
    let trust = json!({ "Statement": { "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "ecs-tasks.amazonaws.com" },
        "Condition": { "StringEquals": { "aws:SourceAccount": "123456789012" },
                       "ArnLike": { "aws:SourceArn": "arn:aws:ecs:eu-west-1:123456789012:*" } } } });
    fixture.identities.add_role(Role::new("narrow", trust, vec![]), &mut fixture.ids).unwrap();
    fixture.run_one(json!({ "overrides": { "taskRoleArn": "arn:aws:iam::123456789012:role/narrow" } }));
}

#[test]
fn the_log_needs_the_execution_roles_rights() {
    let mut fixture = Fixture::with(Timing::instant());
    let trust = crate::aws::tasks_trust_policy();
    let write = json!({ "Statement": { "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                        "Resource": "arn:aws:logs:eu-west-1:123456789012:log-group:/app:*" } });
    fixture.identities.add_role(Role::new("writer", trust.clone(), vec![write]), &mut fixture.ids).unwrap();
    fixture.identities.add_role(Role::new("mute", trust, vec![]), &mut fixture.ids).unwrap();
    fixture.logs.ensure_group("/app");
    let mut logged = definition("logged", NetworkMode::Awsvpc, "FARGATE");
    logged.container_definitions[0].log_configuration =
        Some(LogConfiguration::awslogs("/app", "eu-west-1", "p"));
    fixture.ecs.register(logged, fixture.now).unwrap();
    for (role, status) in [("writer", "RUNNING"), ("mute", "STOPPED")] {
        let over = json!({ "executionRoleArn": format!("arn:aws:iam::123456789012:role/{role}") });
        let arn = fixture.run_one(json!({ "taskDefinition": "logged", "overrides": over }));
        fixture.pass(1);
        assert_eq!(fixture.describe(&arn)["lastStatus"], status);
    }
}
