//! Where runners are registered, and under which address its REST API answers.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;
use url::{Host, Url};

/// The owner of a set of runners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One repository.
    Repository {
        /// Its owner's login.
        owner: String,
        /// Its name.
        name: String,
    },
    /// A whole organisation.
    Organization(String),
    /// A whole enterprise, by its slug. No GitHub App can manage its runners, only a classic token
    /// ("Managing self-hosted runners" of GitHub's REST API).
    Enterprise(String),
}

impl Target {
    /// `OWNER` or `OWNER/REPOSITORY`, in its parts.
    fn of(segments: &[&str]) -> Option<Self> {
        match *segments {
            [owner] if is_name(owner) => Some(Self::Organization(owner.to_owned())),
            [owner, name] if is_name(owner) && is_name(name.trim_end_matches(".git")) => {
                Some(Self::Repository {
                    owner: owner.to_owned(),
                    name: name.trim_end_matches(".git").to_owned(),
                })
            }
            _ => None,
        }
    }
}

impl Target {
    /// Whether both belong to one account, as an organisation and its repositories do. An App's installation is on
    /// an account.
    pub(crate) fn is_of_same_owner(&self, other: &Self) -> bool {
        match (self.owner(), other.owner()) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => self == other,
        }
    }

    fn owner(&self) -> Option<&str> {
        match self {
            Self::Repository { owner, .. } | Self::Organization(owner) => Some(owner),
            Self::Enterprise(_) => None,
        }
    }
}

fn is_name(segment: &str) -> bool {
    segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !segment.chars().all(|c| c == '.')
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { owner, name } => write!(f, "{owner}/{name}"),
            Self::Organization(login) => f.write_str(login),
            Self::Enterprise(slug) => write!(f, "enterprises/{slug}"),
        }
    }
}

/// A target at one GitHub: github.com, GitHub Enterprise Cloud with data residency, or a server of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    target: Target,
    /// Scheme, host and port, as a browser sees them.
    server: Url,
    api: Url,
}

/// An address that names no repository, organisation or enterprise.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("GitHub address {url:?} cannot be used: {why}")]
pub struct InvalidScope {
    /// The address, without anything secret in it.
    pub url: String,
    /// What is wrong with it.
    pub why: String,
}

impl Scope {
    /// Reads an address as a browser shows it: `https://github.com/acme`, `https://github.com/acme/shop` or
    /// `https://github.com/enterprises/acme`.
    ///
    /// Plain `http` is taken only on the machine itself, so that no token crosses a network in the clear.
    ///
    /// # Errors
    /// [`InvalidScope`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let mut url = http_url(text)?;
        let refuse = |why: &str| invalid(&url, why);
        let segments: Vec<&str> =
            url.path_segments().into_iter().flatten().filter(|segment| !segment.is_empty()).collect();
        let target = match segments.as_slice() {
            ["enterprises", slug] if is_name(slug) => Target::Enterprise((*slug).to_owned()),
            ["enterprises", ..] => {
                return Err(refuse("an enterprise's address is https://github.com/enterprises/NAME"));
            }
            segments => Target::of(segments).ok_or_else(|| {
                refuse("it must look like https://github.com/OWNER or https://github.com/OWNER/REPOSITORY")
            })?,
        };
        url.set_path("");
        Ok(Self { target, api: api_of(&url), server: url })
    }

    /// The same target with another base address of the REST API.
    ///
    /// # Errors
    /// [`InvalidScope`] if it is no address of a web server.
    pub fn with_api_url(mut self, text: &str) -> Result<Self, InvalidScope> {
        self.api = http_url(text)?;
        Ok(self)
    }

    /// Another target at the same GitHub, named as people write it: `acme` or `acme/shop`.
    ///
    /// # Errors
    /// [`InvalidScope`] if it is no name of either.
    pub fn at(&self, target: &str) -> Result<Self, InvalidScope> {
        let segments: Vec<&str> = target.split('/').collect();
        let target = Target::of(&segments).ok_or_else(|| InvalidScope {
            url: target.to_owned(),
            why: "it must look like OWNER or OWNER/REPOSITORY".to_owned(),
        })?;
        Ok(Self { target, ..self.clone() })
    }

    /// Whose runners.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its address as a browser shows it, without a slash at its end.
    pub fn url(&self) -> String {
        format!("{}{}", self.server, self.target)
    }

    /// Base address of the REST API.
    pub fn api_url(&self) -> &Url {
        &self.api
    }

    /// What the paths of this target begin with: `/repos/acme/shop`, `/orgs/acme` or `/enterprises/acme`.
    pub fn rest_prefix(&self) -> String {
        match &self.target {
            Target::Repository { owner, name } => format!("/repos/{owner}/{name}"),
            Target::Organization(login) => format!("/orgs/{login}"),
            Target::Enterprise(slug) => format!("/enterprises/{slug}"),
        }
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        Self::parse(text)
    }
}

fn invalid(url: &Url, why: &str) -> InvalidScope {
    InvalidScope { url: url.to_string(), why: why.to_owned() }
}

/// An address that a token may be sent to.
fn http_url(text: &str) -> Result<Url, InvalidScope> {
    let url = Url::parse(text.trim()).map_err(|error| InvalidScope {
        url: text.to_owned(),
        why: format!("{error}; it must look like https://github.com/OWNER/REPOSITORY"),
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidScope {
            url: url.host_str().unwrap_or_default().to_owned(),
            why: "it holds a user name or password; give the token by its own setting".to_owned(),
        });
    }
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        "http" => Err(invalid(&url, "plain http would show the token to the network; use https")),
        _ => Err(invalid(&url, "it must begin with https://")),
    }
}

/// `api.github.com`, `api.SUB.ghe.com`, or `/api/v3` on a server of one's own (GitHub REST API docs,
/// "Getting started" of each product).
pub(crate) fn api_of(origin: &Url) -> Url {
    let mut api = origin.clone();
    let host = origin.host_str().unwrap_or_default().to_owned();
    let api_host = match host.as_str() {
        "github.com" | "www.github.com" => Some("api.github.com".to_owned()),
        host if host.ends_with(".ghe.com") => Some(format!("api.{host}")),
        _ => None,
    };
    match api_host {
        // A host name with a label in front stays a host name.
        Some(api_host) if api.set_host(Some(&api_host)).is_ok() => {}
        _ => api.set_path("/api/v3"),
    }
    api
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (String, String, String) {
        let scope = Scope::parse(url).unwrap();
        (scope.target().to_string(), scope.rest_prefix(), scope.api_url().to_string())
    }

    #[test]
    fn every_kind_of_github_has_its_api_address() {
        let cases = [
            ("https://github.com/acme", "acme", "/orgs/acme", "https://api.github.com/"),
            ("https://github.com/acme/shop", "acme/shop", "/repos/acme/shop", "https://api.github.com/"),
            ("https://github.com/acme/shop.git/", "acme/shop", "/repos/acme/shop", "https://api.github.com/"),
            (
                "https://acme.ghe.com/acme/.github",
                "acme/.github",
                "/repos/acme/.github",
                "https://api.acme.ghe.com/",
            ),
            ("https://git.acme.dev/o/r", "o/r", "/repos/o/r", "https://git.acme.dev/api/v3"),
            ("http://127.0.0.1:8080/o/r", "o/r", "/repos/o/r", "http://127.0.0.1:8080/api/v3"),
            (
                "https://github.com/enterprises/big",
                "enterprises/big",
                "/enterprises/big",
                "https://api.github.com/",
            ),
        ];
        for (url, target, prefix, api) in cases {
            assert_eq!(parsed(url), (target.to_owned(), prefix.to_owned(), api.to_owned()), "{url}");
        }
    }

    #[test]
    fn the_address_is_what_a_browser_shows() {
        for (given, url) in [
            ("https://github.com/acme/", "https://github.com/acme"),
            ("https://git.acme.dev:8443/acme/shop.git", "https://git.acme.dev:8443/acme/shop"),
            ("https://github.com/enterprises/big", "https://github.com/enterprises/big"),
        ] {
            assert_eq!(Scope::parse(given).unwrap().url(), url);
        }
    }

    #[test]
    fn an_api_address_can_be_given() {
        let scope = Scope::parse("https://git.acme.dev/o").unwrap();
        let scope = scope.with_api_url("http://127.0.0.1:1/rest").unwrap();
        assert_eq!(scope.api_url().as_str(), "http://127.0.0.1:1/rest");
    }

    #[test]
    fn what_is_no_target_is_refused_with_its_reason() {
        let cases = [
            ("acme/shop", "must look like"),
            ("https://github.com", "must look like"),
            ("https://github.com/a/b/tree/main", "must look like"),
            ("https://github.com/a b", "must look like"),
            ("https://github.com/enterprises/", "enterprises/NAME"),
            ("https://github.com/enterprises/big/x", "enterprises/NAME"),
            ("http://git.acme.dev/o/r", "use https"),
            ("ssh://git@github.com/o/r", "user name"),
            ("https://x:ghp_secret@github.com/o/r", "own setting"),
        ];
        for (url, why) in cases {
            let error = Scope::parse(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
            assert!(!error.contains("ghp_secret"), "{error}");
        }
    }
}
