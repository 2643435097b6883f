//! The build of the image, run with its buildspec as CodeBuild would run it. Docker is written down and not
//! run; all that a build says to AWS goes to moto, where the stack is.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use fleetfoot::demo::world::REGION;
use serde_json::json;

use super::moto::{Moto, helper};
use super::run::Made;

/// The runner that the build is told is GitHub's newest; the simulated GitHub says the same.
pub(super) const NEWEST: &str = "2.336.0";

/// Runs the build of an architecture; gives the image's name.
pub(super) async fn run(made: &Made, moto: &Moto, arch: &str) -> String {
    let projects = made.of_type("aws_codebuild_project");
    let project = projects.iter().find(|project| project.text("name").ends_with(&arch.replace('_', "-")));
    let project = project.unwrap().values;
    let variables = project["environment"][0]["environment_variable"].as_array().unwrap().iter();
    let environment: BTreeMap<&str, &str> = variables
        .map(|variable| (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap()))
        .collect();
    let calls = build(&json!({
        "buildspec": project["source"][0]["buildspec"],
        "environment": environment,
        "endpoint": moto.url(),
        "region": REGION,
    }));
    let parameter = json!({ "Name": environment["IMAGE_PARAMETER"] });
    let answer = moto.call("ssm", "AmazonSSM.GetParameter", &parameter).await;
    let image = answer["Parameter"]["Value"].as_str().unwrap().to_owned();
    assert!(image.starts_with(&format!("{}:{NEWEST}-", environment["REPOSITORY_URL"])), "{image}");
    let [login, built, pushed] = calls.lines().collect::<Vec<_>>()[..] else { panic!("{calls}") };
    assert!(login.starts_with("docker login --username AWS --password-stdin"), "{login}");
    for argument in [
        &format!("--tag {image}"),
        &format!("--build-arg BASE=ghcr.io/actions/actions-runner:{NEWEST}"),
        "--build-arg SUDO=remove",
        "--build-arg TARGETARCH=amd64",
    ] {
        assert!(built.contains(argument), "{argument}: {built}");
    }
    assert_eq!(pushed, format!("docker push {image}"));
    image
}

fn build(task: &serde_json::Value) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/terraform/build.py");
    let mut script = Command::new(helper("python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    script.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
    let ended = script.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}
