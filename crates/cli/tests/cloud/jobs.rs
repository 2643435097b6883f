//! The jobs that ask for GitHub's scale sets: which set has them, and which runner.
//!
//! GitHub assigns to a set no more jobs than whoever reads its queue takes. A job that is given to a runner and not
//! begun within a minute goes back.

use std::collections::BTreeMap;
use std::ops::Range;

use fleetfoot_core::ids::RunnerId;
use fleetfoot_core::label::Label;
use fleetfoot_core::scale_sets::{Demand, Job as Told, JobEvent, RequestId, RunnerRef, ScaleSetId};
use jiff::{SignedDuration, Timestamp};

use super::State;
use super::sets::ScaleSet;

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
    pub(super) set: Option<ScaleSetId>,
    lasts: SignedDuration,
    cancelled: bool,
}

/// All scale sets and jobs, and GitHub's manner with them.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) all: Vec<Job>,
    pub(crate) sets: BTreeMap<ScaleSetId, ScaleSet>,
    /// The most runners that anybody wants of a set.
    pub(crate) most: BTreeMap<SetName, usize>,
    /// How many replicas of the autoscaler there are.
    pub(crate) replicas: usize,
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
    pub(super) fn tell(&mut self, id: JobId, event: impl FnOnce(Told) -> JobEvent) {
        let told = self.jobs.told(id, self.now);
        let set = self.jobs.all[id.0].set.and_then(|set| self.jobs.sets.get_mut(&set));
        if let Some(set) = set {
            set.tell(event(told));
        }
    }

    /// Gives a set the jobs that it may have.
    pub(super) fn assign_jobs(&mut self, id: ScaleSetId) {
        let now = self.now;
        let Some(set) = self.jobs.sets.get(&id) else { return };
        let capacity = set.capacity(now);
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

    pub(super) fn assign_job(&mut self, job: JobId) {
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
}
