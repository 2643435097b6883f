//! Licences and sources of everything that is linked, by the lists in `deny.toml`.
//!
//! cargo-deny checks them if it is installed. Building it takes longer than all other checks together, so
//! nobody has to: without it, licences and sources, the part that needs no database, are checked here by
//! the same lists. What is left to cargo-deny alone are advisories and the confidence in licence texts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::shell;
use crate::steps::Outcome;

const INSTALL: &str = "cargo install cargo-deny --locked";

/// Whether everything comes from where it may, under a licence that it may have.
pub(crate) fn check(root: &Path, advisories: bool) -> Outcome {
    if shell::read(&mut shell::cargo(root, &["deny", "--version"])).is_ok() {
        let mut args = vec!["deny", "--locked", "check", "bans", "licenses", "sources"];
        args.extend(advisories.then_some("advisories"));
        return shell::run(&mut shell::cargo(root, &args));
    }
    if advisories {
        return Outcome::Failed(format!("--advisories needs cargo-deny: {INSTALL}"));
    }
    println!("cargo-deny is not installed ({INSTALL}): licences and sources are checked without it");
    match findings(root) {
        Ok(findings) if findings.is_empty() => Outcome::Passed,
        Ok(findings) => Outcome::Failed(findings.into_iter().collect::<Vec<_>>().join("\n")),
        Err(why) => Outcome::Failed(why),
    }
}

fn findings(root: &Path) -> Result<BTreeSet<String>, String> {
    let text = |name: &str| {
        fs::read_to_string(root.join(name)).map_err(|error| format!("cannot read {name}: {error}"))
    };
    let deny = text("deny.toml")?;
    let licences = list(&deny, "licenses", "allow")?;
    let registries = list(&deny, "sources", "allow-registry")?;
    let tree = ["tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--target", "all"];
    let format = ["--prefix", "none", "--format", "{p}|{l}"];
    let tree = shell::read(&mut shell::cargo(root, &[&tree[..], &format[..]].concat()))?;
    let mut findings = BTreeSet::new();
    for line in tree.lines().map(|line| line.trim_end_matches(" (*)")) {
        if let Some((package, licence)) = line.split_once('|')
            && !is_allowed(licence, &licences)
        {
            findings.insert(format!("{package}: the licence {licence:?} is not among those of deny.toml"));
        }
    }
    for source in text("Cargo.lock")?.lines().filter_map(|line| line.strip_prefix("source = ")) {
        let source = source.trim_matches('"');
        if !source.strip_prefix("registry+").is_some_and(|url| registries.iter().any(|r| r == url)) {
            findings.insert(format!("Cargo.lock: the source {source} is not among those of deny.toml"));
        }
    }
    Ok(findings)
}

/// The strings of `key = [ … ]` in a section of a TOML file.
fn list(toml: &str, section: &str, key: &str) -> Result<Vec<String>, String> {
    let missing = || format!("deny.toml: there is no list {key} in [{section}]");
    let (_, rest) = toml.split_once(&format!("\n[{section}]")).ok_or_else(missing)?;
    let rest = rest.split("\n[").next().unwrap_or(rest);
    let (_, rest) = rest.split_once(&format!("\n{key} = [")).ok_or_else(missing)?;
    let (inside, _) = rest.split_once(']').ok_or_else(missing)?;
    let without_comments = inside.lines().map(|line| line.split('#').next().unwrap_or_default());
    let strings = without_comments.flat_map(|line| line.split('"').skip(1).step_by(2));
    Ok(strings.map(str::to_owned).collect())
}

/// Whether an SPDX expression can be satisfied with these licences. `/` is an old way to write OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    reader.any() == Some(true) && reader.words.is_empty()
}

/// Reads an expression from its front. `None` stands for one that cannot be read.
struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        let there = self.words.first() == Some(&word);
        if there {
            self.words = &self.words[1..];
        }
        there
    }

    fn any(&mut self) -> Option<bool> {
        let mut allowed = self.all()?;
        while self.take("OR") {
            allowed |= self.all()?;
        }
        Some(allowed)
    }

    fn all(&mut self) -> Option<bool> {
        let mut allowed = self.one()?;
        while self.take("AND") {
            allowed &= self.one()?;
        }
        Some(allowed)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let allowed = self.any()?;
            return self.take(")").then_some(allowed);
        }
        let (licence, rest) = self.words.split_first()?;
        self.words = rest;
        if self.take("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            return Some(self.allowed.iter().any(|a| *a == format!("{licence} WITH {exception}")));
        }
        Some(self.allowed.iter().any(|a| a == licence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_satisfied_or_not() {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned);
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "Unlicense OR MIT",
            "(MIT OR LGPL-2.1) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0 WITH LLVM-exception",
            "(MIT",
            "MIT OR",
            "MIT MIT",
            "MIT AND OR",
        ] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn lists_are_read_from_deny_toml() {
        let toml = "# head\n[licenses]\nother = 1\nallow = [\n  \"MIT\", # not \"GPL\"\n  \"ISC\",\n]\n\n\
                    [sources]\nallow-git = []\nallow-registry = [\"x\"]\n";
        assert_eq!(list(toml, "licenses", "allow"), Ok(vec!["MIT".to_owned(), "ISC".to_owned()]));
        assert_eq!(list(toml, "sources", "allow-registry"), Ok(vec!["x".to_owned()]));
        assert_eq!(list(toml, "sources", "allow-git"), Ok(vec![]));
        let missing = "deny.toml: there is no list allow in [sources]";
        assert_eq!(list(toml, "sources", "allow"), Err(missing.to_owned()));
        assert!(list(toml, "nothing", "allow").is_err());
    }
}
