//! Listening to a scale set's queue, and leading by it.
//!
//! A session is exclusive, so it is also the lock that keeps two replicas from acting for one stack: whoever
//! has the queue of the stack's first set leads, listens to the others, and acts. The other replica stands by.
//! Who cannot poll for a while stops leading before GitHub gives the session to somebody else.

use std::time::Duration;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::fleet::SetIndex;
use fleetfoot_core::patience::Patience;
use fleetfoot_core::scale_sets::{Demand, Message, MessageId, ScaleSetSpec, ScaleSets, Session};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::SetIds;
use crate::engine::Clock;

/// What the controller hears.
#[derive(Debug)]
pub enum Heard {
    /// This process leads, or does not any more.
    Leads(bool),
    /// Another replica leads.
    StandsBy,
    /// A set's queue is open, with this demand.
    Opened(SetIndex, Demand),
    /// A message came. It is acknowledged once the controller says that it is written down.
    Message {
        /// For this set.
        set: SetIndex,
        /// What it says.
        message: Message,
        /// Says so.
        taken_in: oneshot::Sender<()>,
    },
    /// A queue cannot be read. It is tried again.
    Trouble(SetIndex, Fault),
    /// ECS tells of tasks by itself.
    Tasks(Vec<fleetfoot_core::task_events::TaskChange>),
}

/// Somebody who listens to one set's queue.
pub struct Listener<'a, S> {
    /// The set.
    pub set: SetIndex,
    /// What it is to be.
    pub spec: &'a ScaleSetSpec,
    /// Where it is at GitHub.
    pub sets: &'a S,
    /// The sets' ids.
    pub ids: &'a SetIds,
    /// How GitHub shows whose session it is.
    pub owner: &'a str,
    /// The most runners it may have.
    pub capacity: u32,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Who hears it.
    pub heard: mpsc::Sender<Heard>,
    /// Whether this process leads: told by the first set's listener, heeded by the others.
    pub leads: watch::Sender<bool>,
}

impl<S> std::fmt::Debug for Listener<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("set", &self.set).finish_non_exhaustive()
    }
}

/// How long a leader goes on leading without a poll that GitHub answers: shorter than GitHub keeps its session.
const STALE: SignedDuration = SignedDuration::from_secs(100);

/// How long to stand by between two looks at a session that somebody else has.
const STAND_BY: SignedDuration = SignedDuration::from_secs(5);

/// Why listening stopped.
enum Pause {
    /// It is over.
    Over,
    /// This process does not lead.
    Follows,
}

impl<S: ScaleSets> Listener<'_, S> {
    fn is_first(&self) -> bool {
        self.set == SetIndex(0)
    }

    /// Listens until it is stopped; then closes the session, so that another replica can take over at once.
    pub async fn run(self, stop: &CancellationToken) {
        let mut patience = Patience::between(Duration::from_secs(1), Duration::from_secs(30));
        while !stop.is_cancelled() {
            if !self.is_first() && !self.wait_for_lead(stop).await {
                return;
            }
            let pause = match self.listen(stop, &mut patience).await {
                Ok(Pause::Over) => return,
                Ok(Pause::Follows) => continue,
                Err(fault) if fault.class == Class::Conflict => {
                    self.lead(false).await;
                    self.tell(Heard::StandsBy).await;
                    STAND_BY
                }
                Err(fault) => {
                    let now = self.clock.now();
                    let asked = match fault.class {
                        Class::Throttled { retry_after } => retry_after,
                        Class::Denied | Class::Invalid => Some(Duration::from_secs(30)),
                        _ => None,
                    };
                    patience.failed(now, asked);
                    self.tell(Heard::Trouble(self.set, fault)).await;
                    patience.until(now).map_or(SignedDuration::ZERO, |until| until.duration_since(now))
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    /// Says whether it leads; `false` if it is all over.
    async fn wait_for_lead(&self, stop: &CancellationToken) -> bool {
        let mut leads = self.leads.subscribe();
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            led = leads.wait_for(|leads| *leads) => led.is_ok(),
        }
    }

    async fn tell(&self, heard: Heard) {
        // Whoever does not listen any more is about to end.
        let _ = self.heard.send(heard).await;
    }

    async fn lead(&self, leads: bool) {
        if self.is_first() && self.leads.send_if_modified(|now| std::mem::replace(now, leads) != leads) {
            self.tell(Heard::Leads(leads)).await;
        }
    }

    async fn listen(&self, stop: &CancellationToken, patience: &mut Patience) -> Result<Pause, Fault> {
        let opening = async {
            let id = self.sets.ensure(self.spec).await?;
            self.ids.set(self.set, id);
            self.sets.open(id, self.owner).await
        };
        let session = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Pause::Over),
            session = opening => session?,
        };
        patience.succeeded();
        self.lead(true).await;
        self.tell(Heard::Opened(self.set, session.opening_demand())).await;
        let end = self.follow(&session, stop, patience).await;
        if !matches!(&end, Err(fault) if fault.class == Class::NotFound) {
            if let Err(fault) = session.close().await {
                // It ends by itself some minutes later.
                tracing::warn!(why = %fault, "the session stays open");
            }
        }
        if end.is_err() {
            // Whoever opens the next one first leads.
            self.lead(false).await;
        }
        end
    }

    /// Takes in messages one by one.
    async fn follow(
        &self,
        session: &S::Session,
        stop: &CancellationToken,
        patience: &mut Patience,
    ) -> Result<Pause, Fault> {
        let mut leads = self.leads.subscribe();
        let (mut last, mut demand) = (None, session.opening_demand());
        let mut answered = self.clock.now();
        loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Pause::Over),
                _ = leads.wait_for(|leads| !*leads), if !self.is_first() => return Ok(Pause::Follows),
                next = session.next(last, self.capacity) => next,
            };
            let now = self.clock.now();
            match next {
                Ok(message) => {
                    patience.succeeded();
                    if let Some(message) = message {
                        demand = message.demand;
                        last = Some(self.take_in(session, message).await?);
                    }
                    answered = now;
                    if self.is_first() && !*leads.borrow() {
                        // Nobody else has taken the session meanwhile.
                        self.lead(true).await;
                        self.tell(Heard::Opened(self.set, demand)).await;
                    }
                }
                Err(fault) if fault.again_after(Duration::ZERO).is_some() => {
                    patience.failed(now, fault.again_after(Duration::ZERO));
                    self.tell(Heard::Trouble(self.set, fault)).await;
                    if now.duration_since(answered) > STALE {
                        self.lead(false).await;
                    }
                    self.wait_until(patience.until(now), stop).await;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn wait_until(&self, at: Option<Timestamp>, stop: &CancellationToken) {
        let pause = at.map_or(SignedDuration::ZERO, |at| at.duration_since(self.clock.now()));
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.clock.sleep(pause) => {}
        }
    }

    /// Acquires what has to be acquired, has it written down, and only then acknowledges.
    async fn take_in(&self, session: &S::Session, message: Message) -> Result<MessageId, Fault> {
        let (id, available) = (message.id, message.available());
        if !available.is_empty() {
            // Those that are not acquired are offered again.
            if let Err(fault) = session.acquire(&available).await {
                self.tell(Heard::Trouble(self.set, fault)).await;
            }
        }
        let (taken_in, done) = oneshot::channel();
        self.tell(Heard::Message { set: self.set, message, taken_in }).await;
        if done.await.is_ok() {
            // What is not acknowledged is told again, which does no harm.
            if let Err(fault) = session.acknowledge(id).await {
                self.tell(Heard::Trouble(self.set, fault)).await;
            }
        }
        Ok(id)
    }
}
