//! The adapter of scale sets, against the emulator of the crate that it is built on and the simulated GitHub.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod emulator;
mod simulated;
