//! Permissions as GitHub names them, and what a route asks for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How far a permission reaches; the higher includes the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// To look.
    Read,
    /// To look and to change.
    Write,
    /// Everything; only some organisation permissions know it.
    Admin,
}

impl Level {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// Permission names (`administration`, `organization_self_hosted_runners`, …) and their levels.
pub type Permissions = BTreeMap<String, Level>;

/// What a route asks of its caller: one permission, or one of some scopes of a classic token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) permission: &'static str,
    pub(crate) level: Level,
    /// What a fine-grained personal access token needs besides.
    pub(crate) personal: Option<(&'static str, Level)>,
    /// Scopes of a classic token, any of which suffices; empty: none is needed for a public repository.
    pub(crate) scopes: &'static [&'static str],
}

impl Demand {
    pub(crate) const fn new(permission: &'static str, level: Level, scopes: &'static [&'static str]) -> Self {
        Self { permission, level, personal: None, scopes }
    }

    /// Also asks this of a fine-grained personal access token.
    pub(crate) const fn and_personal(mut self, permission: &'static str, level: Level) -> Self {
        self.personal = Some((permission, level));
        self
    }

    pub(crate) fn met_by(&self, permissions: &Permissions) -> bool {
        permissions.get(self.permission).is_some_and(|level| *level >= self.level)
    }

    pub(crate) fn met_by_personal(&self, permissions: &Permissions) -> bool {
        let also = self
            .personal
            .is_none_or(|(name, least)| permissions.get(name).is_some_and(|level| *level >= least));
        also && self.met_by(permissions)
    }

    /// As in the header `X-Accepted-GitHub-Permissions`.
    pub(crate) fn accepted(&self, personal: bool) -> String {
        let own = format!("{}={}", self.permission, self.level.as_str());
        match self.personal {
            Some((name, level)) if personal => format!("{own},{name}={}", level.as_str()),
            _ => own,
        }
    }

    /// Whether whoever sees a public repository may do this.
    pub(crate) fn is_public(&self) -> bool {
        self.level == Level::Read && matches!(self.permission, "metadata" | "contents" | "actions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNERS: Demand = Demand::new("organization_self_hosted_runners", Level::Write, &["admin:org"])
        .and_personal("organization_administration", Level::Read);

    #[test]
    fn a_personal_token_needs_more_than_an_installation() {
        let mut held = Permissions::from([("organization_self_hosted_runners".into(), Level::Write)]);
        assert!(RUNNERS.met_by(&held));
        assert!(!RUNNERS.met_by_personal(&held));
        held.insert("organization_administration".into(), Level::Read);
        assert!(RUNNERS.met_by_personal(&held));
    }

    #[test]
    fn read_does_not_reach_write() {
        let held = Permissions::from([("organization_self_hosted_runners".into(), Level::Read)]);
        assert!(!RUNNERS.met_by(&held));
        assert_eq!(
            RUNNERS.accepted(true),
            "organization_self_hosted_runners=write,organization_administration=read"
        );
    }
}
