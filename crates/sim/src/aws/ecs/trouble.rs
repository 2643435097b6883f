//! What happens to tasks that are not let live: they fail to start, are killed, lose their capacity.
//!
//! Sources of the sentences: ECS Developer Guide, "Stopped tasks error messages", "Fargate Spot termination
//! notices" and "Task retirement".

use std::time::Duration;

use jiff::Timestamp;

use super::Ecs;
use super::lifecycle::{Effect, Stage};
use super::model::{ContainerStatus, StopCode};
use super::placement::FARGATE_SHORT;
use crate::faults::{Ending, Moment, StartFailure};

/// What GitHub's runner writes when it has a job.
const BUSY: &str = "Running job: ";

/// Capacity that AWS can take back.
const SPOT: &str = "FARGATE_SPOT";

impl Ecs {
    /// Whether a task fails at this stage by its fate; then it is on its way out.
    pub(super) fn fails_at(&mut self, index: u64, stage: Stage, at: Timestamp) -> bool {
        let task = &mut self.tasks[index];
        let Some(Ending::FailsToStart(failure)) = task.fate.ending else {
            return false;
        };
        let reason = match (failure, stage) {
            (StartFailure::Network, Stage::Provisioned) => {
                "Timeout waiting for network interface provisioning to complete.".to_owned()
            }
            (StartFailure::Capacity, Stage::Provisioned) => FARGATE_SHORT.to_owned(),
            (StartFailure::Init, Stage::PullStarted) => format!(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval \
                 failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: \
                 send request failed caused by: Post \"https://api.ecr.{}.amazonaws.com/\": dial tcp 10.0.0.2:443: \
                 i/o timeout. Please check your task network configuration.",
                self.region
            ),
            (StartFailure::Pull, Stage::PullStopped) => {
                let images = &task.definition.definition.container_definitions;
                let image = images.first().map_or("", |container| container.image.as_str());
                let reason = format!(
                    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref \
                     {image}: failed to do request: Head \"https://{image}\": dial tcp 10.0.0.2:443: i/o timeout"
                );
                if let Some(container) = task.containers.first_mut() {
                    container.reason = Some(reason.clone());
                }
                reason
            }
            _ => return false,
        };
        self.begin_stop(index, StopCode::TaskFailedToStart, reason, at);
        true
    }

    /// Kills what has just been started, where that is its fate.
    pub(super) fn kill_at_start(&mut self, index: u64) {
        match self.tasks[index].fate.ending {
            Some(Ending::Killed(Moment::Starting)) => {
                self.kill_containers(index, None);
            }
            Some(Ending::FailsToStart(StartFailure::Memory)) => {
                let reason = "OutOfMemoryError: Container killed due to memory usage";
                self.kill_containers(index, Some(reason));
            }
            _ => {}
        }
    }

    /// Sets the time for what is going to happen to a task that is RUNNING from now on.
    pub(super) fn await_ending(&mut self, index: u64, at: Timestamp) {
        if let Some(
            Ending::Killed(Moment::Running(after))
            | Ending::Interrupted { after, .. }
            | Ending::Retired { after },
        ) = self.tasks[index].fate.ending
        {
            self.then(index, at + after, Stage::Struck);
        }
    }

    /// The time that [`Self::await_ending`] set has come.
    pub(super) fn strike(&mut self, index: u64, at: Timestamp) {
        match self.tasks[index].fate.ending.take() {
            Some(Ending::Killed(_)) => {
                self.kill_containers(index, None);
            }
            Some(Ending::Interrupted { notice, .. }) => self.interrupt(index, notice, at),
            Some(Ending::Retired { .. }) => {
                let reason =
                    "ECS is performing maintenance on the underlying infrastructure hosting the task.";
                self.begin_stop(index, StopCode::TerminationNotice, reason.to_owned(), at);
            }
            Some(Ending::FailsToStart(_)) | None => {}
        }
    }

    /// A task wrote a line to its log. True: that had consequences.
    pub(crate) fn line_written(&mut self, arn: &str, line: &str) -> bool {
        let dies = |index: &u64| self.tasks[*index].fate.ending == Some(Ending::Killed(Moment::Busy));
        let Some(index) = self.tasks.number_of(arn).filter(dies).filter(|_| line.contains(BUSY)) else {
            return false;
        };
        self.tasks[index].fate.ending = None;
        self.kill_containers(index, None)
    }

    /// Kills a task's processes. False: there is no such task, or none of them runs.
    pub(crate) fn kill_task(&mut self, arn: &str) -> bool {
        let index = self.tasks.number_of(arn);
        index.is_some_and(|index| self.kill_containers(index, None))
    }

    /// Takes a task's spot capacity away. False: there is no such task on spot capacity, or it is on its way
    /// out already.
    pub(crate) fn interrupt_task(&mut self, arn: &str, notice: Duration, now: Timestamp) -> bool {
        let lives = |index: &u64| self.tasks[*index].pool == SPOT && !self.tasks[*index].desired_stopped;
        let index = self.tasks.number_of(arn).filter(lives);
        if let Some(index) = index {
            self.interrupt(index, notice, now);
        }
        index.is_some()
    }

    fn interrupt(&mut self, index: u64, notice: Duration, at: Timestamp) {
        self.tasks[index].notice = Some(notice);
        self.begin_stop(index, StopCode::SpotInterruption, "Your Spot Task was interrupted.".to_owned(), at);
    }

    fn kill_containers(&mut self, index: u64, reason: Option<&str>) -> bool {
        let mut killed = Vec::new();
        for container in &mut self.tasks[index].containers {
            if container.launched && container.status != ContainerStatus::Stopped {
                container.kill_reason = reason.map(str::to_owned);
                killed.push(Effect::Kill { runtime_id: container.runtime_id.clone() });
            }
        }
        let any = !killed.is_empty();
        self.outbox.extend(killed);
        any
    }
}
