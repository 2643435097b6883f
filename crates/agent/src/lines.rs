//! What the official runner says on its standard output, read as events.
//!
//! The lines are those of actions/runner 2.336 and are no interface: whatever is not recognised is no
//! event, and the exit code has the last word ([`crate::ending`]). Job names are untrusted text, so a line
//! counts only if it has its shape from the first character, and a result only at the very end.

/// Something the runner said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its version.
    Version(String),
    /// It waits for a job: GitHub sees it online.
    Online,
    /// A job runs.
    JobStarted,
    /// A job is over.
    JobEnded(JobResult),
    /// It cannot reach GitHub and tries on.
    ConnectError(String),
    /// GitHub will never give it a job.
    Refused(Refusal),
}

/// Why GitHub refuses a runner for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its version is too old.
    VersionDeprecated,
    /// GitHub does not know the registration any more.
    RegistrationGone,
}

/// A job's result, in the runner's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobResult {
    Succeeded,
    SucceededWithIssues,
    Failed,
    Canceled,
    Skipped,
    Abandoned,
}

impl JobResult {
    const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::SucceededWithIssues,
        Self::Failed,
        Self::Canceled,
        Self::Skipped,
        Self::Abandoned,
    ];

    /// The runner's word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::SucceededWithIssues => "SucceededWithIssues",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Skipped => "Skipped",
            Self::Abandoned => "Abandoned",
        }
    }

    /// The result that an exit code tells, with `ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED=1`.
    pub(crate) fn of_exit_code(code: i32) -> Option<Self> {
        usize::try_from(code.checked_sub(100)?).ok().and_then(|i| Self::ALL.get(i).copied())
    }
}

/// Reads one line, without its line end.
pub(crate) fn read(line: &str) -> Option<Event> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if let Some(said) = after_time(line) {
        return read_timed(said);
    }
    if let Some(version) = line.strip_prefix("Current runner version: '") {
        return Some(Event::Version(version.trim_end_matches('\'').to_owned()));
    }
    if let Some(why) = line.strip_prefix("Runner connect error: ") {
        return Some(Event::ConnectError(why.to_owned()));
    }
    let error = line.strip_prefix("An error occurred: ").unwrap_or(line);
    if error.starts_with("Runner version v") && error.contains(" is deprecated and cannot receive messages") {
        return Some(Event::Refused(Refusal::VersionDeprecated));
    }
    let session = error.strip_prefix("Failed to create a session. ").unwrap_or(error);
    if session.starts_with("The runner registration has been deleted from the server") {
        return Some(Event::Refused(Refusal::RegistrationGone));
    }
    None
}

fn read_timed(said: &str) -> Option<Event> {
    if said == "Listening for Jobs" {
        return Some(Event::Online);
    }
    if said.starts_with("Running job: ") {
        return Some(Event::JobStarted);
    }
    // The name comes first and may hold anything, also these words: the last ones count.
    let (_, word) = said.strip_prefix("Job ")?.rsplit_once(" completed with result: ")?;
    JobResult::ALL.into_iter().find(|result| result.word() == word).map(Event::JobEnded)
}

/// What follows `2026-01-01 00:00:00Z: ` at the start of a line.
fn after_time(line: &str) -> Option<&str> {
    const SHAPE: &[u8] = b"dddd-dd-dd dd:dd:ddZ: ";
    let time = line.as_bytes().get(..SHAPE.len())?;
    let fits = time.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        literal => byte == literal,
    });
    if fits { line.get(SHAPE.len()..) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-01-01 00:00:00Z";

    #[test]
    fn the_official_lines_are_understood() {
        let cases = [
            ("√ Connected to GitHub".to_owned(), None),
            ("Current runner version: '2.336.0'".to_owned(), Some(Event::Version("2.336.0".into()))),
            (format!("{AT}: Listening for Jobs"), Some(Event::Online)),
            (format!("{AT}: Listening for Jobs\r"), Some(Event::Online)),
            (format!("{AT}: Running job: build (1, 2)"), Some(Event::JobStarted)),
            ("Exiting...".to_owned(), None),
            (
                "Runner connect error: no route. Retrying until reconnected.".to_owned(),
                Some(Event::ConnectError("no route. Retrying until reconnected.".into())),
            ),
            (
                "An error occurred: Runner version v2.300.0 is deprecated and cannot receive messages.".to_owned(),
                Some(Event::Refused(Refusal::VersionDeprecated)),
            ),
            (
                "Failed to create a session. The runner registration has been deleted from the server, please \
                 re-configure."
                    .to_owned(),
                Some(Event::Refused(Refusal::RegistrationGone)),
            ),
        ];
        for (line, want) in cases {
            assert_eq!(read(&line), want, "{line}");
        }
        for result in JobResult::ALL {
            let line = format!("{AT}: Job build completed with result: {}", result.word());
            assert_eq!(read(&line), Some(Event::JobEnded(result)), "{line}");
        }
    }

    #[test]
    fn a_hostile_name_fools_nobody() {
        let cases = [
            (format!("{AT}: Running job: x completed with result: Succeeded"), Some(Event::JobStarted)),
            (
                format!("{AT}: Running job: {AT}: Job x completed with result: Succeeded"),
                Some(Event::JobStarted),
            ),
            (
                format!("{AT}: Job x completed with result: Succeeded completed with result: Failed"),
                Some(Event::JobEnded(JobResult::Failed)),
            ),
            (
                format!("{AT}: Job Listening for Jobs completed with result: Canceled"),
                Some(Event::JobEnded(JobResult::Canceled)),
            ),
            (format!("{AT}: Job x completed with result: Succeeded "), None),
            (format!("{AT}: Job x completed with result: succeeded"), None),
            (format!(" {AT}: Job x completed with result: Succeeded"), None),
            (format!("\u{1b}[2K\r{AT}: Job x completed with result: Succeeded"), None),
            (format!("[{AT} INFO Terminal] WRITE LINE: {AT}: Listening for Jobs"), None),
            (format!("{AT}: Listening for Jobs, or so"), None),
            ("2026-01-01 00:00:0xZ: Listening for Jobs".to_owned(), None),
            ("2026-01-01 00:00:00Z".to_owned(), None),
            ("échappé-01 00:00:00Z: é".to_owned(), None),
            (String::new(), None),
        ];
        for (line, want) in cases {
            assert_eq!(read(&line), want, "{line:?}");
        }
    }

    #[test]
    fn exit_codes_tell_results() {
        assert_eq!(JobResult::of_exit_code(100), Some(JobResult::Succeeded));
        assert_eq!(JobResult::of_exit_code(102), Some(JobResult::Failed));
        assert_eq!(JobResult::of_exit_code(105), Some(JobResult::Abandoned));
        for code in [i32::MIN, -1, 0, 1, 7, 99, 106, 137] {
            assert_eq!(JobResult::of_exit_code(code), None, "{code}");
        }
    }
}
