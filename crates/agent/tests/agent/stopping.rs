//! SIGTERM, and what becomes of the job.

use std::time::{Duration, Instant};

use fleetfoot_core::exit::AgentExit;
use nix::sys::signal::Signal;

use crate::stage::{BUSY, Stage, WAITING, job};

#[test]
fn before_an_assignment_it_leaves_at_once() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let agent = Stage::new(WAITING).start();
        agent.wait_for("task known");
        let told = Instant::now();
        agent.signal(signal);
        let ended = agent.end().is(AgentExit::Terminated);
        assert!(told.elapsed() < Duration::from_secs(5));
        assert_eq!(ended.line("told to stop before an assignment came")["signal"], signal.as_str());
    }
}

#[test]
fn an_idle_runner_is_interrupted_at_once() {
    let agent = Stage::assigned(WAITING).grace(20_000).start();
    agent.wait_for("\"phase\":\"online\"");
    let told = Instant::now();
    agent.signal(Signal::SIGTERM);
    let ended = agent.end().is(AgentExit::Terminated);
    assert!(told.elapsed() < Duration::from_secs(8));
    ended.has("Exiting...");
}

#[test]
fn a_job_may_end_within_the_grace() {
    let agent = Stage::assigned(&job("1.5", "Succeeded", 100)).grace(10_000).start();
    agent.wait_for("\"phase\":\"busy\"");
    agent.signal(Signal::SIGTERM);
    let ended = agent.end().is(AgentExit::JobSucceeded);
    let line = ended.line("told to stop while a job runs; it goes on until the grace is nearly over");
    assert_eq!(line["patience_ms"], 7000);
    assert_eq!(ended.phases().last(), Some(&"done"));
}

#[test]
fn a_job_that_does_not_is_cancelled_before_the_grace_is_over() {
    let agent = Stage::assigned(BUSY).grace(4_000).start();
    agent.wait_for("\"phase\":\"busy\"");
    let told = Instant::now();
    agent.signal(Signal::SIGTERM);
    let ended = agent.end().is(AgentExit::JobInterrupted);
    let took = told.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(5), "{took:?}");
    ended.has("interrupting the runner, which cancels a running job");
    ended.has("completed with result: Canceled");
}

#[test]
fn a_job_that_clings_to_life_is_killed_before_the_grace_is_over() {
    let agent = Stage::assigned(&job("60", "Succeeded", 100)).grace(2_000).start();
    agent.wait_for("\"phase\":\"busy\"");
    let told = Instant::now();
    agent.signal(Signal::SIGTERM);
    let ended = agent.end().is(AgentExit::JobInterrupted);
    assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
    assert_eq!(ended.line("runner ended")["signal"], 9);
}
