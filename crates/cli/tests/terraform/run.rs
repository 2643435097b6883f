//! `terraform test` as a process, and what its machine-readable output tells.
//!
//! Source of the messages: Terraform documentation, "Machine-readable UI" and "JSON output format".

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::Command;

use super::moto::Moto;

/// For everything in one folder, which takes three minutes: moto's answers to calls that it does not know are
/// tried again for ever so long. On a busy machine it may take its time.
const PATIENCE: Duration = Duration::from_mins(15);

/// The copy of `terraform/` that `cargo xtask test` has initialised.
pub(super) fn folder() -> PathBuf {
    std::env::var_os("FLEETFOOT_TERRAFORM").expect("`cargo xtask test` sets FLEETFOOT_TERRAFORM").into()
}

/// What a folder's tests have said, all of them passed.
pub(super) struct Tested {
    messages: Vec<Value>,
}

/// Runs all tests of a folder.
pub(super) async fn test(folder: &Path, moto: &Moto) -> Tested {
    let arguments = ["test", "-json", "-verbose", "-no-color"];
    let output = terraform(folder, &arguments, moto).await;
    let messages = output.said.lines().filter_map(|line| serde_json::from_str(line).ok());
    let tested = Tested { messages: messages.collect() };
    assert!(output.success, "{}:\n{}{}", folder.display(), tested.problems(), output.complained);
    let summary = tested.of_type("test_summary").next();
    let summary = summary.unwrap_or_else(|| panic!("no summary: {}", output.said));
    let count = |what: &str| summary["test_summary"][what].as_u64().unwrap();
    // Without any tests Terraform would be content, too.
    assert!(count("passed") > 0 && count("failed") + count("errored") + count("skipped") == 0, "{summary}");
    tested
}

/// How a call of Terraform ended.
struct Output {
    success: bool,
    said: String,
    complained: String,
}

/// Runs Terraform in a folder, against moto alone, and gives what it prints.
pub(super) async fn succeed(folder: &Path, arguments: &[&str], moto: &Moto) -> String {
    let Output { success, said, complained } = terraform(folder, arguments, moto).await;
    assert!(success, "terraform {} in {}:\n{said}{complained}", arguments.join(" "), folder.display());
    said
}

async fn terraform(folder: &Path, arguments: &[&str], moto: &Moto) -> Output {
    let mut command = Command::new("terraform");
    command
        .args(arguments)
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", moto.url())
        .env("AWS_ACCESS_KEY_ID", "moto")
        .env("AWS_SECRET_ACCESS_KEY", "moto")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // The provider is a process of its own: both are ended together.
        .process_group(0)
        .kill_on_drop(true);
    // What whoever runs the tests has in the environment must not decide which account is used.
    for own in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"] {
        command.env_remove(own);
    }
    let child = command.spawn().unwrap();
    let group = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    let Ok(output) = tokio::time::timeout(PATIENCE, child.wait_with_output()).await else {
        // If all of them have just ended, there is nobody to kill.
        let _ = killpg(group, Signal::SIGKILL);
        panic!("terraform {} in {} does not end", arguments.join(" "), folder.display());
    };
    let output = output.unwrap();
    Output {
        success: output.status.success(),
        said: String::from_utf8(output.stdout).unwrap(),
        complained: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Tested {
    fn of_type(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.messages.iter().filter(move |message| message["type"] == kind)
    }

    /// What went wrong, for a reader.
    fn problems(&self) -> String {
        let errors =
            self.of_type("diagnostic").filter(|message| message["diagnostic"]["severity"] == "error");
        let texts = errors.map(|message| {
            let (run, what) = (&message["@testrun"], &message["diagnostic"]);
            format!("run {run}: {}\n{}\n", what["summary"], what["detail"].as_str().unwrap_or_default())
        });
        texts.collect()
    }

    /// The state after a run, as `terraform show -json` has it.
    pub(super) fn state(&self, run: &str) -> Made {
        let mut states = self.of_type("test_state").filter(|message| message["@testrun"] == run);
        let message = states.next().unwrap_or_else(|| panic!("no run {run} that applies"));
        Made { state: message["test_state"].clone() }
    }

    /// The plan of a run, as `terraform show -json` has it.
    pub(super) fn plan(&self, run: &str) -> &Value {
        let mut plans = self.of_type("test_plan").filter(|message| message["@testrun"] == run);
        &plans.next().unwrap_or_else(|| panic!("no run {run} that plans"))["test_plan"]
    }
}

/// What Terraform has made.
pub(super) struct Made {
    state: Value,
}

/// One resource.
pub(super) struct Resource<'a> {
    pub(super) address: &'a str,
    pub(super) kind: &'a str,
    pub(super) values: &'a Value,
}

impl Resource<'_> {
    /// A value that is text.
    pub(super) fn text(&self, name: &str) -> &str {
        self.values[name].as_str().unwrap_or_else(|| panic!("{} has no {name}", self.address))
    }
}

impl Made {
    /// From the output of `terraform show -json`.
    pub(super) fn of_show(shown: &Value) -> Self {
        Self { state: shown["values"].clone() }
    }

    /// All resources, those of modules included; data sources are none.
    pub(super) fn resources(&self) -> Vec<Resource<'_>> {
        let mut found = Vec::new();
        collect(&self.state["root_module"], &mut found);
        found
    }

    /// All resources of a type.
    pub(super) fn of_type(&self, kind: &str) -> Vec<Resource<'_>> {
        let mut found = self.resources();
        found.retain(|resource| resource.kind == kind);
        found
    }

    /// An output's value.
    pub(super) fn output(&self, name: &str) -> &Value {
        &self.state["outputs"][name]["value"]
    }
}

fn collect<'a>(module: &'a Value, found: &mut Vec<Resource<'a>>) {
    let list = |name: &str| module[name].as_array().map(Vec::as_slice).unwrap_or_default();
    for resource in list("resources").iter().filter(|resource| resource["mode"] == "managed") {
        found.push(Resource {
            address: resource["address"].as_str().unwrap(),
            kind: resource["type"].as_str().unwrap(),
            values: &resource["values"],
        });
    }
    for child in list("child_modules") {
        collect(child, found);
    }
}
