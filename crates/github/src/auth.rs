//! As whom Fleetfoot speaks to GitHub.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use fleetfoot_core::fault::Fault;
use fleetfoot_core::ports::AppSigner;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// Tells the time. Only the binary reads the wall clock; tests give another one.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks this function.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What proves to GitHub who is calling.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A token that somebody made: personal (classic or fine-grained), or an App's from another tool.
    Token(SecretString),
    /// A GitHub App, which makes its own short tokens.
    App(App),
}

impl Credentials {
    /// A token.
    pub fn token(token: impl Into<SecretString>) -> Self {
        Self::Token(token.into())
    }

    /// A GitHub App: its client id (or numeric app id), the installation (looked up if absent) and whoever
    /// holds its private key.
    pub fn app(
        client_id: impl Into<String>,
        installation_id: Option<u64>,
        signer: impl AppSigner + 'static,
    ) -> Self {
        Self::App(App { client_id: client_id.into(), installation_id, signer: Arc::new(signer) })
    }

    /// The same for another owner. An installation is on one, so that on the other has to be looked up.
    pub(crate) fn for_another_owner(self) -> Self {
        match self {
            Self::App(app) => Self::App(App { installation_id: None, ..app }),
            token @ Self::Token(_) => token,
        }
    }

    pub(crate) fn kind(&self) -> TokenKind {
        match self {
            Self::App(_) => TokenKind::OwnApp,
            Self::Token(token) => TokenKind::of(token.expose_secret()),
        }
    }
}

/// A GitHub App and the holder of its key.
#[derive(Clone)]
pub struct App {
    pub(crate) client_id: String,
    pub(crate) installation_id: Option<u64>,
    pub(crate) signer: Arc<dyn Signer>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("client_id", &self.client_id)
            .field("installation_id", &self.installation_id)
            .finish_non_exhaustive()
    }
}

/// [`AppSigner`] as an object, so that the kind of key does not show in every type above.
pub(crate) trait Signer: Send + Sync {
    fn signature<'a>(
        &'a self,
        message: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, Fault>> + Send + 'a>>;
}

impl<S: AppSigner> Signer for S {
    fn signature<'a>(
        &'a self,
        message: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, Fault>> + Send + 'a>> {
        Box::pin(self.sign(message))
    }
}

/// Kinds of token, by the prefixes that GitHub gives them ("GitHub's token formats"); what to advise when
/// one is refused depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// `ghp_`, `gho_`, or the 40 hex digits of old: it has scopes.
    Classic,
    /// `github_pat_`, `ghu_`: it has permissions.
    FineGrained,
    /// `ghs_`: a job's `GITHUB_TOKEN`, or an installation token that another tool made.
    Server,
    /// The installation token of the App that is configured here.
    OwnApp,
    /// The JWT of that App.
    AppJwt,
}

impl TokenKind {
    fn of(token: &str) -> Self {
        if token.starts_with("github_pat_") || token.starts_with("ghu_") {
            Self::FineGrained
        } else if token.starts_with("ghs_") {
            Self::Server
        } else {
            Self::Classic
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_kind_and_not_itself() {
        for (token, kind) in [
            ("ghp_abc", TokenKind::Classic),
            ("github_pat_abc", TokenKind::FineGrained),
            ("ghs_abc", TokenKind::Server),
            ("0123456789abcdef0123456789abcdef01234567", TokenKind::Classic),
        ] {
            let credentials = Credentials::token(token);
            assert_eq!(credentials.kind(), kind);
            assert!(!format!("{credentials:?}").contains(token));
        }
    }
}
