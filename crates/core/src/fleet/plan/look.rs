//! What has to be looked at: tasks in transition, whole pools from time to time, and whose the found ones are.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Planner;
use crate::fleet::queue::Queue;
use crate::fleet::state::AWS;
use crate::fleet::{PoolIndex, SetIndex, Step};
use crate::ids::TaskArn;
use crate::patience::Service;
use crate::ports::MOST_PER_DESCRIBE;

/// Up to so many tasks GitHub is asked one by one whose they are; for more, its list of all runners is cheaper.
const MOST_LOOKS: usize = 8;

/// How many tasks can be looked at in a second, by the published rates of ECS, with room for others.
const DESCRIBED_A_SECOND: i64 = 500;

/// How long a task whose runner should come online is left between two looks at ECS, in polls.
const SELDOM: i32 = 8;

/// The same for a task that waits for a job.
const RARELY: i32 = 30;

/// How long after a look at a pool another one may follow because GitHub counts fewer running jobs than are known.
const DISAGREEMENT: SignedDuration = SignedDuration::from_secs(20);

/// What a look at a pool costs for each of its tasks, as a pause before the next one.
const STRETCH: SignedDuration = SignedDuration::from_millis(60);

/// How long a warm task is left between two questions whether a start has taken it, for each that is ready: some
/// 700 calls an hour, of the 5,000 that GitHub allows at least.
const TAKEN: SignedDuration = SignedDuration::from_secs(5);

/// The same, however few are ready.
const TAKEN_AT_LEAST: SignedDuration = SignedDuration::from_secs(10);

/// A queue that is ordered by time.
type InTime = fn(Timestamp) -> Queue;

impl<'a> Planner<'a> {
    pub(super) fn look(&mut self) {
        for pool in self.pools() {
            self.survey(pool);
        }
        self.identify();
        self.describe();
    }

    /// Looks at all that a pool has: at first, from time to time, and when GitHub counts otherwise.
    fn survey(&mut self, pool: PoolIndex) {
        let survey = self.fleet.pools[pool.0].survey;
        if survey.looking_since.is_some() {
            return;
        }
        let due = match survey.known_at {
            None => self.now,
            Some(_) if survey.again => self.now,
            Some(at) => {
                let tasks = i32::try_from(self.tasks().pool(pool).tasks).unwrap_or(i32::MAX);
                let regular = at + self.manner().sweep + STRETCH * tasks;
                let disagrees = self.sets_of(pool).any(|set| self.counts_otherwise(set));
                let trusted = survey.trusted_from(self.manner().listed);
                [disagrees.then_some(at + DISAGREEMENT), (at < trusted).then_some(trusted)]
                    .into_iter()
                    .flatten()
                    .fold(regular, Ord::min)
            }
        };
        if self.now < due {
            self.wake(due);
        } else if self.may_call(AWS, Service::EcsReads) {
            self.step(Step::Sweep(pool), "it is time to look at all tasks of the pool");
        }
    }

    /// Whether more of a set's runners are thought to be busy than GitHub says jobs are running.
    fn counts_otherwise(&self, set: SetIndex) -> bool {
        let demand = self.fleet.sets[set.0].demand;
        demand.is_some_and(|demand| self.tasks().set(set).busy > demand.running as usize)
    }

    /// A warm task may be taken by a start, which only GitHub knows. Asking costs a call each, so the more there are
    /// the less often each is asked about. Those that a set is about to have are not: to bind them tells, too.
    pub(super) fn look_for_taken(&mut self, pool: PoolIndex) {
        let warm = i32::try_from(self.policy.pools[pool.0].warm).unwrap_or(i32::MAX);
        let pause = (TAKEN * warm).max(TAKEN_AT_LEAST);
        let ready = self.tasks().free(pool).take_while(|(_, task)| task.running_at.is_some());
        for (arn, task) in ready.skip(self.needs.lacking(pool)) {
            let at = task.running_at.max(task.looked_at).map_or(self.now, |seen| seen + pause);
            if self.now < at {
                self.wake(at);
            } else {
                self.look_at(arn, self.scopes(), "a start may have taken it");
            }
        }
    }

    /// Asks GitHub whose tasks are that were found, once it is known which there are: one by one or, if they are
    /// many, for the list of all runners. Where GitHub does not answer, the others go on.
    fn identify(&mut self) {
        if self.fleet.pools.iter().any(|pool| pool.survey.known_at.is_none()) {
            return;
        }
        for (scope, roll) in &self.fleet.rolls {
            let unknown: usize = self.pools().map(|pool| self.tasks().unknown_in(pool, *scope)).sum();
            let due = !roll.calling && (!roll.called || unknown > MOST_LOOKS);
            if due && self.may_call(*scope, Service::GitHubReads) {
                self.rolls.insert(*scope);
                self.step(Step::CallRoll(*scope), "nobody knows whose tasks are, or which runners have none");
            }
        }
        for entry in self.tasks().queue(Queue::Unknown, Queue::Unknown) {
            self.look_further(entry, "it was found, and nobody knows whose it is");
        }
    }

    /// Looks at tasks in transition, a hundred a call. When one is due, those come along that soon would be: so
    /// that there is one call for all and not one for each.
    fn describe(&mut self) {
        let poll = self.manner().poll;
        let slowest = i64::try_from(self.tasks().moving()).unwrap_or(i64::MAX) * 1000 / DESCRIBED_A_SECOND;
        let (soon, seldom) = (poll.max(SignedDuration::from_millis(slowest)), poll * SELDOM);
        let queues: [(InTime, _); 3] =
            [(Queue::Moving, soon), (Queue::Awaited, seldom), (Queue::Resting, poll * RARELY)];
        let due = queues.map(|(queue, pause)| self.due(queue, pause).len()).iter().sum::<usize>();
        let mut asked: BTreeSet<&TaskArn> = BTreeSet::new();
        for set in (0..self.fleet.sets.len()).map(SetIndex) {
            self.look_for_sleepers(set, seldom, &mut asked);
        }
        if due + asked.len() == 0 || !self.may_call(AWS, Service::EcsReads) {
            return;
        }
        for (queue, pause) in queues {
            let until = self.now.checked_sub(pause / 2).unwrap_or(Timestamp::MIN);
            let along = self.tasks().queue(queue(Timestamp::MIN), queue(until));
            asked.extend(along.map(|(arn, _)| arn));
        }
        let asked: Vec<TaskArn> = asked.into_iter().cloned().collect();
        for some in asked.chunks(MOST_PER_DESCRIBE) {
            self.step(Step::Describe(some.to_vec()), "they are in transition, or should be");
        }
    }

    /// A runner that is online does not let a job wait. If one waits all the same, the runner may have gone.
    fn look_for_sleepers(&mut self, set: SetIndex, pause: SignedDuration, due: &mut BTreeSet<&'a TaskArn>) {
        let waits = |demand: crate::scale_sets::Demand| demand.assigned > demand.running;
        if !self.fleet.sets[set.0].demand.is_some_and(waits) {
            return;
        }
        for (arn, task) in self.tasks().online(set) {
            let at = task.seen_at + pause;
            if self.now < at {
                self.wake(at);
            } else {
                due.insert(arn);
            }
        }
    }
}
