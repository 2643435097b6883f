//! The infrastructure, as Terraform that is really applied: each example to a moto of its own.
//!
//! `cargo xtask test --only terraform` prepares a copy of `terraform/` and runs these tests; by themselves
//! they are ignored. What is asserted where: that the right things exist, in the examples' own
//! `*.tftest.hcl`; what of it is worth a second look from outside, here: that a second plan is empty and
//! that nothing is left in the end, what the policies say, and whether Fleetfoot can use what was made.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod again;
mod breadth;
mod build;
mod container;
mod document;
mod launch;
mod moto;
mod rights;
mod roles;
mod run;
mod stage;
mod trust;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use moto::Moto;
use rights::Parts;
use run::Made;

/// The region of all tests of Terraform's own. What is left behind is looked for there.
const REGION: &str = "eu-west-1";

/// The stack document that was applied.
fn stack_document(made: &Made) -> &str {
    let parameters = made.of_type("aws_ssm_parameter").into_iter();
    let mut documents = parameters.filter_map(|parameter| parameter.values["insecure_value"].as_str());
    documents.find(|text| text.starts_with('{')).unwrap_or_else(|| panic!("no stack document was made"))
}

/// Applies an example in its own tests, and looks at what is true of every one.
async fn applied(example: &str) -> Made {
    let moto = Moto::start(REGION).await;
    let tested = run::test(&run::folder().join("examples").join(example), &moto).await;
    again::assert_empty(tested.plan("again"));
    assert_eq!(moto.inventory().await, [""; 0], "left after everything was destroyed");

    let made = tested.state("apply");
    document::assert_accepted(stack_document(&made));
    container::assert_understood(&made);
    breadth::assert_narrow(&made);
    let parts = Parts::of(&made);
    assert_eq!(parts.region, REGION, "of the example's tests");
    let roles = roles::of(&made);
    let mut asked = Vec::new();
    let mut wrong = Vec::new();
    for role in &roles {
        if let Some(questions) = parts.questions(role) {
            wrong.extend(role.ask(&questions));
            asked.push(role.for_moto(&questions));
        }
        trust_of(role, &parts);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(asked.len() >= 2, "a stack has roles for tasks and for ECS");
    agrees(&moto, &parts.region, &asked);
    made
}

/// Each role is for one service alone, and for this stack; launchers are asked by each example.
fn trust_of(role: &roles::MadeRole, parts: &Parts) {
    let Parts { name, account, region, .. } = parts;
    match role.name.strip_prefix(&format!("{name}-")).unwrap() {
        own if own.starts_with("launcher-") => {}
        own if own.ends_with("-instance") => trust::assert_of_instances(role),
        "image-build" => trust::assert_of_source(role, "codebuild.amazonaws.com", &parts.project("x86-64")),
        "image-trigger" => {
            let schedule = format!("arn:aws:events:{region}:{account}:rule/{name}-image-schedule");
            trust::assert_of_source(role, "events.amazonaws.com", &schedule);
        }
        _ => trust::assert_of_tasks(role, parts),
    }
}

/// Asks moto, a reader of policies that is not ours.
fn agrees(moto: &Moto, region: &str, roles: &[Value]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/terraform/enforced.py");
    let mut script = Command::new(moto::helper("python")).arg(script).stdin(Stdio::piped()).spawn().unwrap();
    let task = json!({ "endpoint": moto.url(), "region": region, "roles": roles });
    script.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
    assert!(script.wait().unwrap().success(), "moto reads the policies otherwise");
}

/// What `fleetfoot connect --terraform-output` looks for, where jobs launch runners.
fn connectable(made: &Made) {
    let variables = made.output("workflow_variables").as_object().unwrap();
    assert_eq!(variables.keys().collect::<Vec<_>>(), ["AWS_REGION", "FLEETFOOT_ROLE", "FLEETFOOT_STACK"]);
    assert_eq!(made.output("stack_document"), stack_document(made));
}

/// The launcher role of this name.
fn launcher(made: &Made, name: &str) -> roles::MadeRole {
    let ending = format!("-launcher-{name}");
    roles::of(made).into_iter().find(|role| role.name.ends_with(&ending)).unwrap()
}

#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --only terraform"]
async fn quickstart() {
    let made = applied("quickstart").await;
    connectable(&made);
    let subjects = ["repo:acme/shop:environment:dev", "repo:acme@1/shop@2:environment:dev"];
    let not = [
        "repo:acme/shop:environment:prod",
        "repo:acme/shop:ref:refs/heads/main",
        "repo:acme/shop:pull_request",
        "repo:acme@1/shop@2:environment:dev2",
    ];
    trust::assert_launcher(&launcher(&made, "default"), &Parts::of(&made), &subjects, &not);
}

#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --only terraform"]
async fn ec2_cached() {
    let made = applied("ec2-cached").await;
    connectable(&made);
    // What the article gives its instances, and no more.
    let roles = roles::of(&made);
    let instance = roles.iter().find(|role| !role.managed.is_empty()).unwrap();
    let mut managed: Vec<&str> = instance.managed.iter().map(|arn| arn.rsplit('/').next().unwrap()).collect();
    managed.sort_unstable();
    assert_eq!(managed, ["AmazonEC2ContainerServiceforEC2Role", "AmazonSSMManagedInstanceCore"]);
    let template = made.of_type("aws_launch_template");
    let options = &template[0].values["metadata_options"][0];
    assert_eq!(
        (&options["http_tokens"], &options["http_put_response_hop_limit"]),
        (&json!("required"), &json!(1))
    );
}

#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --only terraform"]
async fn existing_vpc() {
    let made = applied("existing-vpc").await;
    connectable(&made);
    for network in ["aws_vpc", "aws_subnet", "aws_internet_gateway", "aws_nat_gateway"] {
        assert!(made.of_type(network).is_empty(), "{network} was made");
    }
    let parts = Parts::of(&made);
    let anywhere = [
        "repo:acme/shop:ref:refs/heads/topic/a",
        "repo:acme/shop:ref:refs/tags/v1",
        "repo:acme/shop:pull_request",
        "repo:acme@1/shop@2:pull_request",
    ];
    let environment = ["repo:acme/shop:environment:dev"];
    trust::assert_launcher(&launcher(&made, "default"), &parts, &anywhere, &environment);
    let releases = ["repo:acme/shop:ref:refs/heads/main", "repo:acme@1/shop@2:ref:refs/tags/v1.2"];
    let not = [
        "repo:acme/shop:pull_request",
        "repo:acme/shop:ref:refs/heads/main2",
        "repo:acme/shop:ref:refs/heads/topic",
        "repo:acme/shop:ref:refs/tags/x1",
        environment[0],
    ];
    trust::assert_launcher(&launcher(&made, "release"), &parts, &releases, &not);
}

#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --only terraform"]
async fn organisation_autoscaler() {
    let made = applied("organisation-autoscaler").await;
    assert!(roles::of(&made).iter().all(|role| !role.name.contains("-launcher-")));
}

#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --only terraform"]
async fn seed() {
    let made = applied("seed").await;
    connectable(&made);
    // What the image is built from is there before the word that starts a build.
    let objects = made.of_type("aws_s3_object");
    assert_eq!(objects.iter().map(|object| object.text("key")).collect::<Vec<_>>(), ["image/Dockerfile"]);
    let parameters = made.of_type("aws_ssm_parameter");
    assert!(parameters.iter().any(|parameter| parameter.text("name") == "/fleetfoot/seed/image/source"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --only terraform"]
async fn a_runner_is_launched_from_what_terraform_made() {
    launch::a_runner_in_every_pool().await;
}

/// Every field of the stack document has a way from Terraform into it.
#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --only terraform"]
async fn every_field_can_be_written() {
    let moto = Moto::start(REGION).await;
    let tested = run::test(&run::folder().join("modules/stack"), &moto).await;
    let mut left = document::fields_of_schema();
    for run in ["every_field", "launch_type"] {
        let made = tested.state(run);
        for field in document::assert_accepted(stack_document(&made)) {
            left.remove(&field);
        }
    }
    assert!(left.is_empty(), "Terraform cannot write {left:?}");
}

/// What is wrong is refused, with words that help, before anything is made.
#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --only terraform"]
async fn what_is_wrong_is_refused() {
    let moto = Moto::start(REGION).await;
    run::test(&run::folder(), &moto).await;
    for module in std::fs::read_dir(run::folder().join("modules")).unwrap() {
        let module = module.unwrap().path();
        assert!(module.join("tests").is_dir(), "{} has no tests", module.display());
        // That one really applies, and has a test of its own.
        if !module.ends_with("stack") {
            run::test(&module, &moto).await;
        }
    }
}
