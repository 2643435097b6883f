//! A container that is a function of this process instead of a process of its own: thousands of them fit.
//!
//! It sees what a container's first process would see, its environment, and ends with an exit code. What it
//! writes is in no log.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::process::Order;

/// As a shell says that SIGKILL ended a process.
const KILLED: i32 = 137;

/// What a container's function is given.
#[derive(Debug)]
pub struct Surroundings {
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Cancelled by SIGTERM.
    pub stop: CancellationToken,
}

type Ending = Pin<Box<dyn Future<Output = i32> + Send>>;

/// A function that stands for a container image. It gives the exit code; SIGKILL drops it where it is.
#[derive(Clone)]
pub struct TaskFunction(Arc<dyn Fn(Surroundings) -> Ending + Send + Sync>);

impl TaskFunction {
    /// This one.
    pub fn new<F: Future<Output = i32> + Send + 'static>(
        function: impl Fn(Surroundings) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |surroundings| Box::pin(function(surroundings))))
    }
}

impl std::fmt::Debug for TaskFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TaskFunction")
    }
}

/// Runs a function from start to end.
pub(super) async fn run(
    function: &TaskFunction,
    env: BTreeMap<String, String>,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    shutdown: &CancellationToken,
) -> i32 {
    let stop = CancellationToken::new();
    let mut ending = (function.0)(Surroundings { env, stop: stop.clone() });
    let mut grace: Option<Duration> = None;
    loop {
        let patience = async {
            match grace {
                Some(grace) => sleep(grace).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            code = &mut ending => return code,
            Some(order) = orders.recv() => match order {
                Order::Stop(time) => {
                    stop.cancel();
                    grace = Some(time);
                }
                Order::Kill => return KILLED,
            },
            () = patience => return KILLED,
            () = shutdown.cancelled() => return KILLED,
        }
    }
}
