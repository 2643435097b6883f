//! Listening to what ECS tells of tasks by itself, if the stack has a queue for it.

use std::time::Duration;

use fleetfoot_core::patience::Patience;
use fleetfoot_core::task_events::TaskEvents;
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Heard;
use crate::engine::Clock;

/// Hands on every change until it is stopped, for as long as this process leads: what a replica takes off the queue
/// that stands by, the leader never hears of. A queue that cannot be read is no end: tasks in transition are looked
/// at as well, only seldom, so it is told and tried again.
pub async fn listen<E: TaskEvents>(
    events: &E,
    clock: &dyn Clock,
    mut leads: watch::Receiver<bool>,
    heard: mpsc::Sender<Heard>,
    stop: &CancellationToken,
) {
    let mut patience = Patience::between(Duration::from_secs(1), Duration::from_mins(1));
    let mut follows = leads.clone();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            led = leads.wait_for(|leads| *leads) => if led.is_err() { return },
        }
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = follows.wait_for(|leads| !*leads) => continue,
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
