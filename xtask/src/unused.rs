//! Dependencies that no source names. They cost build time and trust, and nothing tells of them otherwise.
//!
//! A dependency is used if its name stands in a path (`name::`) or an import of the crate. That is read
//! from the text, so a name in a string would do as well; it errs towards silence.

use std::fs;
use std::path::{Path, PathBuf};

use crate::steps::Outcome;

/// Where a dependency is declared, and so where it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Dev,
    Build,
    Workspace,
}

/// Whether every declared dependency is used.
pub(crate) fn check(root: &Path) -> Outcome {
    match findings(root) {
        Ok(findings) if findings.is_empty() => Outcome::Passed,
        Ok(findings) => Outcome::Failed(findings.join("\n")),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn findings(root: &Path) -> std::io::Result<Vec<String>> {
    let mut crates = vec![root.join("xtask")];
    for folder in fs::read_dir(root.join("crates"))? {
        crates.push(folder?.path());
    }
    crates.sort();
    let mut findings = Vec::new();
    let mut named = Vec::new();
    for folder in &crates {
        let manifest = folder.join("Cargo.toml");
        let shown = manifest.strip_prefix(root).unwrap_or(&manifest).display();
        let source = sources(&[folder.join("src")])?;
        let build = fs::read_to_string(folder.join("build.rs")).unwrap_or_default();
        // What tests of several crates share lies at the root.
        let mut of_tests = ["tests", "benches", "examples"].map(|name| folder.join(name)).to_vec();
        of_tests.push(root.join("tests/support"));
        let tests = sources(&of_tests)?;
        for (kind, name) in dependencies(&fs::read_to_string(&manifest)?) {
            let used = match kind {
                Kind::Normal | Kind::Workspace => is_named(&source, &name),
                Kind::Build => is_named(&build, &name),
                Kind::Dev => is_named(&source, &name) || is_named(&tests, &name),
            };
            if !used {
                findings.push(format!("{shown}: {name} is named by no source; remove it"));
            }
            named.push(name);
        }
    }
    for (_, name) in dependencies(&fs::read_to_string(root.join("Cargo.toml"))?) {
        if !named.contains(&name) {
            findings.push(format!("Cargo.toml: {name} is used by no crate of the workspace; remove it"));
        }
    }
    Ok(findings)
}

/// The dependencies that a manifest declares, under the names that sources use.
fn dependencies(manifest: &str) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut section = None;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            section = kind_of(header);
            // `[dependencies.name]` declares one by its header, and its lines are no names.
            if let Some((parent, name)) = header.rsplit_once('.')
                && let Some(kind) = kind_of(parent)
            {
                found.push((kind, name.to_owned()));
            }
        } else if let (Some(kind), false) = (section, line.starts_with('#'))
            && let Some(name) = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty())
        {
            found.push((kind, name.to_owned()));
        }
    }
    found
}

fn kind_of(header: &str) -> Option<Kind> {
    match header {
        "workspace.dependencies" => Some(Kind::Workspace),
        _ => match header.rsplit('.').next() {
            Some("dependencies") => Some(Kind::Normal),
            Some("dev-dependencies") => Some(Kind::Dev),
            Some("build-dependencies") => Some(Kind::Build),
            _ => None,
        },
    }
}

/// All Rust text below these folders, without the lines that are comments.
fn sources(folders: &[PathBuf]) -> std::io::Result<String> {
    let mut text = String::new();
    let mut left: Vec<PathBuf> = folders.iter().filter(|folder| folder.is_dir()).cloned().collect();
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                for line in fs::read_to_string(&path)?.lines().filter(|l| !l.trim_start().starts_with("//")) {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    Ok(text)
}

fn is_named(source: &str, dependency: &str) -> bool {
    let name = dependency.replace('-', "_");
    source.match_indices(&name).any(|(at, _)| {
        let (before, after) = (&source[..at], &source[at + name.len()..]);
        // `crate::http::` is a module of ours.
        let starts = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let imported = before.ends_with("use ") && after.starts_with([';', ' ']);
        starts && (after.starts_with("::") || imported)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read() {
        let manifest = "[package]\nname = \"x\"\n\n[dependencies]\n# why\nserde.workspace = true\n\
                        url = { version = \"2\" }\n\n[dev-dependencies]\ninsta = \"1\"\n\n\
                        [target.'cfg(unix)'.dependencies]\nnix.workspace = true\n\n\
                        [build-dependencies.cc]\nversion = \"1\"\n";
        let found: Vec<_> = dependencies(manifest);
        let wanted = [
            (Kind::Normal, "serde"),
            (Kind::Normal, "url"),
            (Kind::Dev, "insta"),
            (Kind::Normal, "nix"),
            (Kind::Build, "cc"),
        ];
        assert_eq!(found, wanted.map(|(kind, name)| (kind, name.to_owned())));
    }

    #[test]
    fn a_name_counts_in_paths_and_imports_alone() {
        for used in [
            "use serde_json::Value;",
            "let x = serde_json::to_string(&y);",
            "use serde_json;",
            "(serde_json::Map",
        ] {
            assert!(is_named(used, "serde-json"), "{used}");
        }
        for unused in
            ["use my_serde_json::x;", "let serde_json = 1;", "crate::serde_json::x()", "serde_json_more::x"]
        {
            assert!(!is_named(unused, "serde-json"), "{unused}");
        }
    }
}
