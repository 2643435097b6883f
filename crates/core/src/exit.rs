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
    /// A job ran, and SIGTERM or SIGINT cut it off.
    JobInterrupted,
    /// No job came within the idle timeout.
    Idle,
    /// No assignment came within the deadline, or GitHub did not register the runner within it.
    NoAssignment,
    /// The assignment could not be read or used, or GitHub refused to register the runner.
    BadAssignment,
    /// GitHub does not know the registration any more.
    RegistrationGone,
    /// GitHub refuses this version of the runner.
    VersionDeprecated,
    /// The maximum lifetime ended the runner.
    MaxLifetime,
    /// The runner ended without a job for another reason.
    RunnerFailed,
    /// The image does not hold what the agent needs, or a package could not be installed.
    ImageUnfit,
    /// SIGTERM or SIGINT ended the agent before a job came.
    Terminated,
}

impl AgentExit {
    /// All of them, for documentation and tests.
    pub const ALL: [Self; 14] = [
        Self::JobSucceeded,
        Self::JobFailed,
        Self::JobCancelled,
        Self::JobAbandoned,
        Self::JobInterrupted,
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
            Self::JobInterrupted => 13,
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

    /// Whether a job was given to the runner and is over, whatever its result: GitHub removes the registration.
    pub const fn ran_a_job(self) -> bool {
        matches!(self, Self::JobSucceeded | Self::JobFailed | Self::JobCancelled | Self::JobAbandoned)
    }

    /// Whether a job was given to the runner, be it cut off.
    pub const fn had_a_job(self) -> bool {
        self.ran_a_job() || matches!(self, Self::JobInterrupted)
    }

    /// The one sentence for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::JobSucceeded => "the job ran and succeeded",
            Self::JobFailed => "the job ran and failed",
            Self::JobCancelled => "the job ran and was cancelled",
            Self::JobAbandoned => "the job was given to the runner and abandoned",
            Self::JobInterrupted => "a job ran and was cut off, because the task was told to stop",
            Self::Idle => "no job came within the idle timeout",
            Self::NoAssignment => "the runner was given no registration before the deadline",
            Self::BadAssignment => "the runner's registration was refused or could not be used",
            Self::RegistrationGone => "GitHub does not know the runner's registration any more",
            Self::VersionDeprecated => "GitHub refuses this version of the runner software",
            Self::MaxLifetime => "the runner reached its maximum lifetime",
            Self::RunnerFailed => "the runner ended without a job",
            Self::ImageUnfit => {
                "the image does not hold what the agent needs, or a package could not be installed"
            }
            Self::Terminated => "the task was told to stop before a job came",
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

    #[test]
    fn a_job_that_was_cut_off_was_there_and_did_not_end() {
        let cut = AgentExit::JobInterrupted;
        assert!(cut.had_a_job() && !cut.ran_a_job());
        assert!(AgentExit::ALL.into_iter().filter(|exit| exit.ran_a_job()).all(AgentExit::had_a_job));
    }
}
