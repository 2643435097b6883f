//! Looks at the image before anything else, so that a wrong one is told in the first second.

use std::ffi::CString;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, Gid, Uid, User, access, chown, geteuid, getgrouplist};

use crate::unready::Unready;

/// The program, below the runner's folder.
pub(crate) const LISTENER: &str = "bin/Runner.Listener";

/// Whom the runner runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    /// As the agent itself.
    Own,
    /// As somebody else, which takes a root agent.
    Other(Person),
}

/// A user of the image, with all groups: without them `sudo` would not know the official image's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) groups: Vec<Gid>,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
}

/// Checks that the image holds a runner and the user to run it, and says whom to run it as.
pub(crate) fn check(runner_dir: &Path, user: Option<&str>) -> Result<Account, Unready> {
    let listener = runner_dir.join(LISTENER);
    let file = std::fs::metadata(&listener).map_err(|error| {
        unfit(
            format!("{} cannot be read: {error}", listener.display()),
            "unpack a release of actions/runner there, or set FLEETFOOT_RUNNER_DIR to where it is",
        )
    })?;
    if !file.is_file() || file.permissions().mode() & 0o111 == 0 {
        return Err(unfit(
            format!("{} is not an executable file", listener.display()),
            "unpack the runner's release with its file modes (tar -xzf as it comes)",
        ));
    }
    let account = match user {
        Some(name) if geteuid().is_root() => Account::Other(find(name)?),
        _ => Account::Own,
    };
    check_writable(runner_dir, &account)?;
    Ok(account)
}

fn find(name: &str) -> Result<Person, Unready> {
    let user = User::from_name(name)
        .map_err(|error| unfit(format!("the user {name} cannot be looked up: {error}"), "see /etc/passwd"))?
        .ok_or_else(|| {
            unfit(
                format!("there is no user {name}"),
                "add it to the image (useradd --create-home), or name another in FLEETFOOT_RUNNER_USER",
            )
        })?;
    let c_name =
        CString::new(name).map_err(|_| unfit("the user's name holds a NUL".into(), "name another"))?;
    let groups = getgrouplist(&c_name, user.gid)
        .map_err(|error| unfit(format!("the groups of {name} cannot be read: {error}"), "see /etc/group"))?;
    Ok(Person { name: user.name, uid: user.uid, gid: user.gid, groups, home: user.dir, shell: user.shell })
}

/// Makes an absolute work folder, or sees that it can be written to. A relative one is made by the runner.
pub(crate) fn make_work_folder(folder: &Path, account: &Account) -> Result<(), Unready> {
    if !folder.is_absolute() {
        return Ok(());
    }
    let remedy = "name another folder in RUNNER_WORKDIR, or make it the runner user's own";
    let cannot = |what: &str, error: std::io::Error| {
        unfit(format!("the work folder {} cannot be {what}: {error}", folder.display()), remedy)
    };
    if !folder.exists() {
        std::fs::create_dir_all(folder).map_err(|error| cannot("made", error))?;
        if let Account::Other(person) = account {
            chown(folder, Some(person.uid), Some(person.gid))
                .map_err(|error| cannot("given to the runner's user", error.into()))?;
        }
    }
    check_writable(folder, account)
}

/// The runner writes its registration, its diagnostics and the jobs' files below its own folder.
fn check_writable(runner_dir: &Path, account: &Account) -> Result<(), Unready> {
    let shown = runner_dir.display();
    let remedy = "make it the runner user's own: chown -R USER in the image";
    let permitted = access(runner_dir, AccessFlags::W_OK | AccessFlags::X_OK);
    // Permissions of the root agent are not the user's, but read-only it is for both.
    if permitted == Err(Errno::EROFS) {
        return Err(unfit(
            format!("{shown} cannot be written to: its file system is read-only"),
            "mount a volume there, of an image that declares it with VOLUME: the runner image's target read-only",
        ));
    }
    match account {
        Account::Own => {
            permitted.map_err(|error| unfit(format!("{shown} cannot be written to: {error}"), remedy))
        }
        Account::Other(person) => {
            let folder = std::fs::metadata(runner_dir)
                .map_err(|error| unfit(format!("{shown} cannot be read: {error}"), remedy))?;
            if may_write(&folder, person) {
                Ok(())
            } else {
                Err(unfit(format!("{shown} is not writable by the user {}", person.name), remedy))
            }
        }
    }
}

fn may_write(folder: &Metadata, person: &Person) -> bool {
    let group = Gid::from_raw(folder.gid());
    let bits = if person.uid.is_root() {
        0o3
    } else if folder.uid() == person.uid.as_raw() {
        folder.mode() >> 6
    } else if person.gid == group || person.groups.contains(&group) {
        folder.mode() >> 3
    } else {
        folder.mode()
    };
    bits & 0o3 == 0o3
}

fn unfit(missing: String, remedy: &str) -> Unready {
    Unready::ImageUnfit { missing, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        let listener = dir.path().join(LISTENER);
        std::fs::write(&listener, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&listener, PermissionsExt::from_mode(mode)).unwrap();
        dir
    }

    #[test]
    fn a_good_image_passes() {
        assert_eq!(check(runner(0o755).path(), None).unwrap(), Account::Own);
    }

    #[test]
    fn what_is_missing_is_named() {
        let empty = tempfile::tempdir().unwrap();
        let error = check(empty.path(), None).unwrap_err();
        assert!(error.to_string().contains("bin/Runner.Listener cannot be read"), "{error}");
        let error = check(runner(0o644).path(), None).unwrap_err();
        assert!(error.to_string().contains("is not an executable file"), "{error}");
    }

    #[test]
    fn an_absolute_work_folder_is_made_and_a_relative_one_left_to_the_runner() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        make_work_folder(&folder, &Account::Own).unwrap();
        assert!(folder.is_dir());
        make_work_folder(&folder, &Account::Own).unwrap();
        make_work_folder(Path::new("no/such/folder"), &Account::Own).unwrap();
        assert!(!Path::new("no").exists());
        std::fs::write(dir.path().join("file"), "").unwrap();
        let error = make_work_folder(&dir.path().join("file/x"), &Account::Own).unwrap_err();
        assert!(error.to_string().contains("file/x cannot be made"), "{error}");
    }

    #[test]
    fn the_user_matters_only_to_root() {
        let result = check(runner(0o755).path(), Some("no-such-user"));
        if geteuid().is_root() {
            assert!(result.unwrap_err().to_string().contains("no user no-such-user"));
        } else {
            assert_eq!(result.unwrap(), Account::Own);
        }
    }

    #[test]
    fn a_folder_is_writable_by_its_owner_its_group_or_all() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |mode| {
            std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
            std::fs::metadata(dir.path()).unwrap()
        };
        let folder = mode(0o700);
        let person = |uid, gid, groups: &[u32]| Person {
            name: "p".into(),
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
            groups: groups.iter().copied().map(Gid::from_raw).collect(),
            home: "/".into(),
            shell: "/bin/sh".into(),
        };
        let (uid, gid) = (folder.uid(), folder.gid());
        assert!(may_write(&folder, &person(uid, gid + 1, &[])));
        assert!(!may_write(&folder, &person(uid + 1, gid, &[])));
        assert!(may_write(&mode(0o770), &person(uid + 1, gid + 1, &[gid])));
        assert!(!may_write(&mode(0o750), &person(uid + 1, gid, &[])));
        assert!(may_write(&mode(0o777), &person(uid + 1, gid + 1, &[])));
    }
}
