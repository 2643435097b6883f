//! A collector of OpenTelemetry traces, on loopback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

/// Takes exports at `/v1/traces`, and nothing else.
pub(crate) struct Collector {
    pub(crate) address: String,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    first: VecDeque<StatusCode>,
    refused: usize,
    taken: Vec<(HeaderMap, Value)>,
}

impl Collector {
    /// One that answers the first exports so, and takes those that follow.
    pub(crate) async fn answering(first: impl IntoIterator<Item = StatusCode>) -> Self {
        let book = Arc::new(Mutex::new(Book { first: first.into_iter().collect(), ..Book::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(export)).with_state(Arc::clone(&book));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, book }
    }

    /// How many exports were not taken.
    pub(crate) fn refused(&self) -> usize {
        self.book.lock().unwrap().refused
    }

    /// The exports that were taken: with which headers, and what.
    pub(crate) fn taken(&self) -> Vec<(HeaderMap, Value)> {
        self.book.lock().unwrap().taken.clone()
    }

    /// All spans of the exports that were taken.
    pub(crate) fn spans(&self) -> Vec<Value> {
        let of =
            |export: Value| export["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        self.taken().into_iter().flat_map(|(_, export)| of(export)).collect()
    }
}

async fn export(
    State(book): State<Arc<Mutex<Book>>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let mut book = book.lock().unwrap();
    if let Some(status) = book.first.pop_front() {
        book.refused += 1;
        return (status, "");
    }
    let Ok(body) = serde_json::from_slice(&body) else { return (StatusCode::BAD_REQUEST, "no JSON") };
    book.taken.push((headers, body));
    (StatusCode::OK, "{}")
}
