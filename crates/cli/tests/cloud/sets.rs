//! GitHub's scale sets and their queues. A queue has one reader at a time, who is told until he acknowledges.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::RunnerId;
use fleetfoot_core::scale_sets::{Demand, JobEvent, MOST_EVENTS, Message, MessageId, RequestId, ScaleSetId};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::State;
use super::book::Who;
use super::jobs::{Job, JobId, JobState, SetName};
use super::weather::Call;

/// A scale set.
#[derive(Debug)]
pub(crate) struct ScaleSet {
    pub(crate) name: SetName,
    session: Option<Session>,
    /// What is in no message yet.
    pending: VecDeque<JobEvent>,
    /// What is to be told until it is acknowledged.
    unacknowledged: BTreeMap<MessageId, Message>,
    last_message: i64,
    bell: Arc<Notify>,
}

/// Who reads a queue.
#[derive(Debug, Clone)]
struct Session {
    number: u64,
    who: Who,
    opened: Timestamp,
    ends: Timestamp,
    capacity: usize,
}

impl ScaleSet {
    /// Puts an event into its queue.
    pub(super) fn tell(&mut self, event: JobEvent) {
        self.pending.push_back(event);
        self.bell.notify_waiters();
    }

    /// How many jobs whoever reads its queue takes.
    pub(super) fn capacity(&self, now: Timestamp) -> usize {
        self.session.as_ref().filter(|session| now < session.ends).map_or(0, |session| session.capacity)
    }
}

impl State {
    /// Finds or makes a scale set.
    pub(super) fn ensure(&mut self, name: &SetName) -> ScaleSetId {
        if let Some(id) = self.jobs.id_of(name) {
            return id;
        }
        let id = ScaleSetId(i64::try_from(self.serial()).unwrap_or_default());
        let set = ScaleSet {
            name: name.clone(),
            session: None,
            pending: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
            last_message: 0,
            bell: Arc::default(),
        };
        self.jobs.sets.insert(id, set);
        id
    }

    /// Opens a queue. Gives the session's number, and the demand then.
    pub(super) fn open(&mut self, who: Who, id: ScaleSetId) -> Result<(u64, Demand), Fault> {
        let (now, number) = (self.now, self.serial());
        let (ends, forgets) = (now + self.jobs.session, self.jobs.forgets);
        let Some(set) = self.jobs.sets.get_mut(&id) else { return Err(gone("open a queue")) };
        if set.session.as_ref().is_some_and(|session| now < session.ends) {
            return Err(Fault::new(Class::Conflict, "open a queue", "somebody has it"));
        }
        if self.jobs.no_queue.iter().any(|(name, when)| *name == set.name && when.contains(&now)) {
            return Err(Fault::new(Class::Throttled { retry_after: None }, "open a queue", "there is none"));
        }
        set.session = Some(Session { number, who, opened: now, ends, capacity: 0 });
        if forgets {
            set.pending.clear();
            set.unacknowledged.clear();
        }
        // What nobody has acquired is offered again.
        let offered = |job: &Job| job.set == Some(id) && job.state == JobState::Offered;
        let offered: Vec<usize> = (0..self.jobs.all.len()).filter(|n| offered(&self.jobs.all[*n])).collect();
        for n in offered {
            self.tell(JobId(n), JobEvent::Available);
        }
        // What was told before is told with the numbers of now.
        let demand = self.demand(id);
        if let Some(set) = self.jobs.sets.get_mut(&id) {
            set.unacknowledged.values_mut().for_each(|message| message.demand = demand);
        }
        Ok((number, demand))
    }

    /// A poll arrives: it keeps the session, and tells how many runners the set may have.
    pub(super) fn poll(&mut self, id: ScaleSetId, number: u64, capacity: usize) -> Result<(), Fault> {
        let ends = self.now + self.jobs.session;
        let session = self.session(id, number)?;
        (session.ends, session.capacity) = (ends, capacity);
        self.assign_jobs(id);
        Ok(())
    }

    fn session(&mut self, id: ScaleSetId, number: u64) -> Result<&mut Session, Fault> {
        let now = self.now;
        let set = self.jobs.sets.get_mut(&id).ok_or_else(|| gone("use a queue"))?;
        let own = |session: &&mut Session| session.number == number && now < session.ends;
        set.session.as_mut().filter(own).ok_or_else(|| gone("use a queue"))
    }

    /// The next message after this one. GitHub may also tell again what was not acknowledged. Its numbers are
    /// those of when it was made.
    pub(super) fn message(
        &mut self,
        id: ScaleSetId,
        number: u64,
        last: Option<MessageId>,
    ) -> Result<Option<Message>, Fault> {
        self.session(id, number)?;
        let demand = self.demand(id);
        let again = self.weather.dice.happens(300);
        let Some(set) = self.jobs.sets.get_mut(&id) else { return Err(gone("use a queue")) };
        let is_next = |message: &&Message| again || last.is_none_or(|last| last < message.id);
        if let Some(message) = set.unacknowledged.values().find(is_next) {
            return Ok(Some(message.clone()));
        }
        if set.pending.is_empty() {
            return Ok(None);
        }
        let events = set.pending.drain(..set.pending.len().min(MOST_EVENTS)).collect();
        set.last_message += 1;
        let message = Message { id: MessageId(set.last_message), demand, events };
        set.unacknowledged.insert(message.id, message.clone());
        Ok(Some(message))
    }

    /// Rings when a set's queue has something to tell, or nothing any more.
    pub(super) fn bell_of(&self, id: ScaleSetId) -> Option<Arc<Notify>> {
        self.jobs.sets.get(&id).map(|set| Arc::clone(&set.bell))
    }

    pub(super) fn acknowledge(
        &mut self,
        id: ScaleSetId,
        number: u64,
        message: MessageId,
    ) -> Result<(), Fault> {
        self.session(id, number)?;
        self.jobs.sets.entry(id).and_modify(|set| drop(set.unacknowledged.remove(&message)));
        Ok(())
    }

    pub(super) fn acquire(
        &mut self,
        id: ScaleSetId,
        number: u64,
        requests: &[RequestId],
    ) -> Result<Vec<RequestId>, Fault> {
        self.session(id, number)?;
        let offered = |request: &&RequestId| {
            let job = usize::try_from(request.0 - 1).ok().and_then(|n| self.jobs.all.get(n));
            job.is_some_and(|job| job.state == JobState::Offered && job.set == Some(id))
        };
        let acquired: Vec<RequestId> = requests.iter().filter(offered).copied().collect();
        for request in &acquired {
            self.assign_job(JobId(usize::try_from(request.0 - 1).unwrap_or_default()));
        }
        self.give_jobs(id);
        Ok(acquired)
    }

    pub(super) fn close(&mut self, id: ScaleSetId, number: u64) -> Result<(), Fault> {
        self.session(id, number)?;
        self.jobs.sets.entry(id).and_modify(|set| set.session = None);
        Ok(())
    }

    /// GitHub loses the session of a set.
    pub(crate) fn drop_session(&mut self, name: &SetName) {
        let (now, Some(id)) = (self.now, self.jobs.id_of(name)) else { return };
        self.book.note(now, || format!("GitHub drops the session of {}", name.name));
        self.note_dropped(name);
        if let Some(set) = self.jobs.sets.get_mut(&id) {
            set.session = None;
            set.bell.notify_waiters();
        }
    }

    /// GitHub loses a set, and its runners with it. Jobs that wait for it wait on.
    pub(crate) fn drop_set(&mut self, name: &SetName) {
        let (now, Some(id)) = (self.now, self.jobs.id_of(name)) else { return };
        self.book.note(now, || format!("GitHub drops the set {}", name.name));
        self.note_dropped(name);
        if let Some(set) = self.jobs.sets.remove(&id) {
            set.bell.notify_waiters();
        }
        for job in self.jobs.all.iter_mut().filter(|job| job.set == Some(id)) {
            match job.state {
                JobState::Offered | JobState::Assigned => {
                    (job.state, job.set, job.assigned) = (JobState::Waiting, None, None);
                }
                _ => {}
            }
        }
        let of_set: Vec<RunnerId> =
            self.runners.iter().filter(|(_, runner)| runner.set == Some(id)).map(|(id, _)| *id).collect();
        for runner in of_set {
            let secret = self.runners[&runner].secret.clone();
            // Whoever has a job keeps it. Of the others no trace is left but a letter that helps nobody.
            if self.delete(runner).is_ok() {
                self.mail.retain(|_, mail| mail.secret != secret);
            }
        }
    }

    fn note_dropped(&mut self, name: &SetName) {
        if self.jobs.first.as_ref() == Some(name) {
            self.jobs.dropped = Some(self.now);
        }
    }

    /// Whether another replica may have begun to lead of which the leader has not heard, because GitHub itself has
    /// ended its session.
    pub(super) fn is_contended(&self) -> bool {
        let lately = |at: Timestamp| self.now.duration_since(at) < self.jobs.session;
        self.jobs.replicas > 1 && self.jobs.dropped.is_some_and(lately)
    }

    /// A runner of a set is registered: there are to be no more than anybody wants.
    pub(super) fn count_runners(&mut self, id: ScaleSetId) {
        let Some(set) = self.jobs.sets.get(&id) else { return };
        let most = self.jobs.most.get(&set.name).copied().unwrap_or_default();
        let live = self.live_runners(id);
        if live > most && !self.is_contended() {
            let law = format!("{live} runners of {} where {most} were wanted at most", set.name.name);
            self.book.broken(self.now, law);
        }
    }

    /// The runners of a set whose tasks are there.
    pub(crate) fn live_runners(&self, id: ScaleSetId) -> usize {
        let lives = |runner: &&super::Runner| {
            runner.set == Some(id) && self.task_of(&runner.name).is_some_and(|(_, task)| task.is_live())
        };
        self.runners.values().filter(lives).count()
    }

    /// The law of the lead: nobody begins anything while another one has the first set's queue, but for calls
    /// that belong to what was begun before. Whose session GitHub has dropped cannot know of it at once.
    pub(super) fn acts(&mut self, who: Who, call: Call) {
        let grace = match call {
            Call::Launch | Call::Stop => SignedDuration::ZERO,
            Call::Mint | Call::Put | Call::Empty | Call::Delete => SignedDuration::from_secs(20),
            _ => return,
        };
        let now = self.now;
        let first = self.jobs.first.as_ref().and_then(|name| self.jobs.id_of(name));
        let session = first.and_then(|id| self.jobs.sets[&id].session.as_ref()).filter(|s| now < s.ends);
        let Some(session) = session.filter(|session| session.who != who && who.is_replica()) else { return };
        if now.duration_since(session.opened) > grace && !self.is_contended() {
            let law = format!("{who} calls {call:?} while {} leads", session.who);
            self.book.broken(now, law);
        }
    }
}

fn gone(what: &str) -> Fault {
    Fault::new(Class::NotFound, what, "there is no such scale set or session")
}
