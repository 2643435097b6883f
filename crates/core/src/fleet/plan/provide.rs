//! What is missing: free tasks are given to sets, and more are started. The oldest wish comes first.

use jiff::Timestamp;

use super::Planner;
use crate::fleet::queue::Queue;
use crate::fleet::state::AWS;
use crate::fleet::{PoolIndex, Role, SetIndex, Step, Wish};
use crate::ids::TaskArn;
use crate::patience::Service;
use crate::ports::MOST_PER_LAUNCH;

impl<'a> Planner<'a> {
    /// Gives tasks to sets.
    pub(super) fn bind(&mut self) {
        let mut bindings: Vec<(Timestamp, &'a TaskArn, SetIndex, bool)> = Vec::new();
        for (arn, task) in self.tasks().queue(Queue::Doubtful, Queue::Doubtful) {
            if let Role::Doubtful(Wish { set, since }) = task.role
                && self.may_bind(set)
            {
                bindings.push((since, arn, set, true));
            }
        }
        for pool in self.pools() {
            let wishes = self.wishes(pool);
            let free = self.tasks().free(pool).filter(|(arn, _)| !self.claimed.contains(arn));
            bindings.extend(wishes.into_iter().zip(free).map(|((at, set), (arn, _))| (at, arn, set, false)));
        }
        bindings.sort_by_key(|(at, ..)| *at);
        for (_, arn, set, doubtful) in bindings.into_iter().take(self.rooms.binding) {
            let reason = if doubtful { "an answer was lost" } else { "a job waits, or a minimum" };
            self.claimed.insert(arn);
            self.step(Step::Bind { task: arn.clone(), set, doubtful }, reason);
        }
    }

    /// Whether runners of this set may be registered.
    fn may_bind(&mut self, set: SetIndex) -> bool {
        if let Some(until) = self.fleet.sets[set.0].setback.until(self.now) {
            self.wake(until);
            return false;
        }
        self.may_call(self.scope(set), Service::GitHub) && self.may_call(AWS, Service::Mailbox)
    }

    /// Who wants a runner of this pool and may have one, the longest first; no more than there is room for.
    fn wishes(&mut self, pool: PoolIndex) -> Vec<(Timestamp, SetIndex)> {
        let mut wishes = Vec::new();
        for set in self.sets_of(pool) {
            let lacks = self.needs.lacks(set).min(self.rooms.binding);
            if lacks > 0 && self.may_bind(set) {
                let since = self.fleet.sets[set.0].wishes.iter().chain(std::iter::repeat(self.now));
                wishes.extend(since.take(lacks).map(|at| (at, set)));
            }
        }
        wishes.sort_unstable();
        wishes.truncate(self.rooms.binding);
        wishes
    }

    /// Starts what is missing: the pool whose oldest wish is the oldest first.
    pub(super) fn launch(&mut self) {
        let launches = || self.fleet.pools.iter().flat_map(|pool| pool.launches.values());
        let mut room = self.manner().launches.saturating_sub(launches().filter(|l| l.under_way).count());
        let mut wanting: Vec<(Timestamp, PoolIndex, usize, usize)> = Vec::new();
        for pool in self.pools() {
            let missing = self.missing(pool);
            if missing == 0 || !self.may_launch(pool) {
                continue;
            }
            if let Some(capacity) = self.capacity(pool) {
                let oldest = self.sets_of(pool).filter_map(|set| self.fleet.sets[set.0].wishes.iter().next());
                wanting.push((oldest.min().unwrap_or(self.now), pool, capacity, missing));
            }
        }
        let lost = launches().any(|launch| !launch.under_way);
        let nothing_to_do = wanting.is_empty() && !lost;
        if nothing_to_do || !self.may_call(AWS, Service::Ecs) {
            return;
        }
        for (index, pool) in self.fleet.pools.iter().enumerate() {
            for (number, launch) in pool.launches.iter().filter(|(_, launch)| !launch.under_way) {
                if room > 0 {
                    room -= 1;
                    let (pool, again) = (PoolIndex(index), Some(*number));
                    let step = Step::Launch { pool, capacity: launch.capacity, count: launch.count, again };
                    self.step(step, "the answer to this launch was lost");
                }
            }
        }
        wanting.sort_unstable();
        // Turn by turn, so that a pool that wants thousands does not keep the others waiting.
        while room > 0 && !wanting.is_empty() {
            for (_, pool, capacity, missing) in &mut wanting {
                if room == 0 {
                    break;
                }
                let count = (*missing).min(MOST_PER_LAUNCH as usize);
                (room, *missing) = (room - 1, *missing - count);
                let step = Step::Launch { pool: *pool, capacity: *capacity, count, again: None };
                self.step(step, "fewer tasks than wanted");
            }
            wanting.retain(|(.., missing)| *missing > 0);
        }
    }

    /// How many tasks a pool has too few.
    fn missing(&self, pool: PoolIndex) -> usize {
        let (count, rule) = (self.tasks().pool(pool), &self.policy.pools[pool.0]);
        let launching = self.fleet.pools[pool.0].launching();
        let there = count.free + count.asked_about + launching - self.dismissed[pool.0];
        // Those of which nobody knows whose they are may be warm ones; that they may be runners is counted already.
        let warm = rule.warm.saturating_sub(count.unknown);
        let wanted = (self.needs.lacking(pool) + warm).saturating_sub(there);
        wanted.min(rule.max.saturating_sub(count.tasks + launching))
    }

    /// Whether more of this pool may be started. If not, the plan wakes when it may.
    fn may_launch(&mut self, pool: PoolIndex) -> bool {
        let state = &self.fleet.pools[pool.0];
        if let Some(until) = state.setback.until(self.now) {
            self.wake(until);
            return false;
        }
        state.survey.shows_all(self.manner().listed)
    }

    /// The first choice of capacity that is not known to be without room. If there is none, wakes when the
    /// first may have some again.
    fn capacity(&mut self, pool: PoolIndex) -> Option<usize> {
        let now = self.now;
        let cooldowns = &self.fleet.pools[pool.0].cooldowns;
        let found = cooldowns.iter().position(|cooldown| cooldown.until(now).is_none());
        if found.is_none()
            && let Some(at) = cooldowns.iter().filter_map(|cooldown| cooldown.until(now)).min()
        {
            self.wake(at);
        }
        found
    }
}
