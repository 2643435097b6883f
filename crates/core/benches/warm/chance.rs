//! Random numbers that are the same in every run: SplitMix64.

use jiff::SignedDuration;

/// A sequence of random numbers.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number from 0 to one less than this.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A number from 0 to 1, and never 1.
    fn share(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or_default();
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    /// Some time up to this.
    pub(crate) fn up_to(&mut self, longest: SignedDuration) -> SignedDuration {
        longest.mul_f64(self.share())
    }

    /// Some time of this mean, in seconds; short ones are the more frequent.
    pub(crate) fn exponential(&mut self, mean: f64) -> SignedDuration {
        SignedDuration::from_secs_f64(-mean * (1.0 - self.share()).ln())
    }
}
