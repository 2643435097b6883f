//! The files through which steps talk to the runner: `$GITHUB_OUTPUT`, `$GITHUB_ENV`, `$GITHUB_PATH`,
//! `$GITHUB_STATE`, `$GITHUB_STEP_SUMMARY`. Every step gets fresh ones.
//!
//! Source: GitHub docs, "Workflow commands for GitHub Actions", "Environment files".

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// GitHub's limit for a step's summary, in bytes.
const LONGEST_SUMMARY: usize = 1024 * 1024;

/// The files of one step.
pub(crate) struct StepFiles {
    folder: PathBuf,
}

/// What a step wrote, read and checked.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) path: Vec<PathBuf>,
    pub(crate) summary: String,
    /// What was wrong; each fails the step.
    pub(crate) errors: Vec<String>,
    /// What is dropped without failing the step.
    pub(crate) warnings: Vec<String>,
}

const FILES: [(&str, &str); 5] = [
    ("GITHUB_OUTPUT", "output"),
    ("GITHUB_ENV", "env"),
    ("GITHUB_PATH", "path"),
    ("GITHUB_STATE", "state"),
    ("GITHUB_STEP_SUMMARY", "step_summary"),
];

impl StepFiles {
    /// Makes the empty files in a folder of their own.
    pub(crate) fn create(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        for (_, name) in FILES {
            std::fs::write(folder.join(name), "")?;
        }
        Ok(Self { folder })
    }

    /// The variables that name the files.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        FILES.into_iter().map(|(variable, name)| (variable, self.folder.join(name)))
    }

    /// Reads what the step wrote and removes the files.
    pub(crate) fn read(self) -> Written {
        let mut written = Written::default();
        let text = |name: &str| match std::fs::read(self.folder.join(name)) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            // A step may remove its files; that is as good as writing nothing.
            Err(_) => String::new(),
        };
        let (output, env, state) = (text("output"), text("env"), text("state"));
        written.path =
            text("path").lines().map(str::trim).filter(|line| !line.is_empty()).map(PathBuf::from).collect();
        written.summary = text("step_summary");
        let mut pairs = |name: &str, text: &str| match pairs(text) {
            Ok(pairs) => pairs,
            Err(reason) => {
                written.errors.push(format!("Unable to process file command '{name}' successfully."));
                written.errors.push(reason);
                Vec::new()
            }
        };
        written.outputs = pairs("output", &output).into_iter().collect();
        written.env = pairs("env", &env);
        // Nothing here has a post step that would read it, but what is malformed fails all the same.
        pairs("state", &state);
        for (name, _) in written.env.extract_if(.., |(name, _)| is_reserved(name)) {
            if name.eq_ignore_ascii_case("NODE_OPTIONS") {
                written.errors.push(
                    "Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.".to_owned(),
                );
            } else {
                written
                    .warnings
                    .push(format!("`{name}` belongs to the runner: $GITHUB_ENV cannot change it"));
            }
        }
        if written.summary.len() > LONGEST_SUMMARY {
            written.errors.push(format!(
                "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {}k, got {}k.",
                LONGEST_SUMMARY / 1024,
                written.summary.len().div_ceil(1024)
            ));
            written.summary.clear();
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::debug!(folder = %self.folder.display(), %error, "the files of a step stay behind");
        }
        written
    }

    /// Where a step's script goes: beside its files.
    pub(crate) fn script(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("script{extension}"))
    }

    #[cfg(test)]
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.starts_with("GITHUB_") || name.starts_with("RUNNER_") || name == "NODE_OPTIONS"
}

/// `name=value` lines, and `name<<END` … `END`.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (Some(at), heredoc) if at > 0 && heredoc.is_none_or(|heredoc| at < heredoc) => {
                pairs.push((line[..at].to_owned(), line[at + 1..].to_owned()));
            }
            (_, Some(at)) if at > 0 && at + 2 < line.len() => {
                let delimiter = &line[at + 2..];
                let mut value: Vec<&str> = Vec::new();
                loop {
                    match lines.next() {
                        Some(end) if end == delimiter => break,
                        Some(line) => value.push(line),
                        None => {
                            return Err(format!("Invalid value. Matching delimiter not found '{delimiter}'"));
                        }
                    }
                }
                pairs.push((line[..at].to_owned(), value.join("\n")));
            }
            _ => return Err(format!("Invalid format '{line}'")),
        }
    }
    Ok(pairs)
}

/// A file for the event, as `$GITHUB_EVENT_PATH` names it.
pub(crate) fn write_event(temp: &Path, event: &serde_json::Value) -> io::Result<PathBuf> {
    let folder = temp.join("_github_workflow");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("event.json");
    std::fs::write(&path, event.to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)]) -> Written {
        let folder = tempfile::tempdir().unwrap();
        let step = StepFiles::create(folder.path().join("step")).unwrap();
        for (name, text) in files {
            std::fs::write(step.path(name), text).unwrap();
        }
        step.read()
    }

    #[test]
    fn values_may_have_several_lines() {
        let written = written(&[("output", "a=1=2\n\nb<<END\nfirst\n\nlast\nEND\nc=<<x\nd=\n")]);
        let expected = [("a", "1=2"), ("b", "first\n\nlast"), ("c", "<<x"), ("d", "")];
        assert_eq!(written.outputs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert!(written.errors.is_empty());
    }

    proptest::proptest! {
        /// What was written with a delimiter that is not in it comes back as it was.
        #[test]
        fn values_come_back(value in "[^\r\n]*(\n[^\r\n]*){0,4}") {
            let text = format!("name<<no such line\n{value}\nno such line\n");
            proptest::prop_assert_eq!(pairs(&text), Ok(vec![("name".to_owned(), value)]));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-z=<\n ]{0,60}") {
            let _ = pairs(&text);
        }
    }

    #[test]
    fn malformed_files_are_errors() {
        for text in ["no equals sign\n", "=x\n", "a<<END\nnever ends\n", "a<<\n"] {
            assert_eq!(written(&[("output", text)]).errors.len(), 2, "{text}");
        }
    }

    #[test]
    fn the_runners_own_variables_stay() {
        let written = written(&[("env", "GITHUB_SHA=x\nA=1\nNODE_OPTIONS=y\n")]);
        assert_eq!(written.env, [("A".to_owned(), "1".to_owned())]);
        assert_eq!((written.errors.len(), written.warnings.len()), (1, 1));
    }

    #[test]
    fn a_summary_that_is_too_long_is_dropped() {
        let written = written(&[("step_summary", &"x".repeat(LONGEST_SUMMARY + 1))]);
        assert!(written.summary.is_empty());
        assert!(written.errors[0].contains("up to a size of 1024k, got 1025k"));
    }
}
