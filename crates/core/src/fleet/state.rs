//! The fleet's world: what was observed, and what its own actions brought.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::{PoolIndex, ScopeIndex, SetIndex};
use crate::assignment::MailboxPrefix;
use crate::ids::{RunnerId, RunnerName, TaskArn};
use crate::patience::{Patience, Service};
use crate::scale_sets::Demand;
use crate::task::TaskState;
use crate::verdict::Verdict;

/// Everything that is known.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// The tasks of its pools.
    pub tasks: BTreeMap<TaskArn, Task>,
    /// Its pools, as in the policy.
    pub pools: Vec<PoolState>,
    /// Its scale sets, as in the policy.
    pub sets: Vec<SetState>,
    /// Services that have to be left alone for a while. All of AWS is one scope, the first.
    pub patience: BTreeMap<(ScopeIndex, Service), Patience>,
    /// What services have said last that did not do what they were asked for.
    pub troubles: BTreeMap<(ScopeIndex, Service), Verdict>,
    /// Whether GitHub's list of runners is being read.
    pub calling_roll: bool,
    /// The number of the next launch.
    pub next_launch: u64,
}

/// One pool.
#[derive(Debug, Clone, Default)]
pub struct PoolState {
    /// Whether what it has is known.
    pub adoption: Adoption,
    /// RunTask calls that have had no answer yet.
    pub launches: BTreeMap<u64, Launch>,
    /// How long to leave each choice of its capacity alone.
    pub cooldowns: Vec<Patience>,
    /// How long to start nothing, after tasks that failed for other reasons than want of room.
    pub setback: Patience,
    /// Why the last launch or task failed; gone when one comes up.
    pub trouble: Option<Verdict>,
}

/// How far a pool is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adoption {
    /// Nobody has looked.
    #[default]
    Strange,
    /// Somebody looks; once more if it was known before.
    Looking {
        /// Since when.
        since: Timestamp,
        /// Whether it was known before.
        known: bool,
    },
    /// What was there at this time is known.
    Known(Timestamp),
}

impl Adoption {
    /// Whether what is there is known, so that more may be started.
    pub const fn is_known(self) -> bool {
        matches!(self, Self::Known(_) | Self::Looking { known: true, .. })
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
    /// Whether it is under way. Else its answer was lost, and it has to be called again as it was.
    pub under_way: bool,
}

/// One scale set.
#[derive(Debug, Clone, Default)]
pub struct SetState {
    /// What GitHub says is assigned to it; nothing before somebody listens. It stays while a session is
    /// replaced, because so do the jobs.
    pub demand: Option<Demand>,
    /// Since when each runner is wanted that it does not have, the longest first.
    pub wanted: VecDeque<Timestamp>,
    /// How long to register none of its runners, after GitHub has refused one for a reason of the set's own.
    pub setback: Patience,
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its pool.
    pub pool: PoolIndex,
    /// Where it is in its life.
    pub state: TaskState,
    /// Whose it is.
    pub role: Role,
    /// What is being done to it.
    pub doing: Option<Doing>,
    /// Which of the pool's capacity choices, if this process has started it.
    pub capacity: Option<usize>,
    /// Where its assignments go. Nobody can bind a task without.
    pub mailbox: Option<MailboxPrefix>,
    /// When it was started, or found.
    pub made_at: Timestamp,
    /// When it was first seen running.
    pub running_at: Option<Timestamp>,
    /// When ECS has last told of it, or was last asked.
    pub seen_at: Timestamp,
    /// When GitHub has last told whose it is.
    pub looked_at: Option<Timestamp>,
    /// Whether an assignment of this process may lie in its mailbox.
    pub posted: bool,
    /// Whether StopTask was accepted.
    pub stop_asked: bool,
}

/// Whose a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It was found, and nobody has asked GitHub whether it is somebody's runner.
    Unknown,
    /// Nobody's.
    Unbound,
    /// An answer to minting was lost: a registration may exist that nobody holds the secret of.
    Doubtful(SetIndex),
    /// A runner of one of the fleet's sets.
    Runner(Runner),
    /// The runner of somebody else, such as of a start that has taken a warm task.
    Taken,
    /// Nothing more comes of it: its job is over, or its registration is gone.
    Spent {
        /// When it is stopped if it has not left by itself.
        stop_at: Timestamp,
    },
}

/// A registration, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runner {
    /// Whose jobs it takes.
    pub set: SetIndex,
    /// Its id.
    pub id: RunnerId,
    /// Since when it is bound, or was found so.
    pub bound_at: Timestamp,
    /// Whether this process has put its assignment into its mailbox, so that somebody can be the runner.
    pub handed_over: bool,
    /// Whether GitHub has shown it connected.
    pub online: bool,
    /// Since when a job runs on it.
    pub busy_since: Option<Timestamp>,
}

/// What is being done to a task, until the answer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It is being bound to this set.
    Bind(SetIndex),
    /// Its registration is being deleted.
    Unregister,
    /// It is being stopped.
    Stop,
    /// Its mailbox is being emptied.
    Empty,
    /// GitHub is asked whose it is.
    Look,
}

impl Task {
    /// A task that this process has just started.
    pub fn started(pool: PoolIndex, capacity: usize, now: Timestamp) -> Self {
        Self { role: Role::Unbound, capacity: Some(capacity), ..Self::found(pool, now) }
    }

    /// A task that was found.
    pub fn found(pool: PoolIndex, now: Timestamp) -> Self {
        Self {
            pool,
            state: TaskState::Coming,
            role: Role::Unknown,
            doing: None,
            capacity: None,
            mailbox: None,
            made_at: now,
            running_at: None,
            seen_at: now,
            looked_at: None,
            posted: false,
            stop_asked: false,
        }
    }

    /// Whether it has stopped or is about to.
    pub fn is_over(&self) -> bool {
        self.stop_asked || matches!(self.state, TaskState::Going | TaskState::Stopped)
    }

    /// The set that it counts for, be it that it is only being bound.
    pub fn serves(&self) -> Option<SetIndex> {
        match (self.doing, self.role) {
            (Some(Doing::Bind(set)), _) | (_, Role::Doubtful(set) | Role::Runner(Runner { set, .. })) => {
                Some(set)
            }
            _ => None,
        }
    }

    /// Whether a set may have it.
    pub fn is_free(&self) -> bool {
        self.role == Role::Unbound && self.doing.is_none() && self.mailbox.is_some() && !self.is_over()
    }

    /// Its runner, if it is one of the fleet's.
    pub fn runner(&self) -> Option<&Runner> {
        match &self.role {
            Role::Runner(runner) => Some(runner),
            _ => None,
        }
    }

    /// Whether a job runs on it, as far as anybody knows.
    pub fn is_busy(&self) -> bool {
        self.runner().is_some_and(|runner| runner.busy_since.is_some())
    }

    /// Whether nothing of it is left to take away or to learn.
    pub fn is_gone(&self) -> bool {
        let registered = matches!(self.role, Role::Runner(_) | Role::Doubtful(_) | Role::Unknown);
        self.state == TaskState::Stopped && !registered && !self.posted && self.doing.is_none()
    }
}

impl Fleet {
    /// A fleet of which nothing is known.
    pub fn new(pools: &[super::PoolPolicy], sets: usize) -> Self {
        let pool = |policy: &super::PoolPolicy| PoolState {
            cooldowns: vec![COOL_DOWN; policy.capacities],
            setback: SETBACK,
            ..PoolState::default()
        };
        Self {
            pools: pools.iter().map(pool).collect(),
            sets: vec![SetState::default(); sets],
            ..Self::default()
        }
    }

    /// The task whose runner has this name.
    pub fn task_of(&self, runner: &RunnerName) -> Option<&TaskArn> {
        // All tasks of a cluster have ARNs that differ in their ids alone.
        let id = runner.as_str().strip_prefix("ff-")?;
        let (cluster, _) = self.tasks.keys().next()?.as_str().rsplit_once('/')?;
        let arn: TaskArn = format!("{cluster}/{id}").parse().ok()?;
        self.tasks.get_key_value(&arn).map(|(arn, _)| arn)
    }

    /// Until when a service has to be left alone.
    pub fn quiet(&self, scope: ScopeIndex, service: Service, now: Timestamp) -> Option<Timestamp> {
        self.patience.get(&(scope, service))?.until(now)
    }
}

/// Where AWS's patience is kept.
pub(crate) const AWS: ScopeIndex = ScopeIndex(0);

/// A choice of capacity that has refused has room again within minutes or hours, nobody knows.
const COOL_DOWN: Patience = Patience::between(Duration::from_secs(15), Duration::from_mins(5));

/// Tasks that fail do so for a reason that seldom goes away within seconds, and each costs a minute of Fargate.
const SETBACK: Patience = Patience::between(Duration::from_secs(2), Duration::from_mins(3));
