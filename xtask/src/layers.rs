//! The walls of the house: which of our crates a crate may link, and what it must never link.
//!
//! Only what is linked counts, directly or through others; tests may use more.

use std::collections::BTreeSet;
use std::path::Path;

use crate::shell;
use crate::steps::Outcome;

/// A wall around one crate.
struct Wall {
    of: &'static str,
    /// Our own crates that it may link.
    ours: &'static [&'static str],
    /// What it must not link; a trailing `*` stands for anything.
    never: &'static [&'static str],
}

const SDK: &str = "aws-sdk-*";

const WALLS: [Wall; 7] = [
    // Decisions: no runtime, no network, no SDK.
    Wall {
        of: "fleetfoot-core",
        ours: &[],
        never: &["tokio*", "async-std", "smol", "hyper*", "reqwest", "axum", "object_store", "aws-*"],
    },
    // The one HTTP client: it knows no service.
    Wall { of: "fleetfoot-net", ours: &["fleetfoot-core"], never: &[SDK, "aws-config", "axum"] },
    Wall {
        of: "fleetfoot-github",
        ours: &["fleetfoot-core", "fleetfoot-net"],
        never: &[SDK, "aws-config", "axum"],
    },
    Wall { of: "fleetfoot-aws", ours: &["fleetfoot-core", "fleetfoot-net"], never: &["axum"] },
    // It starts once per job, in an image: no SDK.
    Wall { of: "fleetfoot-agent", ours: &["fleetfoot-core"], never: &[SDK, "aws-config", "axum"] },
    // The simulators know the wire, not their client.
    Wall { of: "fleetfoot-sim", ours: &[], never: &[SDK, "aws-config", "object_store"] },
    // rustls is the one TLS.
    Wall {
        of: "fleetfoot",
        ours: &[
            "fleetfoot-agent",
            "fleetfoot-aws",
            "fleetfoot-core",
            "fleetfoot-github",
            "fleetfoot-net",
            "fleetfoot-sim",
        ],
        never: &["openssl-sys", "native-tls"],
    },
];

/// Whether every wall stands.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut breaches = Vec::new();
    for wall in &WALLS {
        let tree = ["tree", "--locked", "--package", wall.of, "--edges", "normal,build", "--target", "all"];
        let format = ["--prefix", "none", "--format", "{p}"];
        match shell::read(&mut shell::cargo(root, &[&tree[..], &format[..]].concat())) {
            Ok(text) => breaches.extend(breaches_of(wall, &linked(&text))),
            Err(why) => breaches.push(why),
        }
    }
    if breaches.is_empty() { Outcome::Passed } else { Outcome::Failed(breaches.join("\n")) }
}

/// The names in the output of `cargo tree`.
fn linked(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

fn breaches_of(wall: &Wall, linked: &BTreeSet<&str>) -> Vec<String> {
    let ours = |name: &str| name == "fleetfoot" || name.starts_with("fleetfoot-");
    let may_not = |name: &&&str| {
        if ours(name) {
            **name != wall.of && !wall.ours.contains(*name)
        } else {
            wall.never.iter().any(|pattern| matches(pattern, name))
        }
    };
    linked.iter().filter(may_not).map(|name| format!("{} must not link {name}", wall.of)).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaches_are_named() {
        let tree = "fleetfoot-x v0.1.0 (/src)\nserde v1.0.1\naws-sdk-ecs v1.2.3\nfleetfoot-core v0.1.0 (/src)\n\
                    fleetfoot-github v0.1.0 (/src)\ntokio v1.0.0 (*)\n";
        let wall = Wall { of: "fleetfoot-x", ours: &["fleetfoot-core"], never: &["aws-sdk-*", "tokio"] };
        let breaches = breaches_of(&wall, &linked(tree));
        assert_eq!(
            breaches,
            [
                "fleetfoot-x must not link aws-sdk-ecs",
                "fleetfoot-x must not link fleetfoot-github",
                "fleetfoot-x must not link tokio"
            ]
        );
    }

    #[test]
    fn every_crate_has_a_wall() {
        let crates = std::fs::read_dir(crate::root().join("crates")).unwrap();
        let mut count = 0;
        for folder in crates {
            let name = match folder.unwrap().file_name().to_str() {
                Some("cli") => "fleetfoot".to_owned(),
                name => format!("fleetfoot-{}", name.unwrap()),
            };
            assert!(WALLS.iter().any(|wall| wall.of == name), "{name}");
            count += 1;
        }
        assert_eq!(count, WALLS.len());
    }
}
