//! The book: who called what and when, and which laws were broken by it.
//!
//! The laws here are those that a single call can break. What must hold in the end, the story asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::RunnerName;
use fleetfoot_core::ports::{LaunchRequest, Launched};
use jiff::{SignedDuration, Timestamp};

use super::weather::Call;

/// A launcher, by its number in the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who(pub(crate) usize);

impl Who {
    /// Replicas of an autoscaler come from this number on.
    const REPLICAS: usize = 1000;

    /// A process of a replica of an autoscaler.
    pub(crate) const fn replica(replica: usize, process: usize) -> Self {
        Self(Self::REPLICAS + 100 * replica + process)
    }

    /// Whether it is a process of the same replica.
    pub(crate) const fn is_of_the_same(self, replica: Self) -> bool {
        self.0 / 100 == replica.0 / 100
    }

    /// Whether it is a replica of an autoscaler.
    pub(crate) const fn is_replica(self) -> bool {
        self.0 >= Self::REPLICAS
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.checked_sub(Self::REPLICAS) {
            Some(number) => write!(f, "replica {number}"),
            None => write!(f, "launcher {}", self.0),
        }
    }
}

/// The most calls of one kind that one launcher may make about one thing in a minute. With a look every second
/// it comes to sixty of each kind; what wakes the loop between two looks adds a few.
const MOST_A_MINUTE: usize = 75;

#[derive(Debug, Default)]
pub(crate) struct Book {
    /// What happened, in words, if somebody wants to read it.
    pub(crate) trace: Option<Vec<String>>,
    /// Laws that were broken.
    pub(crate) broken: Vec<String>,
    /// How often each call was made.
    pub(crate) counts: BTreeMap<Call, usize>,
    calls: BTreeMap<(Who, Call, String), Vec<Timestamp>>,
    /// Whose registrations a launcher knows all about: none can be there that it has not heard of.
    known: BTreeSet<(Who, RunnerName)>,
    /// What was asked of ECS with a token.
    launches: BTreeMap<(Who, String), Asked>,
}

/// What a launcher has asked with a token.
#[derive(Debug)]
enum Asked {
    /// This, and the answer was lost.
    Lost(Box<LaunchRequest>),
    /// It had its answer.
    Answered,
}

impl Book {
    /// Notes what happened.
    pub(crate) fn note(&mut self, now: Timestamp, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let seconds = now.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64();
            trace.push(format!("{seconds:>9.3} s  {}", text()));
        }
    }

    /// Notes that a law was broken.
    pub(crate) fn broken(&mut self, now: Timestamp, law: impl Into<String>) {
        let law = law.into();
        self.note(now, || format!("BROKEN: {law}"));
        self.broken.push(law);
    }

    /// Notes a call.
    pub(crate) fn called(&mut self, now: Timestamp, who: Who, call: Call, about: &str) {
        *self.counts.entry(call).or_default() += 1;
        let of_its_kind = self.calls.entry((who, call, about.to_owned())).or_default();
        of_its_kind.retain(|at| now.duration_since(*at) < SignedDuration::from_mins(1));
        of_its_kind.push(now);
        if of_its_kind.len() > MOST_A_MINUTE && !call.hears() {
            self.broken(now, format!("{who} calls {call:?} {about} over {MOST_A_MINUTE} times a minute"));
        }
    }

    /// A launcher knows all about this runner's registration.
    pub(crate) fn knows(&mut self, who: Who, runner: RunnerName) {
        self.known.insert((who, runner));
    }

    /// A launcher is about to mint: only if it knows that nothing else is registered under this name.
    pub(crate) fn mints(&mut self, now: Timestamp, who: Who, runner: &RunnerName) {
        if !self.known.remove(&(who, runner.clone())) {
            self.broken(now, format!("{who} mints {runner} blindly"));
        }
    }

    /// A launcher is about to launch: not what ECS has answered, and nothing else than what it may have asked
    /// for with this token, if the answer was lost.
    pub(crate) fn launches(&mut self, now: Timestamp, who: Who, request: &LaunchRequest) {
        let token = request.token.as_str();
        match self.launches.get(&(who, token.to_owned())) {
            Some(Asked::Answered) => self.broken(now, format!("{who} asks again what {token} was answered")),
            Some(Asked::Lost(first)) if **first != *request => {
                self.broken(now, format!("{who} asks for something else with the token {token}"));
            }
            _ => {}
        }
    }

    /// What a launcher heard of it.
    pub(crate) fn launched(&mut self, who: Who, request: &LaunchRequest, answer: &Result<Launched, Fault>) {
        let key = (who, request.token.as_str().to_owned());
        match answer {
            Ok(launched) if launched.held.is_empty() => self.launches.insert(key, Asked::Answered),
            Err(Fault { class: Class::NoCapacity, .. }) => self.launches.insert(key, Asked::Answered),
            Err(Fault { class: Class::Unknown, .. }) => {
                self.launches.insert(key, Asked::Lost(Box::new(request.clone())))
            }
            // Turned away: whatever an earlier call of it brought is not known any better.
            Err(Fault { class: Class::Throttled { .. }, .. }) => None,
            // Somebody else has the token.
            _ => self.launches.remove(&key),
        };
    }
}
