//! What has to be looked at is looked at, and nothing else.

use super::scene::*;
use crate::fleet::{Role, Step};
use crate::task::TaskState;

#[test]
fn found_tasks_are_asked_about_one_by_one_if_they_are_few() {
    let mut scene = Scene::new(1);
    (0..3).for_each(|n| scene.task(n, |task| task.role = Role::Unknown));
    let looks: Vec<Step> = (0..3).map(look).collect();
    assert_eq!(scene.steps(), looks);
}

#[test]
fn for_many_found_tasks_githubs_list_is_read_once() {
    let mut scene = Scene::new(1);
    (0..50).for_each(|n| scene.task(n, |task| task.role = Role::Unknown));
    assert_eq!(scene.begin(), [(Step::CallRoll(SCOPE), None)]);
    assert_eq!(scene.steps(), []);
    scene.wait(seconds(1));
    let seen = vec![sighting(1, Some(SET), true, true), sighting(2, None, true, false)];
    scene.fleet.roll_called(SCOPE, Ok(seen), at(1000), scene.now);
    assert!(scene.get(1).is_busy());
    assert_eq!((scene.get(2).role, scene.get(3).role), (Role::Taken, Role::Unbound));
}

#[test]
fn a_list_tells_nothing_of_what_was_found_after_it_was_asked_for() {
    let mut scene = Scene::new(1);
    (0..50).for_each(|n| scene.task(n, |task| task.role = Role::Unknown));
    scene.begin();
    scene.wait(seconds(1));
    scene.task(60, |task| task.role = Role::Unknown);
    scene.fleet.roll_called(SCOPE, Ok(Vec::new()), at(1000), scene.now);
    assert_eq!((scene.get(60).role, scene.get(1).role), (Role::Unknown, Role::Unbound));
}

#[test]
fn tasks_in_transition_are_looked_at_together() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 3, 0);
    for n in 0..3 {
        scene.task(n, is_bound(n));
        scene.change(n, |task| task.seen_at = at(1000) - seconds(2) + seconds(1) * i32::from(n > 0));
    }
    assert_eq!(scene.begin(), [(Step::Describe((0..3).map(arn).collect()), None)]);
    let plan = scene.plan();
    assert_eq!((plan.steps, plan.wake_at), (vec![], at(1002)));
}

#[test]
fn a_hundred_tasks_are_one_call() {
    let mut scene = Scene::of(|pool, set| (pool.max, set.max) = (500, 500));
    scene.demand(SET, 250, 0);
    (0..250).for_each(|n| scene.task(n, is_bound(n)));
    scene.wait(seconds(3));
    let calls: Vec<usize> = scene
        .steps()
        .iter()
        .map(|step| match step {
            Step::Describe(tasks) => tasks.len(),
            _ => panic!("{step:?}"),
        })
        .collect();
    assert_eq!(calls, [100, 100, 50]);
}

#[test]
fn a_runner_with_a_job_is_not_looked_at_but_with_the_whole_pool() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 1);
    scene.task(1, works(1));
    let plan = scene.plan();
    assert_eq!(
        (plan.steps, plan.wake_at),
        (vec![], at(999) + scene.policy.manner.sweep + seconds(0) + jiff::SignedDuration::from_millis(60))
    );
    scene.now = plan.wake_at;
    assert_eq!(scene.begin(), [(Step::Sweep(POOL), None)]);
}

#[test]
fn a_job_that_waits_in_spite_of_an_idle_runner_has_the_runner_looked_at() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, idles(1));
    scene.wait(seconds(16));
    assert_eq!(scene.steps(), [Step::Describe(vec![arn(1)])]);
    scene.demand(SET, 1, 1);
    assert_eq!(scene.steps(), []);
}

#[test]
fn who_waits_for_a_job_or_to_be_bound_is_looked_at_now_and_then() {
    let mut scene = Scene::of(|pool, set| (pool.warm, set.min) = (1, 1));
    scene.demand(SET, 0, 0);
    scene.task(1, idles(1));
    scene.task(2, runs);
    scene.wait(seconds(60));
    scene.change(2, |task| task.looked_at = Some(at(1059)));
    assert_eq!(scene.steps(), [Step::Describe(vec![arn(1), arn(2)])]);
}

#[test]
fn a_pool_is_looked_at_soon_if_github_counts_fewer_jobs_than_are_known() {
    let mut scene = Scene::new(1);
    scene.task(1, works(1));
    scene.demand(SET, 0, 0);
    assert_eq!(scene.steps(), []);
    scene.wait(seconds(20));
    assert_eq!(scene.begin(), [(Step::Sweep(POOL), None)]);
    scene.fleet.swept(POOL, &[arn(1)], Ok(vec![view(1, TaskState::Going)]), scene.now);
    assert!(scene.get(1).is_over());
}

#[test]
fn a_queue_that_is_opened_anew_has_the_pool_looked_at() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 0, 0);
    assert_eq!(scene.steps(), []);
    scene.fleet.opened(SET, crate::scale_sets::Demand::default());
    assert_eq!(scene.begin(), [(Step::Sweep(POOL), None)]);
    scene.fleet.swept(POOL, &[], Ok(Vec::new()), scene.now);
    assert_eq!(scene.steps(), []);
}

#[test]
fn a_warm_task_is_asked_about_now_and_then_since_a_start_may_have_taken_it() {
    let mut scene = Scene::of(|pool, _| pool.warm = 1);
    scene.demand(SET, 0, 0);
    scene.task(1, runs);
    assert_eq!(scene.steps(), []);
    scene.wait_undisturbed(seconds(10));
    assert_eq!(scene.begin(), [(look(1), None)]);
    scene.looked(1, Some(sighting(1, None, true, false)));
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 1)], "the pool refills");
}
