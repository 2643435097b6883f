//! The census: what each pool and set has, counted in one pass, beside what it should have.

use super::{Fleet, Policy, PoolIndex, Role, SetIndex, Task};
use crate::ids::TaskArn;

/// What there is, and what of it is wanted.
#[derive(Debug)]
pub(super) struct Census<'a> {
    pub(super) pools: Vec<OfPool<'a>>,
    pub(super) sets: Vec<OfSet<'a>>,
}

/// A task and its name.
pub(super) type Entry<'a> = (&'a TaskArn, &'a Task);

/// One pool's.
#[derive(Debug, Default)]
pub(super) struct OfPool<'a> {
    /// Tasks that are not over, and those that are being launched.
    pub(super) tasks: usize,
    /// Tasks that are being launched.
    pub(super) launching: usize,
    /// Tasks of which nobody knows yet whose they are.
    pub(super) unknown: usize,
    /// Tasks that a set may have, the ready ones first, then the older ones.
    pub(super) free: Vec<Entry<'a>>,
}

/// One set's.
#[derive(Debug, Default)]
pub(super) struct OfSet<'a> {
    /// Runners that take its jobs or will.
    pub(super) live: usize,
    /// Those of them that do nothing, as far as anybody knows.
    pub(super) idle: Vec<Entry<'a>>,
    /// Those of them that run a job.
    pub(super) busy: usize,
}

impl<'a> Census<'a> {
    /// Counts.
    pub(super) fn of(fleet: &'a Fleet) -> Self {
        let mut pools: Vec<OfPool> = fleet.pools.iter().map(|_| OfPool::default()).collect();
        let mut sets: Vec<OfSet> = fleet.sets.iter().map(|_| OfSet::default()).collect();
        for (count, pool) in pools.iter_mut().zip(&fleet.pools) {
            count.launching = pool.launches.values().map(|launch| launch.count).sum();
            count.tasks = count.launching;
        }
        for entry @ (_, task) in &fleet.tasks {
            let Some(pool) = pools.get_mut(task.pool.0).filter(|_| !task.is_over()) else { continue };
            pool.tasks += 1;
            pool.unknown += usize::from(task.role == Role::Unknown);
            if task.is_free() {
                pool.free.push(entry);
            }
            if let Some(set) = task.serves().and_then(|set| sets.get_mut(set.0)) {
                set.live += 1;
                set.busy += usize::from(task.is_busy());
                if task.runner().is_some() && !task.is_busy() && task.doing.is_none() {
                    set.idle.push(entry);
                }
            }
        }
        for pool in &mut pools {
            pool.free.sort_by_key(|(_, task)| (task.running_at.is_none(), task.made_at));
        }
        Self { pools, sets }
    }

    /// How many runners the set should have; `None` as long as GitHub has not said how many jobs it has.
    pub(super) fn wanted(policy: &Policy, fleet: &Fleet, set: SetIndex) -> Option<usize> {
        let rule = policy.sets.get(set.0)?;
        let assigned = fleet.sets.get(set.0)?.demand?.assigned as usize;
        Some((rule.min + assigned).min(rule.max))
    }

    /// How many runners the set lacks. A task of which nobody knows whose it is may be one of them.
    pub(super) fn lacks(&self, policy: &Policy, fleet: &Fleet, set: SetIndex) -> usize {
        let Some(wanted) = Self::wanted(policy, fleet, set) else { return 0 };
        let unknown =
            policy.sets.get(set.0).and_then(|rule| self.pools.get(rule.pool.0)).map_or(0, |p| p.unknown);
        wanted.saturating_sub(self.sets[set.0].live + unknown)
    }

    /// How many runners the set has too many.
    pub(super) fn surplus(&self, policy: &Policy, fleet: &Fleet, set: SetIndex) -> usize {
        let wanted = Self::wanted(policy, fleet, set);
        wanted.map_or(0, |wanted| self.sets[set.0].live.saturating_sub(wanted))
    }

    /// The sets of a pool.
    pub(super) fn sets_of(policy: &Policy, pool: PoolIndex) -> impl Iterator<Item = SetIndex> + '_ {
        let of_pool = move |(_, rule): &(usize, &super::SetPolicy)| rule.pool == pool;
        policy.sets.iter().enumerate().filter(of_pool).map(|(n, _)| SetIndex(n))
    }
}
