//! The network as it is seen from here.

use std::sync::{Arc, OnceLock};

use fleetfoot_core::fault::{Class, Fault};
use reqwest::{Certificate, Client, ClientBuilder};
use rustls::ClientConfig;
use thiserror::Error;
use url::Url;

use crate::authorities;
use crate::proxies::{Proxies, Proxy};
use crate::trouble::Trouble;
use crate::trust;

/// How others are reached. The default: directly, trusting whom the machine trusts.
#[derive(Debug, Clone, Default)]
pub struct Network(Arc<Way>);

#[derive(Debug, Default)]
struct Way {
    proxies: Proxies,
    authorities: Vec<Certificate>,
    /// Whether somebody names authorities in place of the machine's or beside them.
    named: bool,
    /// What clients have in common otherwise, made for the first of them.
    trust: OnceLock<Option<ClientConfig>>,
}

/// A variable whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{variable} cannot be used: {why}")]
pub struct InvalidSetting {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it. Holds no secret.
    pub why: String,
    /// What to do.
    pub remedy: String,
}

impl InvalidSetting {
    pub(crate) fn new(variable: &'static str, why: impl Into<String>, remedy: &str) -> Self {
        Self { variable, why: why.into(), remedy: remedy.to_owned() }
    }
}

impl Network {
    /// Reads the variables through `get`, and the files that they name.
    ///
    /// Proxies: `https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`, each also in upper case. Further authorities:
    /// `SSL_CERT_FILE`, `AWS_CA_BUNDLE`, `NODE_EXTRA_CA_CERTS`. One that is empty counts as not set.
    ///
    /// # Errors
    /// Names the variable that cannot be used.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSetting> {
        let (proxies, authorities) = (Proxies::read(&get)?, authorities::read(&get)?);
        let folder = get("SSL_CERT_DIR").is_some_and(|folder| !folder.is_empty());
        let named = folder || !authorities.is_empty();
        let way = Way { proxies, authorities, named, trust: OnceLock::new() };
        Ok(Self(Arc::new(way)))
    }

    /// A client that goes this way; `habits` are the caller's own headers and timeouts.
    ///
    /// # Errors
    /// `Invalid` if this machine trusts nobody, as an image without certificates.
    pub fn client(&self, habits: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Client, Fault> {
        let way = Arc::clone(&self.0);
        let mut client = Client::builder()
            .user_agent(concat!("fleetfoot/", env!("CARGO_PKG_VERSION")))
            // No other rules than these.
            .no_proxy();
        client = match self.trust() {
            Some(tls) => client.tls_backend_preconfigured(tls.clone()),
            None => client.tls_certs_merge(self.0.authorities.iter().cloned()),
        };
        if self.proxies().next().is_some() {
            let to = move |url: &Url| way.proxies.to(url).map(|proxy| proxy.url().clone());
            client = client.proxy(reqwest::Proxy::custom(to));
        }
        habits(client).build().map_err(|error| {
            Fault::new(Class::Invalid, "set up HTTPS", "there are no certificates here that could be trusted")
                .remedy("install the package ca-certificates, or name a PEM file with authorities in SSL_CERT_FILE")
                .because(error)
        })
    }

    /// The machine's authorities, if no others are named; `None`: reqwest finds out itself.
    fn trust(&self) -> Option<&ClientConfig> {
        let Way { named, trust, .. } = &*self.0;
        if *named { None } else { trust.get_or_init(trust::of_machine).as_ref() }
    }

    /// The proxy that is on the way to this address.
    pub fn proxy_to(&self, url: &Url) -> Option<&Proxy> {
        self.0.proxies.to(url)
    }

    /// The proxies that may be on some way.
    pub fn proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.0.proxies.all()
    }

    /// Why no answer came from somebody (`GitHub`, `AWS`), and what to do about it.
    pub fn trouble(&self, whom: &str, error: reqwest::Error) -> Trouble {
        let proxy = error.url().and_then(|url| self.proxy_to(url));
        Trouble::of(whom, proxy, error)
    }

    /// What to say when the answer came from the proxy, which wants credentials.
    pub fn proxy_refuses(&self, url: &Url) -> Trouble {
        Trouble::credentials(self.proxy_to(url))
    }
}
