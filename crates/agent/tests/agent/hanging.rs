//! Nothing waits for ever, not even an agent that hangs.

use std::time::{Duration, Instant};

use fleetfoot_core::exit::AgentExit;

use crate::stage::{ONLINE, Stage, WAITING};

#[test]
fn a_mailbox_that_does_not_open_is_given_up() {
    let mut stage = Stage::assigned(WAITING);
    stage.orders.bind_timeout_ms = 700;
    stage.orders.mail_hangs = true;
    let ended = stage.play().is(AgentExit::NoAssignment);
    ended.has("cannot open the mailbox: the task role's credentials did not come");
}

#[test]
fn a_runner_that_never_connects_is_ended() {
    let script = r"
trap 'echo Exiting...; exit 1' INT
while true; do echo 'Runner connect error: no route. Retrying until reconnected.'; sleep 0.1 & wait; done
";
    let ended = Stage::new(script).limits(1, 60).play().is(AgentExit::RunnerFailed);
    ended.has("the runner was not online within the idle timeout");
}

#[test]
fn an_agent_that_cannot_write_its_log_ends_itself_and_the_job() {
    // A pipe that nobody reads takes 64 KiB, then the agent stands still.
    let script = format!(
        "{ONLINE}\necho $$ > pid\nwhile true; do echo 0123456789012345678901234567890123456789; done\n"
    );
    let mut stage = Stage::new(&script).limits(60, 1).grace(500);
    stage.orders.slack_ms = 500;
    let runner = stage.runner_dir().join("pid");
    let started = Instant::now();
    let agent = stage.start_unheard();
    let ended = agent.end();
    assert_eq!(ended.code, Some(AgentExit::MaxLifetime.code().into()));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let pid = std::fs::read_to_string(runner).unwrap();
    let process = std::path::Path::new("/proc").join(pid.trim());
    let alive = std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!alive, "the runner still lives");
}
