//! What to do next, as a function of what is known.

use jiff::{SignedDuration, Timestamp};

use super::census::{Census, Entry};
use super::state::AWS;
use super::{Adoption, Doing, Fleet, Manner, Policy, PoolIndex, Role, ScopeIndex, SetIndex, Task};
use crate::ids::{RunnerId, TaskArn};
use crate::patience::Service;
use crate::ports::{MOST_PER_DESCRIBE, MOST_PER_LAUNCH};
use crate::task::TaskState;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Start tasks.
    Launch {
        /// Of this pool.
        pool: PoolIndex,
        /// On this choice of its capacity.
        capacity: usize,
        /// So many, 1 to [`MOST_PER_LAUNCH`].
        count: usize,
        /// A launch whose answer was lost, to be called again as it was.
        again: Option<u64>,
    },
    /// Register a runner of the set for the task and put the assignment into its mailbox.
    Bind {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// Whether an earlier answer was lost, so that there may be a registration already.
        doubtful: bool,
    },
    /// Delete the registration. A refusal means that a job runs.
    Unregister {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// The runner.
        id: RunnerId,
    },
    /// Stop the task.
    Stop(TaskArn),
    /// Empty the task's mailbox.
    Empty(TaskArn),
    /// Ask GitHub whether a runner is registered in the task's name.
    Look(TaskArn),
    /// Ask ECS how tasks are.
    Describe(Vec<TaskArn>),
    /// Ask ECS for all tasks of the pool.
    Sweep(PoolIndex),
    /// Ask GitHub for all its runners.
    CallRoll,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// To be done now, in this order as far as there is room, each with its reason.
    pub steps: Vec<(Step, &'static str)>,
    /// When to plan again if nothing happens before.
    pub wake_at: Timestamp,
}

/// How many registrations may be under way at a time. They are given out by the age of the wish, so those that
/// wait shall wait here, where an older one can still overtake them.
const MOST_BINDS: usize = 32;

/// Up to so many tasks GitHub is asked one by one whose they are; for more, its list of all runners is cheaper.
const MOST_LOOKS: usize = 8;

/// How long a runner that this process has not bound may take to be online in its running task. The agent
/// looks into its mailbox every second and the runner connects within a few.
const HANDED_OVER: SignedDuration = SignedDuration::from_secs(20);

/// How long a runner may take to be online in its running task before somebody asks GitHub about it, and then
/// between two questions.
const OVERDUE: SignedDuration = SignedDuration::from_secs(30);

/// How long a warm task is left between two questions whether a start has taken it, for each that is ready: some
/// 700 calls an hour, of the 5,000 that GitHub allows at least.
const TAKEN: SignedDuration = SignedDuration::from_secs(5);
const TAKEN_AT_LEAST: SignedDuration = SignedDuration::from_secs(10);

/// How long a look at GitHub is good for. A rival's runner takes longer to be bound and given a job.
const FRESH: SignedDuration = SignedDuration::from_secs(3);

/// How many tasks can be looked at in a second, by the published rates of ECS, with room for others.
const DESCRIBED_A_SECOND: i64 = 500;

/// How long a task of which it is not known what it does is left between two looks at ECS, in polls.
const SELDOM: i32 = 8;

/// How long after a sweep another one may follow because GitHub counts fewer busy runners than are known.
const DISAGREEMENT: SignedDuration = SignedDuration::from_secs(20);

/// Plans.
pub fn plan(now: Timestamp, policy: &Policy, fleet: &Fleet) -> Plan {
    let census = Census::of(fleet);
    let wake_at = now + policy.manner.sweep;
    let mut planner =
        Planner { now, policy, fleet, census: &census, plan: Plan { steps: Vec::new(), wake_at } };
    planner.tidy();
    planner.identify();
    for pool in (0..policy.pools.len().min(fleet.pools.len())).map(PoolIndex) {
        planner.reconcile(pool);
        planner.shrink(pool);
    }
    planner.bind();
    planner.launch();
    planner.look();
    planner.plan
}

struct Planner<'a> {
    now: Timestamp,
    policy: &'a Policy,
    fleet: &'a Fleet,
    census: &'a Census<'a>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn step(&mut self, step: Step, reason: &'static str) {
        self.plan.steps.push((step, reason));
    }

    fn wake(&mut self, at: Timestamp) {
        self.plan.wake_at = self.plan.wake_at.min(at.max(self.now));
    }

    /// Whether all of these services may be called. If not, the plan wakes when they may.
    fn may_call(&mut self, scope: ScopeIndex, services: &[Service]) -> bool {
        let scope_of = |service: &Service| match service {
            Service::GitHub | Service::GitHubDeletions | Service::GitHubReads => scope,
            Service::Ecs | Service::EcsStops | Service::EcsReads | Service::Mailbox => AWS,
        };
        let quiet = services.iter().filter_map(|s| self.fleet.quiet(scope_of(s), *s, self.now)).max();
        if let Some(until) = quiet {
            self.wake(until);
        }
        quiet.is_none()
    }

    fn manner(&self) -> &'a Manner {
        &self.policy.manner
    }

    fn scope(&self, set: SetIndex) -> ScopeIndex {
        self.policy.sets.get(set.0).map_or(AWS, |rule| rule.scope)
    }

    /// What tasks that are over have left, and tasks that should be over.
    fn tidy(&mut self) {
        for (arn, task) in &self.fleet.tasks {
            if task.doing.is_some() {
                continue;
            }
            if task.is_over() {
                self.clear(arn, task);
            } else if let Role::Spent { stop_at } = task.role {
                if self.now < stop_at {
                    self.wake(stop_at);
                } else if self.may_call(AWS, &[Service::EcsStops]) {
                    self.step(Step::Stop(arn.clone()), "nothing more comes of it");
                }
            } else if let Some(runner) = task.runner() {
                let waits_in_vain = !runner.online && !runner.handed_over && runner.busy_since.is_none();
                let since = task.running_at.map(|at| at.max(runner.bound_at));
                match since.map(|since| since + HANDED_OVER).filter(|_| waits_in_vain) {
                    Some(at) if self.now < at => self.wake(at),
                    Some(_) => self.unregister(arn, runner.set, runner.id, "nobody holds its secret"),
                    None => {}
                }
            }
        }
    }

    fn clear(&mut self, arn: &TaskArn, task: &Task) {
        match task.role {
            // Whoever has a job may come to its end in the time that is left.
            Role::Runner(runner) if runner.busy_since.is_some() && task.state != TaskState::Stopped => {}
            Role::Runner(runner) => self.unregister(arn, runner.set, runner.id, "its task is over"),
            // Only a look tells what there is to delete.
            Role::Doubtful(_) | Role::Unknown => {
                if self.may_call_all(&[Service::GitHubReads]) {
                    self.step(Step::Look(arn.clone()), "its task is over, and it may be registered");
                }
            }
            Role::Unbound | Role::Taken | Role::Spent { .. } => self.empty(arn, task),
        }
    }

    fn empty(&mut self, arn: &TaskArn, task: &Task) {
        if task.posted && self.may_call(AWS, &[Service::Mailbox]) {
            self.step(Step::Empty(arn.clone()), "its task is over");
        }
    }

    fn unregister(&mut self, arn: &TaskArn, set: SetIndex, id: RunnerId, reason: &'static str) {
        if self.may_call(self.scope(set), &[Service::GitHubDeletions]) {
            self.step(Step::Unregister { task: arn.clone(), set, id }, reason);
        }
    }

    /// Asks GitHub whose tasks are that were found.
    fn identify(&mut self) {
        let unknown: usize = self.census.pools.iter().map(|pool| pool.unknown).sum();
        if unknown == 0 || self.fleet.calling_roll {
            return;
        }
        let scopes: Vec<ScopeIndex> = self.policy.sets.iter().map(|rule| rule.scope).collect();
        if !scopes.into_iter().all(|scope| self.may_call(scope, &[Service::GitHubReads])) {
            return;
        }
        if unknown > MOST_LOOKS {
            return self.step(Step::CallRoll, "tasks were found, and nobody knows whose they are");
        }
        for (arn, task) in &self.fleet.tasks {
            if task.role == Role::Unknown && task.doing.is_none() && !task.is_over() {
                self.step(Step::Look(arn.clone()), "it was found, and nobody knows whose it is");
            }
        }
    }

    /// Looks at all that a pool has: at first, from time to time, and when GitHub counts otherwise.
    fn reconcile(&mut self, pool: PoolIndex) {
        let due = match self.fleet.pools[pool.0].adoption {
            Adoption::Looking { .. } => return,
            Adoption::Strange => self.now,
            Adoption::Known(at) => {
                // Looking costs a call for each hundred.
                let tasks = i32::try_from(self.census.pools[pool.0].tasks).unwrap_or(i32::MAX);
                let stretch = SignedDuration::from_millis(60) * tasks;
                let disagrees = Census::sets_of(self.policy, pool).any(|set| self.counts_otherwise(set));
                at + if disagrees { DISAGREEMENT } else { self.manner().sweep + stretch }
            }
        };
        if self.now < due {
            self.wake(due);
        } else if self.may_call(AWS, &[Service::EcsReads]) {
            self.step(Step::Sweep(pool), "it is time to look at all tasks of the pool");
        }
    }

    /// Whether more of a set's runners are thought to be busy than GitHub says jobs are running.
    fn counts_otherwise(&self, set: SetIndex) -> bool {
        let demand = self.fleet.sets.get(set.0).and_then(|state| state.demand);
        demand.is_some_and(|demand| self.census.sets[set.0].busy > demand.running as usize)
    }

    /// Takes away what is too much: unbound tasks first, then runners that GitHub lets go.
    fn shrink(&mut self, pool: PoolIndex) {
        let keep = self.lacking(pool) + self.policy.pools[pool.0].warm;
        let free = &self.census.pools[pool.0].free;
        // Those that will be ready last go first.
        let surplus = free.len().saturating_sub(keep);
        let aged = |(_, task): &&Entry| self.now.duration_since(task.made_at) >= self.policy.manner.warm_age;
        let old = free.iter().take(free.len() - surplus).filter(aged);
        let (now, linger) = (self.now, self.manner().linger);
        let leave: Vec<(Entry, Timestamp)> = (free.iter().rev().take(surplus))
            .map(|entry| (*entry, entry.1.made_at + linger))
            .chain(old.map(|entry| (*entry, now)))
            .collect();
        for ((arn, task), at) in leave {
            if now < at {
                self.wake(at);
            } else if task.looked_at.is_none_or(|seen| now.duration_since(seen) >= FRESH) {
                // A start may have taken it.
                if self.may_call_all(&[Service::GitHubReads]) {
                    self.step(Step::Look(arn.clone()), "it is not wanted, if it is nobody's");
                }
            } else if self.may_call(AWS, &[Service::EcsStops]) {
                self.step(Step::Stop(arn.clone()), "more tasks than wanted");
            }
        }
        for set in Census::sets_of(self.policy, pool) {
            self.shed(set);
        }
    }

    /// Takes runners away that have no job for which they were made.
    fn shed(&mut self, set: SetIndex) {
        let surplus = self.census.surplus(self.policy, self.fleet, set);
        let mut idle = self.census.sets[set.0].idle.clone();
        // Those that are the least far go first; nobody has waited for them as long.
        idle.sort_by_key(|(_, task)| {
            let runner = task.runner();
            (
                runner.is_some_and(|r| r.online),
                task.running_at.is_some(),
                runner.map(|r| std::cmp::Reverse(r.bound_at)),
            )
        });
        for (arn, task) in idle.into_iter().take(surplus) {
            let Some(runner) = task.runner() else { continue };
            let at = runner.bound_at + self.manner().grace;
            if self.now < at {
                self.wake(at);
            } else {
                self.unregister(arn, set, runner.id, "more runners than jobs");
            }
        }
    }

    fn may_call_all(&mut self, services: &[Service]) -> bool {
        let scopes: Vec<ScopeIndex> = self.policy.sets.iter().map(|rule| rule.scope).collect();
        scopes.into_iter().all(|scope| self.may_call(scope, services))
    }

    fn lacking(&self, pool: PoolIndex) -> usize {
        Census::sets_of(self.policy, pool).map(|set| self.census.lacks(self.policy, self.fleet, set)).sum()
    }

    /// Who wants a runner of this pool, the longest first.
    fn wishes(&self, pool: PoolIndex) -> Vec<(Timestamp, SetIndex)> {
        let mut wishes = Vec::new();
        for set in Census::sets_of(self.policy, pool) {
            let lacks = self.census.lacks(self.policy, self.fleet, set);
            let since = self.fleet.sets[set.0].wanted.iter().copied().chain(std::iter::repeat(self.now));
            wishes.extend(since.take(lacks).map(|at| (at, set)));
        }
        wishes.sort_unstable();
        wishes
    }

    /// Gives free tasks to sets, the oldest wish first.
    fn bind(&mut self) {
        let doubtful = |task: &Task| match task.role {
            Role::Doubtful(set) if task.doing.is_none() && !task.is_over() => Some(set),
            _ => None,
        };
        let mut wishes: Vec<(Timestamp, &TaskArn, SetIndex, bool)> = Vec::new();
        for (arn, task) in &self.fleet.tasks {
            wishes.extend(doubtful(task).map(|set| (task.made_at, arn, set, true)));
        }
        for pool in (0..self.census.pools.len()).map(PoolIndex) {
            if self.fleet.pools[pool.0].adoption.is_known() {
                let free = self.census.pools[pool.0].free.iter();
                wishes.extend(
                    self.wishes(pool)
                        .into_iter()
                        .zip(free)
                        .map(|((at, set), (arn, _))| (at, *arn, set, false)),
                );
            }
        }
        wishes.sort_by_key(|(at, ..)| *at);
        let under_way =
            self.fleet.tasks.values().filter(|task| matches!(task.doing, Some(Doing::Bind(_)))).count();
        let mut room = MOST_BINDS.saturating_sub(under_way);
        for (_, arn, set, doubtful) in wishes {
            if room == 0 {
                break;
            }
            if let Some(until) = self.fleet.sets[set.0].setback.until(self.now) {
                self.wake(until);
            } else if self.may_call(self.scope(set), &[Service::GitHub, Service::Mailbox]) {
                let reason = if doubtful { "an answer was lost" } else { "a job waits, or a minimum" };
                self.step(Step::Bind { task: arn.clone(), set, doubtful }, reason);
                room -= 1;
            }
        }
    }

    /// Starts what is missing: the pool whose oldest wish is the oldest first.
    fn launch(&mut self) {
        let under_way: usize =
            self.fleet.pools.iter().flat_map(|pool| pool.launches.values()).filter(|l| l.under_way).count();
        let mut room = self.manner().launches.saturating_sub(under_way);
        if !self.may_call(AWS, &[Service::Ecs]) {
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
        let mut wanting: Vec<(Timestamp, PoolIndex, usize, usize)> = Vec::new();
        for pool in (0..self.census.pools.len()).map(PoolIndex) {
            let missing = self.missing(pool);
            if missing == 0 || !self.fleet.pools[pool.0].adoption.is_known() {
                continue;
            }
            if let Some(until) = self.fleet.pools[pool.0].setback.until(self.now) {
                self.wake(until);
                continue;
            }
            if let Some(capacity) = self.capacity(pool) {
                let oldest = self.wishes(pool).first().map_or(self.now, |(at, _)| *at);
                wanting.push((oldest, pool, capacity, missing));
            }
        }
        wanting.sort_unstable();
        // Turn by turn, so that a pool that wants thousands does not keep the others waiting.
        while room > 0 && !wanting.is_empty() {
            for (_, pool, capacity, missing) in &mut wanting {
                let count = (*missing).min(MOST_PER_LAUNCH as usize);
                if room == 0 {
                    break;
                }
                room -= 1;
                *missing -= count;
                let step = Step::Launch { pool: *pool, capacity: *capacity, count, again: None };
                self.step(step, "fewer tasks than wanted");
            }
            wanting.retain(|(.., missing)| *missing > 0);
        }
    }

    /// How many tasks a pool has too few.
    fn missing(&self, pool: PoolIndex) -> usize {
        let (count, rule) = (&self.census.pools[pool.0], &self.policy.pools[pool.0]);
        let there = count.free.len() + count.launching + count.unknown;
        let wanted = (self.lacking(pool) + rule.warm).saturating_sub(there);
        wanted.min(rule.max.saturating_sub(count.tasks))
    }

    /// The first choice of capacity that is not known to be without room. If there is none, wakes when the
    /// first may have some again.
    fn capacity(&mut self, pool: PoolIndex) -> Option<usize> {
        let now = self.now;
        let cooldowns = &self.fleet.pools[pool.0].cooldowns;
        let found = cooldowns.iter().position(|cooldown| cooldown.until(now).is_none());
        if found.is_none() {
            let first = cooldowns.iter().filter_map(|cooldown| cooldown.until(now)).min();
            if let Some(at) = first {
                self.wake(at);
            }
        }
        found
    }

    /// Looks at tasks in transition, a hundred a call, and at runners that should be online.
    fn look(&mut self) {
        let moving = |task: &Task| between_looks(task, self.policy.manner.poll);
        let in_transition = self.fleet.tasks.values().filter(|task| moving(task).is_some()).count();
        let slowest = i64::try_from(in_transition).unwrap_or(i64::MAX) * 1000 / DESCRIBED_A_SECOND;
        let slowest = SignedDuration::from_millis(slowest);
        let mut due = Vec::new();
        for (arn, task) in &self.fleet.tasks {
            if let Some(pause) = moving(task) {
                let at = task.seen_at + pause.max(slowest);
                if at <= self.now {
                    due.push(arn.clone());
                } else {
                    self.wake(at);
                }
            }
            self.look_for(arn, task);
            self.look_whether_taken(arn, task);
        }
        if !due.is_empty() && self.may_call(AWS, &[Service::EcsReads]) {
            for some in due.chunks(MOST_PER_DESCRIBE) {
                self.step(Step::Describe(some.to_vec()), "they are in transition");
            }
        }
    }

    /// A warm task may be taken by a start, which only GitHub knows. Asking costs a call each, so the more there
    /// are the less often each is asked about.
    fn look_whether_taken(&mut self, arn: &TaskArn, task: &Task) {
        let Some(running_at) = task.running_at.filter(|_| task.is_free()) else { return };
        let ready = self.census.pools[task.pool.0].free.len();
        let pause = (TAKEN * i32::try_from(ready).unwrap_or(i32::MAX)).max(TAKEN_AT_LEAST);
        let at = task.looked_at.map_or(running_at, |looked| looked.max(running_at)) + pause;
        if at > self.now {
            self.wake(at);
        } else if self.may_call_all(&[Service::GitHubReads]) {
            self.step(Step::Look(arn.clone()), "a start may have taken it");
        }
    }

    fn look_for(&mut self, arn: &TaskArn, task: &Task) {
        let Some(runner) = task.runner().filter(|_| task.state == TaskState::Running && task.doing.is_none())
        else {
            return;
        };
        if runner.online || runner.busy_since.is_some() || !runner.handed_over || task.is_over() {
            return;
        }
        let since = [task.running_at, task.looked_at, Some(runner.bound_at)].into_iter().flatten().max();
        let at = since.unwrap_or(self.now) + OVERDUE;
        if at > self.now {
            self.wake(at);
        } else if self.may_call(self.scope(runner.set), &[Service::GitHubReads]) {
            self.step(Step::Look(arn.clone()), "its runner should be online");
        }
    }
}

/// How long to wait between two looks at a task; `None` if nothing is expected of it.
fn between_looks(task: &Task, poll: SignedDuration) -> Option<SignedDuration> {
    let waits = task.runner().is_some_and(|runner| !runner.online && runner.busy_since.is_none());
    match (task.state, task.role) {
        (TaskState::Stopped, _) => None,
        (TaskState::Coming | TaskState::Going, _) | (_, Role::Spent { .. }) => Some(poll),
        _ if task.stop_asked => Some(poll),
        _ if waits => Some(poll * SELDOM),
        _ => None,
    }
}
