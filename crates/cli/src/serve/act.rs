//! Single steps: each calls what it has to, decides nothing, and says what came of it.

use fleetfoot_core::assignment::MailboxAddress;
use fleetfoot_core::binding::Unbound;
use fleetfoot_core::ending::NOT_WANTED;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::fleet::{Fleet, PoolIndex, ScopeIndex, SetIndex, Sighting, Step};
use fleetfoot_core::ids::{RunnerId, RunnerName, TaskArn};
use fleetfoot_core::ports::{LaunchRequest, Launched, Minted, Outbox, Registered, Registry, Tasks};
use fleetfoot_core::scale_sets::{ScaleSetId, ScaleSets};
use fleetfoot_core::task::TaskView;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{AtGitHub, Doors, Order};
use crate::engine::bind::{Binding, Found, Registrar, Terms};

/// What came of a step.
#[derive(Debug)]
pub(super) enum Came {
    Launched { pool: PoolIndex, number: u64, answer: Result<Launched, Fault> },
    Bound { task: TaskArn, set: SetIndex, answer: Result<RunnerId, Unbound> },
    Unregistered { task: TaskArn, set: SetIndex, answer: Result<(), Fault> },
    Stopped { task: TaskArn, answer: Result<(), Fault> },
    Emptied { task: TaskArn, answer: Result<(), Fault> },
    Looked { task: TaskArn, answer: Result<Option<Sighting>, (ScopeIndex, Fault)> },
    Described { asked: Vec<TaskArn>, answer: Result<Vec<TaskView>, Fault> },
    Swept { pool: PoolIndex, asked: Vec<TaskArn>, answer: Result<Vec<TaskView>, Fault> },
    RollCalled { began: Timestamp, answer: Result<Vec<Sighting>, (ScopeIndex, Fault)> },
}

impl Came {
    /// Which call it was, and what came of it, in a word each.
    pub(super) fn told(&self) -> (&'static str, &'static str) {
        let word = |fault: Option<&Fault>| fault.map_or("ok", |fault| fault.class.word());
        match self {
            Self::Launched { answer, .. } => ("launch", word(answer.as_ref().err())),
            Self::Bound { answer, .. } => {
                let outcome = match answer {
                    Ok(_) => "ok",
                    Err(Unbound::Another) => "conflict",
                    Err(
                        Unbound::Refused(fault)
                        | Unbound::Doubtful(fault)
                        | Unbound::Undelivered { fault, .. },
                    ) => fault.class.word(),
                };
                ("bind", outcome)
            }
            Self::Unregistered { answer, .. } => ("unregister", word(answer.as_ref().err())),
            Self::Stopped { answer, .. } => ("stop", word(answer.as_ref().err())),
            Self::Emptied { answer, .. } => ("empty", word(answer.as_ref().err())),
            Self::Looked { answer, .. } => ("look", word(answer.as_ref().err().map(|(_, fault)| fault))),
            Self::Described { answer, .. } => ("describe", word(answer.as_ref().err())),
            Self::Swept { answer, .. } => ("sweep", word(answer.as_ref().err())),
            Self::RollCalled { answer, .. } => ("roll", word(answer.as_ref().err().map(|(_, fault)| fault))),
        }
    }
}

/// Whoever does steps.
pub(super) struct Hands<'a, T, O, S, R> {
    pub(super) doors: Doors<'a, T, O, S, R>,
    pub(super) order: &'a Order,
}

impl<T, O, S, R> Clone for Hands<'_, T, O, S, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, O, S, R> Copy for Hands<'_, T, O, S, R> {}

impl<'a, T: Tasks, O: Outbox, S: ScaleSets, R: Registry> Hands<'a, T, O, S, R> {
    /// Begins a step that was written into the fleet as begun; a launch by its number. `None` if the fleet does
    /// not know what it is about.
    pub(super) fn begin(self, step: Step, number: Option<u64>, fleet: &Fleet) -> Option<BoxFuture<'a, Came>> {
        let address = |task: &TaskArn| Some(fleet.tasks.get(task)?.mailbox.as_ref()?.of_task(task));
        Some(match step {
            Step::Launch { pool, capacity, count, .. } => {
                let number = number?;
                let nonce = &fleet.pools.get(pool.0)?.launches.get(&number)?.nonce;
                let request = self.order.request(pool, capacity, count, nonce)?;
                Box::pin(self.launch(pool, number, request))
            }
            Step::Bind { task, set, doubtful } => {
                let address = address(&task)?;
                Box::pin(async move {
                    Came::Bound { answer: self.bind(&task, set, &address, doubtful).await, task, set }
                })
            }
            Step::Unregister { task, set, id } => {
                let at = self.doors.at(self.order.scope_of(set))?;
                Box::pin(
                    async move { Came::Unregistered { answer: at.sets.delete_runner(id).await, task, set } },
                )
            }
            Step::Stop(task) => Box::pin(async move {
                Came::Stopped { answer: self.doors.tasks.stop(&task, NOT_WANTED).await, task }
            }),
            Step::Empty(task) => {
                let address = address(&task)?;
                Box::pin(
                    async move { Came::Emptied { answer: self.doors.outbox.empty(&address).await, task } },
                )
            }
            Step::Look(task) => {
                Box::pin(async move { Came::Looked { answer: self.look(&task).await, task } })
            }
            Step::Describe(asked) => {
                Box::pin(
                    async move { Came::Described { answer: self.doors.tasks.describe(&asked).await, asked } },
                )
            }
            Step::Sweep(pool) => {
                let known =
                    fleet.tasks.iter().filter(|(_, task)| task.pool == pool).map(|(arn, _)| arn.clone());
                Box::pin(self.sweep(pool, known.collect()))
            }
            Step::CallRoll => Box::pin(async move {
                Came::RollCalled { began: self.doors.clock.now(), answer: self.call_roll().await }
            }),
        })
    }

    async fn launch(self, pool: PoolIndex, number: u64, request: LaunchRequest) -> Came {
        Came::Launched { pool, number, answer: self.doors.tasks.launch(&request).await }
    }

    async fn bind(
        self,
        task: &TaskArn,
        set: SetIndex,
        address: &MailboxAddress,
        doubtful: bool,
    ) -> Result<RunnerId, Unbound> {
        let runner = RunnerName::of_task(task);
        let unknown = |why| {
            Unbound::Refused(Fault::new(
                Class::Throttled { retry_after: None },
                format!("register the runner {runner}"),
                why,
            ))
        };
        let order = self.order.sets.get(set.0).ok_or_else(|| unknown("its scale set is not in the stack"))?;
        let at = self.doors.at(order.scope).ok_or_else(|| unknown("its scale set is nowhere at GitHub"))?;
        let id = self.doors.ids.get(set).ok_or_else(|| unknown("its scale set has no id yet"))?;
        let terms = Terms { idle_timeout: order.idle_timeout, max_lifetime: order.max_lifetime };
        let registrar = OfSet { at, hands: self, set, id, runner: &runner };
        let binding =
            Binding { registrar: &registrar, outbox: self.doors.outbox, runner: &runner, address, terms };
        binding.make(doubtful).await
    }

    fn sighting(self, scope: ScopeIndex, seen: Registered) -> Sighting {
        Sighting { set: self.order.set_of(scope, &seen.labels), runner: seen.runner }
    }

    /// Asks everywhere at GitHub: nobody knows where a rival has registered it.
    async fn look(self, task: &TaskArn) -> Result<Option<Sighting>, (ScopeIndex, Fault)> {
        let name = RunnerName::of_task(task);
        for (scope, at) in self.doors.scopes.iter().enumerate() {
            let scope = ScopeIndex(scope);
            if let Some(seen) = at.registry.look_up(&name).await.map_err(|fault| (scope, fault))? {
                return Ok(Some(self.sighting(scope, seen)));
            }
        }
        Ok(None)
    }

    async fn call_roll(self) -> Result<Vec<Sighting>, (ScopeIndex, Fault)> {
        let mut all = Vec::new();
        for (scope, at) in self.doors.scopes.iter().enumerate() {
            let scope = ScopeIndex(scope);
            let seen = at.registry.list().await.map_err(|fault| (scope, fault))?;
            all.extend(seen.into_iter().map(|seen| self.sighting(scope, seen)));
        }
        Ok(all)
    }

    async fn sweep(self, pool: PoolIndex, mut asked: Vec<TaskArn>) -> Came {
        let answer = match self.order.pools.get(pool.0) {
            Some(order) => self.doors.tasks.find(&order.started_by).await,
            None => Ok(Vec::new()),
        };
        let answer = match answer {
            Ok(found) => {
                asked.extend(found);
                asked.sort_unstable();
                asked.dedup();
                self.doors.tasks.describe(&asked).await
            }
            Err(fault) => Err(fault),
        };
        Came::Swept { pool, asked, answer }
    }
}

/// Registers a runner of a scale set.
struct OfSet<'a, T, O, S, R> {
    at: &'a AtGitHub<S, R>,
    hands: Hands<'a, T, O, S, R>,
    set: SetIndex,
    id: ScaleSetId,
    runner: &'a RunnerName,
}

impl<T: Tasks, O: Outbox, S: ScaleSets, R: Registry> Registrar for OfSet<'_, T, O, S, R> {
    async fn mint(&self) -> Result<Minted, Fault> {
        self.at.sets.mint(self.id, self.runner).await
    }

    async fn find(&self) -> Result<Option<Found>, Fault> {
        let scope = self.hands.order.scope_of(self.set);
        Ok(self.at.registry.look_up(self.runner).await?.map(|seen| {
            let Sighting { runner, set } = self.hands.sighting(scope, seen);
            Found { id: runner.id, in_use: runner.online || runner.busy || set != Some(self.set) }
        }))
    }

    async fn delete(&self, id: RunnerId) -> Result<(), Fault> {
        self.at.sets.delete_runner(id).await
    }
}
