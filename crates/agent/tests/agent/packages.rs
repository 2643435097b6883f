//! Packages that are installed before the runner starts. The installer is a script here.

use std::path::Path;
use std::time::{Duration, Instant};

use fleetfoot_core::exit::AgentExit;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::stage::{Stage, job};

/// Writes down how it was called.
const INSTALLER: &str = r#"
for argument in "$@"; do echo "$argument"; done >> arguments
env | sort > installer_environment
echo "Reading package lists..."
"#;

fn with_packages(packages: &[&str], installer: &str) -> Stage {
    let names = packages.iter().map(ToString::to_string).collect();
    let stage = Stage::registering(&job("0", "Succeeded", 100)).but(|it| it.packages = names);
    stage.program("apt-get", installer)
}

#[test]
fn they_are_arguments_and_the_installer_gets_no_secret() {
    if !geteuid().is_root() {
        println!("not root: the agent installs nothing");
        return;
    }
    let mut stage = with_packages(&["jq=1.6-2.1", "g++"], INSTALLER);
    for (name, value) in [("GITHUB_PAT", "ghp_secret"), ("https_proxy", "http://proxy"), ("FLEETFOOT_X", "1")]
    {
        stage.environment.push((name.to_owned(), value.to_owned()));
    }
    let ended = stage.play().is(AgentExit::JobSucceeded);
    let arguments = ended.file("arguments");
    let words: Vec<&str> = arguments.lines().filter(|word| !word.contains("::") && *word != "-o").collect();
    assert_eq!(words, ["update", "install", "--yes", "--", "jq=1.6-2.1", "g++", "clean"]);
    let environment = ended.file("installer_environment");
    assert!(environment.contains("DEBIAN_FRONTEND=noninteractive\n"), "{environment}");
    assert!(environment.contains("https_proxy=http://proxy\n"), "{environment}");
    assert!(!environment.contains("ghp_secret") && !environment.contains("FLEETFOOT"), "{environment}");
    assert_eq!(ended.has("Reading package lists...")["stream"], "packages");
}

#[test]
fn a_package_that_cannot_be_had_ends_it_before_anything_is_registered() {
    let installer = "[ $5 = update ] || { echo 'E: Unable to locate package nope' >&2; exit 100; }\n";
    if !geteuid().is_root() {
        println!("not root: the agent installs nothing");
        return;
    }
    let stage = with_packages(&["nope"], installer);
    let ended = stage.play().is(AgentExit::ImageUnfit);
    let error = ended.line("cannot become a runner")["error"].as_str().unwrap();
    assert!(
        error.contains("`apt-get install` ended with exit status: 100: E: Unable to locate package nope"),
        "{error}"
    );
    assert!(ended.calls().is_empty());
}

#[test]
fn only_root_installs() {
    let mut stage = with_packages(&["jq"], INSTALLER);
    stage.as_nobody = geteuid().is_root();
    let ended = stage.play().is(AgentExit::ImageUnfit);
    ended.has("cannot install packages: only root may, and the agent's user id is ");
    assert!(ended.calls().is_empty());
}

#[test]
fn an_image_without_apt_get_is_told() {
    if !geteuid().is_root() {
        println!("not root: the agent installs nothing");
        return;
    }
    let mut stage = with_packages(&["jq"], "");
    stage.environment = vec![("PATH".to_owned(), "/nowhere".to_owned())];
    let ended = stage.play().is(AgentExit::ImageUnfit);
    ended.has("`apt-get update` cannot be started");
}

#[test]
fn an_installation_that_hangs_is_ended_with_all_it_started() {
    if !geteuid().is_root() {
        println!("not root: the agent installs nothing");
        return;
    }
    let stage = with_packages(&["jq"], "sleep 987 & echo $! > child\nwait\n");
    let started = Instant::now();
    let ended = stage.but(|it| it.packages_timeout_ms = 700).play().is(AgentExit::ImageUnfit);
    assert!(started.elapsed() < Duration::from_secs(10));
    ended.has("`apt-get update` was not done");
    gone(&ended.file("child"));
}

#[test]
fn a_stop_ends_the_installation() {
    if !geteuid().is_root() {
        println!("not root: the agent installs nothing");
        return;
    }
    let stage = with_packages(&["jq"], "sleep 987 & echo $! > child\necho hanging\nwait\n");
    let agent = stage.start();
    agent.wait_for("hanging");
    agent.signal(Signal::SIGTERM);
    let ended = agent.end().is(AgentExit::Terminated);
    assert!(ended.calls().is_empty());
    gone(&ended.file("child"));
}

fn gone(pid: &str) {
    let stat = Path::new("/proc").join(pid.trim()).join("stat");
    let deadline = Instant::now() + Duration::from_secs(5);
    // Killed, it is a zombie until its new parent looks after it.
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "it still lives");
        std::thread::sleep(Duration::from_millis(20));
    }
}
