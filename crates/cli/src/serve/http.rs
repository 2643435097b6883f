//! What can be asked of a running autoscaler over HTTP: nothing that changes anything, and nothing secret.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use super::tell::Health;
use crate::failure::Failure;

/// The OpenMetrics text format (OpenMetrics 1.0, "Protocol Negotiation").
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// Numbers.
    pub metrics: Arc<Metrics>,
    /// Whether it does its part.
    pub health: Arc<Health>,
}

/// Binds the address; before anything else is done, so that a port that is taken costs nothing.
///
/// # Errors
/// If it cannot be bound.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::usage(
            format!("cannot listen on {address}: {error}"),
            "Name another address with --listen; port 0 takes a free one.",
        )
    })
}

/// Serves until it is stopped.
///
/// # Errors
/// If connections cannot be accepted any more.
pub async fn serve(listener: TcpListener, told: Told, stop: CancellationToken) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(told);
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

async fn ready(State(told): State<Told>) -> Response {
    let (status, text) = if told.health.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: the queue of the first scale set was not reached yet")
    };
    // One place at GitHub that does not answer is no reason to end a process that serves the others.
    let troubles = told.health.troubles();
    let lines: Vec<&str> = [text].into_iter().chain(troubles.iter().map(String::as_str)).collect();
    (status, lines.join("\n") + "\n").into_response()
}

async fn metrics(State(told): State<Told>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], told.metrics.text()).into_response()
}
