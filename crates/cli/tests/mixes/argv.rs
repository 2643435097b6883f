//! The command lines of every process that this machine showed while the tests ran.
//!
//! Whoever has a shell on a machine can read them, a job on its runner for one.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A process that matters, an agent or a runner, lives longer than this.
const PAUSE: Duration = Duration::from_millis(100);

static SEEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(|| {
    thread::spawn(|| {
        loop {
            look();
            thread::sleep(PAUSE);
        }
    });
    Mutex::default()
});

fn look() {
    let lines: Vec<String> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            path.file_name()?.to_str()?.parse::<u32>().ok()?;
            // What has ended meanwhile has no command line any more.
            let line = fs::read(path.join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        })
        .collect();
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
}

/// Begins to look.
pub(crate) fn watch() {
    LazyLock::force(&SEEN);
}

/// Everything seen so far.
pub(crate) fn seen() -> Vec<String> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}
