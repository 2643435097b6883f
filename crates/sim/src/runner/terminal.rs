//! The lines of the runner's standard output, as the official runner 2.336 writes them.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Standard output. Clones write to the same place.
#[derive(Clone)]
pub(crate) struct Terminal(Arc<Mutex<Box<dyn Write + Send>>>);

impl Terminal {
    pub(crate) fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(out)))
    }

    /// A line.
    pub(crate) fn line(&self, line: &str) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that went away must not end the job.
        if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
            tracing::debug!(%error, "nobody reads the runner's output");
        }
    }

    /// A line with the time before it.
    pub(crate) fn timed(&self, line: &str) {
        self.line(&format!("{}: {line}", jiff::Timestamp::now().strftime("%F %TZ")));
    }

    /// A success, between empty lines.
    pub(crate) fn success(&self, line: &str) {
        self.line("");
        self.line(&format!("√ {line}"));
        self.line("");
    }
}
