//! Observe: what ECS and GitHub say of the tasks and runners of this start.
//!
//! A constant number of calls per round: one `DescribeTasks` for all tasks, and one GET per runner that
//! is waited for, however many runners the repository has. Failures change nothing but `troubles`: the
//! next round looks again, once the service may be asked.

use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::{StartedBy, TaskArn};
use fleetfoot_core::patience::Service;
use fleetfoot_core::plan::{Goal, Policy, Until};
use fleetfoot_core::ports::{Outbox, RunnerView, Runners, Tasks};
use fleetfoot_core::task::TaskState;
use fleetfoot_core::world::{Member, Registration, World};
use futures_util::StreamExt;
use jiff::Timestamp;

use super::Engine;

/// Concurrent calls to one service: far below GitHub's 100 and friendly to the ECS buckets.
pub(super) const AT_ONCE: usize = 8;

impl<T: Tasks, O: Outbox, R: Runners> Engine<'_, T, O, R> {
    /// Finds the tasks of a start and adds those that are new.
    pub async fn find(&self, started_by: &StartedBy, world: &mut World) -> Result<(), Fault> {
        let mut arns = self.ports.tasks.find(started_by).await?;
        arns.retain(|arn| !world.members.contains_key(arn));
        if arns.is_empty() {
            return Ok(());
        }
        for task in self.ports.tasks.describe(&arns).await? {
            world.members.insert(task.arn.clone(), Member::found(task));
        }
        Ok(())
    }

    /// Looks at everything that may have changed.
    pub(super) async fn observe(&self, policy: &Policy, world: &mut World) {
        let moving: Vec<TaskArn> =
            world.members.values().filter(|m| !m.is_stopped()).map(|m| m.task.arn.clone()).collect();
        let quiet = |world: &World, service| world.quiet(service, Timestamp::now()).is_some();
        if !moving.is_empty() && !quiet(world, Service::EcsReads) {
            match self.ports.tasks.describe(&moving).await {
                Ok(tasks) => {
                    world.answered(Service::EcsReads);
                    for task in tasks {
                        if let Some(member) = world.members.get_mut(&task.arn) {
                            member.see_task(task);
                        }
                    }
                }
                Err(fault) => note(world, Service::EcsReads, &fault),
            }
        }
        if quiet(world, Service::GitHubReads) {
            return;
        }
        let looked = futures_util::stream::iter(
            world.members.values().filter(|m| wants_a_look(m, policy)).map(|m| self.look_up(m)),
        )
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
        for (arn, seen) in looked {
            match (seen, world.members.get_mut(&arn)) {
                (Ok(runner), Some(member)) => {
                    member.see_runner(runner, Timestamp::now());
                    world.answered(Service::GitHubReads);
                }
                (Err(fault), _) => note(world, Service::GitHubReads, &fault),
                (Ok(_), None) => {}
            }
        }
    }

    async fn look_up(&self, member: &Member) -> (TaskArn, Result<Option<RunnerView>, Fault>) {
        let seen = match member.runner_id() {
            Some(id) => self.ports.runners.get(id).await,
            None => self.ports.runners.find(&member.runner()).await,
        };
        (member.task.arn.clone(), seen)
    }
}

/// Whether GitHub has to be asked about this member now.
fn wants_a_look(member: &Member, policy: &Policy) -> bool {
    match (member.registration, policy.goal) {
        // A task whose end proves that its job ran has no registration left.
        (Registration::Unknown, _) => !member.ran_a_job() || !member.is_stopped(),
        // Nobody can be online in a task that does not run yet.
        (Registration::Present { .. }, Goal::Have { until: Until::Online, .. }) => {
            !member.was_online() && member.task.state >= TaskState::Running
        }
        _ => false,
    }
}

/// Notes a fault of a service, for the plan and for the log.
pub(super) fn note(world: &mut World, service: Service, fault: &Fault) {
    tracing::debug!(?service, class = fault.class.word(), what = fault.what, why = fault.why, "call failed");
    world.failed(service, fault, Timestamp::now());
}
