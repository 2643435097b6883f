//! Self-hosted runners: their registrations, sessions and assignments.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::accounts::Scope;
use super::state::State;
use super::{jit, state::later};
use crate::events::Event;
use crate::faults::NoSession;

/// What a JIT configuration is asked for.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
    pub(crate) group_id: u64,
    pub(crate) work_folder: String,
    /// The scale set it is to serve, if it is for one.
    pub(crate) scale_set: Option<u64>,
}

/// A registered runner. It has no `Debug`: it holds its credential.
pub(crate) struct Runner {
    pub(crate) id: u64,
    pub(crate) scope: Scope,
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
    pub(crate) group_id: u64,
    pub(crate) work_folder: String,
    /// The scale set whose jobs it takes, and no others.
    pub(crate) scale_set: Option<u64>,
    pub(crate) credential: String,
    /// Known once it has connected.
    pub(crate) os: Option<String>,
    /// Known once it has connected.
    pub(crate) version: Option<String>,
    pub(crate) session: Option<Session>,
    pub(crate) assignment: Option<Assignment>,
    pub(crate) offline_since: Timestamp,
    /// When it last let a job lie; others are asked before it.
    pub(crate) passed_at: Option<Timestamp>,
    /// Why it never gets a session; `None` until it asks for one.
    pub(crate) barred: Option<Bar>,
}

/// Whether a runner may have a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bar {
    Open,
    Shut(NoSession),
}

pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) last_seen: Timestamp,
    /// False once it was silent for too long; a sign of life revives it.
    pub(crate) alive: bool,
}

/// A job that was given to a runner.
pub(crate) struct Assignment {
    pub(crate) job: u64,
    pub(crate) since: Timestamp,
    pub(crate) started: bool,
}

impl Runner {
    pub(crate) fn is_online(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.alive)
    }

    /// Whether it waits for a job.
    fn is_idle(&self) -> bool {
        self.is_online() && self.assignment.is_none()
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.assignment.as_ref().is_some_and(|assignment| assignment.started)
    }

    /// Whether its labels include all of these, whatever their case.
    pub(crate) fn has_labels(&self, wanted: &[String]) -> bool {
        wanted.iter().all(|label| self.labels.iter().any(|own| own.eq_ignore_ascii_case(label)))
    }

    fn event(&self, status: &'static str) -> Event {
        Event::Runner { id: self.id, name: self.name.clone(), status }
    }
}

/// A name that is taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NameTaken;

/// All registrations.
#[derive(Default)]
pub(crate) struct Runners {
    by_id: BTreeMap<u64, Runner>,
    /// To which runner a credential belongs; the entries of removed runners stay, so that those learn that
    /// they are removed and not that they are unknown.
    credentials: HashMap<String, u64>,
    /// The names that are taken.
    names: HashSet<(Scope, String)>,
    /// Runners that are or were idle: those that are not any more are dropped now and then.
    idle: BTreeSet<u64>,
    last_id: u64,
}

impl Runners {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Runner> {
        self.by_id.values()
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Runner> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Runner> {
        self.by_id.get_mut(&id)
    }

    /// Those that wait for a job.
    pub(crate) fn idle(&self) -> impl Iterator<Item = &Runner> {
        self.idle.iter().filter_map(|id| self.by_id.get(id)).filter(|runner| runner.is_idle())
    }

    /// Drops from the index what is not idle any more.
    pub(crate) fn forget_busy(&mut self) {
        let Self { idle, by_id, .. } = self;
        idle.retain(|id| by_id.get(id).is_some_and(Runner::is_idle));
    }

    /// The id behind a credential, even of a runner that is gone.
    pub(crate) fn id_of(&self, credential: &str) -> Option<u64> {
        self.credentials.get(credential).copied()
    }
}

impl State {
    /// Registers a single-use runner and encodes its configuration.
    pub(crate) fn register_runner(
        &mut self,
        scope: Scope,
        registration: Registration,
        now: Timestamp,
    ) -> Result<(&Runner, String), NameTaken> {
        let Registration { name, labels, group_id, work_folder, scale_set } = registration;
        if !self.runners.names.insert((scope, name.clone())) {
            return Err(NameTaken);
        }
        self.runners.last_id += 1;
        let id = self.runners.last_id;
        let credential = self.entropy.jwt_like();
        self.runners.credentials.insert(credential.clone(), id);
        let runner = Runner {
            id,
            scope,
            name,
            labels,
            group_id,
            work_folder,
            scale_set,
            credential,
            os: None,
            version: None,
            session: None,
            assignment: None,
            offline_since: now,
            passed_at: None,
            barred: None,
        };
        let encoded = jit::encode(&runner, &self.urls, &mut self.entropy);
        self.hand_out(&runner.credential);
        self.hand_out(&encoded);
        Ok((self.runners.by_id.entry(id).or_insert(runner), encoded))
    }

    /// Removes a registration. A job that the runner was given and has not started is queued again; one
    /// that it runs is lost when it is not heard of any more.
    pub(crate) fn remove_runner(&mut self, id: u64, now: Timestamp) -> bool {
        let Some(runner) = self.runners.by_id.remove(&id) else { return false };
        self.runners.names.remove(&(runner.scope, runner.name.clone()));
        self.emit(runner.event("removed"));
        if let Some(assignment) = runner.assignment.filter(|assignment| !assignment.started) {
            self.give_back(assignment.job);
            self.route(now);
        }
        true
    }

    /// Gives a runner a session.
    pub(crate) fn open_session(
        &mut self,
        id: u64,
        os: String,
        version: String,
        now: Timestamp,
    ) -> Option<String> {
        let session_id = self.entropy.uuid();
        let runner = self.runners.get_mut(id)?;
        runner.os = Some(os);
        runner.version = Some(version);
        runner.session = Some(Session { id: session_id.clone(), last_seen: now, alive: true });
        let event = runner.event("online");
        self.runners.idle.insert(id);
        self.emit(event);
        self.route(now);
        Some(session_id)
    }

    /// Ends a runner's session: it is offline.
    pub(crate) fn close_session(&mut self, id: u64, now: Timestamp) {
        let Some(runner) = self.runners.get_mut(id) else { return };
        let was_online = runner.is_online();
        runner.session = None;
        if was_online {
            runner.offline_since = now;
            let event = runner.event("offline");
            self.emit(event);
        }
    }

    /// Notes a sign of life from a runner.
    pub(crate) fn seen(&mut self, id: u64, now: Timestamp) {
        let Some(runner) = self.runners.get_mut(id) else { return };
        let Some(session) = &mut runner.session else { return };
        session.last_seen = now;
        if !session.alive {
            session.alive = true;
            let event = runner.event("online");
            self.runners.idle.insert(id);
            self.emit(event);
            self.route(now);
        }
    }

    /// Gives a job to a runner.
    pub(crate) fn assign(&mut self, runner: u64, job: u64, now: Timestamp) {
        if let Some(runner) = self.runners.get_mut(runner) {
            runner.assignment = Some(Assignment { job, since: now, started: false });
        }
    }

    /// The runner began its job.
    pub(crate) fn mark_busy(&mut self, id: u64) {
        let Some(runner) = self.runners.get_mut(id) else { return };
        if let Some(assignment) = &mut runner.assignment {
            assignment.started = true;
            let event = runner.event("busy");
            self.emit(event);
        }
    }

    /// Takes a job that has not started away from the runner it was given to.
    pub(crate) fn unassign(&mut self, job: u64) {
        let Runners { by_id, idle, .. } = &mut self.runners;
        for runner in by_id.values_mut() {
            if runner.assignment.as_ref().is_some_and(|it| it.job == job && !it.started) {
                runner.assignment = None;
                idle.insert(runner.id);
            }
        }
    }

    /// Time passes: silent runners go offline, jobs not picked up go back, forgotten runners go.
    pub(crate) fn tick_runners(&mut self, now: Timestamp) {
        let (silence, pickup, removal) =
            (self.config.offline_after, self.config.assignment_timeout, self.config.offline_removal);
        let (mut events, mut forgotten, mut given_back) = (Vec::new(), Vec::new(), Vec::new());
        let Runners { by_id, idle, .. } = &mut self.runners;
        for runner in by_id.values_mut() {
            if let Some(session) = &mut runner.session
                && session.alive
                && now >= later(session.last_seen, silence)
            {
                session.alive = false;
                runner.offline_since = now;
                events.push(runner.event("offline"));
            }
            if let Some(passed) =
                runner.assignment.take_if(|it| !it.started && now >= later(it.since, pickup))
            {
                given_back.push(passed.job);
                idle.insert(runner.id);
                runner.passed_at = Some(now);
            }
            if !runner.is_online() && !runner.is_busy() && now >= later(runner.offline_since, removal) {
                forgotten.push(runner.id);
            }
        }
        for event in events {
            self.emit(event);
        }
        for job in given_back {
            self.give_back(job);
        }
        for id in forgotten {
            self.remove_runner(id, now);
        }
        self.route(now);
    }
}
