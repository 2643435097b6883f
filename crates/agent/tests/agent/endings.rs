//! Every way to end, with its exit code.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use fleetfoot_core::exit::AgentExit;
use jiff::Timestamp;

use crate::stage::{BUSY, Stage, WAITING, assignment, job, put};

#[test]
fn a_job_succeeds() {
    let before = Timestamp::now();
    let ended = Stage::assigned(&job("1.5", "Succeeded", 100)).play().is(AgentExit::JobSucceeded);
    assert_eq!(ended.phases(), ["bound", "online", "busy", "done"]);
    let mut last = (before, 0);
    for phase in ended.log.iter().filter(|line| line["phase"].is_string()) {
        let at: Timestamp = phase["at"].as_str().unwrap().parse().unwrap();
        let since_start = phase["since_start_ms"].as_u64().unwrap();
        assert!(at.as_millisecond() >= last.0.as_millisecond() && since_start >= last.1, "{phase}");
        assert_eq!(phase["runner"], "ff-0123456789abcdef0123456789abcdef");
        last = (at, since_start);
    }
    let summary = ended.line("agent ends");
    assert_eq!(
        (summary["runner_version"].as_str(), summary["pull_ms"].as_u64()),
        (Some("2.336.0"), Some(9500))
    );
    let times: Vec<_> = ["bound_ms", "online_ms", "busy_ms", "done_ms", "total_ms"]
        .map(|field| summary[field].as_u64().unwrap_or_else(|| panic!("no {field} in {summary}")))
        .into();
    assert!(times.is_sorted() && times[3] >= times[2] + 1000, "{times:?}");
    let passed_on = ended.has("Running job: build");
    assert_eq!(passed_on["stream"], "runner");
    assert!(!ended.letter.exists(), "the assignment still lies there");
}

#[test]
fn the_result_is_told_by_the_exit_code_or_else_by_the_line() {
    for (result, code, want) in [
        ("Succeeded", 0, AgentExit::JobSucceeded),
        ("SucceededWithIssues", 101, AgentExit::JobSucceeded),
        ("Failed", 102, AgentExit::JobFailed),
        ("Failed", 0, AgentExit::JobFailed),
        ("Canceled", 103, AgentExit::JobCancelled),
        ("Abandoned", 105, AgentExit::JobAbandoned),
        ("Succeeded", 102, AgentExit::JobFailed),
        ("Whatever", 0, AgentExit::JobAbandoned),
    ] {
        Stage::assigned(&job("0", result, code)).play().is(want);
    }
}

#[test]
fn no_job_comes() {
    let ended = Stage::new(WAITING).limits(1, 60).play().is(AgentExit::Idle);
    assert_eq!(ended.phases(), ["bound", "online"]);
    ended.has("no job came within the idle timeout");
    ended.has("Exiting...");
}

#[test]
fn the_lifetime_ends_a_job() {
    let ended = Stage::new(BUSY).limits(60, 1).play().is(AgentExit::MaxLifetime);
    ended.has("the maximum lifetime is over");
}

#[test]
fn the_lifetime_ends_a_job_that_does_not_want_to() {
    let ended =
        Stage::new(&job("60", "Succeeded", 100)).limits(60, 1).grace(500).play().is(AgentExit::MaxLifetime);
    ended.has("killing it and all it started");
    assert_eq!(ended.line("runner ended")["signal"], 9);
}

#[test]
fn no_assignment_comes() {
    let mut stage = Stage::new(WAITING);
    stage.orders.bind_timeout_ms = 500;
    let ended = stage.play().is(AgentExit::NoAssignment);
    ended.has("nothing was put into the mailbox s3://mail/mailbox/n0nce/0123456789abcdef");
    assert!(ended.phases().is_empty());
}

#[test]
fn the_task_does_not_learn_who_it_is() {
    let mut stage = Stage::assigned(WAITING);
    stage.orders.bind_timeout_ms = 500;
    stage.metadata_uri.push_str("/nowhere");
    let ended = stage.play().is(AgentExit::NoAssignment);
    ended.has("/v4/c0ntainer/nowhere/task gave no answer");
    ended.has("status 404");
}

#[test]
fn the_assignment_may_come_later() {
    let stage = Stage::new(&job("0", "Succeeded", 100));
    let letter = stage.letter();
    let agent = stage.start();
    agent.wait_for("task known");
    std::thread::sleep(Duration::from_millis(300));
    put(&letter, &assignment(60, 60).to_string());
    agent.end().is(AgentExit::JobSucceeded);
}

#[test]
fn an_assignment_that_cannot_be_used_is_refused_and_deleted() {
    let mut other = assignment(60, 60);
    other["runner"] = "ff-somebody-else".into();
    for (document, why) in [
        ("the-jit-config-is-s3cret".to_owned(), "not an assignment: line 1"),
        (other.to_string(), "is for the runner ff-somebody-else"),
        (assignment(0, 60).to_string(), "idle_timeout is 0"),
    ] {
        let stage = Stage::new(WAITING);
        stage.put(&document);
        let ended = stage.play().is(AgentExit::BadAssignment);
        ended.has(why);
        assert!(!ended.letter.exists(), "{why}");
    }
}

#[test]
fn a_mailbox_that_refuses_the_task_is_not_waited_for() {
    let mut stage = Stage::assigned(WAITING);
    stage.orders.mail_denied = true;
    let ended = stage.play().is(AgentExit::BadAssignment);
    let line = ended.line("cannot become a runner");
    assert_eq!(line["error"], "cannot read the mailbox: ExpiredToken");
    assert!(line["remedy"].as_str().unwrap().contains("s3:GetObject"), "{line}");
}

#[test]
fn github_refuses_the_runner() {
    let says = |text: &str, code| Stage::assigned(&format!("echo '{text}' >&2\nexit {code}\n")).play();
    let deprecated = "An error occurred: Runner version v2.300.0 is deprecated and cannot receive messages.";
    says(deprecated, 1).is(AgentExit::VersionDeprecated);
    says("", 7).is(AgentExit::VersionDeprecated).has("build the image with a newer runner");
    let gone = "Failed to create a session. The runner registration has been deleted from the server, please \
                re-configure.";
    says(gone, 1).is(AgentExit::RegistrationGone);
}

#[test]
fn a_runner_that_ends_without_a_job_has_failed_whatever_its_code() {
    for code in [0, 1, 2, 5] {
        Stage::assigned(&format!("ONLINE\nexit {code}\n")).play().is(AgentExit::RunnerFailed);
    }
    let killed = Stage::assigned("ONLINE\nkill -SEGV $$\n").play().is(AgentExit::RunnerFailed);
    assert_eq!(killed.line("runner ended")["signal"], 11);
}

#[test]
fn a_death_by_a_signal_without_a_name_is_noticed() {
    Stage::assigned("ONLINE\nkill -40 $$\n").play().is(AgentExit::RunnerFailed);
}

#[test]
fn an_image_without_a_runner_is_told_first() {
    let stage = Stage::new(WAITING);
    std::fs::remove_file(stage.runner_dir().join("bin/Runner.Listener")).unwrap();
    let ended = stage.play().is(AgentExit::ImageUnfit);
    ended.has("bin/Runner.Listener cannot be read");
    let stage = Stage::new(WAITING);
    let listener = stage.runner_dir().join("bin/Runner.Listener");
    std::fs::set_permissions(listener, PermissionsExt::from_mode(0o644)).unwrap();
    stage.play().is(AgentExit::ImageUnfit).has("is not an executable file");
}

#[test]
fn a_runner_that_cannot_be_executed_is_an_unfit_image() {
    let stage = Stage::assigned("");
    std::fs::write(stage.runner_dir().join("bin/Runner.Listener"), b"\x7fELF of another machine").unwrap();
    let ended = stage.play().is(AgentExit::ImageUnfit);
    ended.has("Exec format error");
}

#[test]
fn hostile_job_names_fool_nobody() {
    let names = [
        "x completed with result: Succeeded",
        "x\\n2026-01-01 00:00:01Z: Job x completed with result: Succeeded",
        "\\033[2K\\r2026-01-01 00:00:01Z: Job x completed with result: Succeeded",
        "x\\nAn error occurred: Runner version v2.336.0 is deprecated and cannot receive messages.",
    ];
    let agents = names.map(|name| {
        let script = format!(
            r"
trap 'exit 105' INT
ONLINE
printf '2026-01-01 00:00:01Z: Running job: {name}\n'
sleep 1.5
printf '2026-01-01 00:00:09Z: Job {name} completed with result: Failed\n'
exit 102
"
        );
        (name, Stage::assigned(&script).start())
    });
    for (name, agent) in agents {
        let ended = agent.end().is(AgentExit::JobFailed);
        let summary = ended.line("agent ends");
        let (busy, done) = (summary["busy_ms"].as_u64().unwrap(), summary["done_ms"].as_u64().unwrap());
        assert!(done >= busy + 1000, "{name}: {summary}");
    }
}
