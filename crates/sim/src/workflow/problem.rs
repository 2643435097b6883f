//! What is wrong with a workflow file, all of it at once.

use std::fmt;

/// One refusal: where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the caller named it; for a composite action, relative to the repository.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and, where there is one, the way out.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// A workflow that is refused. Displays one `file:line: message` line per problem, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LoadError(Vec<Problem>);

impl LoadError {
    /// The problems; at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

/// Collects the problems of a load, over all files it reads.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, file: &str, line: usize, message: impl Into<String>) {
        let problem = Problem { file: file.to_owned(), line, message: message.into() };
        // A composite action that is used twice is checked twice.
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    pub(crate) fn into_result<T>(mut self, value: Option<T>) -> Result<T, LoadError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => {
                self.0.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
                Err(LoadError(self.0))
            }
        }
    }
}
