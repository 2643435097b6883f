//! ECS, S3 and GitHub as one model of discrete events, as far as the engine's ports reach.
//!
//! It keeps the ports' contracts and what the services publish of their habits: client tokens, answers that
//! are behind, agents that take their mail and give up, jobs that make a runner busy, registrations that
//! outlive a job which died. What happens when is drawn from the [`weather`].

mod book;
mod ecs;
mod github;
mod life;
mod ports;
mod weather;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleetfoot_core::ids::{RunnerId, RunnerName, TaskArn};
use fleetfoot_core::label::Label;
use jiff::{SignedDuration, Timestamp};

pub(crate) use book::{Book, Who};
pub(crate) use ecs::{PROVIDERS, Task};
pub(crate) use github::Runner;
pub(crate) use ports::{Client, Cue, Stage};
pub(crate) use weather::{Call, Odds, Room, Service, Trouble, Weather};

use crate::time::Time;
use ecs::Token;
use fleetfoot::engine::Clock;
use life::Event;

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
    /// What every task that was ever a runner answered to.
    pub(crate) served: BTreeMap<TaskArn, Vec<Label>>,
    /// The most runners that anybody wants of the key.
    pub(crate) most_wanted: usize,
    /// Whether jobs may be killed.
    pub(crate) forced: bool,
    /// The capacity choices that had no room for somebody.
    pub(crate) full: BTreeSet<usize>,
    /// How long a runner waits for a job.
    pub(crate) idle_timeout: SignedDuration,
    tokens: BTreeMap<String, Token>,
    agenda: BTreeMap<(Timestamp, u64), (TaskArn, Event)>,
    last_serial: u64,
}

impl State {
    fn serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    /// Lets everything happen that is due.
    fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), (arn, event)) = entry.remove_entry();
            self.now = at;
            self.happen(&arn, event);
        }
        self.now = now;
    }

    /// The task that this registration is named after.
    pub(crate) fn task_of(&self, runner: &RunnerName) -> Option<(&TaskArn, &Task)> {
        self.tasks.iter().find(|(arn, _)| RunnerName::of_task(arn) == *runner)
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
}

impl Cloud {
    pub(crate) fn new(weather: Weather) -> Self {
        let state = State {
            now: Timestamp::UNIX_EPOCH,
            weather,
            book: Book::default(),
            tasks: BTreeMap::new(),
            runners: BTreeMap::new(),
            mail: BTreeMap::new(),
            served: BTreeMap::new(),
            most_wanted: 0,
            forced: false,
            full: BTreeSet::new(),
            idle_timeout: SignedDuration::from_mins(10),
            tokens: BTreeMap::new(),
            agenda: BTreeMap::new(),
            last_serial: 0,
        };
        Self { time: Time::default(), state: Arc::new(Mutex::new(state)) }
    }

    /// The truth, as of now.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(self.time.now());
        state
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

    /// Somebody wants so many runners.
    pub(crate) fn wanted(&self, count: usize) {
        let mut state = self.state();
        state.most_wanted = state.most_wanted.max(count);
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
