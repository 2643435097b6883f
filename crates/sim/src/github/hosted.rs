//! GitHub's own machines: jobs on `ubuntu-latest` and the like, in real shells on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::config::HostedRunners;
use super::shared::Shared;
use crate::protocol::{Completion, Conclusion, JobMessage, LogLines, StepUpdate};
use crate::runner::{self, HostOptions, Reporter};

/// What an image's `PATH` holds when the settings name none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs jobs as they come, until the simulator stops; then ends those that run.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    mut jobs: mpsc::UnboundedReceiver<Box<JobMessage>>,
    settings: HostedRunners,
) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            Some(job) = jobs.recv() => {
                running.spawn(run(Arc::clone(&shared), *job, settings.clone()));
            }
            Some(ended) = running.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a hosted machine broke down");
                }
            }
            () = shared.stop.cancelled() => break,
        }
    }
    while running.join_next().await.is_some() {}
}

async fn run(shared: Arc<Shared>, job: JobMessage, settings: HostedRunners) {
    let id = job.job_id;
    if !shared.with(|state, now| state.start_job(id, now)) {
        return;
    }
    let work = settings.root.join(id.to_string());
    let completion = match prepare(&work).await {
        Ok(()) => {
            let cancel = shared.stop.child_token();
            let watcher = tokio::spawn(watch(Arc::clone(&shared), id, cancel.clone()));
            let reporter = Arc::new(Machine { shared: Arc::clone(&shared), job: id });
            let host = host(&settings, &work, &job);
            let completion = runner::execute(job, reporter, host, cancel).await;
            watcher.abort();
            completion
        }
        Err(error) => {
            let line = format!("The machine could not be set up in {}: {error}", work.display());
            shared.with(|state, now| state.log_job(id, LogLines { step: 0, lines: vec![line] }, now));
            Completion {
                conclusion: Conclusion::Failure,
                outputs: std::collections::BTreeMap::new(),
                annotations: Vec::new(),
                summary: String::new(),
            }
        }
    };
    shared.with(|state, now| state.complete_job(id, completion, now));
    if let Err(error) = tokio::fs::remove_dir_all(&work).await {
        tracing::warn!(%error, folder = %work.display(), "a hosted machine's folder was not removed");
    }
}

async fn prepare(work: &Path) -> std::io::Result<()> {
    tokio::fs::create_dir_all(home(work)).await
}

fn home(work: &Path) -> PathBuf {
    work.join("home")
}

fn host(settings: &HostedRunners, work: &Path, job: &JobMessage) -> HostOptions {
    let name = job.environment.get("RUNNER_NAME").map_or("GitHub Actions", String::as_str);
    let mut options = HostOptions::new(work.join("work"), name);
    options.github_hosted = true;
    options.path_prepend.clone_from(&settings.path_prepend);
    options.environment = settings.env.clone();
    options.environment.entry("PATH".into()).or_insert_with(|| PATH.into());
    options.environment.entry("HOME".into()).or_insert_with(|| home(work).display().to_string());
    options
}

/// Cancels the job when its run is cancelled.
async fn watch(shared: Arc<Shared>, job: u64, cancel: CancellationToken) {
    let mut changes = shared.changes();
    while !shared.with(|state, _| state.hosted_is_cancelled(job)) {
        if changes.changed().await.is_err() {
            return;
        }
    }
    cancel.cancel();
}

struct Machine {
    shared: Arc<Shared>,
    job: u64,
}

impl Reporter for Machine {
    fn log(&self, lines: LogLines) {
        self.shared.with(|state, now| state.log_job(self.job, lines, now));
    }

    fn step(&self, update: StepUpdate) {
        self.shared.with(|state, now| state.step_job(self.job, update, now));
    }
}
