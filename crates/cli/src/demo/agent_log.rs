//! The agent's JSON log, as CloudWatch has it: where a runner's own phases are read back.

use fleetfoot_core::phase::Phase;
use jiff::Timestamp;
use serde::Deserialize;

/// A line that tells of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PhaseLine {
    /// The phase.
    pub phase: Phase,
    /// When it was reached.
    pub at: Timestamp,
}

/// The phase that a log line tells of, if it is such a line.
pub fn phase(line: &str) -> Option<PhaseLine> {
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_read_and_other_lines_passed_over() {
        let line = r#"{"level":"INFO","message":"phase","phase":"online","at":"2026-01-01T00:00:00Z","runner":"ff-1"}"#;
        assert_eq!(phase(line).unwrap().phase, Phase::Online);
        for other in ["", "Listening for Jobs", r#"{"phase":"dreaming","at":"2026-01-01T00:00:00Z"}"#] {
            assert_eq!(phase(other), None, "{other}");
        }
    }
}
