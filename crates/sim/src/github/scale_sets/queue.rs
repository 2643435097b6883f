//! A scale set's queue: messages that are delivered until they are acknowledged, and the statistics beside
//! them.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::super::state::{Effect, State};
use super::{ScaleSet, ServiceError};

/// Most events of one message.
const MOST_EVENTS: usize = 50;

#[derive(Default)]
pub(super) struct Queue {
    /// Events that are in no message yet.
    pending: VecDeque<Value>,
    /// Messages that were made and not acknowledged.
    unacknowledged: BTreeMap<u64, Vec<Value>>,
    last_id: u64,
}

impl Queue {
    /// The oldest message that comes after this one; if there is none, a new one of what is pending.
    fn next(&mut self, last: u64) -> Option<(u64, Vec<Value>)> {
        if let Some((id, events)) = self.unacknowledged.range(last + 1..).next() {
            return Some((*id, events.clone()));
        }
        if self.pending.is_empty() {
            return None;
        }
        let events: Vec<Value> = self.pending.drain(..self.pending.len().min(MOST_EVENTS)).collect();
        self.last_id += 1;
        self.unacknowledged.insert(self.last_id, events.clone());
        Some((self.last_id, events))
    }
}

/// What the service counts of a scale set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    pub(crate) available: usize,
    pub(crate) assigned: usize,
    pub(crate) running: usize,
    pub(crate) registered: usize,
    pub(crate) busy: usize,
    pub(crate) idle: usize,
}

impl Statistics {
    pub(super) fn shape(self) -> Value {
        json!({
            "totalAvailableJobs": self.available,
            // What was acquired is assigned at once.
            "totalAcquiredJobs": self.assigned,
            "totalAssignedJobs": self.assigned,
            "totalRunningJobs": self.running,
            "totalRegisteredRunners": self.registered,
            "totalBusyRunners": self.busy,
            "totalIdleRunners": self.idle,
        })
    }
}

impl State {
    /// What is so of a scale set now. A runner that is not connected is neither busy nor idle.
    pub(crate) fn statistics(&self, set: &ScaleSet) -> Statistics {
        let running = |job: &&u64| self.runs.job(**job).is_some_and(|job| job.started_at.is_some());
        let mut statistics = Statistics {
            available: set.offered.len(),
            assigned: set.assigned.len(),
            running: set.assigned.iter().filter(running).count(),
            ..Statistics::default()
        };
        for runner in self.runners.all().filter(|runner| runner.scale_set == Some(set.id)) {
            statistics.registered += 1;
            statistics.busy += usize::from(runner.is_busy());
            statistics.idle += usize::from(runner.is_online() && !runner.is_busy());
        }
        statistics
    }

    /// Puts an event into a scale set's queue.
    pub(super) fn tell(&mut self, set: u64, event: Value) {
        if let Some(set) = self.scale_sets.get_mut(set) {
            set.queue.pending.push_back(event);
            self.effect(Effect::Wake);
        }
    }

    /// `GET` of the queue: the next message after this one, if there is any.
    pub(crate) fn next_message(&mut self, session: &str, last: u64) -> Result<Option<Value>, ServiceError> {
        let set = self.scale_sets.of_session(session).ok_or_else(ServiceError::no_session)?;
        let id = set.id;
        let Some((message_id, events)) = set.queue.next(last) else { return Ok(None) };
        let statistics = self.scale_sets.get(id).map(|set| self.statistics(set)).unwrap_or_default();
        Ok(Some(json!({
            "messageId": message_id,
            "messageType": "RunnerScaleSetJobMessages",
            "body": Value::Array(events).to_string(),
            "statistics": statistics.shape(),
        })))
    }

    /// `DELETE` of a message. One that is gone is no error.
    pub(crate) fn acknowledge(&mut self, set: u64, message: u64) {
        if let Some(set) = self.scale_sets.get_mut(set) {
            set.queue.unacknowledged.remove(&message);
        }
    }
}
