//! The team's chores: `cargo xtask test` runs every check, `cargo xtask docs` writes the generated pages.
//!
//! Only the standard library is used. xtask is built alone, and a crate that is built for one package may
//! come with other features than the same crate built for the whole workspace: each dependency here would
//! be compiled twice on every fresh machine.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod bench;
mod container;
mod dist;
mod docs;
mod hcl;
mod layers;
mod licences;
mod module_docs;
mod page;
mod python;
mod schema;
mod screen;
mod shell;
#[path = "../../tests/support/snippets.rs"]
mod snippets;
mod steps;
mod terraform;
mod unused;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench::{Bench, BenchOptions};

const USAGE: &str = "\
The team's chores.

cargo xtask test [OPTIONS]   Run every check and test
    --only STEP              Run this step alone. Repeat for more
    --except STEP            Run all but this step. Repeat for more
    --advisories             Also look for security advisories; needs cargo-deny and a network
    --strict                 A step that has to be skipped counts as failed
cargo xtask docs             Write docs/commands.md, docs/stack.schema.json and the tables of terraform/
    --check                  Only say whether they are current
cargo xtask bench start      Measure what a start costs, against a shell script with aws-cli
cargo xtask bench agent      Measure what an agent costs, against an entry point in shell
    --runs N                 How often each way is gone: 11, or more
cargo xtask bench serve      Measure how fast the autoscaler is and what it costs
    --jobs LIST              How many jobs come at once: 100,1000,10000
    --runners LIST           Beside how many runners it is measured: 0,100,1000,10000
cargo xtask bench warm       Compare policies for warm tasks on a real month of pushes
    --jobs N                 How many jobs a push sets off in the mean: 4
    --minutes N              How long a job runs in the mean: 5
    --write                  With any benchmark: write the results to docs/benchmarks.md
cargo xtask dist             Build the binary as it is released, and print where it is
    --target TRIPLE          For another machine than this
cargo xtask help             Show this";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Chore {
    Test(TestOptions),
    Docs { check: bool },
    Bench(BenchOptions),
    Dist { target: Option<String> },
    Help,
}

/// How the checks are run.
#[derive(Debug, Default, PartialEq, Eq)]
struct TestOptions {
    /// Names of steps; all of them if empty.
    only: Vec<String>,
    /// Names of steps that are left out.
    except: Vec<String>,
    advisories: bool,
    strict: bool,
}

fn main() -> ExitCode {
    let root = root();
    match chore(std::env::args().skip(1)) {
        Ok(Chore::Test(options)) => steps::run(&root, &options),
        Ok(Chore::Docs { check }) => docs::run(&root, check),
        Ok(Chore::Bench(options)) => bench::run(&root, &options),
        Ok(Chore::Dist { target }) => dist::run(&root, target.as_deref()),
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
        Some("bench") => {
            let name = args.next().unwrap_or_default();
            let bench = Bench::named(&name).ok_or_else(|| {
                format!("there is no benchmark {name:?}; there are: {}", Bench::names().join(", "))
            })?;
            Chore::Bench(BenchOptions::of(bench))
        }
        Some("dist") => Chore::Dist { target: None },
        Some("help" | "--help" | "-h") => Chore::Help,
        Some(other) => return Err(format!("there is no chore {other:?}")),
        None => return Err("name a chore".to_owned()),
    };
    while let Some(arg) = args.next() {
        match (&mut chore, arg.as_str()) {
            (Chore::Test(options), "--only") => options.only.push(step(&arg, args.next())?),
            (Chore::Test(options), "--except") => options.except.push(step(&arg, args.next())?),
            (Chore::Test(options), "--advisories") => options.advisories = true,
            (Chore::Test(options), "--strict") => options.strict = true,
            (Chore::Docs { check }, "--check") => *check = true,
            (Chore::Dist { target }, "--target") => {
                *target = Some(args.next().ok_or("--target wants a target triple")?);
            }
            (Chore::Bench(options), "--write") => options.write = true,
            (Chore::Bench(options), own) if options.bench.sizes().contains(&own) => {
                let numbers =
                    args.next().filter(|list| list.split(',').all(|number| number.parse::<f64>().is_ok()));
                let numbers = numbers.ok_or_else(|| format!("{own} wants numbers"))?;
                options.sizes.extend([own.to_owned(), numbers]);
            }
            (Chore::Bench(options), "--runs") if options.bench.repeats() => {
                let runs = args.next().and_then(|runs| runs.parse().ok()).filter(|runs| *runs >= 11);
                options.runs = runs.ok_or("--runs wants a number, 11 at least")?;
            }
            (_, "--help" | "-h") => chore = Chore::Help,
            (_, other) => return Err(format!("{other:?} is not known here")),
        }
    }
    Ok(chore)
}

/// The name of a step that an option was given.
fn step(option: &str, name: Option<String>) -> Result<String, String> {
    let name = name.ok_or_else(|| format!("{option} wants the name of a step"))?;
    if steps::names().contains(&name.as_str()) {
        Ok(name)
    } else {
        Err(format!("there is no step {name:?}; there are: {}", steps::names().join(", ")))
    }
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
        assert_eq!(parse("bench start"), Ok(Chore::Bench(BenchOptions::of(Bench::Start))));
        assert_eq!(
            parse("bench agent --runs 21 --write"),
            Ok(Chore::Bench(BenchOptions { runs: 21, write: true, ..BenchOptions::of(Bench::Agent) }))
        );
        let sizes = ["--jobs", "100,1000"].map(str::to_owned).into();
        assert_eq!(
            parse("bench serve --jobs 100,1000"),
            Ok(Chore::Bench(BenchOptions { sizes, ..BenchOptions::of(Bench::Serve) }))
        );
        assert_eq!(parse("test"), Ok(Chore::Test(TestOptions::default())));
        let only = TestOptions { only: vec!["fmt".into(), "clippy".into()], ..TestOptions::default() };
        assert_eq!(parse("test --only fmt --only clippy"), Ok(Chore::Test(only)));
        let except = TestOptions { except: vec!["container".into()], strict: true, ..TestOptions::default() };
        assert_eq!(parse("test --strict --except container"), Ok(Chore::Test(except)));
        assert_eq!(parse("test --help"), Ok(Chore::Help));
        let target = Some("aarch64-apple-darwin".to_owned());
        assert_eq!(parse("dist --target aarch64-apple-darwin"), Ok(Chore::Dist { target }));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let bad_tests = [
            "",
            "tset",
            "test --only",
            "test --only nothing",
            "test --except",
            "test --check",
            "docs --strict",
        ];
        let bad_benches = [
            "bench",
            "bench stop",
            "bench start --runs 3",
            "bench start --runs",
            "bench start --jobs 1",
            "bench serve --runs 11",
            "bench serve --jobs many",
            "bench warm --runners 1",
            "dist --target",
        ];
        for bad in bad_tests.into_iter().chain(bad_benches) {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
