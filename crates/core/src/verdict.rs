//! Verdicts: the one answer to "why did this not work".

use std::fmt;

use serde::Serialize;

use crate::ending::Ending;
use crate::exit::AgentExit;
use crate::fault::Fault;
use crate::task::{TaskEnd, TaskView};

/// Why something did not work, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// A word for scripts: a fault's class, an ending's, or `timeout`.
    pub class: String,
    /// One sentence.
    pub sentence: String,
    /// What the user can do.
    pub remedy: Option<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl From<&Fault> for Verdict {
    fn from(fault: &Fault) -> Self {
        Self { class: fault.class.word().into(), sentence: fault.to_string(), remedy: fault.remedy.clone() }
    }
}

impl Verdict {
    /// Why a task ended before its runner was online.
    pub fn of_ended_task(task: &TaskView, ending: Ending) -> Self {
        Self {
            class: ending.class.to_owned(),
            sentence: format!("task {} ended before its runner was online: {}", task.arn.id(), why(task)),
            remedy: Some(ending.remedy.to_owned()),
        }
    }

    /// The deadline passed.
    pub fn timeout(ready: usize, wanted: usize, missing: &str) -> Self {
        Self {
            class: "timeout".into(),
            sentence: format!("only {ready} of {wanted} runners were ready in time: {missing}"),
            remedy: Some("Look at the tasks' logs; raise --timeout if they are only slow.".into()),
        }
    }
}

/// Why a task ended, in the words of whoever was closest: the agent, the container, ECS.
pub(crate) fn why(task: &TaskView) -> String {
    let end = task.end.as_ref();
    let exit = end.and_then(|end| end.exit_code);
    let said = [
        end.and_then(|end| end.container_reason.as_deref()),
        end.and_then(|end| end.stopped_reason.as_deref()),
        end.and_then(|end| end.stop_code.as_deref()),
    ];
    let said = said.into_iter().flatten().next().map(|said| said.trim_end_matches('.').to_owned());
    let said = said
        .unwrap_or_else(|| format!("ECS gives no reason; its last status is {status}", status = task.status));
    match (end.and_then(TaskEnd::agent), exit) {
        // It only knows that it was told to; ECS knows why.
        (Some(AgentExit::Terminated | AgentExit::JobInterrupted), Some(code))
            if end.is_some_and(|end| end.stop_code.as_deref() != Some("EssentialContainerExited")) =>
        {
            format!("{said} (the agent's exit code {code})")
        }
        (Some(agent), Some(code)) => format!("{} (the agent's exit code {code})", agent.sentence()),
        (None, Some(code)) => format!("{said} (exit code {code})"),
        _ => said,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::task::TaskState;

    /// A task that has stopped so.
    pub(crate) fn task(end: Option<TaskEnd>) -> TaskView {
        TaskView {
            arn: "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd".parse().unwrap(),
            state: TaskState::Stopped,
            status: "STOPPED".into(),
            phases: crate::phase::PhaseTimes::default(),
            started_by: None,
            capacity: None,
            cpu: None,
            memory: None,
            ephemeral_storage: None,
            tags: std::collections::BTreeMap::new(),
            mailbox: None,
            end,
            billed_from: None,
            started_at: None,
            stopped_at: None,
        }
    }

    fn ended(end: &TaskEnd) -> String {
        Verdict::of_ended_task(&task(Some(end.clone())), Ending::of(end)).sentence
    }

    #[test]
    fn the_closest_reason_speaks() {
        let none = TaskEnd { stop_code: None, stopped_reason: None, exit_code: None, container_reason: None };
        let code = TaskEnd { exit_code: Some(21), ..none.clone() };
        assert!(
            ended(&code).ends_with("given no registration before the deadline (the agent's exit code 21)")
        );
        let pull = TaskEnd {
            stop_code: Some("TaskFailedToStart".into()),
            container_reason: Some("CannotPullContainerError: no such image".into()),
            ..none.clone()
        };
        assert!(ended(&pull).ends_with("CannotPullContainerError: no such image"));
        let killed =
            TaskEnd { exit_code: Some(137), stopped_reason: Some("OutOfMemoryError".into()), ..none.clone() };
        assert!(ended(&killed).ends_with("OutOfMemoryError (exit code 137)"));
        assert!(ended(&none).ends_with("its last status is STOPPED"));
        let spot = TaskEnd {
            stop_code: Some("SpotInterruption".into()),
            stopped_reason: Some("Your Spot Task was interrupted.".into()),
            exit_code: Some(143),
            ..none.clone()
        };
        assert!(ended(&spot).ends_with(": Your Spot Task was interrupted (the agent's exit code 143)"));
        let signal = TaskEnd { stop_code: Some("EssentialContainerExited".into()), ..spot };
        assert!(
            ended(&signal)
                .ends_with("the task was told to stop before a job came (the agent's exit code 143)")
        );
    }
}
