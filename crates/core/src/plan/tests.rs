//! Cases and properties of the plan.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::fault::{Class, Fault};
use crate::phase::{Phase, PhaseTimes};
use crate::task::{TaskEnd, TaskView};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

fn task(n: usize, state: TaskState) -> TaskView {
    TaskView {
        arn: format!("arn:aws:ecs:eu-west-1:123456789012:task/ff/{n:032x}").parse().unwrap(),
        state,
        status: "PENDING".into(),
        phases: PhaseTimes::default(),
        started_by: None,
        capacity: None,
        cpu: None,
        memory: None,
        ephemeral_storage: None,
        tags: BTreeMap::new(),
        mailbox: Some("s3://mail/nonce/".parse().unwrap()),
        end: None,
        billed_from: None,
        started_at: None,
        stopped_at: None,
    }
}

fn world(members: impl IntoIterator<Item = Member>) -> World {
    let members = members.into_iter().map(|m| (m.task.arn.clone(), m)).collect();
    World { adopted: true, members, ..World::default() }
}

fn have(count: usize, until: Until) -> Policy {
    policy(Goal::Have { count, until, deadline: after(600) })
}

fn policy(goal: Goal) -> Policy {
    Policy { goal, capacities: 2, replacements: 2, poll: SignedDuration::from_secs(1) }
}

fn actions(plan: &Plan) -> Vec<&Action> {
    plan.actions.iter().map(|(action, _)| action).collect()
}

fn present(online: bool, busy: bool, refused: bool) -> Registration {
    Registration::Present { id: RunnerId(7), online, busy, refused }
}

#[test]
fn an_empty_world_is_filled_in_batches_of_ten() {
    let (policy, mut world) = (have(23, Until::Online), world([]));
    let launch = |count, number| Action::Launch(Batch { capacity: 0, count, number });
    // The first one settles the label.
    let first = plan(NOW, &policy, &world);
    assert_eq!((actions(&first), first.wake_at), (vec![&launch(10, 0)], after(1)));
    let batch = Batch { capacity: 0, count: 10, number: 0 };
    (0..10).for_each(|n| world.started(task(n, TaskState::Coming), batch, NOW));
    world.settle(batch);
    let next = plan(NOW, &policy, &world);
    let launches: Vec<_> = actions(&next).into_iter().filter(|a| matches!(a, Action::Launch(_))).collect();
    assert_eq!(launches, [&launch(10, 1), &launch(3, 2)]);
}

#[test]
fn nothing_is_started_before_somebody_has_looked_for_what_is_there() {
    let mut world = World { adopted: false, ..world([]) };
    assert!(plan(NOW, &have(1, Until::Online), &world).actions.is_empty());
    // Nor before what was named then has shown itself.
    world.adopted = true;
    world.named([task(1, TaskState::Coming).arn], NOW);
    assert!(plan(NOW, &have(2, Until::Online), &world).actions.is_empty());
    world.found(task(1, TaskState::Coming));
    assert!(matches!(actions(&plan(NOW, &have(2, Until::Online), &world))[..], [Action::Launch(_)]));
}

#[test]
fn what_is_there_is_not_started_again() {
    let mut found = Member::found(task(1, TaskState::Running));
    found.see_runner(
        Some(crate::ports::RunnerView { id: RunnerId(7), name: found.runner(), online: true, busy: false }),
        NOW,
    );
    let plan = plan(NOW, &have(1, Until::Online), &world([found]));
    assert_eq!(plan.outcome, Some(Outcome::Reached));
    assert!(plan.actions.is_empty());
}

#[test]
fn a_start_that_holds_waits_for_the_end_and_tidies_up() {
    let over = |exit_code| {
        let mut task = task(1, TaskState::Stopped);
        task.end = Some(TaskEnd {
            stop_code: Some("EssentialContainerExited".into()),
            stopped_reason: None,
            exit_code,
            container_reason: None,
        });
        task
    };
    let mut member = Member::started(task(1, TaskState::Running), 0);
    member.registration = present(true, true, false);
    let mut world = world([member]);
    let hold = policy(Goal::Over);
    let waiting = plan(NOW, &hold, &world);
    assert_eq!((waiting.actions.len(), waiting.outcome, waiting.wake_at), (0, None, after(1)));

    world.found(over(Some(20)));
    let arn = world.members.keys().next().unwrap().clone();
    assert_eq!(actions(&plan(NOW, &hold, &world)), [&Action::Unregister(arn.clone(), RunnerId(7))]);
    world.deleted(&arn, None, NOW);
    assert_eq!(plan(NOW, &hold, &world).outcome, Some(Outcome::Reached));
}

#[test]
fn a_started_task_is_bound_at_once() {
    let member = Member::started(task(1, TaskState::Coming), 0);
    let arn = member.task.arn.clone();
    assert_eq!(actions(&plan(NOW, &have(1, Until::Online), &world([member]))), [&Action::Bind(arn)]);
}

#[test]
fn a_found_task_is_looked_up_before_it_is_bound() {
    let mut member = Member::found(task(1, TaskState::Coming));
    assert!(plan(NOW, &have(1, Until::Online), &world([member.clone()])).actions.is_empty());
    member.see_runner(None, NOW);
    assert_eq!(plan(NOW, &have(1, Until::Online), &world([member])).actions.len(), 1);
}

/// Its launcher was killed after it had registered the runner and before it had handed the secret over.
#[test]
fn a_found_runner_that_nobody_can_be_is_registered_again() {
    let mut member = Member::found(task(1, TaskState::Running));
    member.phases.reach(Phase::Starting, NOW);
    member.registration = present(false, false, false);
    member.assigned = true;
    let arn = member.task.arn.clone();
    let mut world = world([member]);
    let policy = have(1, Until::Online);
    let look = |world: &mut World, at| world.members.get_mut(&arn).unwrap().looked_at = Some(at);
    look(&mut world, after(20));
    assert!(plan(after(20), &policy, &world).actions.is_empty(), "it may still come online");
    assert!(plan(after(60), &policy, &world).actions.is_empty(), "it may have come online since");
    look(&mut world, after(21));
    assert_eq!(actions(&plan(after(21), &policy, &world)), [&Action::Unregister(arn.clone(), RunnerId(7))]);
    world.deleted(&arn, None, after(21));
    assert_eq!(actions(&plan(after(21), &policy, &world)), [&Action::Bind(arn)]);
}

#[test]
fn the_next_capacity_is_taken_when_one_refuses() {
    let mut world = world([]);
    let verdict = |s: &str| Verdict { class: "no-capacity".into(), sentence: s.into(), remedy: None };
    world.refuse(0, verdict("spot is gone"));
    world.settle(Batch { capacity: 0, count: 1, number: 0 });
    let policy = have(1, Until::Online);
    // With a token of its own: the first one's answer is a failure for ever.
    let next = Action::Launch(Batch { capacity: 1, count: 1, number: 1 });
    assert_eq!(actions(&plan(NOW, &policy, &world)), [&next]);
    world.refuse(1, verdict("so is on-demand"));
    let Some(Outcome::Failed(verdict)) = plan(NOW, &policy, &world).outcome else { panic!("should fail") };
    assert!(verdict.sentence.ends_with("spot is gone; so is on-demand"), "{verdict}");
}

#[test]
fn a_launch_without_an_answer_is_repeated_as_it_is() {
    let lost = Batch { capacity: 0, count: 10, number: 2 };
    let mut world = world((1..=13).map(|n| Member::found(task(n, TaskState::Coming))));
    world.unanswered.push(lost);
    // Its ten may be there already, and more if it is a rival's.
    for count in [23, 25] {
        assert_eq!(actions(&plan(NOW, &have(count, Until::Online), &world)), [&Action::Launch(lost)]);
    }
    world.settle(lost);
    let launched = plan(NOW, &have(25, Until::Online), &world);
    let next = [(10, 0), (2, 1)].map(|(count, number)| Action::Launch(Batch { capacity: 0, count, number }));
    assert_eq!(actions(&launched), next.iter().collect::<Vec<_>>());
}

fn ended(n: usize, capacity: usize, reason: &str) -> Member {
    let mut member = Member::started(task(n, TaskState::Stopped), capacity);
    member.task.stopped_at = Some(NOW);
    member.task.end = Some(TaskEnd {
        stop_code: Some("TaskFailedToStart".into()),
        stopped_reason: Some(reason.into()),
        exit_code: None,
        container_reason: None,
    });
    member
}

#[test]
fn an_end_that_would_come_again_fails_the_start_with_its_reason() {
    let mut member = ended(1, 0, "CannotPullContainerError: manifest unknown");
    let Some(Outcome::Failed(verdict)) = plan(NOW, &have(1, Until::Online), &world([member.clone()])).outcome
    else {
        panic!("should fail")
    };
    assert_eq!(verdict.class, "image-missing");
    assert!(verdict.sentence.contains("manifest unknown"));
    // The same end of a task that an earlier start left behind is only a reason to start another.
    member.ours = false;
    assert_eq!(plan(NOW, &have(1, Until::Online), &world([member])).actions.len(), 1);
}

#[test]
fn bad_luck_is_replaced_after_a_while_and_not_for_ever() {
    let policy = have(1, Until::Online);
    let unlucky = |n| ended(n, 0, "CannotPullContainerError: i/o timeout");
    let one = world([unlucky(1)]);
    let waiting = plan(NOW, &policy, &one);
    assert!(waiting.actions.is_empty() && waiting.outcome.is_none());
    assert!(waiting.wake_at > NOW && waiting.wake_at < after(1));
    let again = Action::Launch(Batch { capacity: 0, count: 1, number: 0 });
    assert_eq!(actions(&plan(after(1), &policy, &one)), [&again]);
    let three = world([unlucky(1), unlucky(2), unlucky(3)]);
    assert!(matches!(plan(after(9), &policy, &three).outcome, Some(Outcome::Failed(_))));
}

#[test]
fn a_start_is_not_over_before_what_failed_is_tidied_up() {
    let mut failed = ended(1, 0, "CannotPullContainerError: i/o timeout");
    failed.registration = present(false, false, false);
    failed.posted = true;
    let arn = failed.task.arn.clone();
    let mut up = Member::started(task(2, TaskState::Running), 0);
    up.registration = present(true, false, false);
    up.phases.reach(Phase::Online, NOW);
    let mut world = world([failed, up]);
    let policy = have(1, Until::Online);
    let tidying = [&Action::Unregister(arn.clone(), RunnerId(7)), &Action::Empty(arn.clone())];
    let first = plan(after(1), &policy, &world);
    assert_eq!((actions(&first), &first.outcome), (tidying.to_vec(), &None));
    world.deleted(&arn, None, NOW);
    world.members.get_mut(&arn).unwrap().posted = false;
    assert_eq!(plan(after(1), &policy, &world).outcome, Some(Outcome::Reached));
}

#[test]
fn capacity_that_is_gone_later_is_left_for_the_next_choice() {
    let gone = ended(1, 0, "Capacity is unavailable at this time. Please try again later");
    let next = Action::Launch(Batch { capacity: 1, count: 1, number: 0 });
    assert_eq!(actions(&plan(NOW, &have(1, Until::Online), &world([gone]))), [&next]);
}

#[test]
fn a_service_that_asked_for_patience_is_left_alone() {
    let fault = |class| Fault::new(class, "mint", "slow down");
    let throttled = Class::Throttled { retry_after: Some(std::time::Duration::from_mins(1)) };
    let mut world = world([Member::started(task(1, TaskState::Coming), 0)]);
    world.failed(Service::GitHub, &fault(throttled), NOW);
    let policy = have(2, Until::Online);
    assert!(matches!(actions(&plan(after(59), &policy, &world))[..], [Action::Launch(_)]));
    assert_eq!(plan(after(60), &policy, &world).actions.len(), 2);
    world.answered(Service::GitHub);
    assert_eq!(plan(NOW, &policy, &world).actions.len(), 2);
}

#[test]
fn a_job_that_ran_before_anybody_looked_counts() {
    let mut member = Member::started(task(1, TaskState::Stopped), 0);
    member.registration = Registration::Gone;
    member.task.end =
        Some(TaskEnd { stop_code: None, stopped_reason: None, exit_code: Some(10), container_reason: None });
    assert_eq!(plan(NOW, &have(1, Until::Online), &world([member])).outcome, Some(Outcome::Reached));
}

/// A start by the same key finds the runner of an earlier one, whose job is over.
#[test]
fn a_job_that_ran_for_an_earlier_start_does_not_count() {
    let mut over = task(1, TaskState::Stopped);
    over.end =
        Some(TaskEnd { stop_code: None, stopped_reason: None, exit_code: Some(0), container_reason: None });
    let plan = plan(NOW, &have(1, Until::Online), &world([Member::found(over)]));
    assert_eq!(actions(&plan), [&Action::Launch(Batch { capacity: 0, count: 1, number: 0 })]);
}

#[test]
fn the_deadline_says_what_was_missing() {
    let mut running = Member::started(task(1, TaskState::Running), 0);
    running.assigned = true;
    let coming = Member::started(task(2, TaskState::Coming), 0);
    let Some(Outcome::Failed(verdict)) =
        plan(after(600), &have(3, Until::Online), &world([running, coming])).outcome
    else {
        panic!("should fail")
    };
    assert_eq!(
        verdict.sentence,
        "only 0 of 3 runners were ready in time: 1× no task could be started, 1× the task is still PENDING, \
         1× the task runs and its runner is not online"
    );
}

#[test]
fn stop_deletes_first_and_heeds_the_refusal() {
    let mut member = Member::found(task(1, TaskState::Running));
    let arn = member.task.arn.clone();
    let stop = policy(Goal::Nothing { force: false, wait: false });
    assert!(plan(NOW, &stop, &world([member.clone()])).actions.is_empty(), "look it up first");
    member.registration = present(true, false, false);
    let unregister = Action::Unregister(arn.clone(), RunnerId(7));
    assert_eq!(actions(&plan(NOW, &stop, &world([member.clone()]))), [&unregister]);

    let mut busy = world([member.clone()]);
    busy.deleted(&arn, Some(&Class::Busy), NOW);
    let kept = plan(NOW, &stop, &busy);
    assert_eq!((kept.actions.len(), kept.outcome), (0, Some(Outcome::Reached)));
    let forced = plan(NOW, &policy(Goal::Nothing { force: true, wait: false }), &busy);
    assert_eq!(actions(&forced)[0], &Action::Stop(arn.clone()));

    let mut free = world([member]);
    free.deleted(&arn, None, NOW);
    assert_eq!(actions(&plan(NOW, &stop, &free)), [&Action::Stop(arn.clone()), &Action::Empty(arn)]);
}

#[test]
fn a_runner_that_left_after_its_job_needs_no_look_to_be_gone() {
    let mut over = task(1, TaskState::Stopped);
    over.end =
        Some(TaskEnd { stop_code: None, stopped_reason: None, exit_code: Some(0), container_reason: None });
    let arn = over.arn.clone();
    let mut world = world([Member::found(over)]);
    for wait in [false, true] {
        let stop = policy(Goal::Nothing { force: false, wait });
        // A second PUT, after a lost answer, may have come when the agent had taken its mail.
        world.members.values_mut().for_each(|member| member.emptied = false);
        assert_eq!(actions(&plan(NOW, &stop, &world)), [&Action::Empty(arn.clone())]);
        world.members.values_mut().for_each(|member| member.emptied = true);
        assert_eq!(plan(NOW, &stop, &world).outcome, Some(Outcome::Reached));
    }
}

#[test]
fn what_services_said_last_explains_a_timeout() {
    let fault = Fault::new(Class::Throttled { retry_after: None }, "start a task", "Rate exceeded");
    let mut world = World::default();
    world.failed(Service::Ecs, &fault, NOW);
    world.failed(Service::GitHub, &fault, NOW);
    world.answered(Service::GitHub);
    let Some(Outcome::Failed(verdict)) = plan(after(600), &have(1, Until::Online), &world).outcome else {
        panic!("should fail")
    };
    assert!(
        verdict.sentence.ends_with("started, last trouble: cannot start a task: Rate exceeded"),
        "{verdict}"
    );
}

/// Killed in the middle of its job: GitHub calls its runner busy for some minutes yet.
#[test]
fn a_forced_stop_does_not_wait_for_a_job_that_died_with_its_task() {
    let mut member = Member::found(task(1, TaskState::Stopped));
    member.registration = present(true, true, true);
    let arn = member.task.arn.clone();
    let mut world = world([Member { emptied: true, ..member }]);
    let stop = policy(Goal::Nothing { force: true, wait: true });
    let once_more = Action::Unregister(arn.clone(), RunnerId(7));
    assert_eq!(actions(&plan(NOW, &stop, &world)), [&once_more]);
    world.deleted(&arn, Some(&Class::Busy), NOW);
    assert_eq!(plan(NOW, &stop, &world).outcome, Some(Outcome::Reached));
}

fn any_registration() -> impl Strategy<Value = Registration> {
    prop_oneof![
        Just(Registration::Unknown),
        Just(Registration::None),
        Just(Registration::Gone),
        any::<(bool, bool, bool)>().prop_map(|(online, busy, refused)| present(online, busy, refused)),
    ]
}

fn any_member() -> impl Strategy<Value = (TaskState, Registration, [bool; 5], Option<i32>)> {
    let state = prop_oneof![
        Just(TaskState::Coming),
        Just(TaskState::Running),
        Just(TaskState::Going),
        Just(TaskState::Stopped)
    ];
    let exit = prop_oneof![Just(None), Just(Some(0)), Just(Some(10)), Just(Some(21)), Just(Some(137))];
    (state, any_registration(), any::<[bool; 5]>(), exit)
}

fn any_world() -> impl Strategy<Value = World> {
    prop::collection::vec(any_member(), 0..12).prop_map(|members| {
        world(members.into_iter().enumerate().map(|(n, (state, registration, flags, exit_code))| {
            let [assigned, ours, stop_asked, emptied, online] = flags;
            let mut task = task(n, state);
            task.end = (state == TaskState::Stopped).then_some(TaskEnd {
                stop_code: None,
                stopped_reason: None,
                exit_code,
                container_reason: None,
            });
            let mut member = Member::found(task);
            if online {
                member.phases.reach(Phase::Online, NOW);
            }
            Member { registration, assigned, ours, stop_asked, emptied, ..member }
        }))
    })
}

proptest! {
    /// Never more than wanted; an outcome comes without actions.
    #[test]
    fn never_above_the_count(world in any_world(), count in 1_usize..30) {
        let plan = plan(NOW, &have(count, Until::Online), &world);
        let launched: usize = plan.actions.iter().map(|(action, _)| match action {
            Action::Launch(batch) => batch.count as usize,
            _ => 0,
        }).sum();
        let there = world.members.values().filter(|m| counts(m)).count();
        prop_assert!(launched == 0 || there + launched <= count);
        prop_assert!(plan.outcome.is_none() || plan.actions.is_empty());
        let stops = plan.actions.iter().any(|(action, _)| matches!(action, Action::Stop(_)));
        prop_assert!(!stops, "a start stops nothing");
    }

    /// Never stop a task whose registration is there or not looked up, unless forced after a refusal.
    #[test]
    fn never_stop_what_may_be_busy(world in any_world(), force: bool, wait: bool) {
        for (action, _) in plan(NOW, &policy(Goal::Nothing { force, wait }), &world).actions {
            if let Action::Stop(arn) = action {
                match world.members[&arn].registration {
                    Registration::None | Registration::Gone => {}
                    Registration::Present { refused: true, .. } => prop_assert!(force),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }

    /// Doing what the plan says leads to an end: nothing is left but what is busy.
    #[test]
    fn stop_comes_to_an_end(mut world in any_world(), force: bool) {
        let policy = policy(Goal::Nothing { force, wait: true });
        for _ in 0..6 {
            let plan = plan(NOW, &policy, &world);
            if plan.outcome.is_some() {
                for member in world.members.values() {
                    let kept = matches!(member.registration, Registration::Present { refused: true, .. });
                    prop_assert!(member.is_stopped() || (kept && !force));
                }
                return Ok(());
            }
            for (action, _) in plan.actions {
                match action {
                    Action::Unregister(arn, _) => {
                        let member = &world.members[&arn];
                        let busy = matches!(member.registration, Registration::Present { busy: true, .. });
                        let refusal = (busy && !member.is_stopped()).then_some(Class::Busy);
                        world.deleted(&arn, refusal.as_ref(), NOW);
                    }
                    Action::Stop(arn) => world.members.get_mut(&arn).unwrap().stop_asked = true,
                    Action::Empty(arn) => world.members.get_mut(&arn).unwrap().emptied = true,
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            for member in world.members.values_mut() {
                member.see_runner(None.or(match member.registration {
                    Registration::Present { id, online, busy, .. } =>
                        Some(crate::ports::RunnerView { id, name: member.runner(), online, busy }),
                    _ => None,
                }), NOW);
                if member.stop_asked || member.task.state == TaskState::Going {
                    member.task.state = TaskState::Stopped;
                }
            }
        }
        prop_assert!(false, "no end in sight");
    }
}
