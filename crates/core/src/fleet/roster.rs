//! The roster: the tasks, counted and put into queues as they change.
//!
//! A plan is made after each event, and there may be ten thousand tasks of which it concerns one. So nothing
//! looks at all of them: what is counted of a pool or a set is kept beside them, and a task stands in a queue
//! for each thing that somebody has to do with it. What stands in none, as a runner with a job does, costs
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::queue::{Progress, Queue};
use super::task::{Doing, Role, Task};
use super::{PoolIndex, ScopeIndex, SetIndex};
use crate::ids::TaskArn;

/// A task and its name.
pub(super) type Entry<'a> = (&'a TaskArn, &'a Task);

/// How many tasks a pool has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolCount {
    /// Those that are not over.
    pub tasks: usize,
    /// Those of which nobody knows yet whose they are.
    pub unknown: usize,
    /// Those that a set may have.
    pub free: usize,
    /// Those that are nobody's as far as is known, while GitHub is asked whether that is still so.
    pub asked_about: usize,
}

/// How many runners a set has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetCount {
    /// Those that take its jobs or will.
    pub live: usize,
    /// Those of them that run a job.
    pub busy: usize,
    /// Those of them whose registrations are being deleted, or assignments.
    pub leaving: usize,
    /// Those beside them of whom nobody knows whether they have a task.
    pub hidden: usize,
}

/// How many things are being done, by where they are done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hands {
    /// Registrations are made.
    pub(super) binding: usize,
    /// GitHub is asked, or registrations are deleted.
    pub(super) asking: usize,
    /// Tasks are stopped, or mailboxes emptied.
    pub(super) clearing: usize,
}

/// What a task adds to the counts, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    queues: [Option<Queue>; 3],
    pool: PoolIndex,
    /// Where it is known to be nobody's, if it is unknown whose it is.
    not_in: BTreeSet<ScopeIndex>,
    of_pool: PoolCount,
    set: Option<SetIndex>,
    of_set: SetCount,
    hands: Hands,
}

impl Standing {
    fn of(task: &Task) -> Self {
        let here = task.is_here();
        let count = usize::from;
        let hands = match task.doing {
            None => Hands::default(),
            Some(Doing::Bind(_)) => Hands { binding: 1, ..Hands::default() },
            Some(Doing::Unregister | Doing::Look) => Hands { asking: 1, ..Hands::default() },
            Some(Doing::Stop | Doing::Empty) => Hands { clearing: 1, ..Hands::default() },
        };
        Self {
            queues: Queue::of(task),
            pool: task.pool,
            not_in: if here && task.role == Role::Unknown { task.not_in.clone() } else { BTreeSet::new() },
            of_pool: PoolCount {
                tasks: count(here),
                unknown: count(here && task.role == Role::Unknown),
                free: count(task.is_free()),
                asked_about: count(here && task.role == Role::Unbound && task.doing == Some(Doing::Look)),
            },
            set: task.serves().filter(|_| !task.is_over()),
            of_set: SetCount {
                live: count(here),
                busy: count(here && task.is_busy()),
                leaving: count(here && matches!(task.doing, Some(Doing::Unregister | Doing::Empty))),
                hidden: count(task.hidden),
            },
            hands,
        }
    }
}

/// All tasks of the fleet.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    tasks: BTreeMap<TaskArn, Task>,
    sums: Sums,
}

/// What is kept beside the tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sums {
    queues: BTreeSet<(Queue, TaskArn)>,
    moving: usize,
    /// Of the unknown tasks of each pool, those that are known to be nobody's there.
    not_in: BTreeMap<(PoolIndex, ScopeIndex), usize>,
    pools: Vec<PoolCount>,
    sets: Vec<SetCount>,
    hands: Hands,
}

impl Sums {
    fn count(&mut self, standing: &Standing, change: impl Fn(&mut usize, usize)) {
        fn at<T: Default>(list: &mut Vec<T>, place: usize) -> &mut T {
            if list.len() <= place {
                list.resize_with(place + 1, T::default);
            }
            &mut list[place]
        }
        let pool = at(&mut self.pools, standing.pool.0);
        change(&mut pool.tasks, standing.of_pool.tasks);
        change(&mut pool.unknown, standing.of_pool.unknown);
        change(&mut pool.free, standing.of_pool.free);
        change(&mut pool.asked_about, standing.of_pool.asked_about);
        for scope in &standing.not_in {
            change(self.not_in.entry((standing.pool, *scope)).or_default(), 1);
        }
        if let Some(set) = standing.set {
            let set = at(&mut self.sets, set.0);
            change(&mut set.live, standing.of_set.live);
            change(&mut set.busy, standing.of_set.busy);
            change(&mut set.leaving, standing.of_set.leaving);
            change(&mut set.hidden, standing.of_set.hidden);
        }
        change(&mut self.hands.binding, standing.hands.binding);
        change(&mut self.hands.asking, standing.hands.asking);
        change(&mut self.hands.clearing, standing.hands.clearing);
        let moving = standing.queues.iter().flatten().filter(|queue| matches!(queue, Queue::Moving(_)));
        change(&mut self.moving, moving.count());
    }

    fn add(&mut self, arn: &TaskArn, standing: &Standing) {
        self.count(standing, |sum, n| *sum += n);
        for queue in standing.queues.into_iter().flatten() {
            self.queues.insert((queue, arn.clone()));
        }
    }

    fn take_off(&mut self, arn: &TaskArn, standing: &Standing) {
        self.count(standing, |sum, n| *sum -= n);
        for queue in standing.queues.into_iter().flatten() {
            self.queues.remove(&(queue, arn.clone()));
        }
    }
}

impl Roster {
    /// One of them.
    pub fn get(&self, arn: &TaskArn) -> Option<&Task> {
        self.tasks.get(arn)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&TaskArn, &Task)> {
        self.tasks.iter()
    }

    /// All of them.
    pub fn values(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many a pool has.
    pub fn pool(&self, pool: PoolIndex) -> PoolCount {
        self.sums.pools.get(pool.0).copied().unwrap_or_default()
    }

    /// How many runners a set has.
    pub fn set(&self, set: SetIndex) -> SetCount {
        self.sums.sets.get(set.0).copied().unwrap_or_default()
    }

    /// How many of a pool may be somebody's there, as far as is known.
    pub(super) fn unknown_in(&self, pool: PoolIndex, scope: ScopeIndex) -> usize {
        self.pool(pool).unknown - self.sums.not_in.get(&(pool, scope)).copied().unwrap_or_default()
    }

    /// How many are in transition.
    pub(super) const fn moving(&self) -> usize {
        self.sums.moving
    }

    /// What is being done.
    pub(super) const fn hands(&self) -> Hands {
        self.sums.hands
    }

    /// The name under which a task is kept, if it is.
    pub(super) fn name(&self, arn: &TaskArn) -> Option<&TaskArn> {
        self.tasks.get_key_value(arn).map(|(arn, _)| arn)
    }

    /// Adds a task, if it is not there.
    pub(super) fn add(&mut self, arn: &TaskArn, task: impl FnOnce() -> Task) {
        if !self.tasks.contains_key(arn) {
            let task = task();
            self.sums.add(arn, &Standing::of(&task));
            self.tasks.insert(arn.clone(), task);
        }
    }

    /// Changes a task, if it is there.
    pub(super) fn change<T>(&mut self, arn: &TaskArn, change: impl FnOnce(&mut Task) -> T) -> Option<T> {
        let task = self.tasks.get_mut(arn)?;
        let before = Standing::of(task);
        let answer = change(task);
        let after = Standing::of(task);
        if before != after {
            self.sums.take_off(arn, &before);
            self.sums.add(arn, &after);
        }
        Some(answer)
    }

    /// Changes all of them.
    pub(super) fn change_all(&mut self, mut change: impl FnMut(&TaskArn, &mut Task)) {
        self.sums = Sums::default();
        for (arn, task) in &mut self.tasks {
            change(arn, task);
            self.sums.add(arn, &Standing::of(task));
        }
    }

    /// Forgets those of which nothing is left.
    pub(super) fn forget_gone(&mut self) {
        let gone: Vec<TaskArn> = self.queue(Queue::Gone, Queue::Gone).map(|(arn, _)| arn.clone()).collect();
        for arn in gone {
            if let Some(task) = self.tasks.remove(&arn) {
                self.sums.take_off(&arn, &Standing::of(&task));
            }
        }
    }

    /// Those that stand between these places, in order.
    pub(super) fn queue(&self, from: Queue, to: Queue) -> impl Iterator<Item = Entry<'_>> {
        let all = self.sums.queues.range((from, TaskArn::least())..);
        let here = all.take_while(move |(queue, _)| *queue <= to);
        here.filter_map(|(_, arn)| self.tasks.get_key_value(arn))
    }

    /// Those of a pool that a set may have: the running ones first, then the older ones.
    pub(super) fn free(&self, pool: PoolIndex) -> impl Iterator<Item = Entry<'_>> {
        self.queue(Queue::Free(pool, false, Timestamp::MIN), Queue::Free(pool, true, Timestamp::MAX))
    }

    /// The same the other way round: those that will be ready last first.
    pub(super) fn free_last(&self, pool: PoolIndex) -> impl Iterator<Item = Entry<'_>> {
        let first = Queue::Free(pool, false, Timestamp::MIN);
        let next_pool = Queue::Free(PoolIndex(pool.0 + 1), false, Timestamp::MIN);
        let before = self.sums.queues.range(..(next_pool, TaskArn::least())).rev();
        let here = before.take_while(move |(queue, _)| *queue >= first);
        here.filter_map(|(_, arn)| self.tasks.get_key_value(arn))
    }

    /// The runners of a set without a job, the least far first.
    pub(super) fn idle(&self, set: SetIndex) -> impl Iterator<Item = Entry<'_>> {
        self.queue(Queue::Idle(set, Progress::LEAST), Queue::Idle(set, Progress::MOST))
    }

    /// Those of them that are online.
    pub(super) fn online(&self, set: SetIndex) -> impl Iterator<Item = Entry<'_>> {
        self.queue(Queue::Idle(set, Progress::ONLINE), Queue::Idle(set, Progress::MOST))
    }

    /// When the first of a queue that is ordered by time is due after this moment.
    pub(super) fn first_after(&self, queue: fn(Timestamp) -> Queue, now: Timestamp) -> Option<Timestamp> {
        let after = now.checked_add(SignedDuration::from_nanos(1)).ok()?;
        let (first, _) = self.sums.queues.range((queue(after), TaskArn::least())..).next()?;
        match *first {
            Queue::Moving(at)
            | Queue::Awaited(at)
            | Queue::Resting(at)
            | Queue::Overdue(at)
            | Queue::Leaving(at)
            | Queue::Over(at)
                if *first == queue(at) =>
            {
                Some(at)
            }
            _ => None,
        }
    }

    /// Whether everything that is kept beside the tasks is as it would be if it were counted now.
    #[cfg(test)]
    pub(super) fn adds_up(&self) -> bool {
        let mut counted = self.clone();
        counted.change_all(|_, _| {});
        let some = |sums: &Sums| {
            let mut sums = sums.clone();
            sums.pools.retain(|pool| *pool != PoolCount::default());
            sums.sets.retain(|set| *set != SetCount::default());
            sums.not_in.retain(|_, count| *count > 0);
            sums
        };
        some(&counted.sums) == some(&self.sums)
    }
}
