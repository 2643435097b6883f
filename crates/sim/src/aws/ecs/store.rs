//! The tasks of an account, found by number, ARN or container, and what is due for them.
//!
//! An account may have ten thousand, and every call looks for some of them: nothing here goes through all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Index, IndexMut};

use jiff::Timestamp;

use super::lifecycle::Stage;
use super::model::Task;

/// All tasks, by their numbers: 1 for the first that was ever started.
#[derive(Default)]
pub(super) struct TaskStore {
    by_number: BTreeMap<u64, Task>,
    by_arn: HashMap<String, u64>,
    by_container: HashMap<String, u64>,
    by_credentials: HashMap<String, u64>,
    due: BTreeSet<(Timestamp, u64)>,
    last: u64,
}

impl Index<u64> for TaskStore {
    type Output = Task;

    fn index(&self, number: u64) -> &Task {
        &self.by_number[&number]
    }
}

impl IndexMut<u64> for TaskStore {
    fn index_mut(&mut self, number: u64) -> &mut Task {
        self.by_number.get_mut(&number).expect("numbers come from this store")
    }
}

impl TaskStore {
    /// The number of the next task.
    pub(super) fn next_number(&self) -> u64 {
        self.last + 1
    }

    pub(super) fn push(&mut self, task: Task) {
        let number = task.sequence;
        self.last = self.last.max(number);
        self.by_arn.insert(task.arn.clone(), number);
        self.by_credentials.insert(task.credentials_id.clone(), number);
        for container in &task.containers {
            self.by_container.insert(container.runtime_id.clone(), number);
        }
        self.due.extend(task.next.map(|(at, _)| (at, number)));
        self.by_number.insert(number, task);
    }

    /// Forgets a task.
    pub(super) fn remove(&mut self, number: u64) {
        let Some(task) = self.by_number.remove(&number) else { return };
        self.by_arn.remove(&task.arn);
        self.by_credentials.remove(&task.credentials_id);
        for container in &task.containers {
            self.by_container.remove(&container.runtime_id);
        }
        if let Some((at, _)) = task.next {
            self.due.remove(&(at, number));
        }
    }

    /// The oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.by_number.values()
    }

    /// Those after this one, the oldest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Task> {
        self.by_number.range(number + 1..).map(|(_, task)| task)
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn number_of(&self, arn: &str) -> Option<u64> {
        self.by_arn.get(arn).copied()
    }

    pub(super) fn find(&self, arn: &str) -> Option<&Task> {
        self.by_number.get(self.by_arn.get(arn)?)
    }

    pub(super) fn number_of_container(&self, runtime_id: &str) -> Option<u64> {
        self.by_container.get(runtime_id).copied()
    }

    pub(super) fn of_credentials(&self, id: &str) -> Option<&Task> {
        self.by_number.get(self.by_credentials.get(id)?)
    }

    /// Says what happens next to a task.
    pub(super) fn schedule(&mut self, number: u64, next: Option<(Timestamp, Stage)>) {
        let Some(task) = self.by_number.get_mut(&number) else { return };
        if let Some((at, _)) = std::mem::replace(&mut task.next, next) {
            self.due.remove(&(at, number));
        }
        self.due.extend(next.map(|(at, _)| (at, number)));
    }

    /// When the next thing happens by itself.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// What has been due the longest; it is not due any more.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<(u64, Timestamp, Stage)> {
        let (at, number) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, number));
        let (_, stage) = self.by_number.get_mut(&number)?.next.take()?;
        Some((number, at, stage))
    }
}
