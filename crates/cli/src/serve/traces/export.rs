//! Sends traces to the collector.
//!
//! Traces are for people who want to know more, so a collector that is slow or down holds nothing up: what waits is
//! bounded, what is not taken after a few attempts is dropped and counted, and the log tells of an outage once.

use std::sync::Arc;
use std::time::Duration;

use fleetfoot_core::patience::Patience;
use fleetfoot_net::Network;
use jiff::SignedDuration;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::settings::Collector;
use super::wire::{Attribute, Export, Exported, Span};
use crate::engine::Clock;
use crate::failure::Failure;
use crate::serve::Metrics;

/// How many traces may wait.
const WAITING: usize = 1024;

/// How many spans make a batch that is sent without waiting for more.
const BATCH: usize = 512;

/// How long a smaller one is gathered.
const GATHER: SignedDuration = SignedDuration::from_secs(1);

/// How often a batch is sent at most.
const ATTEMPTS: usize = 4;

/// The pauses between attempts, the first and the longest, before jitter.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(8);

/// The longest pause that a collector may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(30);

/// How long what waits may take once nothing more comes. As long as the sessions' closing, beside which it happens:
/// so a hand-over takes no longer.
const FLUSH: SignedDuration = SignedDuration::from_secs(2);

/// Where traces are put in.
#[derive(Debug)]
pub struct Outlet {
    queue: mpsc::Sender<Vec<Span>>,
    metrics: Arc<Metrics>,
    /// Says that nothing more comes.
    _open: DropGuard,
}

impl Outlet {
    /// Puts a trace in, without waiting. If there is no room for it, it is dropped.
    pub(super) fn send(&self, spans: Vec<Span>) {
        if let Err(refused) = self.queue.try_send(spans) {
            self.metrics.spans_dropped.inc_by(refused.into_inner().len() as u64);
        }
    }
}

/// What takes traces out again, and sends them.
#[derive(Debug)]
pub struct Exporter {
    collector: Collector,
    network: Network,
    client: Client,
    queue: mpsc::Receiver<Vec<Span>>,
    metrics: Arc<Metrics>,
    closed: CancellationToken,
    /// How many spans are being sent.
    under_way: usize,
    /// How many spans were dropped since the collector took some, if it does not.
    outage: Option<usize>,
    /// Whether it has taken its last batch in part.
    picks: bool,
}

/// Both ends of the way to a collector, for the traces of a stack.
///
/// # Errors
/// If no HTTP client can be made here.
pub fn exporter(
    mut collector: Collector,
    network: &Network,
    stack: &str,
    metrics: &Arc<Metrics>,
) -> Result<(Outlet, Exporter), Failure> {
    collector.resource.push(Attribute::new("fleetfoot.stack", stack));
    let timeout = collector.timeout;
    // A redirect would take the credentials to somebody else.
    let client = network.client(|client| client.timeout(timeout).redirect(redirect::Policy::none()))?;
    let (sender, queue) = mpsc::channel(WAITING);
    let closed = CancellationToken::new();
    let outlet = Outlet { queue: sender, metrics: Arc::clone(metrics), _open: closed.clone().drop_guard() };
    let (network, metrics) = (network.clone(), Arc::clone(metrics));
    let exporter = Exporter {
        collector,
        network,
        client,
        queue,
        metrics,
        closed,
        under_way: 0,
        outage: None,
        picks: false,
    };
    Ok((outlet, exporter))
}

/// Why spans were not taken.
struct Refusal {
    why: String,
    remedy: Option<String>,
    again: Again,
}

/// Whether a batch that was not taken may be taken later.
#[derive(PartialEq)]
enum Again {
    Never,
    /// After a pause of our choice.
    Later,
    /// After the pause that the collector asks for.
    After(Duration),
}

impl Exporter {
    /// Sends what comes, until nothing more does; then what waits, for two seconds at most.
    pub async fn run(mut self, clock: &dyn Clock) {
        let closed = self.closed.clone();
        let late = async {
            closed.cancelled().await;
            clock.sleep(FLUSH).await;
        };
        tokio::select! {
            biased;
            () = self.export(clock) => return,
            () = late => {}
        }
        let mut left = self.under_way;
        while let Ok(spans) = self.queue.try_recv() {
            left += spans.len();
        }
        self.metrics.spans_dropped.inc_by(left as u64);
        tracing::warn!(collector = self.collector.host(), spans = left, "traces were left unsent at the end");
    }

    async fn export(&mut self, clock: &dyn Clock) {
        while let Some(mut spans) = self.queue.recv().await {
            let mut gathered = std::pin::pin!(clock.sleep(GATHER));
            while spans.len() < BATCH {
                tokio::select! {
                    more = self.queue.recv() => match more {
                        Some(more) => spans.extend(more),
                        None => break,
                    },
                    () = &mut gathered => break,
                }
            }
            self.under_way = spans.len();
            self.deliver(&spans, clock).await;
            self.under_way = 0;
        }
    }

    /// Sends a batch, several times if need be.
    async fn deliver(&mut self, spans: &[Span], clock: &dyn Clock) {
        let mut patience = Patience::between(FIRST, LONGEST);
        for attempt in 1..=ATTEMPTS {
            let refusal = match self.send(spans).await {
                Ok(rejected) => return self.taken(spans.len(), rejected),
                Err(refusal) => refusal,
            };
            let last = attempt == ATTEMPTS || refusal.again == Again::Never;
            if self.outage.is_none() {
                let (collector, Refusal { why, remedy, .. }) = (self.collector.host(), &refusal);
                tracing::warn!(collector, why, remedy, "traces are not taken; serving goes on");
            }
            *self.outage.get_or_insert_default() += if last { spans.len() } else { 0 };
            if last {
                break;
            }
            let now = clock.now();
            let asked = match refusal.again {
                Again::After(pause) => Some(pause.min(LONGEST_ASKED)),
                Again::Later | Again::Never => None,
            };
            patience.failed(now, asked);
            let until = patience.until(now).unwrap_or(now);
            clock.sleep(until.duration_since(now)).await;
        }
        self.metrics.spans_dropped.inc_by(spans.len() as u64);
    }

    fn taken(&mut self, spans: usize, rejected: Option<(u64, String)>) {
        let collector = self.collector.host();
        if let Some(dropped) = self.outage.take() {
            tracing::info!(collector, dropped, "traces are taken again");
        }
        let (rejected, why) = rejected.unwrap_or_default();
        let rejected = rejected.min(spans as u64);
        if rejected > 0 && !self.picks {
            let why: String = why.chars().take(200).collect();
            tracing::warn!(collector, spans = rejected, why, "the collector takes some spans and not others");
        }
        self.picks = rejected > 0;
        self.metrics.spans_dropped.inc_by(rejected);
        self.metrics.spans_exported.inc_by(spans as u64 - rejected);
    }

    /// Sends a batch once. Says how many spans of it the collector did not want, and why.
    async fn send(&self, spans: &[Span]) -> Result<Option<(u64, String)>, Refusal> {
        let Collector { url, headers, resource, .. } = &self.collector;
        let call = self.client.post(url.clone()).json(&Export::new(resource, spans)).headers(headers.clone());
        let unanswered = |error: reqwest::Error| {
            let trouble = self.network.trouble("the collector", error);
            Refusal { why: trouble.why, remedy: trouble.remedy, again: Again::Later }
        };
        let answer = call.send().await.map_err(unanswered)?;
        if answer.status().is_success() {
            // It has taken them, whatever becomes of its answer.
            let body = answer.bytes().await.unwrap_or_default();
            return Ok(Exported::rejected(&body));
        }
        Err(self.refusal(&answer))
    }

    /// What to make of an answer (OTLP, "OTLP/HTTP Response"): four codes are worth another attempt.
    fn refusal(&self, answer: &Response) -> Refusal {
        let status = answer.status();
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let trouble = self.network.proxy_refuses(&self.collector.url);
            return Refusal { why: trouble.why, remedy: trouble.remedy, again: Again::Never };
        }
        let remedy = match status.as_u16() {
            401 | 403 => "set OTEL_EXPORTER_OTLP_HEADERS to what the collector wants",
            400 | 415 => "the collector has to take OTLP as JSON over HTTP",
            404 | 405 => {
                "correct the endpoint: /v1/traces is appended to OTEL_EXPORTER_OTLP_ENDPOINT, and to \
                 OTEL_EXPORTER_OTLP_TRACES_ENDPOINT it is not"
            }
            300..400 => "name the address that it redirects to",
            _ => "look at the collector's log",
        };
        let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let again = match (status.as_u16(), asked) {
            (429 | 502 | 503 | 504, Some(seconds)) => Again::After(Duration::from_secs(seconds)),
            (429 | 502 | 503 | 504, None) => Again::Later,
            _ => Again::Never,
        };
        Refusal { why: format!("it answers {status}"), remedy: Some(remedy.to_owned()), again }
    }
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
