//! Execute: does what the plan says, concurrently and within bounds, and writes back what came of it.
//!
//! Nothing is decided here beyond the two dances that the ports' contracts ask for: a lost answer to
//! minting, and a RunTask token that another launcher holds.

use fleetfoot_core::binding::Unbound;
use fleetfoot_core::ending::NOT_WANTED;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{ClientToken, RunnerId, TaskArn};
use fleetfoot_core::label::label_set;
use fleetfoot_core::patience::Service;
use fleetfoot_core::phase::Phase;
use fleetfoot_core::plan::Action;
use fleetfoot_core::ports::{LaunchRequest, Launched, Minted, Outbox, RunnerRequest, Runners, Tasks};
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::{Batch, Member, Registration, World};
use futures_util::StreamExt;
use jiff::Timestamp;

use super::bind::{Binding, Found, Registrar, Terms};
use super::observe::{AT_ONCE, note};
use super::{Engine, Spec};

/// What came of one action.
enum Done {
    Launched { batch: Batch, asked_at: Timestamp, result: Result<Launched, Fault> },
    Bound { task: TaskArn, result: Result<RunnerId, Unbound> },
    Unregistered { task: TaskArn, result: Result<(), Fault> },
    Stopped { task: TaskArn, result: Result<(), Fault> },
    Emptied { task: TaskArn, result: Result<(), Fault> },
}

impl Spec {
    /// The RunTask call for a batch.
    pub fn request(&self, capacity: usize, count: u32, token: ClientToken) -> Option<LaunchRequest> {
        Some(LaunchRequest {
            task_definition: self.pool.task_definition.clone(),
            container: self.pool.container.clone(),
            capacity: self.pool.capacity.get(capacity)?.clone(),
            network: self.pool.network.clone(),
            count,
            started_by: self.started_by.clone(),
            tags: self.tags.clone(),
            mailbox: self.mailbox.clone(),
            cpu: self.cpu,
            memory: self.memory,
            ephemeral_storage: self.ephemeral_storage,
            bind_timeout: None,
            token,
        })
    }
}

impl<T: Tasks, O: Outbox, R: Runners> Engine<'_, T, O, R> {
    /// Does all actions.
    pub(super) async fn execute(&self, actions: &[(Action, &'static str)], world: &mut World) {
        let jobs = actions.iter().map(|(action, reason)| {
            tracing::debug!(?action, reason, "act");
            self.act(action.clone(), world)
        });
        let done: Vec<_> = futures_util::stream::iter(jobs).buffer_unordered(AT_ONCE).collect().await;
        let conflicts = world.conflicts.len();
        for done in done.into_iter().flatten() {
            write_back(done, world, self.ports.clock.now());
        }
        // ECS does not name the tasks of another launcher's batch; perhaps its list does.
        if world.conflicts.len() > conflicts {
            self.adopt(world).await;
        }
        self.look_for_named(world).await;
    }

    async fn act(&self, action: Action, world: &World) -> Option<Done> {
        Some(match action {
            Action::Launch(batch) => {
                let spec = self.spec.as_ref()?;
                let token = ClientToken::of_batch(&spec.started_by, batch.number);
                let request = spec.request(batch.capacity, batch.count, token)?;
                let asked_at = self.ports.clock.now();
                Done::Launched { batch, asked_at, result: self.ports.tasks.launch(&request).await }
            }
            Action::Bind(task) => {
                let result = self.bind(self.spec.as_ref()?, world.members.get(&task)?).await;
                Done::Bound { task, result }
            }
            Action::Unregister(task, id) => {
                Done::Unregistered { result: self.ports.runners.delete(id).await, task }
            }
            Action::Stop(task) => {
                Done::Stopped { result: self.ports.tasks.stop(&task, NOT_WANTED).await, task }
            }
            Action::Empty(task) => {
                let address = world.members.get(&task)?.task.mailbox.as_ref()?.of_task(&task);
                Done::Emptied { result: self.ports.outbox.empty(&address).await, task }
            }
        })
    }

    /// Registers a runner for the task and hands it over.
    async fn bind(&self, spec: &Spec, member: &Member) -> Result<RunnerId, Unbound> {
        // A task that was found has the nonce of the launch before this one.
        let mailbox = member.task.mailbox.as_ref().unwrap_or(&spec.mailbox);
        let request = RunnerRequest {
            name: member.runner(),
            labels: label_set(spec.pool.arch, &spec.pool.name, &spec.label, &spec.extra_labels),
            group: spec.runner_group,
        };
        let terms = Terms { idle_timeout: spec.idle_timeout, max_lifetime: spec.max_lifetime };
        let binding = Binding {
            registrar: &OfStart { runners: self.ports.runners, request: &request },
            outbox: self.ports.outbox,
            runner: &request.name,
            address: &mailbox.of_task(&member.task.arn),
            terms,
        };
        binding.make(member.doubtful).await
    }
}

/// Registers runners that answer to the label of a start.
struct OfStart<'a, R> {
    runners: &'a R,
    request: &'a RunnerRequest,
}

impl<R: Runners> Registrar for OfStart<'_, R> {
    async fn mint(&self) -> Result<Minted, Fault> {
        self.runners.mint(self.request).await
    }

    async fn find(&self) -> Result<Option<Found>, Fault> {
        let found = self.runners.find(&self.request.name).await?;
        Ok(found.map(|runner| Found { id: runner.id, in_use: runner.online || runner.busy }))
    }

    async fn delete(&self, id: RunnerId) -> Result<(), Fault> {
        self.runners.delete(id).await
    }
}

fn write_back(done: Done, world: &mut World, now: Timestamp) {
    match done {
        Done::Launched { batch, asked_at, result: Ok(launched) } => {
            world.answered(Service::Ecs);
            world.settle(batch);
            launched.tasks.into_iter().for_each(|task| world.started(task, batch, asked_at));
            world.named(launched.held, now);
            for fault in &launched.failures {
                refused(world, batch, fault, now);
            }
        }
        Done::Launched { batch, result: Err(fault), .. } => {
            match fault.class {
                Class::NoCapacity => world.settle(batch),
                Class::Conflict => world.conflict(batch),
                Class::Unknown if !world.unanswered.contains(&batch) => world.unanswered.push(batch),
                // It was turned away, which tells nothing of an earlier call whose answer was lost.
                _ => {}
            }
            refused(world, batch, &fault, now);
        }
        Done::Bound { task, result } => bound(world, &task, result, now),
        Done::Unregistered { task, result } => {
            world.deleted(&task, result.as_ref().err().map(|fault| &fault.class), now);
            match result {
                Err(fault) if fault.class != Class::Busy => {
                    note(world, Service::GitHubDeletions, &fault, now);
                }
                _ => world.answered(Service::GitHubDeletions),
            }
        }
        Done::Stopped { task, result } => match result {
            Ok(()) => {
                world.answered(Service::EcsStops);
                world.members.entry(task).and_modify(|member| member.stop_asked = true);
            }
            Err(fault) => note(world, Service::EcsStops, &fault, now),
        },
        Done::Emptied { task, result } => match result {
            Ok(()) => {
                world.answered(Service::Mailbox);
                world
                    .members
                    .entry(task)
                    .and_modify(|member| (member.emptied, member.posted) = (true, false));
            }
            Err(fault) => note(world, Service::Mailbox, &fault, now),
        },
    }
}

fn bound(world: &mut World, task: &TaskArn, result: Result<RunnerId, Unbound>, now: Timestamp) {
    let Some(member) = world.members.get_mut(task) else { return };
    match result {
        Ok(id) => {
            member.assigned = true;
            member.handed_over = true;
            member.posted = true;
            member.doubtful = false;
            member.registration = Registration::Present { id, online: false, busy: false, refused: false };
            member.phases.reach(Phase::Bound, now);
            world.answered(Service::GitHub);
            world.answered(Service::Mailbox);
        }
        // Somebody else was faster.
        Err(Unbound::Another) if member.claimed => drop(world.members.remove(task)),
        Err(Unbound::Another) => {
            member.doubtful = false;
            member.registration = Registration::Unknown;
        }
        Err(Unbound::Refused(fault)) => note(world, Service::GitHub, &fault, now),
        Err(Unbound::Doubtful(fault)) => {
            member.doubtful = true;
            note(world, Service::GitHub, &fault, now);
        }
        Err(Unbound::Undelivered { fault, id, unregistered, emptied }) => {
            member.posted = !emptied;
            if !unregistered {
                member.doubtful = true;
                member.registration =
                    Registration::Present { id, online: false, busy: false, refused: false };
            }
            note(world, Service::Mailbox, &fault, now);
        }
    }
}

/// A launch that failed: the capacity is out, or the whole start, or only this moment.
fn refused(world: &mut World, batch: Batch, fault: &Fault, now: Timestamp) {
    match fault.class {
        Class::NoCapacity => world.refuse(batch.capacity, Verdict::from(fault)),
        // Looked into when all answers are there.
        Class::Conflict => {}
        _ => note(world, Service::Ecs, fault, now),
    }
}
