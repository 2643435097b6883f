//! What ECS and GitHub have of a task, and how they tell of it.

use std::collections::BTreeMap;

use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fleet::{SetIndex, Sighting};
use fleetfoot_core::ids::{RunnerId, RunnerName, TaskArn};
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::ports::RunnerView;
use fleetfoot_core::scale_sets::{Demand, Job, RequestId};
use fleetfoot_core::task::{TaskEnd, TaskState, TaskView};
use jiff::Timestamp;

/// The only scale set.
pub(crate) const SET: SetIndex = SetIndex(0);

/// A task at ECS, with its runner at GitHub.
pub(crate) struct Task {
    pub(crate) made_at: Timestamp,
    pub(crate) runs_at: Option<Timestamp>,
    pub(crate) stopped_at: Option<Timestamp>,
    pub(crate) exit: Option<AgentExit>,
    pub(crate) runner: Option<RunnerId>,
    pub(crate) online: bool,
    /// The number of the job that runs on it.
    pub(crate) job: Option<usize>,
}

impl Task {
    pub(crate) fn made(made_at: Timestamp) -> Self {
        Self { made_at, runs_at: None, stopped_at: None, exit: None, runner: None, online: false, job: None }
    }

    /// What GitHub shows of its runner.
    pub(crate) fn sighting(&self, arn: &TaskArn) -> Option<Sighting> {
        let (online, busy) = (self.online, self.job.is_some());
        let runner = RunnerView { id: self.runner?, name: RunnerName::of_task(arn), online, busy };
        Some(Sighting { runner, set: Some(SET) })
    }

    /// What ECS says of it.
    pub(crate) fn view(&self, arn: &TaskArn) -> TaskView {
        let mut phases = PhaseTimes::default();
        phases.reach(Phase::Provisioning, self.made_at);
        let state = match (self.runs_at, self.stopped_at) {
            (_, Some(_)) => TaskState::Stopped,
            (Some(_), None) => TaskState::Running,
            (None, None) => TaskState::Coming,
        };
        let end = self.stopped_at.map(|_| TaskEnd {
            stop_code: Some("EssentialContainerExited".to_owned()),
            stopped_reason: None,
            exit_code: self.exit.map(|exit| exit.code().into()),
            container_reason: None,
        });
        TaskView {
            arn: arn.clone(),
            state,
            status: String::new(),
            phases,
            started_by: None,
            capacity: None,
            cpu: None,
            memory: None,
            ephemeral_storage: None,
            tags: BTreeMap::new(),
            mailbox: Some(MailboxPrefix::new("mail", "mailbox/", "n0nce")),
            end,
            billed_from: None,
            started_at: None,
            stopped_at: self.stopped_at,
        }
    }
}

/// GitHub's count of the set's jobs.
pub(crate) fn demand(waiting: usize, running: u32) -> Demand {
    let assigned = u32::try_from(waiting).unwrap_or(u32::MAX) + running;
    Demand { assigned, running, ..Demand::default() }
}

/// GitHub's word for a job.
pub(crate) fn job(number: usize, at: Timestamp) -> Job {
    Job {
        request: RequestId(i64::try_from(number).unwrap_or_default()),
        id: number.to_string(),
        name: String::new(),
        repository: None,
        workflow_ref: String::new(),
        run_id: 0,
        event: "push".to_owned(),
        labels: Vec::new(),
        queued: Some(at),
        assigned: Some(at),
        taken: None,
        finished: None,
    }
}
