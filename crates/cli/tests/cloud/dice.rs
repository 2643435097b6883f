//! Chance, from a seed: the same throws each time.

use std::ops::Range;

use jiff::SignedDuration;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

#[derive(Debug, Clone)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(crate) fn of(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number of this range; its start if it is empty.
    pub(crate) fn number(&mut self, range: Range<i64>) -> i64 {
        if range.is_empty() { range.start } else { self.0.random_range(range) }
    }

    /// A count, from the one to the other.
    pub(crate) fn count(&mut self, from: usize, to: usize) -> usize {
        self.0.random_range(from..=to)
    }

    /// So many milliseconds, and some microseconds: services do not keep step.
    pub(crate) fn pause(&mut self, millis: Range<i64>) -> SignedDuration {
        SignedDuration::from_micros(self.number(millis.start * 1000..millis.end * 1000))
    }

    /// Whether this happens, at odds in a thousand.
    pub(crate) fn happens(&mut self, odds: u32) -> bool {
        odds > 0 && self.0.random_ratio(odds.min(1000), 1000)
    }

    /// One of these.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.0.random_range(0..of.len())].clone()
    }
}
