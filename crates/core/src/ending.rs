//! Why a task ended, what that means for another one, and what can be done about it.
//!
//! The one table from ECS's stop codes and sentences, and the agent's exit codes, to a class. A class has one
//! prospect and one remedy, wherever it is met: before a runner was online (`start`) or after (`stop`, `reap`).

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

/// An end, understood. Ends of one class are equal.
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

/// How the reason of every StopTask call of Fleetfoot begins: by it a later command knows that the task was not
/// wanted any more, and did not get lost.
const OURS: &str = "fleetfoot: ";

/// The reason that ECS keeps of a task that is not wanted any more.
pub const NOT_WANTED: &str = "fleetfoot: not wanted any more";

use Prospect::{Lasting, NoCapacity, Passing};

const NO_CAPACITY: Ending =
    ending(NoCapacity, "no-capacity", "Put another choice into the pool's capacity, or try again later.");
const SPOT: Ending = ending(
    NoCapacity,
    "spot-interruption",
    "AWS took its spot capacity back. Give what must not be interrupted a pool of on-demand capacity.",
);
const NETWORK: Ending = ending(Passing, "network", "See whether the subnet has free addresses.");
const OUT_OF_MEMORY: Ending = ending(Lasting, "out-of-memory", "Give the tasks more memory (--memory).");
const IMAGE_MISSING: Ending = ending(
    Lasting,
    "image-missing",
    "Check the image's address and tag in the task definition, and that it was pushed.",
);
const IMAGE_ENTRYPOINT: Ending = ending(
    Lasting,
    "image-entrypoint",
    "The image's entrypoint is not in the image: make it `fleetfoot agent`.",
);
const IMAGE_ARCHITECTURE: Ending = ending(
    Lasting,
    "image-architecture",
    "The image is of another architecture than the task definition: build it for that one.",
);
const IMAGE_UNFIT: Ending = ending(
    Lasting,
    "image-unfit",
    "Use an image that holds GitHub's runner, its user and the packages that jobs need; see docs/agent.md.",
);
const EXECUTION_ROLE: Ending =
    ending(Lasting, "execution-role", "Let the execution role pull the image and write logs.");
const IMAGE_PULL: Ending = ending(
    Passing,
    "image-pull",
    "See whether the subnet has a way to the registry: a public address, a NAT gateway, or endpoints for ECR and S3.",
);
const RESOURCES: Ending = ending(
    Passing,
    "resources",
    "See whether the subnet has a way to ECR, Secrets Manager and CloudWatch Logs: a public address, a NAT gateway or \
     endpoints.",
);
const CONTAINER_START: Ending = ending(
    Passing,
    "container-start",
    "Look at the container's settings in the task definition, and at the machine if it is your own.",
);
const INSTANCE_LOST: Ending = ending(
    Passing,
    "instance-lost",
    "AWS took the machine away; another task gets another one. Nothing is wrong with the stack.",
);
const KILLED: Ending = ending(
    Passing,
    "killed",
    "Give the tasks more memory (--memory) if it happens again; see also that the agent's FLEETFOOT_STOP_GRACE is the \
     container's stopTimeout.",
);
const CONTAINER_EXITED: Ending = ending(
    Lasting,
    "container-exited",
    "Read the task's log: the container ended with a code that is none of the agent's.",
);
const TASK_FAILED: Ending =
    ending(Passing, "task-failed", "Look at the task in the ECS console, and read its log.");
const STOPPED: Ending = ending(
    Lasting,
    "stopped",
    "Somebody stopped the task: its reason, and the StopTask call in AWS CloudTrail, tell who and why.",
);
const VERSION_DEPRECATED: Ending = ending(
    Lasting,
    "version-deprecated",
    "Rebuild the runner image with the latest release of GitHub's runner.",
);
const BAD_ASSIGNMENT: Ending = ending(
    Lasting,
    "bad-assignment",
    "Read the task's log. With a launcher: see whether launcher and image hold the same version of fleetfoot, and \
     whether the task role may read the mailbox. Without one: see whether its token may register runners.",
);
const NO_ASSIGNMENT: Ending = ending(
    Passing,
    "no-assignment",
    "With a launcher: see whether it was killed, whether the task reaches S3, and whether the task role may read and \
     delete objects of the mailbox. Without one: see whether the task reaches GitHub.",
);
const REGISTRATION_GONE: Ending = ending(
    Passing,
    "registration-gone",
    "Somebody deleted the runner at GitHub (its audit log tells who); start again.",
);
const RUNNER_FAILED: Ending =
    ending(Passing, "runner-failed", "See whether the task reaches GitHub, and read its log.");
const TERMINATED: Ending =
    ending(Passing, "terminated", "Something sent the container SIGTERM or SIGINT; start again.");
const IDLE: Ending = ending(
    Lasting,
    "idle",
    "See whether the label in a job's runs-on is this start's; raise --idle-timeout if jobs come later.",
);
const MAX_LIFETIME: Ending = ending(Lasting, "max-lifetime", "Raise --max-lifetime if jobs take that long.");
const JOB_ABANDONED: Ending = ending(
    Passing,
    "job-abandoned",
    "Read the task's log: the runner died in its job, or GitHub took the job back.",
);
const JOB_RAN: Ending = ending(Passing, "job-ran", "There is nothing to do: the runner had its job.");

/// Parts of ECS's sentences, the first that fits counts (ECS Developer Guide, "Stopped tasks error messages").
const SENTENCES: [(&str, Ending); 18] = [
    ("capacity is unavailable", NO_CAPACITY),
    ("spot", SPOT),
    ("timeout waiting for network interface", NETWORK),
    ("outofmemory", OUT_OF_MEMORY),
    ("not found", IMAGE_MISSING),
    ("does not exist", IMAGE_MISSING),
    ("manifest unknown", IMAGE_MISSING),
    ("accessdenied", EXECUTION_ROLE),
    ("not authorized", EXECUTION_ROLE),
    ("no basic auth credentials", EXECUTION_ROLE),
    ("no such file", IMAGE_ENTRYPOINT),
    ("exec format error", IMAGE_ARCHITECTURE),
    ("cannotpullcontainererror", IMAGE_PULL),
    ("resourceinitializationerror", RESOURCES),
    ("cannotstartcontainererror", CONTAINER_START),
    ("cannotcreatecontainererror", CONTAINER_START),
    ("dockertimeouterror", CONTAINER_START),
    ("host ec2", INSTANCE_LOST),
];

impl Ending {
    /// The end of a task of which ECS says no more than that it is over.
    pub const UNEXPLAINED: Self = TASK_FAILED;

    /// All classes, for documentation and tests.
    pub const ALL: [Self; 26] = [
        NO_CAPACITY,
        SPOT,
        NETWORK,
        OUT_OF_MEMORY,
        IMAGE_MISSING,
        IMAGE_ENTRYPOINT,
        IMAGE_ARCHITECTURE,
        IMAGE_UNFIT,
        EXECUTION_ROLE,
        IMAGE_PULL,
        RESOURCES,
        CONTAINER_START,
        INSTANCE_LOST,
        KILLED,
        CONTAINER_EXITED,
        TASK_FAILED,
        STOPPED,
        VERSION_DEPRECATED,
        BAD_ASSIGNMENT,
        NO_ASSIGNMENT,
        REGISTRATION_GONE,
        RUNNER_FAILED,
        TERMINATED,
        IDLE,
        MAX_LIFETIME,
        JOB_ABANDONED,
    ];

    /// Understands an end.
    pub fn of(end: &TaskEnd) -> Self {
        match (end.stop_code.as_deref(), end.agent()) {
            (Some("SpotInterruption"), _) => SPOT,
            (Some("TerminationNotice"), _) => INSTANCE_LOST,
            (Some("UserInitiated"), _) => STOPPED,
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
            Some(137) => KILLED,
            Some(_) => CONTAINER_EXITED,
            None => TASK_FAILED,
        })
    }

    const fn of_agent(exit: AgentExit) -> Self {
        match exit {
            AgentExit::ImageUnfit => IMAGE_UNFIT,
            AgentExit::VersionDeprecated => VERSION_DEPRECATED,
            AgentExit::BadAssignment => BAD_ASSIGNMENT,
            AgentExit::NoAssignment => NO_ASSIGNMENT,
            AgentExit::RegistrationGone => REGISTRATION_GONE,
            AgentExit::RunnerFailed => RUNNER_FAILED,
            AgentExit::Terminated | AgentExit::JobInterrupted => TERMINATED,
            AgentExit::Idle => IDLE,
            AgentExit::MaxLifetime => MAX_LIFETIME,
            AgentExit::JobAbandoned => JOB_ABANDONED,
            AgentExit::JobSucceeded | AgentExit::JobFailed | AgentExit::JobCancelled => JOB_RAN,
        }
    }
}

impl TaskEnd {
    /// How the agent ended, if it lived to say so.
    pub fn agent(&self) -> Option<AgentExit> {
        self.exit_code.and_then(AgentExit::from_code)
    }

    /// Whether Fleetfoot has stopped the task.
    pub fn was_ours(&self) -> bool {
        let ours = self.stopped_reason.as_deref().is_some_and(|reason| reason.starts_with(OURS));
        ours && self.stop_code.as_deref() == Some("UserInitiated")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn end(stop_code: &str, reason: &str, exit_code: Option<i32>) -> TaskEnd {
        TaskEnd {
            stop_code: Some(stop_code.into()),
            stopped_reason: Some(reason.into()),
            exit_code,
            container_reason: None,
        }
    }

    #[test]
    fn each_kind_of_end_has_its_class() {
        let failed = "TaskFailedToStart";
        let exited = "EssentialContainerExited";
        let essential = "Essential container in task exited";
        let cases = [
            (failed, "Capacity is unavailable at this time. Please try again later", None, NO_CAPACITY),
            ("SpotInterruption", "Your Spot Task was interrupted.", Some(143), SPOT),
            ("TerminationNotice", "ECS is performing maintenance", Some(13), INSTANCE_LOST),
            (failed, "CannotPullContainerError: manifest unknown", None, IMAGE_MISSING),
            (failed, "CannotPullContainerError: dial tcp: i/o timeout", None, IMAGE_PULL),
            (failed, "CannotPullContainerError: AccessDeniedException", None, EXECUTION_ROLE),
            (failed, "ResourceInitializationError: unable to pull secrets", None, RESOURCES),
            (failed, "Timeout waiting for network interface provisioning to complete.", None, NETWORK),
            (failed, "CannotStartContainerError: exec format error", None, IMAGE_ARCHITECTURE),
            (failed, "something new", None, TASK_FAILED),
            (exited, "OutOfMemoryError: Container killed", Some(137), OUT_OF_MEMORY),
            (exited, "Host EC2 (instance i-1) terminated.", Some(137), INSTANCE_LOST),
            (exited, essential, Some(137), KILLED),
            (exited, essential, Some(1), CONTAINER_EXITED),
            (exited, essential, Some(12), JOB_ABANDONED),
            (exited, essential, Some(13), TERMINATED),
            (exited, essential, Some(20), IDLE),
            (exited, essential, Some(21), NO_ASSIGNMENT),
            (exited, essential, Some(24), VERSION_DEPRECATED),
            (exited, essential, Some(25), MAX_LIFETIME),
            ("UserInitiated", "bye", Some(143), STOPPED),
        ];
        for (stop_code, reason, exit_code, class) in cases {
            assert_eq!(Ending::of(&end(stop_code, reason, exit_code)), class, "{reason} {exit_code:?}");
        }
    }

    #[test]
    fn the_agent_s_every_code_and_ecs_s_every_sentence_is_listed() {
        let agents = AgentExit::ALL.map(Ending::of_agent);
        for ending in agents.into_iter().chain(SENTENCES.map(|(_, ending)| ending)) {
            assert!(ending == JOB_RAN || Ending::ALL.contains(&ending), "{ending:?}");
        }
        let classes: BTreeSet<_> = Ending::ALL.map(|ending| ending.class).into();
        assert_eq!(classes.len(), Ending::ALL.len(), "each class stands there once");
    }

    #[test]
    fn the_manual_has_every_class_with_its_remedy() {
        let manual = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verdicts.md"));
        for Ending { class, remedy, .. } in Ending::ALL {
            let mut rows = manual.lines().filter(|line| line.starts_with(&format!("| `{class}` |")));
            let told = rows.any(|row| row.ends_with(&format!("| {remedy} |")));
            assert!(told, "docs/verdicts.md has no row on {class} that ends with: {remedy}");
        }
    }

    #[test]
    fn remedies_are_sentences() {
        for Ending { class, remedy, .. } in Ending::ALL {
            assert!(remedy.ends_with('.') && remedy.starts_with(char::is_uppercase), "{class}: {remedy}");
        }
    }

    #[test]
    fn what_fleetfoot_stopped_bears_its_reason() {
        assert!(end("UserInitiated", NOT_WANTED, None).was_ours());
        assert!(!end("UserInitiated", "Task stopped by user", None).was_ours());
        assert!(!end("SpotInterruption", NOT_WANTED, None).was_ours());
    }
}
