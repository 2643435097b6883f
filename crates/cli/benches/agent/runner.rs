//! What stands where GitHub's runner would: it notes when it was started, and plays a job.
//!
//! It is this very program under another name, so that what it costs itself is the same for every way to it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::common::{Result, measure};

/// The program's name in the runner's folder.
pub(crate) const LISTENER: &str = "Runner.Listener";
/// How many seconds its job takes; the agent passes on what begins like this.
pub(crate) const JOB: &str = "RUNNER_BENCH_JOB";
/// Lines that it writes in a second of its job.
const LINES: u32 = 10;

/// The folder of a runner: where it notes its start, and the other files that a measurement needs.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Puts a runner into this folder.
    pub(crate) fn furnish(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(folder.join("bin"))?;
        std::os::unix::fs::symlink(std::env::current_exe()?, folder.join("bin").join(LISTENER))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.0.join("bin").join(LISTENER)
    }

    /// When the runner was started, since 1970. Forgets it.
    pub(crate) fn take_start(&self) -> Result<Duration> {
        let file = self.0.join("started");
        let text =
            std::fs::read_to_string(&file).map_err(|error| format!("the runner was not started: {error}"))?;
        std::fs::remove_file(file)?;
        Ok(Duration::from_nanos(text.parse()?))
    }

    /// Whether its job runs.
    pub(crate) fn is_busy(&self) -> bool {
        self.0.join("busy").exists()
    }
}

/// The runner.
pub(crate) fn main(own_name: &str) -> ExitCode {
    match play(Path::new(own_name)) {
        Ok(code) => code,
        Err(error) => {
            println!("An error occurred: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(program: &Path) -> Result<ExitCode> {
    let now = measure::now()?;
    let folder = program.parent().and_then(Path::parent).ok_or("it must be in bin")?;
    std::fs::write(folder.join("started"), now.as_nanos().to_string())?;
    if let Some(seconds) = std::env::var_os(JOB) {
        let seconds: u32 = seconds.to_string_lossy().parse()?;
        println!("\n√ Connected to GitHub\n\nCurrent runner version: '2.336.0'");
        println!("2026-01-01 00:00:00Z: Listening for Jobs\n2026-01-01 00:00:01Z: Running job: build");
        std::fs::write(folder.join("busy"), "")?;
        for line in 0..seconds * LINES {
            println!("[WORKER 2026-01-01 00:00:02Z INFO JobRunner] this is line {line} of a job");
            std::thread::sleep(Duration::from_secs(1) / LINES);
        }
        std::fs::remove_file(folder.join("busy"))?;
        println!("2026-01-01 00:00:03Z: Job build completed with result: Succeeded");
    }
    // As GitHub's: the job's result, if somebody asks for it.
    let asked = std::env::var("ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED").is_ok_and(|value| value == "1");
    Ok(if asked { ExitCode::from(100) } else { ExitCode::SUCCESS })
}
