//! Repositories of others whose actions can be used here, because their files are at hand.
//!
//! Nothing is downloaded and git is not simulated, so a version (`@v1`) is taken as it is: it means the files
//! that are there.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Repositories by name, with the folder that holds their files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published(Vec<(String, PathBuf)>);

impl Published {
    /// Adds a repository, `owner/name`. With `*` as its owner it is found whoever is said to own it.
    #[must_use]
    pub fn with(mut self, repository: impl Into<String>, files: impl Into<PathBuf>) -> Self {
        self.0.push((repository.into(), files.into()));
        self
    }

    /// The folder of a repository's files. Names of repositories have no case.
    pub fn files(&self, owner: &str, name: &str) -> Option<&Path> {
        self.0.iter().find_map(|(repository, files)| {
            let (its_owner, its_name) = repository.split_once('/')?;
            let same = (its_owner == "*" || its_owner.eq_ignore_ascii_case(owner))
                && its_name.eq_ignore_ascii_case(name);
            same.then_some(files.as_path())
        })
    }

    /// Their names, for messages.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(repository, _)| repository.as_str())
    }
}

/// Where what a workflow uses is looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Library<'a> {
    /// Files of the workflow's own repository.
    pub(crate) repository: &'a Path,
    pub(crate) published: &'a Published,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_found_by_name_and_perhaps_by_owner() {
        let published = Published::default().with("octo/tools", "/tools").with("*/anybodys", "/any");
        assert_eq!(published.files("Octo", "Tools"), Some(Path::new("/tools")));
        assert_eq!(published.files("mona", "anybodys"), Some(Path::new("/any")));
        for (owner, name) in [("mona", "tools"), ("octo", "tool"), ("*", "tools")] {
            assert_eq!(published.files(owner, name), None, "{owner}/{name}");
        }
    }
}
