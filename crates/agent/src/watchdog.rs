//! Ends the process if the agent itself hangs.
//!
//! Every wait of the agent has a deadline, but a deadline helps only an agent that runs. One that cannot
//! even write its log (nobody reads its standard output, or the log driver blocks) would wait for ever, and
//! the task would be paid for ever. So a thread that needs nothing of the agent looks at the clock.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fleetfoot_core::exit::AgentExit;
use tracing::error;

use crate::household;
use crate::journal::word;

/// How long the last words may take: what hangs may be the log.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The thread, and when it is to bite. It rests when this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog(Arc<Watch>);

#[derive(Debug, Default)]
struct Watch {
    due: Mutex<Option<Due>>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    exit: AgentExit,
    over: bool,
}

impl Watchdog {
    /// Starts the thread. `bite` ends the process.
    pub(crate) fn start(bite: fn(AgentExit)) -> Self {
        let watch = Arc::new(Watch::default());
        let watched = Arc::clone(&watch);
        thread::spawn(move || {
            if let Some(exit) = watched.wait() {
                last_words(exit);
                household::kill_everyone();
                bite(exit);
            }
        });
        Self(watch)
    }

    /// The agent must be done with what it does now before this much time has passed, or it ends so.
    pub(crate) fn expect_within(&self, time: Duration, exit: AgentExit) {
        // Beyond what the clock can count it never comes.
        let due = Instant::now().checked_add(time).map(|at| Due { at, exit, over: false });
        *self.0.lock() = due;
        self.0.changed.notify_all();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.0.lock() = Some(Due { at: Instant::now(), exit: AgentExit::Terminated, over: true });
        self.0.changed.notify_all();
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Option<Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the moment that is due; `None` if it never comes.
    fn wait(&self) -> Option<AgentExit> {
        let mut due = self.lock();
        loop {
            let now = Instant::now();
            due = match *due {
                Some(Due { over: true, .. }) => return None,
                Some(Due { at, exit, .. }) if now >= at => return Some(exit),
                Some(Due { at, .. }) => {
                    let waited = self.changed.wait_timeout(due, at - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(due).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

fn last_words(exit: AgentExit) {
    let words = thread::spawn(move || {
        error!(
            exit = word(exit),
            code = exit.code(),
            remedy = "see whether the log driver blocks (awslogs in mode non-blocking does not)",
            "the agent hangs past its last deadline; ending everything"
        );
    });
    let deadline = Instant::now() + LAST_WORDS;
    while !words.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(due: Option<Due>) -> Arc<Watch> {
        Arc::new(Watch { due: Mutex::new(due), changed: Condvar::new() })
    }

    #[test]
    fn it_bites_when_it_is_due_and_not_before() {
        let from = Instant::now();
        let due = Due { at: from + Duration::from_millis(80), exit: AgentExit::MaxLifetime, over: false };
        assert_eq!(watch(Some(due)).wait(), Some(AgentExit::MaxLifetime));
        assert!(from.elapsed() >= Duration::from_millis(80));
    }

    #[test]
    fn it_is_called_off_and_put_off() {
        let due = Due { at: Instant::now() + Duration::from_millis(50), exit: AgentExit::Idle, over: false };
        let watch = watch(Some(due));
        let dog = Watchdog(Arc::clone(&watch));
        dog.expect_within(Duration::from_mins(1), AgentExit::MaxLifetime);
        let waiting = thread::spawn(move || watch.wait());
        thread::sleep(Duration::from_millis(150));
        assert!(!waiting.is_finished());
        drop(dog);
        assert_eq!(waiting.join().unwrap(), None);
    }

    #[test]
    fn a_time_beyond_the_clock_never_comes() {
        let watch = watch(None);
        let dog = Watchdog(Arc::clone(&watch));
        dog.expect_within(Duration::MAX, AgentExit::MaxLifetime);
        let waiting = thread::spawn(move || watch.wait());
        thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(dog);
        assert_eq!(waiting.join().unwrap(), None);
    }
}
