//! The one source of randomness of the simulated GitHub.
//!
//! The state machine owns it and is given its seed, so a test can replay a run to the letter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Random texts in the forms that GitHub uses.
pub(crate) struct Entropy(StdRng);

impl Entropy {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Letters and digits, as in `ghp_…`.
    pub(crate) fn alphanumeric(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(ALPHANUMERIC[self.0.random_range(0..ALPHANUMERIC.len())])).collect()
    }

    /// Lower-case hexadecimal, as in a commit's id.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        let mut text = hex::encode(self.bytes(length.div_ceil(2)));
        text.truncate(length);
        text
    }

    /// A random UUID, version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = self.bytes(16);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = hex::encode(bytes);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Three base64 parts joined by dots: the look and length of a JSON web token, opaque to clients.
    pub(crate) fn jwt_like(&mut self) -> String {
        let mut part = |length| URL_SAFE_NO_PAD.encode(self.bytes(length));
        format!("eyJ{}.eyJ{}.{}", part(24), part(180), part(256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_texts() {
        let (mut one, mut two, mut other) = (Entropy::new(7), Entropy::new(7), Entropy::new(8));
        assert_eq!(one.alphanumeric(36), two.alphanumeric(36));
        assert_ne!(one.hex(40), other.hex(40));
    }

    #[test]
    fn texts_have_the_forms_they_promise() {
        let mut entropy = Entropy::new(1);
        assert_eq!(entropy.hex(5).len(), 5);
        assert_eq!(entropy.uuid().len(), 36);
        assert_eq!(entropy.uuid().as_bytes()[14], b'4');
        assert_eq!(entropy.jwt_like().split('.').count(), 3);
    }
}
