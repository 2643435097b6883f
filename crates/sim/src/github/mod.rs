//! Simulated GitHub.
