//! Exit codes, which are public API: ECS shows the agent's in the stopped task, scripts read the rest.

use serde::{Deserialize, Serialize};

/// How the agent ended. `docs/agent.md` and [`AgentExit::sentence`] explain each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentExit {
    /// A job ran and succeeded.
    JobSucceeded,
    /// A job ran and failed.
    JobFailed,
    /// A job ran and was cancelled.
    JobCancelled,
    /// A job was given and abandoned or skipped, or its result is not known.
    JobAbandoned,
    /// No job came within the idle timeout.
    Idle,
    /// No assignment came within the deadline.
    NoAssignment,
    /// The assignment could not be read or used.
    BadAssignment,
    /// GitHub does not know the registration any more.
    RegistrationGone,
    /// GitHub refuses this version of the runner.
    VersionDeprecated,
    /// The maximum lifetime ended the runner.
    MaxLifetime,
    /// The runner ended without a job for another reason.
    RunnerFailed,
    /// The image does not hold what the agent needs.
    ImageUnfit,
    /// SIGTERM or SIGINT ended the agent before a job was over.
    Terminated,
}

impl AgentExit {
    /// All of them, for documentation and tests.
    pub const ALL: [Self; 13] = [
        Self::JobSucceeded,
        Self::JobFailed,
        Self::JobCancelled,
        Self::JobAbandoned,
        Self::Idle,
        Self::NoAssignment,
        Self::BadAssignment,
        Self::RegistrationGone,
        Self::VersionDeprecated,
        Self::MaxLifetime,
        Self::RunnerFailed,
        Self::ImageUnfit,
        Self::Terminated,
    ];

    /// The process exit code. 1 and 2 are left to panics, shells and usage errors.
    pub const fn code(self) -> u8 {
        match self {
            Self::JobSucceeded => 0,
            Self::JobFailed => 10,
            Self::JobCancelled => 11,
            Self::JobAbandoned => 12,
            Self::Idle => 20,
            Self::NoAssignment => 21,
            Self::BadAssignment => 22,
            Self::RegistrationGone => 23,
            Self::VersionDeprecated => 24,
            Self::MaxLifetime => 25,
            Self::RunnerFailed => 26,
            Self::ImageUnfit => 27,
            Self::Terminated => 143,
        }
    }

    /// The meaning of an exit code of a container, if it is one of the agent's.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| i32::from(exit.code()) == code)
    }

    /// Whether a job ran to its end, whatever its result.
    pub const fn ran_a_job(self) -> bool {
        matches!(self, Self::JobSucceeded | Self::JobFailed | Self::JobCancelled | Self::JobAbandoned)
    }

    /// The one sentence for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::JobSucceeded => "the job ran and succeeded",
            Self::JobFailed => "the job ran and failed",
            Self::JobCancelled => "the job ran and was cancelled",
            Self::JobAbandoned => "the job was given to the runner and abandoned",
            Self::Idle => "no job came within the idle timeout",
            Self::NoAssignment => "no assignment came before the deadline",
            Self::BadAssignment => "the assignment could not be used",
            Self::RegistrationGone => "GitHub does not know the runner's registration any more",
            Self::VersionDeprecated => "GitHub refuses this version of the runner software",
            Self::MaxLifetime => "the runner reached its maximum lifetime",
            Self::RunnerFailed => "the runner ended without a job",
            Self::ImageUnfit => "the image does not hold what the agent needs",
            Self::Terminated => "the task was told to stop before a job was over",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_read_back() {
        for exit in AgentExit::ALL {
            assert_eq!(AgentExit::from_code(exit.code().into()), Some(exit));
        }
        assert_eq!(AgentExit::from_code(137), None);
    }
}
