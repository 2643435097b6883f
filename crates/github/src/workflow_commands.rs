//! What a step says to the runner: commands on standard output, lines in files.
//!
//! Only the texts are made here; the binary prints and writes them (GitHub docs, "Workflow commands").

use std::borrow::Cow;

/// The most that one step may put into its summary, in bytes.
pub const LARGEST_SUMMARY: usize = 1024 * 1024;

/// What stands at the end of a summary that had to be cut.
const CUT: &str = "\n\n_… the rest is left out: a step's summary holds at most 1 MiB._\n";

/// Ends what [`group`] began.
pub const END_GROUP: &str = "::endgroup::";

/// Escapes the text after the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property, such as `title`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn annotation(level: &str, title: Option<&str>, message: &str) -> String {
    let title = title.map(|title| format!(" title={}", property(title))).unwrap_or_default();
    format!("::{level}{title}::{}", data(message))
}

/// An error annotation.
pub fn error(title: Option<&str>, message: &str) -> String {
    annotation("error", title, message)
}

/// A warning annotation.
pub fn warning(title: Option<&str>, message: &str) -> String {
    annotation("warning", title, message)
}

/// A notice annotation.
pub fn notice(title: Option<&str>, message: &str) -> String {
    annotation("notice", title, message)
}

/// Begins a foldable group of log lines.
pub fn group(title: &str) -> String {
    format!("::group::{}", data(title))
}

/// Masks a secret in the log, one command a line: the runner masks lines, so each line of a secret is
/// masked by itself. Empty lines would mask nothing.
///
/// Never mask a label or a runner's name: an output that holds a masked value is dropped.
pub fn add_mask(secret: &str) -> Vec<String> {
    secret
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .map(|line| format!("::add-mask::{}", data(line)))
        .collect()
}

/// An entry for `$GITHUB_OUTPUT` (or `$GITHUB_ENV`), ended by a line that the value cannot hold.
///
/// `delimiter` must be random, so that no value can end itself and add an output of its own. `None` if the
/// value has that very line; take another delimiter then.
pub fn file_entry(key: &str, value: &str, delimiter: &str) -> Option<String> {
    let clash = value.lines().any(|line| line == delimiter);
    (!clash).then(|| format!("{key}<<{delimiter}\n{value}\n{delimiter}\n"))
}

/// A summary that fits: cut at the end of a line, with a note, if it does not.
pub fn fit_summary(markdown: &str) -> Cow<'_, str> {
    if markdown.len() <= LARGEST_SUMMARY {
        return Cow::Borrowed(markdown);
    }
    let end = markdown.floor_char_boundary(LARGEST_SUMMARY - CUT.len());
    let end = markdown[..end].rfind('\n').unwrap_or(end);
    Cow::Owned(format!("{}{CUT}", &markdown[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_leave_its_command() {
        assert_eq!(
            error(Some("a: b, c"), "50 %\r\nnext ::error::x"),
            "::error title=a%3A b%2C c::50 %25%0D%0Anext ::error::x"
        );
        assert_eq!(warning(None, "x"), "::warning::x");
        assert_eq!(notice(None, "x"), "::notice::x");
        assert_eq!(group("a\nb"), "::group::a%0Ab");
    }

    #[test]
    fn every_line_of_a_secret_is_masked() {
        assert_eq!(add_mask("one\r\n\ntwo%\n"), ["::add-mask::one", "::add-mask::two%25"]);
        assert!(add_mask("").is_empty());
    }

    #[test]
    fn a_value_cannot_end_its_entry() {
        assert_eq!(file_entry("label", "a\nb", "EOF_1").unwrap(), "label<<EOF_1\na\nb\nEOF_1\n");
        assert_eq!(file_entry("label", "a\nEOF_1\nevil=1", "EOF_1"), None);
    }

    #[test]
    fn a_summary_is_cut_at_a_line() {
        assert_eq!(fit_summary("| a |"), "| a |");
        let long = "ä row of the table\n".repeat(LARGEST_SUMMARY / 10);
        let fitted = fit_summary(&long);
        assert!(fitted.len() <= LARGEST_SUMMARY && fitted.ends_with(CUT));
        assert!(fitted.strip_suffix(CUT).unwrap().ends_with("table"));
        assert!(fit_summary(&"ä".repeat(LARGEST_SUMMARY)).len() <= LARGEST_SUMMARY);
    }
}
