//! What is missing is provided.

use std::time::Duration;

use super::scene::*;
use crate::binding::Unbound;
use crate::fault::Class;
use crate::fleet::{News, PoolIndex, ScopeIndex, SetIndex, SetPolicy, Step};
use crate::patience::Service;
use crate::ports::Launched;
use crate::task::TaskState;

#[test]
fn a_job_without_a_task_has_one_launched() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 1)]);
}

#[test]
fn a_job_takes_a_running_task_before_a_coming_one() {
    let mut scene = Scene::new(1);
    scene.task(1, |task| task.made_at = at(10));
    scene.task(2, |task| {
        task.made_at = at(500);
        runs(task);
    });
    scene.demand(SET, 1, 0);
    assert_eq!(bindings(&scene.steps()), [(arn(2), SET)]);
}

#[test]
fn of_two_coming_tasks_the_older_one_is_taken() {
    let mut scene = Scene::new(1);
    scene.task(1, |task| task.made_at = at(995));
    scene.task(2, |task| task.made_at = at(990));
    scene.demand(SET, 1, 0);
    assert_eq!(bindings(&scene.steps()), [(arn(2), SET)]);
}

#[test]
fn the_oldest_wish_is_served_first_whichever_set_has_it() {
    let mut scene = Scene::new(1);
    let second = SetPolicy { ..scene.policy.sets[0] };
    scene.policy.sets.push(second);
    scene.fleet.sets.push(scene.fleet.sets[0].clone());
    scene.policy.pools[0].max = 0;
    scene.demand(SetIndex(1), 1, 0);
    assert!(scene.steps().is_empty());
    scene.wait(seconds(1));
    scene.demand(SET, 1, 0);
    scene.task(1, runs);
    assert_eq!(bindings(&scene.steps()), [(arn(1), SetIndex(1))]);
}

#[test]
fn tasks_are_launched_ten_a_call_and_pools_take_turns() {
    let mut scene = Scene::new(2);
    scene.policy.manner.launches = 4;
    scene.demand(SET, 25, 0);
    scene.wait(seconds(1));
    scene.plan();
    scene.demand(SetIndex(1), 3, 0);
    let other = PoolIndex(1);
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 10), (other, 0, 3), (POOL, 0, 10), (POOL, 0, 5)]);
}

#[test]
fn what_is_being_launched_is_not_launched_again() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 4, 0);
    assert_eq!(scene.begin().len(), 1);
    assert!(scene.steps().is_empty());
    scene.demand(SET, 6, 0);
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 2)]);
}

#[test]
fn a_choice_of_capacity_that_refuses_is_left_alone_and_the_next_one_taken() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    for capacity in 0..2 {
        let begun = scene.begin();
        let (Step::Launch { capacity: asked, .. }, Some(number)) = &begun[0] else { panic!("{begun:?}") };
        assert_eq!(*asked, capacity);
        let told = scene.fleet.launched(POOL, *number, Err(fault(Class::NoCapacity)), scene.now);
        assert!(matches!(told[..], [News::NotLaunched { .. }]), "{told:?}");
    }
    let plan = scene.plan();
    assert_eq!(plan.steps, []);
    let until = scene.fleet.pools[0].cooldowns.iter().filter_map(|c| c.until(scene.now)).min();
    assert_eq!(Some(plan.wake_at), until, "the plan wakes when there may be room again");
    scene.now = plan.wake_at;
    assert_eq!(launches(&scene.steps()).len(), 1);
}

#[test]
fn what_was_missing_in_an_answer_is_launched_elsewhere() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 3, 0);
    let number = scene.begin()[0].1.unwrap();
    let answer = Launched {
        tasks: vec![view(1, TaskState::Coming)],
        failures: vec![fault(Class::NoCapacity), fault(Class::NoCapacity)],
        ..Launched::default()
    };
    scene.fleet.launched(POOL, number, Ok(answer), scene.now);
    let steps = scene.steps();
    assert_eq!((launches(&steps), bindings(&steps)), (vec![(POOL, 1, 2)], vec![(arn(1), SET)]));
}

#[test]
fn after_tasks_that_failed_nothing_is_launched_for_a_while() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, |_| {});
    scene.see(ended(1, "TaskFailedToStart", "CannotPullContainerError: i/o timeout", None));
    let plan = scene.plan();
    assert_eq!(launches(&scene.steps()), []);
    assert!(plan.wake_at <= scene.now + seconds(2));
    scene.now = plan.wake_at;
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 1)]);
}

#[test]
fn a_minimum_is_kept_beside_what_jobs_need() {
    let mut scene = Scene::of(|_, set| set.min = 2);
    assert_eq!(scene.steps(), [], "before GitHub says how many jobs there are, nothing is wanted");
    scene.demand(SET, 0, 0);
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 2)]);
    scene.demand(SET, 3, 0);
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 5)]);
}

#[test]
fn no_set_has_more_than_its_maximum() {
    let mut scene = Scene::of(|_, set| (set.min, set.max) = (2, 4));
    scene.task(1, works(1));
    scene.task(2, is_bound(2));
    scene.task(3, runs);
    scene.demand(SET, 9, 1);
    let steps = scene.steps();
    assert_eq!((bindings(&steps), launches(&steps)), (vec![(arn(3), SET)], vec![(POOL, 0, 1)]));
}

#[test]
fn no_pool_has_more_than_its_maximum() {
    let mut scene = Scene::of(|pool, _| (pool.max, pool.warm) = (5, 2));
    scene.task(1, works(1));
    scene.task(2, |task| task.role = crate::fleet::Role::Taken);
    scene.demand(SET, 9, 1);
    let begun = scene.begin();
    assert!(matches!(begun[..], [(Step::Launch { count: 3, .. }, _)]), "{begun:?}");
    assert_eq!(scene.steps(), [], "those that are being launched count");
}

#[test]
fn a_warm_task_that_is_taken_is_made_up_for_at_once() {
    let mut scene = Scene::of(|pool, _| pool.warm = 2);
    scene.task(1, runs);
    scene.task(2, runs);
    scene.demand(SET, 1, 0);
    let steps = scene.steps();
    assert_eq!((bindings(&steps), launches(&steps)), (vec![(arn(1), SET)], vec![(POOL, 0, 1)]));
}

#[test]
fn one_warm_pool_serves_all_sets() {
    let mut scene = Scene::of(|pool, _| (pool.warm, pool.max) = (2, 4));
    let second = SetPolicy { ..scene.policy.sets[0] };
    scene.policy.sets.push(second);
    scene.fleet.sets.push(scene.fleet.sets[0].clone());
    scene.task(1, runs);
    scene.task(2, runs);
    scene.demand(SET, 1, 0);
    scene.demand(SetIndex(1), 1, 0);
    assert_eq!(bindings(&scene.steps()), [(arn(1), SET), (arn(2), SetIndex(1))]);
}

#[test]
fn nothing_is_launched_before_a_pool_is_known() {
    let mut scene = Scene::new(1);
    scene.fleet.pools[0].survey.known_at = None;
    scene.demand(SET, 1, 0);
    let begun = scene.begin();
    assert_eq!(begun, [(Step::Sweep(POOL), None)]);
    scene.wait(seconds(1));
    scene.fleet.swept(POOL, &[], Err(fault(Class::Unknown)), scene.now);
    assert_eq!(scene.steps(), [], "a look that failed tells nothing, and is not repeated at once");
    scene.now = scene.plan().wake_at;
    scene.begin();
    scene.fleet.swept(POOL, &[arn(1)], Ok(vec![view(1, TaskState::Running)]), scene.now);
    assert_eq!(scene.begin(), [(look(1), None)], "it may be the one that is wanted");
    scene.looked(1, None);
    assert_eq!(bindings(&scene.steps()), [(arn(1), SET)]);
}

#[test]
fn whoever_takes_over_launches_nothing_before_what_others_have_launched_would_show() {
    let mut scene = Scene::new(1);
    scene.fleet.take_over(scene.now);
    scene.demand(SET, 1, 0);
    for expected in [Step::Sweep(POOL), Step::CallRoll(SCOPE)] {
        assert_eq!(scene.begin(), [(expected, None)]);
        scene.fleet.swept(POOL, &[], Ok(Vec::new()), scene.now);
    }
    scene.roll_called(Vec::new());
    let plan = scene.plan();
    assert_eq!((plan.steps, plan.wake_at), (vec![], at(1000) + scene.policy.manner.listed));
    scene.now = plan.wake_at;
    assert_eq!(scene.begin(), [(Step::Sweep(POOL), None)]);
    scene.fleet.swept(POOL, &[], Ok(Vec::new()), scene.now);
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 1)]);
}

#[test]
fn a_launch_whose_answer_was_lost_is_called_again_as_it_was() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 3, 0);
    let number = scene.begin()[0].1.unwrap();
    let nonce = scene.fleet.pools[0].launches[&number].nonce.clone();
    scene.fleet.launched(POOL, number, Err(fault(Class::Unknown)), scene.now);
    scene.demand(SET, 12, 0);
    for refused in [Class::Throttled { retry_after: None }, Class::Unknown] {
        scene.now = scene.plan().wake_at;
        let begun = scene.begin();
        let again = Step::Launch { pool: POOL, capacity: 0, count: 3, again: Some(number) };
        assert_eq!(begun[0], (again, Some(number)));
        assert_eq!(scene.fleet.pools[0].launches[&number].nonce, nonce);
        for (_, other) in &begun[1..] {
            scene.launched(other.unwrap(), &[]);
        }
        // To be turned away tells nothing of the first call.
        scene.fleet.launched(POOL, number, Err(fault(refused)), scene.now);
        assert!(scene.fleet.pools[0].launches[&number].lost);
    }
    scene.launched(number, &[1, 2, 3]);
    assert!(scene.fleet.pools[0].launches.is_empty());
}

#[test]
fn a_lost_launch_that_is_refused_for_good_leaves_the_pool_in_doubt() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 3, 0);
    let number = scene.begin()[0].1.unwrap();
    scene.fleet.launched(POOL, number, Err(fault(Class::Unknown)), scene.now);
    scene.wait(seconds(30));
    scene.begin();
    scene.fleet.launched(POOL, number, Err(fault(Class::Denied)), scene.now);
    assert!(!scene.fleet.pools[0].survey.shows_all(scene.policy.manner.listed));
}

#[test]
fn a_set_that_github_refuses_does_not_hold_up_the_others() {
    let mut scene = Scene::new(1);
    let second = SetPolicy { ..scene.policy.sets[0] };
    scene.policy.sets.push(second);
    scene.fleet.sets.push(scene.fleet.sets[0].clone());
    scene.task(1, runs);
    scene.demand(SET, 1, 0);
    scene.begin();
    scene.fleet.bound(&arn(1), SET, SCOPE, Err(Unbound::Refused(fault(Class::NotFound))), scene.now);
    scene.demand(SetIndex(1), 1, 0);
    assert_eq!(bindings(&scene.steps()), [(arn(1), SetIndex(1))]);
}

#[test]
fn a_scope_that_throttles_does_not_hold_up_another() {
    let mut scene = Scene::new(1);
    let elsewhere = SetPolicy { scope: ScopeIndex(1), ..scene.policy.sets[0] };
    scene.policy.sets.push(elsewhere);
    scene.fleet.sets.push(scene.fleet.sets[0].clone());
    let throttled = fault(Class::Throttled { retry_after: Some(Duration::from_mins(1)) });
    scene.task(1, runs);
    scene.task(2, runs);
    scene.demand(SET, 1, 0);
    scene.begin();
    scene.fleet.bound(&arn(1), SET, SCOPE, Err(Unbound::Refused(throttled)), scene.now);
    scene.demand(SetIndex(1), 1, 0);
    let plan = scene.plan();
    let steps: Vec<Step> = plan.steps.into_iter().map(|(step, _)| step).collect();
    assert_eq!(bindings(&steps), [(arn(1), SetIndex(1))]);
    assert!(scene.fleet.quiet(SCOPE, Service::GitHub, scene.now).is_some());
}

#[test]
fn registrations_are_given_out_some_at_a_time() {
    let mut scene = Scene::new(1);
    (0..100).for_each(|n| scene.task(n, runs));
    scene.demand(SET, 100, 0);
    assert_eq!(scene.begin().len(), 32);
    assert_eq!(scene.steps(), []);
    scene.fleet.bound(&arn(0), SET, SCOPE, Ok(id(0)), scene.now);
    assert_eq!(bindings(&scene.steps()).len(), 1);
}

#[test]
fn a_registration_that_was_lost_is_made_anew_before_others() {
    let mut scene = Scene::new(1);
    scene.task(1, runs);
    scene.demand(SET, 1, 0);
    scene.begin();
    scene.wait(seconds(1));
    scene.fleet.bound(&arn(1), SET, SCOPE, Err(Unbound::Doubtful(fault(Class::Unknown))), scene.now);
    scene.task(2, runs);
    scene.demand(SET, 2, 0);
    scene.now = scene.plan().wake_at;
    let doubtful = |task, doubtful| Step::Bind { task, set: SET, doubtful };
    assert_eq!(scene.steps(), [doubtful(arn(1), true), doubtful(arn(2), false)]);
}
