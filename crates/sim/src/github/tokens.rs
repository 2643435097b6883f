//! The tokens that the simulated GitHub has given out.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::permissions::Permissions;

/// A personal access token to add to the simulated GitHub.
#[derive(Debug, Clone)]
pub enum TokenKind {
    /// `ghp_…`, with scopes such as `repo` and `admin:org`.
    Classic {
        /// Its scopes.
        scopes: Vec<String>,
    },
    /// `github_pat_…`, with permissions on what one account owns.
    FineGrained {
        /// Login of the account whose resources it reaches.
        resource_owner: String,
        /// Full names of the repositories it reaches; absent: all of the account.
        repositories: Option<Vec<String>>,
        /// What it may do there.
        permissions: Permissions,
    },
}

/// What a token lets its bearer do.
#[derive(Clone)]
pub(crate) enum Grant {
    Classic {
        user: String,
        scopes: Vec<String>,
    },
    FineGrained {
        user: String,
        owner_id: u64,
        repositories: Option<BTreeSet<u64>>,
        permissions: Permissions,
    },
    Installation {
        installation: u64,
        repositories: Option<BTreeSet<u64>>,
        permissions: Permissions,
    },
    /// The `GITHUB_TOKEN` of a job.
    Job {
        repository: u64,
        job: u64,
        permissions: Permissions,
    },
}

pub(crate) struct Token {
    pub(crate) grant: Grant,
    pub(crate) expires_at: Option<Timestamp>,
}

/// All tokens by their text. It has no `Debug`: nobody shall print it by accident.
#[derive(Default)]
pub(crate) struct Tokens(HashMap<String, Token>);

impl Tokens {
    pub(crate) fn add(&mut self, text: String, grant: Grant, expires_at: Option<Timestamp>) {
        self.0.insert(text, Token { grant, expires_at });
    }

    /// What a token grants now: nothing when it is unknown or over.
    pub(crate) fn grant(&self, text: &str, now: Timestamp) -> Option<&Grant> {
        let token = self.0.get(text)?;
        token.expires_at.is_none_or(|at| now < at).then_some(&token.grant)
    }

    /// Ends a token, as GitHub does with a job's when the job is over.
    pub(crate) fn revoke(&mut self, text: &str) {
        self.0.remove(text);
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_token_ends_at_its_time() {
        let (mut tokens, now) = (Tokens::default(), Timestamp::UNIX_EPOCH);
        let hour = now + SignedDuration::from_hours(1);
        let grant = Grant::Classic { user: "mona".into(), scopes: Vec::new() };
        tokens.add("t".into(), grant, Some(hour));
        assert!(tokens.grant("t", now).is_some());
        assert!(tokens.grant("t", hour).is_none());
        tokens.revoke("t");
        assert!(tokens.grant("t", now).is_none());
    }
}
