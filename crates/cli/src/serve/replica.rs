//! One replica of the autoscaler: the controller and its listeners side by side, and the order of their end.

use futures_util::future::join_all;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{Controller, Listener, Watch};
use crate::engine::Clock;
use fleetfoot_core::ports::{Outbox, Registry, Tasks};
use fleetfoot_core::scale_sets::ScaleSets;

/// How long the sessions' closing may take.
const CLOSING: SignedDuration = SignedDuration::from_secs(2);

/// Runs a replica until it is told to end, which takes it ten seconds at most.
///
/// The controller ends first, and only when nothing is under way any more are the sessions closed: so whoever
/// leads next finds everything. If calls are left without an answer, the sessions stay open. Then GitHub lets
/// nobody lead for some minutes, in which what comes of those calls shows.
pub async fn run_replica<T: Tasks, O: Outbox, S: ScaleSets, R: Registry, W: Watch>(
    clock: &dyn Clock,
    controller: Controller<'_, T, O, S, R, W>,
    listeners: Vec<Listener<'_, S>>,
    end: &CancellationToken,
) {
    let closing = CancellationToken::new();
    let mut listening =
        std::pin::pin!(join_all(listeners.into_iter().map(|listener| listener.run(&closing))));
    let left = tokio::select! {
        biased;
        left = controller.run(end) => left,
        _ = &mut listening => return,
    };
    if left == 0 {
        closing.cancel();
        if clock.within(CLOSING, listening).await.is_none() {
            tracing::warn!("not all sessions could be closed; they end by themselves some minutes later");
        }
    }
}
