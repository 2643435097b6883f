//! How a command fails: one sentence, what to do next, and an exit code.

use std::process::ExitCode;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::verdict::Verdict;
use thiserror::Error;

/// The end of a command that did not do what it should.
#[derive(Debug, Error)]
#[error("{sentence}")]
pub struct Failure {
    /// A word for scripts.
    pub class: String,
    /// What happened, to what, and why.
    pub sentence: String,
    /// What to do next.
    pub remedy: Option<String>,
    /// The exit code.
    pub exit: Exit,
}

/// Exit codes of every command but `agent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It failed.
    Failed,
    /// Bad input; nothing was created.
    Usage,
    /// Credentials are missing, or were refused.
    Denied,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// The process exit code. 2 is what clap uses for a bad command line, 4 what `gh` uses for credentials.
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

impl Failure {
    /// Bad input.
    pub fn usage(sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            class: "usage".into(),
            sentence: sentence.into(),
            remedy: Some(remedy.into()),
            exit: Exit::Usage,
        }
    }

    /// The sentence, and what to do below it.
    pub fn text(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}\n{remedy}", self.sentence),
            None => self.sentence.clone(),
        }
    }

    /// Something did not work.
    pub fn failed(class: &str, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            sentence: sentence.into(),
            remedy: Some(remedy.into()),
            exit: Exit::Failed,
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let exit = match fault.class {
            Class::Denied => Exit::Denied,
            Class::Invalid | Class::NotFound => Exit::Usage,
            _ => Exit::Failed,
        };
        // The chain goes to the log once; the user reads the sentence.
        if let Some(source) = &fault.source {
            tracing::debug!(source = format!("{source:?}"), "source of the failure");
        }
        Self {
            class: fault.class.word().into(),
            sentence: fault.to_string(),
            remedy: fault.remedy.map(as_sentence),
            exit,
        }
    }
}

impl From<Verdict> for Failure {
    fn from(verdict: Verdict) -> Self {
        let exit = match verdict.class.as_str() {
            "denied" => Exit::Denied,
            "invalid" | "not-found" => Exit::Usage,
            _ => Exit::Failed,
        };
        let remedy = verdict.remedy.map(as_sentence);
        Self { class: verdict.class, sentence: verdict.sentence, remedy, exit }
    }
}

/// A remedy that the adapters wrote as a clause, as the sentence that a user reads.
pub(crate) fn as_sentence(clause: String) -> String {
    let mut chars = clause.chars();
    let Some(first) = chars.next() else { return clause };
    // What begins with the name of a file or a command keeps its letter.
    let word = clause.split_whitespace().next().unwrap_or_default();
    let first: String =
        if word.contains(['/', '`', '_', '-']) { first.into() } else { first.to_uppercase().collect() };
    let end = if clause.ends_with(['.', '!', '?', '`']) || clause.contains('\n') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_becomes_a_sentence() {
        let cases = [
            ("make a new one", "Make a new one."),
            ("Make a new one.", "Make a new one."),
            ("docs/agent.md tells more", "docs/agent.md tells more."),
            ("add:\n  permissions:", "Add:\n  permissions:"),
            ("", ""),
        ];
        for (clause, sentence) in cases {
            assert_eq!(as_sentence(clause.to_owned()), sentence);
        }
    }
}
