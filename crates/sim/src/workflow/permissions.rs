//! What a job's token may do, as `permissions:` says it.

use std::collections::BTreeMap;

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Access {
    /// Nothing.
    #[default]
    None,
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// The scopes GitHub knows (workflow syntax reference, `permissions`).
pub(crate) const SCOPES: [&str; 16] = [
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "models",
    "packages",
    "pages",
    "pull-requests",
    "repository-projects",
    "security-events",
    "statuses",
    "artifact-metadata",
];

/// The permissions of a job's token: those of the job, else of the workflow, else the default of a new
/// repository (read `contents` and `packages`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions(BTreeMap<String, Access>);

impl Default for Permissions {
    fn default() -> Self {
        Self::from_scopes([("contents", Access::Read), ("packages", Access::Read)])
    }
}

impl Permissions {
    /// Exactly these scopes; all others are [`Access::None`].
    pub fn from_scopes<'a>(scopes: impl IntoIterator<Item = (&'a str, Access)>) -> Self {
        Self(scopes.into_iter().map(|(scope, access)| (scope.to_owned(), access)).collect())
    }

    /// `read-all`. It does not reach `id-token`, which can only be written or not.
    pub(crate) fn read_all() -> Self {
        Self::from_scopes(
            SCOPES.into_iter().filter(|scope| *scope != "id-token").map(|scope| (scope, Access::Read)),
        )
    }

    /// `write-all`.
    pub(crate) fn write_all() -> Self {
        Self::from_scopes(SCOPES.into_iter().map(|scope| (scope, Access::Write)))
    }

    /// What the token may do with a scope such as `contents`.
    pub fn get(&self, scope: &str) -> Access {
        self.0.get(scope).copied().unwrap_or_default()
    }

    /// Whether the job may ask for an OIDC token: `id-token: write`.
    pub fn id_token_write(&self) -> bool {
        self.get("id-token") == Access::Write
    }

    /// The scopes that are granted, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Access)> {
        self.0
            .iter()
            .filter(|(_, access)| **access != Access::None)
            .map(|(scope, access)| (scope.as_str(), *access))
    }
}
