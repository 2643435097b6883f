//! The state behind its lock, and the carrying out of its effects.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::state::{Effect, State};
use crate::book::Book;
use crate::events::Bus;
use crate::protocol::JobMessage;

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Counts what happened; whoever waits for something looks again when it grows.
    changed: watch::Sender<u64>,
    hosted: mpsc::UnboundedSender<Box<JobMessage>>,
    bus: Bus,
    pub(crate) book: Book,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn new(
        state: State,
        hosted: mpsc::UnboundedSender<Box<JobMessage>>,
        book: Book,
        bus: Bus,
    ) -> Self {
        Self {
            state: Mutex::new(state),
            changed: watch::channel(0).0,
            hosted,
            bus,
            book,
            stop: CancellationToken::new(),
        }
    }

    /// Does something with the state at this moment. Never held across a wait.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        // A panic in a handler leaves a state that is odd at worst; tests shall see the first panic.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut state, Timestamp::now());
        let effects = state.take_effects();
        let something = !effects.is_empty();
        // Still under the lock, so that listeners hear things in the order in which they happened.
        for effect in effects {
            match effect {
                Effect::Event(event) => self.bus.send(event),
                Effect::Wake => {}
                Effect::RunHosted(message) => {
                    let id = message.job_id;
                    if self.hosted.send(message).is_err() {
                        tracing::debug!(job = id, "no hosted machine takes jobs any more: shutting down");
                    }
                }
            }
        }
        drop(state);
        if something {
            self.changed.send_modify(|count| *count += 1);
        }
        result
    }

    /// Hears of everything that happens from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
