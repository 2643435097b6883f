//! Logs of jobs, for those who hold a short-lived address.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use super::state::{State, later};

/// How long a log's address works. Source: GitHub documentation, "Download job logs for a workflow run".
const LIFETIME: Duration = Duration::from_mins(1);

/// The addresses given out, by their unguessable part.
#[derive(Default)]
pub(crate) struct LogLinks(HashMap<String, (u64, Timestamp)>);

impl State {
    /// An address of a job's log.
    pub(crate) fn log_url(&mut self, job: u64, now: Timestamp) -> String {
        let secret = self.entropy.alphanumeric(40);
        self.log_links.0.retain(|_, (_, until)| now < *until);
        let url = format!("{}/_services/logs/{secret}", self.urls.server);
        self.log_links.0.insert(secret, (job, later(now, LIFETIME)));
        url
    }

    /// The log behind an address, one line per line with its time; nothing once the address is too old.
    pub(crate) fn log_by_secret(&self, secret: &str, now: Timestamp) -> Option<String> {
        let (job, until) = self.log_links.0.get(secret)?;
        if now >= *until {
            return None;
        }
        let mut text = String::new();
        for entry in &self.runs.job(*job)?.log {
            writeln!(text, "{} {}", entry.at, entry.line).ok()?;
        }
        Some(text)
    }
}
