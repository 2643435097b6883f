//! ECS, S3 and GitHub as one model of discrete events, as far as the ports of Fleetfoot reach.
//!
//! It keeps the ports' contracts and what the services publish of their habits: client tokens, answers that
//! are behind, agents that take their mail and give up, jobs that make a runner busy, registrations that
//! outlive a job which died, queues that are read by one at a time. What happens when is drawn from the
//! [`weather`], and time is [virtual](time).

mod book;
mod dice;
mod ecs;
mod events;
mod github;
mod jobs;
mod life;
mod ports;
mod queue;
mod seeds;
mod sets;
mod time;
mod weather;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleetfoot_core::ids::{RunnerId, RunnerName, TaskArn};
use fleetfoot_core::label::Label;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

pub(crate) use book::{Book, Who};
pub(crate) use dice::Dice;
pub(crate) use ecs::{PROVIDERS, Task};
pub(crate) use events::Events;
pub(crate) use github::Runner;
pub(crate) use jobs::{JobEnd, JobId, JobState, Jobs, SetName};
pub(crate) use ports::{At, Client, Cue, Stage};
pub(crate) use queue::Queue;
pub(crate) use seeds::{Telling, Told};
pub(crate) use time::Time;
pub(crate) use weather::{Call, Fate, Odds, Room, Service, Trouble, Weather};

use ecs::Token;
use fleetfoot::engine::Clock;

/// Something that is going to happen.
#[derive(Debug, Clone)]
enum Event {
    /// To a task.
    OfTask(TaskArn, life::Event),
    /// To a job.
    OfJob(JobId, jobs::Event),
}

/// All that is true, whoever knows.
#[derive(Debug)]
pub(crate) struct State {
    /// The moment up to which everything has happened.
    pub(crate) now: Timestamp,
    pub(crate) weather: Weather,
    pub(crate) book: Book,
    pub(crate) tasks: BTreeMap<TaskArn, Task>,
    pub(crate) runners: BTreeMap<RunnerId, Runner>,
    /// Assignments, by the address where they lie.
    pub(crate) mail: BTreeMap<String, Mail>,
    /// Scale sets and the jobs that ask for them.
    pub(crate) jobs: Jobs,
    /// What every task that was ever a runner answered to.
    pub(crate) served: BTreeMap<TaskArn, Vec<Label>>,
    /// The most tasks that anybody wants, by whom they are started for.
    pub(crate) most_wanted: BTreeMap<String, usize>,
    /// Whether jobs may be killed.
    pub(crate) forced: bool,
    /// The capacity choices that had no room for somebody.
    pub(crate) full: BTreeSet<usize>,
    /// How long a runner waits for a job.
    pub(crate) idle_timeout: SignedDuration,
    tokens: BTreeMap<String, Token>,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    last_serial: u64,
    /// Rings when something is put on the agenda.
    bell: Arc<Notify>,
    /// Whether ECS tells of tasks by itself.
    pub(crate) has_events: bool,
    changes: Vec<events::Change>,
    /// Rings when it has something to tell.
    changed: Arc<Notify>,
}

impl State {
    fn serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    /// Puts something on the agenda.
    fn put_down(&mut self, after: SignedDuration, event: Event) {
        let key = (self.now + after, self.serial());
        self.agenda.insert(key, event);
        if self.agenda.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.bell.notify_one();
        }
    }

    /// Lets everything happen that is due.
    fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            match event {
                Event::OfTask(arn, event) => {
                    self.happen(&arn, event);
                    self.tell_changes(&arn);
                }
                Event::OfJob(job, event) => self.happen_to_job(job, event),
            }
        }
        self.now = now;
    }

    /// The task that this registration is named after.
    pub(crate) fn task_of(&self, runner: &RunnerName) -> Option<(&TaskArn, &Task)> {
        let arn: TaskArn = format!("{}{}", ecs::CLUSTER, runner.task_id()?).parse().ok()?;
        self.tasks.get_key_value(&arn)
    }
}

/// An assignment in its mailbox.
#[derive(Debug)]
pub(crate) struct Mail {
    /// Who has put it there.
    pub(crate) put_by: Who,
    /// The task that may read it.
    pub(crate) task: TaskArn,
    secret: String,
}

/// The services, and the time that passes there.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub(crate) time: Time,
    state: Arc<Mutex<State>>,
    bell: Arc<Notify>,
}

impl Cloud {
    pub(crate) fn new(weather: Weather) -> Self {
        let bell = Arc::new(Notify::new());
        let state = State {
            now: Timestamp::UNIX_EPOCH,
            weather,
            book: Book::default(),
            tasks: BTreeMap::new(),
            runners: BTreeMap::new(),
            mail: BTreeMap::new(),
            jobs: Jobs::default(),
            served: BTreeMap::new(),
            most_wanted: BTreeMap::new(),
            forced: false,
            full: BTreeSet::new(),
            idle_timeout: SignedDuration::from_mins(10),
            tokens: BTreeMap::new(),
            agenda: BTreeMap::new(),
            last_serial: 0,
            bell: Arc::clone(&bell),
            has_events: false,
            changes: Vec::new(),
            changed: Arc::default(),
        };
        Self { time: Time::default(), state: Arc::new(Mutex::new(state)), bell }
    }

    /// The truth, as of now.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(self.time.now());
        state
    }

    /// Lets everything happen at its time, for those who wait for it without a call. Never ends.
    pub(crate) async fn go_on(&self) {
        loop {
            let next = self.state().agenda.first_key_value().map(|((at, _), _)| *at);
            tokio::select! {
                biased;
                () = self.bell.notified() => {}
                () = self.time.until(next.unwrap_or_default()), if next.is_some() => {}
            }
        }
    }

    /// Notes what happened.
    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        let mut state = self.state();
        let now = state.now;
        state.book.note(now, text);
    }

    /// Notes that a law was broken.
    pub(crate) fn broken(&self, law: impl Into<String>) {
        let mut state = self.state();
        let now = state.now;
        state.book.broken(now, law);
    }

    /// Lets the next call of this kind meet trouble; several stand in line.
    pub(crate) fn trouble(&self, call: Call, trouble: Trouble) {
        self.state().weather.troubles.entry(call).or_default().push_back(trouble);
    }

    /// Somebody wants so many tasks that are started for this.
    pub(crate) fn wanted(&self, started_by: &str, count: usize) {
        let mut state = self.state();
        let most = state.most_wanted.entry(started_by.to_owned()).or_default();
        *most = count.max(*most);
    }

    /// Gives every runner a job.
    pub(crate) fn make_busy(&self) {
        let mut state = self.state();
        let now = state.now;
        state.runners.values_mut().for_each(|runner| runner.busy_since = Some(now));
    }

    /// How often it was called.
    pub(crate) fn count(&self, call: Call) -> usize {
        self.state().book.counts.get(&call).copied().unwrap_or_default()
    }
}
