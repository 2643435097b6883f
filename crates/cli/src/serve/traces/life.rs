//! What was heard of runners whose traces are not told yet.
//!
//! ECS tells the times of a task when it has stopped; what it does not know, such as whose runner the task was and which
//! job ran on it, has to be remembered until then.

use std::collections::BTreeMap;

use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fleet::{Fleet, News, PoolIndex, SetIndex};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::scale_sets::Job;
use fleetfoot_core::task::TaskView;
use fleetfoot_core::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};

use super::spans;
use super::wire::Span;
use crate::serve::metrics::Names;

/// How long GitHub may take to tell how a job ended whose task has stopped already.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// How a runner's life came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// Its job is over; GitHub's word for the result.
    Done(String),
    /// Its task ended before it was online.
    Failed(Verdict),
    /// Its task was taken away in the middle of a job.
    Interrupted(Verdict),
}

/// What this process has heard of a runner.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// Of which pool it is, if this process has started it.
    pub(super) pool: Option<PoolIndex>,
    /// On which choice of the pool's capacity it was started.
    pub(super) capacity: Option<usize>,
    /// Whose runner it is.
    pub(super) set: Option<SetIndex>,
    /// What ECS does not know, or not as well.
    pub(super) phases: PhaseTimes,
    /// Its job.
    pub(super) job: Option<Box<Job>>,
    /// How it ended.
    pub(super) end: Option<End>,
    stopped: Stopped,
}

/// Whether a runner's task has stopped.
#[derive(Debug, Default)]
enum Stopped {
    #[default]
    No,
    /// At this time; how its job ended is not known yet.
    Waits(Timestamp, Box<TaskView>),
    /// Its trace was made. It is remembered for as long as the fleet does, so that nothing heard late makes another.
    Told,
}

impl Life {
    fn takes_job(&mut self, set: SetIndex, job: &Job) {
        self.set = Some(set);
        self.job = Some(Box::new(job.clone()));
        if let Some(taken) = job.taken {
            self.phases.reach(Phase::Busy, taken);
        }
    }

    /// Whether a job ran of which GitHub has not said yet how it ended.
    fn awaits_result(&self, view: &TaskView) -> bool {
        let agent = view.end.as_ref().and_then(fleetfoot_core::task::TaskEnd::agent);
        let had_job = self.phases.at(Phase::Busy).is_some() || agent.is_some_and(AgentExit::had_a_job);
        had_job && self.end.is_none()
    }
}

/// The lives of all runners that were heard of.
#[derive(Debug)]
pub(super) struct Lives {
    names: Names,
    lives: BTreeMap<TaskArn, Life>,
}

impl Lives {
    /// Of no runner.
    pub(super) fn new(names: Names) -> Self {
        Self { names, lives: BTreeMap::new() }
    }

    /// Takes in what happened. Gives the trace of what is over thereby.
    pub(super) fn hear(&mut self, now: Timestamp, news: &News) -> Option<Vec<Span>> {
        match news {
            News::Launched { pool, capacity, tasks, took } => {
                for task in tasks {
                    let life = self.of(task)?;
                    (life.pool, life.capacity) = (Some(*pool), Some(*capacity));
                    life.phases.reach(Phase::Requested, now - *took);
                }
            }
            News::NotLaunched { pool, capacity, why, took } => {
                let on = self.names.capacity(*pool, *capacity);
                return Some(spans::of_refusal(&on, why, [now - *took, now]));
            }
            News::Bound { task, set, .. } => {
                let life = self.of(task)?;
                life.set = Some(*set);
                life.phases.reach(Phase::Bound, now);
            }
            News::Online(task) => {
                self.of(task)?.phases.reach(Phase::Online, now);
            }
            News::Busy { task, set, job, .. } => {
                let life = self.of(task)?;
                life.takes_job(*set, job);
                life.phases.reach(Phase::Busy, now);
            }
            News::Done { task, set, job, result } => {
                let life = self.of(task)?;
                life.takes_job(*set, job);
                life.phases.reach(Phase::Done, job.finished.unwrap_or(now));
                life.end.get_or_insert(End::Done(result.clone()));
                if matches!(life.stopped, Stopped::Waits(..)) {
                    return self.tell(task, now);
                }
            }
            News::Failed { task, pool, why } => {
                let life = self.of(task)?;
                life.pool = Some(*pool);
                life.end = Some(End::Failed(why.clone()));
            }
            News::Interrupted { task, set, why } => {
                let life = self.of(task)?;
                life.set = Some(*set);
                life.end = Some(End::Interrupted(why.clone()));
            }
            News::Gone(view) => {
                let life = self.of(&view.arn)?;
                let waits = life.awaits_result(view);
                life.stopped = Stopped::Waits(now, view.clone());
                return if waits { None } else { self.tell(&view.arn, now) };
            }
            News::Running(_) | News::Stopped(_) | News::Trouble { .. } => {}
        }
        None
    }

    /// Takes in that time has passed. Gives the traces of those of which nothing more will be heard.
    pub(super) fn look(&mut self, now: Timestamp, fleet: &Fleet) -> Vec<Vec<Span>> {
        let over = |arn: &TaskArn, life: &Life| match life.stopped {
            Stopped::Told => false,
            Stopped::Waits(since, _) if now.duration_since(since) >= LATE => true,
            _ => fleet.tasks.get(arn).is_none(),
        };
        let over: Vec<TaskArn> =
            self.lives.iter().filter(|(arn, life)| over(arn, life)).map(|(arn, _)| arn.clone()).collect();
        let told = over.iter().filter_map(|arn| self.tell(arn, now)).collect();
        self.lives.retain(|arn, _| fleet.tasks.get(arn).is_some());
        told
    }

    /// Gives the traces of those whose tasks have stopped, because nothing more will be heard here.
    pub(super) fn end(&mut self) -> Vec<Vec<Span>> {
        let waiting = |life: &Life| match life.stopped {
            Stopped::Waits(since, _) => Some(since),
            _ => None,
        };
        let over: Vec<(TaskArn, Timestamp)> =
            self.lives.iter().filter_map(|(arn, life)| Some((arn.clone(), waiting(life)?))).collect();
        over.into_iter().filter_map(|(arn, since)| self.tell(&arn, since)).collect()
    }

    /// The life of a runner whose trace is not told yet.
    fn of(&mut self, task: &TaskArn) -> Option<&mut Life> {
        let life = self.lives.entry(task.clone()).or_default();
        (!matches!(life.stopped, Stopped::Told)).then_some(life)
    }

    fn tell(&mut self, task: &TaskArn, now: Timestamp) -> Option<Vec<Span>> {
        let life = self.lives.get_mut(task)?;
        let view = match std::mem::replace(&mut life.stopped, Stopped::Told) {
            Stopped::Waits(_, view) => Some(view),
            _ => None,
        };
        Some(spans::of_runner(&self.names, task, life, view.as_deref(), now))
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
