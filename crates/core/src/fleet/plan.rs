//! What to do next, as a function of what is known.
//!
//! Level-triggered: what is wanted is compared with what there is, each time anew, and what is under way counts
//! as done. So to plan twice does nothing twice, and what failed is planned again.

mod clear;
mod look;
mod provide;
mod reduce;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::needs::Needs;
use super::queue::Queue;
use super::roster::{Entry, Roster};
use super::state::AWS;
use super::{Fleet, Manner, Plan, Policy, PoolIndex, Roll, ScopeIndex, SetIndex, Step};
use crate::ids::TaskArn;
use crate::patience::Service;

/// How many registrations may be under way at a time. They are given out by the age of the wish, so those that
/// wait shall wait here, where an older one can still overtake them.
const MOST_BINDS: usize = 32;

/// How many other calls to GitHub may be under way at a time, far below its limit of a hundred.
const MOST_ASKED: usize = 32;

/// How many calls that clear away at AWS may be under way at a time.
const MOST_CLEARED: usize = 32;

/// Plans.
pub fn plan(now: Timestamp, policy: &Policy, fleet: &Fleet) -> Plan {
    let needs = Needs::of(policy, fleet);
    let hands = fleet.tasks.hands();
    let mut planner = Planner {
        now,
        policy,
        fleet,
        needs,
        rooms: Rooms {
            binding: MOST_BINDS.saturating_sub(hands.binding),
            asking: MOST_ASKED.saturating_sub(hands.asking),
            clearing: MOST_CLEARED.saturating_sub(hands.clearing),
        },
        claimed: BTreeSet::new(),
        dismissed: vec![0; fleet.pools.len()],
        leaving: vec![0; fleet.sets.len()],
        rolls: BTreeSet::new(),
        plan: Plan { steps: Vec::new(), wake_at: now + policy.manner.sweep },
    };
    planner.look();
    planner.clear();
    planner.reduce();
    planner.bind();
    planner.launch();
    for pool in planner.pools() {
        planner.look_for_taken(pool);
    }
    planner.plan
}

/// How many more things may be begun.
#[derive(Debug, Clone, Copy)]
struct Rooms {
    binding: usize,
    asking: usize,
    clearing: usize,
}

struct Planner<'a> {
    now: Timestamp,
    policy: &'a Policy,
    fleet: &'a Fleet,
    needs: Needs,
    rooms: Rooms,
    /// Tasks for which there is a step already.
    claimed: BTreeSet<&'a TaskArn>,
    /// Where GitHub is about to be asked for all its runners.
    rolls: BTreeSet<ScopeIndex>,
    /// How many free tasks of each pool are about to be stopped.
    dismissed: Vec<usize>,
    /// How many runners of each set are about to leave.
    leaving: Vec<usize>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn tasks(&self) -> &'a Roster {
        &self.fleet.tasks
    }

    fn manner(&self) -> &'a Manner {
        &self.policy.manner
    }

    fn pools(&self) -> impl Iterator<Item = PoolIndex> + use<> {
        (0..self.policy.pools.len().min(self.fleet.pools.len())).map(PoolIndex)
    }

    /// The sets of a pool.
    fn sets_of(&self, pool: PoolIndex) -> impl Iterator<Item = SetIndex> + use<'a> {
        let sets = self.policy.sets.iter().enumerate().take(self.fleet.sets.len());
        sets.filter(move |(_, rule)| rule.pool == pool).map(|(n, _)| SetIndex(n))
    }

    fn scope(&self, set: SetIndex) -> ScopeIndex {
        self.policy.sets.get(set.0).map_or(AWS, |rule| rule.scope)
    }

    fn step(&mut self, step: Step, reason: &'static str) {
        self.plan.steps.push((step, reason));
    }

    fn wake(&mut self, at: Timestamp) {
        self.plan.wake_at = self.plan.wake_at.min(at.max(self.now));
    }

    /// Whether this service may be called. If not, the plan wakes when it may.
    fn may_call(&mut self, scope: ScopeIndex, service: Service) -> bool {
        let scope = match service {
            Service::GitHub | Service::GitHubDeletions | Service::GitHubReads => scope,
            Service::Ecs | Service::EcsStops | Service::EcsReads | Service::Mailbox => AWS,
        };
        match self.fleet.quiet(scope, service, self.now) {
            Some(until) => {
                self.wake(until);
                false
            }
            None => true,
        }
    }

    /// Every place at GitHub.
    fn scopes(&self) -> Vec<ScopeIndex> {
        self.fleet.rolls.keys().copied().collect()
    }

    /// Asks GitHub about a task, if all of these places may be asked.
    fn look_at(&mut self, arn: &'a TaskArn, scopes: Vec<ScopeIndex>, reason: &'static str) {
        let may =
            self.rooms.asking > 0 && scopes.iter().all(|scope| self.may_call(*scope, Service::GitHubReads));
        if may && !scopes.is_empty() && self.claimed.insert(arn) {
            self.rooms.asking -= 1;
            self.step(Step::Look { task: arn.clone(), scopes }, reason);
        }
    }

    /// Asks GitHub about a task wherever nobody knows yet whether it is somebody's, as far as that may be asked.
    fn look_further(&mut self, (arn, task): Entry<'a>, reason: &'static str) {
        let is_open = |(scope, roll): &(&ScopeIndex, &Roll)| {
            roll.is_known() && !self.rolls.contains(scope) && !task.not_in.contains(scope)
        };
        let open: Vec<ScopeIndex> =
            self.fleet.rolls.iter().filter(is_open).map(|(scope, _)| *scope).collect();
        let open = open.into_iter().filter(|scope| self.may_call(*scope, Service::GitHubReads)).collect();
        self.look_at(arn, open, reason);
    }

    fn stop(&mut self, arn: &'a TaskArn, reason: &'static str) {
        if self.rooms.clearing > 0 && self.may_call(AWS, Service::EcsStops) && self.claimed.insert(arn) {
            self.rooms.clearing -= 1;
            self.step(Step::Stop(arn.clone()), reason);
        }
    }

    /// Deletes a task's registration, and its assignment before: as long as the registration is there, whoever comes
    /// after this process finds what belongs to it.
    fn unregister(&mut self, (arn, task): Entry<'a>, reason: &'static str) {
        let begun = self.plan.steps.len();
        if !self.empty((arn, task), reason) {
            self.delete((arn, task), reason);
        }
        let leaves = self.plan.steps.len() > begun && task.is_here();
        if let Some(runner) = task.runner().filter(|_| leaves) {
            self.leaving[runner.set.0] += 1;
        }
    }

    fn delete(&mut self, (arn, task): Entry<'a>, reason: &'static str) {
        let Some(runner) = task.runner() else { return };
        let may = self.rooms.asking > 0 && self.may_call(self.scope(runner.set), Service::GitHubDeletions);
        if may && self.claimed.insert(arn) {
            self.rooms.asking -= 1;
            self.step(Step::Unregister { task: arn.clone(), set: runner.set, id: runner.id }, reason);
        }
    }

    /// Empties a task's mailbox if anything may lie there. Says whether that has to be waited for.
    fn empty(&mut self, (arn, task): Entry<'a>, reason: &'static str) -> bool {
        let posted = task.posted && task.mailbox.is_some();
        if !posted || !self.may_call(AWS, Service::Mailbox) {
            return false;
        }
        if self.rooms.clearing > 0 && self.claimed.insert(arn) {
            self.rooms.clearing -= 1;
            self.step(Step::Empty(arn.clone()), reason);
        }
        true
    }

    /// Those of a queue that is ordered by time whose time was so long ago. The plan wakes when the next one's is.
    fn due(&mut self, queue: fn(Timestamp) -> Queue, pause: SignedDuration) -> Vec<Entry<'a>> {
        let until = self.now.checked_sub(pause).unwrap_or(Timestamp::MIN);
        if let Some(next) = self.tasks().first_after(queue, until) {
            self.wake(next.checked_add(pause).unwrap_or(Timestamp::MAX));
        }
        self.tasks().queue(queue(Timestamp::MIN), queue(until)).collect()
    }
}
