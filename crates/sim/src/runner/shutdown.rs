//! SIGINT and SIGTERM, as the official runner takes them.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::terminal::Terminal;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// SIGINT: cancel the job and wait for it.
    Interrupt,
    /// SIGTERM: the same, but not for long.
    Terminate,
}

/// The signals of this process.
pub(crate) struct Signals {
    heard: mpsc::UnboundedReceiver<Shutdown>,
    task: JoinHandle<()>,
}

impl Signals {
    /// Takes the signals over and prints `Exiting...` at the first.
    pub(crate) fn listen(terminal: Terminal) -> io::Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (sender, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut first = true;
            loop {
                let shutdown = tokio::select! {
                    _ = interrupt.recv() => Shutdown::Interrupt,
                    _ = terminate.recv() => Shutdown::Terminate,
                };
                if std::mem::take(&mut first) {
                    terminal.line("Exiting...");
                }
                if sender.send(shutdown).is_err() {
                    return;
                }
            }
        });
        Ok(Self { heard, task })
    }

    /// The next signal; never, if none comes.
    pub(crate) async fn next(&mut self) -> Shutdown {
        match self.heard.recv().await {
            Some(shutdown) => shutdown,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.task.abort();
    }
}
