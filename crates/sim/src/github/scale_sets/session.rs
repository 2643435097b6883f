//! The session of a scale set: who reads its queue. There is one at a time.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::accounts::Scope;
use super::super::state::{Effect, State, later};
use super::ServiceError;

/// It has no `Debug`: it holds its token.
pub(super) struct Session {
    id: String,
    owner: String,
    token: String,
    token_ends: Timestamp,
    /// When its queue was last polled.
    polled: Timestamp,
    /// How many jobs its client takes, as it said with its last poll; none before the first.
    capacity: usize,
}

impl Session {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }
}

impl State {
    /// `POST /runnerscalesets/{id}/sessions`.
    pub(crate) fn open_queue(
        &mut self,
        scope: Scope,
        id: u64,
        owner: &str,
        now: Timestamp,
    ) -> Result<Value, ServiceError> {
        let name = self.scale_set_of(scope, id)?.name.clone();
        let faults = self.config.faults.clone();
        if faults.deletes_scale_set(&name, now) {
            self.remove_scale_set(id, now);
            return Err(ServiceError::no_scale_set(id));
        }
        if self.scale_set_of(scope, id)?.session.is_some() || faults.conflicts(&name, now) {
            return Err(ServiceError::session_conflict(&name));
        }
        let session = Session {
            id: self.entropy.uuid(),
            owner: owner.to_owned(),
            token: self.entropy.jwt_like(),
            token_ends: later(now, self.config.queue_token),
            polled: now,
            capacity: 0,
        };
        self.hand_out(&session.token);
        if let Some(set) = self.scale_sets.get_mut(id) {
            set.session = Some(session);
        }
        let shape = self.session_shape(id)?;
        Ok(self.perhaps_without_queue(id, shape, now))
    }

    /// `PATCH /runnerscalesets/{id}/sessions/{session}`: a new token for its queue.
    pub(crate) fn renew_queue(
        &mut self,
        scope: Scope,
        id: u64,
        session: &str,
        now: Timestamp,
    ) -> Result<Value, ServiceError> {
        let (token, ends) = (self.entropy.jwt_like(), later(now, self.config.queue_token));
        let own = self.session_of(scope, id, session)?;
        (own.token, own.token_ends) = (token.clone(), ends);
        self.hand_out(&token);
        let shape = self.session_shape(id)?;
        Ok(self.perhaps_without_queue(id, shape, now))
    }

    /// `DELETE /runnerscalesets/{id}/sessions/{session}`.
    pub(crate) fn close_queue(&mut self, scope: Scope, id: u64, session: &str) -> Result<(), ServiceError> {
        self.session_of(scope, id, session)?;
        self.end_session(id);
        Ok(())
    }

    /// Ends a scale set's session as if it had been silent for too long. False: it has none.
    pub(crate) fn end_session(&mut self, id: u64) -> bool {
        let ended = self.scale_sets.get_mut(id).and_then(|set| set.session.take()).is_some();
        if ended {
            // Whoever polls learns of it now.
            self.effect(Effect::Wake);
        }
        ended
    }

    fn session_of(&mut self, scope: Scope, id: u64, session: &str) -> Result<&mut Session, ServiceError> {
        self.scale_set_of(scope, id)?;
        self.scale_sets
            .get_mut(id)
            .and_then(|set| set.session.as_mut())
            .filter(|own| own.id == session)
            .ok_or_else(ServiceError::no_session)
    }

    fn session_shape(&self, id: u64) -> Result<Value, ServiceError> {
        let set = self.scale_sets.get(id).ok_or_else(|| ServiceError::no_scale_set(id))?;
        let session = set.session.as_ref().ok_or_else(ServiceError::no_session)?;
        Ok(json!({
            "sessionId": session.id,
            "ownerName": session.owner,
            "runnerScaleSet": self.scale_set_shape(set),
            "messageQueueUrl": self.urls.queue(&session.id),
            "messageQueueAccessToken": session.token,
            "statistics": self.statistics(set).shape(),
        }))
    }

    /// A session, which an incident leaves without the address of its queue.
    fn perhaps_without_queue(&self, id: u64, mut shape: Value, now: Timestamp) -> Value {
        let name = self.scale_sets.get(id).map_or("", |set| set.name.as_str());
        if self.config.faults.leaves_out_queue(name, now) {
            shape["messageQueueUrl"] = json!("");
        }
        shape
    }

    /// The scale set whose queue the bearer of its token may use.
    pub(crate) fn queue_of(
        &mut self,
        session: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<u64, ServiceError> {
        let set = self.scale_sets.of_session(session).ok_or_else(ServiceError::no_session)?;
        let own = set.session.as_ref().ok_or_else(ServiceError::no_session)?;
        if token == Some(own.token.as_str()) && now < own.token_ends {
            Ok(set.id)
        } else {
            Err(ServiceError::unauthorized())
        }
    }

    /// The same for a call that names the scale set and not the session.
    pub(crate) fn queue_of_set(
        &mut self,
        id: u64,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let set = self.scale_sets.get(id).ok_or_else(|| ServiceError::no_scale_set(id))?;
        let session = set.session.as_ref().ok_or_else(ServiceError::no_session)?.id.clone();
        self.queue_of(&session, token, now).map(drop)
    }

    /// A poll arrives: the client is alive, and takes so many jobs.
    pub(crate) fn poll_arrives(
        &mut self,
        session: &str,
        token: Option<&str>,
        capacity: usize,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let id = self.queue_of(session, token, now)?;
        let set = self.scale_sets.get_mut(id).ok_or_else(ServiceError::no_session)?;
        let name = set.name.clone();
        let faults = self.config.faults.clone();
        if faults.deletes_scale_set(&name, now) {
            self.remove_scale_set(id, now);
            return Err(ServiceError::no_scale_set(id));
        }
        let own = set.session.as_mut().ok_or_else(ServiceError::no_session)?;
        if faults.ends_queue_token(&name, now) {
            own.token_ends = now;
            return Err(ServiceError::unauthorized());
        }
        (own.polled, own.capacity) = (now, capacity);
        self.route(now);
        Ok(())
    }

    /// A poll was held open until now.
    pub(crate) fn poll_ends(&mut self, session: &str, now: Timestamp) {
        if let Some(own) = self.scale_sets.of_session(session).and_then(|set| set.session.as_mut()) {
            own.polled = now;
        }
    }

    /// Time passes: sessions that nobody polls end.
    pub(crate) fn tick_queues(&mut self, now: Timestamp) {
        // A client is silent for as long as a poll is held open, and for as long as it has to think.
        let silence = self.config.poll_timeout + self.config.scale_set_session;
        let silent = |own: &Session| now >= later(own.polled, silence);
        let over: Vec<u64> = self
            .scale_sets
            .all()
            .filter(|set| set.session.as_ref().is_some_and(silent))
            .map(|set| set.id)
            .collect();
        for id in over {
            self.end_session(id);
        }
    }
}
