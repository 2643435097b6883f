//! Listening to what ECS tells of tasks by itself, if the stack has a queue for it.

use std::time::Duration;

use fleetfoot_core::patience::Patience;
use fleetfoot_core::task_events::TaskEvents;
use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Heard;
use crate::engine::Clock;

/// Hands on every change until it is stopped. A queue that cannot be read is no end: tasks in transition are
/// looked at as well, only seldom, so it is told and tried again.
pub async fn listen<E: TaskEvents>(
    events: &E,
    clock: &dyn Clock,
    heard: mpsc::Sender<Heard>,
    stop: &CancellationToken,
) {
    let mut patience = Patience::between(Duration::from_secs(1), Duration::from_mins(1));
    while !stop.is_cancelled() {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = events.next() => next,
        };
        let pause = match next {
            Ok(changes) => {
                patience.succeeded();
                if !changes.is_empty() && heard.send(Heard::Tasks(changes)).await.is_err() {
                    return;
                }
                SignedDuration::ZERO
            }
            Err(fault) => {
                let now = clock.now();
                patience.failed(now, fault.again_after(Duration::ZERO));
                tracing::warn!(class = fault.class.word(), why = %fault, remedy = fault.remedy, "cannot read the queue of events");
                patience.until(now).map_or(SignedDuration::ZERO, |until| until.duration_since(now))
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = clock.sleep(pause) => {}
        }
    }
}
