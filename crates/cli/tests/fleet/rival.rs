//! A start that takes a warm task of a pool for itself, or launches one if there is none.

use std::collections::BTreeMap;

use fleetfoot::engine::{Clock, End, Engine, Ports, Spec, Watch};
use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::fleet::PoolIndex;
use fleetfoot_core::ids::{RunRef, StartedBy};
use fleetfoot_core::plan::{Goal, Outcome, Policy, Until};
use fleetfoot_core::world::World;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::cloud::{Client, Cloud, Who};
use crate::stack::Plan;

/// How long it may take.
const WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// What it gets to undo itself.
const UNDO: SignedDuration = SignedDuration::from_secs(5);

struct Unwatched;

impl Watch for Unwatched {
    fn look(&mut self, _: &World) {}
}

/// Wants one runner at that time. Whether it gets one is not what the story is about.
pub(crate) async fn start(cloud: &Cloud, plan: &Plan, number: usize, pool: PoolIndex, at: SignedDuration) {
    cloud.time.sleep(at).await;
    let client = Client::new(cloud, Who(number + 1), None);
    let (key, capacities) = (format!("start-{number}").parse().unwrap(), plan.pools[pool.0].capacities);
    let order = plan.order();
    let started_by = StartedBy::of_run(&"s".parse().unwrap(), &RunRef::ByHand, &key);
    cloud.wanted(started_by.as_str(), 1);
    let spec = Spec {
        pool: order.pools[pool.0].pool.clone(),
        started_by,
        warm: Some(order.pools[pool.0].started_by.clone()),
        tags: BTreeMap::new(),
        mailbox: MailboxPrefix::new("mail", "mailbox/", &format!("start-{number}")),
        cpu: None,
        memory: None,
        ephemeral_storage: None,
        label: format!("ff-start-{number}").parse().unwrap(),
        extra_labels: Vec::new(),
        runner_group: 1,
        idle_timeout: SignedDuration::from_mins(5),
        max_lifetime: SignedDuration::from_hours(1),
    };
    let deadline = cloud.time.now() + WITHIN;
    let goal = Goal::Have { count: 1, until: Until::Online, deadline };
    let policy = Policy { goal, capacities, replacements: 3, poll: SignedDuration::from_secs(2) };
    let ports = Ports { tasks: &client, outbox: &client, runners: &client, clock: client.time() };
    let (mut engine, mut world) = (Engine { ports, spec: Some(spec) }, World::default());
    let end = engine.run(&policy, &mut world, &mut Unwatched, &CancellationToken::new()).await;
    cloud.note(|| format!("the start {number} ends: {end:?}"));
    if end != End::Planned(Outcome::Reached) {
        engine.undo(&mut world, UNDO).await;
    }
}
