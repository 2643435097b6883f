//! Making a GitHub App from a manifest: what the browser posts, and what GitHub gives for the code that it
//! brings back.
//!
//! Source: GitHub docs, "Registering a GitHub App from a manifest".

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_net::Network;
use reqwest::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client;
use crate::scope::api_of;

/// The longest name of an App ("Registering a GitHub App").
pub const LONGEST_NAME: usize = 34;

/// Who shall own the App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppOwner {
    /// Whoever is logged in, in the browser.
    User,
    /// An organisation that they own.
    Organization(String),
}

/// Whose runners the App shall manage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnersOf {
    /// The organisation's own.
    Organization,
    /// Those of single repositories.
    Repositories,
}

/// What a new App is to be. Serializes as GitHub reads it.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// Its name, at most [`LONGEST_NAME`] characters, unique at this GitHub.
    pub name: String,
    /// Its home page.
    pub url: String,
    /// Where the browser is sent with the code.
    pub redirect_url: String,
    /// Whether others may install it.
    pub public: bool,
    /// The least that it needs.
    pub default_permissions: Permissions,
}

/// What Fleetfoot's App may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// To see whether the run that a runner was for has ended.
    actions: &'static str,
    /// To manage an organisation's runners.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_self_hosted_runners: Option<&'static str>,
    /// To manage a repository's.
    #[serde(skip_serializing_if = "Option::is_none")]
    administration: Option<&'static str>,
}

impl Permissions {
    /// The least for these runners. GitHub has no narrower permission for the runners of a repository than its
    /// administration.
    pub fn least(runners: RunnersOf) -> Self {
        match runners {
            RunnersOf::Organization => Self {
                actions: "read",
                organization_self_hosted_runners: Some("write"),
                administration: None,
            },
            RunnersOf::Repositories => Self {
                actions: "read",
                organization_self_hosted_runners: None,
                administration: Some("write"),
            },
        }
    }
}

/// An App that was just made.
#[derive(Debug, Deserialize)]
pub struct NewApp {
    /// Its id.
    pub id: u64,
    /// The name in its address.
    pub slug: String,
    /// What it goes by in JWTs.
    pub client_id: String,
    /// Its page.
    pub html_url: String,
    /// Its private key, PEM. GitHub shows it this once.
    pub pem: SecretString,
}

impl NewApp {
    /// Where its owner installs it.
    pub fn installation_page(&self) -> String {
        format!("{}/installations/new", self.html_url.trim_end_matches('/'))
    }
}

/// The page that a manifest is posted to (field `manifest`); `state` comes back with the code.
pub fn registration_page(server: &Url, owner: &AppOwner, state: &str) -> Url {
    let mut page = server.clone();
    if let Ok(mut path) = page.path_segments_mut() {
        path.pop_if_empty();
        if let AppOwner::Organization(login) = owner {
            path.extend(["organizations", login.as_str()]);
        }
        path.extend(["settings", "apps", "new"]);
    }
    page.query_pairs_mut().append_pair("state", state);
    page
}

/// Gives the code back to GitHub, and gets the App. A code is good for one hour and one call.
///
/// # Errors
/// `NotFound` if the code is not good any more; `Unknown` if no answer came: the App exists then, and its key
/// is lost.
pub async fn convert(server: &Url, code: &str, network: &Network) -> Result<NewApp, Fault> {
    let what = "exchange GitHub's code for the new App";
    let mut address = api_of(server);
    if let Ok(mut path) = address.path_segments_mut() {
        path.pop_if_empty();
        path.extend(["app-manifests", code, "conversions"]);
    }
    let lost = |fault: Fault| Fault { remedy: Some(LOST.to_owned()), ..fault };
    let broken = |error| lost(client::transport(network, what, error));
    let answer = client::http(network)?.post(address).send().await.map_err(broken)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(broken)?;
    match status {
        // The decoder's error could quote the key.
        StatusCode::CREATED => serde_json::from_slice(&body).map_err(|_| {
            lost(Fault::new(Class::Unknown, what, "GitHub's answer is not what its API describes"))
        }),
        StatusCode::NOT_FOUND => {
            Err(Fault::new(Class::NotFound, what, "GitHub does not know the code (any more)")
                .remedy("begin again; a code is good for one hour and one use"))
        }
        status if status.is_server_error() => {
            Err(lost(Fault::new(Class::Unknown, what, format!("GitHub answered {}", status.as_u16()))))
        }
        status => Err(Fault::new(Class::Invalid, what, format!("GitHub answered {}", status.as_u16()))
            .remedy("see https://www.githubstatus.com, and begin again")),
    }
}

const LOST: &str = "the App exists at GitHub, but its key is lost: make a new private key in the App's settings and \
                    bring it to AWS with `fleetfoot app import`, or delete the App and begin again";

#[cfg(test)]
mod tests {
    use super::*;

    fn page(server: &str, owner: &AppOwner) -> String {
        registration_page(&server.parse().unwrap(), owner, "a b").to_string()
    }

    #[test]
    fn pages_are_those_of_githubs_documentation() {
        let acme = AppOwner::Organization("acme".into());
        assert_eq!(
            page("https://github.com", &acme),
            "https://github.com/organizations/acme/settings/apps/new?state=a+b"
        );
        assert_eq!(
            page("https://ghe.acme.example/", &AppOwner::User),
            "https://ghe.acme.example/settings/apps/new?state=a+b"
        );
    }

    #[test]
    fn an_app_gets_no_more_than_it_needs() {
        let json = |runners| serde_json::to_value(Permissions::least(runners)).unwrap();
        assert_eq!(
            json(RunnersOf::Organization),
            serde_json::json!({"actions": "read", "organization_self_hosted_runners": "write"})
        );
        assert_eq!(
            json(RunnersOf::Repositories),
            serde_json::json!({"actions": "read", "administration": "write"})
        );
    }
}
