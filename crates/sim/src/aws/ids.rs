//! Where the simulated services take their ids, keys and addresses from.
//!
//! Randomness is an input, like the time: with a seed two runs give the same ids.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A source of ids.
pub(crate) struct Ids(StdRng);

impl Ids {
    /// With a seed always the same ids, without one always others.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.map_or_else(rand::make_rng, StdRng::seed_from_u64))
    }

    /// `length` lower-case hexadecimal digits: task ids have 32, interface ids 17.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        self.pick(b"0123456789abcdef", length)
    }

    /// `length` characters as in access key ids.
    pub(crate) fn key(&mut self, length: usize) -> String {
        self.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", length)
    }

    /// `length` characters as in secret keys and session tokens.
    pub(crate) fn secret(&mut self, length: usize) -> String {
        self.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", length)
    }

    /// A random UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    /// An address in `10.0.0.0/16`.
    pub(crate) fn private_ip(&mut self) -> String {
        format!("10.0.{}.{}", self.0.random_range(0..16_u8), self.0.random_range(4..255_u8))
    }

    fn pick(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.0.random_range(0..alphabet.len())])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn a_seed_fixes_the_ids() {
        let (mut one, mut same, mut other) = (Ids::new(Some(1)), Ids::new(Some(1)), Ids::new(Some(2)));
        let id = one.hex(32);
        assert_eq!(id.len(), 32);
        assert_eq!(id, same.hex(32));
        assert_ne!(id, other.hex(32));
        assert_eq!(one.uuid().len(), 36);
    }
}
