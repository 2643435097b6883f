//! What the image is, before anything runs in it.

use serde_json::{Value, json};

use crate::images::{CONTEXT, Context, OFFICIAL, READ_ONLY, RUNNER, runner};
use crate::podman;

fn inspect(image: &str) -> Value {
    let mut images: Value = serde_json::from_str(&podman::call(&["image", "inspect", image])).unwrap();
    images[0].take()
}

#[test]
#[ignore = "needs podman; cargo xtask test --only container"]
fn it_says_what_it_is_and_what_to_do() {
    let image = runner(
        "localhost/labelled",
        &[
            "--build-arg=RUNNER_VERSION=2.999.0",
            "--build-arg=FLEETFOOT_VERSION=1.2.3",
            "--build-arg=SOURCE=https://github.com/acme/fleetfoot",
        ],
    );
    let config = &inspect(&image)["Config"];
    assert_eq!(config["Entrypoint"], json!(["/usr/local/bin/fleetfoot", "agent"]));
    assert_eq!(config["User"], "root");
    assert_eq!(config["WorkingDir"], "/home/runner");
    assert_eq!(config["StopSignal"], "SIGTERM");
    assert_eq!(config["Volumes"], Value::Null, "Docker would copy the runner for each container");
    for (label, value) in [
        ("org.opencontainers.image.version", "1.2.3-2.999.0"),
        ("org.opencontainers.image.source", "https://github.com/acme/fleetfoot"),
        ("com.github.actions.runner.version", "2.999.0"),
    ] {
        assert_eq!(config["Labels"][label], value, "{label}");
    }
    let volumes = &inspect(&READ_ONLY)["Config"]["Volumes"];
    assert_eq!(*volumes, json!({ "/home/runner": {}, "/tmp": {}, "/var/tmp": {} }));
}

#[test]
#[ignore = "needs podman; cargo xtask test --only container"]
fn the_same_inputs_make_the_same_image() {
    assert_eq!(runner("localhost/again", &[]), *RUNNER);
}

/// Beside the binary there is next to nothing.
#[test]
#[ignore = "needs podman; cargo xtask test --only container"]
fn it_adds_the_binary_and_no_more() {
    let size = |image: &str| inspect(image)["Size"].as_u64().unwrap();
    let binary = std::fs::metadata(crate::common::PROGRAM).unwrap().len();
    let added = size(&RUNNER) - size(OFFICIAL);
    assert!(added - binary < 1024 * 1024, "{added} bytes, {binary} of them the binary");
}

#[test]
#[ignore = "needs podman; cargo xtask test --only container"]
fn jobs_may_become_root_only_where_the_builder_says_so() {
    let become_root = |image: &str| {
        let options = ["--user=runner", "--entrypoint=sudo"];
        podman::run(&[&options[..], &[image, "--non-interactive", "id", "--user"]].concat())
    };
    let (code, said) = become_root(&RUNNER);
    assert!(code != 0 && said.contains("setuid bit"), "{said}");
    let kept = runner("localhost/with-sudo", &["--build-arg=SUDO=keep"]);
    assert_eq!(become_root(&kept), (0, "0\n".to_owned()));
}

#[test]
#[ignore = "needs podman; cargo xtask test --only container"]
fn what_does_not_fit_together_is_not_built() {
    let refused = |options: &[&str]| {
        let (built, said) = podman::try_build(&Context::dockerfile(), CONTEXT.path(), options);
        assert!(!built, "{said}");
        said
    };
    let base = format!("--build-arg=BASE={OFFICIAL}");
    let said = refused(&[&base, "--build-arg=SUDO=no"]);
    assert!(said.contains("SUDO is remove or keep, not no"), "{said}");
    let said = refused(&["--build-arg=BASE=localhost/system"]);
    assert!(said.contains("no such user"), "{said}");
}
