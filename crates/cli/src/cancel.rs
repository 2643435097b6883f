//! Cancellation by SIGINT and SIGTERM, as GitHub sends them to a cancelled step, and by SIGHUP, as a closed
//! terminal sends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::{Exit, Failure};

/// Whether, and by which signal, this process was told to end.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    terminated: Arc<AtomicBool>,
}

impl Cancel {
    /// Listens for the signals from now on.
    pub fn on_signals() -> std::io::Result<Self> {
        let cancel = Self::default();
        let (mut interrupt, mut terminate, mut hang_up) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        );
        let told = cancel.clone();
        tokio::spawn(async move {
            let terminated = tokio::select! {
                _ = interrupt.recv() => false,
                _ = terminate.recv() => true,
                _ = hang_up.recv() => true,
            };
            told.terminated.store(terminated, Ordering::Relaxed);
            told.token.cancel();
        });
        Ok(cancel)
    }

    /// To be raced with.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Does what changes nothing, and gives it up when the command is cancelled meanwhile: a service that does
    /// not answer must not hold it.
    pub async fn unless<T>(
        &self,
        sentence: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            () = self.token.cancelled() => Err(self.failure(sentence)),
            result = work => result,
        }
    }

    /// The exit code of a command that was cancelled.
    pub fn exit(&self) -> Exit {
        if self.terminated.load(Ordering::Relaxed) { Exit::Terminated } else { Exit::Interrupted }
    }

    /// The failure of a command that was cancelled.
    pub fn failure(&self, sentence: &str) -> Failure {
        let exit = self.exit();
        let signal = if exit == Exit::Terminated { "told to end" } else { "interrupted" };
        Failure { class: "cancelled".into(), sentence: format!("{sentence} ({signal})"), remedy: None, exit }
    }
}
