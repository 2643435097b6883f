//! Furnishing a simulated GitHub: what administrators click together on the real one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jsonwebtoken::DecodingKey;

use super::accounts::{
    Account, App, Environment, Installation, Repository, RepositorySpec, RunnerGroup, Scope,
};
use super::keys::{KeyError, PrivateKey};
use super::permissions::{Level, Permissions};
use super::runners::Registration;
use super::state::State;
use super::tokens::{Grant, TokenKind};

/// A GitHub App to add.
#[derive(Debug, Clone)]
pub struct AppSpec {
    /// Login of its owner.
    pub owner: String,
    /// Its id.
    pub app_id: u64,
    /// Its client id, `Iv23li…`.
    pub client_id: String,
    /// What it asks for when it is installed.
    pub permissions: Permissions,
    /// The public half of its key, PEM; absent: a key is made, and its private half returned.
    pub public_key: Option<String>,
}

/// Something that cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A login that is not there.
    #[error("there is no account `{0}`: add it first")]
    UnknownAccount(String),
    /// A repository that is not there.
    #[error("there is no repository `{0}`: add it first")]
    UnknownRepository(String),
    /// An App that is not there.
    #[error("there is no app with the id {0}: add it first")]
    UnknownApp(u64),
    /// A scale set that is not there.
    #[error("there is no scale set with the id {0}: create it first")]
    UnknownScaleSet(u64),
    /// A name or an id that is taken.
    #[error("there is a {what} `{name}` already: choose another")]
    Taken {
        /// What it is.
        what: &'static str,
        /// Its name or id.
        name: String,
    },
    /// A repository's name without an owner.
    #[error("`{0}` is no repository: write owner/name")]
    NotAFullName(String),
    /// An installation asked for more than its App has.
    #[error("the app {app} has no permission `{permission}` of that level: give it to the app first")]
    NotPermitted {
        /// The App's id.
        app: u64,
        /// The permission.
        permission: String,
    },
    /// A key that cannot be read or made.
    #[error("the key of the app cannot be used")]
    Key(#[from] KeyError),
}

impl State {
    /// Adds a user, or an organisation with its owners.
    pub(crate) fn add_account(
        &mut self,
        login: &str,
        owners: Option<Vec<String>>,
    ) -> Result<u64, SetupError> {
        if self.accounts.account(login).is_some() {
            return Err(SetupError::Taken { what: "account", name: login.to_owned() });
        }
        let id = self.accounts.by_id.last_key_value().map_or(9_919_001, |(id, _)| id + 1);
        let account =
            Account { id, login: login.to_owned(), owners, vars: BTreeMap::new(), secrets: BTreeMap::new() };
        if account.is_organization() {
            self.accounts.groups.push(RunnerGroup {
                id: 1,
                organization: id,
                name: "Default".into(),
                is_default: true,
                selected: None,
            });
        }
        self.accounts.by_id.insert(id, account);
        Ok(id)
    }

    pub(crate) fn add_repository(&mut self, spec: RepositorySpec, now: Timestamp) -> Result<u64, SetupError> {
        let RepositorySpec { full_name, files, id, private, default_branch, sha, subject, vars, secrets } =
            spec;
        let (owner, name) =
            full_name.split_once('/').ok_or_else(|| SetupError::NotAFullName(full_name.clone()))?;
        let account =
            self.accounts.account(owner).ok_or_else(|| SetupError::UnknownAccount(owner.to_owned()))?;
        let next = self.accounts.repositories.last_key_value().map_or(81_200_001, |(id, _)| id + 1);
        let id = id.unwrap_or(next);
        if self.accounts.repositories.contains_key(&id) {
            return Err(SetupError::Taken { what: "repository", name: id.to_string() });
        }
        if self.accounts.by_full_name(&full_name).is_some() {
            return Err(SetupError::Taken { what: "repository", name: full_name });
        }
        let repository = Repository {
            id,
            owner_id: account.id,
            owner: account.login.clone(),
            name: name.to_owned(),
            files,
            private,
            default_branch,
            sha: sha.unwrap_or_else(|| self.entropy.hex(40)),
            subject,
            vars,
            secrets,
            environments: BTreeMap::new(),
            created_at: now,
            runs: 0,
        };
        self.accounts.repositories.insert(id, repository);
        Ok(id)
    }

    pub(crate) fn add_environment(
        &mut self,
        repository: &str,
        name: &str,
        environment: Environment,
    ) -> Result<(), SetupError> {
        let id = self.repository_id(repository)?;
        if let Some(repository) = self.accounts.repositories.get_mut(&id) {
            repository.environments.insert(name.to_owned(), environment);
        }
        Ok(())
    }

    /// Adds a runner group to an organisation, for all or for selected repositories.
    pub(crate) fn add_runner_group(
        &mut self,
        organization: &str,
        name: &str,
        selected: Option<&[&str]>,
    ) -> Result<u64, SetupError> {
        let organization = self
            .accounts
            .account(organization)
            .filter(|account| account.is_organization())
            .map(|account| account.id)
            .ok_or_else(|| SetupError::UnknownAccount(organization.to_owned()))?;
        let selected = self.repository_ids(selected)?;
        let id = self.accounts.groups_of(organization).map(|group| group.id).max().unwrap_or(0) + 1;
        let name = name.to_owned();
        self.accounts.groups.push(RunnerGroup { id, organization, name, is_default: false, selected });
        Ok(id)
    }

    /// Adds a self-hosted runner to a repository, without a credential that anybody knows.
    pub(crate) fn add_runner(
        &mut self,
        repository: &str,
        name: &str,
        labels: &[&str],
        now: Timestamp,
    ) -> Result<u64, SetupError> {
        let scope = Scope::Repository(self.repository_id(repository)?);
        let registration = Registration {
            name: name.to_owned(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            group_id: 1,
            work_folder: "_work".into(),
            scale_set: None,
        };
        let registered = self.register_runner(scope, registration, now);
        let taken = |_| SetupError::Taken { what: "runner", name: name.to_owned() };
        registered.map(|(runner, _)| runner.id).map_err(taken)
    }

    /// Registers a runner of a scale set, past the limits; gives its JIT configuration.
    pub(crate) fn add_scale_set_runner(
        &mut self,
        scale_set: u64,
        name: &str,
        now: Timestamp,
    ) -> Result<String, SetupError> {
        let registration = self.scale_sets.registration(scale_set, name);
        let (scope, registration) = registration.ok_or(SetupError::UnknownScaleSet(scale_set))?;
        let registered = self.register_runner(scope, registration, now);
        registered
            .map(|(_, encoded)| encoded)
            .map_err(|_| SetupError::Taken { what: "runner", name: name.to_owned() })
    }

    /// Adds a personal access token of a user, and returns it.
    pub(crate) fn add_token(&mut self, user: &str, kind: TokenKind) -> Result<String, SetupError> {
        let unknown = |login: &str| SetupError::UnknownAccount(login.to_owned());
        let user = self.accounts.account(user).ok_or_else(|| unknown(user))?.login.clone();
        let (text, grant) = match kind {
            TokenKind::Classic { scopes } => {
                (format!("ghp_{}", self.entropy.alphanumeric(36)), Grant::Classic { user, scopes })
            }
            TokenKind::FineGrained { resource_owner, repositories, mut permissions } => {
                // "Metadata: read" comes with each other permission on repositories.
                if permissions.keys().any(|name| !name.starts_with("organization_")) {
                    permissions.entry("metadata".into()).or_insert(Level::Read);
                }
                let owner_id =
                    self.accounts.account(&resource_owner).ok_or_else(|| unknown(&resource_owner))?.id;
                let names: Option<Vec<&str>> =
                    repositories.as_ref().map(|names| names.iter().map(String::as_str).collect());
                let repositories = self.repository_ids(names.as_deref())?;
                let (front, back) = (self.entropy.alphanumeric(22), self.entropy.alphanumeric(59));
                let grant = Grant::FineGrained { user, owner_id, repositories, permissions };
                (format!("github_pat_{front}_{back}"), grant)
            }
        };
        self.hand_out(&text);
        self.tokens.add(text.clone(), grant, None);
        Ok(text)
    }

    /// Adds an App. Where it brings no key, returns the private half of the one made for it, PEM.
    pub(crate) fn add_app(&mut self, spec: AppSpec, now: Timestamp) -> Result<Option<String>, SetupError> {
        let AppSpec { owner, app_id, client_id, permissions, public_key } = spec;
        let owner_id =
            self.accounts.account(&owner).ok_or_else(|| SetupError::UnknownAccount(owner.clone()))?.id;
        if self.accounts.apps.values().any(|app| app.id == app_id || app.client_id == client_id) {
            return Err(SetupError::Taken { what: "app", name: client_id });
        }
        let (public_key, private) = if let Some(pem) = public_key {
            (DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(KeyError::from)?, None)
        } else {
            let key = PrivateKey::generate()?;
            (key.verifying, Some(key.pem))
        };
        let app = App {
            id: app_id,
            client_id,
            slug: format!("app-{app_id}"),
            owner_id,
            permissions,
            public_key,
            created_at: now,
        };
        self.accounts.apps.insert(app_id, app);
        Ok(private)
    }

    /// Installs an App on an account, for all or for selected repositories, with all or some of its
    /// permissions. Returns the installation's id.
    pub(crate) fn install_app(
        &mut self,
        app_id: u64,
        account: &str,
        repositories: Option<&[&str]>,
        permissions: Option<Permissions>,
        now: Timestamp,
    ) -> Result<u64, SetupError> {
        let app = self.accounts.apps.get(&app_id).ok_or(SetupError::UnknownApp(app_id))?;
        let permissions = permissions.unwrap_or_else(|| app.permissions.clone());
        let exceeds =
            |(name, level): &(&String, _)| app.permissions.get(*name).is_none_or(|granted| granted < *level);
        if let Some((permission, _)) = permissions.iter().find(exceeds) {
            return Err(SetupError::NotPermitted { app: app_id, permission: permission.clone() });
        }
        let account_id =
            self.accounts.account(account).ok_or_else(|| SetupError::UnknownAccount(account.to_owned()))?.id;
        let repositories = self.repository_ids(repositories)?;
        let id = self.accounts.installations.last_key_value().map_or(61_700_001, |(id, _)| id + 1);
        let installation =
            Installation { id, app_id, account_id, repositories, permissions, created_at: now };
        self.accounts.installations.insert(id, installation);
        Ok(id)
    }

    fn repository_id(&self, full_name: &str) -> Result<u64, SetupError> {
        self.accounts
            .by_full_name(full_name)
            .map(|repository| repository.id)
            .ok_or_else(|| SetupError::UnknownRepository(full_name.to_owned()))
    }

    fn repository_ids(&self, names: Option<&[&str]>) -> Result<Option<BTreeSet<u64>>, SetupError> {
        names.map(|names| names.iter().map(|name| self.repository_id(name)).collect()).transpose()
    }
}
