//! What ECS says of tasks.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{CONSISTENT, UNTIL_MENDED};
use crate::ending::{Ending, Prospect};
use crate::exit::AgentExit;
use crate::fault::Fault;
use crate::fleet::state::AWS;
use crate::fleet::{Fleet, News, PoolIndex, Role, Runner, Task};
use crate::ids::TaskArn;
use crate::patience::Service;
use crate::phase::Phase;
use crate::task::{TaskEnd, TaskState, TaskView};
use crate::verdict::Verdict;

impl Fleet {
    /// What came of stopping a task.
    pub fn stopped(&mut self, arn: &TaskArn, answer: Result<(), Fault>, now: Timestamp) -> Vec<News> {
        let known = self.tasks.change(arn, |task| {
            task.doing = None;
            task.stop_asked |= answer.is_ok();
        });
        match answer {
            Ok(()) => {
                self.answers(AWS, Service::EcsStops);
                known.map(|()| News::Stopped(arn.clone())).into_iter().collect()
            }
            Err(fault) => self.fails(AWS, Service::EcsStops, &fault, now),
        }
    }

    /// What came of emptying a mailbox.
    pub fn emptied(&mut self, arn: &TaskArn, answer: Result<(), Fault>, now: Timestamp) -> Vec<News> {
        self.tasks.change(arn, |task| {
            task.doing = None;
            task.posted &= answer.is_err();
            // Nobody has read it, so nobody will be the runner.
            if let Role::Runner(runner) = &mut task.role {
                runner.handed_over &= answer.is_err() || task.running_at.is_some();
            }
        });
        match answer {
            Ok(()) => {
                self.answers(AWS, Service::Mailbox);
                Vec::new()
            }
            Err(fault) => self.fails(AWS, Service::Mailbox, &fault, now),
        }
    }

    /// What ECS says of these tasks.
    pub fn described(
        &mut self,
        asked: &[TaskArn],
        answer: Result<Vec<TaskView>, Fault>,
        now: Timestamp,
    ) -> Vec<News> {
        let views = match answer {
            Ok(views) => views,
            Err(fault) => return self.fails(AWS, Service::EcsReads, &fault, now),
        };
        self.answers(AWS, Service::EcsReads);
        let mut unseen: BTreeSet<&TaskArn> = asked.iter().collect();
        let mut news = Vec::new();
        for view in views {
            unseen.remove(&view.arn);
            news.extend(self.see(view, now));
        }
        for arn in unseen {
            self.miss(arn, now);
        }
        news
    }

    /// All tasks of a pool that ECS shows, and those that it was asked about.
    pub fn swept(
        &mut self,
        pool: PoolIndex,
        asked: &[TaskArn],
        answer: Result<Vec<TaskView>, Fault>,
        now: Timestamp,
    ) -> Vec<News> {
        let Some(survey) = self.pool_mut(pool).map(|state| &mut state.survey) else { return Vec::new() };
        let began = survey.looking_since.take();
        if answer.is_ok() {
            survey.known_at = began.or(survey.known_at);
        }
        for view in answer.iter().flatten().filter(|view| !view.is_over()) {
            self.add(&view.arn, || Task::found(pool, now));
        }
        self.described(asked, answer, now)
    }

    /// A change of a task that ECS tells by itself.
    pub fn changed(&mut self, view: TaskView, now: Timestamp) -> Vec<News> {
        self.see(view, now)
    }

    /// Takes over a newer view of a task that is known.
    pub(super) fn see(&mut self, view: TaskView, now: Timestamp) -> Vec<News> {
        let mut news = Vec::new();
        let seen = self.tasks.change(&view.arn, |task| {
            let before = task.clone();
            task.see(&view, now);
            before
        });
        let (Some(before), Some(task)) = (seen, self.tasks.get(&view.arn)) else { return news };
        let (pool, capacity, state) = (task.pool, task.capacity, task.state);
        let took = now.duration_since(task.made_at);
        if state == TaskState::Running && before.state < state {
            news.push(News::Running(view.arn.clone()));
            // Of a task that another process has started nobody knows when it ran.
            if let (Some(n), Some(state)) = (capacity, self.pool_mut(pool)) {
                state.booted(took);
                if let Some(cooldown) = state.cooldowns.get_mut(n) {
                    cooldown.succeeded();
                }
            }
        }
        if !before.end_told && has_told_its_end(&view, before.is_busy()) {
            self.tasks.change(&view.arn, |task| task.end_told = true);
            if let Some(end) = view.end.as_ref().filter(|_| !before.stop_asked) {
                news.extend(self.ends(&view, end, &before, now));
            }
        }
        if state == TaskState::Stopped && before.state < state {
            news.push(News::Gone(Box::new(view)));
        }
        news
    }

    /// A task that was wanted is over.
    fn ends(&mut self, view: &TaskView, end: &TaskEnd, task: &Task, now: Timestamp) -> Option<News> {
        let (agent, ending) = (end.agent(), Ending::of(end));
        let why = Verdict::of_ended_task(view, ending);
        if let Role::Runner(Runner { set, busy_since: Some(_), .. }) = task.role {
            let cut_off = !agent.is_some_and(AgentExit::ran_a_job) && !end.was_ours();
            return cut_off.then(|| News::Interrupted { task: view.arn.clone(), set, why });
        }
        if is_in_order(end, agent, task.role) {
            return None;
        }
        let state = self.pools.get_mut(task.pool.0)?;
        match (ending.prospect, task.capacity.and_then(|n| state.cooldowns.get_mut(n))) {
            (Prospect::NoCapacity, Some(cooldown)) => cooldown.failed(now, None),
            (Prospect::Lasting, _) => state.setback.failed(now, Some(UNTIL_MENDED)),
            _ => state.setback.failed(now, None),
        }
        state.trouble = Some(why.clone());
        Some(News::Failed { task: view.arn.clone(), pool: task.pool, why })
    }

    /// A runner of this pool is online: whatever has failed before, it works.
    pub(super) fn comes_up(&mut self, pool: PoolIndex) {
        if let Some(state) = self.pool_mut(pool) {
            state.setback.succeeded();
            state.trouble = None;
        }
    }

    /// ECS does not show a task: not yet, or not any more.
    fn miss(&mut self, arn: &TaskArn, now: Timestamp) {
        self.tasks.change(arn, |task| {
            if now.duration_since(task.known_since) >= CONSISTENT {
                task.state = TaskState::Stopped;
            }
        });
    }
}

/// Whether ECS has said why a task ended. Of one that is on its way out it may not know yet how the container did;
/// and whoever has a job may still come to its end.
fn has_told_its_end(view: &TaskView, busy: bool) -> bool {
    view.state == TaskState::Stopped
        || view.end.as_ref().is_some_and(|end| {
            let exited = end.stop_code.as_deref() == Some("EssentialContainerExited");
            view.is_over() && !busy && (end.exit_code.is_some() || !exited)
        })
}

/// Whether a task without a job may end so.
fn is_in_order(end: &TaskEnd, agent: Option<AgentExit>, role: Role) -> bool {
    let was_of_use = match role {
        Role::Spent { .. } | Role::Taken => true,
        Role::Runner(runner) => runner.online,
        _ => false,
    };
    let left_in_order = match agent {
        // A warm task that nobody needed.
        Some(AgentExit::NoAssignment) => role == Role::Unbound,
        Some(AgentExit::Idle | AgentExit::MaxLifetime | AgentExit::Terminated) => true,
        agent => agent.is_some_and(AgentExit::had_a_job),
    };
    was_of_use || left_in_order || end.was_ours()
}

impl Task {
    /// Takes over a newer view. Answers may overtake each other; nothing goes back to life.
    fn see(&mut self, view: &TaskView, now: Timestamp) {
        self.seen_at = now;
        self.hidden = false;
        if view.mailbox.is_some() {
            self.mailbox.clone_from(&view.mailbox);
        }
        if let Some(at) = view.at(Phase::Provisioning) {
            self.made_at = self.made_at.min(at);
        }
        if view.state > self.state {
            self.state = view.state;
        }
        if view.state == TaskState::Running {
            self.running_at.get_or_insert(now);
        }
    }
}
