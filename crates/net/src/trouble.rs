//! Why no answer came: the one table from what the HTTP client says to what a person can do.
//!
//! It says who did not answer, and if it was the proxy on the way, which one and whose setting that is.

use std::error::Error as StdError;
use std::io;

use fleetfoot_core::fault::{Class, Fault};
use rustls::CertificateError;
use thiserror::Error;
use url::Url;

use crate::proxies::Proxy;

/// No answer came.
#[derive(Debug, Error)]
#[error("{why}")]
pub struct Trouble {
    /// What the caller does next.
    pub class: Class,
    /// Why there was none. Holds no secret.
    pub why: String,
    /// What to do, where more can be said than to look at the network.
    pub remedy: Option<String>,
    /// The error below; without the address, which may hold a token.
    #[source]
    source: Option<reqwest::Error>,
}

impl Trouble {
    /// The fault of what was tried.
    pub fn into_fault(self, what: &str, otherwise: &str) -> Fault {
        let fault = self.fault(what, otherwise);
        match self.source {
            Some(source) => fault.because(source),
            None => fault,
        }
    }

    /// The same without the error below, for one that lies within another error.
    pub fn fault(&self, what: &str, otherwise: &str) -> Fault {
        Fault::new(self.class.clone(), what, self.why.clone())
            .remedy(self.remedy.clone().unwrap_or_else(|| otherwise.to_owned()))
    }

    pub(crate) fn of(whom: &str, proxy: Option<&Proxy>, error: reqwest::Error) -> Self {
        let host = error.url().and_then(Url::host_str).unwrap_or(whom).to_owned();
        let error = error.without_url();
        let found = untrusted(&host, proxy, &error).or_else(|| on_the_way(&host, proxy?, &error));
        let (class, why, remedy) = found.unwrap_or_else(|| {
            let through = proxy.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
            let why = if error.is_timeout() {
                format!("{whom} did not answer in time{through}")
            } else if error.is_connect() {
                format!("no connection to {whom}{through} ({})", innermost(&error))
            } else {
                format!("the connection to {whom}{through} broke ({})", innermost(&error))
            };
            (Class::Unknown, why, None)
        });
        Self { class, why, remedy, source: Some(error) }
    }

    pub(crate) fn credentials(proxy: Option<&Proxy>) -> Self {
        let (name, variable) = match proxy {
            Some(proxy) => (format!("the proxy {proxy}"), proxy.variable),
            None => ("a proxy on the way".to_owned(), "HTTPS_PROXY"),
        };
        Self {
            class: Class::Denied,
            why: format!("{name} wants a user name and a password, or other ones"),
            remedy: Some(format!("write them into {variable}, like http://USER:PASSWORD@HOST:PORT")),
            source: None,
        }
    }
}

type Found = (Class, String, Option<String>);

/// The other side has shown a certificate that does not do.
fn untrusted(host: &str, proxy: Option<&Proxy>, error: &(dyn StdError + 'static)) -> Option<Found> {
    let said = chain(error).find_map(|error| error.downcast_ref::<rustls::Error>())?;
    let rustls::Error::InvalidCertificate(wrong) = said else {
        return Some((Class::Invalid, format!("no TLS with {host}: {said}"), None));
    };
    let whose = match proxy {
        // To the proxy itself TLS may be spoken, too.
        Some(proxy) => format!("the certificate on the way to {host} through the proxy {proxy}"),
        None => format!("the certificate of {host}"),
    };
    let (why, remedy) = match wrong {
        // The second is what a new authority of an old name comes to.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "is signed by nobody that this machine trusts".to_owned(),
            "if a proxy opens TLS there, or a server of your own is meant, name a PEM file with its authority's \
             certificate in SSL_CERT_FILE or AWS_CA_BUNDLE; see docs/network.md"
                .to_owned(),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ("is made out for another name".to_owned(), format!("check the address {host}, and who answers there"))
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => (
            format!("is not valid now ({wrong})"),
            "check this machine's clock; if it is right, the certificate must be renewed".to_owned(),
        ),
        other => (format!("is refused ({other})"), "look at the certificate, and who shows it".to_owned()),
    };
    Some((Class::Invalid, format!("{whose} {why}"), Some(remedy)))
}

/// The proxy did not do its part.
fn on_the_way(host: &str, proxy: &Proxy, error: &reqwest::Error) -> Option<Found> {
    let variable = proxy.variable;
    // The tunnel's error type is private to the HTTP library; its words are all there is.
    let tunnel = chain(error)
        .map(ToString::to_string)
        .find_map(|text| Some(text.strip_prefix("tunnel error: ")?.to_owned()));
    match tunnel.as_deref() {
        Some("proxy authorization required") => {
            let Trouble { class, why, remedy, .. } = Trouble::credentials(Some(proxy));
            Some((class, why, remedy))
        }
        Some("unsuccessful") => Some((
            Class::Unknown,
            format!("the proxy {proxy} gives no way to {host}"),
            Some(format!("let the proxy allow {host}, or name it in NO_PROXY if it can be reached without")),
        )),
        Some("failed to create underlying connection") | None
            if error.is_connect() && !error.is_timeout() =>
        {
            Some((
                Class::Unknown,
                format!("no connection to the proxy {proxy} ({})", innermost(error)),
                Some(format!("correct {variable}, or name {host} in NO_PROXY if it can be reached without")),
            ))
        }
        _ => None,
    }
}

/// An error and its causes. What is inside an I/O error is no source of it, only of what contains it.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        None => error.source(),
    })
}

/// The innermost cause, which says most.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}
