//! Observe: what ECS and GitHub say of the tasks and runners of this start.
//!
//! A constant number of calls per round: one `DescribeTasks` for all tasks, and one GET per runner that
//! is waited for, however many runners the repository has. Failures change nothing but `troubles`: the
//! next round looks again, once the service may be asked.

use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::TaskArn;
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
    /// Takes over the tasks of this start that exist already.
    pub(super) async fn adopt(&self, world: &mut World) {
        let Some(spec) = &self.spec else { return };
        match self.ports.tasks.find(&spec.started_by).await {
            Ok(arns) => {
                world.answered(Service::EcsReads);
                world.named(arns, self.ports.clock.now());
                world.adopted = true;
            }
            Err(fault) => self.note(world, Service::EcsReads, &fault),
        }
    }

    /// Looks at the tasks that ECS has named only.
    pub(super) async fn look_for_named(&self, world: &mut World) {
        let named: Vec<TaskArn> = world.named.keys().cloned().collect();
        self.look_at(&named, world).await;
    }

    async fn look_at(&self, tasks: &[TaskArn], world: &mut World) {
        if tasks.is_empty() || self.is_quiet(world, Service::EcsReads) {
            return;
        }
        match self.ports.tasks.describe(tasks).await {
            Ok(tasks) => {
                world.answered(Service::EcsReads);
                for task in tasks {
                    world.found(task);
                }
                world.shown(self.ports.clock.now());
            }
            Err(fault) => self.note(world, Service::EcsReads, &fault),
        }
    }

    fn is_quiet(&self, world: &World, service: Service) -> bool {
        world.quiet(service, self.ports.clock.now()).is_some()
    }

    /// Looks at everything that may have changed.
    pub(super) async fn observe(&self, policy: &Policy, world: &mut World) {
        // Whoever takes away takes what he was given, and nothing that is there besides.
        let adopts = matches!(policy.goal, Goal::Have { .. }) && !world.adopted;
        if adopts && !self.is_quiet(world, Service::EcsReads) {
            self.adopt(world).await;
            if let (true, Goal::Have { count, .. }) = (world.adopted, policy.goal) {
                self.claim(count, world).await;
            }
        }
        let moving = world.members.values().filter(|m| !m.is_stopped()).map(|m| &m.task.arn);
        let moving: Vec<TaskArn> = moving.chain(world.named.keys()).cloned().collect();
        self.look_at(&moving, world).await;
        if self.is_quiet(world, Service::GitHubReads) {
            return;
        }
        let now = self.ports.clock.now();
        let looked = futures_util::stream::iter(
            world.members.values().filter(|m| wants_a_look(m, policy, now)).map(|m| self.look_up(m)),
        )
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
        for (arn, seen) in looked {
            match (seen, world.members.get_mut(&arn)) {
                (Ok(runner), Some(member)) => {
                    member.see_runner(runner, self.ports.clock.now());
                    world.answered(Service::GitHubReads);
                }
                (Err(fault), _) => self.note(world, Service::GitHubReads, &fault),
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

    fn note(&self, world: &mut World, service: Service, fault: &Fault) {
        note(world, service, fault, self.ports.clock.now());
    }
}

/// Whether GitHub has to be asked about this member now.
fn wants_a_look(member: &Member, policy: &Policy, now: Timestamp) -> bool {
    match (member.registration, policy.goal) {
        // A task whose end proves that its job ran has no registration left.
        (Registration::Unknown, _) => !member.ran_a_job() || !member.is_stopped(),
        (_, Goal::Nothing { .. }) => member.may_belong_to_another(now),
        // It may have been registered anew by another launcher.
        (Registration::Gone, Goal::Have { until: Until::Online, .. }) => {
            !member.was_online() && member.task.state == TaskState::Running
        }
        // Nobody can be online in a task that does not run yet.
        (Registration::Present { .. }, Goal::Have { until: Until::Online, .. }) => {
            !member.was_online() && member.task.state >= TaskState::Running
        }
        // Of a runner that was killed only GitHub knows whether it had a job.
        (Registration::Present { .. }, Goal::Over) => member.task.is_over() && !member.ran_a_job(),
        _ => false,
    }
}

/// Notes a fault of a service, for the plan and for the log.
pub(super) fn note(world: &mut World, service: Service, fault: &Fault, now: Timestamp) {
    tracing::debug!(?service, class = fault.class.word(), what = fault.what, why = fault.why, "call failed");
    world.failed(service, fault, now);
}
