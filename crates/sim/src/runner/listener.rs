//! The listener.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

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
    /// The environment that steps inherit (`PATH`, `HOME`, `LANG`, …). The JIT configuration must not be in it.
    pub environment: BTreeMap<String, String>,
    /// `ACTIONS_RUNNER_HOOK_JOB_STARTED`.
    pub hook_job_started: Option<PathBuf>,
    /// `ACTIONS_RUNNER_HOOK_JOB_COMPLETED`.
    pub hook_job_completed: Option<PathBuf>,
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
            out,
        }
    }
}

/// Listens for one job, runs it, and returns the exit code of the process.
///
/// Takes over SIGINT and SIGTERM of the process while it runs.
pub async fn run(options: Options) -> u8 {
    drop(options);
    std::future::pending().await
}
