//! A log to look into: for tests that no secret is in it.
//!
//! Shared by the adapters' tests with `#[path]`; a crate for one type would be too much, and no crate that they
//! both know is about logs.

use std::sync::{Arc, Mutex, OnceLock};

/// What is logged in this process since somebody first listened, at the most talkative level.
///
/// Of the whole process, because tracing asks only the thread that first comes by a place in the source whether
/// anybody wants to hear of it: with a listener on one thread alone, a test beside it could silence that place.
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
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let listen = || {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            log
        };
        LOG.get_or_init(listen).clone()
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
