//! What GitHub's queues say.

use jiff::Timestamp;

use super::LEAVES_WITHIN;
use crate::fleet::{Fleet, News, Role, Runner, SetIndex};
use crate::scale_sets::{Demand, Job, JobEvent, RunnerRef};

impl Fleet {
    /// A set's queue is open: what happened before is in no message.
    pub fn opened(&mut self, set: SetIndex, demand: Demand) {
        let Some(state) = self.set_mut(set) else { return };
        state.demand = Some(demand);
        let pool = state.pool;
        if let Some(state) = self.pool_mut(pool) {
            state.survey.again |= state.survey.known_at.is_some();
        }
    }

    /// Nobody listens to a set's queue for longer than it takes to open it anew.
    pub fn closed(&mut self, set: SetIndex) {
        if let Some(state) = self.set_mut(set) {
            state.demand = None;
        }
    }

    /// What a message of a set's queue says.
    pub fn heard(&mut self, set: SetIndex, demand: Demand, events: &[JobEvent], now: Timestamp) -> Vec<News> {
        if let Some(state) = self.set_mut(set) {
            state.demand = Some(demand);
        }
        let happened = |event: &JobEvent| match event {
            JobEvent::Started { job, runner } => self.begins(set, job, runner, now),
            JobEvent::Completed { job, runner: Some(runner), result } => {
                self.is_done(set, job, runner, result, now)
            }
            _ => None,
        };
        events.iter().filter_map(happened).collect()
    }

    /// A runner has taken a job.
    fn begins(&mut self, set: SetIndex, job: &Job, runner: &RunnerRef, now: Timestamp) -> Option<News> {
        let arn = self.task_of(&runner.name)?.clone();
        let before = self.tasks.get(&arn).filter(|task| !task.worked)?;
        let (pool, known, news) = (before.pool, before.runner().copied(), !before.is_busy());
        let fits =
            !matches!(before.role, Role::Spent { .. }) && known.is_none_or(|known| known.id == runner.id);
        let gives_back = before.wish();
        self.tasks.change(&arn, |task| {
            // If what was known is not so, GitHub has to be asked.
            task.doubt();
            if fits {
                task.role = Role::Runner(Runner {
                    set,
                    id: runner.id,
                    bound_at: known.map_or(now, |known| known.bound_at),
                    handed_over: true,
                    online: true,
                    busy_since: known.and_then(|known| known.busy_since).or(Some(now)),
                });
                // It has read its mail.
                task.posted = false;
            }
        });
        self.give_back(gives_back);
        self.comes_up(pool);
        let waited = job.assigned.or(job.queued).map(|at| job.taken.unwrap_or(now).duration_since(at));
        news.then_some(News::Busy { task: arn, set, job: Box::new(job.clone()), waited })
    }

    /// A runner's job is over.
    fn is_done(
        &mut self,
        set: SetIndex,
        job: &Job,
        runner: &RunnerRef,
        result: &str,
        now: Timestamp,
    ) -> Option<News> {
        let arn = self.task_of(&runner.name)?.clone();
        let task = self.tasks.get(&arn).filter(|task| !task.worked)?;
        let gives_back = task.wish();
        self.tasks.change(&arn, |task| {
            task.worked = true;
            match task.role {
                Role::Runner(known) if known.id == runner.id => {
                    task.role = Role::Spent { stop_at: now + LEAVES_WITHIN };
                    task.posted = false;
                }
                Role::Unbound => task.role = Role::Spent { stop_at: now + LEAVES_WITHIN },
                Role::Spent { .. } => {}
                // Another runner may be registered in its name, which nobody will ever be.
                _ => task.doubt(),
            }
            // So that its end is seen soon.
            task.seen_at = now;
        });
        self.give_back(gives_back);
        Some(News::Done { task: arn, set, job: Box::new(job.clone()), result: result.to_owned() })
    }
}
