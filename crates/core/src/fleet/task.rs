//! One task of the fleet, and what it may be taken for.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{PoolIndex, ScopeIndex, SetIndex};
use crate::assignment::MailboxPrefix;
use crate::ids::RunnerId;
use crate::ports::RunnerView;
use crate::task::TaskState;

/// One task.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own source")]
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
    /// When it was started, by ECS's clock if that was earlier than by ours.
    pub made_at: Timestamp,
    /// Since when this process knows of it.
    pub known_since: Timestamp,
    /// When it was first seen running.
    pub running_at: Option<Timestamp>,
    /// When ECS has last told of it, or was last asked.
    pub seen_at: Timestamp,
    /// When GitHub has last told whose it is.
    pub looked_at: Option<Timestamp>,
    /// As long as it is unknown whose it is: where GitHub has said that it is nobody's.
    pub not_in: BTreeSet<ScopeIndex>,
    /// Whether an assignment may lie in its mailbox.
    pub posted: bool,
    /// Whether a job has run on it to its end: its agent takes no other assignment, and leaves.
    pub worked: bool,
    /// Whether StopTask was accepted.
    pub stop_asked: bool,
    /// Whether it was told why it ended.
    pub end_told: bool,
    /// Whether ECS has not shown it yet: it is known by its registration alone, and may be long gone.
    pub hidden: bool,
}

/// Whose a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It was found, and nobody has asked GitHub whether it is somebody's runner.
    Unknown,
    /// Nobody's.
    Unbound,
    /// To be this set's runner: there may be a registration already, but nobody holds its secret.
    Doubtful(Wish),
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

/// That a set wants one more runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Which.
    pub set: SetIndex,
    /// Since when.
    pub since: Timestamp,
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
    /// It is being bound.
    Bind(Wish),
    /// Its registration is being deleted.
    Unregister,
    /// It is being stopped.
    Stop,
    /// Its mailbox is being emptied.
    Empty,
    /// GitHub is asked whose it is.
    Look,
}

/// How long a runner that this process has not bound may take to be online in its running task. The agent
/// looks into its mailbox every second and the runner connects within a few.
const HANDED_OVER: SignedDuration = SignedDuration::from_secs(20);

/// How long a runner may take to be online in its running task before somebody asks GitHub about it, and then
/// between two questions.
const OVERDUE: SignedDuration = SignedDuration::from_secs(30);

/// How long a runner may take to be online in its running task at all. Its agent gives up before.
const HOPELESS: SignedDuration = SignedDuration::from_mins(5);

impl Runner {
    /// A runner that has just been registered.
    pub const fn registered(set: SetIndex, id: RunnerId, now: Timestamp) -> Self {
        Self { set, id, bound_at: now, handed_over: true, online: false, busy_since: None }
    }

    /// A runner as GitHub shows it, beside what was known of it.
    pub fn seen(set: SetIndex, seen: &RunnerView, known: Option<Self>, now: Timestamp) -> Self {
        Self {
            set,
            id: seen.id,
            bound_at: known.map_or(now, |runner| runner.bound_at),
            handed_over: known.is_some_and(|runner| runner.handed_over),
            online: seen.online || known.is_some_and(|runner| runner.online),
            busy_since: known.and_then(|runner| runner.busy_since).or(seen.busy.then_some(now)),
        }
    }

    /// Whether nobody has seen it connected.
    pub const fn is_awaited(&self) -> bool {
        !self.online && self.busy_since.is_none()
    }
}

impl Task {
    /// A task that this process has just started.
    pub fn started(pool: PoolIndex, capacity: usize, now: Timestamp) -> Self {
        let found = Self::found(pool, now);
        Self { role: Role::Unbound, capacity: Some(capacity), posted: false, ..found }
    }

    /// A task that was found. Whoever was here before may have posted its assignment.
    pub fn found(pool: PoolIndex, now: Timestamp) -> Self {
        Self {
            pool,
            state: TaskState::Coming,
            role: Role::Unknown,
            doing: None,
            capacity: None,
            mailbox: None,
            made_at: now,
            known_since: now,
            running_at: None,
            seen_at: now,
            looked_at: None,
            not_in: BTreeSet::new(),
            posted: true,
            worked: false,
            stop_asked: false,
            end_told: false,
            hidden: false,
        }
    }

    /// A task that nobody has shown, after which a runner is called.
    pub fn hidden(pool: PoolIndex, runner: Runner, now: Timestamp) -> Self {
        let posted = runner.is_awaited();
        Self { role: Role::Runner(runner), posted, hidden: true, ..Self::found(pool, now) }
    }

    /// What was known of its runner may not be so.
    pub(super) fn doubt(&mut self) {
        self.role = Role::Unknown;
        self.not_in.clear();
    }

    /// Whether it has stopped or is about to.
    pub fn is_over(&self) -> bool {
        self.stop_asked || matches!(self.state, TaskState::Going | TaskState::Stopped)
    }

    /// The set that it counts for, be it that it is only being bound.
    pub fn serves(&self) -> Option<SetIndex> {
        match (self.doing, self.role) {
            (Some(Doing::Bind(Wish { set, .. })), _)
            | (_, Role::Doubtful(Wish { set, .. }) | Role::Runner(Runner { set, .. })) => Some(set),
            _ => None,
        }
    }

    /// Whether a set may have it.
    pub fn is_free(&self) -> bool {
        self.role == Role::Unbound && self.doing.is_none() && self.mailbox.is_some() && self.is_here()
    }

    /// Whether it runs or is about to, as far as ECS shows.
    pub fn is_here(&self) -> bool {
        !self.is_over() && !self.hidden
    }

    /// Its runner, if it is one of the fleet's.
    pub fn runner(&self) -> Option<&Runner> {
        match &self.role {
            Role::Runner(runner) => Some(runner),
            _ => None,
        }
    }

    /// The wish that it is to serve, if that is in doubt.
    pub(super) fn wish(&self) -> Option<Wish> {
        match self.role {
            Role::Doubtful(wish) => Some(wish),
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
        let mail = self.posted && self.mailbox.is_some();
        self.state == TaskState::Stopped && !registered && !mail && self.doing.is_none()
    }

    /// Since when its runner could have connected, if it runs and nobody has seen it do so.
    fn awaited_since(&self) -> Option<(&Runner, Timestamp)> {
        let runner = self.runner().filter(|runner| runner.is_awaited() && !self.is_over())?;
        let running_at = self.running_at.filter(|_| self.state == TaskState::Running)?;
        Some((runner, running_at.max(runner.bound_at)))
    }

    /// When its runner should be online, so that GitHub is to be asked about it; if it has been asked in vain,
    /// when that was.
    pub(super) fn overdue_at(&self) -> Option<Timestamp> {
        let (runner, since) = self.awaited_since()?;
        if self.is_in_vain().is_some() {
            return self.looked_at;
        }
        let patience = if runner.handed_over { OVERDUE } else { HANDED_OVER };
        let looked_at = self.looked_at.filter(|_| runner.handed_over).unwrap_or(since);
        Some(since.max(looked_at) + patience)
    }

    /// Why its runner will never be online, if GitHub has been asked when it should have been.
    pub(super) fn is_in_vain(&self) -> Option<&'static str> {
        let (runner, since) = self.awaited_since()?;
        let (limit, why) = if runner.handed_over {
            (HOPELESS, "its runner does not come online")
        } else {
            (HANDED_OVER, "nobody holds its secret")
        };
        self.looked_at.filter(|at| *at >= since + limit).map(|_| why)
    }
}
