//! The life of a task: what happens at which time, and what the machine has to do for it.
//!
//! Time comes in through [`Ecs::advance`]; processes report through [`Ecs::container_exited`] and
//! [`Ecs::container_failed`]; what the machine shall do goes out as [`Effect`]s. A step happens at the
//! time it was due, however late it is looked at.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::identity::Identities;
use super::super::logs::Logs;
use super::launch::{self, Launch};
use super::model::{ContainerStatus, StopCode, Task, TaskStatus};
use super::{Ecs, render};

/// Stopped tasks stay visible for about an hour.
const RETENTION: SignedDuration = SignedDuration::from_hours(1);

/// The next thing that happens to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has its interface.
    Provisioned,
    /// The pull begins.
    PullStarted,
    /// The pull is done, the processes start.
    PullStopped,
    /// It runs.
    Activated,
    /// Its processes are told to stop.
    StopContainers,
    /// Its interface is taken away.
    Release,
    /// It is over.
    Gone,
    /// What was to happen to it while it runs happens.
    Struck,
    /// Nobody is told of it any more.
    Forgotten,
}

/// What the machine has to do, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A task changed its status: tell who listens.
    Changed {
        /// The task.
        arn: String,
        /// Its status now.
        status: &'static str,
    },
    /// Start a container's process.
    Start(Box<Launch>),
    /// SIGTERM to a container's processes, after the grace SIGKILL.
    Stop {
        /// The container.
        runtime_id: String,
        /// Time between the two.
        grace: Duration,
    },
    /// SIGKILL to a container's processes.
    Kill {
        /// The container.
        runtime_id: String,
    },
}

impl Ecs {
    /// Does everything that is due by now.
    pub(crate) fn advance(&mut self, now: Timestamp, identities: &Identities, logs: &mut Logs) {
        while let Some((index, at, stage)) = self.tasks.take_due(now) {
            self.step(index, stage, at, identities, logs);
        }
    }

    /// What the machine has to do since the last time.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.outbox)
    }

    fn step(&mut self, index: u64, stage: Stage, at: Timestamp, identities: &Identities, logs: &mut Logs) {
        let timing = self.timing(self.tasks[index].launch_type);
        match stage {
            Stage::Provisioned | Stage::PullStarted | Stage::PullStopped
                if self.fails_at(index, stage, at) => {}
            Stage::Provisioned => {
                self.tasks[index].times.connectivity = Some(at);
                self.set_status(index, TaskStatus::Pending, at);
                self.then(index, at + timing.pending, Stage::PullStarted);
            }
            Stage::PullStarted => {
                if let Err(reason) = launch::prepare_logs(&self.tasks[index], &self.region, identities, logs)
                {
                    return self.begin_stop(index, StopCode::TaskFailedToStart, reason, at);
                }
                let task = &mut self.tasks[index];
                task.times.pull_started = Some(at);
                // On the cluster's machines the agent connects once it takes the task.
                task.times.connectivity.get_or_insert(at);
                self.changed(index, at);
                self.then(index, at + timing.pull, Stage::PullStopped);
            }
            Stage::PullStopped => self.start_containers(index, at, at + timing.activating),
            Stage::Activated => {
                let task = &mut self.tasks[index];
                task.times.started.get_or_insert(at);
                for container in task.containers.iter_mut().filter(|c| c.status == ContainerStatus::Pending) {
                    container.status = ContainerStatus::Running;
                }
                self.set_status(index, TaskStatus::Running, at);
                self.await_ending(index, at);
            }
            Stage::Struck => self.strike(index, at),
            Stage::StopContainers => self.stop_containers(index, at),
            Stage::Release => {
                self.set_status(index, TaskStatus::Deprovisioning, at);
                self.then(index, at + timing.deprovisioning, Stage::Gone);
            }
            Stage::Gone => {
                self.tasks[index].times.stopped = Some(at);
                self.set_status(index, TaskStatus::Stopped, at);
                self.then(index, at + RETENTION, Stage::Forgotten);
            }
            Stage::Forgotten => self.tasks.remove(index),
        }
    }

    fn start_containers(&mut self, index: u64, at: Timestamp, activated: Timestamp) {
        let launches = launch::build(&self.tasks[index], &self.images, &self.surroundings);
        let task = &mut self.tasks[index];
        let launches = match launches {
            Ok(launches) => launches,
            Err((name, reason)) => {
                for container in task.containers.iter_mut().filter(|container| container.name == name) {
                    container.reason = Some(reason.clone());
                }
                return self.begin_stop(index, StopCode::TaskFailedToStart, reason, at);
            }
        };
        task.times.pull_stopped = Some(at);
        task.containers.iter_mut().for_each(|container| container.launched = true);
        self.outbox.extend(launches.into_iter().map(|launch| Effect::Start(Box::new(launch))));
        self.kill_at_start(index);
        self.set_status(index, TaskStatus::Activating, at);
        self.then(index, activated, Stage::Activated);
    }

    fn stop_containers(&mut self, index: u64, at: Timestamp) {
        self.set_status(index, TaskStatus::Stopping, at);
        let task = &self.tasks[index];
        let mut stops = Vec::new();
        for container in task.containers.iter().filter(|c| c.status != ContainerStatus::Stopped) {
            let definition =
                task.definition.definition.container_definitions.iter().find(|d| d.name == container.name);
            let seconds = definition.and_then(|definition| definition.stop_timeout).unwrap_or(30);
            let grace = Duration::from_secs(seconds.into());
            let grace = task.notice.map_or(grace, |notice| notice.min(grace));
            stops.push(Effect::Stop { runtime_id: container.runtime_id.clone(), grace });
        }
        if stops.is_empty() {
            let timing = self.timing(task.launch_type);
            self.then(index, at + timing.stopping, Stage::Release);
        } else {
            // The exits bring the task on.
            self.outbox.extend(stops);
        }
    }

    /// Turns a task towards its end; nothing happens if it is already on its way.
    pub(super) fn begin_stop(&mut self, index: u64, code: StopCode, reason: String, now: Timestamp) {
        let timing = self.timing(self.tasks[index].launch_type);
        let task = &mut self.tasks[index];
        if task.desired_stopped {
            return;
        }
        task.desired_stopped = true;
        task.times.stopping = Some(now);
        task.stop_code = Some(code);
        task.stopped_reason = Some(reason);
        if task.containers.iter().any(|container| container.launched) {
            self.set_status(index, TaskStatus::Deactivating, now);
            self.then(index, now + timing.deactivating, Stage::StopContainers);
        } else {
            task.containers.iter_mut().for_each(|container| container.status = ContainerStatus::Stopped);
            self.set_status(index, TaskStatus::Deprovisioning, now);
            self.then(index, now + timing.deprovisioning, Stage::Gone);
        }
    }

    /// A container's process ended.
    pub(crate) fn container_exited(&mut self, runtime_id: &str, code: i32, now: Timestamp) {
        self.container_stopped(runtime_id, Ok(code), now);
    }

    /// A container's process could not be started.
    pub(crate) fn container_failed(&mut self, runtime_id: &str, reason: String, now: Timestamp) {
        self.container_stopped(runtime_id, Err(reason), now);
    }

    fn container_stopped(&mut self, runtime_id: &str, result: Result<i32, String>, now: Timestamp) {
        let Some(index) = self.tasks.number_of_container(runtime_id) else {
            return;
        };
        let task = &mut self.tasks[index];
        let Some(container) = task.containers.iter_mut().find(|container| container.runtime_id == runtime_id)
        else {
            return;
        };
        container.status = ContainerStatus::Stopped;
        container.exit_code = result.as_ref().ok().copied();
        container.reason = result.as_ref().err().cloned().or_else(|| container.kill_reason.take());
        let name = container.name.clone();
        let definitions = &task.definition.definition.container_definitions;
        let essential = definitions.iter().any(|d| d.name == name && d.essential != Some(false));
        let all_stopped =
            task.containers.iter().all(|container| container.status == ContainerStatus::Stopped);
        if all_stopped {
            task.times.execution_stopped = Some(now);
        }
        let stopping = task.status == TaskStatus::Stopping;
        self.changed(index, now);
        let task = &mut self.tasks[index];
        match result {
            Ok(_) if essential || all_stopped => {
                // What ran at all has a start, however short it ran.
                if task.status == TaskStatus::Activating {
                    task.times.started.get_or_insert(now);
                }
                let reason = "Essential container in task exited".to_owned();
                self.begin_stop(index, StopCode::EssentialContainerExited, reason, now);
            }
            Ok(_) => {}
            Err(reason) => self.begin_stop(index, StopCode::TaskFailedToStart, reason, now),
        }
        if stopping && all_stopped {
            let timing = self.timing(self.tasks[index].launch_type);
            self.then(index, now + timing.stopping, Stage::Release);
        }
    }

    /// Tells who listens where a task is.
    pub(super) fn announce(&mut self, task: &Task) {
        if self.notes_changes {
            self.changes.push((task.times.created, render::task(task, false)));
        }
        self.outbox.push(Effect::Changed { arn: task.arn.clone(), status: task.status.as_str() });
    }

    /// Notes that a task has changed.
    fn changed(&mut self, index: u64, at: Timestamp) {
        self.tasks[index].version += 1;
        if self.notes_changes {
            self.changes.push((at, render::task(&self.tasks[index], false)));
        }
    }

    /// What has happened to tasks since the last time, if somebody wants to hear of it.
    pub(crate) fn take_changes(&mut self) -> Vec<(Timestamp, Value)> {
        std::mem::take(&mut self.changes)
    }

    fn set_status(&mut self, index: u64, status: TaskStatus, at: Timestamp) {
        let task = &mut self.tasks[index];
        task.status = status;
        let arn = task.arn.clone();
        self.changed(index, at);
        self.outbox.push(Effect::Changed { arn, status: status.as_str() });
    }

    pub(super) fn then(&mut self, index: u64, at: Timestamp, stage: Stage) {
        self.tasks.schedule(index, Some((at, stage)));
    }
}
