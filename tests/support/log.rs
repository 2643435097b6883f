//! A log to look into: for tests that no secret is in it.
//!
//! Shared by the adapters' tests with `#[path]`; a crate for one type would be too much, and no crate that they
//! both know is about logs.

use std::sync::{Arc, Mutex};

/// What is logged on this thread while the guard lives, at the most talkative level.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Listens until the guard is dropped.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// All of it so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The log tells of these things, so it was listened to, and shows no secret.
    pub(crate) fn assert_hides(&self, told: &[&str], secrets: &[&str]) {
        let text = self.text();
        for word in told {
            assert!(text.contains(word), "nothing was logged of {word:?}");
        }
        for secret in secrets {
            let place = text.lines().find(|line| line.contains(secret));
            assert_eq!(place, None, "{secret} is in the log");
        }
    }
}
