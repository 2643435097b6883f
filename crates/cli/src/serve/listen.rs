//! Listening to a scale set's queue, and leading by it.
//!
//! A session is exclusive, so it is also the lock that keeps two replicas from acting for one stack: whoever
//! has the queue of the stack's first set leads, listens to the others, and acts. The other replica stands by.
//! Whoever has had no answer from the queue for a while stops leading before GitHub gives the session to
//! somebody else. Only when GitHub itself loses a session may two lead for a moment: until the next poll of the one
//! whose session it was.

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
    /// This process does not listen to a set's queue, because it does not lead.
    Closed(SetIndex),
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
    /// It can be read after all.
    TroubleIsOver(SetIndex),
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

/// For how long somebody leads from when he sent the last poll that GitHub has answered. Longer than two polls
/// take, and shorter than GitHub keeps a session that is not polled.
const LEASE: SignedDuration = SignedDuration::from_secs(110);

/// How long to stand by between two looks at a session that somebody else has.
const STAND_BY: SignedDuration = SignedDuration::from_secs(5);

/// How long an opening may take when it is to be over already.
const OPENING: SignedDuration = SignedDuration::from_secs(1);

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
            let until = match self.listen(stop, &mut patience).await {
                Ok(Pause::Over) => return,
                Ok(Pause::Follows) => continue,
                Err(fault) if fault.class == Class::Conflict => {
                    self.lead(false).await;
                    self.tell(Heard::StandsBy).await;
                    self.clock.now() + STAND_BY
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
                    patience.until(now).unwrap_or(now)
                }
            };
            self.wait_until(until, stop).await;
        }
    }

    /// Says whether it leads; `false` if it is all over.
    async fn wait_for_lead(&self, stop: &CancellationToken) -> bool {
        let mut leads = self.leads.subscribe();
        if !*leads.borrow() {
            self.tell(Heard::Closed(self.set)).await;
        }
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

    /// Leads, or does not any more. The controller hears of a lead before any listener acts on it, and of its
    /// loss after none does.
    async fn lead(&self, leads: bool) {
        if !self.is_first() || *self.leads.borrow() == leads {
            return;
        }
        if !leads {
            self.leads.send_replace(false);
        }
        self.tell(Heard::Leads(leads)).await;
        if leads {
            self.leads.send_replace(true);
        }
    }

    async fn listen(&self, stop: &CancellationToken, patience: &mut Patience) -> Result<Pause, Fault> {
        let mut opening = std::pin::pin!(async {
            let id = self.sets.ensure(self.spec).await?;
            self.ids.set(self.set, id);
            let sent = self.clock.now();
            Ok::<_, Fault>((self.sets.open(id, self.owner).await?, sent))
        });
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => {
                // A session that nobody knows of would keep the next replica waiting.
                if let Some(Ok((session, _))) = self.clock.within(OPENING, opening).await {
                    self.close(&session).await;
                }
                return Ok(Pause::Over);
            }
            opened = &mut opening => opened,
        };
        let (session, sent) = opened?;
        patience.succeeded();
        self.lead(true).await;
        self.tell(Heard::Opened(self.set, session.opening_demand())).await;
        let end = self.follow(&session, sent, stop, patience).await;
        if end.is_err() {
            // Whoever opens the next one first leads.
            self.lead(false).await;
        }
        if !matches!(&end, Err(fault) if fault.class == Class::NotFound) {
            self.close(&session).await;
        }
        end
    }

    async fn close(&self, session: &S::Session) {
        if let Err(fault) = session.close().await {
            // It ends by itself some minutes later.
            tracing::warn!(why = %fault, "the session stays open");
        }
    }

    /// Takes in messages one by one. `sent` is when GitHub was last asked something that it has answered.
    async fn follow(
        &self,
        session: &S::Session,
        mut sent: Timestamp,
        stop: &CancellationToken,
        patience: &mut Patience,
    ) -> Result<Pause, Fault> {
        let mut leads = self.leads.subscribe();
        let (mut last, mut demand) = (None, session.opening_demand());
        let mut troubled = false;
        loop {
            let polled = self.clock.now();
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Pause::Over),
                _ = leads.wait_for(|leads| !*leads), if !self.is_first() => return Ok(Pause::Follows),
                next = self.while_leading(sent, session.next(last, self.capacity)) => next,
            };
            match self.while_leading(sent, self.take_in(session, last, next)).await {
                Ok(message) => {
                    patience.succeeded();
                    sent = polled;
                    if std::mem::take(&mut troubled) {
                        self.tell(Heard::TroubleIsOver(self.set)).await;
                    }
                    if let Some((id, newer)) = message {
                        (last, demand) = (Some(id), newer);
                    }
                    let holds = self.clock.now() < sent + LEASE;
                    if self.is_first() && holds && !*self.leads.borrow() {
                        // Nobody else has had the session meanwhile.
                        self.lead(true).await;
                        self.tell(Heard::Opened(self.set, demand)).await;
                    }
                }
                Err(fault) if fault.again_after(Duration::ZERO).is_some() => {
                    let now = self.clock.now();
                    patience.failed(now, fault.again_after(Duration::ZERO));
                    troubled = true;
                    self.tell(Heard::Trouble(self.set, fault)).await;
                    let until = patience.until(now).unwrap_or(now);
                    self.while_leading(sent, self.wait_until(until, stop)).await;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Does this. If that takes longer than the lease lasts, whoever leads stops leading meanwhile.
    async fn while_leading<T>(&self, sent: Timestamp, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let left = (sent + LEASE).duration_since(self.clock.now());
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = self.clock.sleep(left), if self.is_first() => {}
        }
        self.lead(false).await;
        work.await
    }

    async fn wait_until(&self, at: Timestamp, stop: &CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.clock.sleep(at.duration_since(self.clock.now())) => {}
        }
    }

    /// Acquires what has to be acquired, has it written down, and only then acknowledges. Gives the message's id
    /// and its demand, if it is news.
    async fn take_in(
        &self,
        session: &S::Session,
        last: Option<MessageId>,
        next: Result<Option<Message>, Fault>,
    ) -> Result<Option<(MessageId, Demand)>, Fault> {
        let Some(message) = next? else { return Ok(None) };
        let (id, demand, available) = (message.id, message.demand, message.available());
        if !available.is_empty() {
            // What cannot be acquired is not taken in, so that it is told again.
            session.acquire(&available).await?;
        }
        let news = last.is_none_or(|last| last < id);
        if news {
            let (taken_in, done) = oneshot::channel();
            self.tell(Heard::Message { set: self.set, message, taken_in }).await;
            if done.await.is_err() {
                return Ok(None);
            }
        }
        // What is not acknowledged is told again, which does no harm.
        if let Err(fault) = session.acknowledge(id).await {
            tracing::warn!(scale_set = %self.spec.name, class = fault.class.word(), why = %fault, "a message is not acknowledged");
        }
        Ok(news.then_some((id, demand)))
    }
}
