//! Reads the runner's output line by line, with a bound on a line's length, and makes it fit for a log.

use std::io;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tracing::warn;

/// The longest line that is kept; what follows is dropped. CloudWatch takes more, a reader does not.
pub(crate) const LONGEST_LINE: usize = 16 * 1024;

/// A line of the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The line as it came, for [`crate::lines`].
    pub(crate) line: String,
    /// Whether it came on the error stream.
    pub(crate) error: bool,
}

/// Reads lines until the stream ends or nobody listens any more.
pub(crate) async fn read(mut stream: impl AsyncRead + Unpin, error: bool, to: mpsc::Sender<Said>) {
    let mut splitter = Splitter::default();
    let mut chunk = vec![0; 8 * 1024];
    loop {
        let lines = match stream.read(&mut chunk).await {
            Ok(0) => Vec::from_iter(splitter.end()),
            Ok(n) => splitter.feed(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                warn!(%error, "cannot read the runner's output any more");
                return;
            }
        };
        for line in lines {
            if to.send(Said { line, error }).await.is_err() {
                return;
            }
        }
        if splitter.ended {
            return;
        }
    }
}

/// Cuts bytes into lines.
#[derive(Default)]
struct Splitter {
    line: Vec<u8>,
    dropped: usize,
    ended: bool,
}

impl Splitter {
    fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, complete) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LONGEST_LINE - self.line.len();
            let (kept, rest) = text.split_at(text.len().min(room));
            self.line.extend_from_slice(kept);
            self.dropped += rest.len();
            if complete {
                lines.push(self.take());
            }
        }
        lines
    }

    fn end(&mut self) -> Option<String> {
        self.ended = true;
        (!self.line.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        match std::mem::take(&mut self.dropped) {
            0 => line.into_owned(),
            dropped => format!("{line} [{dropped} bytes more]"),
        }
    }
}

/// The line as the log shows it: without escape sequences and control characters, and without the secret.
pub(crate) fn for_log(line: &str, secret: &SecretString) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            // A CSI sequence: parameters and intermediates, then one final byte (ECMA-48, 5.4).
            while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            chars.next_if(|c| matches!(c, '@'..='~'));
        } else if c == '\t' || !c.is_control() {
            clean.push(c);
        }
    }
    let secret = secret.expose_secret();
    if secret.is_empty() { clean } else { clean.replace(secret, "***") }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(bytes: &[u8]) -> Vec<String> {
        let (sender, mut receiver) = mpsc::channel(64);
        let reading = read(bytes, false, sender);
        let collecting = async {
            let mut lines = Vec::new();
            while let Some(said) = receiver.recv().await {
                lines.push(said.line);
            }
            lines
        };
        tokio::join!(reading, collecting).1
    }

    #[tokio::test]
    async fn lines_are_cut_at_line_ends_only() {
        assert_eq!(lines(b"one\ntwo\rstill two\n\nthree").await, ["one", "two\rstill two", "", "three"]);
        assert_eq!(lines(b"").await, [""; 0]);
        assert_eq!(lines(b"\xff\n").await, ["\u{fffd}"]);
    }

    #[tokio::test]
    async fn an_endless_line_is_bounded() {
        let mut bytes = vec![b'x'; LONGEST_LINE + 100_000];
        bytes.extend_from_slice(b"\nnext\n");
        let lines = lines(&bytes).await;
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("x [100000 bytes more]") && lines[0].len() < LONGEST_LINE + 50);
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn a_line_for_the_log_is_plain_text_without_the_secret() {
        let secret = SecretString::from("s3cret");
        assert_eq!(for_log("\u{1b}[31;1mred\u{1b}[0m\ta\r\u{7}b \u{1b}[2K√", &secret), "red\tab √");
        assert_eq!(for_log("got s3cret here", &secret), "got *** here");
        assert_eq!(for_log("\u{1b}[", &secret), "");
        assert_eq!(for_log("as it is", &SecretString::from("")), "as it is");
    }
}
