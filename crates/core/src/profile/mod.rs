//! The profile of a pool: what it has learnt about its jobs, and how many tasks to keep ready for them.
//!
//! A job finds a task ready if there are more of them than jobs have come within the time that a new task takes to
//! run. So each job teaches one number, which task of those kept ready would have served it: the first if none came
//! shortly before it, the fifth if four did. It is learnt for the hour of the week and for how long it had been
//! quiet, since jobs come in company: one that was pushed is soon pushed again, and on a holiday none comes at nine
//! in the morning either.
//!
//! What an hour taught loses half its weight in two weeks. Hours that are alike teach each other: the one before
//! and after, and the same one of other working days, or of the other day of the weekend. How many tasks each
//! situation is then worth is [`allot`]'s to say.
//!
//! A profile is nowhere kept, as nothing is: whoever takes over learns anew. An hour of which nothing is known yet
//! has the plain `warm` of its pool. That is bearable because one day of watching teaches all hours of the days
//! like it, and there is no place for it to go: Fleetfoot has no database.

mod allot;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use self::allot::{Situation, allot};
use crate::stack::Adaptive;

/// Hours of a week.
const WEEK: usize = 7 * 24;

/// How quiet it is comes in three kinds: a job came less than this ago, or less than that, or before.
const QUIET: [SignedDuration; 2] = [SignedDuration::from_mins(20), SignedDuration::from_hours(2)];

/// Kinds of quiet.
const KINDS: usize = QUIET.len() + 1;

/// What an hour of the week has taught counts so much after another week: half after two.
const AFTER_A_WEEK: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// How much the same hour of a day of the same kind counts.
const OTHER_DAY: f64 = 0.5;

/// How much the hour before or after counts.
const NEXT_HOUR: f64 = 0.5;

/// So many hours of all the week's count for an hour as well: what a situation is like that it has seldom seen.
const ANY_HOUR: f64 = 1.0;

/// An hour is known once so much of it and of hours like it was watched.
const KNOWN: f64 = 0.5;

/// Nothing was learnt while nobody looked for so long.
const ABSENT: SignedDuration = SignedDuration::from_mins(15);

/// How long a task takes to run as long as none has.
const BOOT: SignedDuration = SignedDuration::from_mins(1);

/// What was seen in one situation: an hour of the week, and how long it was quiet.
#[derive(Debug, Clone)]
struct Seen {
    hours: f64,
    /// How many jobs the first task kept ready would have served, how many the second, ….
    jobs: Vec<f64>,
}

impl Seen {
    fn nothing(levels: usize) -> Self {
        Self { hours: 0.0, jobs: vec![0.0; levels] }
    }

    fn add(&mut self, other: &Self, weight: f64) {
        self.hours += weight * other.hours;
        for (sum, jobs) in self.jobs.iter_mut().zip(&other.jobs) {
            *sum += weight * jobs;
        }
    }
}

/// What a pool has learnt.
#[derive(Debug, Clone)]
pub struct Profile {
    adaptive: Adaptive,
    /// By hour of the week and kind of quiet.
    seen: Vec<[Seen; KINDS]>,
    /// When it last looked.
    looked: Option<Timestamp>,
    /// When tasks were given away, and how many at once, for as long as a new one takes to run.
    given: VecDeque<(Timestamp, usize)>,
    /// When the last one was before that.
    before: Option<Timestamp>,
    /// How long a new task takes to run.
    boot: SignedDuration,
    /// What follows from what was seen before this hour, by hour of the week; `None` if not enough.
    wanted: Vec<Option<[u32; KINDS]>>,
    /// Whether another hour has begun since that was weighed.
    stale: bool,
}

impl Profile {
    /// A profile that has seen nothing.
    pub fn new(adaptive: &Adaptive) -> Self {
        let nothing = Seen::nothing(adaptive.max_warm as usize);
        Self {
            adaptive: adaptive.clone(),
            seen: vec![std::array::from_fn(|_| nothing.clone()); WEEK],
            looked: None,
            given: VecDeque::new(),
            before: None,
            boot: BOOT,
            wanted: vec![None; WEEK],
            stale: false,
        }
    }

    /// Learns from what came since the last look: so many tasks were given away. `boot` is how long a new one takes
    /// to run, if that is known.
    pub fn look(&mut self, now: Timestamp, given: usize, boot: Option<SignedDuration>) {
        self.boot = boot.unwrap_or(self.boot);
        if let Some(before) = self.looked.replace(now) {
            let passed = now.duration_since(before);
            let (hour, kind) = (self.hour(before), self.kind(before));
            if passed.is_positive() && passed <= ABSENT {
                self.seen[hour][kind].hours += passed.as_secs_f64() / 3600.0;
            }
            let next = self.hour(now);
            if next != hour {
                // A new hour of the week begins: what it taught a week ago counts less.
                self.fade(next);
                self.stale = true;
            }
        }
        if given > 0 {
            self.learn(now, given);
        }
    }

    /// Learns nothing from the time until the next look.
    pub fn look_away(&mut self) {
        self.looked = None;
    }

    /// A time later than `now` before which only jobs, or that none come, change what is wanted.
    pub fn stays_until(&self, now: Timestamp) -> Option<Timestamp> {
        let shown = self.adaptive.time_zone.clocks().to_datetime(now);
        let past = i64::from(shown.minute()) * 60 + i64::from(shown.second());
        let hour = now.checked_add(SignedDuration::from_secs(3600 - past)).ok()?;
        // Tasks for the next hour are asked for before it begins.
        let ahead = hour.checked_sub(self.boot).ok().filter(|ahead| *ahead > now);
        Some(ahead.unwrap_or(hour))
    }

    /// How many tasks to keep ready now, or soon, since a new one takes a while. `None` if this hour is not known.
    pub fn warm(&mut self, now: Timestamp) -> Option<u32> {
        if std::mem::take(&mut self.stale) {
            self.weigh();
        }
        let soon = now.checked_add(self.boot).unwrap_or(now);
        let kind = self.kind(now);
        let of = |at| self.wanted[self.hour(at)].map(|wanted| wanted[kind]);
        of(now).max(of(soon).filter(|_| of(now).is_some()))
    }

    fn hour(&self, at: Timestamp) -> usize {
        let shown = self.adaptive.time_zone.clocks().to_datetime(at);
        let (day, hour) = (shown.weekday().to_monday_zero_offset(), shown.hour());
        usize::try_from(i16::from(day) * 24 + i16::from(hour)).unwrap_or_default()
    }

    /// How quiet it was at a time, by what was known then.
    fn kind(&self, at: Timestamp) -> usize {
        let last = self.given.iter().rev().map(|(at, _)| *at).chain(self.before).find(|last| *last <= at);
        let quiet = last.map(|last| at.duration_since(last));
        QUIET.iter().position(|limit| quiet.is_some_and(|quiet| quiet < *limit)).unwrap_or(QUIET.len())
    }

    fn learn(&mut self, now: Timestamp, given: usize) {
        // A task asked for before this moment is ready now.
        let asked = now.checked_sub(self.boot).unwrap_or(now);
        while let Some((at, _)) = self.given.pop_front_if(|(at, _)| *at <= asked) {
            self.before = Some(at);
        }
        let (hour, kind) = (self.hour(asked), self.kind(asked));
        let came: usize = self.given.iter().map(|(_, count)| count).sum();
        for jobs in self.seen[hour][kind].jobs.iter_mut().skip(came).take(given) {
            *jobs += 1.0;
        }
        self.given.push_back((now, given));
    }

    fn fade(&mut self, hour: usize) {
        for seen in &mut self.seen[hour] {
            seen.hours *= AFTER_A_WEEK;
            seen.jobs.iter_mut().for_each(|jobs| *jobs *= AFTER_A_WEEK);
        }
    }

    /// Says for every situation how many tasks it is worth.
    fn weigh(&mut self) {
        let all = self.all();
        let mut situations = Vec::new();
        let mut places = Vec::new();
        for hour in 0..WEEK {
            let alike = self.alike(hour);
            let watched: f64 = alike.iter().map(|seen| seen.hours).sum();
            if watched < KNOWN {
                continue;
            }
            for (kind, (mut seen, any)) in alike.into_iter().zip(&all).enumerate() {
                let hours = seen.hours / watched;
                if any.hours > 0.0 {
                    seen.add(any, ANY_HOUR / any.hours);
                }
                let weight = if seen.hours > 0.0 { seen.hours.recip() } else { 0.0 };
                let jobs = seen.jobs.iter().map(|jobs| jobs * weight).collect();
                situations.push(Situation { hours, jobs });
                places.push((hour, kind));
            }
        }
        self.wanted = vec![None; WEEK];
        for ((hour, kind), warm) in places.into_iter().zip(allot(&situations, self.adaptive.p)) {
            self.wanted[hour].get_or_insert([0; KINDS])[kind] = u32::try_from(warm).unwrap_or(u32::MAX);
        }
    }

    fn nothing(&self) -> [Seen; KINDS] {
        std::array::from_fn(|_| Seen::nothing(self.adaptive.max_warm as usize))
    }

    /// All that was seen, whatever the hour.
    fn all(&self) -> [Seen; KINDS] {
        let mut sum = self.nothing();
        for seen in &self.seen {
            sum.iter_mut().zip(seen).for_each(|(sum, seen)| sum.add(seen, 1.0));
        }
        sum
    }

    /// What was seen in an hour and in those like it.
    fn alike(&self, hour: usize) -> [Seen; KINDS] {
        let mut sum = self.nothing();
        let on_weekend = |day: usize| day >= 5;
        let day = hour / 24;
        for other in (0..7).filter(|other| on_weekend(*other) == on_weekend(day)) {
            let of_day = if other == day { 1.0 } else { OTHER_DAY };
            for (shift, of_hour) in [(WEEK - 1, NEXT_HOUR), (0, 1.0), (1, NEXT_HOUR)] {
                let seen = &self.seen[(other * 24 + hour % 24 + shift) % WEEK];
                sum.iter_mut().zip(seen).for_each(|(sum, seen)| sum.add(seen, of_day * of_hour));
            }
        }
        sum
    }
}
