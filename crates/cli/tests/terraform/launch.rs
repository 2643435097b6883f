//! Applied by hand as the README says, and then used: a workflow starts a runner from the stack document
//! that Terraform wrote.
//!
//! SSM and S3 are moto's, where everything was applied. ECS and STS are our simulator's, because moto's are
//! of no use here: its RunTask cannot be read by the SDK, and it lets everybody take every role. So the
//! simulator is told what Terraform made (`stage.rs`).

use std::path::PathBuf;

use fleetfoot::demo::world::{REGION, REPOSITORY};
use serde_json::{Value, json};

use super::again;
use super::build;
use super::moto::Moto;
use super::run::{self, Made};
use super::stage::Stage;

/// The example that is launched from: the layout of the article that the project grew from.
const EXAMPLE: &str = "seed";

/// A job that asks whether a start would work.
const LOOK: &str = "name: look
on: workflow_dispatch
jobs:
  look:
    runs-on: ubuntu-latest
    environment: dev
    permissions: { id-token: write, contents: read }
    steps:
      - run: fleetfoot doctor
        env: ENVIRONMENT
";

/// A job that starts a runner in a pool, and one that runs on it.
const WORKFLOW: &str = "name: launch
on: workflow_dispatch
jobs:
  start:
    runs-on: ubuntu-latest
    environment: dev
    permissions: { id-token: write, contents: read }
    outputs:
      runs-on: ${{ steps.runner.outputs.runs-on }}
    steps:
      - id: runner
        run: fleetfoot start --pool POOL
        env: ENVIRONMENT
  build:
    needs: start
    runs-on: ${{ fromJSON(needs.start.outputs.runs-on) }}
    steps:
      - run: echo built on Terraform
";

/// Terraform in the folder of the example, where its state is, too: the folder is a copy.
struct Applied {
    moto: Moto,
    folder: PathBuf,
}

impl Applied {
    /// Runs a command that takes variables.
    async fn terraform(&self, arguments: &[&str]) {
        let (region, repository) = (format!("-var=region={REGION}"), format!("-var=repository={REPOSITORY}"));
        let rest = ["-input=false", "-no-color", &region, &repository];
        run::succeed(&self.folder, &[arguments, &rest[..]].concat(), &self.moto).await;
    }

    /// What `terraform show` says of the state, or of the file of a plan.
    async fn show(&self, plan: &[&str]) -> Value {
        let shown = run::succeed(&self.folder, &[&["show", "-json"], plan].concat(), &self.moto).await;
        serde_json::from_str(&shown).unwrap()
    }
}

/// Applies, launches from what is there, and destroys.
pub(super) async fn a_runner_in_every_pool() {
    let folder = run::folder().join("examples").join(EXAMPLE);
    let applied = Applied { moto: Moto::start(REGION).await, folder };
    applied.terraform(&["apply", "-auto-approve"]).await;
    assert!(!applied.moto.inventory().await.is_empty(), "nothing has the stack's tag");
    let made = Made::of_show(&applied.show(&[]).await);
    let image = build::run(&made, &applied.moto, "x86_64").await;

    // A new image is in use without Terraform, which then finds that all is as it wants it.
    applied.terraform(&["plan", "-out=plan"]).await;
    again::assert_empty(&applied.show(&["plan"]).await);
    run::succeed(&applied.folder, &["apply", "-input=false", "-no-color", "plan"], &applied.moto).await;
    let made = Made::of_show(&applied.show(&[]).await);
    for definition in made.of_type("aws_ecs_task_definition") {
        assert!(
            definition.text("container_definitions").contains(&image),
            "{} is not followed",
            definition.address
        );
        assert_eq!(definition.values["tags_all"]["fleetfoot:runner-version"], build::NEWEST);
    }

    // It denies whatever comes without TLS, and so does moto, which weighs no condition.
    for policy in made.of_type("aws_s3_bucket_policy") {
        applied.moto.delete(&format!("{}?policy", policy.text("bucket"))).await;
    }
    let stage = Stage::new(&made, &applied.moto).await;
    let stack = address_github(&stage, &applied.moto, made.output("stack_parameter").as_str().unwrap()).await;
    let logs = stage.run(&LOOK.replace("ENVIRONMENT", &environment(&stage, &applied.moto, &stack))).await;
    assert_well(&logs["look"]);
    for pool in stack["pools"].as_array().unwrap() {
        launch(&stage, &applied.moto, &stack, pool["name"].as_str().unwrap()).await;
    }
    stage.close().await;

    applied.terraform(&["destroy", "-auto-approve"]).await;
    let mut left = applied.moto.inventory().await;
    // What Terraform registered, and the build has put others in the place of: it costs nothing.
    left.retain(|arn| !(arn.contains(":task-definition/") && arn.ends_with(":1")));
    assert_eq!(left, [""; 0], "left after everything was destroyed");
}

/// Lets the stack document name the simulated GitHub. All else stays as Terraform wrote it.
async fn address_github(stage: &Stage, moto: &Moto, parameter: &str) -> Value {
    let answer = moto.call("ssm", "AmazonSSM.GetParameter", &json!({ "Name": parameter })).await;
    let mut stack: Value = serde_json::from_str(answer["Parameter"]["Value"].as_str().unwrap()).unwrap();
    stack["github"]["url"] = format!("{}/{REPOSITORY}", stage.world.github.server_url()).into();
    stack["github"]["api_url"] = stage.world.github.api_url().into();
    let put = json!({ "Name": parameter, "Value": stack.to_string(), "Type": "String", "Overwrite": true });
    moto.call("ssm", "AmazonSSM.PutParameter", &put).await;
    stack
}

/// What a job needs to know: the variables that Terraform gives for it, and where AWS is here.
fn environment(stage: &Stage, moto: &Moto, stack: &Value) -> String {
    let aws = stage.world.aws.endpoint();
    let environment = json!({
        "FLEETFOOT_STACK": stack["name"],
        "FLEETFOOT_ROLE": stack["launcher_role"],
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": moto.url(),
        "AWS_ENDPOINT_URL_ECS": aws,
        "AWS_ENDPOINT_URL_STS": aws,
        "FLEETFOOT_GITHUB_TOKEN": "${{ secrets.FLEETFOOT_GITHUB_TOKEN }}",
    });
    environment.to_string()
}

/// Fails unless doctor finds everything as it should be, but for what moto does not have.
fn assert_well(said: &str) {
    let states = ["ok", "note", "skipped", "warning", "problem"];
    let mut well = 0;
    for line in said.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("ok"), Some(_)) => well += 1,
            // moto knows no quota of Fargate; the network of instances is not looked at.
            (Some("warning"), Some("quota")) | (Some("note"), Some("way-out")) => {}
            (Some(state), Some(_)) => assert!(!states.contains(&state) || !line.starts_with("  "), "{said}"),
            _ => {}
        }
    }
    assert!(well >= 28, "{said}");
}

/// Runs the workflow on a pool.
async fn launch(stage: &Stage, moto: &Moto, stack: &Value, pool: &str) {
    let jobs = WORKFLOW.replace("POOL", pool).replace("ENVIRONMENT", &environment(stage, moto, stack));
    let before = stage.world.aws.tasks().len();
    let logs = stage.run(&jobs).await;
    assert!(logs["build"].contains("built on Terraform"), "{logs:#?}");
    let tasks = stage.world.aws.tasks();
    assert_eq!(tasks.len(), before + 1, "one task in {pool}");
    assert_eq!(json!(tasks[before].cluster), stack["cluster"]);
    // The mail went through moto's bucket, and was taken.
    let book = &stage.world.book;
    assert_eq!(book.count("s3", "PutObject") + book.count("ssm", "GetParameter"), 0);
    let bucket = stack["mailbox"]["bucket"].as_str().unwrap();
    let left = reqwest::get(format!("{}/{bucket}", moto.url())).await.unwrap().text().await.unwrap();
    assert!(left.contains("<Name>") && !left.contains("<Key>"), "{left}");
}
