//! Moves the clock of ECS and does on this machine what it asks for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::ecs::Effect;
use super::process::{self, Order};
use super::server::Shared;
use crate::events::Event;

/// Drives until `stop`, then ends all processes and waits for them.
pub(crate) async fn drive(shared: Arc<Shared>, stop: CancellationToken) {
    let mut containers: JoinSet<String> = JoinSet::new();
    let mut orders: Orders = HashMap::new();
    loop {
        let (effects, due) = {
            let mut world = shared.world();
            world.advance(Timestamp::now());
            (world.ecs.take_effects(), world.ecs.next_due())
        };
        shared.arrivals.notify_waiters();
        for effect in effects {
            match effect {
                Effect::Changed { arn, status } => {
                    shared.bus.send(Event::Task { arn, status: status.to_owned() });
                }
                Effect::Start(launch) => {
                    let (sender, receiver) = mpsc::unbounded_channel();
                    orders.insert(launch.runtime_id.clone(), sender);
                    containers.spawn(process::run(Arc::clone(&shared), *launch, receiver, stop.clone()));
                }
                Effect::Stop { runtime_id, grace } => tell(&orders, &runtime_id, Order::Stop(grace)),
                Effect::Kill { runtime_id } => tell(&orders, &runtime_id, Order::Kill),
            }
        }
        // Without anything due, an hour is as good as for ever.
        let wait = due.map_or(Duration::from_hours(1), |due| {
            Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO)
        });
        tokio::select! {
            () = shared.wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
            Some(ended) = containers.join_next() => forget(&mut orders, ended),
            () = stop.cancelled() => break,
        }
    }
    // Every supervisor has heard `stop` too and kills its own.
    while let Some(ended) = containers.join_next().await {
        forget(&mut orders, ended);
    }
}

/// Where the supervisors of containers hear orders, by the container's id.
type Orders = HashMap<String, mpsc::UnboundedSender<Order>>;

fn tell(orders: &Orders, runtime_id: &str, order: Order) {
    // A container that has just ended listens no more: its exit is on its way.
    if let Some(sender) = orders.get(runtime_id) {
        let _ = sender.send(order);
    }
}

fn forget(orders: &mut Orders, ended: Result<String, tokio::task::JoinError>) {
    match ended {
        Ok(runtime_id) => {
            orders.remove(&runtime_id);
        }
        Err(error) => tracing::error!(%error, "the supervisor of a container failed"),
    }
}
