//! What tests see of variables and secrets, which the API never shows again.

use std::collections::BTreeMap;

use super::accounts::{Accounts, OrgValue};

/// What workflows find configured somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// Variables.
    pub vars: BTreeMap<String, String>,
    /// Secrets, opened.
    pub secrets: BTreeMap<String, String>,
    /// Of an organisation's: which repositories each is for, by its name.
    pub visibility: BTreeMap<String, &'static str>,
}

impl Configured {
    pub(crate) fn of(accounts: &Accounts, target: &str, environment: Option<&str>) -> Option<Self> {
        if let Some(repository) = accounts.by_full_name(target) {
            let (vars, secrets) = match environment {
                None => (&repository.vars, &repository.secrets),
                Some(name) => repository.environments.get(name).map(|it| (&it.vars, &it.secrets))?,
            };
            return Some(Self { vars: vars.clone(), secrets: secrets.clone(), visibility: BTreeMap::new() });
        }
        let account = accounts.account(target)?;
        let values = |all: &BTreeMap<String, OrgValue>| {
            all.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect()
        };
        let all = account.vars.iter().chain(&account.secrets);
        Some(Self {
            vars: values(&account.vars),
            secrets: values(&account.secrets),
            visibility: all.map(|(name, value)| (name.clone(), value.visibility.as_str())).collect(),
        })
    }
}
