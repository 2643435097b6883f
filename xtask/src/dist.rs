//! `cargo xtask dist`: the binary as it is released.
//!
//! On Linux the C library is linked in, so that it runs in any image, and its relocations are packed: a process reads
//! all of them when it begins, and what it has read of its file counts as its memory.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::shell;
use crate::steps::Outcome;

const PROFILE: &str = "dist";

/// `cargo xtask dist`.
pub(crate) fn run(root: &Path, target: Option<&str>) -> ExitCode {
    match build(root, target) {
        Ok(path) => {
            println!("{}", path.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Builds it, for this machine if nothing else is said. Says where it is.
pub(crate) fn build(root: &Path, target: Option<&str>) -> Result<PathBuf, String> {
    let target = match target {
        Some(target) => target.to_owned(),
        None => host(root)?,
    };
    let mut command =
        shell::cargo(root, &["build", "--profile", PROFILE, "--locked", "--package", "fleetfoot"]);
    // With a target named, what only the build runs is built without these flags.
    command.args(["--target", &target]);
    if let Some(flags) = flags(&target) {
        command.env("RUSTFLAGS", flags);
    }
    match shell::run(&mut command) {
        Outcome::Passed => Ok(folder(root).join(&target).join(PROFILE).join("fleetfoot")),
        Outcome::Failed(why) | Outcome::Skipped(why) => Err(why),
    }
}

/// Where Cargo builds.
fn folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

fn flags(target: &str) -> Option<&'static str> {
    target
        .ends_with("-linux-gnu")
        .then_some("-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs")
}

fn host(root: &Path) -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = shell::read(Command::new(rustc).arg("-vV").current_dir(root))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("rustc does not name its host: {said}"))
}
