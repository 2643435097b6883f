//! GitHub's scale sets: the jobs that ask for them, which runner has which job, and what their queues tell.
//!
//! A set's queue has one reader at a time, and GitHub assigns to the set no more jobs than its reader takes. A
//! job that is given to a runner and not begun within a minute goes back.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::RunnerId;
use fleetfoot_core::label::Label;
use fleetfoot_core::scale_sets::{
    Demand, Job as Told, JobEvent, MOST_EVENTS, Message, MessageId, RequestId, RunnerRef, ScaleSetId,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::State;
use super::book::Who;
use super::weather::Call;

/// How long a runner may take to begin the job that it is given.
const BEGINS_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// A scale set's name, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SetName {
    pub(crate) scope: usize,
    pub(crate) name: Label,
}

/// A job, by its number in the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JobId(pub(crate) usize);

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    /// No set has it.
    Waiting,
    /// Its set may acquire it.
    Offered,
    /// It is its set's.
    Assigned,
    /// It was given to this runner, which has not begun.
    Given(RunnerId),
    /// It runs there.
    Running(RunnerId),
    /// It is over.
    Over(JobEnd),
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum JobEnd {
    /// As its steps did.
    Done,
    /// Somebody cancelled it.
    Cancelled,
    /// Its runner died.
    Lost,
}

/// What happens to a job.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// Its runner begins.
    Begins(RunnerId),
    /// Its runner has not begun in time.
    GoesBack(RunnerId),
}

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) asks_for: SetName,
    pub(crate) state: JobState,
    pub(crate) queued: Timestamp,
    pub(crate) assigned: Option<Timestamp>,
    pub(crate) begun: Option<Timestamp>,
    set: Option<ScaleSetId>,
    lasts: SignedDuration,
    cancelled: bool,
}

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

/// All scale sets and jobs, and GitHub's manner with them.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) all: Vec<Job>,
    pub(crate) sets: BTreeMap<ScaleSetId, ScaleSet>,
    /// The most runners that anybody wants of a set.
    pub(crate) most: BTreeMap<SetName, usize>,
    /// Whoever has its queue leads.
    pub(crate) first: Option<SetName>,
    /// How long a session is kept that is not polled.
    pub(crate) session: SignedDuration,
    /// Whether jobs have to be acquired.
    pub(crate) acquired: bool,
    /// Whether what a session has not told is forgotten with it.
    pub(crate) forgets: bool,
    /// When sessions are opened without a queue.
    pub(crate) no_queue: Vec<(SetName, Range<Timestamp>)>,
    /// When a session of the first set was last ended by GitHub itself.
    pub(crate) dropped: Option<Timestamp>,
}

impl Jobs {
    /// The job that a runner has.
    pub(crate) fn of_runner(&self, runner: RunnerId) -> Option<JobId> {
        let has =
            |job: &Job| matches!(job.state, JobState::Given(id) | JobState::Running(id) if id == runner);
        self.all.iter().position(has).map(JobId)
    }

    pub(crate) fn is_running(&self, job: JobId) -> bool {
        matches!(self.all[job.0].state, JobState::Running(_))
    }

    fn job(&mut self, job: JobId) -> &mut Job {
        &mut self.all[job.0]
    }

    pub(crate) fn id_of(&self, name: &SetName) -> Option<ScaleSetId> {
        self.sets.iter().find(|(_, set)| set.name == *name).map(|(id, _)| *id)
    }

    /// Jobs that a set has, waiting or running.
    pub(crate) fn assigned(&self, set: ScaleSetId) -> impl Iterator<Item = (JobId, &Job)> {
        let has = move |job: &Job| {
            job.set == Some(set)
                && matches!(job.state, JobState::Assigned | JobState::Given(_) | JobState::Running(_))
        };
        self.all.iter().enumerate().filter(move |(_, job)| has(job)).map(|(n, job)| (JobId(n), job))
    }

    fn told(&self, id: JobId, now: Timestamp) -> Told {
        let job = &self.all[id.0];
        Told {
            request: RequestId(i64::try_from(id.0).unwrap_or_default() + 1),
            id: format!("job {}", id.0),
            name: format!("job {}", id.0),
            repository: None,
            workflow_ref: String::new(),
            run_id: 1,
            event: "push".to_owned(),
            labels: vec![job.asks_for.name.to_string()],
            queued: Some(job.queued),
            assigned: job.assigned,
            taken: job.begun,
            finished: matches!(job.state, JobState::Over(_)).then_some(now),
        }
    }
}

impl State {
    /// Somebody queues a job.
    pub(crate) fn queue_job(&mut self, asks_for: &SetName, lasts: SignedDuration) -> JobId {
        let (id, now) = (JobId(self.jobs.all.len()), self.now);
        self.book.note(now, || format!("job {} is queued for {}, lasts {lasts:#}", id.0, asks_for.name));
        self.jobs.all.push(Job {
            asks_for: asks_for.clone(),
            state: JobState::Waiting,
            queued: now,
            assigned: None,
            begun: None,
            set: None,
            lasts,
            cancelled: false,
        });
        if let Some(set) = self.jobs.id_of(asks_for) {
            self.assign_jobs(set);
        }
        id
    }

    /// Somebody cancels a job.
    pub(crate) fn cancel_job(&mut self, id: JobId) {
        let now = self.now;
        self.book.note(now, || format!("job {} is cancelled", id.0));
        self.jobs.job(id).cancelled = true;
        match self.jobs.all[id.0].state {
            JobState::Waiting => self.jobs.job(id).state = JobState::Over(JobEnd::Cancelled),
            JobState::Offered | JobState::Assigned => self.end_unbegun(id),
            JobState::Given(runner) => {
                if let Some(runner) = self.runners.get_mut(&runner) {
                    runner.busy_since = None;
                }
                self.end_unbegun(id);
            }
            JobState::Running(runner) => {
                let soon = self.weather.dice.pause(1000..10_000);
                self.end_running(runner, soon);
            }
            JobState::Over(_) => {}
        }
    }

    fn end_unbegun(&mut self, id: JobId) {
        self.jobs.job(id).state = JobState::Over(JobEnd::Cancelled);
        self.tell(id, |job| JobEvent::Completed { job, runner: None, result: "canceled".to_owned() });
        if let Some(set) = self.jobs.all[id.0].set {
            self.assign_jobs(set);
        }
    }

    fn end_running(&mut self, runner: RunnerId, after: SignedDuration) {
        let serves = self.runners.get(&runner).and_then(|runner| self.task_of(&runner.name));
        if let Some(arn) = serves.map(|(arn, _)| arn.clone()) {
            self.plan(after, &arn, super::life::Event::EndsJob(runner));
        }
    }

    /// Puts an event into the queue of the job's set.
    fn tell(&mut self, id: JobId, event: impl FnOnce(Told) -> JobEvent) {
        let told = self.jobs.told(id, self.now);
        let set = self.jobs.all[id.0].set.and_then(|set| self.jobs.sets.get_mut(&set));
        if let Some(set) = set {
            set.pending.push_back(event(told));
            set.bell.notify_waiters();
        }
    }

    /// Gives a set the jobs that it may have.
    fn assign_jobs(&mut self, id: ScaleSetId) {
        let now = self.now;
        let Some(set) = self.jobs.sets.get(&id) else { return };
        let capacity = set.session.as_ref().filter(|session| now < session.ends).map_or(0, |s| s.capacity);
        let name = set.name.clone();
        let has = |job: &&Job| job.set == Some(id) && !matches!(job.state, JobState::Over(_));
        let mut room = capacity.saturating_sub(self.jobs.all.iter().filter(has).count());
        let waits = |job: &Job| job.state == JobState::Waiting && job.asks_for == name;
        let waiting: Vec<usize> = (0..self.jobs.all.len()).filter(|n| waits(&self.jobs.all[*n])).collect();
        for job in waiting.into_iter().map(JobId) {
            if room == 0 {
                break;
            }
            room -= 1;
            self.jobs.job(job).set = Some(id);
            if self.jobs.acquired {
                self.jobs.job(job).state = JobState::Offered;
                self.tell(job, JobEvent::Available);
            } else {
                self.assign_job(job);
            }
        }
        self.give_jobs(id);
    }

    fn assign_job(&mut self, job: JobId) {
        let now = self.now;
        let record = self.jobs.job(job);
        (record.state, record.assigned) = (JobState::Assigned, Some(now));
        self.book.note(now, || format!("job {} is assigned", job.0));
        self.tell(job, JobEvent::Assigned);
    }

    /// Gives assigned jobs to runners that wait.
    pub(super) fn give_jobs(&mut self, set: ScaleSetId) {
        let now = self.now;
        loop {
            let job = self.jobs.assigned(set).find(|(_, job)| job.state == JobState::Assigned);
            let Some((job, _)) = job else { return };
            let waits = |runner: &super::Runner| {
                runner.set == Some(set) && runner.online_since.is_some() && runner.busy_since.is_none()
            };
            let idle: Vec<RunnerId> =
                self.runners.iter().filter(|(_, runner)| waits(runner)).map(|(id, _)| *id).collect();
            if idle.is_empty() {
                return;
            }
            let runner = self.weather.dice.pick(&idle);
            self.runners.entry(runner).and_modify(|runner| runner.busy_since = Some(now));
            self.jobs.job(job).state = JobState::Given(runner);
            self.book.note(now, || format!("job {} is given to the runner {runner}", job.0));
            let begins = self.weather.dice.pause(200..3000);
            self.put_down(begins, super::Event::OfJob(job, Event::Begins(runner)));
            self.put_down(BEGINS_WITHIN, super::Event::OfJob(job, Event::GoesBack(runner)));
        }
    }

    pub(super) fn happen_to_job(&mut self, id: JobId, event: Event) {
        let now = self.now;
        let (Event::Begins(runner) | Event::GoesBack(runner)) = event;
        if self.jobs.all[id.0].state != JobState::Given(runner) {
            return;
        }
        match event {
            Event::Begins(_) => {
                let online = self.runners.get(&runner).filter(|runner| runner.online_since.is_some());
                let Some(name) = online.map(|runner| runner.name.clone()) else { return };
                self.book.note(now, || format!("job {} begins on {name}", id.0));
                let job = self.jobs.job(id);
                (job.state, job.begun) = (JobState::Running(runner), Some(now));
                let lasts = job.lasts;
                self.tell(id, |job| JobEvent::Started { job, runner: RunnerRef { id: runner, name } });
                self.end_running(runner, lasts);
            }
            Event::GoesBack(_) => {
                if let Some(runner) = self.runners.get_mut(&runner) {
                    runner.busy_since = None;
                }
                self.tell(id, |job| JobEvent::Completed { job, runner: None, result: String::new() });
                self.goes_back(id);
            }
        }
    }

    /// A job has lost its runner before it began.
    fn goes_back(&mut self, id: JobId) {
        let now = self.now;
        self.book.note(now, || format!("job {} goes back", id.0));
        let set = self.jobs.all[id.0].set.filter(|set| self.jobs.sets.contains_key(set));
        if let Some(set) = set {
            self.assign_job(id);
            self.give_jobs(set);
        } else {
            let job = self.jobs.job(id);
            (job.state, job.set) = (JobState::Waiting, None);
        }
    }

    /// A runner's job is over, its steps or its machine at an end.
    pub(super) fn ends_job(&mut self, runner: RunnerId, done: bool) {
        let (now, Some(id)) = (self.now, self.jobs.of_runner(runner)) else { return };
        let job = self.jobs.job(id);
        let end = match (done, job.cancelled) {
            (true, false) => JobEnd::Done,
            (true, true) => JobEnd::Cancelled,
            (false, _) => JobEnd::Lost,
        };
        job.state = JobState::Over(end);
        self.book.note(now, || format!("job {} is over: {end:?}", id.0));
        let Some(name) = self.runners.get(&runner).map(|runner| runner.name.clone()) else { return };
        let runner = Some(RunnerRef { id: runner, name });
        self.tell(id, |job| JobEvent::Completed { job, runner, result: format!("{end:?}") });
        if let Some(set) = self.jobs.all[id.0].set {
            self.assign_jobs(set);
        }
    }

    /// What GitHub counts of a set.
    pub(super) fn demand(&self, set: ScaleSetId) -> Demand {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let jobs = |is: fn(&JobState) -> bool| {
            count(self.jobs.all.iter().filter(|job| job.set == Some(set) && is(&job.state)).count())
        };
        let runners = |is: fn(&super::Runner) -> bool| {
            count(self.runners.values().filter(|runner| runner.set == Some(set) && is(runner)).count())
        };
        let assigned = count(self.jobs.assigned(set).count());
        Demand {
            available: jobs(|state| *state == JobState::Offered),
            acquired: assigned,
            assigned,
            running: jobs(|state| matches!(state, JobState::Running(_))),
            registered: runners(|_| true),
            busy: runners(|runner| runner.busy_since.is_some()),
            idle: runners(|runner| runner.online_since.is_some() && runner.busy_since.is_none()),
        }
    }

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
        Ok((number, self.demand(id)))
    }

    /// A poll arrives: it keeps the session, and tells how many runners the set may have.
    pub(super) fn poll(&mut self, id: ScaleSetId, number: u64, capacity: usize) -> Result<(), Fault> {
        let (now, ends) = (self.now, self.now + self.jobs.session);
        let session = self.session(id, number)?;
        (session.ends, session.capacity) = (ends, capacity);
        let _ = now;
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

    /// A runner of a set is registered: there are to be no more than anybody wants.
    pub(super) fn count_runners(&mut self, id: ScaleSetId) {
        let Some(set) = self.jobs.sets.get(&id) else { return };
        let most = self.jobs.most.get(&set.name).copied().unwrap_or_default();
        let live = self.live_runners(id);
        if live > most {
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
        let dropped = self.jobs.dropped.is_some_and(|at| now.duration_since(at) < self.jobs.session);
        if now.duration_since(session.opened) > grace && !dropped {
            let law = format!("{who} calls {call:?} while {} leads", session.who);
            self.book.broken(now, law);
        }
    }
}

fn gone(what: &str) -> Fault {
    Fault::new(Class::NotFound, what, "there is no such scale set or session")
}
