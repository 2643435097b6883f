//! Execute: does what the plan says, concurrently and within bounds, and writes back what came of it.
//!
//! Nothing is decided here beyond the two dances that the ports' contracts ask for: a lost answer to
//! minting, and a RunTask token that another launcher holds.

use fleetfoot_core::assignment::{self, Assignment};
use fleetfoot_core::ending::NOT_WANTED;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{ClientToken, RunnerId, TaskArn};
use fleetfoot_core::label::label_set;
use fleetfoot_core::patience::Service;
use fleetfoot_core::phase::Phase;
use fleetfoot_core::plan::Action;
use fleetfoot_core::ports::{LaunchRequest, Launched, Outbox, RunnerRequest, Runners, Tasks};
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::{Batch, Member, Registration, World};
use futures_util::StreamExt;
use jiff::Timestamp;

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

/// How binding failed.
enum Unbound {
    /// There is no registration; bind again if the fault can be mended.
    Nothing(Service, Fault),
    /// There may be a registration that nobody holds the secret of.
    Doubtful(Service, Fault),
    /// Another launcher has registered the runner.
    Another,
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
        let mut held = None;
        for done in done.into_iter().flatten() {
            match &done {
                Done::Launched { result: Ok(launched), .. } if !launched.held.is_empty() => {
                    held.get_or_insert_with(Vec::new).extend(launched.held.iter().cloned());
                }
                Done::Launched { result: Err(fault), .. } if fault.class == Class::Conflict => {
                    held.get_or_insert_with(Vec::new);
                }
                _ => {}
            }
            write_back(done, world);
        }
        if let Some(held) = held {
            self.take_over(&held, world).await;
        }
    }

    async fn act(&self, action: Action, world: &World) -> Option<Done> {
        Some(match action {
            Action::Launch(batch) => {
                let spec = self.spec.as_ref()?;
                let token = ClientToken::of_batch(&spec.started_by, batch.before, batch.tries);
                let request = spec.request(batch.capacity, batch.count, token)?;
                let asked_at = Timestamp::now();
                Done::Launched { batch, asked_at, result: self.ports.tasks.launch(&request).await }
            }
            Action::Bind(task) => {
                let result = self.bind(self.spec.as_ref()?, world.members.get(&task)?).await;
                Done::Bound { task, result }
            }
            Action::Unregister(task, id) => {
                Done::Unregistered { result: self.ports.runners.delete(id).await, task }
            }
            Action::Stop(task) => Done::Stopped {
                result: self.ports.tasks.stop(&task, NOT_WANTED).await,
                task,
            },
            Action::Empty(task) => {
                let address = world.members.get(&task)?.task.mailbox.as_ref()?.of_task(&task);
                Done::Emptied { result: self.ports.outbox.empty(&address).await, task }
            }
        })
    }

    /// Registers a runner for the task and hands it over.
    async fn bind(&self, spec: &Spec, member: &Member) -> Result<RunnerId, Unbound> {
        let name = member.runner();
        let runners = self.ports.runners;
        // A task that was found has the nonce of the launch before this one.
        let mailbox = member.task.mailbox.as_ref().unwrap_or(&spec.mailbox);
        if member.doubtful {
            // An earlier answer was lost. Whoever may be registered under this name, nobody holds its secret.
            let doubtful = |fault| Unbound::Doubtful(Service::GitHub, fault);
            if let Some(left) = runners.find(&name).await.map_err(doubtful)? {
                runners.delete(left.id).await.map_err(doubtful)?;
            }
        }
        let request = RunnerRequest {
            name: name.clone(),
            labels: label_set(spec.pool.arch, &spec.pool.name, &spec.label, &spec.extra_labels),
            group: spec.runner_group,
        };
        let minted = runners.mint(&request).await.map_err(|fault| match fault.class {
            Class::Conflict => Unbound::Another,
            Class::Unknown => Unbound::Doubtful(Service::GitHub, fault),
            _ => Unbound::Nothing(Service::GitHub, fault),
        })?;
        let seconds = |d: jiff::SignedDuration| u64::try_from(d.as_secs()).unwrap_or_default();
        let assignment = Assignment {
            version: assignment::VERSION,
            runner: name,
            jit_config: minted.jit_config,
            idle_timeout: seconds(spec.idle_timeout),
            max_lifetime: seconds(spec.max_lifetime),
        };
        let address = mailbox.of_task(&member.task.arn);
        let Err(fault) = self.ports.outbox.put(&address, &assignment).await else { return Ok(minted.id) };
        // Whatever lies there, be it this one whose answer was lost or an older one: nobody is registered under
        // its secret once this registration is gone, and the next assignment needs the place.
        if let Err(left) = self.ports.outbox.empty(&address).await {
            tracing::debug!(why = %left, "a dead assignment may lie in the mailbox");
        }
        Err(match runners.delete(minted.id).await {
            Ok(()) => Unbound::Nothing(Service::Mailbox, fault),
            Err(_) => Unbound::Doubtful(Service::Mailbox, fault),
        })
    }

    /// Another launch holds the token: takes over what it has started, which a new batch then comes after.
    async fn take_over(&self, held: &[TaskArn], world: &mut World) {
        let before = world.members.len();
        let seen = match (held, &self.spec) {
            ([], Some(spec)) => self.find(&spec.started_by, world).await,
            (held, _) => self.ports.tasks.describe(held).await.map(|tasks| {
                for task in tasks {
                    world.members.entry(task.arn.clone()).or_insert_with(|| Member::found(task));
                }
            }),
        };
        // What ECS names exists, though DescribeTasks may not show it yet; the next round looks again.
        let hidden = held.iter().any(|arn| !world.members.contains_key(arn));
        match seen {
            Err(fault) => note(world, Service::Ecs, &fault),
            Ok(()) if world.members.len() == before && !hidden => world.conflicts += 1,
            Ok(()) => {}
        }
    }
}

fn write_back(done: Done, world: &mut World) {
    match done {
        Done::Launched { batch, asked_at, result: Ok(launched) } => {
            world.answered(Service::Ecs);
            world.unanswered.retain(|other| *other != batch);
            for task in launched.tasks {
                let mut member = Member::started(task, batch.capacity);
                member.phases.reach(Phase::Requested, asked_at);
                world.members.insert(member.task.arn.clone(), member);
            }
            for fault in &launched.failures {
                refused(world, batch, fault);
            }
        }
        Done::Launched { batch, result: Err(fault), .. } => {
            match fault.class {
                // Whatever came of the call before it, this one did not ask.
                Class::Throttled { .. } => {}
                Class::Unknown if world.unanswered.contains(&batch) => {}
                Class::Unknown => world.unanswered.push(batch),
                _ => world.unanswered.retain(|other| *other != batch),
            }
            refused(world, batch, &fault);
        }
        Done::Bound { task, result } => bound(world, &task, result),
        Done::Unregistered { task, result } => {
            world.deleted(&task, result.as_ref().err().map(|fault| &fault.class));
            match result {
                Err(fault) if fault.class != Class::Busy => {
                    note(world, Service::GitHubDeletions, &fault);
                }
                _ => world.answered(Service::GitHubDeletions),
            }
        }
        Done::Stopped { task, result } => match result {
            Ok(()) => {
                world.answered(Service::EcsStops);
                world.members.entry(task).and_modify(|member| member.stop_asked = true);
            }
            Err(fault) => note(world, Service::EcsStops, &fault),
        },
        Done::Emptied { task, result } => match result {
            Ok(()) => {
                world.answered(Service::Mailbox);
                world.members.entry(task).and_modify(|member| member.emptied = true);
            }
            Err(fault) => note(world, Service::Mailbox, &fault),
        },
    }
}

fn bound(world: &mut World, task: &TaskArn, result: Result<RunnerId, Unbound>) {
    let Some(member) = world.members.get_mut(task) else { return };
    match result {
        Ok(id) => {
            member.assigned = true;
            member.handed_over = true;
            member.doubtful = false;
            member.registration = Registration::Present { id, online: false, busy: false, refused: false };
            member.phases.reach(Phase::Bound, Timestamp::now());
            world.answered(Service::GitHub);
            world.answered(Service::Mailbox);
        }
        Err(Unbound::Another) => member.registration = Registration::Unknown,
        Err(Unbound::Nothing(service, fault)) => note(world, service, &fault),
        Err(Unbound::Doubtful(service, fault)) => {
            member.doubtful = true;
            note(world, service, &fault);
        }
    }
}

/// A launch that failed: the capacity is out, or the whole start, or only this moment.
fn refused(world: &mut World, batch: Batch, fault: &Fault) {
    match fault.class {
        Class::NoCapacity => world.refuse(batch.capacity, Verdict::from(fault)),
        // Looked into at the end of the round.
        Class::Conflict => {}
        Class::NotFound => world.fatal = Some(Verdict::from(fault)),
        _ => note(world, Service::Ecs, fault),
    }
}
