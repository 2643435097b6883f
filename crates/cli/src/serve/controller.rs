//! The loop of the autoscaler: writes down what is heard and what came of steps, plans, begins steps.

use fleetfoot_core::fleet::{self, Fleet, News, Policy, ScopeIndex, SetIndex};
use fleetfoot_core::ports::{Outbox, Registry, Tasks};
use fleetfoot_core::scale_sets::ScaleSets;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::act::{Came, Hands};
use super::listen::Heard;
use super::{Doors, Order};

/// How long what is under way gets when the process is told to end. A hand-over takes ten seconds at most, and
/// sessions have to be closed, too.
const HAND_OVER: SignedDuration = SignedDuration::from_secs(8);

/// Says what is wanted now.
pub trait Targets: Send + Sync {
    /// The policy at this moment. It may be learnt from the fleet; that of a replica that does not lead is empty.
    fn policy(&self, now: Timestamp, fleet: &Fleet) -> Policy;

    /// When the policy changes by itself; `None` if it stays as it is.
    fn stay_until(&self, now: Timestamp) -> Option<Timestamp>;
}

/// What whoever watches is shown.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// When.
    pub now: Timestamp,
    /// Whether this process leads.
    pub leads: bool,
    /// Whether another replica is known to lead.
    pub stands_by: bool,
    /// What is wanted.
    pub policy: &'a Policy,
    /// What there is.
    pub fleet: &'a Fleet,
    /// How many steps are under way.
    pub under_way: usize,
}

/// Told of everything.
pub trait Watch: Send {
    /// Something happened.
    fn news(&mut self, now: Timestamp, news: &News);

    /// A call was made, and this came of it: `ok`, or the word of a fault's class.
    fn called(&mut self, call: &'static str, outcome: &'static str);

    /// A queue cannot be read.
    fn trouble(&mut self, now: Timestamp, set: SetIndex, fault: &fleetfoot_core::fault::Fault);

    /// A queue can be read again, or somebody else reads it.
    fn trouble_is_over(&mut self, set: SetIndex);

    /// The world has changed, or time has passed. Says when it wants to be shown the world again at the latest, if
    /// nothing happens; `None` if it has taken all of it over.
    fn look(&mut self, snapshot: Snapshot<'_>) -> Option<Timestamp>;
}

/// The loop.
pub struct Controller<'a, T, O, S, R, W> {
    hands: Hands<'a, T, O, S, R>,
    targets: &'a dyn Targets,
    heard: mpsc::Receiver<Heard>,
    watch: W,
    fleet: Fleet,
    leads: bool,
    stands_by: bool,
    under_way: FuturesUnordered<BoxFuture<'a, Came>>,
}

impl<T, O, S, R, W> std::fmt::Debug for Controller<'_, T, O, S, R, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("leads", &self.leads).finish_non_exhaustive()
    }
}

impl<'a, T: Tasks, O: Outbox, S: ScaleSets, R: Registry, W: Watch> Controller<'a, T, O, S, R, W> {
    /// A controller that knows nothing yet and does not lead.
    pub fn new(
        doors: Doors<'a, T, O, S, R>,
        order: &'a Order,
        targets: &'a dyn Targets,
        heard: mpsc::Receiver<Heard>,
        watch: W,
    ) -> Self {
        let policy = targets.policy(doors.clock.now(), &Fleet::default());
        let mut fleet = Fleet::new(&policy, &order.cluster);
        (0..doors.scopes.len()).for_each(|n| fleet.ask_in(ScopeIndex(n)));
        Self {
            fleet,
            hands: Hands { doors, order },
            targets,
            heard,
            watch,
            leads: false,
            stands_by: false,
            under_way: FuturesUnordered::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.hands.doors.clock.now()
    }

    /// Runs until it is told to end, and what is under way then has come to its end, or took too long. Says how
    /// many calls that concerns: of what may come of them nobody knows.
    pub async fn run(mut self, end: &CancellationToken) -> usize {
        let clock = self.hands.doors.clock;
        while !end.is_cancelled() {
            let wake_at = self.round();
            let pause = wake_at.map(|at| at.duration_since(clock.now()));
            tokio::select! {
                biased;
                () = end.cancelled() => break,
                Some(came) = self.under_way.next() => self.came(came),
                heard = self.heard.recv() => match heard {
                    Some(heard) => self.hear(heard),
                    None => break,
                },
                () = clock.sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
            // Whatever is there already is planned for together.
            while let Some(Some(came)) = self.under_way.next().now_or_never() {
                self.came(came);
            }
            while let Ok(heard) = self.heard.try_recv() {
                self.hear(heard);
            }
        }
        self.hand_over().await
    }

    /// Plans, and begins what is planned. Says when to go on if nothing happens; maybe never if this process does not
    /// lead.
    fn round(&mut self) -> Option<Timestamp> {
        let now = self.now();
        let nothing = Fleet::default();
        let policy = self.targets.policy(now, if self.leads { &self.fleet } else { &nothing });
        let mut wake_at = None;
        if self.leads {
            self.fleet.settle(&policy, now);
            let plan = fleet::plan(now, &policy, &self.fleet);
            for (step, reason) in plan.steps {
                tracing::debug!(?step, reason, "act");
                let number = self.fleet.begin(&step, self.hands.doors.nonce, now);
                self.under_way.push(self.hands.begin(step, number, &self.fleet));
            }
            wake_at = self.targets.stay_until(now).into_iter().chain([plan.wake_at]).min();
        }
        let (leads, stands_by, under_way) = (self.leads, self.stands_by, self.under_way.len());
        let snapshot = Snapshot { now, leads, stands_by, policy: &policy, fleet: &self.fleet, under_way };
        self.watch.look(snapshot).into_iter().chain(wake_at).min()
    }

    fn hear(&mut self, heard: Heard) {
        let now = self.now();
        match heard {
            Heard::StandsBy => {
                self.stands_by = true;
                self.watch.trouble_is_over(SetIndex(0));
            }
            Heard::Leads(true) => {
                self.fleet.take_over(now);
                (self.leads, self.stands_by) = (true, false);
                tracing::info!("leading");
            }
            Heard::Leads(false) => {
                self.leads = false;
                tracing::info!("standing by: another replica has the queue, or nobody can have it");
            }
            Heard::Opened(set, demand) => {
                self.fleet.opened(set, demand);
                self.watch.trouble_is_over(set);
            }
            Heard::Closed(set) => {
                self.fleet.closed(set);
                self.watch.trouble_is_over(set);
            }
            Heard::TroubleIsOver(set) => self.watch.trouble_is_over(set),
            Heard::Message { set, message, taken_in } => {
                let news = self.fleet.heard(set, message.demand, &message.events, now);
                self.tell(now, &news);
                // Nobody waits for it any more if the session is gone.
                let _ = taken_in.send(());
            }
            Heard::Trouble(set, fault) => self.watch.trouble(now, set, &fault),
            Heard::Tasks(changes) => {
                for change in changes {
                    let news = self.fleet.changed(change.view, now);
                    self.tell(now, &news);
                }
            }
        }
    }

    fn tell(&mut self, now: Timestamp, news: &[News]) {
        for news in news {
            self.watch.news(now, news);
        }
    }

    fn came(&mut self, came: Came) {
        let (now, order) = (self.now(), self.hands.order);
        let (call, outcome) = came.told();
        self.watch.called(call, outcome);
        let fleet = &mut self.fleet;
        let news = match came {
            Came::Launched { pool, number, answer } => fleet.launched(pool, number, answer, now),
            Came::Bound { task, set, answer } => fleet.bound(&task, set, order.scope_of(set), answer, now),
            Came::Unregistered { task, set, answer } => {
                fleet.unregistered(&task, order.scope_of(set), &answer, now)
            }
            Came::Stopped { task, answer } => fleet.stopped(&task, answer, now),
            Came::Emptied { task, answer } => fleet.emptied(&task, answer, now),
            Came::Looked { task, looked } => fleet.looked(&task, looked, now),
            Came::Described { asked, answer } => fleet.described(&asked, answer, now),
            Came::Swept { pool, asked, answer } => fleet.swept(pool, &asked, answer, now),
            Came::RollCalled { scope, began, answer } => fleet.roll_called(scope, answer, began, now),
        };
        self.tell(now, &news);
    }

    /// Waits for what is under way, so that no task and no registration is left that nobody has heard of.
    async fn hand_over(&mut self) -> usize {
        let clock = self.hands.doors.clock;
        let all = async {
            while let Some(came) = self.under_way.next().await {
                // Whoever comes next finds it; only what was heard of is worth a word here.
                tracing::debug!(?came, "done before the end");
            }
        };
        if clock.within(HAND_OVER, all).await.is_none() {
            tracing::warn!(
                steps = self.under_way.len(),
                "some calls had no answer yet; the next leader finds what comes of them"
            );
        }
        self.under_way.len()
    }
}
