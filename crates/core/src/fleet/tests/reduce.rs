//! What is too much is taken away.

use super::scene::*;
use crate::fault::Class;
use crate::fleet::{Role, Step};

#[test]
fn a_surplus_task_is_kept_for_a_while_and_stopped_if_it_is_nobodys() {
    let mut scene = Scene::new(1);
    scene.task(1, |_| {});
    scene.demand(SET, 0, 0);
    let plan = scene.plan();
    assert_eq!(plan.steps, []);
    scene.wait_undisturbed(scene.policy.manner.linger);
    assert_eq!(scene.begin(), [(look(1), None)], "a start may have taken it");
    scene.looked(1, None);
    assert_eq!(scene.begin(), [(Step::Stop(arn(1)), None)]);
    assert_eq!(scene.steps(), []);
}

#[test]
fn a_task_that_a_start_has_taken_stays() {
    let mut scene = Scene::new(1);
    scene.task(1, runs);
    scene.demand(SET, 0, 0);
    scene.wait_undisturbed(scene.policy.manner.linger);
    scene.begin();
    scene.looked(1, Some(sighting(1, None, true, true)));
    assert_eq!(scene.get(1).role, Role::Taken);
    scene.wait_undisturbed(seconds(3600));
    assert_eq!(scene.steps(), []);
}

#[test]
fn a_look_at_github_is_good_for_a_moment_only() {
    let mut scene = Scene::new(1);
    scene.task(1, runs);
    scene.demand(SET, 0, 0);
    scene.wait_undisturbed(scene.policy.manner.linger);
    scene.begin();
    scene.looked(1, None);
    scene.wait(seconds(5));
    assert_eq!(scene.steps(), [look(1)]);
}

#[test]
fn the_task_that_would_be_ready_last_goes_first() {
    let mut scene = Scene::of(|pool, _| pool.warm = 1);
    scene.task(1, |task| task.made_at = at(900));
    scene.task(2, |task| {
        task.made_at = at(910);
        runs(task);
    });
    scene.task(3, |task| task.made_at = at(920));
    scene.demand(SET, 0, 0);
    scene.wait_undisturbed(seconds(1));
    scene.change(2, |task| task.looked_at = Some(at(1001)));
    assert_eq!(scene.steps(), [look(3), look(1)]);
}

#[test]
fn tasks_go_before_runners_do() {
    let mut scene = Scene::new(1);
    scene.task(1, idles(1));
    scene.task(2, runs);
    scene.demand(SET, 1, 0);
    scene.plan();
    scene.wait_undisturbed(seconds(90));
    scene.plan();
    assert_eq!(scene.steps(), [look(2)]);
}

#[test]
fn a_surplus_runner_is_unregistered_after_the_grace_and_never_a_busy_one() {
    let mut scene = Scene::new(1);
    scene.task(1, works(1));
    scene.task(2, idles(2));
    scene.demand(SET, 2, 1);
    scene.wait_undisturbed(seconds(600));
    assert_eq!(scene.steps(), []);
    scene.demand(SET, 0, 1);
    let plan = scene.plan();
    assert_eq!(plan.steps, [], "the job that it is for may be on its way");
    scene.wait_undisturbed(scene.policy.manner.grace);
    let unregister = Step::Unregister { task: arn(2), set: SET, id: id(2) };
    assert_eq!(scene.begin(), [(unregister, None)]);
    scene.fleet.unregistered(&arn(2), SCOPE, &Ok(()), scene.now);
    assert_eq!(scene.steps(), [Step::Stop(arn(2))]);
}

#[test]
fn a_runner_that_github_does_not_let_go_is_busy() {
    let mut scene = Scene::new(1);
    scene.task(1, idles(1));
    scene.demand(SET, 0, 0);
    scene.plan();
    scene.wait_undisturbed(scene.policy.manner.grace);
    scene.begin();
    scene.fleet.unregistered(&arn(1), SCOPE, &Err(fault(Class::Busy)), scene.now);
    assert!(scene.get(1).is_busy());
    scene.demand(SET, 0, 1);
    assert_eq!(scene.steps(), []);
}

#[test]
fn runners_that_are_leaving_already_count() {
    let mut scene = Scene::of(|_, set| set.min = 1);
    (1..4).for_each(|n| scene.task(n, idles(n)));
    scene.demand(SET, 0, 0);
    scene.plan();
    scene.wait_undisturbed(scene.policy.manner.grace);
    assert_eq!(scene.begin().len(), 2);
    assert_eq!(scene.steps(), []);
}

#[test]
fn the_least_far_runner_goes_first() {
    let mut scene = Scene::new(1);
    scene.task(1, idles(1));
    scene.task(2, is_bound(2));
    scene.demand(SET, 1, 0);
    scene.plan();
    scene.wait_undisturbed(scene.policy.manner.grace);
    assert_eq!(scene.begin(), [(Step::Empty(arn(2)), None)]);
    assert_eq!(scene.steps(), [], "the other one stays");
    scene.fleet.emptied(&arn(2), Ok(()), scene.now);
    assert_eq!(scene.begin(), [(Step::Unregister { task: arn(2), set: SET, id: id(2) }, None)]);
    scene.fleet.unregistered(&arn(2), SCOPE, &Ok(()), scene.now);
    assert_eq!(scene.get(2).role, Role::Unbound, "its agent has not begun, and may be somebody else's");
}

#[test]
fn warm_tasks_that_grow_old_are_replaced_one_after_the_other() {
    let mut scene = Scene::of(|pool, _| pool.warm = 2);
    scene.task(1, |task| {
        task.made_at = at(10);
        runs(task);
    });
    scene.task(2, |task| {
        task.made_at = at(20);
        runs(task);
    });
    scene.demand(SET, 0, 0);
    scene.wait_undisturbed(scene.policy.manner.warm_age);
    for n in 1..3 {
        scene.change(n, |task| task.looked_at = Some(at(1000) + seconds(6 * 3600)));
    }
    let begun = scene.begin();
    let (Step::Stop(first), None) = &begun[0] else { panic!("{begun:?}") };
    assert_eq!((first, begun.len()), (&arn(1), 2), "its successor is launched at the same time");
    scene.fleet.stopped(&arn(1), Ok(()), scene.now);
    scene.launched(begun[1].1.unwrap(), &[3]);
    assert_eq!(scene.steps(), [], "the second one stays until the first one's successor runs");
    scene.change(3, |task| task.role = Role::Unbound);
    scene.see(view(3, crate::task::TaskState::Running));
    assert_eq!(
        scene.steps(),
        [Step::Stop(arn(2))].into_iter().chain(scene.steps().into_iter().skip(1)).collect::<Vec<_>>()
    );
}

#[test]
fn before_github_says_how_many_jobs_there_are_no_runner_goes() {
    let mut scene = Scene::new(1);
    scene.task(1, idles(1));
    scene.wait_undisturbed(seconds(3600));
    assert_eq!(scene.steps(), []);
}
