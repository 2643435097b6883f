//! What nobody wants any more: tasks, registrations and assignments that a killed launcher, a cancelled run or
//! an outage has left behind.
//!
//! A pure function of what ECS, GitHub and S3 show. Two rules stand above all others. What is busy stays,
//! whatever its run says; the plan's deletion of its registration would be refused anyway. And what is not
//! proven to be this stack's stays: a task proves it by its `startedBy`, a registration and an assignment by
//! their task or, where ECS has forgotten that, by their [`Hallmark`]. Age alone proves nothing of the kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::assignment::MailboxAddress;
use crate::hallmark::Hallmark;
use crate::ids::{Key, Repository, RunRef, RunnerName, StackName, StartedBy, TaskArn};
use crate::label::Label;
use crate::phase::Phase;
use crate::ports::{Mail, Registered, RunState, RunnerView};
use crate::task::{TaskState, TaskView, tag};

/// How long a runner may live if its task's tags do not say it: the default of `start --max-lifetime`.
const MAX_LIFETIME: SignedDuration = SignedDuration::from_hours(6);

/// What a task may live beyond its runner's longest life: the way there, the packages, the way out.
const MARGIN: SignedDuration = SignedDuration::from_mins(30);

/// How long a task may be without a registration: by then a launcher has given up (`start --timeout`, 10 min)
/// and so has the agent (`agent --bind-timeout`, 5 min).
const UNBOUND: SignedDuration = SignedDuration::from_mins(20);

/// How long ECS may take to show a new task in its lists, and more.
const HIDDEN: SignedDuration = SignedDuration::from_mins(5);

/// The stack to clean up, and how thoroughly.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Its name.
    pub stack: StackName,
    /// What its labels and nonces bear.
    pub hallmark: Hallmark,
    /// The repository that its runners are registered at, if it is one: where runs are when no tag says it.
    pub home: Option<Repository>,
    /// From this age on nothing is wanted that is not busy, whatever the other limits say.
    pub older_than: Option<SignedDuration>,
}

/// A workflow run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkflowRun {
    /// Where.
    pub repository: Repository,
    /// Its id.
    pub id: u64,
}

/// What was seen, the registrations and the assignments before the tasks: then each of them finds its task,
/// however young.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// Registrations, also those of others.
    pub runners: Vec<Registered>,
    /// Assignments, also those of others.
    pub mail: Vec<Mail>,
    /// Tasks of all stacks in the cluster, also those that stopped within the last hour.
    pub tasks: Vec<TaskView>,
    /// The runs whose state is known.
    pub runs: BTreeMap<WorkflowRun, RunState>,
}

/// Why something is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The run that it was started for is over.
    RunOver {
        /// The run's id.
        run_id: u64,
        /// Whether it was deleted.
        gone: bool,
    },
    /// It has outlived this limit.
    TooOld {
        /// The limit, from its creation on.
        limit: SignedDuration,
    },
    /// A task that no runner is registered for (any more).
    Unregistered,
    /// A registration or assignment whose task has stopped.
    TaskOver,
    /// A registration or assignment whose task is not known (any more). ECS shows a new task only after a
    /// while, so this is to be believed only if it is still so after that.
    NoTask,
}

impl Reason {
    /// A word for scripts.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::RunOver { .. } => "run-over",
            Self::TooOld { .. } => "too-old",
            Self::Unregistered => "no-registration",
            Self::TaskOver => "task-stopped",
            Self::NoTask => "no-task",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunOver { run_id, gone: false } => write!(f, "its run {run_id} is over"),
            Self::RunOver { run_id, gone: true } => write!(f, "its run {run_id} was deleted"),
            Self::TooOld { limit } => write!(f, "older than {limit:#}"),
            Self::Unregistered => f.write_str("no runner is registered for it"),
            Self::TaskOver => f.write_str("its task has stopped"),
            Self::NoTask => f.write_str("it has no task"),
        }
    }
}

/// One thing that can be taken away.
#[derive(Debug, Clone, PartialEq)]
pub enum Thing {
    /// A task that has not stopped, with its registration.
    Task(Box<TaskView>, Option<RunnerView>),
    /// A registration alone.
    Runner(RunnerView),
    /// An assignment alone.
    Mail(MailboxAddress),
}

/// What one thing is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThingId {
    /// A task's ARN.
    Task(TaskArn),
    /// A runner's name. Its id is one of its place's.
    Runner(RunnerName),
    /// An assignment's key.
    Mail(String),
}

/// Something that nobody wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Unwanted {
    /// What.
    pub thing: Thing,
    /// Why.
    pub reason: Reason,
    /// Whether a job runs on it, as far as GitHub shows: then it stays.
    pub busy: bool,
    /// The start that it was made by, as far as that is known.
    pub origin: Option<(RunRef, Key)>,
    /// Since when it is there, as far as that is known.
    pub since: Option<Timestamp>,
}

impl Unwanted {
    /// What it is known by.
    pub fn id(&self) -> ThingId {
        match &self.thing {
            Thing::Task(task, _) => ThingId::Task(task.arn.clone()),
            Thing::Runner(runner) => ThingId::Runner(runner.name.clone()),
            Thing::Mail(address) => ThingId::Mail(address.key.clone()),
        }
    }
}

/// The runs whose state decides something.
pub fn runs_to_ask(rules: &Rules, sight: &Sight) -> BTreeSet<WorkflowRun> {
    let scene = Scene::new(rules, sight);
    let of_tasks = scene.living().filter_map(|task| scene.run_of_task(task));
    let of_runners = scene.without_task().filter_map(|(_, label)| scene.run_of_label(label));
    of_tasks.chain(of_runners).collect()
}

/// Everything that nobody wants, tasks first.
pub fn unwanted(now: Timestamp, rules: &Rules, sight: &Sight) -> Vec<Unwanted> {
    let scene = Scene::new(rules, sight);
    let mut found: Vec<Unwanted> = scene.living().filter_map(|task| scene.judge_task(now, task)).collect();
    found.extend(sight.runners.iter().filter_map(|entry| scene.judge_runner_of_task(entry)));
    found.extend(scene.without_task().filter_map(|(entry, label)| scene.judge_runner(entry, label)));
    found.extend(sight.mail.iter().filter_map(|mail| scene.judge_mail(now, mail)));
    found
}

/// How many registrations look like Fleetfoot's, are offline, and belong to no task that is known here nor
/// to this stack as far as can be proven.
pub fn unproven(rules: &Rules, sight: &Sight) -> usize {
    let scene = Scene::new(rules, sight);
    let looks_like_one = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let counts = |entry: &&Registered| {
        let id = task_id(entry);
        let unknown = id.is_some_and(|id| looks_like_one(id) && !scene.tasks.contains_key(id));
        unknown && !entry.runner.online && !entry.runner.busy && scene.own_label(entry).is_none()
    };
    sight.runners.iter().filter(counts).count()
}

/// The id of the task that a registration's name tells.
fn task_id(entry: &Registered) -> Option<&str> {
    entry.runner.name.as_str().strip_prefix("ff-")
}

fn run_in(repository: Repository, (run, _): &(RunRef, Key)) -> Option<WorkflowRun> {
    match run {
        RunRef::Attempt { run_id, .. } => Some(WorkflowRun { repository, id: *run_id }),
        RunRef::ByHand => None,
    }
}

/// What was seen, put in order.
struct Scene<'a> {
    rules: &'a Rules,
    sight: &'a Sight,
    /// By id.
    tasks: BTreeMap<&'a str, &'a TaskView>,
    /// By the id of their task.
    runners: BTreeMap<&'a str, &'a RunnerView>,
}

impl<'a> Scene<'a> {
    fn new(rules: &'a Rules, sight: &'a Sight) -> Self {
        let runners =
            sight.runners.iter().filter_map(|entry| Some((task_id(entry)?, &entry.runner))).collect();
        let tasks = sight.tasks.iter().map(|task| (task.arn.id(), task)).collect();
        Self { rules, sight, tasks, runners }
    }

    fn is_own(&self, task: &TaskView) -> bool {
        let prefix = StartedBy::prefix_of_stack(&self.rules.stack);
        task.started_by.as_deref().is_some_and(|by| by.starts_with(&prefix))
    }

    fn origin(&self, task: &TaskView) -> Option<(RunRef, Key)> {
        StartedBy::origin(task.started_by.as_deref()?, &self.rules.stack)
    }

    /// Tasks of this stack that are not on their way out.
    fn living(&self) -> impl Iterator<Item = &'a TaskView> {
        self.sight.tasks.iter().filter(|task| self.is_own(task) && !task.is_over())
    }

    /// The label by which a registration is proven to be this stack's.
    fn own_label(&self, entry: &'a Registered) -> Option<&'a Label> {
        let bears = |label: &&Label| {
            let random = label.as_str().rsplit('-').next().unwrap_or_default();
            label.origin().is_some() && self.rules.hallmark.is_on(random)
        };
        entry.labels.iter().find(bears)
    }

    /// Registrations of this stack whose task ECS does not know, with the label that proves it.
    fn without_task(&self) -> impl Iterator<Item = (&'a Registered, &'a Label)> {
        let unknown = |entry: &&Registered| task_id(entry).is_some_and(|id| !self.tasks.contains_key(id));
        let runners: Vec<_> = self.sight.runners.iter().filter(unknown).collect();
        runners.into_iter().filter_map(|entry| Some((entry, self.own_label(entry)?)))
    }

    /// The run that a task was started for, where its tag says or, without one, where it may well be.
    fn run_of_task(&self, task: &TaskView) -> Option<WorkflowRun> {
        let tagged = task.tags.get(tag::REPOSITORY).and_then(|text| text.parse().ok());
        run_in(tagged.or_else(|| self.rules.home.clone())?, &self.origin(task)?)
    }

    /// The run of a label, which does not say where that is.
    fn run_of_label(&self, label: &Label) -> Option<WorkflowRun> {
        run_in(self.rules.home.clone()?, &label.origin()?)
    }

    fn judge_task(&self, now: Timestamp, task: &TaskView) -> Option<Unwanted> {
        let runner = self.runners.get(task.arn.id()).copied();
        let since = task.at(Phase::Provisioning);
        let reason = self
            .run_of_task(task)
            .and_then(|run| self.run_is_over(&run, task.tags.contains_key(tag::REPOSITORY)))
            .or_else(|| self.is_too_old(now, task, since))
            .or_else(|| self.is_unregistered(now, task, since).filter(|_| runner.is_none()))?;
        Some(Unwanted {
            busy: runner.is_some_and(|runner| runner.busy),
            thing: Thing::Task(Box::new(task.clone()), runner.cloned()),
            reason,
            origin: self.origin(task),
            since,
        })
    }

    /// Ids of runs are GitHub's own, so one that is found is the one; one that is not may be elsewhere.
    fn run_is_over(&self, run: &WorkflowRun, told_where: bool) -> Option<Reason> {
        match self.sight.runs.get(run)? {
            RunState::Ended => Some(Reason::RunOver { run_id: run.id, gone: false }),
            RunState::Gone if told_where => Some(Reason::RunOver { run_id: run.id, gone: true }),
            RunState::Gone | RunState::Going => None,
        }
    }

    fn is_too_old(&self, now: Timestamp, task: &TaskView, since: Option<Timestamp>) -> Option<Reason> {
        let older = |than: SignedDuration, since: Option<Timestamp>| {
            since.is_some_and(|since| now.duration_since(since) > than)
        };
        if let Some(limit) = self.rules.older_than.filter(|limit| older(*limit, since)) {
            return Some(Reason::TooOld { limit });
        }
        let tagged = task.tags.get(tag::MAX_LIFETIME).and_then(|seconds| seconds.parse::<u32>().ok());
        let lifetime = tagged.map_or(MAX_LIFETIME, |seconds| SignedDuration::from_secs(seconds.into()));
        let limit = lifetime + MARGIN;
        // A task may wait for long for its place; its life begins with its container.
        older(limit, task.at(Phase::Starting).or(since)).then_some(Reason::TooOld { limit })
    }

    /// Only a start binds its tasks at once; others may keep them ready.
    fn is_unregistered(&self, now: Timestamp, task: &TaskView, since: Option<Timestamp>) -> Option<Reason> {
        let age = now.duration_since(since?);
        (self.origin(task).is_some() && age > UNBOUND).then_some(Reason::Unregistered)
    }

    /// A registration whose task is known and over.
    fn judge_runner_of_task(&self, entry: &Registered) -> Option<Unwanted> {
        let task = *self.tasks.get(task_id(entry)?)?;
        let left = match task.state {
            TaskState::Stopped => true,
            // Whoever is online there may be finishing its job.
            TaskState::Going => !entry.runner.online,
            TaskState::Coming | TaskState::Running => false,
        };
        (left && self.is_own(task)).then(|| Unwanted {
            thing: Thing::Runner(entry.runner.clone()),
            reason: Reason::TaskOver,
            busy: entry.runner.busy,
            origin: self.origin(task),
            since: task.at(Phase::Provisioning),
        })
    }

    /// A registration of this stack without a task.
    fn judge_runner(&self, entry: &Registered, label: &Label) -> Option<Unwanted> {
        let run = self.run_of_label(label);
        let over = run.as_ref().and_then(|run| self.run_is_over(run, false));
        // While its run goes on, its task may only not be shown yet.
        let going = run.and_then(|run| self.sight.runs.get(&run)) == Some(&RunState::Going);
        (!entry.runner.online && !going).then(|| Unwanted {
            thing: Thing::Runner(entry.runner.clone()),
            reason: over.unwrap_or(Reason::NoTask),
            busy: entry.runner.busy,
            origin: label.origin(),
            since: None,
        })
    }

    fn judge_mail(&self, now: Timestamp, mail: &Mail) -> Option<Unwanted> {
        let (nonce, id) = mail.address.parts()?;
        let task = self.tasks.get(id).copied();
        let hidden = self.rules.older_than.unwrap_or(HIDDEN).min(HIDDEN);
        let reason = match task {
            Some(task) => (self.is_own(task) && task.is_over()).then_some(Reason::TaskOver),
            None => (self.rules.hallmark.is_on(nonce) && now.duration_since(mail.since) > hidden)
                .then_some(Reason::NoTask),
        };
        Some(Unwanted {
            thing: Thing::Mail(mail.address.clone()),
            reason: reason?,
            busy: false,
            origin: task.and_then(|task| self.origin(task)),
            since: Some(mail.since),
        })
    }
}

#[cfg(test)]
mod tests;
