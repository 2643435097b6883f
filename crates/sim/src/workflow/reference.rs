//! What `uses` of a step names.

use std::path::{Component, Path, PathBuf};

use super::Published;

/// An action, as a step names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// `actions/checkout@…`, which is built in.
    Checkout,
    /// `./folder`, in the job's workspace. `None` if it leads out of it.
    Local(Option<PathBuf>),
    /// `owner/repository/folder@version`.
    Repository(Remote),
    /// `docker://image`.
    Image,
    /// Nothing that GitHub knows.
    Unknown,
}

/// An action in another repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) owner: String,
    pub(crate) name: String,
    /// In the repository; empty for its root.
    pub(crate) folder: PathBuf,
    pub(crate) version: String,
}

impl Reference {
    pub(crate) fn of(uses: &str) -> Self {
        if uses.starts_with("docker://") {
            return Self::Image;
        }
        if uses.starts_with("./") {
            return Self::Local(folder(uses));
        }
        let Some(remote) = Remote::of(uses) else { return Self::Unknown };
        if (remote.owner.as_str(), remote.name.as_str()) == ("actions", "checkout") {
            return Self::Checkout;
        }
        Self::Repository(remote)
    }
}

impl Remote {
    fn of(uses: &str) -> Option<Self> {
        let (path, version) = uses.split_once('@')?;
        let mut parts = path.splitn(3, '/');
        let (owner, name) = (parts.next()?, parts.next()?);
        let folder = folder(parts.next().unwrap_or_default())?;
        let named = [owner, name].iter().all(|part| !part.is_empty() && !matches!(*part, "." | ".."));
        // A version may be a branch with slashes, and becomes a folder.
        let versioned = self::folder(version).is_some_and(|path| !path.as_os_str().is_empty());
        (named && versioned).then(|| Self {
            owner: owner.into(),
            name: name.into(),
            folder,
            version: version.into(),
        })
    }

    /// `owner/repository`, as in `github.action_repository`.
    pub(crate) fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The folder of its repository's files, if they are at hand.
    pub(crate) fn files<'a>(&self, published: &'a Published) -> Option<&'a Path> {
        published.files(&self.owner, &self.name)
    }
}

/// A relative path made plain; `None` if it leads out of where it begins.
pub(crate) fn folder(path: &str) -> Option<PathBuf> {
    let mut folder = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => folder.push(name),
            Component::ParentDir if folder.pop() => {}
            _ => return None,
        }
    }
    Some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_told_apart() {
        let remote = |folder: &str| {
            Reference::Repository(Remote {
                owner: "octo".into(),
                name: "tools".into(),
                folder: folder.into(),
                version: "v1".into(),
            })
        };
        for (uses, wanted) in [
            ("actions/checkout@v4", Reference::Checkout),
            ("docker://alpine", Reference::Image),
            ("./", Reference::Local(Some(PathBuf::new()))),
            ("./a/../b", Reference::Local(Some("b".into()))),
            ("./a/../../b", Reference::Local(None)),
            ("octo/tools@v1", remote("")),
            ("octo/tools/a/b@v1", remote("a/b")),
            ("octo/tools/../x@v1", Reference::Unknown),
            ("octo/tools", Reference::Unknown),
            ("octo@v1", Reference::Unknown),
            ("../outside@v1", Reference::Unknown),
            ("octo/tools@", Reference::Unknown),
            ("octo/tools@a/../../../x", Reference::Unknown),
        ] {
            assert_eq!(Reference::of(uses), wanted, "{uses}");
        }
    }
}
