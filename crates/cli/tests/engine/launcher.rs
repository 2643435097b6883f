//! What launchers are made of: an order, the engine over their own client, and nobody who watches.

use std::collections::BTreeMap;

use fleetfoot::engine::{Clock, End, Engine, Ports, Spec, Watch};
use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::{RunRef, StartedBy};
use fleetfoot_core::label::Label;
use fleetfoot_core::plan::{Goal, Policy};
use fleetfoot_core::ports::Tasks;
use fleetfoot_core::stack::Stack;
use fleetfoot_core::task::tag;
use fleetfoot_core::world::{Member, World};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cloud::{Client, PROVIDERS};

/// What one start of the key orders; `nonce` tells two launchers apart.
pub(crate) fn spec(nonce: &str, capacities: usize) -> Spec {
    let capacity: Vec<Value> =
        PROVIDERS[..capacities].iter().map(|name| json!({ "provider": name })).collect();
    let stack = json!({
        "version": 1, "name": "s", "region": "us-east-1", "cluster": "ff", "mailbox": { "bucket": "mail" },
        "github": { "url": "https://github.com/acme/shop" },
        "pools": [ { "name": "ec2", "task_definition": "ff", "arch": "x86_64", "cpu": 1024, "memory": 2048,
                     "capacity": capacity } ],
    });
    let stack = Stack::from_json(&stack.to_string()).unwrap();
    let key = "k".parse().unwrap();
    let label = Label::of_run(&RunRef::ByHand, &key, nonce);
    Spec {
        pool: stack.pools[0].clone(),
        started_by: started_by(),
        warm: None,
        tags: BTreeMap::from([(tag::LABEL.to_owned(), label.to_string())]),
        mailbox: MailboxPrefix::new("mail", "mailbox/", nonce),
        cpu: None,
        memory: None,
        ephemeral_storage: None,
        label,
        extra_labels: Vec::new(),
        runner_group: 1,
        idle_timeout: SignedDuration::from_mins(10),
        max_lifetime: SignedDuration::from_hours(1),
    }
}

/// Whom the tasks are for.
pub(crate) fn started_by() -> StartedBy {
    StartedBy::of_run(&"s".parse().unwrap(), &RunRef::ByHand, &"k".parse().unwrap())
}

/// The engine of this launcher; without an order it only takes away.
pub(crate) fn engine(client: &Client, spec: Option<Spec>) -> Engine<'_, Client, Client, Client> {
    let ports = Ports { tasks: client, outbox: client, runners: client, clock: client.time() };
    Engine { ports, spec }
}

/// Nobody.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    fn look(&mut self, _: &World) {}
}

/// What `fleetfoot stop` does for all starts of a run. The end is missing if it took too long.
pub(crate) async fn stop(
    client: &Client,
    force: bool,
    limit: SignedDuration,
) -> Result<(Option<End>, World), Fault> {
    let tasks = client.find_under("fleetfoot/s/").await?;
    let members = tasks.into_iter().map(|task| (task.arn.clone(), Member::found(task))).collect();
    let mut world = World { members, ..World::default() };
    let goal = Goal::Nothing { force, wait: true };
    let policy = Policy { goal, capacities: 0, replacements: 0, poll: SignedDuration::from_secs(1) };
    let (mut unwatched, never, mut engine) = (Unwatched, CancellationToken::new(), engine(client, None));
    let run = engine.run(&policy, &mut world, &mut unwatched, &never);
    let end = (client.time() as &dyn Clock).within(limit, run).await;
    Ok((end, world))
}
