//! The generated pages say what the code says: `docs/commands.md` the command line,
//! `docs/stack.schema.json` the types of the stack document, `action.yml` and `stop/action.yml` the flags.
//!
//! `cargo xtask docs` runs these tests with `FLEETFOOT_WRITE_DOCS` set; they write the pages then. The
//! Markdown is made here from clap's model instead of its help text, which depends on the terminal.

mod action;
mod costs;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory};
use fleetfoot::args::Cli;

#[test]
fn commands_page_is_current() {
    is_current("docs/commands.md", &commands_page());
}

#[test]
fn stack_schema_is_current() {
    let schema = serde_json::to_string_pretty(&fleetfoot_core::stack::schema()).expect("a schema is JSON");
    is_current("docs/stack.schema.json", &(schema + "\n"));
}

/// Every flag has a variable of its own; only `demo --input`, a pair of name and value, has none.
#[test]
fn flags_have_variables_of_their_own() {
    for command in commands() {
        let mut seen = Vec::new();
        for arg in flags(&command).filter(|arg| arg.get_id() != "inputs") {
            let variable = arg.get_env().unwrap_or_else(|| panic!("{}: {arg} has none", command.get_name()));
            assert!(!seen.contains(&variable), "{}: {arg} shares {}", command.get_name(), variable.display());
            seen.push(variable);
        }
    }
}

fn is_current(page: &str, wanted: &str) {
    let path = root().join(page);
    if env::var_os("FLEETFOOT_WRITE_DOCS").is_some() {
        fs::write(&path, wanted).unwrap_or_else(|error| panic!("cannot write {page}: {error}"));
        return;
    }
    // A page that is missing is as good as an empty one: the remedy is the same.
    let found = fs::read_to_string(&path).unwrap_or_default();
    if found == wanted {
        return;
    }
    let same = found.lines().zip(wanted.lines()).take_while(|(found, wanted)| found == wanted).count();
    panic!(
        "{page} is not current; run `cargo xtask docs`\nline {}\n  is:        {}\n  should be: {}",
        same + 1,
        found.lines().nth(same).unwrap_or("(the end)"),
        wanted.lines().nth(same).unwrap_or("(the end)"),
    );
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The commands that people see, in the order of the help, with names like `fleetfoot start`.
fn commands() -> Vec<Command> {
    let mut top = Cli::command();
    top.build();
    let mut found = Vec::new();
    collect(&top, &mut found);
    found
}

fn collect(command: &Command, found: &mut Vec<Command>) {
    for command in command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        found.push(command.clone());
        collect(command, found);
    }
}

fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    let own =
        |arg: &&Arg| !arg.is_positional() && !arg.is_hide_set() && !arg.is_global_set() && !is_builtin(arg);
    command.get_arguments().filter(own)
}

fn is_builtin(arg: &Arg) -> bool {
    ["help", "version"].contains(&arg.get_id().as_str())
}

fn commands_page() -> String {
    let mut top = Cli::command();
    top.build();
    let mut page = String::new();
    page.push_str(
        "<!-- Written by `cargo xtask docs` from the command line's definition. -->\n\n# Commands\n\n",
    );
    line(&mut page, &about(&top));
    page.push_str(
        "\nA flag comes before its variable. A variable that is set and empty counts as not set. Durations are \
         written like `90s`, `5m` or `1h30m`.\n\n| Command | |\n|---|---|\n",
    );
    for command in commands() {
        let name = full_name(&command);
        line(&mut page, &format!("| [`{name}`](#{}) | {} |", name.replace(' ', "-"), about(&command)));
    }
    page.push_str("\nFor every command:\n\n");
    table(&mut page, top.get_arguments().filter(|arg| arg.is_global_set() && !is_builtin(arg)));
    if let Some(after) = top.get_after_help() {
        line(&mut page, &format!("\n{}", after.to_string().replace('\n', "\n\n")));
    }
    for mut command in commands() {
        let usage = command.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim();
        let name = full_name(&command);
        line(&mut page, &format!("\n## {name}\n\n{}\n\n```text\n{usage}\n```\n", about(&command)));
        let positionals = command.get_positionals().filter(|arg| !arg.is_hide_set());
        table(&mut page, positionals.chain(flags(&command)));
    }
    page
}

fn full_name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

fn about(command: &Command) -> String {
    sentence(command.get_long_about().or(command.get_about()).map(ToString::to_string))
}

/// One row for each argument.
fn table<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    page.push_str("| Flag | Variable | Default | |\n|---|---|---|---|\n");
    for arg in args {
        let variable = arg.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
        let (meaning, default) = meaning_and_default(arg);
        line(page, &format!("| {} | {variable} | {default} | {meaning} |", flag(arg)));
    }
}

/// `-f`, `--input` and the name of its value.
fn flag(arg: &Arg) -> String {
    let mut names: Vec<String> = arg.get_short().map(|short| format!("-{short}")).into_iter().collect();
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let mut text = names.join(", ");
    if arg.get_action().takes_values() {
        let value = arg.get_value_names().unwrap_or_default().iter().map(clap::builder::Str::as_str);
        let value = value.collect::<Vec<_>>().join(" ");
        if arg.is_positional() {
            let _ = write!(text, "[{value}]");
        } else {
            let _ = write!(text, " <{value}>");
        }
    }
    code(text.trim())
}

/// What the argument is for, the values it takes if there are only some, and what holds without it: a
/// value of clap's, or what the help says in brackets at its end.
fn meaning_and_default(arg: &Arg) -> (String, String) {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let (help, default) = match help.split_once(" [default: ") {
        Some((help, default)) => (help.to_owned(), default.trim_end_matches(']').to_owned()),
        None => (help, String::new()),
    };
    let mut meaning = sentence(Some(help));
    if !arg.get_action().takes_values() {
        return (meaning, default);
    }
    for value in arg.get_possible_values().iter().filter(|value| !value.is_hide_set()) {
        let help = sentence(value.get_help().map(ToString::to_string));
        let _ = write!(meaning, "<br>{}: {help}", code(value.get_name()));
    }
    let values = arg.get_default_values().iter().map(|value| code(&value.to_string_lossy()));
    let defaults: Vec<String> = values.chain((!default.is_empty()).then_some(default)).collect();
    (meaning.replace('|', "\\|"), defaults.join(", "))
}

/// Text on one line that ends as a sentence; clap takes the last full stop away.
fn sentence(text: Option<String>) -> String {
    let text = text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || text.ends_with(['.', ']']) || text.ends_with(".)") { text } else { text + "." }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn line(page: &mut String, text: &str) {
    page.push_str(text.trim_end_matches(' '));
    page.push('\n');
}
