//! What is heard is written down, in whatever order it comes.

use super::scene::*;
use crate::binding::Unbound;
use crate::fault::Class;
use crate::fleet::{Doing, News, Role, Runner, Step, Wish};
use crate::patience::Service;
use crate::task::TaskState;

fn is_unbound(scene: &Scene) -> bool {
    scene.get(1).role == Role::Unbound && scene.get(1).doing.is_none()
}

#[test]
fn a_binding_tells_how_long_the_set_has_waited() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.plan();
    scene.wait(seconds(7));
    scene.demand(SET, 2, 0);
    scene.task(1, runs);
    scene.begin();
    scene.wait(seconds(1));
    let told = scene.fleet.bound(&arn(1), SET, SCOPE, Ok(id(1)), scene.now);
    assert_eq!(told, [News::Bound { task: arn(1), set: SET, waited: seconds(8), warm: true }]);
    scene.plan();
    let ages: Vec<_> = scene.fleet.sets[0].wishes.iter().collect();
    assert_eq!(ages, [at(1007)], "the other wish has its own age");
}

#[test]
fn a_wish_that_could_not_be_served_keeps_its_age() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, runs);
    scene.begin();
    scene.wait(seconds(5));
    let throttled = Unbound::Refused(fault(Class::Throttled { retry_after: None }));
    scene.fleet.bound(&arn(1), SET, SCOPE, Err(throttled), scene.now);
    assert!(is_unbound(&scene));
    scene.plan();
    assert_eq!(scene.fleet.sets[0].wishes.iter().collect::<Vec<_>>(), [at(1000)]);
}

#[test]
fn an_assignment_that_could_not_be_put_leaves_the_task_free_or_in_doubt() {
    for (unregistered, role) in
        [(true, Role::Unbound), (false, Role::Doubtful(Wish { set: SET, since: at(1000) }))]
    {
        let mut scene = Scene::new(1);
        scene.demand(SET, 1, 0);
        scene.task(1, runs);
        scene.begin();
        let undelivered =
            Unbound::Undelivered { fault: fault(Class::Unknown), id: id(1), unregistered, emptied: false };
        let told = scene.fleet.bound(&arn(1), SET, SCOPE, Err(undelivered), scene.now);
        assert!(matches!(told[..], [News::Trouble { service: Service::Mailbox, .. }]), "{told:?}");
        assert_eq!((scene.get(1).role, scene.get(1).posted), (role, true));
    }
}

#[test]
fn a_task_that_another_has_registered_is_asked_about() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, runs);
    scene.begin();
    scene.fleet.bound(&arn(1), SET, SCOPE, Err(Unbound::Another), scene.now);
    assert_eq!(scene.steps()[0], look(1));
}

#[test]
fn a_job_may_be_heard_of_before_the_answer_to_binding() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, runs);
    scene.begin();
    let told = scene.begins(1, id(1));
    assert!(matches!(told[..], [News::Busy { .. }]), "{told:?}");
    scene.fleet.bound(&arn(1), SET, SCOPE, Ok(id(1)), scene.now);
    assert!(scene.get(1).is_busy() && scene.get(1).doing.is_none() && !scene.get(1).posted);
}

#[test]
fn a_runner_that_github_shows_online_is_told_of_once() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, runs);
    scene.begin();
    scene.fleet.bound(&arn(1), SET, SCOPE, Ok(id(1)), scene.now);
    assert_eq!(scene.looked(1, Some(sighting(1, Some(SET), false, false))), []);
    assert_eq!(scene.looked(1, Some(sighting(1, Some(SET), true, false))), [News::Online(arn(1))]);
    assert_eq!(scene.looked(1, Some(sighting(1, Some(SET), true, true))), []);
}

#[test]
fn a_runner_that_was_registered_after_the_task_s_job_is_cleared_away() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 0);
    scene.task(1, runs);
    scene.begin();
    // Its job was an earlier runner's, bound by another process or believed to be undelivered.
    scene.is_done(1, id(9));
    scene.fleet.bound(&arn(1), SET, SCOPE, Ok(id(1)), scene.now);
    assert!(scene.get(1).runner().is_some_and(|runner| runner.id == id(1)));
    scene.see(ended(1, "EssentialContainerExited", "Essential container in task exited", Some(0)));
    assert_eq!(scene.begin()[0].0, Step::Empty(arn(1)));
    scene.fleet.emptied(&arn(1), Ok(()), scene.now);
    assert_eq!(scene.begin()[0].0, Step::Unregister { task: arn(1), set: SET, id: id(1) });
}

#[test]
fn where_a_job_s_runner_is_not_the_known_one_github_is_asked() {
    for done in [false, true] {
        let mut scene = Scene::new(1);
        scene.demand(SET, 1, 0);
        scene.task(1, idles(1));
        if done {
            scene.is_done(1, id(9))
        } else {
            scene.begins(1, id(9))
        };
        assert_eq!(scene.get(1).role, Role::Unknown);
        assert_eq!(scene.begin()[0].0, look(1));
        scene.looked(1, None);
        let spent = matches!(scene.get(1).role, Role::Spent { .. });
        assert_eq!(spent, done, "whose job is over is of no more use");
    }
}

#[test]
fn what_is_told_twice_is_news_once() {
    let mut scene = Scene::new(1);
    scene.task(1, idles(1));
    assert_eq!(scene.begins(1, id(1)).len(), 1);
    assert_eq!(scene.begins(1, id(1)), []);
    assert_eq!(scene.is_done(1, id(1)).len(), 1);
    assert_eq!(scene.is_done(1, id(1)), []);
    assert_eq!(scene.begins(1, id(1)), [], "nobody comes back");
    assert!(matches!(scene.get(1).role, Role::Spent { .. }));
}

#[test]
fn answers_that_overtake_each_other_bring_nobody_back_to_life() {
    let mut scene = Scene::new(1);
    scene.task(1, idles(1));
    scene.see(ended(1, "EssentialContainerExited", "Essential container in task exited", Some(20)));
    scene.see(view(1, TaskState::Running));
    assert_eq!(scene.get(1).state, TaskState::Stopped);
}

#[test]
fn a_task_that_ecs_does_not_show_yet_is_not_gone() {
    let mut scene = Scene::new(1);
    scene.task(1, |_| {});
    scene.wait(seconds(59));
    scene.fleet.described(&[arn(1)], Ok(Vec::new()), scene.now);
    assert_eq!(scene.get(1).state, TaskState::Coming);
    scene.wait(seconds(1));
    scene.fleet.described(&[arn(1)], Ok(Vec::new()), scene.now);
    assert_eq!(scene.get(1).state, TaskState::Stopped);
}

#[test]
fn a_spot_interruption_in_a_job_is_told_and_its_runner_replaced() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 1);
    scene.task(1, works(1));
    let told = scene.see(ended(1, "SpotInterruption", "Your Spot Task was interrupted.", Some(13)));
    assert!(
        matches!(&told[..], [News::Interrupted { why, .. }, News::Gone(_)] if why.class == "spot-interruption")
    );
    assert_eq!(launches(&scene.steps()), [(POOL, 0, 1)]);
}

#[test]
fn a_job_that_ran_to_its_end_was_not_cut_off() {
    let mut scene = Scene::new(1);
    scene.task(1, works(1));
    let mut going = ended(1, "EssentialContainerExited", "Essential container in task exited", None);
    going.state = TaskState::Going;
    assert_eq!(scene.see(going), [], "its exit code is not told yet");
    let told = scene.see(ended(1, "EssentialContainerExited", "Essential container in task exited", Some(0)));
    assert!(matches!(told[..], [News::Gone(_)]), "{told:?}");
}

#[test]
fn failures_set_a_pool_back_until_a_runner_comes_up() {
    let mut scene = Scene::new(1);
    scene.task(1, |_| {});
    let told = scene.see(ended(1, "TaskFailedToStart", "CannotPullContainerError: manifest unknown", None));
    assert!(matches!(&told[..], [News::Failed { why, .. }, News::Gone(_)] if why.class == "image-missing"));
    assert!(
        scene.fleet.pools[0].setback.until(scene.now).is_some() && scene.fleet.pools[0].trouble.is_some()
    );
    scene.task(2, idles(2));
    scene.begins(2, id(2));
    assert!(
        scene.fleet.pools[0].setback.until(scene.now).is_none() && scene.fleet.pools[0].trouble.is_none()
    );
}

#[test]
fn a_task_that_was_not_needed_did_not_fail() {
    let idle = "Essential container in task exited";
    for (role, exit) in [
        (Role::Unbound, 21),
        (Role::Runner(Runner::registered(SET, id(1), at(1000))), 20),
        (Role::Taken, 10),
        (Role::Spent { stop_at: at(1000) }, 23),
    ] {
        let mut scene = Scene::new(1);
        scene.task(1, |task| task.role = role);
        let told = scene.see(ended(1, "EssentialContainerExited", idle, Some(exit)));
        assert!(matches!(told[..], [News::Gone(_)]), "{told:?}");
    }
}

#[test]
fn trouble_with_a_service_is_news_once() {
    let mut scene = Scene::new(1);
    let denied = || Err(fault(Class::Denied));
    assert_eq!(scene.fleet.described(&[], denied(), scene.now).len(), 1);
    assert_eq!(scene.fleet.described(&[], denied(), scene.now).len(), 0);
    assert!(scene.fleet.quiet(SCOPE, Service::EcsReads, scene.now + seconds(59)).is_some());
    scene.fleet.described(&[], Ok(Vec::new()), scene.now);
    assert!(
        scene.fleet.troubles.is_empty() && scene.fleet.quiet(SCOPE, Service::EcsReads, scene.now).is_none()
    );
}

#[test]
fn whoever_takes_over_believes_nothing_that_another_may_have_changed() {
    let mut scene = Scene::new(1);
    scene.demand(SET, 1, 1);
    scene.task(1, works(1));
    scene.task(2, runs);
    scene.task(3, |task| {
        runs(task);
        task.doing = Some(Doing::Stop);
    });
    scene.fleet.take_over(scene.now);
    assert!((1..4).all(|n| scene.get(n).role == Role::Unknown));
    assert_eq!(scene.begin(), [(Step::Sweep(POOL), None)]);
    scene.fleet.swept(POOL, &[], Ok(vec![view(1, TaskState::Running)]), scene.now);
    assert_eq!(scene.begin(), [(Step::CallRoll(SCOPE), None)]);
    scene.roll_called(vec![sighting(1, Some(SET), true, true)]);
    assert!(scene.get(1).is_busy());
    assert_eq!(
        (scene.get(2).role, scene.get(3).role),
        (Role::Unbound, Role::Unknown),
        "one is being stopped"
    );
}
