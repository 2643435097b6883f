//! One replica of the autoscaler, and the ways in which its process ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use fleetfoot::engine::Clock;
use fleetfoot::serve::{AtGitHub, Controller, Doors, Listener, SetIds, Snapshot, Watch, events, run_replica};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::fleet::{self, News, SetIndex};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::cloud::{At, Client, Cloud, Cue, Events, Stage, Time, Who};
use crate::stack::Plan;

/// How long an end may take.
const ENDS_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// When something happens to a replica.
#[derive(Debug, Clone)]
pub(crate) enum Moment {
    /// After so long.
    After(SignedDuration),
    /// In the middle of one of its calls.
    InCall(usize, Stage),
}

/// How a process ends.
#[derive(Debug, Clone)]
pub(crate) enum Exit {
    /// When everything is over.
    Stays,
    /// It is told to end.
    Ends(Moment),
    /// It is killed.
    Dies(Moment),
}

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Shift {
    /// How long after the one before.
    pub(crate) begins: SignedDuration,
    /// How far its clock is off, in seconds.
    pub(crate) skew: i64,
    pub(crate) exit: Exit,
}

/// A clock that goes wrong by a constant.
#[derive(Debug)]
struct Skewed<'a> {
    time: &'a Time,
    skew: SignedDuration,
}

impl Clock for Skewed<'_> {
    fn now(&self) -> Timestamp {
        self.time.now() + self.skew
    }

    fn sleep(&self, pause: SignedDuration) -> BoxFuture<'_, ()> {
        self.time.sleep(pause)
    }
}

/// Plays the processes of one replica, one after the other. Until `dusk` they come to their ends, and `over` ends
/// the last one.
pub(crate) async fn play(
    cloud: &Cloud,
    plan: &Plan,
    replica: usize,
    shifts: &[Shift],
    dusk: Timestamp,
    over: &CancellationToken,
) {
    for (n, shift) in shifts.iter().enumerate() {
        if cloud.time.now() + shift.begins >= dusk && n + 1 < shifts.len() {
            continue;
        }
        cloud.time.sleep(shift.begins).await;
        let who = Who::replica(replica, n);
        cloud.note(|| format!("{who} begins"));
        let (end, death) = (CancellationToken::new(), CancellationToken::new());
        let (moment, token, deadly) = match &shift.exit {
            Exit::Stays => (None, &end, false),
            Exit::Ends(moment) => (Some(moment), &end, false),
            Exit::Dies(moment) => (Some(moment), &death, true),
        };
        let cue = match moment {
            Some(Moment::InCall(calls, stage)) => {
                Some(Cue { calls: *calls, stage: *stage, token: token.clone(), deadly })
            }
            _ => None,
        };
        let alarm = async {
            let strike = async {
                if let Some(moment) = moment {
                    let at = match moment {
                        Moment::After(pause) => dusk.min(cloud.time.now() + *pause),
                        Moment::InCall(..) => dusk,
                    };
                    cloud.time.until(at).await;
                    token.cancel();
                }
                std::future::pending::<()>().await;
            };
            let tell = async {
                over.cancelled().await;
                end.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = death.cancelled() => {}
                () = strike => {}
                () = tell => {}
            }
        };
        let ended_at = async {
            end.cancelled().await;
            cloud.time.now()
        };
        let client = Client::new(cloud, who, cue);
        let process = serve(&client, plan, SignedDuration::from_secs(shift.skew), &end);
        let process = async {
            let (at, ()) = futures_util::future::join(ended_at, process).await;
            let took = cloud.time.now().duration_since(at);
            if took > ENDS_WITHIN {
                cloud.broken(format!("{who} takes {took:#} to end"));
            }
        };
        tokio::select! {
            biased;
            () = alarm => cloud.note(|| format!("{who} is killed")),
            () = process => cloud.note(|| format!("{who} has ended")),
        }
    }
}

async fn serve(client: &Client, plan: &Plan, skew: SignedDuration, end: &CancellationToken) {
    let at = |scope| At::new(client, scope);
    let scopes: Vec<_> = (0..plan.scopes).map(|n| AtGitHub { sets: at(n), registry: at(n) }).collect();
    let (order, ids) = (plan.order(), SetIds::new(plan.sets.len()));
    let clock = Skewed { time: client.time(), skew };
    let (who, launches) = (client.who.0, AtomicUsize::new(0));
    let nonce = || format!("nonce-{who}-{}", launches.fetch_add(1, Ordering::Relaxed));
    let doors =
        Doors { tasks: client, outbox: client, scopes: &scopes, ids: &ids, clock: &clock, nonce: &nonce };
    let (heard, hearing) = mpsc::channel(64);
    let watcher = Watcher { cloud: &client.cloud, who: client.who };
    let controller = Controller::new(doors, &order, plan, hearing, watcher);
    let leads = watch::Sender::new(false);
    let listener = |(n, set)| {
        let set: &fleetfoot::serve::SetOrder = set;
        Listener {
            set: SetIndex(n),
            spec: &set.spec,
            sets: &scopes[set.scope.0].sets,
            ids: &ids,
            owner: "replica",
            capacity: set.max,
            clock: &clock,
            heard: heard.clone(),
            leads: leads.clone(),
        }
    };
    let listeners: Vec<_> = order.sets.iter().enumerate().map(listener).collect();
    let events = Events::new(client);
    let told = async {
        if plan.events {
            events::listen(&events, &clock, leads.subscribe(), heard, end).await;
        }
    };
    futures_util::future::join(run_replica(&clock, controller, listeners, end), told).await;
}

/// Writes down what the autoscaler tells, and holds its plans against the law of the plan: what is begun is not
/// planned again.
struct Watcher<'a> {
    cloud: &'a Cloud,
    who: Who,
}

impl Watch for Watcher<'_> {
    fn news(&mut self, _: Timestamp, news: &News) {
        self.cloud.note(|| format!("{} tells: {news:?}", self.who));
    }

    fn called(&mut self, _: &'static str, _: &'static str) {}

    fn trouble(&mut self, _: Timestamp, set: SetIndex, fault: &Fault) {
        self.cloud.note(|| format!("{} has trouble with the queue of set {}: {fault}", self.who, set.0));
    }

    fn trouble_is_over(&mut self, _: SetIndex) {}

    fn look(&mut self, snapshot: Snapshot<'_>) -> Option<Timestamp> {
        let Snapshot { now, leads, policy, fleet, .. } = snapshot;
        if !leads {
            return None;
        }
        let again = fleet::plan(now, policy, fleet);
        if !again.steps.is_empty() {
            self.cloud.broken(format!("{} plans twice: {:?}", self.who, again.steps));
        }
        if again.wake_at <= now {
            self.cloud.broken(format!("{} has nothing to do and does not wait", self.who));
        }
        None
    }
}
