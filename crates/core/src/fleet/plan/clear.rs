//! What has to be cleared away: what tasks that are over have left, tasks that should be over, and runners that
//! nobody is or will be.

use jiff::SignedDuration;

use super::Planner;
use crate::fleet::queue::Queue;
use crate::fleet::roster::Entry;
use crate::fleet::{Role, Wish};

impl<'a> Planner<'a> {
    pub(super) fn clear(&mut self) {
        for entry in self.due(Queue::Over, SignedDuration::ZERO) {
            self.clear_after(entry);
        }
        for (arn, _) in self.due(Queue::Leaving, SignedDuration::ZERO) {
            self.stop(arn, "nothing more comes of it");
        }
        for (arn, task) in self.due(Queue::Overdue, SignedDuration::ZERO) {
            if let Some(why) = task.is_in_vain() {
                self.unregister((arn, task), why);
            } else {
                let scopes = task.runner().map(|runner| self.scope(runner.set)).into_iter().collect();
                self.look_at(arn, scopes, "its runner should be online");
            }
        }
    }

    /// A task is over.
    fn clear_after(&mut self, entry: Entry<'a>) {
        let reason = "its task is over";
        match entry.1.role {
            Role::Runner(_) => self.unregister(entry, reason),
            // Only a look tells what there is to delete.
            Role::Doubtful(Wish { set, .. }) => self.look_at(entry.0, vec![self.scope(set)], reason),
            Role::Unknown => self.look_further(entry, reason),
            Role::Unbound | Role::Taken | Role::Spent { .. } => {
                self.empty(entry, reason);
            }
        }
    }
}
