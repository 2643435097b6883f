//! The team's chores: `cargo xtask test` runs every check, `cargo xtask docs` writes the generated pages.
//!
//! Only the standard library is used. xtask is built alone, and a crate that is built for one package may
//! come with other features than the same crate built for the whole workspace: each dependency here would
//! be compiled twice on every fresh machine.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod docs;
mod layers;
mod licences;
mod python;
mod screen;
mod shell;
mod steps;
mod unused;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
The team's chores.

cargo xtask test [OPTIONS]   Run every check and test
    --only STEP              Run this step alone. Repeat for more
    --advisories             Also look for security advisories; needs cargo-deny and a network
    --strict                 A step that has to be skipped counts as failed
cargo xtask docs             Write docs/commands.md and docs/stack.schema.json
    --check                  Only say whether they are current
cargo xtask help             Show this";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Chore {
    Test(TestOptions),
    Docs { check: bool },
    Help,
}

/// How the checks are run.
#[derive(Debug, Default, PartialEq, Eq)]
struct TestOptions {
    /// Names of steps; all of them if empty.
    only: Vec<String>,
    advisories: bool,
    strict: bool,
}

fn main() -> ExitCode {
    let root = root();
    match chore(std::env::args().skip(1)) {
        Ok(Chore::Test(options)) => steps::run(&root, &options),
        Ok(Chore::Docs { check }) => docs::run(&root, check),
        Ok(Chore::Help) => {
            println!("{USAGE}\n\nSteps: {}", steps::names().join(", "));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn chore(mut args: impl Iterator<Item = String>) -> Result<Chore, String> {
    let name = args.next();
    let mut chore = match name.as_deref() {
        Some("test") => Chore::Test(TestOptions::default()),
        Some("docs") => Chore::Docs { check: false },
        Some("help" | "--help" | "-h") => Chore::Help,
        Some(other) => return Err(format!("there is no chore {other:?}")),
        None => return Err("name a chore".to_owned()),
    };
    while let Some(arg) = args.next() {
        match (&mut chore, arg.as_str()) {
            (Chore::Test(options), "--only") => {
                let step = args.next().ok_or("--only wants the name of a step")?;
                if !steps::names().contains(&step.as_str()) {
                    return Err(format!(
                        "there is no step {step:?}; there are: {}",
                        steps::names().join(", ")
                    ));
                }
                options.only.push(step);
            }
            (Chore::Test(options), "--advisories") => options.advisories = true,
            (Chore::Test(options), "--strict") => options.strict = true,
            (Chore::Docs { check }, "--check") => *check = true,
            (_, "--help" | "-h") => chore = Chore::Help,
            (_, other) => return Err(format!("{other:?} is not known here")),
        }
    }
    Ok(chore)
}

/// The workspace's root: xtask's folder is in it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Chore, String> {
        chore(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn chores_are_read() {
        assert_eq!(parse("docs --check"), Ok(Chore::Docs { check: true }));
        assert_eq!(parse("test"), Ok(Chore::Test(TestOptions::default())));
        let only = TestOptions { only: vec!["fmt".into(), "clippy".into()], ..TestOptions::default() };
        assert_eq!(parse("test --only fmt --only clippy"), Ok(Chore::Test(only)));
        assert_eq!(parse("test --help"), Ok(Chore::Help));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for bad in ["", "tset", "test --only", "test --only nothing", "test --check", "docs --strict"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
