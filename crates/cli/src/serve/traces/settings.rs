//! Who takes traces: the variables of OpenTelemetry, as its specification has them ("OpenTelemetry Protocol
//! Exporter", "Environment Variable Specification").
//!
//! Where there is one for all signals and one for traces, the latter counts. One that is empty counts as not set.

use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::wire::Attribute;
use crate::failure::Failure;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// How long a collector may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whoever takes traces.
pub struct Collector {
    /// Where to. May hold a secret, as some services want it in the path.
    pub(super) url: Url,
    /// With what. Values are secrets.
    pub(super) headers: HeaderMap,
    /// How long one answer may take.
    pub(super) timeout: Duration,
    /// What spans are said to come from.
    pub(super) resource: Vec<Attribute>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("host", &self.host()).finish_non_exhaustive()
    }
}

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Collector {
    /// Reads the variables through `get`. `None` if none of them names an endpoint, or if one turns traces off.
    ///
    /// # Errors
    /// Names the variable that cannot be used. Its value is only told where it can be no secret.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Failure> {
        let get =
            |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let is = |name: &str, word: &str| get(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let Some(url) = endpoint(&get)? else { return Ok(None) };
        protocol(&get)?;
        let (headers, timeout, resource) = (headers(&get)?, timeout(&get)?, resource(&get)?);
        Ok(Some(Self { url, headers, timeout, resource }))
    }

    /// Its host and port, for people.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// The variable for traces, or else the one for all signals.
fn either<'a>(get: Get<'_>, name: &'a str, general: &'a str) -> Option<(&'a str, String)> {
    [name, general].into_iter().find_map(|name| Some((name, get(name)?)))
}

fn endpoint(get: Get<'_>) -> Result<Option<Url>, Failure> {
    let Some((name, address)) = either(get, TRACES_ENDPOINT, ENDPOINT) else { return Ok(None) };
    let usable = |url: &Url| ["http", "https"].contains(&url.scheme()) && url.has_host();
    let mut url: Url = address.parse().ok().filter(usable).ok_or_else(|| {
        Failure::usage(
            format!("{name} is no address of a collector that can be reached by HTTP"),
            "Write it like http://127.0.0.1:4318.",
        )
    })?;
    if name == ENDPOINT
        && let Ok(mut path) = url.path_segments_mut()
    {
        path.pop_if_empty().extend(["v1", "traces"]);
    }
    Ok(Some(url))
}

fn protocol(get: Get<'_>) -> Result<(), Failure> {
    let (name, general) = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
    match either(get, name, general) {
        Some((name, protocol)) if protocol != "http/json" => Err(Failure::usage(
            format!("{name} is {protocol:?}, and traces are sent by http/json alone"),
            format!(
                "Set {name} to http/json, and let the endpoint be the collector's port for OTLP over HTTP, \
                 4318 as a rule."
            ),
        )),
        _ => Ok(()),
    }
}

fn headers(get: Get<'_>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let (name, general) = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    if let Some((name, text)) = either(get, name, general) {
        for (n, pair) in pairs(&text).enumerate() {
            let header = pair.and_then(|(key, value)| {
                let mut value = HeaderValue::from_str(&value).ok()?;
                value.set_sensitive(true);
                Some((key.parse::<HeaderName>().ok()?, value))
            });
            let (key, value) = header.ok_or_else(|| unpaired(name, n))?;
            headers.insert(key, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(headers)
}

fn timeout(get: Get<'_>) -> Result<Duration, Failure> {
    let (name, general) = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
    let Some((name, text)) = either(get, name, general) else { return Ok(TIMEOUT) };
    let milliseconds = text.parse().ok().filter(|milliseconds| *milliseconds > 0);
    milliseconds.map(Duration::from_millis).ok_or_else(|| {
        Failure::usage(format!("{name} is {text:?}"), "Write a number of milliseconds, such as 10000.")
    })
}

/// What `OTEL_RESOURCE_ATTRIBUTES` says, with the service's name and version before it.
fn resource(get: Get<'_>) -> Result<Vec<Attribute>, Failure> {
    let (name_key, version_key) = ("service.name", "service.version");
    let (mut name, mut version) = ("fleetfoot".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let mut others: Vec<Attribute> = Vec::new();
    let text = get(RESOURCE).unwrap_or_default();
    for (n, pair) in pairs(&text).enumerate() {
        let (key, value) = pair.ok_or_else(|| unpaired(RESOURCE, n))?;
        if key == name_key {
            name = value;
        } else if key == version_key {
            version = value;
        } else {
            // What is said last counts.
            others.retain(|other| other.key != key);
            others.push(Attribute::new(key, value));
        }
    }
    name = get("OTEL_SERVICE_NAME").unwrap_or(name);
    let mut all = vec![Attribute::new(name_key, name), Attribute::new(version_key, version)];
    all.append(&mut others);
    Ok(all)
}

/// `key=value,key=value`, percent-encoded; `None` for what is not of this form.
fn pairs(text: &str) -> impl Iterator<Item = Option<(String, String)>> {
    let decode = |text: &str| Some(percent_decode_str(text.trim()).decode_utf8().ok()?.into_owned());
    text.split(',').filter(|pair| !pair.trim().is_empty()).map(move |pair| {
        let (key, value) = pair.split_once('=')?;
        let key = decode(key).filter(|key| !key.is_empty())?;
        Some((key, decode(value)?))
    })
}

fn unpaired(name: &str, n: usize) -> Failure {
    Failure::usage(
        format!("{name} cannot be used: its entry number {} is no NAME=VALUE", n + 1),
        "Write NAME=VALUE,NAME=VALUE with values in percent-encoding, in which a comma is %2C.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Option<Collector>, Failure> {
        Collector::from_vars(|name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// With a collector, and these variables beside.
    fn with(vars: &[(&str, &str)]) -> Result<Collector, Failure> {
        let endpoint = [(ENDPOINT, "http://127.0.0.1:4318")];
        read(&[&endpoint, vars].concat()).map(|collector| collector.expect("an endpoint is set"))
    }

    fn attributes(vars: &[(&str, &str)]) -> Vec<String> {
        let told = with(vars).unwrap().resource.into_iter();
        told.map(|told| format!("{}={}", told.key, told.value.string_value)).collect()
    }

    #[test]
    fn the_general_endpoint_is_a_base_and_that_for_traces_is_taken_as_it_is() {
        for (vars, url) in [
            (&[(ENDPOINT, "http://127.0.0.1:4318")][..], "http://127.0.0.1:4318/v1/traces"),
            (&[(ENDPOINT, "https://otel.example/otlp/")], "https://otel.example/otlp/v1/traces"),
            (&[(ENDPOINT, "https://otel.example/otlp?key=1")], "https://otel.example/otlp/v1/traces?key=1"),
            (&[(TRACES_ENDPOINT, "http://otel.example")], "http://otel.example/"),
            (
                &[(ENDPOINT, "http://one.example"), (TRACES_ENDPOINT, "http://two.example/traces/")],
                "http://two.example/traces/",
            ),
        ] {
            assert_eq!(read(vars).unwrap().unwrap().url.as_str(), url);
        }
    }

    #[test]
    fn without_an_endpoint_or_where_it_is_turned_off_there_are_no_traces() {
        let endpoint = (ENDPOINT, "http://127.0.0.1:4318");
        for vars in [
            &[][..],
            &[(ENDPOINT, ""), (TRACES_ENDPOINT, " ")],
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            &[endpoint, ("OTEL_SDK_DISABLED", "True"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            &[endpoint, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert!(read(vars).unwrap().is_none(), "{vars:?}");
        }
        assert!(with(&[("OTEL_SDK_DISABLED", "false"), ("OTEL_TRACES_EXPORTER", "otlp")]).is_ok());
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_name_and_without_secrets() {
        let secret = "hunter2";
        for (name, value) in [
            (ENDPOINT, "hunter2:4318"),
            (TRACES_ENDPOINT, "grpc://hunter2@otel.example"),
            (TRACES_ENDPOINT, "hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api key=hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2%0A"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2%FF"),
            (RESOURCE, "env=prod,hunter2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ] {
            let vars = [(name, value), (ENDPOINT, "http://127.0.0.1:4318")];
            let failure = read(&vars).unwrap_err();
            assert!(failure.sentence.contains(name), "{name}: {}", failure.sentence);
            assert!(!failure.text().contains(secret), "{name}: {}", failure.text());
        }
        let grpc = with(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err();
        assert_eq!(
            grpc.sentence,
            "OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\", and traces are sent by http/json alone"
        );
        assert!(with(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]).is_ok());
    }

    #[test]
    fn headers_are_decoded_and_shown_to_nobody() {
        let general = ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20aHVudGVyMg==, x-team = build ,");
        let collector = with(&[general]).unwrap();
        assert_eq!(collector.headers["authorization"].as_bytes(), b"Basic aHVudGVyMg==");
        assert_eq!(collector.headers["x-team"].as_bytes(), b"build");
        assert_eq!(collector.headers["content-type"].as_bytes(), b"application/json");
        let shown = format!("{collector:?} {:?}", collector.headers);
        assert!(!shown.contains("aHVud") && !shown.contains("build"), "{shown}");
        let for_traces = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=k,content-type=text/plain");
        let collector = with(&[general, for_traces]).unwrap();
        assert_eq!(collector.headers.len(), 2, "{:?}", collector.headers);
        assert_eq!(collector.headers["content-type"].as_bytes(), b"application/json");
        let password = read(&[(ENDPOINT, "http://user:hunter2@otel.example:4318/hunter2")]).unwrap().unwrap();
        assert_eq!(format!("{password:?}"), "Collector { host: \"otel.example:4318\", .. }");
    }

    #[test]
    fn a_collector_has_ten_seconds_unless_told_otherwise() {
        let timeout = |vars: &[_]| with(vars).unwrap().timeout.as_millis();
        assert_eq!(timeout(&[]), 10_000);
        let general = ("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
        assert_eq!(timeout(&[general]), 500);
        assert_eq!(timeout(&[general, ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "700")]), 700);
    }

    #[test]
    fn spans_are_said_to_come_from_where_the_environment_says() {
        let version = format!("service.version={}", env!("CARGO_PKG_VERSION"));
        assert_eq!(attributes(&[]), ["service.name=fleetfoot", &version]);
        let resource = (RESOURCE, "service.name=ci,env=test, team=a%2Cb,env=prod");
        assert_eq!(attributes(&[resource]), ["service.name=ci", &version, "team=a,b", "env=prod"]);
        let named = attributes(&[resource, ("OTEL_SERVICE_NAME", "runners")]);
        assert_eq!(named[0], "service.name=runners");
    }
}
