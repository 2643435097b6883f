//! Why a task ended before its runner was online, and whether another one may fare better.
//!
//! The one table from ECS's stop codes and sentences, and the agent's exit codes, to what is done next.

use crate::exit::AgentExit;
use crate::task::TaskEnd;

/// What an end means for the next task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// This capacity has no room: take the pool's next choice.
    NoCapacity,
    /// Bad luck: another task may well come up.
    Passing,
    /// Another task would end the same way.
    Lasting,
}

/// An end, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// What it means for the next task.
    pub prospect: Prospect,
    /// A word for scripts.
    pub class: &'static str,
    /// What the user can do.
    pub remedy: &'static str,
}

const fn ending(prospect: Prospect, class: &'static str, remedy: &'static str) -> Ending {
    Ending { prospect, class, remedy }
}

const LOG: &str = "Read the task's log.";
const WAY_OUT: &str = "See whether the subnet has a way out (a public address, a NAT gateway or endpoints for ECR, S3 \
                       and CloudWatch Logs).";

/// Parts of ECS's sentences, the first that fits counts (ECS Developer Guide, "Stopped task error codes").
const SENTENCES: &[(&str, Ending)] = &[
    (
        "capacity is unavailable",
        ending(Prospect::NoCapacity, "no-capacity", "Put another choice into the pool's capacity."),
    ),
    (
        "spot",
        ending(
            Prospect::NoCapacity,
            "spot-interruption",
            "Put an on-demand choice into the pool's capacity.",
        ),
    ),
    (
        "timeout waiting for network interface",
        ending(Prospect::Passing, "network", "See whether the subnet has free addresses."),
    ),
    ("outofmemory", ending(Prospect::Lasting, "out-of-memory", "Give the tasks more memory (--memory).")),
    (
        "not found",
        ending(
            Prospect::Lasting,
            "image",
            "Check the image's address in the task definition, and that it was pushed.",
        ),
    ),
    (
        "does not exist",
        ending(
            Prospect::Lasting,
            "image",
            "Check the image's address in the task definition, and that it was pushed.",
        ),
    ),
    (
        "manifest unknown",
        ending(
            Prospect::Lasting,
            "image",
            "Check the image's tag in the task definition, and that it was pushed.",
        ),
    ),
    (
        "accessdenied",
        ending(Prospect::Lasting, "execution-role", "Let the execution role pull the image and write logs."),
    ),
    (
        "not authorized",
        ending(Prospect::Lasting, "execution-role", "Let the execution role pull the image and write logs."),
    ),
    (
        "no basic auth credentials",
        ending(Prospect::Lasting, "execution-role", "Let the execution role pull the image and write logs."),
    ),
    (
        "no such file",
        ending(
            Prospect::Lasting,
            "image",
            "The image's entrypoint is not in the image: make it `fleetfoot agent`.",
        ),
    ),
    (
        "exec format error",
        ending(Prospect::Lasting, "image", "The image is of another architecture than the task definition."),
    ),
    ("cannotpullcontainererror", ending(Prospect::Passing, "image-pull", WAY_OUT)),
    ("resourceinitializationerror", ending(Prospect::Passing, "resources", WAY_OUT)),
    ("cannotstartcontainererror", ending(Prospect::Passing, "container-start", LOG)),
    ("cannotcreatecontainererror", ending(Prospect::Passing, "container-start", LOG)),
    ("dockertimeouterror", ending(Prospect::Passing, "container-start", LOG)),
    (
        "host ec2",
        ending(Prospect::Passing, "instance-lost", "The instance is gone; another task gets another one."),
    ),
];

impl Ending {
    /// Understands an end.
    pub fn of(end: &TaskEnd) -> Self {
        let agent = end.exit_code.and_then(AgentExit::from_code);
        match (end.stop_code.as_deref(), agent) {
            (Some("SpotInterruption"), _) => ending(
                Prospect::NoCapacity,
                "spot-interruption",
                "Put an on-demand choice into the pool's capacity.",
            ),
            (Some("TerminationNotice"), _) => ending(
                Prospect::Passing,
                "instance-lost",
                "The instance is gone; another task gets another one.",
            ),
            (Some("UserInitiated"), _) => {
                ending(Prospect::Lasting, "stopped", "Somebody stopped the task; see the reason beside it.")
            }
            (_, Some(exit)) => Self::of_agent(exit),
            _ => Self::of_sentences(end),
        }
    }

    fn of_sentences(end: &TaskEnd) -> Self {
        let said = [&end.container_reason, &end.stopped_reason].into_iter().flatten();
        let said = said.map(|text| text.to_lowercase()).collect::<Vec<_>>().join("; ");
        let known = SENTENCES.iter().find(|(part, _)| said.contains(part)).map(|(_, ending)| *ending);
        known.unwrap_or(match end.exit_code {
            // SIGKILL: out of memory, or the machine went away.
            Some(137) => {
                ending(Prospect::Passing, "killed", "If it happens again, give the tasks more memory.")
            }
            Some(_) => ending(Prospect::Lasting, "container-exited", LOG),
            None => ending(Prospect::Passing, "task-failed", LOG),
        })
    }

    const fn of_agent(exit: AgentExit) -> Self {
        match exit {
            AgentExit::ImageUnfit => ending(
                Prospect::Lasting,
                "image",
                "Use an image that holds GitHub's runner and its user; see docs/agent.md.",
            ),
            AgentExit::VersionDeprecated => ending(
                Prospect::Lasting,
                "version-deprecated",
                "Rebuild the runner image with the latest runner release.",
            ),
            AgentExit::BadAssignment => ending(
                Prospect::Lasting,
                "bad-assignment",
                "See whether launcher and image hold the same version of fleetfoot, and whether the task role may \
                 read the mailbox.",
            ),
            AgentExit::NoAssignment => ending(
                Prospect::Passing,
                "no-assignment",
                "See whether the task role may read and delete objects of the mailbox bucket, and whether the task \
                 reaches S3.",
            ),
            AgentExit::RegistrationGone => ending(
                Prospect::Passing,
                "registration-gone",
                "Somebody deleted the runner at GitHub; start again.",
            ),
            AgentExit::RunnerFailed => ending(
                Prospect::Passing,
                "runner-failed",
                "See whether the task reaches GitHub; read its log.",
            ),
            AgentExit::Terminated => {
                ending(Prospect::Passing, "terminated", "The task was told to stop; start again.")
            }
            AgentExit::Idle | AgentExit::MaxLifetime => {
                ending(Prospect::Lasting, "left", "Raise --idle-timeout or --max-lifetime.")
            }
            AgentExit::JobSucceeded
            | AgentExit::JobFailed
            | AgentExit::JobCancelled
            | AgentExit::JobAbandoned => {
                ending(Prospect::Passing, "job-ran", "Nothing: the runner had its job.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stop_code: &str, reason: &str, exit_code: Option<i32>) -> (Prospect, &'static str) {
        let ending = Ending::of(&TaskEnd {
            stop_code: Some(stop_code.into()),
            stopped_reason: Some(reason.into()),
            exit_code,
            container_reason: None,
        });
        (ending.prospect, ending.class)
    }

    #[test]
    fn each_kind_of_end_has_its_prospect() {
        use Prospect::{Lasting, NoCapacity, Passing};
        let failed = "TaskFailedToStart";
        let exited = "EssentialContainerExited";
        let cases = [
            (
                of(failed, "Capacity is unavailable at this time. Please try again later", None),
                (NoCapacity, "no-capacity"),
            ),
            (
                of("SpotInterruption", "Your Spot Task was interrupted.", Some(143)),
                (NoCapacity, "spot-interruption"),
            ),
            (of(failed, "CannotPullContainerError: manifest unknown", None), (Lasting, "image")),
            (of(failed, "CannotPullContainerError: dial tcp: i/o timeout", None), (Passing, "image-pull")),
            (of(failed, "ResourceInitializationError: unable to pull secrets", None), (Passing, "resources")),
            (
                of(failed, "Timeout waiting for network interface provisioning to complete.", None),
                (Passing, "network"),
            ),
            (of(exited, "OutOfMemoryError: Container killed", Some(137)), (Lasting, "out-of-memory")),
            (of(exited, "Essential container in task exited", Some(137)), (Passing, "killed")),
            (of(exited, "Essential container in task exited", Some(24)), (Lasting, "version-deprecated")),
            (of(exited, "Essential container in task exited", Some(21)), (Passing, "no-assignment")),
            (of(exited, "Essential container in task exited", Some(1)), (Lasting, "container-exited")),
            (of("UserInitiated", "bye", Some(143)), (Lasting, "stopped")),
        ];
        for (got, want) in cases {
            assert_eq!(got, want);
        }
    }
}
