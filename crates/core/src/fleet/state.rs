//! The fleet's world: what was observed, and what its own actions brought.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::roster::Roster;
use super::wishes::Wishes;
use super::{Policy, PoolIndex, PoolPolicy, ScopeIndex, SetIndex, SetPolicy, Task};
use crate::ids::{RunnerName, TaskArn};
use crate::patience::{Patience, Service};
use crate::scale_sets::Demand;
use crate::verdict::Verdict;

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// The tasks of its pools.
    pub tasks: Roster,
    /// What the ARNs of its tasks begin with, up to their ids.
    pub cluster: Option<String>,
    /// Its pools, as in the policy.
    pub pools: Vec<PoolState>,
    /// Its scale sets, as in the policy.
    pub sets: Vec<SetState>,
    /// Services that have to be left alone for a while. All of AWS is one scope, the first.
    pub patience: BTreeMap<(ScopeIndex, Service), Patience>,
    /// What services have said last that did not do what they were asked for.
    pub troubles: BTreeMap<(ScopeIndex, Service), Verdict>,
    /// How far GitHub's lists of runners are known, one a scope.
    pub rolls: BTreeMap<ScopeIndex, Roll>,
    /// The number of the next launch.
    pub next_launch: u64,
}

/// How far a list of runners is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roll {
    /// Whether it is being read.
    pub calling: bool,
    /// Whether it was read since this process leads.
    pub called: bool,
}

impl Roll {
    /// Whether it was read, and is not being read.
    pub const fn is_known(&self) -> bool {
        self.called && !self.calling
    }
}

/// One pool.
#[derive(Debug, Clone, Default)]
pub struct PoolState {
    /// What was looked at, and when.
    pub survey: Survey,
    /// RunTask calls that have had no answer yet.
    pub launches: BTreeMap<u64, Launch>,
    /// How long to leave each choice of its capacity alone.
    pub cooldowns: Vec<Patience>,
    /// How long to start nothing, after tasks that failed for other reasons than want of room.
    pub setback: Patience,
    /// Why the last launch or task failed; gone when a runner comes up.
    pub trouble: Option<Verdict>,
    /// How many of its tasks were given away: bound to a set, or taken by a start.
    pub given: u64,
    /// How long its tasks take to run, as a mean in which the last ones weigh most. Nothing before one has.
    pub boot: Option<SignedDuration>,
}

impl PoolState {
    /// Notes that a task of it runs, so long after it was asked for.
    pub(super) fn booted(&mut self, took: SignedDuration) {
        let mean = self.boot.unwrap_or(took);
        self.boot = Some(mean + (took - mean) / BOOTS);
    }
}

/// How many tasks count for the mean time until one runs.
const BOOTS: i32 = 8;

/// How far a pool is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Survey {
    /// When the last look at all of it began that ECS has answered.
    pub known_at: Option<Timestamp>,
    /// Since when somebody looks.
    pub looking_since: Option<Timestamp>,
    /// When somebody may last have started tasks of which this process was not told: another leader, or a
    /// launch whose answer is lost for good. A look tells of them if it began long enough after.
    pub doubted_at: Timestamp,
    /// Whether to look again soon.
    pub again: bool,
}

impl Survey {
    /// From when on a look shows everything that others may have started, if ECS takes so long to list a task.
    pub fn trusted_from(&self, listed: SignedDuration) -> Timestamp {
        self.doubted_at + listed
    }

    /// Whether everything that is there is known.
    pub fn shows_all(&self, listed: SignedDuration) -> bool {
        self.known_at.is_some_and(|at| at >= self.trusted_from(listed))
    }
}

/// A RunTask call without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Which of the pool's capacity choices.
    pub capacity: usize,
    /// How many tasks.
    pub count: usize,
    /// What its mailboxes are called; it also makes the client token.
    pub nonce: String,
    /// When it was first called.
    pub asked_at: Timestamp,
    /// Whether it is under way.
    pub under_way: bool,
    /// Whether an answer to it was lost, so that it may have started tasks whatever a later one says.
    pub lost: bool,
}

impl PoolState {
    /// How many tasks are being launched.
    pub fn launching(&self) -> usize {
        self.launches.values().map(|launch| launch.count).sum()
    }
}

/// One scale set.
#[derive(Debug, Clone)]
pub struct SetState {
    /// Where its runners come from.
    pub pool: PoolIndex,
    /// Where it is at GitHub.
    pub scope: ScopeIndex,
    /// What GitHub says is assigned to it; nothing before somebody listens. It stays while a session is
    /// replaced, because so do the jobs.
    pub demand: Option<Demand>,
    /// Since when each runner is wanted that it does not have and that nobody is binding.
    pub wishes: Wishes,
    /// Since when it has more runners than it wants.
    pub surplus_since: Option<Timestamp>,
    /// How long to register none of its runners, after GitHub has refused one for a reason of the set's own.
    pub setback: Patience,
}

impl Fleet {
    /// A fleet of which nothing is known, in this cluster. The cluster's ARN, unlike its mere name, tells the
    /// tasks of runners that are registered.
    pub fn new(policy: &Policy, cluster: &str) -> Self {
        let pool = |policy: &PoolPolicy| PoolState {
            cooldowns: vec![COOL_DOWN; policy.capacities],
            setback: SETBACK,
            ..PoolState::default()
        };
        let set = |policy: &SetPolicy| SetState {
            pool: policy.pool,
            scope: policy.scope,
            demand: None,
            wishes: Wishes::default(),
            surplus_since: None,
            setback: Patience::default(),
        };
        Self {
            pools: policy.pools.iter().map(pool).collect(),
            sets: policy.sets.iter().map(set).collect(),
            rolls: policy.sets.iter().map(|set| (set.scope, Roll::default())).collect(),
            cluster: TaskArn::all_of_cluster(cluster),
            ..Self::default()
        }
    }

    /// Lets it ask for its tasks in this place, too, where none of its sets is: a start may register them there.
    pub fn ask_in(&mut self, scope: ScopeIndex) {
        self.rolls.entry(scope).or_default();
    }

    /// Adds a task, if it is not there.
    pub(super) fn add(&mut self, arn: &TaskArn, task: impl FnOnce() -> Task) {
        // All tasks of a cluster have ARNs that differ in their ids alone.
        self.cluster
            .get_or_insert_with(|| arn.as_str().strip_suffix(arn.id()).unwrap_or_default().to_owned());
        self.tasks.add(arn, task);
    }

    /// The task after which a runner is called, whether it is known or not.
    pub(super) fn arn_of(&self, runner: &RunnerName) -> Option<TaskArn> {
        format!("{}{}", self.cluster.as_ref()?, runner.task_id()?).parse().ok()
    }

    /// The task whose runner has this name.
    pub fn task_of(&self, runner: &RunnerName) -> Option<&TaskArn> {
        self.tasks.name(&self.arn_of(runner)?)
    }

    /// Until when a service has to be left alone.
    pub fn quiet(&self, scope: ScopeIndex, service: Service, now: Timestamp) -> Option<Timestamp> {
        self.patience.get(&(scope, service))?.until(now)
    }

    pub(super) fn pool_mut(&mut self, pool: PoolIndex) -> Option<&mut PoolState> {
        self.pools.get_mut(pool.0)
    }

    pub(super) fn set_mut(&mut self, set: SetIndex) -> Option<&mut SetState> {
        self.sets.get_mut(set.0)
    }
}

/// Where AWS's patience is kept.
pub(crate) const AWS: ScopeIndex = ScopeIndex(0);

/// A choice of capacity that has refused has room again within minutes or hours, nobody knows.
const COOL_DOWN: Patience = Patience::between(Duration::from_secs(15), Duration::from_mins(5));

/// Tasks that fail do so for a reason that seldom goes away within seconds, and each costs a minute of Fargate.
const SETBACK: Patience = Patience::between(Duration::from_secs(2), Duration::from_mins(3));
