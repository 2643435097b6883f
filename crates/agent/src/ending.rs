//! The truth table: from how the runner ended, what it said and what the agent did to the agent's exit.
//!
//! An exit code from 100 to 105 is a job's result and cannot be forged by a job's name, so it comes first;
//! then the result line; only then what the other codes suggest. Code 0 alone proves nothing.

use fleetfoot_core::exit::AgentExit;

use crate::lines::{JobResult, Refusal};
use crate::supervisor::Why;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildEnd {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// It could not even be killed, and the agent does not wait any longer.
    Abandoned,
}

impl ChildEnd {
    /// The result in its exit code, if there is one.
    pub(crate) fn result(self) -> Option<JobResult> {
        match self {
            Self::Code(code) => JobResult::of_exit_code(code),
            Self::Signal(_) | Self::Abandoned => None,
        }
    }

    /// What it means, for the log (actions/runner, `Constants.Runner.ReturnCode`).
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Code(0) => "no error, which does not prove that a job ran",
            Self::Code(1) => "an error that trying again does not mend",
            Self::Code(2) => "an error that trying again may mend",
            Self::Code(3 | 4) => "it wants to update itself; build the image with a newer runner",
            Self::Code(5) => "another process holds the session of this registration",
            Self::Code(6) => "its configuration was refreshed",
            Self::Code(7) => "GitHub refuses its version; build the image with a newer runner",
            Self::Code(100..=105) => "the job's result",
            Self::Code(_) => "a code that the official runner does not have",
            Self::Signal(_) => "it was killed",
            Self::Abandoned => "it does not even die when it is killed",
        }
    }
}

/// What is known when the runner has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Story {
    /// Whether a job was ever seen running.
    pub(crate) job_started: bool,
    /// The result line, if there was one.
    pub(crate) result: Option<JobResult>,
    /// Whether the runner said that GitHub refuses it.
    pub(crate) refusal: Option<Refusal>,
    /// Why the agent interrupted the runner, if it did.
    pub(crate) interrupted: Option<Why>,
}

/// How the agent ends.
pub(crate) fn exit(end: ChildEnd, story: Story) -> AgentExit {
    // A job that the agent itself cut short ends cancelled or not at all; then the agent's reason is the
    // truth. A job that succeeded or failed nevertheless was over by itself.
    let cut = match story.interrupted {
        Some(Why::MaxLifetime) => Some(AgentExit::MaxLifetime),
        Some(Why::Terminated) => Some(AgentExit::JobInterrupted),
        Some(Why::Idle | Why::NeverOnline | Why::Lingering) | None => None,
    };
    if let Some(result) = end.result().or(story.result) {
        return match result {
            JobResult::Succeeded | JobResult::SucceededWithIssues => AgentExit::JobSucceeded,
            JobResult::Failed => AgentExit::JobFailed,
            JobResult::Canceled => cut.unwrap_or(AgentExit::JobCancelled),
            JobResult::Skipped | JobResult::Abandoned => cut.unwrap_or(AgentExit::JobAbandoned),
        };
    }
    if story.job_started {
        return cut.unwrap_or(AgentExit::JobAbandoned);
    }
    let refusal = if end == ChildEnd::Code(7) { Some(Refusal::VersionDeprecated) } else { story.refusal };
    match refusal {
        Some(Refusal::VersionDeprecated) => return AgentExit::VersionDeprecated,
        Some(Refusal::RegistrationGone) => return AgentExit::RegistrationGone,
        None => {}
    }
    match story.interrupted {
        Some(Why::Idle) => AgentExit::Idle,
        Some(Why::MaxLifetime) => AgentExit::MaxLifetime,
        Some(Why::Terminated) => AgentExit::Terminated,
        Some(Why::NeverOnline | Why::Lingering) | None => AgentExit::RunnerFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(result: Option<JobResult>, interrupted: Option<Why>) -> Story {
        Story { job_started: true, result, interrupted, ..Story::default() }
    }

    fn quiet(interrupted: Option<Why>) -> Story {
        Story { interrupted, ..Story::default() }
    }

    #[test]
    fn the_truth_table() {
        use AgentExit as E;
        use ChildEnd::{Abandoned, Code, Signal};
        use JobResult as R;
        let deprecated = Story { refusal: Some(Refusal::VersionDeprecated), ..Story::default() };
        let gone = Story { refusal: Some(Refusal::RegistrationGone), ..Story::default() };
        let cases = [
            // The code tells the result, whatever the lines say.
            (Code(100), job(Some(R::Succeeded), None), E::JobSucceeded),
            (Code(101), job(None, None), E::JobSucceeded),
            (Code(102), job(Some(R::Succeeded), None), E::JobFailed),
            (Code(103), job(None, None), E::JobCancelled),
            (Code(104), job(None, None), E::JobAbandoned),
            (Code(105), job(None, None), E::JobAbandoned),
            (Code(100), quiet(None), E::JobSucceeded),
            // An ambiguous code leaves it to the line.
            (Code(0), job(Some(R::Succeeded), None), E::JobSucceeded),
            (Code(0), job(Some(R::SucceededWithIssues), None), E::JobSucceeded),
            (Code(0), job(Some(R::Failed), None), E::JobFailed),
            (Code(1), job(Some(R::Canceled), None), E::JobCancelled),
            (Signal(9), job(Some(R::Succeeded), None), E::JobSucceeded),
            // A job without any result.
            (Code(0), job(None, None), E::JobAbandoned),
            (Signal(9), job(None, None), E::JobAbandoned),
            (Code(7), job(None, None), E::JobAbandoned),
            // No job: 0 is no success.
            (Code(0), quiet(None), E::RunnerFailed),
            (Code(1), quiet(None), E::RunnerFailed),
            (Code(2), quiet(None), E::RunnerFailed),
            (Code(3), quiet(None), E::RunnerFailed),
            (Code(5), quiet(None), E::RunnerFailed),
            (Signal(11), quiet(None), E::RunnerFailed),
            (Code(7), quiet(None), E::VersionDeprecated),
            (Code(1), deprecated, E::VersionDeprecated),
            (Code(1), gone, E::RegistrationGone),
            // The agent's own doing.
            (Code(0), quiet(Some(Why::Idle)), E::Idle),
            (Signal(9), quiet(Some(Why::Idle)), E::Idle),
            (Abandoned, quiet(Some(Why::Idle)), E::Idle),
            (Code(0), quiet(Some(Why::NeverOnline)), E::RunnerFailed),
            (Code(0), quiet(Some(Why::MaxLifetime)), E::MaxLifetime),
            (Code(0), quiet(Some(Why::Terminated)), E::Terminated),
            (Code(103), job(None, Some(Why::Terminated)), E::JobInterrupted),
            (Code(105), job(None, Some(Why::MaxLifetime)), E::MaxLifetime),
            (Signal(9), job(None, Some(Why::MaxLifetime)), E::MaxLifetime),
            (Signal(9), job(None, Some(Why::Terminated)), E::JobInterrupted),
            (Code(100), job(None, Some(Why::Terminated)), E::JobSucceeded),
            (Code(102), job(None, Some(Why::Terminated)), E::JobFailed),
            (Code(103), job(None, Some(Why::Idle)), E::JobCancelled),
            (Signal(9), job(Some(R::Succeeded), Some(Why::Lingering)), E::JobSucceeded),
            // What GitHub said explains more than that the agent was told to stop as well.
            (Code(1), Story { interrupted: Some(Why::Terminated), ..gone }, E::RegistrationGone),
            (Code(7), quiet(Some(Why::Idle)), E::VersionDeprecated),
        ];
        for (end, story, want) in cases {
            assert_eq!(exit(end, story), want, "{end:?} {story:?}");
        }
    }
}
