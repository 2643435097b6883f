//! What is too much: unbound tasks first, then runners that GitHub lets go. Never one with a job.

use jiff::SignedDuration;

use super::Planner;
use crate::fleet::roster::Entry;
use crate::fleet::state::AWS;
use crate::fleet::{PoolIndex, SetIndex};
use crate::patience::Service;

/// How long a look at GitHub is good for. A rival's runner takes longer to be bound and given a job.
const FRESH: SignedDuration = SignedDuration::from_secs(2);

impl<'a> Planner<'a> {
    pub(super) fn reduce(&mut self) {
        for pool in self.pools() {
            self.dismiss(pool);
            self.renew(pool);
            for set in self.sets_of(pool) {
                self.shed(set);
            }
        }
    }

    /// Stops unbound tasks that nobody wants; those that would be ready last go first.
    fn dismiss(&mut self, pool: PoolIndex) {
        let keep = self.needs.lacking(pool) + self.policy.pools[pool.0].warm;
        let surplus = self.tasks().pool(pool).free.saturating_sub(keep);
        for (arn, task) in self.tasks().free_last(pool).take(surplus) {
            let at = task.made_at + self.manner().linger;
            if self.now < at {
                self.wake(at);
            } else {
                self.stop_unbound((arn, task), "more tasks than wanted");
            }
        }
    }

    /// Replaces warm tasks that have grown old, one after the other so that there is always somebody.
    fn renew(&mut self, pool: PoolIndex) {
        let (wanted, lacking) = (self.policy.pools[pool.0].warm, self.needs.lacking(pool));
        let ready = self.tasks().free(pool).skip(lacking).take(wanted);
        let ready: Vec<Entry> = ready.take_while(|(_, task)| task.running_at.is_some()).collect();
        let Some(oldest) = ready.first().copied().filter(|_| ready.len() == wanted) else { return };
        let at = oldest.1.made_at + self.manner().warm_age;
        if self.now < at {
            self.wake(at);
        } else {
            self.stop_unbound(oldest, "it has waited for long enough");
        }
    }

    /// Stops a task if GitHub has just said that it is nobody's: a start may have taken it.
    fn stop_unbound(&mut self, (arn, task): Entry<'a>, reason: &'static str) {
        if task.looked_at.is_some_and(|seen| self.now.duration_since(seen) < FRESH) {
            let begun = self.plan.steps.len();
            self.stop(arn, reason);
            self.dismissed[task.pool.0] += self.plan.steps.len() - begun;
        } else if self.may_call(AWS, Service::EcsStops) {
            self.look_at(arn, self.scopes(), "it is not wanted, if it is nobody's");
        }
    }

    /// Takes runners away that have no job for which they were made. That one comes a moment later is usual.
    fn shed(&mut self, set: SetIndex) {
        let Some(since) = self.fleet.sets[set.0].surplus_since else { return };
        let count = self.needs.to_shed(set).saturating_sub(self.leaving[set.0]);
        let idle = self.tasks().idle(set).filter(|(arn, _)| !self.claimed.contains(arn));
        for entry in idle.take(count).collect::<Vec<_>>() {
            let Some(runner) = entry.1.runner() else { continue };
            let at = since.max(runner.bound_at) + self.manner().grace;
            if self.now < at {
                self.wake(at);
            } else {
                self.unregister(entry, "more runners than jobs");
            }
        }
    }
}
