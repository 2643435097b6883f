//! Takes away what was found: tasks by the engine, in the order that keeps every job safe; registrations and
//! assignments that are alone by themselves.

use std::collections::BTreeMap;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::patience::Service;
use fleetfoot_core::plan::{Goal, Policy, is_withdrawn};
use fleetfoot_core::ports::{Outbox, RunnerView, Runners};
use fleetfoot_core::reap::{Thing, Unwanted};
use fleetfoot_core::task::TaskView;
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::{Member, Registration, World};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::CANCELLED;
use super::look::{AT_ONCE, patiently};
use crate::account::Account;
use crate::cancel::Cancel;
use crate::engine::{Clock, Engine, Ports, WallClock, Watch};
use crate::failure::Failure;

/// What became of something unwanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was only looked for.
    Shown,
    /// It is not there any more.
    Removed,
    /// It stays, because a job runs on it.
    Busy,
    /// It is still there, and should not be.
    Failed(Verdict),
}

/// Takes it away.
pub(super) async fn take_away(
    account: &Account,
    found: Vec<Unwanted>,
    until: Timestamp,
    poll: SignedDuration,
    cancel: &Cancel,
) -> Result<Vec<(Unwanted, Outcome)>, Failure> {
    let world = Box::pin(stop_tasks(account, &found, until, poll, cancel.token())).await;
    let now = Timestamp::now();
    let alone = futures_util::stream::iter(found)
        .map(|unwanted| async {
            let outcome = match &unwanted.thing {
                _ if unwanted.busy => Outcome::Busy,
                Thing::Task(task, _) => {
                    world.members.get(&task.arn).map_or(Outcome::Shown, |m| of(m, &world, now))
                }
                Thing::Runner(runner) => {
                    of_answer(patiently(until, || account.runners.delete(runner.id)).await)
                }
                Thing::Mail(address) => of_answer(patiently(until, || account.outbox.empty(address)).await),
            };
            (unwanted, outcome)
        })
        .buffered(AT_ONCE)
        .collect();
    cancel.unless(CANCELLED, async { Ok(alone.await) }).await
}

fn of_answer(answer: Result<(), Fault>) -> Outcome {
    match answer {
        Ok(()) => Outcome::Removed,
        Err(fault) if fault.class == Class::Busy => Outcome::Busy,
        Err(fault) => Outcome::Failed(Verdict::from(&fault)),
    }
}

/// Lets the engine take away the tasks: the registration first, and the task only if GitHub lets that go.
async fn stop_tasks(
    account: &Account,
    found: &[Unwanted],
    until: Timestamp,
    poll: SignedDuration,
    cancel: &CancellationToken,
) -> World {
    let idle = found.iter().filter(|unwanted| !unwanted.busy);
    let tasks = idle.filter_map(|unwanted| match &unwanted.thing {
        Thing::Task(task, runner) => Some(member(task, runner.as_ref())),
        _ => None,
    });
    let members: BTreeMap<TaskArn, Member> = tasks.map(|member| (member.task.arn.clone(), member)).collect();
    let mut world = World { members, ..World::default() };
    let policy =
        Policy { goal: Goal::Nothing { force: false, wait: false }, capacities: 0, replacements: 0, poll };
    let clock: &dyn Clock = &WallClock;
    let ports = Ports { tasks: &account.tasks, outbox: &account.outbox, runners: &account.runners, clock };
    let mut engine = Engine { ports, spec: None };
    let mut unwatched = Unwatched;
    let taking = engine.run(&policy, &mut world, &mut unwatched, cancel);
    if clock.within(until.duration_since(clock.now()), taking).await.is_none() {
        tracing::debug!("not everything could be taken away in time");
    }
    world
}

/// What the list of runners has not shown, the engine asks for by name.
fn member(task: &TaskView, runner: Option<&RunnerView>) -> Member {
    let mut member = Member::found(task.clone());
    if let Some(runner) = runner {
        member.see_runner(Some(runner.clone()), Timestamp::now());
    }
    member
}

/// What became of a task, its registration and its mailbox.
fn of(member: &Member, world: &World, now: Timestamp) -> Outcome {
    let in_the_way = match member.registration {
        Registration::Present { refused: true, .. } => return Outcome::Busy,
        _ if is_withdrawn(member, false, false, now) => return Outcome::Removed,
        Registration::Present { .. } => Service::GitHubDeletions,
        Registration::Unknown => Service::GitHubReads,
        _ if !member.task.is_over() && !member.stop_asked => Service::EcsStops,
        _ => Service::Mailbox,
    };
    let said = world.troubles.get(&in_the_way).or(world.fatal.as_ref()).cloned();
    Outcome::Failed(said.unwrap_or_else(|| Verdict {
        class: "timeout".into(),
        sentence: "there was no time left".into(),
        remedy: Some("Run it again, or raise --timeout.".into()),
    }))
}

/// Nobody watches the engine: what it takes away has no phases ahead of it.
struct Unwatched;

impl Watch for Unwatched {
    fn look(&mut self, _: &World) {}
}
