//! Workflow commands: lines like `::error title=…::message` that steps print.
//!
//! Source: GitHub docs, "Workflow commands for GitHub Actions".

use crate::protocol::Annotation;

/// What a line asks the runner to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `::add-mask::value`
    AddMask(String),
    /// `::error::`, `::warning::`, `::notice::`
    Annotate(Annotation),
    /// `::group::title`
    Group(String),
    /// `::endgroup::`
    EndGroup,
    /// `::debug::message`
    Debug(String),
    /// `::stop-commands::token`: lines are only text until `::token::`.
    Stop(String),
    /// A command that GitHub has taken away, with what to do instead. It changes nothing.
    Gone(&'static str),
    /// A command that GitHub refuses, with the reason. It fails the step.
    Refused(&'static str),
    /// A command about how GitHub's pages show a log: nothing to do.
    Ignored,
}

/// Reads a line; `None` if it is only text.
pub(crate) fn parse(line: &str) -> Option<Command> {
    let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let data = unescape_data(data);
    Some(match name.to_ascii_lowercase().as_str() {
        "add-mask" => Command::AddMask(data),
        level @ ("error" | "warning" | "notice") => Command::Annotate(Annotation {
            level: level.to_owned(),
            title: property(properties, "title"),
            message: data,
        }),
        "group" => Command::Group(data),
        "endgroup" => Command::EndGroup,
        "debug" => Command::Debug(data),
        "stop-commands" => Command::Stop(data),
        "set-output" => Command::Gone("`::set-output` is gone: append name=value to the file $GITHUB_OUTPUT"),
        "save-state" => Command::Gone("`::save-state` is gone: append name=value to the file $GITHUB_STATE"),
        "set-env" => Command::Refused("`::set-env` is refused: append name=value to the file $GITHUB_ENV"),
        "add-path" => Command::Refused("`::add-path` is refused: append the folder to the file $GITHUB_PATH"),
        "add-matcher" | "remove-matcher" | "echo" => Command::Ignored,
        _ => return None,
    })
}

fn property(properties: &str, wanted: &str) -> Option<String> {
    properties
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
        .map(|(_, value)| unescape_property(value))
        .filter(|value| !value.is_empty())
}

fn unescape_data(text: &str) -> String {
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

fn unescape_property(text: &str) -> String {
    unescape_data(&text.replace("%3A", ":").replace("%2C", ","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_have_titles_and_unescaped_text() {
        let line = "::error file=a.rs,line=3,title=It%3A broke%2C badly::first%0Asecond 100%25";
        assert_eq!(
            parse(line),
            Some(Command::Annotate(Annotation {
                level: "error".to_owned(),
                title: Some("It: broke, badly".to_owned()),
                message: "first\nsecond 100%".to_owned(),
            }))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_a_command_or_text(line in "(::)?[a-z-]{0,8} ?[^\n]{0,30}(::)?[^\n]*") {
            let _ = parse(&line);
        }
    }

    #[test]
    fn what_is_no_command_is_text() {
        for line in ["hello", "::unknown::x", "::error", "a ::error::b", ":error::b"] {
            assert_eq!(parse(line), None, "{line}");
        }
        assert_eq!(parse("  ::group::Build"), Some(Command::Group("Build".to_owned())));
        assert!(matches!(parse("::set-output name=a::b"), Some(Command::Gone(_))));
    }
}
