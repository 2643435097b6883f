//! The log of a job: masks, workflow commands, annotations.

use std::sync::{Arc, Mutex, PoisonError};

use super::Reporter;
use super::commands::{self, Command};
use super::mask::Masks;
use crate::protocol::{Annotation, LogLines};

/// Where a job's lines go. Clones write to the same log.
#[derive(Clone)]
pub(crate) struct JobLog {
    reporter: Arc<dyn Reporter>,
    masks: Arc<Masks>,
    annotations: Arc<Mutex<Vec<Annotation>>>,
    /// Whether `::debug::` lines are shown.
    debug: bool,
}

impl JobLog {
    pub(crate) fn new(reporter: Arc<dyn Reporter>, masks: Arc<Masks>, debug: bool) -> Self {
        Self { reporter, masks, annotations: Arc::default(), debug }
    }

    pub(crate) fn masks(&self) -> &Masks {
        &self.masks
    }

    pub(crate) fn reporter(&self) -> &dyn Reporter {
        self.reporter.as_ref()
    }

    /// Writes a text, masked, to the log of a step; 0 is the job itself.
    pub(crate) fn write(&self, step: u32, text: &str) {
        // Masked line by line: a mask is one line long.
        let lines: Vec<_> = if text.is_empty() {
            vec![String::new()]
        } else {
            text.lines().map(|line| self.masks.apply(line)).collect()
        };
        self.reporter.log(LogLines { step, lines });
    }

    /// An error of the runner itself: in the log, and an annotation.
    pub(crate) fn error(&self, step: u32, message: &str) {
        self.annotate(step, "error", None, message);
    }

    /// A warning of the runner itself.
    pub(crate) fn warning(&self, step: u32, message: &str) {
        self.annotate(step, "warning", None, message);
    }

    fn annotate(&self, step: u32, level: &str, title: Option<&str>, message: &str) {
        self.write(step, &format!("##[{level}]{message}"));
        let mut annotations = self.annotations.lock().unwrap_or_else(PoisonError::into_inner);
        annotations.push(Annotation {
            level: level.to_owned(),
            title: title.map(|title| self.masks.apply(title)),
            message: self.masks.apply(message),
        });
    }

    pub(crate) fn take_annotations(&self) -> Vec<Annotation> {
        std::mem::take(&mut *self.annotations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads the lines of one script: commands are obeyed, everything goes to the log.
pub(crate) struct Listener {
    log: JobLog,
    step: u32,
    /// While set, lines are only text until `::token::`.
    stopped: Option<String>,
    /// A command was refused: the step has failed whatever its exit code says.
    pub(crate) failed: bool,
}

impl Listener {
    pub(crate) fn new(log: JobLog, step: u32) -> Self {
        Self { log, step, stopped: None, failed: false }
    }

    pub(crate) fn line(&mut self, line: &str) {
        if let Some(token) = &self.stopped {
            if line.trim() == format!("::{token}::") {
                self.stopped = None;
            }
            return self.log.write(self.step, line);
        }
        match commands::parse(line) {
            None => self.log.write(self.step, line),
            Some(Command::AddMask(value)) => {
                self.log.masks().add(&value);
                self.log.write(self.step, "::add-mask::***");
            }
            Some(Command::Annotate(Annotation { level, title, message })) => {
                self.log.annotate(self.step, &level, title.as_deref(), &message);
            }
            Some(Command::Group(title)) => self.log.write(self.step, &format!("##[group]{title}")),
            Some(Command::EndGroup) => self.log.write(self.step, "##[endgroup]"),
            Some(Command::Debug(message)) if self.log.debug => {
                self.log.write(self.step, &format!("##[debug]{message}"));
            }
            Some(Command::Debug(_) | Command::Ignored) => {}
            Some(Command::Stop(token)) => {
                self.log.write(self.step, line);
                self.stopped = Some(token);
            }
            Some(Command::Gone(message)) => self.log.warning(self.step, message),
            Some(Command::Refused(message)) => {
                self.log.error(self.step, message);
                self.failed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::StepUpdate;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Reporter for Heard {
        fn log(&self, lines: LogLines) {
            self.0.lock().unwrap().extend(lines.lines);
        }
        fn step(&self, _: StepUpdate) {}
    }

    fn hear(lines: &[&str]) -> (Vec<String>, Vec<Annotation>, bool) {
        let heard = Arc::new(Heard::default());
        let masks = Arc::new(Masks::new(["s3cret".to_owned()]));
        let log = JobLog::new(Arc::clone(&heard) as Arc<dyn Reporter>, masks, false);
        let mut listener = Listener::new(log.clone(), 1);
        for line in lines {
            listener.line(line);
        }
        let lines = heard.0.lock().unwrap().clone();
        (lines, log.take_annotations(), listener.failed)
    }

    #[test]
    fn secrets_are_masked_in_lines_and_annotations() {
        let (lines, annotations, _) =
            hear(&["the s3cret", "::add-mask::token", "my token", "::error title=s3cret::no token%0Aat all"]);
        assert_eq!(lines, ["the ***", "::add-mask::***", "my ***", "##[error]no ***", "at all"]);
        assert_eq!(annotations[0].title.as_deref(), Some("***"));
        assert_eq!(annotations[0].message, "no ***\nat all");
    }

    #[test]
    fn stopped_commands_are_text() {
        let (lines, annotations, _) =
            hear(&["::stop-commands::abc", "::error::x", "::abc::", "::warning::y", "::debug::z"]);
        assert_eq!(lines, ["::stop-commands::abc", "::error::x", "::abc::", "##[warning]y"]);
        assert_eq!(annotations.len(), 1);
    }

    #[test]
    fn what_is_gone_warns_and_what_is_refused_fails() {
        let (_, annotations, failed) = hear(&["::set-output name=a::b"]);
        assert!(annotations[0].message.contains("$GITHUB_OUTPUT") && !failed);
        assert!(hear(&["::set-env name=a::b"]).2);
    }
}
