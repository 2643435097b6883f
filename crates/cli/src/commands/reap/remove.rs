//! Takes away what was found: tasks by the engine, in the order that keeps every job safe; registrations and
//! assignments that are alone by themselves.

use std::collections::BTreeMap;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::patience::Service;
use fleetfoot_core::plan::{Goal, Policy, is_withdrawn};
use fleetfoot_core::ports::{Outbox, RunnerView, Runners};
use fleetfoot_core::reap::{Thing, Unwanted};
use fleetfoot_core::task::TaskView;
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::{Member, Registration, World};
use fleetfoot_github::GitHubRunners;
use futures_util::StreamExt;
use futures_util::future::join_all;
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

/// Takes it away. `places` tells where runners are registered.
pub(super) async fn take_away(
    account: &Account,
    places: &BTreeMap<RunnerName, usize>,
    found: Vec<Unwanted>,
    until: Timestamp,
    poll: SignedDuration,
    cancel: &Cancel,
) -> Result<Vec<(Unwanted, Outcome)>, Failure> {
    let place_of = |name: &RunnerName| places.get(name).copied().unwrap_or_default();
    let worlds = join_all(account.places().enumerate().map(|(place, runners)| {
        let idle = found.iter().filter(|unwanted| !unwanted.busy);
        let tasks = idle.filter_map(|unwanted| match &unwanted.thing {
            Thing::Task(task, runner) => Some((task, runner.as_ref())),
            _ => None,
        });
        let there = tasks.filter(|(task, _)| place_of(&RunnerName::of_task(&task.arn)) == place);
        let members = there.map(|(task, runner)| member(task, runner)).collect();
        Box::pin(stop_tasks(account, runners, members, until, poll, cancel.token()))
    }))
    .await;
    let runners: Vec<&GitHubRunners> = account.places().collect();
    let now = Timestamp::now();
    let alone = futures_util::stream::iter(found)
        .map(|unwanted| async {
            let outcome = match &unwanted.thing {
                _ if unwanted.busy => Outcome::Busy,
                Thing::Task(task, _) => {
                    let found = worlds.iter().find_map(|world| Some((world.members.get(&task.arn)?, world)));
                    found.map_or(Outcome::Shown, |(member, world)| of(member, world, now))
                }
                Thing::Runner(runner) => {
                    let there = runners[place_of(&runner.name)];
                    of_answer(patiently(until, || there.delete(runner.id)).await)
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

/// Lets the engine take away the tasks of one place: the registration first, and the task only if GitHub lets that go.
async fn stop_tasks(
    account: &Account,
    runners: &GitHubRunners,
    members: Vec<Member>,
    until: Timestamp,
    poll: SignedDuration,
    cancel: &CancellationToken,
) -> World {
    let members: BTreeMap<TaskArn, Member> =
        members.into_iter().map(|member| (member.task.arn.clone(), member)).collect();
    let mut world = World { members, ..World::default() };
    let policy =
        Policy { goal: Goal::Nothing { force: false, wait: false }, capacities: 0, replacements: 0, poll };
    let clock: &dyn Clock = &WallClock;
    let ports = Ports { tasks: &account.tasks, outbox: &account.outbox, runners, clock };
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
