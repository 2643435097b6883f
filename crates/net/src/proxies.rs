//! Which proxy an address is reached through, if any.
//!
//! The variables are those that curl, the AWS CLI and the SDKs read, in lower case first: `https_proxy`,
//! `http_proxy`, `all_proxy` and `no_proxy`. What only this task or this machine can answer, namely its metadata and
//! its credentials, is never asked through a proxy, whatever they say.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use url::{Host, Url};

use crate::network::InvalidSetting;

/// Link-local addresses, where ECS and EC2 answer about the task and the instance (ECS Developer Guide, "Task
/// metadata endpoint version 4" and "Task IAM role"; EC2 User Guide, "Access instance metadata").
const LINK_LOCAL: &str = "169.254.0.0/16,fd00:ec2::/32,fe80::/10";

/// Variables with the addresses of services that are this task's own, wherever they are (AWS SDKs and Tools
/// Reference Guide, "Container credential provider"; ECS Developer Guide, as above).
const OWN: [&str; 3] =
    ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "ECS_CONTAINER_METADATA_URI_V4", "ECS_CONTAINER_METADATA_URI"];

/// A proxy, and who named it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
    /// The variable that named it, as it is spelt in the environment.
    pub variable: &'static str,
}

impl Proxy {
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    fn read(variable: &'static str, value: &str) -> Result<Self, InvalidSetting> {
        let refuse = |why: &str| {
            // The value is not repeated: it may hold a password.
            InvalidSetting::new(variable, why, "write it like http://proxy.example.com:3128, or unset it")
        };
        let text = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let url = Url::parse(&text).map_err(|error| refuse(&format!("it is no address: {error}")))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self { url, variable }),
            "socks4" | "socks4a" | "socks5" | "socks5h" => {
                Err(refuse("a SOCKS proxy is not supported, only one that speaks HTTP"))
            }
            other => Err(refuse(&format!("{other}:// is not the address of an HTTP proxy"))),
        }
    }
}

/// Without user name and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())?;
        self.url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.variable)
    }
}

/// All of them, and what goes past them.
#[derive(Default)]
pub(crate) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    /// Knows what `no_proxy` means: names, domains, addresses and networks.
    matcher: Option<Matcher>,
    own: Vec<(Host<String>, Option<u16>)>,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

impl Proxies {
    pub(crate) fn read(get: &impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSetting> {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, get(name).filter(|value| !value.is_empty())?)))
        };
        let proxy = |names| first(names).map(|(name, value)| Proxy::read(name, value.trim())).transpose();
        let all = proxy(["all_proxy", "ALL_PROXY"])?;
        let http = proxy(["http_proxy", "HTTP_PROXY"])?.or_else(|| all.clone());
        let https = proxy(["https_proxy", "HTTPS_PROXY"])?.or(all);
        if http.is_none() && https.is_none() {
            return Ok(Self::default());
        }
        let given = first(["no_proxy", "NO_PROXY"]).map(|(_, value)| value).unwrap_or_default();
        if words(&given).any(|word| word == "*") {
            return Ok(Self::default());
        }
        let matcher = Matcher::builder().all("http://proxy.invalid").no(exceptions(&given)).build();
        let own =
            OWN.into_iter().filter_map(get).filter_map(|value| origin(&Url::parse(&value).ok()?)).collect();
        Ok(Self { http, https, matcher: Some(matcher), own })
    }

    /// The proxy to this address.
    pub(crate) fn to(&self, url: &Url) -> Option<&Proxy> {
        let proxy = match url.scheme() {
            "http" => self.http.as_ref()?,
            "https" => self.https.as_ref()?,
            _ => return None,
        };
        if origin(url).is_some_and(|origin| self.own.contains(&origin)) {
            return None;
        }
        let uri = url.as_str().parse().ok()?;
        self.matcher.as_ref()?.intercept(&uri).map(|_| proxy)
    }

    /// Those that may be on some way.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Proxy> {
        self.https.iter().chain(self.http.iter().filter(|&http| Some(http) != self.https.as_ref()))
    }
}

fn origin(url: &Url) -> Option<(Host<String>, Option<u16>)> {
    Some((url.host()?.to_owned(), url.port_or_known_default()))
}

/// The exceptions as the matcher knows them: `*.example.com` is what others call `.example.com`.
fn exceptions(given: &str) -> String {
    words(given).map(|word| word.trim_start_matches('*')).chain([LINK_LOCAL]).collect::<Vec<_>>().join(",")
}

fn words(given: &str) -> impl Iterator<Item = &str> {
    given.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(vars: &[(&str, &str)]) -> Result<Proxies, InvalidSetting> {
        Proxies::read(&|name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn way(vars: &[(&str, &str)], address: &str) -> Option<String> {
        proxies(vars).unwrap().to(&address.parse().unwrap()).map(ToString::to_string)
    }

    const GITHUB: &str = "https://api.github.com/rate_limit";

    #[test]
    fn each_scheme_has_its_proxy_in_either_case() {
        for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            assert_eq!(way(&[(name, "http://p:3128")], GITHUB).as_deref(), Some("http://p:3128"), "{name}");
        }
        for name in ["http_proxy", "HTTP_PROXY"] {
            assert_eq!(way(&[(name, "http://p:3128")], GITHUB), None, "{name}");
            assert_eq!(way(&[(name, "p:3128")], "http://x.dev/").as_deref(), Some("http://p:3128"), "{name}");
        }
        let both = [
            ("https_proxy", "http://lower:1"),
            ("HTTPS_PROXY", "http://upper:1"),
            ("ALL_PROXY", "http://all:1"),
        ];
        assert_eq!(way(&both, GITHUB).as_deref(), Some("http://lower:1"));
        assert_eq!(way(&[("https_proxy", ""), both[1]], GITHUB).as_deref(), Some("http://upper:1"));
        assert_eq!(way(&[], GITHUB), None);
    }

    #[test]
    fn exceptions_go_past_it() {
        let with = |no: &str, address: &str| {
            way(&[("ALL_PROXY", "http://p:3128"), ("NO_PROXY", no)], address).is_none()
        };
        for (no, address) in [
            ("github.com", "https://api.github.com/"),
            (".github.com", "https://api.github.com/"),
            ("*.github.com", "https://api.github.com/"),
            ("a.dev, api.github.com", "https://api.github.com/"),
            ("a.dev api.github.com", "https://api.github.com/"),
            ("127.0.0.1", "http://127.0.0.1:8080/"),
            ("10.0.0.0/8", "https://10.1.2.3/"),
            ("*", "https://api.github.com/"),
            ("a.dev, *", "http://127.0.0.1:8080/"),
        ] {
            assert!(with(no, address), "{no}: {address}");
        }
        for (no, address) in [
            ("github.com", "https://notgithub.com/"),
            ("10.0.0.0/8", "https://11.1.2.3/"),
            ("", "http://127.0.0.1:8080/"),
        ] {
            assert!(!with(no, address), "{no}: {address}");
        }
        let lower = [("all_proxy", "http://p:1"), ("no_proxy", "a.dev"), ("NO_PROXY", "b.dev")];
        assert_eq!(way(&lower, "https://a.dev/"), None);
        assert!(way(&lower, "https://b.dev/").is_some());
    }

    #[test]
    fn what_is_the_tasks_own_never_goes_through_one() {
        let proxy = ("ALL_PROXY", "http://p:3128");
        for address in [
            "http://169.254.170.2/v2/credentials",
            "http://169.254.169.254/latest",
            "http://[fd00:ec2::254]/latest",
        ] {
            assert_eq!(way(&[proxy], address), None, "{address}");
        }
        let own = [proxy, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9000/creds?x=1")];
        assert_eq!(way(&own, "http://127.0.0.1:9000/creds"), None);
        assert!(way(&own, "http://127.0.0.1:9001/").is_some(), "another port is another service");
        let metadata = [proxy, ("ECS_CONTAINER_METADATA_URI_V4", "http://10.0.0.1/v4/abc")];
        assert_eq!(way(&metadata, "http://10.0.0.1/v4/abc/task"), None);
    }

    #[test]
    fn what_is_no_proxy_is_refused_by_its_variable_and_without_its_password() {
        for (value, why) in [
            ("socks5://u:s3cret@p:1", "SOCKS"),
            ("ftp://u:s3cret@p:1", "ftp://"),
            ("http://u:s3cret@", "no address"),
            ("http://u:s3cret@p:port", "no address"),
        ] {
            let refused = proxies(&[("HTTPS_PROXY", value)]).unwrap_err().to_string();
            assert!(
                refused.starts_with("HTTPS_PROXY cannot be used: ") && refused.contains(why),
                "{refused}"
            );
            assert!(!refused.contains("s3cret"), "{refused}");
        }
        let shown = format!("{:?}", proxies(&[("https_proxy", "http://u:s3cret@p:1")]).unwrap());
        assert!(shown.contains("http://p:1") && !shown.contains("s3cret"), "{shown}");
    }
}
