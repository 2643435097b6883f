//! The runner image in real containers, whose PID 1 is the agent.
//!
//! No registry is asked for an image: podman builds ours upon a root file system that debootstrap makes of this
//! machine's own Debian or Ubuntu, so that what Cargo has built for the machine runs there, too. That file system is
//! kept below `target`; what podman stores is thrown away with the step. Nobody must have either program to work
//! on the project: without them the step is skipped and says so. It installs them itself only where nobody else
//! works, which is what `CI=true` says.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell;
use crate::steps::Outcome;

/// What is needed, and the package that has it. runc comes along: where podman's own choice, crun, does not get on
/// with the machine's cgroups, it does.
const TOOLS: [&str; 3] = ["podman", "runc", "debootstrap"];

/// Runs the tests of the container.
pub(crate) fn check(root: &Path) -> Outcome {
    if let Some(why) = unusable() {
        return Outcome::Skipped(why);
    }
    let system = match system(root) {
        Ok(system) => system,
        Err(why) => return Outcome::Failed(why),
    };
    let rooms = match Rooms::new() {
        Ok(rooms) => rooms,
        Err(why) => return Outcome::Failed(why),
    };
    let test = ["test", "--quiet", "--workspace", "--locked", "--test", "container", "--", "--ignored"];
    let mut command = shell::cargo(root, &test);
    command.env("FLEETFOOT_CONTAINERS", &rooms.folder).env("FLEETFOOT_CONTAINER_SYSTEM", system);
    shell::run(&mut command)
}

/// Why there can be no containers here; installs what is missing where that is nobody's loss.
fn unusable() -> Option<String> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        return Some(
            "containers with users of their own take root: sudo cargo xtask test --only container".into(),
        );
    }
    let missing: Vec<&str> = TOOLS.into_iter().filter(|tool| !on_path(tool)).collect();
    if missing.is_empty() {
        return None;
    }
    let names = missing.join(", ");
    let remedy = format!("on Debian and Ubuntu: apt install {}", missing.join(" "));
    if std::env::var_os("CI").is_none_or(|ci| ci != "true") || !on_path("apt-get") {
        return Some(format!("{names} not installed ({remedy})"));
    }
    println!("installing {names} with apt-get, because CI=true says that this machine is for tests alone");
    install(&missing).err().map(|why| format!("{names} cannot be installed: {why}"))
}

fn install(packages: &[&str]) -> Result<(), String> {
    for arguments in [&["update"][..], &[&["install", "--yes", "--no-install-recommends"], packages].concat()]
    {
        let mut apt = Command::new("apt-get");
        apt.arg("--quiet=2").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        shell::read(&mut apt)?;
    }
    Ok(())
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A root file system of this machine's release, as an archive. Made once.
fn system(root: &Path) -> Result<PathBuf, String> {
    let os = fs::read_to_string("/etc/os-release").map_err(|error| format!("/etc/os-release: {error}"))?;
    let suite = os
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .ok_or("this machine is no Debian or Ubuntu release, of which debootstrap could make another one")?;
    let folder = root.join("target/container");
    let archive = folder.join(format!("{suite}.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    println!("making a root file system of {suite} with debootstrap, in {}", folder.display());
    let (tree, draft) = (folder.join("tree"), folder.join("draft.tar"));
    let made = || -> Result<(), String> {
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(told)?;
        }
        fs::create_dir_all(&folder).map_err(told)?;
        // GitHub's image has both.
        let args = ["--variant=minbase", "--include=ca-certificates,sudo", suite];
        shell::read(Command::new("debootstrap").args(args).arg(&tree))?;
        shell::read(
            Command::new("tar").arg("--create").arg("--file").arg(&draft).arg("-C").arg(&tree).arg("."),
        )?;
        fs::rename(&draft, &archive).map_err(told)?;
        fs::remove_dir_all(&tree).map_err(told)
    };
    made()?;
    Ok(archive)
}

/// Where podman keeps everything while the step runs. Podman wants a short path.
struct Rooms {
    folder: PathBuf,
}

impl Rooms {
    fn new() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("fleetfoot-{}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok(Self { folder })
    }

    fn podman(&self, args: &[&str]) -> Command {
        let option = |name: &str, folder: &str| {
            let mut option = OsString::from(name);
            option.push(self.folder.join(folder));
            option
        };
        let mut podman = Command::new("podman");
        podman.args([option("--root=", "store"), option("--runroot=", "run")]).args(args);
        podman
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        // A test that was broken off leaves its container, which would go on.
        if let Err(why) = shell::read(&mut self.podman(&["rm", "--all", "--force", "--time", "0"])) {
            println!("containers may be left: {why}");
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            println!("{} is left: {error}", self.folder.display());
        }
    }
}
