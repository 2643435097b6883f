//! The built-in `actions/checkout`: copies the simulated repository into the workspace.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Not copied from the top of the repository: history, and what builds leave behind, as `.gitignore` there names it.
const LEFT_OUT: [&str; 2] = [".git", "target"];

/// Whole names at the top that git ignores: lines like `/target`. Other patterns are not looked at.
fn ignored(repository: &Path) -> Vec<String> {
    let text = fs::read_to_string(repository.join(".gitignore")).unwrap_or_default();
    let names = text.lines().filter_map(|line| line.trim().strip_prefix('/'));
    let names =
        names.map(|name| name.trim_end_matches('/')).filter(|name| !name.contains(['/', '*', '?', '[']));
    names.map(str::to_owned).collect()
}

/// Copies `repository` to `to`, which is emptied first if `clean`. Returns how many files there are.
pub(crate) fn copy(repository: &Path, to: &Path, clean: bool) -> io::Result<usize> {
    let to = &std::path::absolute(to)?;
    if clean && to.is_dir() {
        for entry in fs::read_dir(to)? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
    }
    fs::create_dir_all(to)?;
    let mut files = 0;
    let ignored = ignored(repository);
    for entry in fs::read_dir(repository).map_err(|error| with_path(&error, repository))? {
        let entry = entry?;
        let left_out = LEFT_OUT.iter().any(|name| entry.file_name() == *name)
            || ignored.iter().any(|name| entry.file_name() == name.as_str());
        if !left_out {
            copy_entry(&entry.path(), &to.join(entry.file_name()), to, &mut files)?;
        }
    }
    Ok(files)
}

fn copy_entry(from: &Path, to: &PathBuf, workspace: &Path, files: &mut usize) -> io::Result<()> {
    // A workspace inside the repository must not be copied into itself.
    if workspace.starts_with(from) || from == workspace {
        return Ok(());
    }
    let meta = fs::symlink_metadata(from).map_err(|error| with_path(&error, from))?;
    if meta.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from).map_err(|error| with_path(&error, from))? {
            let entry = entry?;
            copy_entry(&entry.path(), &to.join(entry.file_name()), workspace, files)?;
        }
    } else if meta.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from)?, to)?;
        *files += 1;
    } else if meta.is_file() {
        fs::copy(from, to).map_err(|error| with_path(&error, from))?;
        *files += 1;
    }
    // Sockets and pipes are in no repository.
    Ok(())
}

fn with_path(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_all_but_history_and_builds() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (path, text) in [
            ("a.txt", "a"),
            ("sub/b.txt", "b"),
            (".git/HEAD", "x"),
            ("target/x", "x"),
            ("sub/target/y", "y"),
            (".gitignore", "/.venv/\n*.log\n"),
            (".venv/bin/x", "x"),
        ] {
            let path = from.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(to.path().join("old"), "").unwrap();
        assert_eq!(copy(from.path(), to.path(), true).unwrap(), 4);
        assert!(to.path().join("sub/target/y").exists());
        for gone in [".git", ".venv", "target", "old"] {
            assert!(!to.path().join(gone).exists(), "{gone}");
        }
    }

    #[test]
    fn a_workspace_inside_the_repository_is_left_out() {
        let repository = tempfile::tempdir().unwrap();
        fs::write(repository.path().join("a"), "").unwrap();
        assert_eq!(copy(repository.path(), &repository.path().join("work/r/r"), true).unwrap(), 1);
    }
}
