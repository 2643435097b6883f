//! From ECS's description of a task to ours.
//!
//! A task of an unknown state, or without a time, is normal: ECS adds states, and a fresh task has few
//! times. Only a task without an ARN is an error, since nothing can be done with it.

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{Container, LaunchType, Task};
use fleetfoot_core::assignment::{MAILBOX_VARIABLE, MailboxPrefix};
use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::stack::{self, Capacity};
use fleetfoot_core::task::{TaskEnd, TaskState, TaskView};
use jiff::{Timestamp, Unit};

/// Fargate's storage without asking (ECS Developer Guide, "Fargate task ephemeral storage").
const DEFAULT_STORAGE: u32 = 20;

pub(crate) fn task_arn(what: &str, arn: &str) -> Result<TaskArn, Fault> {
    arn.parse().map_err(|error| {
        Fault::new(Class::Unknown, what, "ECS's answer has a task without a usable ARN").because(error)
    })
}

pub(crate) fn of_task(what: &str, task: &Task) -> Result<TaskView, Fault> {
    let arn = task_arn(what, task.task_arn().unwrap_or_default())?;
    let status = task.last_status().unwrap_or("UNKNOWN").to_owned();
    let agent = agent_container(task);
    let tag = |tag: &aws_sdk_ecs::types::Tag| {
        Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
    };
    let storage = task.ephemeral_storage().and_then(|storage| u32::try_from(storage.size_in_gib()).ok());
    Ok(TaskView {
        arn,
        state: state(&status),
        phases: phases(task, agent),
        started_by: task.started_by().map(str::to_owned),
        capacity: capacity(task),
        cpu: number(task.cpu()),
        memory: number(task.memory()),
        ephemeral_storage: storage.filter(|gib| *gib > DEFAULT_STORAGE),
        tags: task.tags().iter().filter_map(tag).collect(),
        mailbox: mailbox(task),
        end: end(task, &status, agent),
        billed_from: time(task.pull_started_at()),
        started_at: time(task.started_at()),
        stopped_at: time(task.stopped_at()),
        status,
    })
}

/// ECS Developer Guide, "Task lifecycle".
fn state(status: &str) -> TaskState {
    match status {
        "RUNNING" => TaskState::Running,
        "DEACTIVATING" | "STOPPING" | "DEPROVISIONING" => TaskState::Going,
        "STOPPED" | "DELETED" => TaskState::Stopped,
        // PROVISIONING, PENDING, ACTIVATING, and whatever may come.
        _ => TaskState::Coming,
    }
}

fn phases(task: &Task, agent: Option<&Container>) -> PhaseTimes {
    let mut phases = PhaseTimes::default();
    let ran_a_job =
        agent.and_then(Container::exit_code).and_then(AgentExit::from_code).is_some_and(AgentExit::ran_a_job);
    let times = [
        (Phase::Provisioning, task.created_at()),
        (Phase::Pulling, task.pull_started_at()),
        // An image that is there already is not pulled; then the start is all there is.
        (Phase::Starting, task.pull_stopped_at().or(task.started_at())),
        // The agent ends with its job, so where its exit code tells of one, this was its end.
        (Phase::Done, task.execution_stopped_at().filter(|_| ran_a_job)),
        (Phase::Gone, task.stopped_at()),
    ];
    for (phase, at) in times {
        if let Some(at) = time(at) {
            phases.reach(phase, at);
        }
    }
    phases
}

fn capacity(task: &Task) -> Option<Capacity> {
    match (task.capacity_provider_name(), task.launch_type()) {
        (Some(provider), _) => Some(Capacity::Provider(provider.to_owned())),
        (None, Some(LaunchType::Ec2)) => Some(Capacity::LaunchType(stack::LaunchType::Ec2)),
        (None, Some(LaunchType::Fargate)) => Some(Capacity::LaunchType(stack::LaunchType::Fargate)),
        _ => None,
    }
}

/// The name of the container that the launch gave a mailbox, and the mailbox.
fn mailbox_of(task: &Task) -> Option<(&str, &str)> {
    task.overrides()?.container_overrides().iter().find_map(|container| {
        let variable = container.environment().iter().find(|pair| pair.name() == Some(MAILBOX_VARIABLE))?;
        Some((container.name()?, variable.value()?))
    })
}

fn mailbox(task: &Task) -> Option<MailboxPrefix> {
    mailbox_of(task).and_then(|(_, prefix)| prefix.parse().ok())
}

fn agent_container(task: &Task) -> Option<&Container> {
    let (name, _) = mailbox_of(task)?;
    task.containers().iter().find(|container| container.name() == Some(name))
}

fn end(task: &Task, status: &str, agent: Option<&Container>) -> Option<TaskEnd> {
    let over = matches!(state(status), TaskState::Going | TaskState::Stopped);
    (over || task.stop_code().is_some()).then(|| TaskEnd {
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: task.stopped_reason().map(str::to_owned),
        exit_code: agent.and_then(Container::exit_code),
        container_reason: agent.and_then(Container::reason).map(str::to_owned),
    })
}

fn number(text: Option<&str>) -> Option<u32> {
    text?.parse().ok()
}

/// ECS tells milliseconds. The API writes them as a fraction, in which they come with some noise; an event
/// does not, and the two are to be compared.
fn time(at: Option<&DateTime>) -> Option<Timestamp> {
    let at = at?;
    let at = Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()?;
    at.round(Unit::Millisecond).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{
        ContainerOverride, EphemeralStorage, KeyValuePair, Tag, TaskOverride, TaskStopCode,
    };

    use super::*;

    const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd";

    fn at(seconds: i64) -> DateTime {
        DateTime::from_secs_and_nanos(seconds, 500_000_000)
    }

    fn moment(seconds: i64) -> Timestamp {
        Timestamp::new(seconds, 500_000_000).unwrap()
    }

    fn overrides(prefix: &str) -> TaskOverride {
        let other = ContainerOverride::builder().name("sidecar").build();
        let variable = KeyValuePair::builder().name(MAILBOX_VARIABLE).value(prefix).build();
        let runner = ContainerOverride::builder().name("runner").environment(variable).build();
        TaskOverride::builder().container_overrides(other).container_overrides(runner).build()
    }

    fn ended(exit_code: i32) -> TaskView {
        let sidecar = Container::builder().name("sidecar").exit_code(1).build();
        let runner = Container::builder().name("runner").exit_code(exit_code).reason("r").build();
        let task = Task::builder()
            .task_arn(ARN)
            .last_status("STOPPED")
            .overrides(overrides("s3://b/mailbox/n/"))
            .containers(sidecar)
            .containers(runner)
            .created_at(at(0))
            .pull_started_at(at(10))
            .pull_stopped_at(at(20))
            .started_at(at(21))
            .execution_stopped_at(at(90))
            .stopped_at(at(99))
            .stop_code(TaskStopCode::EssentialContainerExited)
            .stopped_reason("Essential container in task exited")
            .capacity_provider_name("FARGATE_SPOT")
            .launch_type(LaunchType::Fargate)
            .cpu("1024")
            .memory("2048")
            .ephemeral_storage(EphemeralStorage::builder().size_in_gib(30).build())
            .tags(Tag::builder().key("fleetfoot:label").value("ff-1").build())
            .started_by("fleetfoot/prod/1-1/k")
            .build();
        of_task("look", &task).unwrap()
    }

    #[test]
    fn a_whole_life_is_read() {
        let view = ended(0);
        assert_eq!(view.state, TaskState::Stopped);
        let times: Vec<_> = view.phases.iter().collect();
        assert_eq!(
            times,
            [
                (Phase::Provisioning, moment(0)),
                (Phase::Pulling, moment(10)),
                (Phase::Starting, moment(20)),
                (Phase::Done, moment(90)),
                (Phase::Gone, moment(99)),
            ]
        );
        assert_eq!(view.capacity, Some(Capacity::Provider("FARGATE_SPOT".into())));
        assert_eq!((view.cpu, view.memory, view.ephemeral_storage), (Some(1024), Some(2048), Some(30)));
        assert_eq!(view.mailbox.unwrap().to_string(), "s3://b/mailbox/n/");
        assert_eq!((view.billed_from, view.stopped_at), (Some(moment(10)), Some(moment(99))));
        assert_eq!(view.tags["fleetfoot:label"], "ff-1");
        let end = view.end.unwrap();
        assert_eq!(end.exit_code, Some(0), "the agent's, not the sidecar's");
        assert_eq!(end.stop_code.as_deref(), Some("EssentialContainerExited"));
    }

    #[test]
    fn an_agent_without_a_job_was_never_done() {
        assert_eq!(ended(20).at(Phase::Done), None);
        assert_eq!(ended(10).at(Phase::Done), Some(moment(90)));
    }

    #[test]
    fn a_fresh_task_has_little_and_that_is_enough() {
        let task = Task::builder().task_arn(ARN).last_status("PROVISIONING").created_at(at(0)).build();
        let view = of_task("look", &task).unwrap();
        assert_eq!((view.state, view.phases.latest()), (TaskState::Coming, Some(Phase::Provisioning)));
        assert_eq!((view.end, view.mailbox, view.capacity, view.billed_from), (None, None, None, None));
    }

    #[test]
    fn states_of_the_future_are_no_error() {
        for (status, expected) in [
            ("PENDING", TaskState::Coming),
            ("ACTIVATING", TaskState::Coming),
            ("RUNNING", TaskState::Running),
            ("DEPROVISIONING", TaskState::Going),
            ("STOPPED", TaskState::Stopped),
            ("SOMETHING_NEW", TaskState::Coming),
        ] {
            assert_eq!(state(status), expected, "{status}");
        }
        assert_eq!(of_task("look", &Task::builder().build()).unwrap_err().class, Class::Unknown);
    }
}
