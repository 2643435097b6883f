//! Installs Debian packages before the runner starts.
//!
//! Every package is an argument of its own and is checked before: no shell reads it, and it can be neither
//! an option nor a file nor a wish to remove something. It is for images that are almost right; a package
//! that every job needs belongs into the image.

use std::ffi::OsString;
use std::fmt;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use secrecy::SecretString;
use thiserror::Error;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use crate::output::{self, for_log};
use crate::unready::{Unready, chain};

const INSTALLER: &str = "apt-get";

/// How long another process may hold dpkg's lock, and how often a download is tried (apt.conf(5)).
const OPTIONS: [&str; 4] = ["-o", "DPkg::Lock::Timeout=60", "-o", "Acquire::Retries=3"];

/// A package as apt-get takes it: `jq`, `jq=1.6-2.1`, `libc6:arm64` or `git/bookworm-backports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package(String);

/// A text that names no package.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("package {0:?} is not valid: NAME, NAME=VERSION, NAME:ARCH or NAME/RELEASE, in lower case")]
pub struct InvalidPackage(String);

impl FromStr for Package {
    type Err = InvalidPackage;

    /// Debian Policy, 5.6.1 (names) and 5.6.12 (versions). apt-get(8) takes a `-` at the end for "remove".
    fn from_str(text: &str) -> Result<Self, InvalidPackage> {
        let of = |part: &str, also: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || also.contains(c))
        };
        let (rest, ok_end) = if let Some((name, version)) = text.split_once('=') {
            let of_version = |c: char| c.is_ascii_alphanumeric() || ".+:~-".contains(c);
            (name, !version.is_empty() && version.chars().all(of_version))
        } else if let Some((name, release)) = text.split_once('/') {
            (name, of(release, "-"))
        } else {
            (text, true)
        };
        let (name, ok_arch) = match rest.split_once(':') {
            Some((name, arch)) => (name, of(arch, "-")),
            None => (rest, true),
        };
        let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let ok_name = name.len() >= 2 && starts_well && of(name, "+.-") && !name.ends_with('-');
        if ok_name && ok_arch && ok_end && !text.ends_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPackage(text.to_owned()))
        }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Installs them. Dropping it ends the installation.
pub(crate) async fn install(
    packages: &[Package],
    environment: &[(OsString, OsString)],
    within: Duration,
) -> Result<(), Unready> {
    if packages.is_empty() {
        return Ok(());
    }
    if !geteuid().is_root() {
        return Err(Unready::Packages {
            why: format!("only root may, and the agent's user id is {}", geteuid()),
            remedy:
                "let the agent be root (the runner still runs as FLEETFOOT_RUNNER_USER), or install them \
                     in the image"
                    .into(),
        });
    }
    info!(count = packages.len(), packages = names(packages), "installing packages");
    let deadline = Instant::now() + within;
    let names = packages.iter().map(|package| package.0.as_str());
    for arguments in
        [vec!["update"], ["install", "--yes", "--"].into_iter().chain(names).collect(), vec!["clean"]]
    {
        let step = format!("{INSTALLER} {}", arguments[0]);
        match timeout_at(deadline, run(&step, &arguments, environment)).await {
            Ok(done) => done?,
            Err(_) => {
                return Err(Unready::Packages {
                    why: format!("`{step}` was not done {} s after the start", within.as_secs()),
                    remedy: "install them in the image, or raise FLEETFOOT_PACKAGES_TIMEOUT".into(),
                });
            }
        }
    }
    Ok(())
}

fn names(packages: &[Package]) -> String {
    packages.iter().map(|package| package.0.as_str()).collect::<Vec<_>>().join(" ")
}

async fn run(step: &str, arguments: &[&str], environment: &[(OsString, OsString)]) -> Result<(), Unready> {
    let failed = |why: String| Unready::Packages {
        why: format!("`{step}` {why}"),
        remedy: "see its lines in the log; install the packages in the image if the task cannot reach the \
                 package sources"
            .into(),
    };
    let child = Command::new(INSTALLER)
        .args(OPTIONS)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let mut family = Family(child);
    let last_error = pass_on(&mut family.0).await;
    let status = family.0.wait().await.map_err(|error| failed(chain(&error)))?;
    if status.success() {
        return Ok(());
    }
    let said = last_error.map(|line| format!(": {line}")).unwrap_or_default();
    Err(failed(format!("ended with {status}{said}")))
}

/// Passes its lines on to the log until it is silent, and gives back the last of its error stream.
async fn pass_on(child: &mut Child) -> Option<String> {
    let (sender, mut lines) = mpsc::channel(16);
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(output::read(stdout, false, sender.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(output::read(stderr, true, sender.clone()));
    }
    drop(sender);
    let nothing_secret = SecretString::from("");
    let mut last_error = None;
    while let Some(said) = lines.recv().await {
        let text = for_log(&said.line, &nothing_secret);
        info!(stream = "packages", "{text}");
        if said.error && !text.trim().is_empty() {
            last_error = Some(text);
        }
    }
    last_error
}

/// An installer and all that it started, which end together with it.
struct Family(Child);

impl Drop for Family {
    fn drop(&mut self) {
        // No id: it has ended and was waited for.
        if let Some(leader) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            // The group may be gone in this moment; kill_on_drop sees to the leader in any case.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_names_with_a_version_an_architecture_or_a_release() {
        for good in [
            "jq",
            "g++",
            "python3.11",
            "libc6:arm64",
            "jq=1.6-2.1+deb12u1",
            "vim=2:9.0.1378-2",
            "git/bookworm-backports",
            "libc6:arm64=2.36-9",
        ] {
            assert_eq!(good.parse::<Package>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn what_apt_get_would_take_for_something_else_is_refused() {
        for bad in [
            "",
            "j",
            "-y",
            "--reinstall",
            "jq-",
            "jq=",
            "jq:",
            "jq/",
            "JQ",
            "./x.deb",
            "/tmp/x.deb",
            "tmp/x.deb",
            "jq^",
            "lib*",
            "a b",
            "jq;reboot",
            "$(reboot)",
            "jq\n",
            "é1",
            "jq=1 2",
            "jq:-",
            "jq=1-",
        ] {
            let error = bad.parse::<Package>().unwrap_err().to_string();
            assert!(error.contains("is not valid"), "{bad}: {error}");
        }
    }
}
