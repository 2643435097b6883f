//! What is written into the fleet's world: what is about to be done, and what came of it.
//!
//! Answers come in any order, and some of them late: each is believed as far as nothing newer is known, and none
//! is impossible. Whatever is worth telling people goes into [`News`](super::News).

mod jobs;
mod launches;
mod runners;
mod services;
mod tasks;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::needs::Needs;
use super::{Doing, Fleet, Launch, Policy, PoolIndex, SetIndex, Step, Survey, Wish};
use crate::ids::TaskArn;

/// How long a runner whose job is over may take to leave by itself.
const LEAVES_WITHIN: SignedDuration = SignedDuration::from_secs(90);

/// How long ECS may take to show a task that it has named.
pub(super) const CONSISTENT: SignedDuration = SignedDuration::from_mins(1);

/// How long to leave alone what would be refused again until somebody mends it.
const UNTIL_MENDED: Duration = Duration::from_mins(1);

impl Fleet {
    /// Notes that this process leads from now on. Another one may have led since it last did: so what that one
    /// could have changed has to be looked at before anything is built on it.
    pub fn take_over(&mut self, now: Timestamp) {
        for pool in &mut self.pools {
            pool.survey = Survey { known_at: None, doubted_at: now, ..pool.survey };
        }
        for set in &mut self.sets {
            set.wishes.clear();
        }
        for roll in self.rolls.values_mut() {
            roll.called = false;
        }
        self.tasks.change_all(|_, task| task.doubt());
    }

    /// Brings what follows from everything else up to date, once what happened is written down: whose wishes
    /// are how old, and what need not be remembered.
    pub fn settle(&mut self, policy: &Policy, now: Timestamp) {
        self.tasks.forget_gone();
        let needs = Needs::of(policy, self);
        for (n, state) in self.sets.iter_mut().enumerate() {
            state.wishes.settle(needs.lacks(SetIndex(n)), now);
            let surplus = needs.has_surplus(SetIndex(n));
            state.surplus_since = state.surplus_since.or(Some(now)).filter(|_| surplus);
        }
    }

    /// Notes that a step is about to be done. `nonce` names the mailboxes of a new launch; the answer is the
    /// number by which its result is to be reported.
    pub fn begin(&mut self, step: &Step, nonce: impl FnOnce() -> String, now: Timestamp) -> Option<u64> {
        match step {
            Step::Launch { pool, capacity, count, again } => {
                let number = again.unwrap_or(self.next_launch);
                let launches = &mut self.pool_mut(*pool)?.launches;
                let fresh = || Launch {
                    capacity: *capacity,
                    count: *count,
                    nonce: nonce(),
                    asked_at: now,
                    under_way: true,
                    lost: false,
                };
                launches.entry(number).or_insert_with(fresh).under_way = true;
                self.next_launch = self.next_launch.max(number + 1);
                return Some(number);
            }
            Step::Bind { task, set, .. } => self.begin_to_bind(task, *set, now),
            Step::Unregister { task, .. } => self.doing(task, Doing::Unregister),
            Step::Stop(task) => self.doing(task, Doing::Stop),
            Step::Empty(task) => self.doing(task, Doing::Empty),
            Step::Look { task, .. } => self.doing(task, Doing::Look),
            Step::Describe(tasks) => {
                for arn in tasks {
                    self.tasks.change(arn, |task| task.seen_at = now);
                }
            }
            Step::Sweep(pool) => {
                let survey = &mut self.pool_mut(*pool)?.survey;
                (survey.looking_since, survey.again) = (Some(now), false);
            }
            Step::CallRoll(scope) => {
                self.rolls.entry(*scope).and_modify(|roll| roll.calling = true);
            }
        }
        None
    }

    fn begin_to_bind(&mut self, arn: &TaskArn, set: SetIndex, now: Timestamp) {
        let wish = self.tasks.get(arn).and_then(super::Task::wish).unwrap_or_else(|| {
            let oldest = self.set_mut(set).and_then(|state| state.wishes.take());
            Wish { set, since: oldest.unwrap_or(now) }
        });
        self.doing(arn, Doing::Bind(wish));
    }

    fn doing(&mut self, arn: &TaskArn, what: Doing) {
        self.tasks.change(arn, |task| task.doing = Some(what));
    }

    /// A task of this pool is somebody's now.
    fn gives_away(&mut self, pool: PoolIndex) {
        if let Some(state) = self.pool_mut(pool) {
            state.given += 1;
        }
    }

    /// A wish could not be served after all.
    fn give_back(&mut self, wish: Option<Wish>) {
        if let Some((wish, state)) = wish.and_then(|wish| Some((wish, self.set_mut(wish.set)?))) {
            state.wishes.give_back(wish.since);
        }
    }
}
