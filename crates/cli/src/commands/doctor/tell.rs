//! How findings are told: to people, to scripts, to the run of a workflow.

use std::fmt::Write as _;

use fleetfoot_github::{WorkflowContext, workflow_commands};
use owo_colors::{OwoColorize, Stream};

use super::finding::{Finding, Group, State};
use crate::args::Output;
use crate::failure::Failure;
use crate::outputs;

/// Tells everything; in a workflow also as annotations and in the step's summary.
pub(super) fn all(
    groups: &[Group],
    context: Option<&WorkflowContext>,
    output: Output,
) -> Result<(), Failure> {
    let findings: Vec<&Finding> = groups.iter().flat_map(|group| &group.findings).collect();
    match output {
        Output::Text => anstream::println!("{}\n{}", text(groups), counts(&findings)),
        Output::Json => anstream::println!("{:#}", serde_json::json!(findings)),
    }
    if context.is_some() {
        for line in findings.iter().filter_map(|finding| annotation(finding)) {
            anstream::eprintln!("{line}");
        }
    }
    outputs::summarize(context, &summary(groups, &findings))
}

/// `23 checks: 2 problems, 21 ok`.
fn counts(findings: &[&Finding]) -> String {
    let parts: Vec<String> = State::ALL
        .into_iter()
        .filter_map(|state| {
            let count = findings.iter().filter(|finding| finding.state == state).count();
            let plural = match state {
                State::Problem | State::Warning | State::Note if count != 1 => "s",
                _ => "",
            };
            (count > 0).then(|| format!("{count} {}{plural}", state.word()))
        })
        .collect();
    format!("{} checks: {}", findings.len(), parts.join(", "))
}

fn text(groups: &[Group]) -> String {
    const INDENT: usize = "  problem  ".len();
    let widest = groups.iter().flat_map(|group| &group.findings).map(|f| f.check.word().len()).max();
    let width = widest.unwrap_or_default();
    let mut text = String::new();
    for Group { title, findings } in groups {
        let title = title.if_supports_color(Stream::Stdout, |t| t.bold()).to_string();
        _ = writeln!(text, "{title}");
        for finding in findings {
            let state = paint(finding.state, &format!("{:<7}", finding.state.word()));
            _ = writeln!(text, "  {state}  {:<width$}  {}", finding.check, finding.sentence);
            for line in finding.remedy.iter().flat_map(|remedy| remedy.lines()) {
                _ = writeln!(text, "{:indent$}{line}", "", indent = INDENT + width + 2);
            }
        }
    }
    text
}

/// Colour, unless `NO_COLOR` is set or nobody sees it.
fn paint(state: State, text: &str) -> String {
    let out = Stream::Stdout;
    match state {
        State::Ok => text.if_supports_color(out, |t| t.green()).to_string(),
        State::Problem => text.if_supports_color(out, |t| t.red()).to_string(),
        State::Warning => text.if_supports_color(out, |t| t.yellow()).to_string(),
        State::Note | State::Skipped => text.if_supports_color(out, |t| t.dimmed()).to_string(),
    }
}

fn annotation(finding: &Finding) -> Option<String> {
    let title = format!("fleetfoot doctor: {} of {}", finding.check, finding.subject);
    let message = [Some(finding.sentence.as_str()), finding.remedy.as_deref()];
    let message = message.into_iter().flatten().collect::<Vec<_>>().join("\n");
    match finding.state {
        State::Problem => Some(workflow_commands::error(Some(&title), &message)),
        State::Warning => Some(workflow_commands::warning(Some(&title), &message)),
        State::Ok | State::Note | State::Skipped => None,
    }
}

fn summary(groups: &[Group], findings: &[&Finding]) -> String {
    let mut page = format!("### Fleetfoot doctor: {}\n", counts(findings));
    for Group { title, findings } in groups {
        _ = write!(page, "\n**{}**\n\n| | check | |\n|---|---|---|\n", cell(title));
        for finding in findings {
            let remedy = finding.remedy.as_deref().map(|r| format!("<br>*{}*", cell(r))).unwrap_or_default();
            let (state, sentence) = (finding.state.word(), cell(&finding.sentence));
            _ = writeln!(page, "| {state} | `{}` | {sentence}{remedy} |", finding.check);
        }
    }
    page.push('\n');
    page
}

/// Text in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|").replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Check;
    use super::*;

    fn groups() -> Vec<Group> {
        let cluster = Check::Cluster.of("c").ok("it is there");
        let way = Check::WayOut.of("linux").problem("no way | out", "Make one.\nOr two.");
        let quota = Check::Quota.of("linux").skipped(Check::AwsCredentials);
        vec![Group::new("Stack demo", vec![cluster]), Group::new("Pool linux", vec![way, quota])]
    }

    #[test]
    fn people_see_a_remedy_below_what_is_wrong() {
        insta::assert_snapshot!(text(&groups()), @r"
        Stack demo
          ok       cluster  it is there
        Pool linux
          problem  way-out  no way | out
                            Make one.
                            Or two.
          skipped  quota    not checked, because it builds on aws-credentials
        ");
    }

    #[test]
    fn the_worst_is_counted_first() {
        let groups = groups();
        let findings: Vec<&Finding> = groups.iter().flat_map(|group| &group.findings).collect();
        assert_eq!(counts(&findings), "3 checks: 1 problem, 1 skipped, 1 ok");
        insta::assert_snapshot!(summary(&groups, &findings), @r"
        ### Fleetfoot doctor: 3 checks: 1 problem, 1 skipped, 1 ok

        **Stack demo**

        | | check | |
        |---|---|---|
        | ok | `cluster` | it is there |

        **Pool linux**

        | | check | |
        |---|---|---|
        | problem | `way-out` | no way \| out<br>*Make one.<br>Or two.* |
        | skipped | `quota` | not checked, because it builds on aws-credentials |
        ");
    }

    #[test]
    fn only_what_is_wrong_is_annotated() {
        let groups = groups();
        let lines: Vec<String> =
            groups.iter().flat_map(|group| &group.findings).filter_map(annotation).collect();
        assert_eq!(
            lines,
            ["::error title=fleetfoot doctor%3A way-out of linux::no way | out%0AMake one.%0AOr two."]
        );
    }
}
