//! `action/install.sh` by itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use super::releases::{Releases, archive};
use super::{checkout, stand_in};

/// A machine of GitHub's, as far as the script looks at it.
struct Machine {
    folder: TempDir,
    variables: BTreeMap<&'static str, String>,
}

impl Machine {
    fn new(releases: &Releases) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arch = if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" };
        let temporary = folder.path().join("temp");
        fs::create_dir(&temporary).unwrap();
        let variables = [
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_ARCH", arch.to_owned()),
            ("RUNNER_TEMP", temporary.display().to_string()),
            ("GITHUB_PATH", folder.path().join("path").display().to_string()),
            ("GITHUB_REPOSITORY", "octo-org/demo".to_owned()),
            ("FLEETFOOT_VERSION", "9.9.9".to_owned()),
            ("FLEETFOOT_RELEASES", releases.url().to_owned()),
        ];
        Self { folder, variables: variables.into() }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.to_owned());
        self
    }

    /// Puts a `fleetfoot` of this version on the PATH.
    fn with_program(self, version: &str) -> Self {
        let bin = self.folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let program = bin.join("fleetfoot");
        fs::write(&program, stand_in(version, "exit 1")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", bin.display());
        self.set("PATH", &path)
    }

    async fn run(&self) -> (bool, String) {
        self.run_script(&checkout().join("action/install.sh")).await
    }

    async fn run_script(&self, script: &Path) -> (bool, String) {
        let output = Command::new(script).env_clear().envs(&self.variables).output().await.unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
        (output.status.success(), said)
    }

    async fn refuses(&self, wanted: &str) {
        let (ok, said) = self.run().await;
        assert!(!ok && said.contains("::error title=fleetfoot::") && said.contains(wanted), "{said}");
        assert_eq!(self.installed(), None, "{said}");
    }

    /// The folder that the next steps will have on their PATH.
    fn installed(&self) -> Option<PathBuf> {
        let path = fs::read_to_string(self.folder.path().join("path")).ok()?;
        Some(path.trim().into())
    }
}

async fn released() -> Releases {
    let releases = Releases::start().await;
    releases.publish("9.9.9", &stand_in("9.9.9", "exit 1"));
    releases
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_put_on_the_path_of_the_next_steps() {
    let machine = Machine::new(&released().await);
    let (ok, said) = machine.run().await;
    assert!(ok && said.starts_with("Installed fleetfoot 9.9.9 for "), "{said}");
    let program = machine.installed().unwrap().join("fleetfoot");
    let version = Command::new(program).arg("--version").output().await.unwrap();
    assert_eq!(version.stdout, b"fleetfoot 9.9.9\n");
    let left: Vec<_> =
        fs::read_dir(machine.installed().unwrap()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy() == archive()), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_on_the_path_is_used_unless_another_version_is_asked_for() {
    let releases = released().await;
    for asked in ["", "9.9.8", "v9.9.8"] {
        let machine = Machine::new(&releases).with_program("9.9.8").set("FLEETFOOT_VERSION", asked);
        let (ok, said) = machine.run().await;
        assert!(ok && said.starts_with("Using fleetfoot 9.9.8, found at "), "{asked}: {said}");
        assert_eq!(machine.installed(), None);
    }
    let machine = Machine::new(&releases).with_program("9.9.8");
    let (ok, said) = machine.run().await;
    assert!(ok && machine.installed().is_some(), "{said}");
}

/// A program for another machine, or half of one.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_on_the_path_that_does_not_run_is_replaced() {
    let machine = Machine::new(&released().await).with_program("9.9.9");
    fs::write(machine.folder.path().join("bin/fleetfoot"), "#!/bin/sh\nexit 126\n").unwrap();
    let (ok, said) = machine.run().await;
    assert!(ok && machine.installed().is_some(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_version_it_is_the_action_s_own() {
    let releases = released().await;
    let own = env!("CARGO_PKG_VERSION");
    let machine = Machine::new(&releases).set("FLEETFOOT_VERSION", "");
    machine.refuses(&format!("cannot download {} of fleetfoot {own} from ", archive())).await;
    releases.publish(own, &stand_in(own, "exit 1"));
    let (ok, said) = machine.run().await;
    assert!(ok && said.contains(&format!("Installed fleetfoot {own} for ")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_was_released_is_not_installed() {
    let releases = released().await;
    releases.tamper("9.9.9");
    let wanted = format!("the checksum of {} is not the one in SHA256SUMS", archive());
    let machine = Machine::new(&releases);
    machine.refuses(&wanted).await;
    assert!(!machine.folder.path().join("temp/fleetfoot-9.9.9").join(archive()).exists());
    releases.publish("9.9.9", "x");
    releases.forget_checksum("9.9.9");
    Machine::new(&releases).refuses(&wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_is_refused_with_a_reason() {
    let releases = released().await;
    let machine = |name, value| Machine::new(&releases).set(name, value);
    machine("FLEETFOOT_VERSION", "9.9.7").refuses("see whether that version has been released").await;
    for version in ["latest", "9.9", "9.9.9/../..", "9.9.9 x", "-9.9.9"] {
        machine("FLEETFOOT_VERSION", version).refuses(&format!("\"{version}\" is no version")).await;
    }
    machine("RUNNER_OS", "Windows").refuses("there is no fleetfoot for Windows on ").await;
    machine("RUNNER_ARCH", "ARM").refuses("there is no fleetfoot for Linux on ARM: ").await;
    machine("FLEETFOOT_RELEASES", "http://127.0.0.1:1/releases").refuses("cannot download ").await;
}

/// GitHub tells the repository, or the path does, or it is the workflow's own.
#[tokio::test(flavor = "multi_thread")]
async fn releases_are_those_of_the_action_s_repository() {
    let releases = released().await;
    let home = tempfile::tempdir().unwrap();
    let fetched = home.path().join("work/_actions/acme/fleetfoot/v1");
    for file in ["action/install.sh", "Cargo.toml"] {
        let to = fetched.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(checkout().join(file), to).unwrap();
    }
    let local = checkout().join("action/install.sh");
    for (script, told, wanted) in [
        (&local, "mona/fleetfoot", "mona/fleetfoot"),
        (&local, "", "octo-org/demo"),
        (&fetched.join("action/install.sh"), "", "acme/fleetfoot"),
    ] {
        // No proxy answers there, so nothing leaves the machine.
        let machine = Machine::new(&releases)
            .set("FLEETFOOT_RELEASES", "")
            .set("ACTION_REPOSITORY", told)
            .set("https_proxy", "http://127.0.0.1:1");
        let (ok, said) = machine.run_script(script).await;
        let from = format!(" from https://github.com/{wanted}/releases: ");
        assert!(!ok && said.contains(&from), "{said}");
    }
}
