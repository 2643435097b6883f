//! Sends traces to a collector, if the environment names one (OpenTelemetry, "OTLP Exporter Configuration").
//!
//! Traces are for people who want to know more; a collector that is down must not hold anything up. What it does
//! not take is dropped, and the log says so once until it takes something again.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetfoot_net::Network;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::trace;
use crate::failure::Failure;

/// How many runners' traces may wait to be sent.
pub const WAITING: usize = 1024;

/// How long traces are gathered before they are sent together.
const GATHER: Duration = Duration::from_secs(2);

/// How long a collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where traces go.
#[derive(Debug)]
pub struct Collector {
    url: Url,
    headers: HeaderMap,
    service: String,
}

impl Collector {
    /// Reads the variables through `get`: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else `OTEL_EXPORTER_OTLP_ENDPOINT`
    /// with `/v1/traces` after it; `OTEL_EXPORTER_OTLP_HEADERS`; `OTEL_SERVICE_NAME`. `None` if no endpoint is set.
    ///
    /// # Errors
    /// Names the variable that cannot be used, without its value: headers are credentials as a rule.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Failure> {
        let unusable = |name: &str, remedy: &str| Failure::usage(format!("{name} cannot be used"), remedy);
        let (whole, base) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
        let (name, address) = match (get(whole), get(base)) {
            (Some(address), _) => (whole, address),
            (None, Some(address)) => (base, format!("{}/v1/traces", address.trim_end_matches('/'))),
            (None, None) => return Ok(None),
        };
        let url: Url = address
            .parse()
            .ok()
            .filter(|url: &Url| ["http", "https"].contains(&url.scheme()))
            .ok_or_else(|| unusable(name, "Write the collector's HTTP address, such as http://127.0.0.1:4318."))?;
        let mut headers = HeaderMap::new();
        let name = "OTEL_EXPORTER_OTLP_HEADERS";
        for pair in get(name).unwrap_or_default().split(',').filter(|pair| !pair.trim().is_empty()) {
            let header = pair.split_once('=').and_then(|(name, value)| {
                let mut value = HeaderValue::from_str(value.trim()).ok()?;
                value.set_sensitive(true);
                Some((name.trim().parse::<HeaderName>().ok()?, value))
            });
            let (key, value) = header.ok_or_else(|| unusable(name, "Write headers as NAME=VALUE,NAME=VALUE."))?;
            headers.insert(key, value);
        }
        let service = get("OTEL_SERVICE_NAME").unwrap_or_else(|| "fleetfoot".to_owned());
        Ok(Some(Self { url, headers, service }))
    }

    /// Sends what comes, until it is stopped; what waits then is sent before the end.
    ///
    /// # Errors
    /// If no HTTP client can be made here.
    pub async fn send_all(
        self,
        network: &Network,
        mut traces: mpsc::Receiver<Vec<Value>>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let client = network.client(|client| client.timeout(TIMEOUT))?;
        let mut well = true;
        loop {
            let first = tokio::select! {
                biased;
                trace = traces.recv() => trace,
                () = stop.cancelled() => traces.try_recv().ok(),
            };
            let Some(mut spans) = first else { return Ok(()) };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(GATHER) => {}
            }
            while let Ok(more) = traces.try_recv() {
                spans.extend(more);
            }
            let request = trace::request(&self.service, &spans);
            let sent = client.post(self.url.clone()).headers(self.headers.clone()).json(&request).send().await;
            let sent = sent.and_then(reqwest::Response::error_for_status).map_err(reqwest::Error::without_url);
            if let Err(error) = &sent
                && well
            {
                tracing::warn!(%error, spans = spans.len(), "the collector takes no traces; they are dropped");
            }
            well = sent.is_ok();
        }
    }
}

/// What the attributes of a runner's trace are called.
pub(super) fn attributes<'a>(named: &'a BTreeMap<&'static str, String>) -> Vec<(&'static str, &'a str)> {
    named.iter().map(|(key, value)| (*key, value.as_str())).collect()
}
