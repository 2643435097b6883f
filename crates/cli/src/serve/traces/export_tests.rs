//! Exports to collectors that answer in all sorts of ways, over real HTTP.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::post;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;

use super::super::wire::{SpanId, TraceId};
use super::*;

/// Pauses take a hundredth of their time.
#[derive(Debug)]
struct Quick;

impl Clock for Quick {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, pause: SignedDuration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(pause.unsigned_abs() / 100))
    }
}

/// A collector that answers the first exports so and takes all others.
struct Receiver {
    address: String,
    taken: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    calls: Arc<AtomicUsize>,
}

impl Receiver {
    async fn answering(first: Vec<(StatusCode, &'static str)>) -> Self {
        let (taken, calls) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicUsize>::default());
        let (all, count) = (Arc::clone(&taken), Arc::clone(&calls));
        let export = move |headers: HeaderMap, body: Bytes| async move {
            let answer = first.get(count.fetch_add(1, Ordering::Relaxed)).copied();
            let (status, text) = answer.unwrap_or((StatusCode::OK, "{}"));
            if status.is_success() {
                all.lock().unwrap().push((headers, serde_json::from_slice(&body).unwrap()));
            }
            (status, [("location", "/elsewhere"), ("retry-after", "1")], text).into_response()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(post(export));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, taken, calls }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn ends(address: &str) -> (Outlet, Exporter, Arc<Metrics>) {
    let vars = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(address.to_owned()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("api-key=hunter2".to_owned()),
        _ => None,
    };
    let collector = Collector::from_vars(vars).unwrap().unwrap();
    let metrics = Arc::new(Metrics::default());
    let (outlet, exporter) = exporter(collector, &Network::default(), "prod", &metrics).unwrap();
    (outlet, exporter, metrics)
}

/// A trace of so many spans.
fn trace(spans: u64) -> Vec<Span> {
    let span = |n| Span::new(TraceId(1), SpanId(n), "runner", [Timestamp::UNIX_EPOCH; 2]);
    (1..=spans).map(span).collect()
}

/// How many spans were taken and dropped when three were sent to a collector that first answers so, and how often it
/// was called.
async fn sent(first: Vec<(StatusCode, &'static str)>) -> ((u64, u64), usize) {
    let receiver = Receiver::answering(first).await;
    let (outlet, exporter, metrics) = ends(&receiver.address);
    tokio::join!(exporter.run(&Quick), async move {
        outlet.send(trace(3));
        // The end leaves no time for attempts, so it comes after them.
        while numbers(&metrics).0 + numbers(&metrics).1 < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(outlet);
        (numbers(&metrics), receiver.calls())
    })
    .1
}

/// How many spans were exported, and how many dropped.
fn numbers(metrics: &Metrics) -> (u64, u64) {
    (metrics.spans_exported.get(), metrics.spans_dropped.get())
}

#[tokio::test]
async fn traces_go_together_with_the_collector_s_headers() {
    let receiver = Receiver::answering(Vec::new()).await;
    let (outlet, exporter, metrics) = ends(&receiver.address);
    assert!(!format!("{outlet:?} {exporter:?}").contains("hunter2"));
    outlet.send(trace(1));
    outlet.send(trace(2));
    drop(outlet);
    exporter.run(&Quick).await;
    let taken = receiver.taken.lock().unwrap();
    let [(headers, body)] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!(
        (&headers["api-key"], &headers["content-type"]),
        (&"hunter2".parse().unwrap(), &"application/json".parse().unwrap())
    );
    assert_eq!(headers.get_all("content-type").iter().count(), 1);
    let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(spans.as_array().map(Vec::len), Some(3));
    let resource = body["resourceSpans"][0]["resource"].to_string();
    assert!(resource.contains("fleetfoot.stack") && resource.contains("prod"), "{resource}");
    assert_eq!(numbers(&metrics), (3, 0));
}

#[tokio::test]
async fn what_may_be_taken_later_is_sent_again_a_few_times() {
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, "");
    assert_eq!(sent(vec![unavailable, (StatusCode::TOO_MANY_REQUESTS, "")]).await, ((3, 0), 3));
    assert_eq!(sent(vec![unavailable; 9]).await, ((0, 3), ATTEMPTS));
}

#[tokio::test]
async fn what_will_never_be_taken_is_sent_once() {
    for status in [400, 401, 404, 500] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(sent(vec![(status, "")]).await, ((0, 3), 1), "{status}");
    }
    // Its headers are not for whoever it redirects to.
    assert_eq!(sent(vec![(StatusCode::TEMPORARY_REDIRECT, "")]).await, ((0, 3), 1));
}

#[tokio::test]
async fn what_was_taken_in_part_counts_in_part() {
    let partly = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#;
    assert_eq!(sent(vec![(StatusCode::OK, partly)]).await, ((1, 2), 1));
}

#[tokio::test]
async fn whoever_tells_never_waits_and_what_has_no_room_is_counted() {
    let (outlet, exporter, metrics) = ends("http://127.0.0.1:9");
    for _ in 0..WAITING + 5 {
        outlet.send(trace(2));
    }
    assert_eq!(numbers(&metrics), (0, 10));
    drop(exporter);
    outlet.send(trace(1));
    assert_eq!(numbers(&metrics), (0, 11), "nobody sends it any more");
}

#[tokio::test]
async fn a_collector_that_does_not_answer_delays_the_end_by_no_more_than_the_flush() {
    // It accepts connections, and that is all.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (outlet, exporter, metrics) = ends(&format!("http://{}", listener.local_addr().unwrap()));
    for _ in 0..300 {
        outlet.send(trace(8));
    }
    drop(outlet);
    let began = Instant::now();
    exporter.run(&Quick).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(numbers(&metrics), (0, 2400));
}
