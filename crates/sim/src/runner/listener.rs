//! `bin/Runner.Listener run`: opens a session, waits for the one job of a single-use runner, runs it.
//!
//! Lines on standard output and exit codes are those of the official runner 2.336, because whoever
//! watches a runner reads both.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::config::JitConfig;
use super::shutdown::{Shutdown, Signals};
use super::terminal::Terminal;
use super::wire::{Alive, HttpReporter, PollError, Service, SessionError};
use super::{HostOptions, machine};
use crate::protocol::{Completion, Conclusion, JobMessage, Session, SessionRequest};

/// The version this stand-in claims to be.
pub const VERSION: &str = "2.336.0";

/// Between two tries to reach the service.
const RETRY: Duration = Duration::from_secs(5);
/// How long somebody else's session is waited for.
const CONFLICT_LIMIT: Duration = Duration::from_mins(4);
/// Between two signs of life of a running job.
const RENEW: Duration = Duration::from_secs(1);
/// No deadline at all.
const FAR: Duration = Duration::from_hours(24);
/// How long a job may go on after SIGTERM.
const TERMINATE_LIMIT: Duration = Duration::from_secs(30);

/// What the program reads from its environment, and where it writes.
pub struct Options {
    /// `ACTIONS_RUNNER_INPUT_JITCONFIG`.
    pub jitconfig: Option<String>,
    /// The runner's folder; the work folder is below it.
    pub root: PathBuf,
    /// `ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1`: exit code 7 for a deprecated version.
    pub return_version_deprecated: bool,
    /// `ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED=1`: exit codes 100 to 105 for the job's result.
    pub return_job_result: bool,
    /// The environment that steps inherit (`PATH`, `HOME`, `LANG`, …). The JIT configuration must not be
    /// in it.
    pub environment: BTreeMap<String, String>,
    /// `ACTIONS_RUNNER_HOOK_JOB_STARTED`.
    pub hook_job_started: Option<PathBuf>,
    /// `ACTIONS_RUNNER_HOOK_JOB_COMPLETED`.
    pub hook_job_completed: Option<PathBuf>,
    /// How long a session that somebody else holds is waited for; four minutes unless changed.
    pub conflict_limit: Duration,
    /// Standard output.
    pub out: Box<dyn Write + Send>,
}

impl Options {
    /// Options with every switch off and nothing inherited.
    pub fn new(jitconfig: Option<String>, root: PathBuf, out: Box<dyn Write + Send>) -> Self {
        Self {
            jitconfig,
            root,
            return_version_deprecated: false,
            return_job_result: false,
            environment: BTreeMap::new(),
            hook_job_started: None,
            hook_job_completed: None,
            conflict_limit: CONFLICT_LIMIT,
            out,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("root", &self.root).finish_non_exhaustive()
    }
}

/// How the listener ends; the number is the exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Ok,
    Terminated,
    Retryable,
    SessionConflict,
    VersionDeprecated,
    Job(JobResult),
}

/// How the job ended, in the official runner's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobResult {
    Succeeded,
    Failed,
    Canceled,
    Skipped,
    Abandoned,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Terminated => 1,
            Self::Retryable => 2,
            Self::SessionConflict => 5,
            Self::VersionDeprecated => 7,
            Self::Job(JobResult::Succeeded) => 100,
            Self::Job(JobResult::Failed) => 102,
            Self::Job(JobResult::Canceled) => 103,
            Self::Job(JobResult::Skipped) => 104,
            Self::Job(JobResult::Abandoned) => 105,
        }
    }
}

impl From<Conclusion> for JobResult {
    fn from(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Success => Self::Succeeded,
            Conclusion::Failure => Self::Failed,
            Conclusion::Cancelled => Self::Canceled,
            Conclusion::Skipped => Self::Skipped,
        }
    }
}

/// Listens for one job, runs it, and returns the exit code of the process.
///
/// Takes over SIGINT and SIGTERM of the process while it runs. SIGINT cancels the job and waits for it
/// without limit; SIGTERM does the same, but after 30 seconds it kills the job's processes and gives up.
/// Exit codes: 0 ok, 1 terminated, 2 retryable, 5 session conflict, 7 version deprecated (if asked for),
/// 100 to 105 the job's result (if asked for).
pub async fn run(options: Options) -> u8 {
    let Options { jitconfig, out, .. } = options;
    let terminal = Terminal::new(out);
    let Some(encoded) = jitconfig else {
        terminal.line("An error occurred: Not configured. Run config.(sh/cmd) to configure the runner.");
        return Exit::Terminated.code();
    };
    let prepared = JitConfig::decode(&encoded)
        .map_err(|error| error.to_string())
        .and_then(|config| Ok((Service::new(&config)?, config)))
        .and_then(|parts| Ok((parts, Signals::listen(terminal.clone()).map_err(|error| error.to_string())?)));
    let ((service, config), signals) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => {
            terminal.line(&format!("An error occurred: {message}"));
            return Exit::Terminated.code();
        }
    };
    let host = HostOptions {
        work: options.root.join(&config.settings.work_folder),
        environment: options.environment,
        path_prepend: Vec::new(),
        runner_name: config.settings.agent_name,
        github_hosted: false,
        hook_job_started: options.hook_job_started,
        hook_job_completed: options.hook_job_completed,
    };
    let listener = Listener {
        terminal,
        service,
        signals,
        host,
        return_version_deprecated: options.return_version_deprecated,
        return_job_result: options.return_job_result,
        conflict_limit: options.conflict_limit,
    };
    listener.listen().await.code()
}

struct Listener {
    terminal: Terminal,
    service: Service,
    signals: Signals,
    host: HostOptions,
    return_version_deprecated: bool,
    return_job_result: bool,
    conflict_limit: Duration,
}

impl Listener {
    async fn listen(mut self) -> Exit {
        let session = match self.connect().await {
            Ok(session) => session,
            Err(exit) => return exit,
        };
        self.terminal.line(&format!("Current runner version: '{VERSION}'"));
        self.terminal.timed("Listening for Jobs");
        let exit = self.wait_for_job(&session).await;
        self.service.close(&session).await;
        exit
    }

    async fn connect(&mut self) -> Result<Session, Exit> {
        let request = SessionRequest {
            version: VERSION.to_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: machine::arch().to_owned(),
        };
        let began = Instant::now();
        let mut greeted = false;
        loop {
            let opened = tokio::select! {
                opened = self.service.open(&request) => opened,
                _ = self.signals.next() => return Err(Exit::Ok),
            };
            if !greeted && !matches!(opened, Err(SessionError::Unreachable(_))) {
                self.terminal.success("Connected to GitHub");
                greeted = true;
            }
            let error = match opened {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            match error {
                SessionError::Deprecated => {
                    self.terminal.line(&format!(
                        "An error occurred: Runner version v{VERSION} is deprecated and cannot receive messages."
                    ));
                    let asked = self.return_version_deprecated;
                    return Err(if asked { Exit::VersionDeprecated } else { Exit::Terminated });
                }
                SessionError::Deleted => return Err(self.deleted()),
                SessionError::Unauthorized => {
                    self.terminal.line(
                        "Failed to create a session. The server did not accept the runner's credentials.",
                    );
                    return Err(Exit::Terminated);
                }
                SessionError::Conflict if began.elapsed() >= self.conflict_limit => {
                    self.terminal.line("Failed to create session. A session for this runner already exists.");
                    return Err(Exit::SessionConflict);
                }
                SessionError::Conflict | SessionError::Unreachable(_) => {
                    self.terminal
                        .timed(&format!("Runner connect error: {error}. Retrying until reconnected."));
                }
            }
            tokio::select! {
                () = sleep(RETRY.min(self.conflict_limit)) => {}
                _ = self.signals.next() => return Err(Exit::Ok),
            }
        }
    }

    async fn wait_for_job(&mut self, session: &Session) -> Exit {
        let mut lost = false;
        loop {
            let polled = tokio::select! {
                polled = self.service.poll(session) => polled,
                _ = self.signals.next() => return Exit::Ok,
            };
            match polled {
                Err(PollError::Deleted) => return self.deleted(),
                Err(PollError::Unreachable(error)) => {
                    if !lost {
                        self.terminal
                            .timed(&format!("Runner connect error: {error}. Retrying until reconnected."));
                        lost = true;
                    }
                    tokio::select! {
                        () = sleep(RETRY) => {}
                        _ = self.signals.next() => return Exit::Ok,
                    }
                }
                Ok(message) => {
                    if std::mem::take(&mut lost) {
                        self.terminal.timed("Runner reconnected.");
                    }
                    let Some(job) = message else { continue };
                    match self.service.start(job.job_id).await {
                        Ok(true) => return self.run_job(job).await,
                        // It was taken back before we had it.
                        Ok(false) => {}
                        Err(error) => {
                            self.terminal.timed(&format!("Runner connect error: {error}."));
                            return Exit::Retryable;
                        }
                    }
                }
            }
        }
    }

    async fn run_job(&mut self, job: JobMessage) -> Exit {
        let (id, name) = (job.job_id, job.name.clone());
        self.terminal.timed(&format!("Running job: {name}"));
        let (reporter, told) = HttpReporter::start(self.service.clone(), id);
        let cancel = CancellationToken::new();
        let lease = Lease::keep(self.service.clone(), id, cancel.clone());
        let running = super::execute(job, Arc::new(reporter), self.host.clone(), cancel.clone());
        let completion = self.see_through(running, &cancel).await;
        let abandoned = lease.end();
        let Some(completion) = completion else {
            self.terminal
                .timed(&format!("Job {name} did not end within {} seconds.", TERMINATE_LIMIT.as_secs()));
            return Exit::Terminated;
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, "the reports of the job broke off");
        }
        let mut result = JobResult::from(completion.conclusion);
        if abandoned {
            result = JobResult::Abandoned;
        } else if let Err(error) = self.service.complete(id, &completion).await {
            self.terminal
                .timed(&format!("Runner connect error: {error}. The job's result was not delivered."));
            result = JobResult::Abandoned;
        }
        self.terminal.timed(&format!("Job {name} completed with result: {result:?}"));
        if self.return_job_result { Exit::Job(result) } else { Exit::Ok }
    }

    /// Waits for the job, while signals may cancel it. `None` if it was given up.
    async fn see_through(
        &mut self,
        running: impl Future<Output = Completion>,
        cancel: &CancellationToken,
    ) -> Option<Completion> {
        tokio::pin!(running);
        let mut limit: Option<Instant> = None;
        loop {
            let far = Instant::now() + FAR;
            tokio::select! {
                completion = &mut running => return Some(completion),
                signal = self.signals.next() => {
                    cancel.cancel();
                    if signal == Shutdown::Terminate && limit.is_none() {
                        limit = Some(Instant::now() + TERMINATE_LIMIT);
                    }
                }
                // What is dropped here kills its processes.
                () = sleep_until(limit.unwrap_or(far)), if limit.is_some() => return None,
            }
        }
    }

    fn deleted(&self) -> Exit {
        self.terminal.line(
            "Failed to create a session. The runner registration has been deleted from the server, please \
             re-configure. Runner registrations are automatically deleted for runners that have not connected \
             to the service recently.",
        );
        Exit::Terminated
    }
}

/// Keeps the server believing that the job is alive, and hears of its cancellation.
struct Lease {
    abandoned: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Lease {
    fn keep(service: Service, job: u64, cancel: CancellationToken) -> Self {
        let abandoned = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn({
            let abandoned = Arc::clone(&abandoned);
            async move {
                loop {
                    match service.renew(job).await {
                        Alive::Yes { cancel: true } => cancel.cancel(),
                        Alive::Abandoned => {
                            abandoned.store(true, Ordering::SeqCst);
                            return cancel.cancel();
                        }
                        Alive::Yes { cancel: false } | Alive::Unknown => {}
                    }
                    sleep(RENEW).await;
                }
            }
        });
        Self { abandoned, task }
    }

    /// Whether the server gave the job up in the meantime.
    fn end(self) -> bool {
        self.task.abort();
        self.abandoned.load(Ordering::SeqCst)
    }
}
