//! Single steps: each calls what it has to, decides nothing, and says what came of it.

use std::collections::BTreeMap;

use fleetfoot_core::assignment::MailboxAddress;
use fleetfoot_core::binding::Unbound;
use fleetfoot_core::ending::NOT_WANTED;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::fleet::{Fleet, Looked, PoolIndex, ScopeIndex, SetIndex, Sighting, Step};
use fleetfoot_core::ids::{RunnerId, RunnerName, TaskArn};
use fleetfoot_core::ports::{Launched, MOST_PER_DESCRIBE, Minted, Outbox, Registered, Registry, Tasks};
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
    Looked { task: TaskArn, looked: Looked },
    Described { asked: Vec<TaskArn>, answer: Result<Vec<TaskView>, Fault> },
    Swept { pool: PoolIndex, asked: Vec<TaskArn>, answer: Result<Vec<TaskView>, Fault> },
    RollCalled { scope: ScopeIndex, began: Timestamp, answer: Result<Vec<Sighting>, Fault> },
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
            Self::Looked { looked, .. } => ("look", word(looked.faults.first().map(|(_, fault)| fault))),
            Self::Described { answer, .. } => ("describe", word(answer.as_ref().err())),
            Self::Swept { answer, .. } => ("sweep", word(answer.as_ref().err())),
            Self::RollCalled { answer, .. } => ("roll", word(answer.as_ref().err())),
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
    /// Begins a step that was written into the fleet as begun; a launch by its number.
    pub(super) fn begin(self, step: Step, number: Option<u64>, fleet: &Fleet) -> BoxFuture<'a, Came> {
        let Doors { tasks, outbox, .. } = self.doors;
        match step {
            Step::Launch { pool, capacity, count, .. } => {
                let launch = number.and_then(|number| fleet.pools.get(pool.0)?.launches.get(&number));
                let request = launch.and_then(|l| self.order.request(pool, capacity, count, &l.nonce));
                let request = request.ok_or_else(|| unplanned("start tasks", "its pool is not in the stack"));
                Box::pin(async move {
                    let answer = async { tasks.launch(&request?).await }.await;
                    Came::Launched { pool, number: number.unwrap_or(u64::MAX), answer }
                })
            }
            Step::Bind { task, set, doubtful } => {
                let address = address(fleet, &task);
                Box::pin(async move {
                    let answer = match address {
                        Ok(address) => self.bind(&task, set, &address, doubtful).await,
                        Err(fault) => Err(Unbound::Refused(fault)),
                    };
                    Came::Bound { task, set, answer }
                })
            }
            Step::Unregister { task, set, id } => Box::pin(async move {
                let answer = self.delete(set, id).await;
                Came::Unregistered { task, set, answer }
            }),
            Step::Stop(task) => Box::pin(async move {
                let answer = tasks.stop(&task, NOT_WANTED).await;
                Came::Stopped { task, answer }
            }),
            Step::Empty(task) => {
                let address = address(fleet, &task);
                Box::pin(async move {
                    let answer = async { outbox.empty(&address?).await }.await;
                    Came::Emptied { task, answer }
                })
            }
            Step::Look { task, scopes } => Box::pin(async move {
                let looked = self.look(&task, &scopes).await;
                Came::Looked { task, looked }
            }),
            Step::Describe(asked) => Box::pin(async move {
                let answer = tasks.describe(&asked).await;
                Came::Described { asked, answer }
            }),
            Step::Sweep(pool) => {
                let known = fleet.tasks.iter().filter(|(_, task)| task.pool == pool);
                let known = known.map(|(arn, _)| arn.clone()).collect();
                Box::pin(self.sweep(pool, known))
            }
            Step::CallRoll(scope) => Box::pin(async move {
                let began = self.doors.clock.now();
                Came::RollCalled { scope, began, answer: self.call_roll(scope).await }
            }),
        }
    }

    async fn delete(self, set: SetIndex, id: RunnerId) -> Result<(), Fault> {
        let at = self.doors.at(self.order.scope_of(set));
        let at = at.ok_or_else(|| {
            unplanned(format!("remove the runner {id}"), "its scale set is nowhere at GitHub")
        })?;
        at.sets.delete_runner(id).await
    }

    async fn bind(
        self,
        task: &TaskArn,
        set: SetIndex,
        address: &MailboxAddress,
        doubtful: bool,
    ) -> Result<RunnerId, Unbound> {
        let runner = RunnerName::of_task(task);
        let refused = |why| Unbound::Refused(unplanned(format!("register the runner {runner}"), why));
        let order = self.order.sets.get(set.0).ok_or_else(|| refused("its scale set is not in the stack"))?;
        let at = self.doors.at(order.scope).ok_or_else(|| refused("its scale set is nowhere at GitHub"))?;
        let id = self.doors.ids.get(set).ok_or_else(|| refused("its scale set has no id yet"))?;
        let terms = Terms { idle_timeout: order.idle_timeout, max_lifetime: order.max_lifetime };
        let registrar = OfSet { at, hands: self, set, id, runner: &runner };
        let binding =
            Binding { registrar: &registrar, outbox: self.doors.outbox, runner: &runner, address, terms };
        binding.make(doubtful).await
    }

    fn sighting(self, scope: ScopeIndex, seen: Registered) -> Sighting {
        Sighting { set: self.order.set_of(scope, &seen.labels), runner: seen.runner }
    }

    /// Asks in one place after the other, until the task is found.
    async fn look(self, task: &TaskArn, scopes: &[ScopeIndex]) -> Looked {
        let (name, mut looked) = (RunnerName::of_task(task), Looked::default());
        for scope in scopes {
            let Some(at) = self.doors.at(*scope) else { continue };
            match at.registry.look_up(&name).await {
                Ok(None) => looked.absent.push(*scope),
                Ok(Some(seen)) => {
                    looked.seen = Some(self.sighting(*scope, seen));
                    break;
                }
                Err(fault) => looked.faults.push((*scope, fault)),
            }
        }
        looked
    }

    async fn call_roll(self, scope: ScopeIndex) -> Result<Vec<Sighting>, Fault> {
        let at = self.doors.at(scope);
        let at = at.ok_or_else(|| unplanned("list the runners", "there is no such place at GitHub"))?;
        let seen = at.registry.list().await?;
        Ok(seen.into_iter().map(|seen| self.sighting(scope, seen)).collect())
    }

    /// Looks at as many tasks as a pool has. There may be ten thousand: what nobody reads of them does not wait in
    /// memory for the last.
    async fn describe_all(self, tasks: &[TaskArn]) -> Result<Vec<TaskView>, Fault> {
        let mut views = Vec::with_capacity(tasks.len());
        for some in tasks.chunks(MOST_PER_DESCRIBE) {
            let described = self.doors.tasks.describe(some).await?;
            views.extend(described.into_iter().map(|view| TaskView { tags: BTreeMap::new(), ..view }));
        }
        Ok(views)
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
                self.describe_all(&asked).await
            }
            Err(fault) => Err(fault),
        };
        Came::Swept { pool, asked, answer }
    }
}

/// Where a task's assignment goes.
fn address(fleet: &Fleet, task: &TaskArn) -> Result<MailboxAddress, Fault> {
    let mailbox = fleet.tasks.get(task).and_then(|task| task.mailbox.as_ref());
    let mailbox = mailbox.map(|mailbox| mailbox.of_task(task));
    mailbox.ok_or_else(|| unplanned(format!("find the mailbox of {}", task.id()), "nobody knows it"))
}

/// Something that has to be there is not, so the step is not done.
fn unplanned(what: impl Into<String>, why: &str) -> Fault {
    Fault::new(Class::NotFound, what, why)
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
