//! Moves the clock of ECS and does on this machine what it asks for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::ecs::Effect;
use super::process;
use super::server::Shared;
use crate::events::Event;

/// Drives until `stop`, then ends all processes and waits for them.
pub(crate) async fn drive(shared: Arc<Shared>, stop: CancellationToken) {
    let mut containers: JoinSet<String> = JoinSet::new();
    let mut stops: HashMap<String, mpsc::UnboundedSender<Duration>> = HashMap::new();
    loop {
        let (effects, due) = {
            let mut world = shared.world();
            world.advance(Timestamp::now());
            (world.ecs.take_effects(), world.ecs.next_due())
        };
        for effect in effects {
            match effect {
                Effect::Changed { arn, status } => {
                    shared.bus.send(Event::Task { arn, status: status.to_owned() });
                }
                Effect::Start(launch) => {
                    let (sender, receiver) = mpsc::unbounded_channel();
                    stops.insert(launch.runtime_id.clone(), sender);
                    containers.spawn(process::run(Arc::clone(&shared), *launch, receiver, stop.clone()));
                }
                Effect::Stop { runtime_id, grace } => {
                    // A container that has just ended listens no more: its exit is on its way.
                    if let Some(sender) = stops.get(&runtime_id) {
                        let _ = sender.send(grace);
                    }
                }
            }
        }
        // Without anything due, an hour is as good as for ever.
        let wait = due.map_or(Duration::from_hours(1), |due| {
            Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO)
        });
        tokio::select! {
            () = shared.wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
            Some(ended) = containers.join_next() => forget(&mut stops, ended),
            () = stop.cancelled() => break,
        }
    }
    // Every supervisor has heard `stop` too and kills its own.
    while let Some(ended) = containers.join_next().await {
        forget(&mut stops, ended);
    }
}

fn forget(
    stops: &mut HashMap<String, mpsc::UnboundedSender<Duration>>,
    ended: Result<String, tokio::task::JoinError>,
) {
    match ended {
        Ok(runtime_id) => {
            stops.remove(&runtime_id);
        }
        Err(error) => tracing::error!(%error, "the supervisor of a container failed"),
    }
}
