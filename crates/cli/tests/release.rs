//! A release has what the Action fetches: the workflow's own commands pack and sum up binaries, and the Action's own
//! script installs them from there.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const VERSION: &str = "9.8.7";

/// What the Action calls a machine, and what a release calls it.
const MACHINES: [(&str, &str, &str); 4] = [
    ("Linux", "X64", "x86_64-unknown-linux-gnu"),
    ("Linux", "ARM64", "aarch64-unknown-linux-gnu"),
    ("macOS", "X64", "x86_64-apple-darwin"),
    ("macOS", "ARM64", "aarch64-apple-darwin"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn workflow() -> String {
    fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap()
}

/// The command of a step of the workflow that is one line, or folded into one.
fn command(step: &str) -> String {
    let workflow = workflow();
    let (_, rest) = workflow.split_once(&format!("- name: {step}\n")).unwrap();
    let (_, rest) = rest.split_once("run: ").unwrap();
    match rest.strip_prefix(">-\n") {
        Some(folded) => {
            let lines = folded.lines().take_while(|line| line.starts_with("          "));
            lines.map(str::trim).collect::<Vec<_>>().join(" ")
        }
        None => rest.lines().next().unwrap().to_owned(),
    }
}

fn bash(script: &str, folder: &Path, environment: &[(&str, &str)]) -> Output {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).current_dir(folder).envs(environment.iter().copied());
    bash.output().unwrap()
}

/// Runs a step of the workflow that must not fail.
fn step(name: &str, folder: &Path, environment: &[(&str, &str)]) {
    let output = bash(&command(name), folder, environment);
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A folder with the releases' page below it, as GitHub lays it out.
fn release() -> TempDir {
    let site = tempfile::tempdir().unwrap();
    let build = site.path().join("build");
    fs::create_dir(&build).unwrap();
    fs::write(build.join("LICENSE"), "").unwrap();
    fs::write(build.join("fleetfoot.cdx.json"), "{}").unwrap();
    for (_, _, target) in MACHINES {
        let binary = build.join("fleetfoot");
        fs::write(&binary, format!("#!/bin/sh\necho fleetfoot {VERSION} for {target}\n")).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        step("Pack", &build, &[("TARGET", target)]);
    }
    step("Sum up", &build, &[]);
    // Of `gh release create` only the files are of interest, which the shell expands.
    let published = command("Make the release")
        .replace("gh release create", "publish")
        .replace("\"$GITHUB_REF_NAME\"", "");
    let page = site.path().join("releases/download").join(format!("v{VERSION}"));
    fs::create_dir_all(&page).unwrap();
    let publish = format!(
        "publish() {{ for file in \"$@\"; do case $file in --*) ;; *) cp \"$file\" '{}' ;; esac; done; }}\n{published}",
        page.display()
    );
    let output = bash(&publish, &build, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    site
}

/// What the Action's script says, and the folder that it put on the PATH.
fn install(site: &Path, (os, arch): (&str, &str)) -> (bool, String, Option<PathBuf>) {
    let here = tempfile::tempdir_in(site).unwrap().keep();
    let (path, releases) = (here.join("path"), format!("file://{}/releases", site.display()));
    fs::write(&path, "").unwrap();
    let output = Command::new(root().join("action/install.sh"))
        .env_clear()
        // Nothing that is installed on this machine counts.
        .env("PATH", "/usr/bin:/bin")
        .env("RUNNER_OS", os)
        .env("RUNNER_ARCH", arch)
        .env("RUNNER_TEMP", &here)
        .env("GITHUB_PATH", &path)
        .env("FLEETFOOT_VERSION", format!("v{VERSION}"))
        .env("FLEETFOOT_RELEASES", releases)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let folder = fs::read_to_string(path).unwrap().lines().next().map(PathBuf::from);
    (output.status.success(), String::from_utf8_lossy(&said).into_owned(), folder)
}

#[test]
fn every_machine_of_the_action_finds_its_binary() {
    let site = release();
    for (os, arch, target) in MACHINES {
        assert!(workflow().contains(&format!("target: {target} }}")), "{target} is not built");
        let (installed, said, folder) = install(site.path(), (os, arch));
        assert!(installed, "{said}");
        let binary = Command::new(folder.unwrap().join("fleetfoot")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&binary.stdout), format!("fleetfoot {VERSION} for {target}\n"));
    }
    let built = workflow().lines().filter(|line| line.contains("- { os: ")).count();
    assert_eq!(built, MACHINES.len(), "what is built is what the Action knows");
}

#[test]
fn what_the_sums_do_not_know_is_not_installed() {
    let site = release();
    let archive = format!("releases/download/v{VERSION}/fleetfoot-{}.tar.gz", MACHINES[0].2);
    fs::write(site.path().join(archive), "another").unwrap();
    let (installed, said, folder) = install(site.path(), ("Linux", "X64"));
    assert!(!installed && said.contains("the checksum of"), "{said}");
    assert_eq!(folder, None);
}
