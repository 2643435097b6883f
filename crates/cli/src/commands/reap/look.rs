//! Looks at everything that may be left: registrations and assignments first, then tasks, then runs.
//!
//! In this order each registration and assignment finds its task: a launcher makes the task first. What a
//! look alone cannot settle is looked at twice.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{self, RunnerName};
use fleetfoot_core::patience::Patience;
use fleetfoot_core::ports::{Mailroom, Registry, Runners, Runs, Tasks};
use fleetfoot_core::reap::{self, Reason, Rules, Sight, Thing, Unwanted};
use fleetfoot_core::verdict::Verdict;
use futures_util::StreamExt;
use futures_util::future::join_all;
use jiff::Timestamp;

use crate::account::Account;

/// Concurrent calls to one service: far below GitHub's 100.
pub(super) const AT_ONCE: usize = 8;

/// How long ECS usually takes to show a task that was started a moment ago.
const SOON: Duration = Duration::from_secs(5);
/// How long it is given before a registration is believed to have none.
const SURE: Duration = Duration::from_secs(30);

/// What was seen.
pub(super) struct Look {
    pub(super) sight: Sight,
    /// In which of the stack's places a runner is registered.
    pub(super) places: BTreeMap<RunnerName, usize>,
    /// Whether a place has not told its runners.
    hidden: bool,
    /// What could not be seen, and what follows from it.
    pub(super) notes: Vec<Verdict>,
}

impl Look {
    pub(super) async fn at(account: &Account, rules: &Rules, until: Timestamp) -> Result<Self, Fault> {
        let prefix = MailboxPrefix::all(&account.stack.mailbox.prefix);
        let (runners, mail) = tokio::join!(
            join_all(account.places().map(|place| patiently(until, || place.list()))),
            patiently(until, || Mailroom::list(&account.outbox, &prefix)),
        );
        let mut notes = Vec::new();
        let mail = match mail {
            // A launcher's role need not be allowed to list.
            Err(fault) if fault.class == Class::Denied => {
                notes.push(note(&fault, "assignments without a task are not seen"));
                Vec::new()
            }
            mail => mail?,
        };
        let (mut all, mut places, mut hidden) = (Vec::new(), BTreeMap::new(), false);
        for (place, runners) in runners.into_iter().enumerate() {
            match runners {
                Ok(runners) => {
                    places.extend(runners.iter().map(|seen| (seen.runner.name.clone(), place)));
                    all.extend(runners);
                }
                // Where the stack's own runners are there is most to find.
                Err(fault) if place == 0 => return Err(fault),
                Err(fault) => {
                    hidden = true;
                    notes.push(note(&fault, "tasks of pools that may have a runner there are left alone"));
                }
            }
        }
        let tasks = patiently(until, || account.tasks.find_under(ids::PREFIX)).await?;
        let sight = Sight { runners: all, mail, tasks, runs: BTreeMap::new() };
        let mut look = Self { sight, places, hidden, notes };
        look.ask_for_runs(account, rules, until).await;
        Ok(look)
    }

    /// What nobody wants any more, of all that was seen.
    pub(super) fn unwanted(&self, rules: &Rules) -> Vec<Unwanted> {
        let mut found = reap::unwanted(Timestamp::now(), rules, &self.sight);
        found.retain(|unwanted| !(self.hidden && may_be_elsewhere(unwanted)));
        found
    }

    /// Asks for the registrations that a list of many pages has missed in the other places.
    pub(super) async fn find_elsewhere(
        &mut self,
        account: &Account,
        found: &[Unwanted],
        until: Timestamp,
    ) -> Result<(), Fault> {
        for unwanted in found.iter().filter(|unwanted| may_be_elsewhere(unwanted)) {
            let Thing::Task(task, _) = &unwanted.thing else { continue };
            let name = RunnerName::of_task(&task.arn);
            for (n, place) in account.elsewhere.iter().enumerate() {
                if patiently(until, || place.find(&name)).await?.is_some() {
                    self.places.insert(name.clone(), n + 1);
                }
            }
        }
        Ok(())
    }

    /// A second look. Only what had no task at the first has none.
    pub(super) async fn again(
        account: &Account,
        rules: &Rules,
        first: &[Unwanted],
        until: Timestamp,
    ) -> Result<(Self, Vec<Unwanted>), Fault> {
        let look = Self::at(account, rules, until).await?;
        let mut found = look.unwanted(rules);
        let is_without_task = |unwanted: &Unwanted| unwanted.reason == Reason::NoTask;
        let before: Vec<_> = first.iter().filter(|one| is_without_task(one)).map(Unwanted::id).collect();
        found.retain(|one| !is_without_task(one) || before.contains(&one.id()));
        Ok((look, found))
    }

    async fn ask_for_runs(&mut self, account: &Account, rules: &Rules, until: Timestamp) {
        let runs = reap::runs_to_ask(rules, &self.sight);
        let asked: Vec<_> = futures_util::stream::iter(runs)
            .map(|run| async move {
                let state = patiently(until, || account.runners.state(&run.repository, run.id)).await;
                (run, state)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        // One note for each repository: the next run's would be the same.
        let mut unknown = BTreeMap::new();
        for (run, state) in asked {
            match state {
                Ok(state) => drop(self.sight.runs.insert(run, state)),
                Err(fault) => drop(unknown.entry(run.repository).or_insert(fault)),
            }
        }
        let notes =
            unknown.values().map(|fault| note(fault, "what it was started for is judged by age alone"));
        self.notes.extend(notes);
    }
}

/// Whether it is a task whose runner may be where only scale sets are: those of starts are at home.
fn may_be_elsewhere(unwanted: &Unwanted) -> bool {
    matches!(unwanted.thing, Thing::Task(_, None)) && unwanted.origin.is_none()
}

fn note(fault: &Fault, so: &str) -> Verdict {
    let verdict = Verdict::from(fault);
    Verdict { sentence: format!("{}; so {so}", verdict.sentence), ..verdict }
}

/// Keeps of the tasks without registration those whose name GitHub does not know: a list of many pages can miss
/// one.
pub(super) async fn keep_unregistered(
    account: &Account,
    found: &mut Vec<Unwanted>,
    until: Timestamp,
) -> Result<(), Fault> {
    let name = |unwanted: &Unwanted| match &unwanted.thing {
        Thing::Task(task, _) if unwanted.reason == Reason::Unregistered => {
            Some(RunnerName::of_task(&task.arn))
        }
        _ => None,
    };
    let names: Vec<RunnerName> = found.iter().filter_map(name).collect();
    let looked: Vec<_> = futures_util::stream::iter(names)
        .map(|name| async move {
            let runner = patiently(until, || account.runners.find(&name)).await?;
            Ok((name, runner.is_none()))
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let unknown = looked.into_iter().collect::<Result<BTreeMap<RunnerName, bool>, Fault>>()?;
    found.retain(|unwanted| name(unwanted).is_none_or(|name| unknown.get(&name) == Some(&true)));
    Ok(())
}

/// How long to wait before a second look, if the first has found what ECS's lists, which may be late, had a
/// say in. What goes for another reason too may only have a task that goes with it.
pub(super) fn has_to_settle(found: &[Unwanted]) -> Option<Duration> {
    let pause = |unwanted: &Unwanted| match (&unwanted.thing, unwanted.reason) {
        (Thing::Runner(_), Reason::NoTask) => Some(SURE),
        (Thing::Runner(_), Reason::RunOver { .. }) | (Thing::Mail(_), Reason::NoTask) => Some(SOON),
        _ => None,
    };
    found.iter().filter_map(pause).max()
}

/// Makes a call that may be made twice until it has an answer or time is up.
pub(super) async fn patiently<T, F: Future<Output = Result<T, Fault>>>(
    until: Timestamp,
    call: impl Fn() -> F,
) -> Result<T, Fault> {
    let mut patience = Patience::default();
    loop {
        let fault = match call().await {
            Ok(answer) => return Ok(answer),
            Err(fault) => fault,
        };
        let Some(asked) = fault.again_after(Duration::ZERO) else { return Err(fault) };
        let now = Timestamp::now();
        patience.failed(now, Some(asked));
        match patience.until(now) {
            Some(again) if again < until => {
                tracing::debug!(%fault, "will ask again");
                tokio::time::sleep(again.duration_since(now).try_into().unwrap_or_default()).await;
            }
            _ => return Err(fault),
        }
    }
}
