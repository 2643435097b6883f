//! podman, with a store of its own for all of these tests.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its default limits are more than some machines allow.
const LIMITS: [&str; 2] = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];

/// The folder that the step made for podman.
fn rooms() -> PathBuf {
    let folder = std::env::var_os("FLEETFOOT_CONTAINERS");
    folder.expect("`cargo xtask test --only container` sets FLEETFOOT_CONTAINERS").into()
}

/// The words that begin each call: the program and where it keeps things.
pub(crate) fn words() -> Vec<OsString> {
    let mut words = vec![OsString::from("podman")];
    for (option, folder) in [("--root=", "store"), ("--runroot=", "run")] {
        let mut word = OsString::from(option);
        word.push(rooms().join(folder));
        words.push(word);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join("runc").is_file()) {
        words.push("--runtime=runc".into());
    }
    words
}

fn podman(arguments: &[&str]) -> Command {
    let words = words();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(arguments);
    command
}

/// What podman answers; it must not fail.
pub(crate) fn call(arguments: &[&str]) -> String {
    let output = podman(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "podman {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Builds an image, from nothing that was built before; gives its id.
pub(crate) fn build(name: &str, file: &Path, context: &Path, options: &[&str]) -> String {
    let (file, context) = (file.to_str().unwrap(), context.to_str().unwrap());
    let how = ["build", "--quiet", "--pull=never", "--no-cache", "--tag", name, "--file", file];
    call(&[&how[..], &LIMITS, options, &[context]].concat())
}

/// How a build ends that may fail, and what it says.
pub(crate) fn try_build(file: &Path, context: &Path, options: &[&str]) -> (bool, String) {
    let (file, context) = (file.to_str().unwrap(), context.to_str().unwrap());
    let how = ["build", "--pull=never", "--file", file];
    let output = podman(&[&how[..], &LIMITS, options, &[context]].concat()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs a container to its end; gives its exit code and what it wrote.
pub(crate) fn run(arguments: &[&str]) -> (i32, String) {
    let output = podman(&[&["run", "--rm"][..], &LIMITS, arguments].concat()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
}

/// A shell's line that becomes a container of this image, with the variables of the shell's own environment.
pub(crate) fn script(image: &str, options: &[&str]) -> String {
    let words = words();
    let words: Vec<String> = words.iter().map(|word| quoted(word.to_str().unwrap())).collect();
    let options: Vec<String> = LIMITS.iter().chain(options).map(|option| quoted(option)).collect();
    format!(
        r#"#!/bin/bash
# The machine's own stays with the machine. In the container there is no file of ECS's with the token.
given=()
for name in $(compgen -e); do
  case $name in
    PATH | PWD | OLDPWD | SHLVL | _ | AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) ;;
    *) given+=(--env "$name") ;;
  esac
done
exec {} run --rm --network=host "${{given[@]}}" {} {image}
"#,
        words.join(" "),
        options.join(" ")
    )
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
