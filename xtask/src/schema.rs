//! GitHub's own schema of workflows and actions: the language service of its editors, from npm, reads them all.
//!
//! Nobody must have Node to work on the project: without it the step is skipped, and says so.

use std::fs;
use std::path::Path;

use crate::steps::Outcome;
use crate::{shell, workflows};

/// What is installed, and the program that uses it.
const SOURCES: &str = "tests/workflows";
const PARTS: [&str; 4] = ["package.json", "package-lock.json", ".npmrc", "check.mjs"];

/// Where it is installed, and the program with all that it needs. Node cannot load the packages as they are: they
/// import JSON in a way of bundlers.
const SHOP: &str = "target/schema";
const BUNDLE: &str = "target/schema/bundle.mjs";
const BANNER: &str = "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/// Files that must be found wrong, each as its first line says.
const WRONG: &str = "tests/workflows/wrong";

/// The oldest Node that the packages promise to run on.
const OLDEST_NODE: u32 = 20;

/// Reads all workflows and actions, and some that must not pass.
pub(crate) fn check(root: &Path) -> Outcome {
    let (files, wrong) = match (workflows::all(root), workflows::below(root, WRONG)) {
        (Ok(files), Ok(wrong)) => (files, wrong),
        (Err(why), _) | (_, Err(why)) => return Outcome::Failed(why),
    };
    if let Err(why) = node(root).and_then(|()| install(root)) {
        return Outcome::Skipped(why);
    }
    let check = |first: &[&str], files: &[String]| {
        let files = files.iter().map(String::as_str);
        let arguments: Vec<&str> = [BUNDLE].into_iter().chain(first.iter().copied()).chain(files).collect();
        shell::run(&mut shell::program(root, "node", &arguments))
    };
    match check(&["--wrong"], &wrong) {
        Outcome::Passed => {
            println!("{} files", files.len());
            check(&[], &files)
        }
        blind => blind,
    }
}

/// Whether there is a Node that will do.
fn node(root: &Path) -> Result<(), String> {
    let version = shell::read(&mut shell::program(root, "node", &["--version"]))
        .map_err(|why| format!("{why}. GitHub's schema is read with Node {OLDEST_NODE} or newer"))?;
    match major(&version) {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(format!("Node {} is too old: {OLDEST_NODE} or newer is needed", version.trim())),
    }
}

/// `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs what the lock file says and bundles the program, unless it was done.
fn install(root: &Path) -> Result<(), String> {
    let mut wanted = String::new();
    for part in PARTS {
        let path = format!("{SOURCES}/{part}");
        let text =
            fs::read_to_string(root.join(&path)).map_err(|error| format!("cannot read {path}: {error}"))?;
        wanted.push_str(&text);
    }
    // Written last, so an installation that broke off is made again.
    let stamp = root.join(SHOP).join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing {SOURCES}/package-lock.json into {SHOP}");
    let shop = root.join(SHOP);
    let failed = |error| format!("cannot write {SHOP}: {error}");
    fs::create_dir_all(&shop).map_err(failed)?;
    for part in PARTS {
        fs::copy(root.join(SOURCES).join(part), shop.join(part)).map_err(failed)?;
    }
    shell::read(&mut shell::program(&shop, "npm", &["ci", "--loglevel=error"]))
        .map_err(|why| format!("{why}: the npm registry is out of reach, or lacks a package"))?;
    let esbuild =
        ["node_modules/esbuild/bin/esbuild", "check.mjs", "--bundle", "--platform=node", "--format=esm"];
    let output = ["--log-level=warning", "--outfile=bundle.mjs", BANNER];
    shell::read(&mut shell::program(&shop, "node", &[&esbuild[..], &output].concat()))?;
    fs::write(&stamp, wanted).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v8.17.0"), Some(8));
        assert_eq!(major("node"), None);
    }

    /// Else it would be installed from there and nowhere else.
    #[test]
    fn the_lock_file_names_no_registry() {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SOURCES).join("package-lock.json");
        let lock = fs::read_to_string(lock).unwrap();
        assert!(lock.contains("\"integrity\": \"sha512-"), "every package has its hash");
        assert!(!lock.contains("\"resolved\""), "npm install --omit-lockfile-registry-resolved");
    }
}
