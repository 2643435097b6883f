//! Chosen days: who leads, and how long a job waits when that changes.

use fleetfoot_core::fleet::{Manner, PoolIndex, PoolPolicy, ScopeIndex, SetPolicy};
use jiff::SignedDuration;

use crate::cloud::{Told, Weather};
use crate::replica::{Exit, Moment, Shift};
use crate::stack::Plan;
use crate::story::{Incident, Manners, Story, Work};

/// How long GitHub keeps a session that is not polled.
const SESSION: i64 = 120;

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// Two replicas, of which the second one begins after the first, and a job at this time.
fn day(first: Exit, job_at: i64) -> Story {
    let plan = Plan {
        pools: vec![PoolPolicy { capacities: 1, max: 4, warm: 0 }],
        sets: vec![SetPolicy { pool: PoolIndex(0), scope: ScopeIndex(0), min: 0, max: 4 }],
        scopes: 1,
        manner: Manner::default(),
        idle_timeout: SignedDuration::from_hours(1),
        events: false,
    };
    let shift = |begins, exit| Shift { begins: seconds(begins), skew: 0, exit };
    let work = Work { comes: seconds(job_at), set: 0, lasts: seconds(30), cancelled: None };
    let no_queue = Vec::new();
    let manners = Manners { session: seconds(SESSION), acquired: false, forgets: false, no_queue };
    Story {
        plan,
        weather: Weather::fine(7),
        manners,
        replicas: vec![vec![shift(0, first), shift(2000, Exit::Stays)], vec![shift(1, Exit::Stays)]],
        work: vec![work],
        incidents: Vec::new(),
        rivals: Vec::new(),
        dusk: seconds(1000),
        calm: seconds(1000),
        fine: false,
    }
}

/// How long the job has waited, in seconds.
fn wait(story: &Story) -> i64 {
    let Told { broken, waits, .. } = story.tell(false);
    assert_eq!(broken, [""; 0]);
    assert_eq!(waits.len(), 1);
    waits[0].as_secs()
}

#[test]
fn a_job_waits_for_a_task_to_come_up_and_no_longer() {
    // Three seconds until the task runs, three until its runner is online, three until the job begins.
    assert!(wait(&day(Exit::Stays, 60)) < 10);
}

#[test]
fn whoever_stands_by_goes_on_as_soon_as_the_leader_hands_over() {
    let ends = Exit::Ends(Moment::After(seconds(60)));
    // Five seconds until he asks again, and five in which nothing is launched.
    assert!(wait(&day(ends, 61)) < 20);
}

#[test]
fn when_the_leader_dies_the_other_one_goes_on_once_github_has_given_its_session_up() {
    let dies = Exit::Dies(Moment::After(seconds(60)));
    let waited = wait(&day(dies, 61));
    assert!((SESSION - 60..SESSION + 20).contains(&waited), "{waited} s");
}

#[test]
fn a_leader_that_cannot_reach_github_stands_down_before_another_one_leads() {
    let mut story = day(Exit::Stays, 61);
    let epoch = jiff::Timestamp::UNIX_EPOCH;
    let replica = crate::cloud::Who::replica(0, 0);
    story.weather.cut_off = Some((replica, epoch + seconds(60)..epoch + seconds(900)));
    // The law of the lead is asked as in all stories.
    let waited = wait(&story);
    assert!((SESSION - 60..SESSION + 20).contains(&waited), "{waited} s");
}

/// Whoever has uninstalled the App is no reason to let others wait, even when nobody knows whose the tasks are.
#[test]
fn an_organisation_that_refuses_everything_does_not_hold_up_the_others() {
    let mut story = day(Exit::Ends(Moment::After(seconds(60))), 80);
    let elsewhere = SetPolicy { scope: ScopeIndex(1), ..story.plan.sets[0] };
    story.plan.sets.push(elsewhere);
    story.plan.scopes = 2;
    story.plan.pools[0].max = 8;
    for _ in 0..3 {
        story.work.push(Work { comes: seconds(20), set: 1, lasts: seconds(600), cancelled: None });
    }
    let epoch = jiff::Timestamp::UNIX_EPOCH;
    story.weather.refusing = Some((1, epoch + seconds(50)..epoch + seconds(900)));
    let Told { broken, waits, .. } = story.tell(false);
    assert_eq!(broken, [""; 0]);
    let waits: Vec<i64> = waits.iter().map(SignedDuration::as_secs).collect();
    assert!(waits.iter().all(|waited| *waited < 20), "{waits:?}");
}

#[test]
fn a_set_that_github_has_dropped_is_made_anew() {
    let mut story = day(Exit::Stays, 70);
    story.incidents.push((seconds(60), Incident::DropsSet(0)));
    assert!(wait(&story) < 20);
}
