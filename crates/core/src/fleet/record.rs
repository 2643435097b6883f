//! What is written into the fleet's world: what is about to be done, and what came of it.
//!
//! Answers come in any order, and some of them late: each is believed as far as nothing newer is known, and none
//! is impossible. Whatever is worth telling people goes into [`News`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::census::Census;
use super::state::AWS;
use super::{
    Adoption, Doing, Fleet, Launch, Policy, PoolIndex, Role, Runner, ScopeIndex, SetIndex, Step, Task,
};
use crate::binding::Unbound;
use crate::ending::{Ending, Prospect};
use crate::exit::AgentExit;
use crate::fault::{Class, Fault};
use crate::ids::{RunnerId, RunnerName, TaskArn};
use crate::patience::Service;
use crate::phase::Phase;
use crate::ports::{Launched, RunnerView};
use crate::scale_sets::{Demand, JobEvent};
use crate::task::{TaskState, TaskView};
use crate::verdict::Verdict;

/// Something that people may want to hear of.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Tasks were started.
    Launched {
        /// Of this pool.
        pool: PoolIndex,
        /// On this choice of its capacity.
        capacity: usize,
        /// These.
        tasks: Vec<TaskArn>,
        /// How long the answer took, lost ones included.
        took: SignedDuration,
    },
    /// RunTask refused, or an answer told that there is no room.
    NotLaunched {
        /// Of this pool.
        pool: PoolIndex,
        /// On this choice of its capacity.
        capacity: usize,
        /// Why.
        why: Verdict,
    },
    /// A task runs.
    Running(TaskArn),
    /// A task became a set's runner.
    Bound {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// How long the set has waited for it.
        waited: SignedDuration,
        /// Whether the task was running already.
        warm: bool,
    },
    /// A runner took a job.
    Busy {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// How long the job has waited since GitHub assigned it to the set, if GitHub says.
        waited: Option<SignedDuration>,
    },
    /// A runner's job is over.
    Done {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// GitHub's word for the result.
        result: String,
    },
    /// A task ended before its runner was online.
    Failed {
        /// The task.
        task: TaskArn,
        /// Its pool.
        pool: PoolIndex,
        /// Why.
        why: Verdict,
    },
    /// A task was taken away in the middle of a job.
    Interrupted {
        /// The task.
        task: TaskArn,
        /// The set.
        set: SetIndex,
        /// Why.
        why: Verdict,
    },
    /// A task is gone, whatever came of it.
    Gone(Box<TaskView>),
    /// A task is on its way out because it is not wanted.
    Stopped(TaskArn),
    /// A service does not do what it is asked for.
    Trouble {
        /// Where.
        scope: ScopeIndex,
        /// Which.
        service: Service,
        /// Why.
        why: Verdict,
    },
}

/// A registration that GitHub shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The runner.
    pub runner: RunnerView,
    /// Which of the fleet's sets it belongs to, if it is one of theirs.
    pub set: Option<SetIndex>,
}

/// How long a runner whose job is over may take to leave by itself.
const LEAVES_WITHIN: SignedDuration = SignedDuration::from_secs(90);

/// How long ECS may take to show a task that it has named.
const CONSISTENT: SignedDuration = SignedDuration::from_mins(1);

/// How long to leave alone what would be refused again until somebody mends it.
const UNTIL_MENDED: Duration = Duration::from_mins(1);

impl Fleet {
    /// Notes that a step is about to be done. `nonce` names the mailboxes of a new launch; the answer is the
    /// number by which its result is to be reported.
    pub fn begin(&mut self, step: &Step, nonce: impl FnOnce() -> String, now: Timestamp) -> Option<u64> {
        let mut doing = |arn: &TaskArn, what| {
            self.tasks.entry(arn.clone()).and_modify(|task| task.doing = Some(what));
        };
        match step {
            Step::Launch { pool, capacity, count, again } => {
                let number = again.unwrap_or(self.next_launch);
                let launches = &mut self.pools.get_mut(pool.0)?.launches;
                let fresh = || Launch {
                    capacity: *capacity,
                    count: *count,
                    nonce: nonce(),
                    asked_at: now,
                    under_way: true,
                };
                launches.entry(number).or_insert_with(fresh).under_way = true;
                self.next_launch = self.next_launch.max(number + 1);
                return Some(number);
            }
            Step::Bind { task, set, .. } => doing(task, Doing::Bind(*set)),
            Step::Unregister { task, .. } => doing(task, Doing::Unregister),
            Step::Stop(task) => doing(task, Doing::Stop),
            Step::Empty(task) => doing(task, Doing::Empty),
            Step::Look(task) => doing(task, Doing::Look),
            Step::Describe(tasks) => self.asked(tasks, now),
            Step::Sweep(pool) => {
                let pool = self.pools.get_mut(pool.0)?;
                pool.adoption = Adoption::Looking { since: now, known: pool.adoption.is_known() };
            }
            Step::CallRoll => self.calling_roll = true,
        }
        None
    }

    fn asked(&mut self, tasks: &[TaskArn], now: Timestamp) {
        for arn in tasks {
            self.tasks.entry(arn.clone()).and_modify(|task| task.seen_at = now);
        }
    }

    fn done(&mut self, arn: &TaskArn) -> Option<&mut Task> {
        let task = self.tasks.get_mut(arn)?;
        task.doing = None;
        Some(task)
    }

    /// What came of a launch.
    pub fn launched(
        &mut self,
        pool: PoolIndex,
        number: u64,
        answer: Result<Launched, Fault>,
        now: Timestamp,
    ) -> Vec<News> {
        let mut news = Vec::new();
        let Some(state) = self.pools.get_mut(pool.0) else { return news };
        let Some(launch) = state.launches.get(&number).cloned() else { return news };
        let capacity = launch.capacity;
        match answer {
            Ok(launched) => {
                state.launches.remove(&number);
                self.answers(AWS, Service::Ecs);
                let took = now.duration_since(launch.asked_at);
                let tasks: Vec<TaskArn> = launched.tasks.iter().map(|task| task.arn.clone()).collect();
                for view in launched.tasks {
                    let arn = view.arn.clone();
                    let task = self.tasks.entry(arn).or_insert_with(|| Task::started(pool, capacity, now));
                    task.capacity = Some(capacity);
                    // It may have been found before the answer came: nobody else knows its mailbox.
                    if task.role == Role::Unknown && task.doing.is_none() {
                        task.role = Role::Unbound;
                    }
                    news.extend(self.see(view, now));
                }
                for arn in launched.held {
                    self.tasks.entry(arn).or_insert_with(|| Task::found(pool, now));
                }
                if !tasks.is_empty() {
                    news.push(News::Launched { pool, capacity, tasks, took });
                }
                for fault in &launched.failures {
                    news.extend(self.not_launched(pool, capacity, fault, now));
                }
            }
            Err(fault) if fault.class == Class::Unknown => {
                state.launches.entry(number).and_modify(|launch| launch.under_way = false);
                news.extend(self.fails(AWS, Service::Ecs, &fault, now));
            }
            Err(fault) => {
                state.launches.remove(&number);
                if fault.class == Class::Conflict {
                    // Whatever holds the token, a look at the pool shows it.
                    state.adoption = Adoption::Strange;
                }
                news.extend(self.not_launched(pool, capacity, &fault, now));
            }
        }
        news
    }

    fn not_launched(&mut self, pool: PoolIndex, capacity: usize, fault: &Fault, now: Timestamp) -> Vec<News> {
        let why = Verdict::from(fault);
        let Some(state) = self.pools.get_mut(pool.0) else { return Vec::new() };
        match fault.class {
            Class::NoCapacity => {
                if let Some(cooldown) = state.cooldowns.get_mut(capacity) {
                    cooldown.failed(now, None);
                }
            }
            Class::Throttled { .. } | Class::Unknown => return self.fails(AWS, Service::Ecs, fault, now),
            Class::Conflict | Class::NotFound | Class::Busy | Class::Denied | Class::Invalid => {
                state.setback.failed(now, Some(UNTIL_MENDED));
            }
        }
        state.trouble = Some(why.clone());
        vec![News::NotLaunched { pool, capacity, why }]
    }

    /// What came of binding a task to a set.
    pub fn bound(
        &mut self,
        arn: &TaskArn,
        set: SetIndex,
        scope: ScopeIndex,
        answer: Result<RunnerId, Unbound>,
        now: Timestamp,
    ) -> Vec<News> {
        let Some(task) = self.done(arn) else { return Vec::new() };
        match answer {
            Ok(id) => {
                task.posted = true;
                task.role = runner(set, id, now, true);
                let warm = task.running_at.is_some();
                self.answers(scope, Service::GitHub);
                self.answers(AWS, Service::Mailbox);
                let Some(state) = self.sets.get_mut(set.0) else { return Vec::new() };
                state.setback.succeeded();
                let since = state.wanted.pop_front().unwrap_or(now);
                vec![News::Bound { task: arn.clone(), set, waited: now.duration_since(since), warm }]
            }
            Err(Unbound::Another) => {
                task.role = Role::Unknown;
                Vec::new()
            }
            Err(Unbound::Refused(fault)) => {
                // What was lost before stays so until it is found or minted anew.
                self.refuses(set, scope, &fault, now)
            }
            Err(Unbound::Doubtful(fault)) => {
                task.role = Role::Doubtful(set);
                self.refuses(set, scope, &fault, now)
            }
            Err(Unbound::Undelivered { fault, id, unregistered, emptied }) => {
                task.posted = !emptied;
                task.role = if unregistered { Role::Unbound } else { runner(set, id, now, false) };
                self.fails(AWS, Service::Mailbox, &fault, now)
            }
        }
    }

    /// GitHub refused a registration: for a reason of the set's own, or of all in its scope.
    fn refuses(&mut self, set: SetIndex, scope: ScopeIndex, fault: &Fault, now: Timestamp) -> Vec<News> {
        if matches!(fault.class, Class::NotFound | Class::Invalid | Class::Denied) {
            if let Some(state) = self.sets.get_mut(set.0) {
                state.setback.failed(now, None);
            }
            return vec![News::Trouble { scope, service: Service::GitHub, why: Verdict::from(fault) }];
        }
        self.fails(scope, Service::GitHub, fault, now)
    }

    /// What came of deleting a registration.
    pub fn unregistered(
        &mut self,
        arn: &TaskArn,
        scope: ScopeIndex,
        answer: Result<(), Fault>,
        now: Timestamp,
    ) -> Vec<News> {
        let Some(task) = self.done(arn) else { return Vec::new() };
        let over = task.state == TaskState::Stopped;
        let Role::Runner(runner) = &mut task.role else { return Vec::new() };
        match answer {
            Ok(()) => {
                // Whoever has its secret leaves, now that nobody knows it. Without one, the task serves again.
                let somebody = runner.handed_over || runner.online;
                task.looked_at = Some(now);
                task.role = if somebody || over { Role::Spent { stop_at: now } } else { Role::Unbound };
            }
            Err(fault) if fault.class == Class::Busy => {
                runner.busy_since.get_or_insert(now);
                runner.online = true;
                // Its job has died with its task. GitHub finds out by itself, and removes both.
                if over {
                    task.role = Role::Spent { stop_at: now };
                }
            }
            Err(fault) => return self.fails(scope, Service::GitHubDeletions, &fault, now),
        }
        self.answers(scope, Service::GitHubDeletions);
        Vec::new()
    }

    /// What came of stopping a task.
    pub fn stopped(&mut self, arn: &TaskArn, answer: Result<(), Fault>, now: Timestamp) -> Vec<News> {
        let Some(task) = self.done(arn) else { return Vec::new() };
        match answer {
            Ok(()) => {
                task.stop_asked = true;
                self.answers(AWS, Service::EcsStops);
                vec![News::Stopped(arn.clone())]
            }
            Err(fault) => self.fails(AWS, Service::EcsStops, &fault, now),
        }
    }

    /// What came of emptying a mailbox.
    pub fn emptied(&mut self, arn: &TaskArn, answer: Result<(), Fault>, now: Timestamp) -> Vec<News> {
        let Some(task) = self.done(arn) else { return Vec::new() };
        match answer {
            Ok(()) => {
                task.posted = false;
                self.answers(AWS, Service::Mailbox);
                Vec::new()
            }
            Err(fault) => self.fails(AWS, Service::Mailbox, &fault, now),
        }
    }

    /// What GitHub says of a task's runner, whichever scope it was found in.
    pub fn looked(
        &mut self,
        arn: &TaskArn,
        answer: Result<Option<Sighting>, (ScopeIndex, Fault)>,
        now: Timestamp,
    ) -> Vec<News> {
        let Some(task) = self.done(arn) else { return Vec::new() };
        match answer {
            Ok(seen) => {
                task.see_runner(seen.as_ref(), now);
                Vec::new()
            }
            Err((scope, fault)) => self.fails(scope, Service::GitHubReads, &fault, now),
        }
    }

    /// GitHub's list of all runners, as it was asked for at `began`.
    pub fn roll_called(
        &mut self,
        answer: Result<Vec<Sighting>, (ScopeIndex, Fault)>,
        began: Timestamp,
        now: Timestamp,
    ) -> Vec<News> {
        self.calling_roll = false;
        let seen = match answer {
            Ok(seen) => seen,
            Err((scope, fault)) => return self.fails(scope, Service::GitHubReads, &fault, now),
        };
        let mut by_name: std::collections::HashMap<&RunnerName, &Sighting> =
            seen.iter().map(|sighting| (&sighting.runner.name, sighting)).collect();
        for (arn, task) in &mut self.tasks {
            // What came while the list was read may be missing from it.
            if task.role == Role::Unknown && task.doing.is_none() && task.made_at <= began {
                task.see_runner(by_name.remove(&RunnerName::of_task(arn)), now);
            }
        }
        Vec::new()
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
        let mut news = Vec::new();
        let mut unseen: std::collections::BTreeSet<&TaskArn> = asked.iter().collect();
        for view in views {
            unseen.remove(&view.arn);
            news.extend(self.see(view, now));
        }
        for arn in unseen {
            self.miss(arn, now);
        }
        news
    }

    /// All tasks of a pool that ECS shows: `found` are those that run or will, `asked` those that it was asked
    /// about.
    pub fn swept(
        &mut self,
        pool: PoolIndex,
        asked: &[TaskArn],
        answer: Result<Vec<TaskView>, Fault>,
        now: Timestamp,
    ) -> Vec<News> {
        let Some(state) = self.pools.get_mut(pool.0) else { return Vec::new() };
        let Adoption::Looking { since, known } = state.adoption else { return Vec::new() };
        state.adoption = match (&answer, known) {
            (Err(_), false) => Adoption::Strange,
            // If it failed, the patience with ECS says when it is tried again.
            _ => Adoption::Known(since),
        };
        for view in answer.iter().flatten().filter(|view| !view.is_over()) {
            self.tasks.entry(view.arn.clone()).or_insert_with(|| Task::found(pool, now));
        }
        self.described(asked, answer, now)
    }

    /// A change of a task that ECS tells by itself.
    pub fn changed(&mut self, view: TaskView, now: Timestamp) -> Vec<News> {
        self.see(view, now)
    }

    /// A set's queue is open: what happened before is in no message.
    pub fn opened(&mut self, set: SetIndex, pool: PoolIndex, demand: Demand) {
        if let Some(state) = self.sets.get_mut(set.0) {
            state.demand = Some(demand);
        }
        if let Some(state) =
            self.pools.get_mut(pool.0).filter(|pool| matches!(pool.adoption, Adoption::Known(_)))
        {
            state.adoption = Adoption::Known(Timestamp::MIN);
        }
    }

    /// What a message of a set's queue says.
    pub fn heard(&mut self, set: SetIndex, demand: Demand, events: &[JobEvent], now: Timestamp) -> Vec<News> {
        if let Some(state) = self.sets.get_mut(set.0) {
            state.demand = Some(demand);
        }
        events.iter().filter_map(|event| self.happened(set, event, now)).collect()
    }

    fn happened(&mut self, set: SetIndex, event: &JobEvent, now: Timestamp) -> Option<News> {
        let (job, seen, result) = match event {
            JobEvent::Started { job, runner } => (job, runner, None),
            JobEvent::Completed { job, runner: Some(runner), result } => (job, runner, Some(result)),
            _ => return None,
        };
        let arn = self.task_of(&seen.name)?.clone();
        let task = self.tasks.get_mut(&arn)?;
        // Told again, or after its task's end was.
        if matches!(task.role, Role::Spent { .. }) {
            return None;
        }
        match result {
            None => {
                let news = !task.is_busy();
                let bound_at = task.runner().map_or(now, |runner| runner.bound_at);
                let busy_since = task.runner().and_then(|runner| runner.busy_since).or(Some(now));
                task.role = Role::Runner(Runner {
                    set,
                    id: seen.id,
                    bound_at,
                    handed_over: true,
                    online: true,
                    busy_since,
                });
                // It has read its mail.
                task.posted = false;
                let waited =
                    job.assigned.or(job.queued).map(|at| job.taken.unwrap_or(now).duration_since(at));
                news.then_some(News::Busy { task: arn, set, waited })
            }
            Some(result) => {
                task.role = Role::Spent { stop_at: now + LEAVES_WITHIN };
                task.posted = false;
                // So that its end is seen soon.
                task.seen_at = now;
                Some(News::Done { task: arn, set, result: result.clone() })
            }
        }
    }

    /// Brings what follows from everything else up to date, once what happened is written down: whose wishes
    /// are how old, and what need not be remembered.
    pub fn settle(&mut self, policy: &Policy, now: Timestamp) {
        self.tasks.retain(|_, task| !task.is_gone());
        let census = Census::of(self);
        let lacks: Vec<usize> =
            (0..self.sets.len()).map(|n| census.lacks(policy, self, SetIndex(n))).collect();
        for (state, lacks) in self.sets.iter_mut().zip(lacks) {
            // Whoever wished longest was served first, or went away.
            let served = state.wanted.len().saturating_sub(lacks);
            state.wanted.drain(..served);
            state.wanted.resize(lacks, now);
        }
    }

    /// Takes over a newer view of a task that is known.
    fn see(&mut self, view: TaskView, now: Timestamp) -> Vec<News> {
        let Some(task) = self.tasks.get_mut(&view.arn) else { return Vec::new() };
        let mut news = Vec::new();
        task.seen_at = now;
        if view.mailbox.is_some() {
            task.mailbox.clone_from(&view.mailbox);
        }
        if let Some(at) = view.at(Phase::Provisioning).filter(|at| *at < task.made_at) {
            task.made_at = at;
        }
        // Answers may overtake each other; nothing goes back to life.
        if view.state <= task.state && view.state != TaskState::Stopped {
            return news;
        }
        let (before, role, pool, capacity) = (task.state, task.role, task.pool, task.capacity);
        let was_wanted = !task.stop_asked;
        task.state = view.state;
        if view.state == TaskState::Running {
            task.running_at = Some(now);
            news.push(News::Running(view.arn.clone()));
            if let Some(cooldown) = capacity.and_then(|n| self.pools.get_mut(pool.0)?.cooldowns.get_mut(n)) {
                cooldown.succeeded();
            }
        }
        if view.is_over() && matches!(before, TaskState::Coming | TaskState::Running) && was_wanted {
            news.extend(self.ends(&view, role, now));
        }
        if view.state == TaskState::Stopped && before != TaskState::Stopped {
            news.push(News::Gone(Box::new(view)));
        }
        news
    }

    /// A task that was wanted is over.
    fn ends(&mut self, view: &TaskView, role: Role, now: Timestamp) -> Option<News> {
        let end = view.end.as_ref()?;
        let agent = end.agent();
        let (pool, capacity) = self.tasks.get(&view.arn).map(|task| (task.pool, task.capacity))?;
        if let Role::Runner(Runner { set, busy_since: Some(_), .. }) = role {
            let cut_off = !agent.is_some_and(AgentExit::ran_a_job) && !end.was_ours();
            let ending = Ending::of(end);
            return cut_off.then(|| News::Interrupted {
                task: view.arn.clone(),
                set,
                why: verdict(view, ending),
            });
        }
        let was_online = matches!(role, Role::Runner(Runner { online: true, .. }));
        let in_order = matches!(role, Role::Spent { .. } | Role::Taken)
            || was_online
            || agent.is_some_and(AgentExit::had_a_job)
            // A warm task that nobody needed, or a runner without a job.
            || matches!(agent, Some(AgentExit::NoAssignment) if role == Role::Unbound)
            || matches!(agent, Some(AgentExit::Idle | AgentExit::MaxLifetime | AgentExit::Terminated))
            || end.was_ours();
        if in_order {
            if let Some(state) = self.pools.get_mut(pool.0) {
                state.setback.succeeded();
            }
            return None;
        }
        let ending = Ending::of(end);
        let why = verdict(view, ending);
        let state = self.pools.get_mut(pool.0)?;
        match (ending.prospect, capacity.and_then(|n| state.cooldowns.get_mut(n))) {
            (Prospect::NoCapacity, Some(cooldown)) => cooldown.failed(now, None),
            (Prospect::Lasting, _) => state.setback.failed(now, Some(UNTIL_MENDED)),
            _ => state.setback.failed(now, None),
        }
        state.trouble = Some(why.clone());
        Some(News::Failed { task: view.arn.clone(), pool, why })
    }

    /// ECS does not show a task: not yet, or not any more.
    fn miss(&mut self, arn: &TaskArn, now: Timestamp) {
        let missed = |task: &&mut Task| now.duration_since(task.made_at) >= CONSISTENT;
        if let Some(task) = self.tasks.get_mut(arn).filter(missed) {
            task.state = TaskState::Stopped;
        }
    }

    /// A service did what it was asked for.
    fn answers(&mut self, scope: ScopeIndex, service: Service) {
        self.troubles.remove(&(scope, service));
        self.patience.remove(&(scope, service));
    }

    /// A service did not do what it was asked for.
    fn fails(&mut self, scope: ScopeIndex, service: Service, fault: &Fault, now: Timestamp) -> Vec<News> {
        let pause = match fault.class {
            Class::Throttled { retry_after } => retry_after,
            Class::Denied | Class::Invalid | Class::NotFound => Some(UNTIL_MENDED),
            _ => None,
        };
        self.patience.entry((scope, service)).or_default().failed(now, pause);
        let why = Verdict::from(fault);
        let before = self.troubles.insert((scope, service), why.clone());
        if before.as_ref() == Some(&why) { Vec::new() } else { vec![News::Trouble { scope, service, why }] }
    }
}

impl Task {
    /// Takes over what GitHub says of its runner.
    fn see_runner(&mut self, seen: Option<&Sighting>, now: Timestamp) {
        self.looked_at = Some(now);
        self.role = match (seen, self.role) {
            (_, role @ Role::Spent { .. }) => role,
            (None, Role::Runner(_)) => Role::Spent { stop_at: now + LEAVES_WITHIN },
            (None, _) if self.is_over() => Role::Spent { stop_at: now },
            (None, _) => Role::Unbound,
            (Some(Sighting { set: None, .. }), _) => Role::Taken,
            (Some(Sighting { set: Some(set), runner: seen }), role) => {
                let known = match role {
                    Role::Runner(runner) if runner.id == seen.id => Some(runner),
                    _ => None,
                };
                Role::Runner(Runner {
                    set: *set,
                    id: seen.id,
                    bound_at: known.map_or(now, |runner| runner.bound_at),
                    handed_over: known.is_some_and(|runner| runner.handed_over),
                    online: seen.online || known.is_some_and(|runner| runner.online),
                    busy_since: known.and_then(|runner| runner.busy_since).or(seen.busy.then_some(now)),
                })
            }
        };
        if self.runner().is_some_and(|runner| runner.online) {
            self.posted = false;
        }
    }
}

fn runner(set: SetIndex, id: RunnerId, now: Timestamp, handed_over: bool) -> Role {
    Role::Runner(Runner { set, id, bound_at: now, handed_over, online: false, busy_since: None })
}

fn verdict(view: &TaskView, ending: Ending) -> Verdict {
    Verdict::of_ended_task(view, ending)
}
