//! Runner scale sets: the part of the Actions service that an autoscaler talks to.
//!
//! GitHub does not document it. Source: its own client `actions/scaleset` (README, `types.go`,
//! `session_client.go`), and the answers of the real service that its users show in issues. Where neither
//! says anything, the choice made here is named at its place. What a scale set is asked and answers is
//! the same as with the emulator of the crate `scaleset`, which is not ours; a test compares the two. What
//! that emulator has not is why this one exists: jobs come from workflow runs, by their labels, and real
//! processes run them.

mod assign;
mod error;
mod http;
mod manage;
mod message;
mod queue;
mod session;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::accounts::{Repository, Scope};
use super::job::Job;
use super::state::State;
pub(crate) use error::ServiceError;
pub(crate) use http::{answer, broker, connect};
use queue::Queue;
use session::Session;
pub(crate) use tokens::ActionsTokens;

/// A scale set. It has no `Debug`: it holds its session's token.
pub(crate) struct ScaleSet {
    pub(crate) id: u64,
    pub(crate) scope: Scope,
    pub(crate) group_id: u64,
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
    disable_update: bool,
    created_at: Timestamp,
    session: Option<Session>,
    queue: Queue,
    /// Jobs that it may acquire.
    offered: BTreeSet<u64>,
    /// Jobs that are assigned to it, waiting or running.
    assigned: BTreeSet<u64>,
    /// Those of them that wait for a runner, the next one first.
    waiting: VecDeque<u64>,
}

impl ScaleSet {
    /// Whether a job's labels name it. Its name need not be among its labels.
    fn answers_to(&self, job: &Job) -> bool {
        let has = |wanted: &String| {
            self.name.eq_ignore_ascii_case(wanted)
                || self.labels.iter().any(|label| label.eq_ignore_ascii_case(wanted))
        };
        job.labels.iter().all(has)
    }

    /// How many jobs more it wants to be told of: as many as its client said, less those it has.
    fn room(&self) -> usize {
        let capacity = self.session.as_ref().map_or(0, Session::capacity);
        capacity.saturating_sub(self.assigned.len() + self.offered.len())
    }

    /// Whether it takes one more.
    pub(crate) fn seeks(&self) -> bool {
        self.room() > 0
    }

    /// Who reads its queue.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.session.as_ref().map(Session::owner)
    }
}

/// All scale sets.
#[derive(Default)]
pub(crate) struct ScaleSets {
    by_id: BTreeMap<u64, ScaleSet>,
    last_id: u64,
    last_request: u64,
}

impl ScaleSets {
    pub(crate) fn all(&self) -> impl Iterator<Item = &ScaleSet> {
        self.by_id.values()
    }

    fn get(&self, id: u64) -> Option<&ScaleSet> {
        self.by_id.get(&id)
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut ScaleSet> {
        self.by_id.get_mut(&id)
    }

    /// The scale set of a session.
    fn of_session(&mut self, session: &str) -> Option<&mut ScaleSet> {
        self.by_id.values_mut().find(|set| set.session.as_ref().is_some_and(|own| own.id() == session))
    }

    fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }
}

impl State {
    /// Whether a scale set may run a job of this repository.
    fn set_serves(&self, set: &ScaleSet, job: &Job, repository: &Repository) -> bool {
        set.answers_to(job) && self.serves(set.scope, set.group_id, repository, job.group.as_deref())
    }
}
