//! The queues in which tasks stand: for each thing that somebody has to do with one.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use super::task::{Role, Runner, Task};
use super::{PoolIndex, SetIndex};
use crate::task::TaskState;

/// How long GitHub is left alone with a runner that has a job and no task any more, between two attempts to delete it.
const BELIEVED_BUSY: SignedDuration = SignedDuration::from_mins(1);

/// What a task waits for, and its place among those that wait for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    /// A set of its pool: whether that would have to wait for it, and when it was made.
    Free(PoolIndex, bool, Timestamp),
    /// A job of its set, or to be taken away: the least far first, because nobody has waited for those as long.
    Idle(SetIndex, Progress),
    /// To be told by ECS how it is, soon: when it was last seen.
    Moving(Timestamp),
    /// The same, from time to time: its runner should come online.
    Awaited(Timestamp),
    /// The same, now and then: it waits for a job or to be bound, and may be gone one day.
    Resting(Timestamp),
    /// Its runner to be online, by then.
    Overdue(Timestamp),
    /// To leave by itself, or be stopped then.
    Leaving(Timestamp),
    /// To be cleared away since it is over, from then on.
    Over(Timestamp),
    /// To be told by GitHub whose it is.
    Unknown,
    /// To be bound anew.
    Doubtful,
    /// To be forgotten.
    Gone,
}

/// How far a runner without a job is: whether it is online, whether its task runs, and when it was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Progress(bool, bool, Reverse<Timestamp>);

impl Progress {
    pub(super) const LEAST: Self = Self(false, false, Reverse(Timestamp::MAX));
    pub(super) const ONLINE: Self = Self(true, false, Reverse(Timestamp::MAX));
    pub(super) const MOST: Self = Self(true, true, Reverse(Timestamp::MIN));
}

impl Queue {
    /// Where a task stands.
    pub(super) fn of(task: &Task) -> [Option<Self>; 3] {
        if task.is_gone() {
            return [Some(Self::Gone), None, None];
        }
        if task.doing.is_some() {
            return [Self::of_seeing(task), None, None];
        }
        [Self::of_seeing(task), Self::of_role(task), task.overdue_at().map(Self::Overdue)]
    }

    /// Whether ECS has to be asked.
    fn of_seeing(task: &Task) -> Option<Self> {
        let awaited = task.runner().is_some_and(Runner::is_awaited);
        let rests = task.role == Role::Unbound || task.runner().is_some_and(|r| r.busy_since.is_none());
        match (task.state, task.role) {
            (TaskState::Stopped, _) => None,
            (TaskState::Coming | TaskState::Going, _) | (_, Role::Spent { .. }) => {
                Some(Self::Moving(task.seen_at))
            }
            _ if task.stop_asked => Some(Self::Moving(task.seen_at)),
            _ if awaited => Some(Self::Awaited(task.seen_at)),
            _ if rests => Some(Self::Resting(task.seen_at)),
            _ => None,
        }
    }

    fn of_role(task: &Task) -> Option<Self> {
        let over = task.is_over();
        match task.role {
            // Whoever has a job may come to its end in the time that is left. If it dies with its task, GitHub
            // takes some minutes to find out.
            Role::Runner(Runner { busy_since: Some(at), .. }) => {
                (task.state == TaskState::Stopped).then_some(Self::Over(at + BELIEVED_BUSY))
            }
            Role::Runner(_) | Role::Doubtful(_) | Role::Unknown if over => Some(Self::Over(Timestamp::MIN)),
            Role::Runner(_) if task.hidden => None,
            Role::Unbound | Role::Taken | Role::Spent { .. } if over => {
                (task.posted && task.mailbox.is_some()).then_some(Self::Over(Timestamp::MIN))
            }
            Role::Spent { stop_at } => Some(Self::Leaving(stop_at)),
            Role::Unknown => Some(Self::Unknown),
            Role::Doubtful(_) => Some(Self::Doubtful),
            Role::Unbound if task.is_free() => {
                Some(Self::Free(task.pool, task.running_at.is_none(), task.made_at))
            }
            Role::Unbound | Role::Taken => None,
            Role::Runner(runner) => {
                let progress = Progress(runner.online, task.running_at.is_some(), Reverse(runner.bound_at));
                Some(Self::Idle(runner.set, progress))
            }
        }
    }
}
