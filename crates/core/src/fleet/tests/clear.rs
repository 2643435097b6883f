//! What is left is cleared away.

use super::scene::*;
use crate::fault::Class;
use crate::fleet::{Role, Runner, Step, Wish};
use crate::task::TaskState;

fn unregister(n: usize) -> Step {
    Step::Unregister { task: arn(n), set: SET, id: id(n) }
}

#[test]
fn a_task_that_is_over_leaves_neither_mail_nor_a_registration() {
    let mut scene = Scene::new(1);
    scene.task(1, is_bound(1));
    scene.see(ended(1, "TaskFailedToStart", "Capacity is unavailable at this time", None));
    assert_eq!(scene.begin(), [(Step::Empty(arn(1)), None)], "the registration is the trace that goes last");
    scene.fleet.emptied(&arn(1), Ok(()), scene.now);
    assert_eq!(scene.begin(), [(unregister(1), None)]);
    scene.fleet.unregistered(&arn(1), SCOPE, &Ok(()), scene.now);
    assert_eq!(scene.steps(), []);
    assert!(scene.fleet.tasks.is_empty());
}

#[test]
fn a_registration_goes_even_if_the_mailbox_cannot_be_emptied() {
    let mut scene = Scene::new(1);
    scene.task(1, is_bound(1));
    scene.see(ended(1, "TaskFailedToStart", "Capacity is unavailable at this time", None));
    scene.begin();
    scene.fleet.emptied(&arn(1), Err(fault(Class::Denied)), scene.now);
    assert_eq!(scene.begin(), [(unregister(1), None)]);
    scene.fleet.unregistered(&arn(1), SCOPE, &Ok(()), scene.now);
    let plan = scene.plan();
    assert_eq!(plan.steps, []);
    scene.wait_undisturbed(seconds(61));
    assert_eq!(scene.steps(), [Step::Empty(arn(1))], "later it may");
}

#[test]
fn a_task_that_ends_in_the_middle_of_binding_is_looked_up() {
    let mut scene = Scene::new(1);
    scene.task(1, |task| task.role = Role::Doubtful(Wish { set: SET, since: at(990) }));
    scene.see(ended(1, "TaskFailedToStart", "Capacity is unavailable at this time", None));
    assert_eq!(scene.begin(), [(look(1), None)]);
    scene.looked(1, Some(sighting(1, Some(SET), false, false)));
    assert_eq!(scene.begin()[0].0, Step::Empty(arn(1)));
    scene.fleet.emptied(&arn(1), Ok(()), scene.now);
    assert_eq!(scene.steps(), [unregister(1)]);
}

#[test]
fn a_job_that_died_with_its_task_keeps_its_registration_until_github_finds_out() {
    let mut scene = Scene::new(1);
    scene.task(1, works(1));
    scene.wait_undisturbed(seconds(300));
    scene.see(ended(1, "EssentialContainerExited", "Essential container in task exited", Some(137)));
    for _ in 0..3 {
        assert_eq!(scene.begin(), [(unregister(1), None)]);
        scene.fleet.unregistered(&arn(1), SCOPE, &Err(fault(Class::Busy)), scene.now);
        assert_eq!(scene.steps(), []);
        scene.wait_undisturbed(seconds(60));
    }
    scene.begin();
    scene.fleet.unregistered(&arn(1), SCOPE, &Ok(()), scene.now);
    scene.plan();
    assert!(scene.fleet.tasks.is_empty());
}

#[test]
fn whoever_is_on_the_way_out_with_a_job_is_left_alone() {
    let mut scene = Scene::new(1);
    scene.task(1, works(1));
    let mut going = ended(1, "SpotInterruption", "Your Spot Task was interrupted.", None);
    going.state = TaskState::Going;
    assert_eq!(scene.see(going), [], "it may come to its end");
    assert_eq!(scene.steps(), []);
}

#[test]
fn a_runner_whose_secret_nobody_holds_is_unregistered_and_its_task_serves_again() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, |task| {
        runs(task);
        task.role =
            Role::Runner(Runner { handed_over: false, ..Runner::registered(SET, id(1), task.made_at) });
    });
    let plan = scene.plan();
    assert_eq!((plan.steps, plan.wake_at <= at(1020)), (vec![], true));
    scene.wait_undisturbed(seconds(20));
    assert_eq!(scene.begin(), [(look(1), None)], "it may be online, whoever has bound it");
    scene.looked(1, Some(sighting(1, Some(SET), false, false)));
    assert_eq!(scene.begin(), [(unregister(1), None)]);
    scene.fleet.unregistered(&arn(1), SCOPE, &Ok(()), scene.now);
    assert_eq!(bindings(&scene.steps()), [(arn(1), SET)]);
}

#[test]
fn a_runner_that_was_bound_before_and_is_online_stays() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, |task| {
        runs(task);
        task.role =
            Role::Runner(Runner { handed_over: false, ..Runner::registered(SET, id(1), task.made_at) });
    });
    scene.wait_undisturbed(seconds(20));
    scene.begin();
    scene.looked(1, Some(sighting(1, Some(SET), true, false)));
    scene.wait_undisturbed(seconds(600));
    assert_eq!(scene.steps(), []);
}

#[test]
fn a_runner_that_does_not_come_online_is_given_up_in_the_end() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, |task| {
        is_bound(1)(task);
        runs(task);
        task.posted = false;
    });
    let mut looks = 0;
    loop {
        scene.wait_undisturbed(seconds(10));
        let begun = scene.begin();
        match &begun[..] {
            [] => {}
            [(Step::Look { .. }, _)] => {
                looks += 1;
                scene.looked(1, Some(sighting(1, Some(SET), false, false)));
            }
            [(step, _)] => {
                assert_eq!(*step, unregister(1));
                break;
            }
            _ => panic!("{begun:?}"),
        }
    }
    assert_eq!(looks, 10, "twice a minute, for five minutes");
}

#[test]
fn a_task_whose_job_is_over_is_stopped_if_it_does_not_leave() {
    let mut scene = Scene::new(1);
    scene.task(1, works(1));
    scene.demand(SET, 0, 0);
    scene.is_done(1, id(1));
    let plan = scene.plan();
    assert_eq!(plan.steps, []);
    scene.wait_undisturbed(seconds(90));
    assert_eq!(scene.steps(), [Step::Stop(arn(1))]);
}

#[test]
fn a_runner_without_a_task_is_cleared_away_with_its_mail() {
    let mut scene = Scene::new(1);
    scene.fleet.rolls.values_mut().for_each(|roll| roll.called = false);
    scene.begin();
    let strangers = [sighting(7, None, true, false), sighting(8, Some(SET), false, false)];
    scene.roll_called(strangers.to_vec());
    scene.wait(seconds(2));
    assert_eq!(
        scene.begin(),
        [(Step::Describe(vec![arn(8)]), None)],
        "ECS shows it for an hour after its end"
    );
    let gone = ended(8, "EssentialContainerExited", "Essential container in task exited", Some(137));
    scene.fleet.described(&[arn(8)], Ok(vec![gone]), scene.now);
    assert_eq!(scene.begin(), [(Step::Empty(arn(8)), None)]);
    scene.fleet.emptied(&arn(8), Ok(()), scene.now);
    assert_eq!(scene.begin(), [(unregister(8), None)]);
}

#[test]
fn a_runner_whose_task_nobody_remembers_is_cleared_away_after_a_minute() {
    let mut scene = Scene::new(1);
    scene.fleet.rolls.values_mut().for_each(|roll| roll.called = false);
    scene.begin();
    scene.roll_called(vec![sighting(8, Some(SET), false, false)]);
    for _ in 0..30 {
        scene.wait(seconds(2));
        for (step, _) in scene.begin() {
            assert!(matches!(step, Step::Describe(_)), "{step:?}");
        }
        scene.fleet.described(&[arn(8)], Ok(Vec::new()), scene.now);
    }
    assert_eq!(scene.steps(), [unregister(8)]);
}
