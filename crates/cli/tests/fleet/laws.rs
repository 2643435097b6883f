//! What must hold when nothing befalls anybody any more, whatever has happened before.

use std::collections::BTreeMap;

use fleetfoot::engine::Clock;
use fleetfoot_core::fleet::PoolIndex;
use jiff::{SignedDuration, Timestamp};

use crate::cloud::{Cloud, JobEnd, JobState, State};
use crate::stack::{Plan, started_by};

/// How often things are looked at.
const LOOK: SignedDuration = SignedDuration::from_secs(5);

/// For how long a job may wait in calm weather while its pool could serve it. A replica that was killed keeps its
/// session for five minutes, and a capacity that had no room is left alone for as long.
const SERVED_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// The same on a fine day. A task runs within three seconds of its launch, its runner is online some four seconds
/// later, and whoever begins starts nothing for five seconds.
const FINE: SignedDuration = SignedDuration::from_secs(20);

/// How long everything may take to be as it should without jobs.
const QUIET_WITHIN: SignedDuration = SignedDuration::from_mins(25);

/// On a fine day a job waits no longer than a task takes to come up, while there is room for one. Never ends.
pub(crate) async fn nobody_waits(cloud: &Cloud, plan: &Plan) {
    let mut waits = vec![None; plan.sets.len()];
    loop {
        let now = cloud.time.now();
        for (set, since) in waits.iter_mut().enumerate() {
            let state = cloud.state();
            let pool = plan.sets[set].pool;
            let room = state.live(&started_by(pool)).count() < plan.pools[pool.0].max;
            *since = since.or(Some(now)).filter(|_| room && waits_in_vain(&state, plan, set));
            let since = since.map(|since| since.max(last_begun(&state, plan, set)));
            drop(state);
            if since.is_some_and(|since| now.duration_since(since) > FINE) {
                return cloud
                    .broken(format!("a job of set {set} waits for more than {FINE:#} on a fine day"));
            }
        }
        cloud.time.sleep(SignedDuration::from_secs(1)).await;
    }
}

/// Waits until all jobs are over. In calm weather that must not take for ever.
pub(crate) async fn all_jobs_are_served(cloud: &Cloud, plan: &Plan) {
    let mut waits = vec![None; plan.sets.len()];
    loop {
        let now = cloud.time.now();
        if cloud.state().jobs.all.iter().all(|job| matches!(job.state, JobState::Over(_))) {
            return;
        }
        for (set, since) in waits.iter_mut().enumerate() {
            let state = cloud.state();
            *since = since.or(Some(now)).filter(|_| waits_in_vain(&state, plan, set));
            let since = since.map(|since| since.max(last_begun(&state, plan, set)));
            drop(state);
            if since.is_some_and(|since| now.duration_since(since) > SERVED_WITHIN) {
                return cloud.broken(format!(
                    "a job of set {set} waits for more than {SERVED_WITHIN:#} in calm weather"
                ));
            }
        }
        cloud.time.sleep(LOOK).await;
    }
}

/// Whether a job of this set waits, and neither its set nor its pool is busy to the limit. What other sets keep by
/// their `min` is no room for it.
fn waits_in_vain(state: &State, plan: &Plan, set: usize) -> bool {
    let rule = &plan.sets[set];
    let name = plan.name(set);
    let over = |state: JobState| matches!(state, JobState::Over(_));
    let waits = state.jobs.all.iter().any(|job| job.asks_for == name && !runs(job.state) && !over(job.state));
    let has_job = |arn| state.runner_of(arn).is_some_and(|runner| runner.busy_since.is_some());
    let busy = state.live(&started_by(rule.pool)).filter(|(arn, _)| has_job(arn)).count();
    let others = (0..plan.sets.len()).filter(|other| *other != set && plan.sets[*other].pool == rule.pool);
    let kept =
        others.map(|other| plan.sets[other].min.saturating_sub(running(state, plan, other))).sum::<usize>();
    waits && running(state, plan, set) < rule.max && busy + kept < plan.pools[rule.pool.0].max
}

fn runs(state: JobState) -> bool {
    matches!(state, JobState::Running(_))
}

/// How many jobs of a set run.
fn running(state: &State, plan: &Plan, set: usize) -> usize {
    let name = plan.name(set);
    state.jobs.all.iter().filter(|job| job.asks_for == name && runs(job.state)).count()
}

fn last_begun(state: &State, plan: &Plan, set: usize) -> Timestamp {
    let name = plan.name(set);
    let begun = state.jobs.all.iter().filter(|job| job.asks_for == name).filter_map(|job| job.begun);
    begun.max().unwrap_or_default()
}

/// Waits until nothing is left but what is to be kept.
pub(crate) async fn all_is_quiet(cloud: &Cloud, plan: &Plan) {
    let until = cloud.time.now() + QUIET_WITHIN;
    loop {
        let left = what_is_left(&cloud.state(), plan);
        if left.is_empty() {
            return;
        }
        if cloud.time.now() >= until {
            cloud.broken(format!("{QUIET_WITHIN:#} after the last job: {}", left.join(", ")));
            return;
        }
        cloud.time.sleep(LOOK).await;
    }
}

fn what_is_left(state: &State, plan: &Plan) -> Vec<String> {
    let mut left = Vec::new();
    let mut differs = |what: String, is: usize, wanted: usize| {
        if is != wanted {
            left.push(format!("{is} {what} instead of {wanted}"));
        }
    };
    for pool in (0..plan.pools.len()).map(PoolIndex) {
        let live = state.live(&started_by(pool)).count();
        differs(format!("tasks of pool {}", pool.0), live, plan.quiet_tasks(pool));
    }
    for set in 0..plan.sets.len() {
        let live = state.jobs.id_of(&plan.name(set)).map_or(0, |id| state.live_runners(id));
        differs(format!("live runners of set {set}"), live, plan.minimum(set));
    }
    let kept = (0..plan.sets.len()).map(|set| plan.minimum(set)).sum();
    let registered = state.runners.values().filter(|runner| runner.set.is_some()).count();
    differs("registrations of sets".to_owned(), registered, kept);
    let mail = state.mail.iter().filter(|(_, mail)| mail.put_by.is_replica());
    left.extend(mail.map(|(address, _)| format!("an assignment at {address}")));
    left
}

/// How the jobs ended, and what that took on fine days.
pub(crate) fn counts(state: &State, fine: bool) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for job in &state.jobs.all {
        let end = match job.state {
            JobState::Over(JobEnd::Done) => "jobs done",
            JobState::Over(JobEnd::Cancelled) => "jobs cancelled",
            JobState::Over(JobEnd::Lost) => "jobs lost",
            _ => "jobs left",
        };
        *counts.entry(end.to_owned()).or_default() += 1;
        *counts.entry("fine jobs".to_owned()).or_default() += usize::from(fine);
    }
    if fine {
        for (call, n) in &state.book.counts {
            *counts.entry(format!("fine {call:?}")).or_default() += n;
        }
        *counts.entry("fine tasks".to_owned()).or_default() += state.tasks.len();
    }
    counts
}
