//! ECS: tasks, client tokens, and answers that are behind.

use std::collections::BTreeMap;

use fleetfoot_core::ending::NOT_WANTED;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{StartedBy, TaskArn};
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::ports::{LaunchRequest, Launched};
use fleetfoot_core::stack::Capacity;
use fleetfoot_core::task::{TaskEnd, TaskState, TaskView};
use jiff::{SignedDuration, Timestamp};

use super::State;
use super::book::Who;
use super::life::{Agent, Event, PATIENCE};
use super::weather::{Fate, NO_ROOM};

/// What all its tasks' ARNs begin with.
pub(super) const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:task/ff/";

/// How long ECS shows a stopped task (ECS API Reference, DescribeTasks).
const SHOWN: SignedDuration = SignedDuration::from_hours(1);

/// The capacity choices of the pool, in its order.
pub(crate) const PROVIDERS: [&str; 3] = ["one", "two", "three"];

/// One task, as it is.
#[derive(Debug)]
pub(crate) struct Task {
    /// Who launched it.
    pub(crate) launcher: Who,
    /// On which choice of capacity it runs.
    pub(crate) capacity: usize,
    /// How long its agent waits for its assignment.
    pub(crate) patience: SignedDuration,
    /// What was true of it since when; the last entry is true now.
    pub(crate) history: Vec<(Timestamp, TaskView)>,
    /// How much of that the queue of events has been told.
    pub(super) told: usize,
    /// Whether it is meant to stop.
    pub(crate) doomed: bool,
    /// What its agent does.
    pub(crate) agent: Agent,
    /// How its agent's container ended.
    pub(crate) exit: Option<i32>,
}

impl Task {
    /// As it is.
    pub(crate) fn now(&self) -> &TaskView {
        &self.history.last().expect("every task begins").1
    }

    /// As it was at this moment, if it was.
    fn at(&self, moment: Timestamp) -> Option<&TaskView> {
        self.history.iter().rev().find(|(since, _)| *since <= moment).map(|(_, view)| view)
    }

    pub(crate) fn change(&mut self, now: Timestamp, change: impl FnOnce(&mut TaskView)) {
        let mut view = self.now().clone();
        change(&mut view);
        self.history.push((now, view));
    }

    /// Whether it may still be, or become, a runner.
    pub(crate) fn is_live(&self) -> bool {
        !self.doomed && !self.now().is_over()
    }

    /// Sets it on its way out.
    pub(crate) fn goes(&mut self, now: Timestamp, stop_code: &str, reason: &str, exit_code: Option<i32>) {
        self.doomed = true;
        self.change(now, |view| {
            (view.state, view.status) = (TaskState::Going, "DEPROVISIONING".into());
            view.end = Some(TaskEnd {
                stop_code: Some(stop_code.into()),
                stopped_reason: Some(reason.into()),
                exit_code,
                container_reason: None,
            });
        });
    }
}

/// What ECS remembers of a client token.
#[derive(Debug)]
pub(crate) struct Token {
    request: LaunchRequest,
    started: Vec<TaskArn>,
}

impl State {
    pub(crate) fn launch(&mut self, who: Who, request: &LaunchRequest) -> Result<Launched, Fault> {
        let key = request.token.as_str().to_owned();
        let no_room = || Fault::new(Class::NoCapacity, "start a task", "RESOURCE:CPU");
        if let Some(token) = self.tokens.get(&key) {
            if token.request == *request {
                // The first answer again, failures included.
                let missing = request.count as usize - token.started.len();
                return Ok(Launched {
                    tasks: token.started.iter().map(|arn| self.tasks[arn].history[0].1.clone()).collect(),
                    failures: std::iter::repeat_with(no_room).take(missing).collect(),
                    held: Vec::new(),
                });
            }
            return if token.started.is_empty() {
                Err(Fault::new(Class::Conflict, "start a task", "the token has other parameters"))
            } else {
                Ok(Launched { held: token.started.clone(), ..Launched::default() })
            };
        }
        let wanted = request.count as usize;
        let capacity = capacity_of(request);
        let seats = self.weather.seats(capacity, wanted, self.now);
        if seats < wanted {
            self.full.insert(capacity);
        }
        let started: Vec<TaskArn> = (0..seats).map(|_| self.begin(who, request, capacity)).collect();
        self.count_live(&request.started_by);
        let answer = Launched {
            tasks: started.iter().map(|arn| self.tasks[arn].now().clone()).collect(),
            failures: std::iter::repeat_with(no_room).take(wanted - seats).collect(),
            held: Vec::new(),
        };
        self.tokens.insert(key, Token { request: request.clone(), started });
        Ok(answer)
    }

    /// The law of the count: at no time more live tasks of one origin than the most that anybody wanted.
    fn count_live(&mut self, started_by: &StartedBy) {
        let most = self.most_wanted.get(started_by.as_str()).copied().unwrap_or_default();
        let live = self.live(started_by.as_str()).count();
        if live > most && !self.is_contended() {
            let law = format!("{live} live tasks of {started_by} where {most} were wanted at most");
            self.book.broken(self.now, law);
        }
    }

    /// The live tasks that were started for this.
    pub(crate) fn live(&self, started_by: &str) -> impl Iterator<Item = (&TaskArn, &Task)> {
        let own = move |task: &Task| task.is_live() && task.now().started_by.as_deref() == Some(started_by);
        self.tasks.iter().filter(move |(_, task)| own(task))
    }

    fn begin(&mut self, who: Who, request: &LaunchRequest, capacity: usize) -> TaskArn {
        let now = self.now;
        let serial = self.serial();
        let arn: TaskArn = format!("{CLUSTER}{serial:032x}").parse().expect("an ARN");
        let mut phases = PhaseTimes::default();
        phases.reach(Phase::Provisioning, now);
        let view = TaskView {
            arn: arn.clone(),
            state: TaskState::Coming,
            status: "PROVISIONING".into(),
            phases,
            started_by: Some(request.started_by.to_string()),
            capacity: Some(request.capacity.clone()),
            cpu: None,
            memory: None,
            ephemeral_storage: None,
            tags: request.tags.clone(),
            mailbox: Some(request.mailbox.clone()),
            end: None,
            billed_from: None,
            started_at: None,
            stopped_at: None,
        };
        let fate = self.weather.fate(capacity, now);
        if matches!(fate, Fate::Fails(NO_ROOM) | Fate::Interrupted(_)) {
            self.full.insert(capacity);
        }
        self.book.note(now, || format!("{} begins, in for {fate:?}", arn.id()));
        let (history, exit) = (vec![(now, view)], None);
        let patience = request.bind_timeout.and_then(|seconds| i64::try_from(seconds).ok());
        let patience = patience.map_or(PATIENCE, SignedDuration::from_secs);
        let agent = Agent::Absent;
        let task = Task { launcher: who, capacity, patience, history, told: 0, doomed: false, agent, exit };
        self.tasks.insert(arn.clone(), task);
        let (start, pull) = (self.weather.start.clone(), self.weather.dice.pause(100..1000));
        let running = self.weather.dice.pause(start);
        self.plan(pull.min(running), &arn, Event::Pulls);
        self.plan(running, &arn, Event::Starts(fate));
        self.tell_changes(&arn);
        arn
    }

    /// What DescribeTasks tells, as far as ECS has caught up.
    pub(crate) fn describe(&mut self, tasks: &[TaskArn]) -> Vec<TaskView> {
        let moment = self.moment_seen();
        tasks.iter().filter_map(|arn| self.seen(arn, moment)).collect()
    }

    /// What ListTasks tells of those that are not meant to stop.
    pub(crate) fn find(&mut self, started_by: &StartedBy) -> Vec<TaskArn> {
        let mut found = self.find_under(started_by.as_str());
        found.retain(|task| task.end.is_none());
        found.into_iter().map(|task| task.arn).collect()
    }

    /// All tasks that ECS still shows.
    pub(crate) fn find_under(&mut self, prefix: &str) -> Vec<TaskView> {
        let moment = self.moment_seen();
        let arns: Vec<TaskArn> = self.tasks.keys().cloned().collect();
        let seen = arns.iter().filter_map(|arn| self.seen(arn, moment));
        seen.filter(|task| task.started_by.as_deref().is_some_and(|by| by.starts_with(prefix))).collect()
    }

    fn moment_seen(&mut self) -> Timestamp {
        let lag = self.weather.lag;
        self.now - self.weather.dice.pause(0..lag)
    }

    fn seen(&self, arn: &TaskArn, moment: Timestamp) -> Option<TaskView> {
        let seen = self.tasks.get(arn)?.at(moment)?;
        let forgotten = seen.stopped_at.is_some_and(|at| self.now.duration_since(at) > SHOWN);
        (!forgotten).then(|| seen.clone())
    }

    /// StopTask. The law of the busy: nobody stops a task with a job on it, unless he was told to.
    pub(crate) fn stop(&mut self, who: Who, arn: &TaskArn) {
        let now = self.now;
        let job = self.runner_of(arn).is_some_and(|runner| runner.busy_since.is_some());
        let Some(task) = self.tasks.get_mut(arn).filter(|task| task.is_live()) else { return };
        if job && !self.forced {
            self.book.broken(now, format!("{who} stops {}, on which a job runs", arn.id()));
        }
        let exit = (task.now().state == TaskState::Running).then_some(143);
        task.exit = exit;
        task.goes(now, "UserInitiated", NOT_WANTED, exit);
        task.change(now, |view| view.tags = BTreeMap::new());
        self.leave_github(arn);
        let gone = self.weather.dice.pause(500..20_000);
        self.plan(gone, arn, Event::Stops);
        self.tell_changes(arn);
    }
}

/// Which of the pool's choices it asks for.
fn capacity_of(request: &LaunchRequest) -> usize {
    let Capacity::Provider(name) = &request.capacity else { return 0 };
    PROVIDERS.iter().position(|provider| provider == name).unwrap_or_default()
}
