//! Turns: a call waits on our side for as long as the service's published rates ask, so that it is not refused.
//!
//! A refusal costs more than the wait. AWS makes everybody in the account back off, and GitHub refuses a
//! token for a minute whatever it asks, clean-up included. So every call takes a turn first. The accounts are
//! kept as the service may see them at worst: a call has its place from when it is sent, and what it has spent
//! begins to come back only when it is answered, because nobody knows when in between the service counted it.
//!
//! Turned down: a rate-limiting crate. They know token buckets, one a call; GitHub publishes so many *in a
//! minute*, a call counts in several accounts at once, and clean-up must find something left.
//!
//! What other processes spend with the same credentials cannot be known here. Then the service does refuse,
//! and [`Patience`](crate::patience::Patience) takes over.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::fault::{Class, Fault};

/// The longest that a call waits for its turn. What would take longer is told at once, so that whoever has a
/// deadline or is cancelled hears of it.
pub const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What a service allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// A bucket, full at first, that gets so many tokens back a second.
    Bucket {
        /// Tokens of a full bucket.
        burst: u32,
        /// Tokens a second.
        refill: u32,
    },
    /// So much in any stretch of time of this length.
    Window {
        /// How much.
        most: u32,
        /// In how long.
        period: Duration,
    },
}

/// Names what a service counts together.
pub trait Meter: Clone + Ord {
    /// How much of it is allowed.
    fn limit(&self) -> Limit;

    /// How much of it is kept for [`Urgency::CleanUp`].
    fn reserve(&self) -> u32 {
        0
    }
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Anything; leaves the reserve alone.
    Ordinary,
    /// Taking something away, which has to be done within seconds, however many calls wait.
    CleanUp,
}

/// It is not this call's turn, and will not be for longer than [`LONGEST_WAIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSoon {
    /// When to ask again.
    pub wait: Duration,
}

impl TooSoon {
    /// As the fault of the call, which was not made.
    pub fn fault(self, what: impl Into<String>, service: &str) -> Fault {
        let seconds = self.wait.as_secs_f64().ceil();
        let why = format!("by its published rates {service} takes no more of these calls for {seconds} s");
        Fault::new(Class::Throttled { retry_after: Some(self.wait) }, what, why)
            .remedy("give it more time, or ask for fewer at once")
    }
}

/// The accounts of one service.
pub struct Turns<M> {
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    accounts: Mutex<BTreeMap<M, Account>>,
}

impl<M> fmt::Debug for Turns<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

/// A call's turn: to be held until the call is answered or given up.
#[derive(Debug)]
#[must_use = "what the call spends begins to come back when this is dropped"]
pub struct Turn<'a, M: Meter> {
    turns: &'a Turns<M>,
    claims: Vec<(M, u32)>,
}

impl<M: Meter> Turns<M> {
    /// Accounts of which nothing is spent. `now` is the time since any moment, and never runs back.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { now: Box::new(now), accounts: Mutex::default() }
    }

    /// Waits until all of these may be spent, with `sleep` as the means to wait. A wait that is given up has
    /// spent nothing.
    ///
    /// # Errors
    /// When it would take longer than [`LONGEST_WAIT`].
    pub async fn take<S: Future<Output = ()>>(
        &self,
        claims: Vec<(M, u32)>,
        urgency: Urgency,
        sleep: impl Fn(Duration) -> S,
    ) -> Result<Turn<'_, M>, TooSoon> {
        let give_up = (self.now)().saturating_add(LONGEST_WAIT);
        loop {
            let Err(wait) = self.hold(&claims, urgency) else { return Ok(Turn { turns: self, claims }) };
            if (self.now)().saturating_add(wait) > give_up {
                return Err(TooSoon { wait });
            }
            sleep(wait).await;
        }
    }

    /// Holds all of these or, if one has to wait, none: then says for how long at least.
    fn hold(&self, claims: &[(M, u32)], urgency: Urgency) -> Result<(), Duration> {
        let now = (self.now)();
        let mut accounts = self.accounts();
        let waits = claims.iter().map(|(meter, cost)| {
            let account = accounts.entry(meter.clone()).or_insert_with(|| Account::new(meter.limit(), now));
            let reserve = if urgency == Urgency::Ordinary { meter.reserve() } else { 0 };
            account.wait(now, cost + reserve)
        });
        match waits.max() {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                for (meter, cost) in claims {
                    accounts.entry(meter.clone()).and_modify(|account| account.held += cost);
                }
                Ok(())
            }
        }
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<M, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Meter> Drop for Turn<'_, M> {
    fn drop(&mut self) {
        let now = (self.turns.now)();
        let mut accounts = self.turns.accounts();
        for (meter, cost) in &self.claims {
            accounts.entry(meter.clone()).and_modify(|account| account.spend(now, *cost));
        }
    }
}

/// What was spent of one limit.
#[derive(Debug)]
struct Account {
    /// By calls that are under way.
    held: u32,
    /// By calls that were answered.
    spent: Spent,
}

#[derive(Debug)]
enum Spent {
    Bucket { burst: u32, refill: u32, tokens: f64, at: Duration },
    Window { most: u32, period: Duration, calls: VecDeque<(Duration, u32)> },
}

impl Account {
    fn new(limit: Limit, now: Duration) -> Self {
        let spent = match limit {
            Limit::Bucket { burst, refill } => {
                Spent::Bucket { burst, refill, tokens: f64::from(burst), at: now }
            }
            Limit::Window { most, period } => Spent::Window { most, period, calls: VecDeque::new() },
        };
        Self { held: 0, spent }
    }

    /// How long until there is so much, beyond what is held; zero if there is.
    fn wait(&mut self, now: Duration, wanted: u32) -> Duration {
        self.forget(now);
        let wanted = wanted + self.held;
        match &self.spent {
            Spent::Bucket { refill, tokens, .. } => {
                let missing = f64::from(wanted) - tokens;
                if missing <= 0.0 {
                    return Duration::ZERO;
                }
                let wait = Duration::try_from_secs_f64(missing / f64::from(*refill));
                // Rounded up, so that the token is there when the wait is over.
                wait.unwrap_or(Duration::MAX).saturating_add(Duration::from_millis(1))
            }
            Spent::Window { most, period, calls } => {
                let spent: u32 = calls.iter().map(|(_, cost)| cost).sum();
                let Some(mut missing) = (spent + wanted).checked_sub(*most).filter(|missing| *missing > 0)
                else {
                    return Duration::ZERO;
                };
                for (at, cost) in calls {
                    missing = missing.saturating_sub(*cost);
                    if missing == 0 {
                        return (*at + *period).saturating_sub(now).max(Duration::from_millis(1));
                    }
                }
                // It hangs on calls that are under way, and on how long they take.
                *period
            }
        }
    }

    /// A call that held so much has its answer.
    fn spend(&mut self, now: Duration, cost: u32) {
        self.forget(now);
        self.held = self.held.saturating_sub(cost);
        match &mut self.spent {
            Spent::Bucket { tokens, .. } => *tokens -= f64::from(cost),
            Spent::Window { calls, .. } => calls.push_back((now, cost)),
        }
    }

    /// Forgets what has come back.
    fn forget(&mut self, now: Duration) {
        match &mut self.spent {
            Spent::Bucket { burst, refill, tokens, at } => {
                let passed = now.saturating_sub(*at).as_secs_f64();
                *tokens = (*tokens + passed * f64::from(*refill)).min(f64::from(*burst));
                *at = now;
            }
            Spent::Window { period, calls, .. } => {
                while calls.front().is_some_and(|(at, _)| *at + *period <= now) {
                    calls.pop_front();
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
