//! Users, organisations, repositories, environments and runner groups.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;

use super::oidc::SubjectForm;
use super::permissions::Permissions;

/// A repository to add to the simulated GitHub.
#[derive(Clone)]
pub struct RepositorySpec {
    /// `owner/name`; the owner must exist.
    pub full_name: String,
    /// The repository's files on this machine.
    pub files: PathBuf,
    /// Its id; absent: the next free one.
    pub id: Option<u64>,
    /// Whether it is invisible to strangers.
    pub private: bool,
    /// The branch that runs start on.
    pub default_branch: String,
    /// The commit at the head of every branch; absent: a random one.
    pub sha: Option<String>,
    /// The form of the subject in its jobs' OIDC tokens.
    pub subject: SubjectForm,
    /// Variables, `vars.*`.
    pub vars: BTreeMap<String, String>,
    /// Secrets, `secrets.*`.
    pub secrets: BTreeMap<String, String>,
}

impl RepositorySpec {
    /// A private repository with the default branch `main` and nothing configured.
    pub fn new(full_name: impl Into<String>, files: impl Into<PathBuf>) -> Self {
        Self {
            full_name: full_name.into(),
            files: files.into(),
            id: None,
            private: true,
            default_branch: "main".into(),
            sha: None,
            subject: SubjectForm::Names,
            vars: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }
}

/// Whose runners they are, or whose route it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// A repository's, by its id.
    Repository(u64),
    /// An organisation's, by its id.
    Organization(u64),
}

pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) login: String,
    /// The logins of an organisation's owners; a user has none.
    pub(crate) owners: Option<Vec<String>>,
    /// Variables of an organisation.
    pub(crate) vars: BTreeMap<String, OrgValue>,
    /// Secrets of an organisation.
    pub(crate) secrets: BTreeMap<String, OrgValue>,
}

/// A variable or secret of an organisation, and the repositories that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrgValue {
    pub(crate) value: String,
    pub(crate) visibility: Visibility,
}

/// The repositories that something of an organisation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visibility {
    All,
    /// The private and internal ones.
    Private,
    /// These.
    Selected(BTreeSet<u64>),
}

impl Visibility {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Private => "private",
            Self::Selected(_) => "selected",
        }
    }

    fn reaches(&self, repository: &Repository) -> bool {
        match self {
            Self::All => true,
            Self::Private => repository.private,
            Self::Selected(ids) => ids.contains(&repository.id),
        }
    }
}

impl Account {
    pub(crate) fn is_organization(&self) -> bool {
        self.owners.is_some()
    }

    pub(crate) fn kind(&self) -> &'static str {
        if self.is_organization() { "Organization" } else { "User" }
    }

    /// Whether this user may administer what the account owns.
    pub(crate) fn is_administered_by(&self, user: &str) -> bool {
        match &self.owners {
            Some(owners) => owners.iter().any(|owner| owner.eq_ignore_ascii_case(user)),
            None => self.login.eq_ignore_ascii_case(user),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) owner_id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) files: PathBuf,
    pub(crate) private: bool,
    pub(crate) default_branch: String,
    pub(crate) sha: String,
    pub(crate) subject: SubjectForm,
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) environments: BTreeMap<String, Environment>,
    pub(crate) created_at: Timestamp,
    /// Runs so far, for `github.run_number`.
    pub(crate) runs: u64,
}

impl Repository {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

#[derive(Clone, Default)]
pub(crate) struct Environment {
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, String>,
}

/// A runner group of an organisation. Its id counts from 1 in each; repositories know only the group 1.
pub(crate) struct RunnerGroup {
    pub(crate) id: u64,
    pub(crate) organization: u64,
    pub(crate) name: String,
    pub(crate) is_default: bool,
    /// The repositories that may use it; absent: all.
    pub(crate) selected: Option<BTreeSet<u64>>,
}

impl RunnerGroup {
    pub(crate) fn admits(&self, repository: u64) -> bool {
        self.selected.as_ref().is_none_or(|ids| ids.contains(&repository))
    }
}

/// A GitHub App.
pub(crate) struct App {
    pub(crate) id: u64,
    pub(crate) client_id: String,
    /// The name in its address.
    pub(crate) slug: String,
    pub(crate) owner_id: u64,
    pub(crate) permissions: Permissions,
    pub(crate) public_key: jsonwebtoken::DecodingKey,
    pub(crate) created_at: Timestamp,
}

/// An App on an account.
pub(crate) struct Installation {
    pub(crate) id: u64,
    pub(crate) app_id: u64,
    pub(crate) account_id: u64,
    /// The repositories it was given; absent: all of the account.
    pub(crate) repositories: Option<BTreeSet<u64>>,
    pub(crate) permissions: Permissions,
    pub(crate) created_at: Timestamp,
}

impl Installation {
    /// Whether it was given a repository.
    pub(crate) fn reaches(&self, repository: &Repository) -> bool {
        self.account_id == repository.owner_id
            && self.repositories.as_ref().is_none_or(|ids| ids.contains(&repository.id))
    }
}

/// Who and what there is.
#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) by_id: BTreeMap<u64, Account>,
    pub(crate) repositories: BTreeMap<u64, Repository>,
    pub(crate) groups: Vec<RunnerGroup>,
    pub(crate) apps: BTreeMap<u64, App>,
    pub(crate) installations: BTreeMap<u64, Installation>,
}

impl Accounts {
    pub(crate) fn account(&self, login: &str) -> Option<&Account> {
        self.by_id.values().find(|account| account.login.eq_ignore_ascii_case(login))
    }

    pub(crate) fn repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.repositories
            .values()
            .find(|repo| repo.owner.eq_ignore_ascii_case(owner) && repo.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn by_full_name(&self, full_name: &str) -> Option<&Repository> {
        full_name.split_once('/').and_then(|(owner, name)| self.repository(owner, name))
    }

    /// What workflows of a repository find configured: its owner's, and before those its own. Variables first,
    /// then secrets.
    pub(crate) fn configured(&self, repository: &Repository) -> [BTreeMap<String, String>; 2] {
        let owner = self.by_id.get(&repository.owner_id);
        let of = |shared: Option<&BTreeMap<String, OrgValue>>, own: &BTreeMap<String, String>| {
            let shared =
                shared.into_iter().flatten().filter(|(_, shared)| shared.visibility.reaches(repository));
            let shared = shared.map(|(name, shared)| (name.clone(), shared.value.clone()));
            shared.chain(own.clone()).collect()
        };
        [
            of(owner.map(|owner| &owner.vars), &repository.vars),
            of(owner.map(|owner| &owner.secrets), &repository.secrets),
        ]
    }

    /// The organisation's groups, the default one first.
    pub(crate) fn groups_of(&self, organization: u64) -> impl Iterator<Item = &RunnerGroup> {
        self.groups.iter().filter(move |group| group.organization == organization)
    }
}
