//! The stage: a furnished world in this process, and ways to run `fleetfoot` in it.

mod collector;
mod corporate;
mod look;
mod moto;
mod others;
pub(crate) mod process;
mod python;
mod workflow;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fleetfoot::demo::world::{ACTOR, Furniture, Pace, REGION, REPOSITORY, STACK, World, as_fargate, quick};
use fleetfoot_sim::aws::{ContainerDefinition, NetworkMode, Role, TaskDefinition};
use fleetfoot_sim::faults::Faults;
use fleetfoot_sim::github::TokenKind;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use collector::Collector;
pub(crate) use corporate::{Authority, Front, Proxy};
pub(crate) use look::{JITCONFIG, REGISTRATION_TOKEN, RUNNER, RUNNERS, tag};
pub(crate) use moto::Moto;
pub(crate) use process::{Fleetfoot, Running};
pub(crate) use python::python;
pub(crate) use workflow::{AS_LAUNCHER, Run, START};

/// The demo's runner image.
pub(crate) const IMAGE: &str = "fleetfoot-runner:demo";

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fleetfoot");

/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A world of its own for one test, with a repository and a place for files.
pub(crate) struct Stage {
    pub(crate) world: World,
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::furnished(Faults::default(), quick).await
    }

    /// With tasks that take as long as on the real Fargate.
    pub(crate) async fn as_fargate() -> Self {
        Self::furnished(Faults::default(), as_fargate).await
    }

    /// With faults that are armed, at a pace of the test's own.
    pub(crate) async fn furnished(faults: Faults, pace: Pace) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("repository");
        fs::create_dir_all(files.join(".github/workflows")).unwrap();
        let furniture = Furniture { files, program: PROGRAM.into(), faults, pace };
        Self { world: World::start(&furniture).await.unwrap(), folder }
    }

    /// Takes everything down. A test that fails before leaves it to the drop.
    pub(crate) async fn close(self) {
        self.world.shutdown().await;
    }

    /// A path in the stage's own folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file; gives its path as an argument.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Files of the simulated repository.
    pub(crate) fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    /// `fleetfoot …` in a shell of somebody who may do everything: static AWS keys, a GitHub token.
    pub(crate) fn by_hand(&self, arguments: &[&str]) -> Fleetfoot {
        let keys = &self.world.keys;
        Fleetfoot::new(self.folder.path(), arguments)
            .env("AWS_ENDPOINT_URL", &self.world.aws.endpoint())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &keys.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key)
            .env("FLEETFOOT_STACK", STACK)
            .env("FLEETFOOT_GITHUB_TOKEN", &self.world.token)
            .env("FLEETFOOT_POLL", "100ms")
    }

    /// The same in a step of a job, as far as variables make one. It has no OIDC.
    pub(crate) fn in_job(&self, arguments: &[&str]) -> Fleetfoot {
        self.by_hand(arguments)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_RUN_ID", "4711")
            .env("GITHUB_RUN_ATTEMPT", "1")
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_WORKFLOW", "Build & test")
            .env("GITHUB_JOB", "launch")
            .env("GITHUB_ACTOR", "mona")
            .env("GITHUB_SERVER_URL", &self.world.github.server_url())
            .env("GITHUB_API_URL", &self.world.github.api_url())
            .env("GITHUB_OUTPUT", &self.path("output").display().to_string())
            .env("GITHUB_STEP_SUMMARY", &self.path("summary.md").display().to_string())
    }

    /// The stack document, changed, as a file; gives its path.
    pub(crate) fn stack_file(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut stack = self.world.stack.clone();
        change(&mut stack);
        self.file("stack.json", &stack.to_string())
    }

    /// Lets the launcher role trust this subject alone.
    pub(crate) fn only_trust(&self, subject: &str) {
        let host = self.issuer_host();
        let account = self.world.aws.account();
        let trust = json!({ "Version": "2012-10-17", "Statement": [ {
            "Effect": "Allow",
            "Principal": { "Federated": format!("arn:aws:iam::{account}:oidc-provider/{host}") },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": { format!("{host}:aud"): "sts.amazonaws.com",
                                             format!("{host}:sub"): subject } },
        } ] });
        self.world.aws.add_role(Role::new("fleetfoot-demo-launcher", trust, Vec::new())).unwrap();
    }

    /// The OIDC issuer as policies name it.
    pub(crate) fn issuer_host(&self) -> String {
        self.world.github.issuer().trim_start_matches("http://").to_owned()
    }

    /// A classic GitHub token of mona's with these scopes.
    pub(crate) fn token(&self, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        self.world.github.add_token(ACTOR, TokenKind::Classic { scopes }).unwrap()
    }

    /// A task definition for Fargate like the demo's, of another image.
    pub(crate) fn definition(&self, family: &str, image: &str) -> TaskDefinition {
        let role = |name: &str| Some(self.world.aws.role_arn(name));
        TaskDefinition {
            family: family.into(),
            cpu: Some("1024".into()),
            memory: Some("2048".into()),
            network_mode: Some(NetworkMode::Awsvpc),
            requires_compatibilities: vec!["FARGATE".into()],
            task_role_arn: role("fleetfoot-demo-task"),
            execution_role_arn: role("fleetfoot-demo-execution"),
            container_definitions: vec![ContainerDefinition {
                name: "runner".into(),
                image: image.into(),
                stop_timeout: Some(2),
                ..ContainerDefinition::default()
            }],
            ..TaskDefinition::default()
        }
    }

    /// Lets the pool Fargate run another image.
    pub(crate) fn use_image(&self, image: &str) {
        let definition = self.definition("fleetfoot-demo-other", image);
        self.world.aws.register_task_definition(definition).unwrap();
        self.change_stack(|stack| stack["pools"][0]["task_definition"] = "fleetfoot-demo-other".into());
    }

    /// Changes the stack document in its SSM parameter.
    pub(crate) fn change_stack(&self, change: impl FnOnce(&mut Value)) {
        let mut stack = self.world.stack.clone();
        change(&mut stack);
        self.world.aws.put_parameter(&format!("/fleetfoot/{STACK}"), &stack.to_string()).unwrap();
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "in vain waited until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
