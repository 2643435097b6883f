//! What `fleetfoot doctor` finds: nothing where all is well, and of each broken thing exactly that, with its
//! remedy; and that it creates nothing.

mod account;
mod github;
mod mailbox;
mod network;
mod pools;
mod telling;

use fleetfoot::demo::world::{BUCKET, quick};
use fleetfoot_sim::aws::{Tag, TaskDefinition, User};
use fleetfoot_sim::faults::Faults;
use serde_json::{Value, json};

use crate::common::{Fleetfoot, IMAGE, Stage};

/// A stage with one pool on Fargate, so that what is broken is told once.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    one_pool(&stage, |_| {});
    stage
}

/// The same with these faults armed.
async fn faulty_stage(faults: &str) -> Stage {
    let stage = Stage::furnished(Faults::new(faults.parse().unwrap()), quick).await;
    one_pool(&stage, |_| {});
    stage
}

/// Leaves one pool in the stack, and changes it.
fn one_pool(stage: &Stage, change: impl FnOnce(&mut Value)) {
    stage.change_stack(|stack| {
        stack["pools"].as_array_mut().unwrap().truncate(1);
        change(&mut stack["pools"][0]);
    });
}

/// Lets the pool have a task definition like the demo's, changed.
fn define(stage: &Stage, change: impl FnOnce(&mut TaskDefinition)) {
    let mut definition = stage.definition("fleetfoot-demo-other", IMAGE);
    definition.tags.push(version_tag("2.336.0"));
    change(&mut definition);
    stage.world.aws.register_task_definition(definition).unwrap();
    one_pool(stage, |pool| pool["task_definition"] = "fleetfoot-demo-other".into());
}

fn version_tag(version: &str) -> Tag {
    Tag { key: "fleetfoot:runner-version".into(), value: version.into() }
}

/// Somebody who may do everything but what these statements deny, as credentials of a run.
fn denied(stage: &Stage, doctor: Fleetfoot, denied: &[&str]) -> Fleetfoot {
    as_user(
        stage,
        doctor,
        &json!([
            { "Effect": "Allow", "Action": "*", "Resource": "*" },
            { "Effect": "Deny", "Action": denied, "Resource": "*" },
        ]),
    )
}

fn as_user(stage: &Stage, doctor: Fleetfoot, statements: &Value) -> Fleetfoot {
    let (key, secret) = ("AKIAHANA", "hana-s-secret");
    let user = User {
        name: "hana".into(),
        access_key_id: key.into(),
        secret_access_key: secret.into(),
        policies: vec![json!({ "Version": "2012-10-17", "Statement": statements })],
    };
    stage.world.aws.add_user(user).unwrap();
    doctor.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret)
}

/// The exit code, and all that is not ok but the note on the role, which a run by hand always has. Closes the
/// stage, on which nothing must have been created.
async fn found(stage: Stage, doctor: Fleetfoot) -> String {
    let ran = doctor.run().await;
    let mut text = format!("exit {}", ran.code);
    for finding in ran.json().as_array().unwrap() {
        let part = |name: &str| finding[name].as_str().unwrap_or_default();
        if part("state") == "ok" || part("check") == "role" {
            continue;
        }
        let head = format!("\n{} {} of {}:", part("state"), part("check"), part("subject"));
        text = format!("{text}{head} {}\n  {}", part("sentence"), part("remedy").replace('\n', "\n  "));
        text.truncate(text.trim_end().len());
    }
    let text = plain(&stage, &text);
    assert!(!text.contains("  \n"), "a remedy is missing: {text}");
    close(stage).await;
    text
}

/// Closes a stage on which nothing was created.
async fn close(stage: Stage) {
    assert_eq!(stage.count("ecs", "RunTask"), 0);
    assert_eq!(stage.world.aws.objects(BUCKET), [""; 0], "mail");
    stage.assert_nothing_created();
    stage.close().await;
}

/// `doctor` by hand, told as JSON.
async fn by_hand(stage: Stage) -> String {
    let doctor = stage.by_hand(&["doctor", "--output", "json"]);
    found(stage, doctor).await
}

/// Without what is another in each run: addresses, and the names of what nobody has.
fn plain(stage: &Stage, text: &str) -> String {
    let mut text = text
        .replace(&stage.world.github.api_url(), "API")
        .replace(&stage.world.github.server_url(), "GITHUB")
        .replace(stage.issuer_host().as_str(), "ISSUER")
        .replace(stage.path("").display().to_string().as_str(), "");
    let is_random = |word: &&str| word.len() >= 26 && word.contains(|c: char| c.is_ascii_digit());
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(is_random)
        .map(str::to_owned)
        .collect();
    for word in words {
        text = text.replace(&word, "RANDOM");
    }
    // A clock is off by a second more or less.
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match text.split_once("clock is ") {
        Some((before, after)) if digits(after) > 0 => {
            format!("{before}clock is N{}", &after[digits(after)..])
        }
        _ => text,
    }
}
