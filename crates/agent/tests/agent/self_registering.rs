//! The agent without a launcher: it registers its runner, and takes back what no job has used up.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use fleetfoot_core::exit::AgentExit;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::stage::{BUSY, SECRET, Stage, WAITING, job};

#[test]
fn a_job_runs_and_uses_up_the_registration() {
    let script = format!("env > environment\n{}", job("1.2", "Succeeded", 100));
    let mut stage = Stage::registering(&script);
    for (name, value) in [("GITHUB_PAT", "ghp_secret"), ("RUNNER_TOKEN", "AAAA"), ("RUNNER_NAME", "mine")] {
        stage.environment.push((name.to_owned(), value.to_owned()));
    }
    stage.orders.pass_env = vec!["GITHUB_PAT".to_owned()];
    let ended = stage.play().is(AgentExit::JobSucceeded);
    assert_eq!(ended.phases(), ["bound", "online", "busy", "done"]);
    assert_eq!(ended.calls(), ["mint mine self-hosted,mine"]);
    assert_eq!(ended.line("agent ends")["runner"], "mine");
    let environment = ended.file("environment");
    assert!(environment.contains(&format!("ACTIONS_RUNNER_INPUT_JITCONFIG={SECRET}")));
    assert!(!environment.contains("ghp_secret") && !environment.contains("AAAA"), "{environment}");
}

#[test]
fn a_failed_job_is_told_like_any() {
    Stage::registering(&job("0", "Failed", 102)).play().is(AgentExit::JobFailed);
}

#[test]
fn a_runner_without_a_job_is_deregistered() {
    let idle = Stage::registering(WAITING).but(|it| it.idle_timeout = 1).play().is(AgentExit::Idle);
    assert_eq!(idle.calls(), ["mint mine self-hosted,mine", "delete 42"]);
    assert!(idle.registered().is_empty());
    let broken = Stage::registering("exit 1\n").play().is(AgentExit::RunnerFailed);
    assert!(broken.registered().is_empty());
}

#[test]
fn a_runner_that_cannot_be_started_is_deregistered() {
    let stage = Stage::registering("");
    std::fs::write(stage.runner_dir().join("bin/Runner.Listener"), b"\x7fELF of another machine").unwrap();
    let ended = stage.play().is(AgentExit::ImageUnfit);
    assert!(ended.registered().is_empty());
}

#[test]
fn a_stop_deregisters_and_does_so_within_the_grace() {
    for (script, grace, exit) in
        [(WAITING, 20_000, AgentExit::Terminated), (BUSY, 3_000, AgentExit::JobInterrupted)]
    {
        let agent = Stage::registering(script).grace(grace).start();
        agent.wait_for("\"phase\":\"online\"");
        if script == BUSY {
            agent.wait_for("\"phase\":\"busy\"");
        }
        let told = Instant::now();
        agent.signal(Signal::SIGTERM);
        let ended = agent.end().is(exit);
        assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
        assert!(ended.registered().is_empty(), "{:?}", ended.calls());
    }
}

#[test]
fn the_lifetime_ends_a_job_and_the_registration() {
    let ended = Stage::registering(BUSY).but(|it| it.max_lifetime = 1).play().is(AgentExit::MaxLifetime);
    assert!(ended.registered().is_empty());
}

#[test]
fn a_taken_name_is_followed_by_another() {
    let stage = Stage::registering(&job("0", "Succeeded", 100));
    std::fs::write(stage.registry().join("runners/mine"), "7 online busy").unwrap();
    let ended = stage.play().is(AgentExit::JobSucceeded);
    assert_eq!(ended.line("agent ends")["runner"], "mine-abcdef");
    assert!(ended.registered().contains(&"mine".to_owned()), "the busy runner was left alone");
}

#[test]
fn a_refusal_is_told_at_once() {
    let stage = Stage::registering(WAITING);
    std::fs::write(stage.registry().join("denied"), "").unwrap();
    let ended = stage.play().is(AgentExit::BadAssignment);
    assert_eq!(ended.line("cannot become a runner")["error"], "cannot register the runner: Bad credentials");
}

#[test]
fn the_task_names_the_runner_if_nobody_does() {
    let stage = Stage::registering(&job("0", "Succeeded", 100));
    let uri = stage.metadata_uri.clone();
    let ended = stage.but(|it| (it.name, it.metadata) = (None, Some(uri))).play().is(AgentExit::JobSucceeded);
    let summary = ended.line("agent ends");
    assert_eq!(summary["runner"], "ff-0123456789abcdef0123456789abcdef");
    assert_eq!(summary["pull_ms"], 9500);
    let alone = Stage::registering(&job("0", "Succeeded", 100)).but(|it| it.name = None);
    assert_eq!(alone.play().is(AgentExit::JobSucceeded).line("agent ends")["runner"], "a-host");
}

#[test]
fn an_absolute_work_folder_is_made() {
    let stage = Stage::registering(&job("0", "Succeeded", 100));
    let folder = stage.runner_dir().join("deep/work");
    let name = folder.to_str().unwrap().to_owned();
    let ended = stage.but(|it| it.work_folder = Some(name)).play().is(AgentExit::JobSucceeded);
    assert!(folder.is_dir());
    drop(ended);
}

#[test]
fn an_unfit_image_registers_nothing() {
    let stage = Stage::registering(WAITING);
    std::fs::remove_file(stage.runner_dir().join("bin/Runner.Listener")).unwrap();
    assert!(stage.play().is(AgentExit::ImageUnfit).calls().is_empty());
}

/// A process that may not be dumped belongs to root in /proc, so that others of its own user can read neither
/// its memory nor its environment (proc_pid(5)).
#[test]
fn nobody_of_the_same_user_looks_into_the_agent() {
    let mut stage = Stage::registering(WAITING);
    stage.as_nobody = geteuid().is_root();
    let agent = stage.start();
    agent.wait_for("\"phase\":\"online\"");
    let own = Path::new("/proc").join(agent.pid().to_string());
    let status = std::fs::read_to_string(own.join("status")).unwrap();
    assert!(!status.contains("Uid:\t0\t"), "it is not root");
    assert_eq!(std::fs::metadata(own.join("environ")).unwrap().uid(), 0);
    agent.signal(Signal::SIGTERM);
    agent.end().is(AgentExit::Terminated);
}
