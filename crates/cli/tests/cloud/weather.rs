//! The weather: what befalls calls and tasks. A case brings its troubles one by one; a story draws them from
//! odds, until the sky clears.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use fleetfoot_core::fault::Class;
use jiff::{SignedDuration, Timestamp};

use super::book::Who;
use super::dice::Dice;

/// A call of the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Launch,
    Describe,
    FindTasks,
    Stop,
    Put,
    Empty,
    Mint,
    Get,
    FindRunner,
    Delete,
    LookUp,
    List,
    Ensure,
    Open,
    Poll,
    Acknowledge,
    Acquire,
    Close,
    Hear,
}

impl Call {
    /// Whether it waits for news, and is made again for each.
    pub(crate) const fn hears(self) -> bool {
        matches!(self, Self::Poll | Self::Acknowledge | Self::Hear)
    }

    /// Whether GitHub is called.
    pub(crate) const fn is_githubs(self) -> bool {
        !matches!(
            self,
            Self::Launch
                | Self::Describe
                | Self::FindTasks
                | Self::Stop
                | Self::Put
                | Self::Empty
                | Self::Hear
        )
    }
}

/// What befalls one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// It took effect, and nobody hears of it.
    AnswerLost,
    /// It never arrived, and nobody hears of that either.
    CallLost,
    /// It is refused.
    Refused(Class),
    /// None: the trouble behind it in the line is for a later call.
    Spared,
}

/// How much room a capacity choice has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// For everybody.
    Ample,
    /// For so many more tasks.
    For(usize),
}

/// What a task is in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It comes up.
    Up,
    /// It comes up, and its machine dies after so many milliseconds.
    Killed(i64),
    /// It comes up on spot, and is told to go after so many milliseconds.
    Interrupted(i64),
    /// It fails to start, with this reason of ECS's.
    Fails(&'static str),
}

/// Reasons of ECS's that another task may be spared.
pub(crate) const PASSING: &[&str] = &[
    "CannotPullContainerError: ref pull has been retried 5 time(s): i/o timeout",
    "ResourceInitializationError: unable to pull secrets or registry auth: connection reset",
    "Timeout waiting for network interface provisioning to complete.",
    "CannotStartContainerError: Error response from daemon",
];

/// Reasons of ECS's that would come again.
pub(crate) const LASTING: &[&str] = &[
    "CannotPullContainerError: manifest unknown",
    "CannotPullContainerError: AccessDeniedException",
    "OutOfMemoryError: container killed due to memory usage",
];

/// The reason that tells, after the launch, that there was no room for it.
pub(crate) const NO_ROOM: &str = "Capacity is unavailable at this time. Please try again later";

/// Odds in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Odds {
    /// Of a throttled call.
    pub(crate) throttled: u32,
    /// Of a call that never arrives.
    pub(crate) call_lost: u32,
    /// Of an answer that never arrives.
    pub(crate) answer_lost: u32,
    /// The same of an assignment, where the port clears up all but an outage.
    pub(crate) put_lost: u32,
    /// Of a name that GitHub calls taken.
    pub(crate) taken: u32,
    /// Of a task that fails and would not fail again.
    pub(crate) unlucky: u32,
    /// Of a task that fails as each of them would.
    pub(crate) hopeless: u32,
    /// Of a task that learns after its launch that there is no room.
    pub(crate) late_no_room: u32,
    /// Of a task that comes up, and whose machine dies or is wanted elsewhere one day.
    pub(crate) mortal: u32,
    /// Of a runner that gets a job.
    pub(crate) job: u32,
    /// Of a call that nothing befalls and that takes some seconds all the same.
    pub(crate) slow: u32,
}

/// What befalls calls and tasks.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// What is not settled yet.
    pub(crate) dice: Dice,
    /// Troubles of the next calls.
    pub(crate) troubles: BTreeMap<Call, VecDeque<Trouble>>,
    /// Troubles of any call.
    pub(crate) odds: Odds,
    /// When the odds end.
    pub(crate) clears_at: Timestamp,
    /// Who refuses everything from when to when.
    pub(crate) denied: Option<(Service, Range<Timestamp>)>,
    /// Who does not reach GitHub from when to when.
    pub(crate) cut_off: Option<(Who, Range<Timestamp>)>,
    /// Which repository or organisation refuses everything from when to when.
    pub(crate) refusing: Option<(usize, Range<Timestamp>)>,
    /// What capacity choices have room for, in the pool's order.
    pub(crate) rooms: Vec<Room>,
    /// Which of them have none for a while.
    pub(crate) droughts: Vec<(usize, Range<Timestamp>)>,
    /// How many tasks may fail by bad luck.
    pub(crate) bad_luck: usize,
    /// Milliseconds that a call takes on its way, there and back each.
    pub(crate) road: Range<i64>,
    /// Milliseconds from the launch to a running task.
    pub(crate) start: Range<i64>,
    /// How many milliseconds ECS's answers may be behind.
    pub(crate) lag: i64,
    /// How many milliseconds GitHub's status may be behind.
    pub(crate) github_lag: i64,
}

/// Whose calls are refused together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Aws,
    GitHub,
}

impl Weather {
    /// A fine day: nothing befalls anybody, and everything is quick.
    pub(crate) fn fine(seed: u64) -> Self {
        Self {
            dice: Dice::of(seed),
            troubles: BTreeMap::new(),
            odds: Odds::default(),
            clears_at: Timestamp::UNIX_EPOCH,
            denied: None,
            cut_off: None,
            refusing: None,
            rooms: vec![Room::Ample; 2],
            droughts: Vec::new(),
            bad_luck: 0,
            road: 5..50,
            start: 1000..3000,
            lag: 0,
            github_lag: 0,
        }
    }

    /// Whether this process does not reach GitHub now.
    pub(crate) fn is_cut_off(&self, who: Who, now: Timestamp) -> bool {
        let cut_off =
            |(other, when): &(Who, Range<Timestamp>)| other.is_of_the_same(who) && when.contains(&now);
        self.cut_off.as_ref().is_some_and(cut_off)
    }

    /// What befalls this call, made now.
    pub(crate) fn trouble(
        &mut self,
        (who, scope): (Who, usize),
        call: Call,
        now: Timestamp,
    ) -> Option<Trouble> {
        let refuses = |(other, when): &(usize, Range<Timestamp>)| *other == scope && when.contains(&now);
        if call.is_githubs() && call != Call::Hear && self.refusing.as_ref().is_some_and(refuses) {
            return Some(Trouble::Refused(Class::Denied));
        }
        if call.is_githubs() && self.is_cut_off(who, now) {
            return Some(Trouble::CallLost);
        }
        if let Some(trouble) = self.troubles.get_mut(&call).and_then(VecDeque::pop_front) {
            return Some(trouble).filter(|trouble| *trouble != Trouble::Spared);
        }
        let service = if call.is_githubs() { Service::GitHub } else { Service::Aws };
        if self.denied.as_ref().is_some_and(|(who, when)| *who == service && when.contains(&now)) {
            return Some(Trouble::Refused(Class::Denied));
        }
        if now >= self.clears_at {
            return None;
        }
        let odds = self.odds;
        if self.dice.happens(odds.throttled) {
            let asked = if call.is_githubs() { &[0, 1, 5, 60][..] } else { &[0][..] };
            let asked = Some(self.dice.pick(asked)).filter(|seconds| *seconds > 0);
            return Some(Trouble::Refused(Class::Throttled { retry_after: asked.map(Duration::from_secs) }));
        }
        if self.dice.happens(odds.call_lost) {
            return Some(Trouble::CallLost);
        }
        if self.dice.happens(if call == Call::Put { odds.put_lost } else { odds.answer_lost }) {
            return Some(Trouble::AnswerLost);
        }
        let taken = call == Call::Mint && self.dice.happens(odds.taken);
        taken.then_some(Trouble::Refused(Class::Conflict))
    }

    /// How long this call is on its way there.
    pub(crate) fn road(&mut self, lost: bool) -> SignedDuration {
        let slow = self.odds.slow;
        if lost {
            self.dice.pause(500..5000)
        } else if self.dice.happens(slow) {
            self.dice.pause(500..3000)
        } else {
            self.dice.pause(self.road.clone())
        }
    }

    /// How many of these tasks there is room for.
    pub(crate) fn seats(&mut self, capacity: usize, wanted: usize, now: Timestamp) -> usize {
        if self.droughts.iter().any(|(dry, when)| *dry == capacity && when.contains(&now)) {
            return 0;
        }
        match self.rooms.get_mut(capacity) {
            Some(Room::For(left)) => {
                let seats = wanted.min(*left);
                *left -= seats;
                seats
            }
            _ => wanted,
        }
    }

    /// What a task is in for that is launched now.
    pub(crate) fn fate(&mut self, capacity: usize, now: Timestamp) -> Fate {
        let odds = self.odds;
        if now >= self.clears_at {
            return Fate::Up;
        }
        if self.dice.happens(odds.hopeless) {
            return Fate::Fails(self.dice.pick(LASTING));
        }
        let last = capacity + 1 >= self.rooms.len();
        if !last && self.dice.happens(odds.late_no_room) {
            let after = self.dice.number(1..60_000);
            return self.dice.pick(&[Fate::Fails(NO_ROOM), Fate::Interrupted(after)]);
        }
        if self.dice.happens(odds.mortal) {
            let after = self.dice.number(1000..600_000);
            return self.dice.pick(&[Fate::Killed(after), Fate::Interrupted(after)]);
        }
        if self.bad_luck > 0 && self.dice.happens(odds.unlucky) {
            self.bad_luck -= 1;
            let (reason, after) = (self.dice.pick(PASSING), self.dice.number(1..20_000));
            return self.dice.pick(&[Fate::Fails(reason), Fate::Fails(reason), Fate::Killed(after)]);
        }
        Fate::Up
    }
}
