//! The whole agent as a process of its own, with a stand-in for the runner, over real HTTP and real signals.

#![expect(clippy::unwrap_used, reason = "clippy takes the helpers of a test for production code")]

mod endings;
mod hanging;
mod isolation;
mod manual;
mod packages;
mod self_registering;
mod stage;
mod stopping;

/// No test, but what the tests start as the agent's process: this program again, see [`stage`].
#[test]
fn agent_process() {
    stage::agent::main();
}
