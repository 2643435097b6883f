//! Which scale set a job goes to, which of its runners runs it, and what becomes of an assignment that no
//! runner takes.
//!
//! Source: `actions/scaleset`, README, "Job Reassignment": an assignment that no runner takes in time is
//! cancelled and made again, up to three times. GitHub says nothing of which of several scale sets gets a
//! job; here it is the oldest that has room.

use jiff::Timestamp;

use super::super::config::Acquisition;
use super::super::job::{Place, Share};
use super::super::state::{State, later};
use super::ScaleSet;
use crate::events::JobStatus;
use crate::protocol::Conclusion;

/// How often a job is assigned before GitHub gives it up.
const ATTEMPTS: u32 = 3;

/// What a job's page shows then.
const GIVEN_UP: &str = "The job was not acquired by Runner of type self-hosted even after multiple attempts";

impl State {
    /// Offers or assigns a job that nobody was told of to a scale set, if there is one for it.
    pub(crate) fn share(&mut self, id: u64, now: Timestamp) {
        let Some(job) = self.runs.job(id).filter(|job| job.share.is_none()) else { return };
        let Some(repository) = self.accounts.repositories.get(&job.repository) else { return };
        let chosen = self
            .scale_sets
            .all()
            .find(|set| set.seeks() && self.set_serves(set, job, repository))
            .map(|set| set.id);
        let Some(set) = chosen else { return };
        let share = Share { set, request: self.scale_sets.next_request(), assigned_at: None };
        self.set_share(id, Some(share));
        match self.config.acquisition {
            Acquisition::Automatic => self.assign_to_set(id, now),
            Acquisition::ByClient => {
                if let Some(set) = self.scale_sets.get_mut(set) {
                    set.offered.insert(id);
                }
                if let Some(job) = self.runs.job(id) {
                    let event = self.available_event(job, share);
                    self.tell(share.set, event);
                }
            }
        }
    }

    fn set_share(&mut self, id: u64, share: Option<Share>) {
        if let Some(job) = self.runs.job_mut(id) {
            job.share = share;
        }
    }

    /// Assigns a job to the scale set that it is offered to.
    fn assign_to_set(&mut self, id: u64, now: Timestamp) {
        let Some(job) = self.runs.job_mut(id) else { return };
        let Some(share) = &mut job.share else { return };
        share.assigned_at = Some(now);
        job.attempts += 1;
        let share = *share;
        if let Some(set) = self.scale_sets.get_mut(share.set) {
            set.offered.remove(&id);
            set.assigned.insert(id);
            set.waiting.push_back(id);
        }
        if let Some(job) = self.runs.job(id) {
            let event = self.assigned_event(job, share);
            self.tell(share.set, event);
        }
    }

    /// `POST /runnerscalesets/{id}/acquirejobs`: those of these that are assigned to it now.
    pub(crate) fn acquire(&mut self, set: u64, requests: &[u64], now: Timestamp) -> Vec<u64> {
        let Some(own) = self.scale_sets.get(set) else { return Vec::new() };
        let share_of = |job: &u64| self.runs.job(*job).and_then(|job| job.share).map(|share| (*job, share));
        let shares: Vec<(u64, Share)> =
            own.offered.iter().chain(&own.assigned).filter_map(share_of).collect();
        let mut acquired = Vec::new();
        for request in requests {
            let Some((job, share)) = shares.iter().find(|(_, share)| share.request == *request) else {
                continue;
            };
            if share.assigned_at.is_none() {
                self.assign_to_set(*job, now);
            }
            acquired.push(*request);
        }
        self.serve_scale_sets(now);
        acquired
    }

    /// A runner of nobody's took the job before the scale set could.
    pub(crate) fn withdraw_offer(&mut self, id: u64) {
        if self.runs.job(id).is_some_and(|job| job.share.is_some()) {
            self.leave_scale_set(id, Conclusion::Cancelled);
        }
    }

    /// Gives the jobs that are assigned to scale sets to their idle runners.
    pub(crate) fn serve_scale_sets(&mut self, now: Timestamp) {
        let waits: Vec<u64> =
            self.scale_sets.all().filter(|set| !set.waiting.is_empty()).map(|set| set.id).collect();
        for id in waits {
            while let Some(runner) = self.idle_runner_of(id) {
                let Some(job) = self.next_waiting(id) else { break };
                self.assign(runner, job, now);
                self.place_on_runner(job, runner, now);
            }
        }
    }

    fn idle_runner_of(&self, set: u64) -> Option<u64> {
        self.runners
            .idle()
            .filter(|runner| runner.scale_set == Some(set))
            .min_by_key(|runner| runner.passed_at)
            .map(|runner| runner.id)
    }

    fn next_waiting(&mut self, set: u64) -> Option<u64> {
        let waiting = &mut self.scale_sets.get_mut(set)?.waiting;
        loop {
            let id = waiting.pop_front()?;
            if self.runs.job(id).is_some_and(|job| job.status == JobStatus::Queued) {
                return Some(id);
            }
        }
    }

    /// The runner that was given the job did not take it: it is the next to be given.
    pub(crate) fn wait_first(&mut self, id: u64) {
        let set = self.runs.job(id).and_then(|job| job.share).map(|share| share.set);
        if let Some(set) = set.and_then(|set| self.scale_sets.get_mut(set)) {
            set.waiting.push_front(id);
        }
    }

    /// A runner has begun the job.
    pub(crate) fn tell_started(&mut self, id: u64) {
        let Some(job) = self.runs.job(id) else { return };
        let Some(share) = job.share else { return };
        let event = self.started_event(job, share);
        self.tell(share.set, event);
    }

    /// The job or its assignment is over: the scale set is told so and has nothing more to do with it.
    pub(crate) fn leave_scale_set(&mut self, id: u64, conclusion: Conclusion) {
        let Some(job) = self.runs.job(id) else { return };
        let Some(share) = job.share else { return };
        let event = self.completed_event(job, share, conclusion);
        self.forget_share(id);
        self.tell(share.set, event);
    }

    /// Unties a job from its scale set.
    pub(super) fn forget_share(&mut self, id: u64) {
        let Some(share) = self.runs.job_mut(id).and_then(|job| job.share.take()) else { return };
        if let Some(set) = self.scale_sets.get_mut(share.set) {
            set.forget(id);
        }
        self.runs.note_unplaced(id);
    }

    /// Time passes: assignments that no runner took end, and are made again or given up.
    pub(crate) fn tick_assignments(&mut self, now: Timestamp) {
        let patience = self.config.scale_set_assignment;
        let overdue = |id: &&u64| {
            self.runs.job(**id).is_some_and(|job| {
                let since = job.share.and_then(|share| share.assigned_at);
                job.status == JobStatus::Queued
                    && matches!(job.place, Place::None)
                    && since.is_some_and(|since| now >= later(since, patience))
            })
        };
        let over: Vec<u64> =
            self.scale_sets.all().flat_map(|set| set.waiting.iter().filter(overdue)).copied().collect();
        for id in over {
            self.leave_scale_set(id, Conclusion::Cancelled);
            if self.runs.job(id).is_some_and(|job| job.attempts >= ATTEMPTS) {
                self.fail_unstarted(id, GIVEN_UP, now);
            }
        }
        self.route(now);
    }
}

impl ScaleSet {
    fn forget(&mut self, job: u64) {
        self.offered.remove(&job);
        if self.assigned.remove(&job) {
            self.waiting.retain(|waiting| *waiting != job);
        }
    }
}
