//! What has to be cleared away: what tasks that are over have left, tasks that should be over, and runners that
//! nobody is or will be.

use jiff::SignedDuration;

use super::Planner;
use crate::fleet::roster::{Entry, Queue};
use crate::fleet::state::AWS;
use crate::fleet::{Role, Step};
use crate::patience::Service;

impl<'a> Planner<'a> {
    pub(super) fn clear(&mut self) {
        for entry in self.due(Queue::Over, SignedDuration::ZERO) {
            self.clear_after(entry);
        }
        for (arn, _) in self.due(Queue::Leaving, SignedDuration::ZERO) {
            self.stop(arn, "nothing more comes of it");
        }
        for (arn, task) in self.due(Queue::Overdue, SignedDuration::ZERO) {
            match task.is_in_vain() {
                Some(why) => self.unregister((arn, task), why),
                None => self.look_at(arn, "its runner should be online"),
            }
        }
    }

    /// A task is over. Its registration goes last: as long as it is there, the next process finds what it belongs to.
    fn clear_after(&mut self, (arn, task): Entry<'a>) {
        if task.posted && task.mailbox.is_some() && self.may_call(AWS, Service::Mailbox) {
            if self.rooms.clearing > 0 && self.claimed.insert(arn) {
                self.rooms.clearing -= 1;
                self.step(Step::Empty(arn.clone()), "its task is over");
            }
            return;
        }
        match task.role {
            Role::Runner(_) => self.unregister((arn, task), "its task is over"),
            // Only a look tells what there is to delete.
            Role::Doubtful(_) | Role::Unknown => {
                self.look_at(arn, "its task is over, and it may be registered");
            }
            Role::Unbound | Role::Taken | Role::Spent { .. } => {}
        }
    }
}
