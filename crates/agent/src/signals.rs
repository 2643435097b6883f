//! SIGTERM and SIGINT as messages, so that a test can send them without a process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// A signal that asks the agent to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM: ECS stops the task, or a spot interruption is two minutes away.
    Terminate,
    /// SIGINT: a person at a terminal.
    Interrupt,
}

impl StopSignal {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }
}

/// Listens for SIGTERM and SIGINT of this process from now on.
///
/// As PID 1 a process without handlers ignores both, so call this before anything that takes time.
///
/// # Errors
/// The handlers cannot be installed.
pub fn stop_signals() -> io::Result<mpsc::Receiver<StopSignal>> {
    let (sender, receiver) = mpsc::channel(8);
    for (kind, message) in
        [(SignalKind::terminate(), StopSignal::Terminate), (SignalKind::interrupt(), StopSignal::Interrupt)]
    {
        tokio::spawn(forward(signal(kind)?, message, sender.clone()));
    }
    Ok(receiver)
}

async fn forward(mut signals: Signal, message: StopSignal, sender: mpsc::Sender<StopSignal>) {
    while signals.recv().await.is_some() {
        if sender.send(message).await.is_err() {
            return;
        }
    }
}

/// The next signal. Waits for ever once nobody can send one any more.
pub(crate) async fn next(stops: &mut mpsc::Receiver<StopSignal>) -> StopSignal {
    match stops.recv().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}
