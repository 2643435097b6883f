//! The rules of `clientToken`.

use super::*;

fn arns(answer: &Value) -> Vec<&str> {
    answer["tasks"].as_array().unwrap().iter().map(|task| task["taskArn"].as_str().unwrap()).collect()
}

#[test]
fn the_same_call_again_gives_the_first_answer() {
    let mut fixture = Fixture::new();
    let call = json!({ "clientToken": "t1", "count": 2 });
    let first = fixture.run(call.clone()).unwrap();
    fixture.pass(300);
    let again = fixture.run(call).unwrap();
    assert_eq!(first, again);
    assert_eq!(fixture.ecs.tasks().count(), 2);
    fixture.run(json!({ "clientToken": "t2", "count": 2 })).unwrap();
    assert_eq!(fixture.ecs.tasks().count(), 4);
}

#[test]
fn other_parameters_are_a_conflict_that_names_the_tasks() {
    let mut fixture = Fixture::new();
    let first = fixture.run(json!({ "clientToken": "t1", "count": 2 })).unwrap();
    let error = fixture.run(json!({ "clientToken": "t1", "count": 1 })).unwrap_err();
    assert_eq!(error.code, "ConflictException");
    assert_eq!(error.members["resourceIds"], json!(arns(&first)));
    assert_eq!(fixture.ecs.tasks().count(), 2);
}

#[test]
fn failures_are_replayed_too() {
    let mut fixture = Fixture::new();
    fixture.ecs.set_capacity("prod", "FARGATE", Capacity::Unavailable).unwrap();
    let call = json!({ "clientToken": "t1" });
    let first = fixture.run(call.clone()).unwrap();
    assert_eq!(first["failures"].as_array().unwrap().len(), 1);
    fixture.ecs.set_capacity("prod", "FARGATE", Capacity::Unlimited).unwrap();
    assert_eq!(fixture.run(call.clone()).unwrap(), first);
    fixture.run_one(json!({ "clientToken": "t2" }));
    // After a day even a token without tasks is forgotten.
    fixture.pass(24 * 3_600_000);
    assert_eq!(arns(&fixture.run(call).unwrap()).len(), 1);
}

#[test]
fn a_refused_call_does_not_use_its_token() {
    let mut fixture = Fixture::new();
    fixture.run(json!({ "clientToken": "t1", "count": 11 })).unwrap_err();
    fixture.run_one(json!({ "clientToken": "t1" }));
}

#[test]
fn a_token_outlives_its_tasks_by_an_hour() {
    let mut fixture = Fixture::with(Timing::instant());
    let call = json!({ "clientToken": "t1" });
    let arn = fixture.run_one(call.clone());
    // Stopped before its process was started.
    fixture.call("StopTask", &json!({ "cluster": "prod", "task": arn })).unwrap();
    fixture.pass(1);
    fixture.pass(3_599_000);
    assert_eq!(fixture.run_one(call.clone()), arn);
    fixture.pass(1_000);
    assert_ne!(fixture.run_one(call), arn);
}
