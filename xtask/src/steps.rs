//! The steps of `cargo xtask test`: all of them are run, then a table tells how each ended.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::screen::{self, Style};
use crate::{
    TestOptions, container, docs, layers, licences, python, schema, shell, terraform, unused, workflows,
};

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// With the reason, beside what the step has printed.
    Failed(String),
    /// With the reason.
    Skipped(String),
}

/// What steps work with.
struct Shop<'a> {
    root: &'a Path,
    advisories: bool,
    python: OnceCell<Result<PathBuf, String>>,
}

impl Shop<'_> {
    /// The folder of the Python programs, made when it is first needed.
    fn python(&self) -> Result<&Path, String> {
        self.python
            .get_or_init(|| python::prepare(self.root, python::HELPERS))
            .as_deref()
            .map_err(Clone::clone)
    }

    /// Runs a checker from PyPI.
    fn checker(&self, name: &str, args: &[&str]) -> Outcome {
        match self.python() {
            Ok(programs) => shell::run(&mut shell::program(self.root, programs.join(name), args)),
            Err(_) => Outcome::Skipped(format!("{name} comes with the Python helpers")),
        }
    }

    fn cargo(&self, args: &[&str]) -> Outcome {
        shell::run(&mut shell::cargo(self.root, args))
    }
}

struct Step {
    name: &'static str,
    what: &'static str,
    /// A step that must not have failed before.
    after: Option<&'static str>,
    run: fn(&Shop) -> Outcome,
}

const fn step(name: &'static str, what: &'static str, run: fn(&Shop) -> Outcome) -> Step {
    Step { name, what, after: None, run }
}

/// What is cheap comes first.
const STEPS: [Step; 16] = [
    step("python", "helpers from PyPI, in .venv", |shop| match shop.python() {
        Ok(_) => Outcome::Passed,
        Err(why) => Outcome::Skipped(format!("{why}. Tests that need moto or boto3 are skipped, too")),
    }),
    step("fmt", "cargo fmt --all --check", |shop| shop.cargo(&["fmt", "--all", "--check", "--", "-l"])),
    step("spelling", "typos", |shop| shop.checker("typos", &["--format", "brief"])),
    step("workflows", "zizmor on workflows, actions, and what pages show", |shop| match shop.python() {
        Ok(programs) => workflows::zizmor(shop.root, programs),
        Err(_) => Outcome::Skipped("zizmor comes with the Python helpers".to_owned()),
    }),
    step("schema", "the same by GitHub's own schema, from npm", |shop| schema::check(shop.root)),
    step("checkov", "checkov on terraform, every exception with its reason", |shop| {
        match python::prepare(shop.root, python::CHECKOV) {
            Ok(programs) => terraform::checkov(shop.root, &programs),
            Err(why) => Outcome::Skipped(why),
        }
    }),
    step("dockerfile", "hadolint on image/Dockerfile", |shop| {
        shop.checker("hadolint", &["--no-color", "image/Dockerfile"])
    }),
    step("unused", "dependencies that no source names", |shop| unused::check(shop.root)),
    step("layers", "which crate may link what", |shop| layers::check(shop.root)),
    step("licences", "licences and sources of all crates, by deny.toml", |shop| {
        licences::check(shop.root, shop.advisories)
    }),
    step("clippy", "cargo clippy, warnings denied", |shop| {
        shop.cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    }),
    step("build", "cargo test --workspace --no-run", |shop| {
        shop.cargo(&["test", "--workspace", "--locked", "--no-run"])
    }),
    Step {
        after: Some("build"),
        ..step("docs", "generated pages are current", |shop| docs::check(shop.root))
    },
    Step {
        after: Some("build"),
        ..step("tests", "cargo test --workspace", |shop| {
            let mut command = shell::cargo(shop.root, &["test", "--workspace", "--locked", "--no-fail-fast"]);
            if let Ok(programs) = shop.python() {
                command.env("FLEETFOOT_PYTHON", programs.join("python"));
            }
            shell::run(&mut command)
        })
    },
    Step {
        after: Some("build"),
        ..step("container", "the runner image, built and run by podman", |shop| container::check(shop.root))
    },
    Step {
        after: Some("build"),
        ..step("terraform", "valid, applied to moto, and what it makes used", |shop| {
            terraform::check(shop.root, shop.python())
        })
    },
];

/// The names of all steps, in their order.
pub(crate) fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// `cargo xtask test`.
pub(crate) fn run(root: &Path, options: &TestOptions) -> ExitCode {
    let shop = Shop { root, advisories: options.advisories, python: OnceCell::new() };
    let mut results: Vec<(&str, Duration, Outcome)> = Vec::new();
    for step in STEPS.iter().filter(|step| {
        let in_list = |list: &[String]| list.iter().any(|name| name == step.name);
        (options.only.is_empty() || in_list(&options.only)) && !in_list(&options.except)
    }) {
        screen::heading(step.name, step.what);
        let began = Instant::now();
        let failed_before =
            |name| results.iter().any(|(n, _, o)| *n == name && matches!(o, Outcome::Failed(_)));
        let mut outcome = match step.after {
            Some(name) if failed_before(name) => Outcome::Skipped(format!("{name} has failed")),
            _ => (step.run)(&shop),
        };
        if let (Outcome::Skipped(why), true) = (&outcome, options.strict) {
            outcome = Outcome::Failed(format!("skipped, which --strict forbids: {why}"));
        }
        if let Outcome::Failed(why) | Outcome::Skipped(why) = &outcome {
            println!("{why}");
        }
        results.push((step.name, began.elapsed(), outcome));
    }
    summary(&results)
}

fn summary(results: &[(&str, Duration, Outcome)]) -> ExitCode {
    screen::heading("summary", "what came of it");
    for (name, took, outcome) in results {
        let (word, style, why) = match outcome {
            Outcome::Passed => ("ok", Style::Green, ""),
            Outcome::Skipped(why) => ("skipped", Style::Yellow, why.as_str()),
            Outcome::Failed(why) => ("FAILED", Style::Red, why.as_str()),
        };
        // Of a long reason, printed in full above, the first line will do.
        let why = why.lines().next().unwrap_or_default();
        let line = format!(
            "{name:<10} {} {:>7.1} s  {why}",
            screen::paint(&format!("{word:<8}"), style),
            took.as_secs_f64()
        );
        println!("{}", line.trim_end());
    }
    let failed: Vec<&str> =
        results.iter().filter(|(_, _, o)| matches!(o, Outcome::Failed(_))).map(|(name, ..)| *name).collect();
    if failed.is_empty() {
        println!("\nall is well");
        ExitCode::SUCCESS
    } else {
        println!("\nfailed: {}. Run one alone with `cargo xtask test --only STEP`.", failed.join(", "));
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_wait_only_for_earlier_ones() {
        for (place, step) in STEPS.iter().enumerate() {
            if let Some(after) = step.after {
                assert!(STEPS.iter().take(place).any(|s| s.name == after), "{} waits for {after}", step.name);
            }
        }
    }

    #[test]
    fn one_failure_fails_the_whole() {
        let passed = ("fmt", Duration::ZERO, Outcome::Passed);
        let skipped = ("spelling", Duration::ZERO, Outcome::Skipped("no Python".into()));
        let failed = ("clippy", Duration::ZERO, Outcome::Failed("lints".into()));
        assert_eq!(summary(&[passed.clone(), skipped.clone()]), ExitCode::SUCCESS);
        assert_eq!(summary(&[passed, skipped, failed]), ExitCode::FAILURE);
    }
}
