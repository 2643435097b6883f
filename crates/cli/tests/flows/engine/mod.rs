//! The engine on services in memory: answers that get lost, refusals, rivals. Whatever befalls a call, there
//! is one registration a task in the end, whoever holds its secret is the runner, and nothing is started
//! twice.

mod cloud;

use std::collections::BTreeMap;
use std::time::Duration;

use fleetfoot::engine::{End, Engine, Ports, Spec, Watch};
use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::{RunRef, StartedBy};
use fleetfoot_core::label::Label;
use fleetfoot_core::plan::{Goal, Outcome, Policy, Until};
use fleetfoot_core::stack::Stack;
use fleetfoot_core::task::tag;
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::{Member, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use cloud::{Call, Cloud, Trouble};

const THROTTLED: Trouble = Trouble::Refused(Class::Throttled { retry_after: None });

struct Silent;

impl Watch for Silent {
    fn look(&mut self, _: &World) {}
}

/// What one start wants; `nonce` tells two launchers apart.
fn spec(nonce: &str) -> Spec {
    let stack = json!({
        "version": 1, "name": "s", "region": "us-east-1", "cluster": "ff", "mailbox": { "bucket": "mail" },
        "github": { "url": "https://github.com/acme/shop" },
        "pools": [ { "name": "ec2", "task_definition": "ff", "arch": "x86_64", "cpu": 1024, "memory": 2048,
                     "capacity": [{ "provider": "one" }, { "provider": "two" }] } ],
    });
    let stack = Stack::from_json(&stack.to_string()).unwrap();
    let key = "k".parse().unwrap();
    let label = Label::of_run(&RunRef::ByHand, &key, nonce);
    Spec {
        pool: stack.pools[0].clone(),
        started_by: StartedBy::of_run(&stack.name, &RunRef::ByHand, &key),
        tags: BTreeMap::from([(tag::LABEL.to_owned(), label.to_string())]),
        mailbox: MailboxPrefix::new("mail", "mailbox/", nonce),
        cpu: None,
        memory: None,
        ephemeral_storage: None,
        label,
        extra_labels: Vec::new(),
        runner_group: 1,
        idle_timeout: SignedDuration::from_mins(1),
        max_lifetime: SignedDuration::from_mins(10),
    }
}

fn policy(goal: Goal) -> Policy {
    Policy { goal, capacities: 2, replacements: 2, poll: SignedDuration::from_millis(5) }
}

/// Runs the loop to its end, within a time that is far too long for what is in memory.
async fn run(cloud: &Cloud, spec: Option<Spec>, policy: &Policy, world: &mut World) -> End {
    let ports = Ports { tasks: cloud, outbox: cloud, runners: cloud };
    let mut engine = Engine { ports, spec };
    engine.adopt(world).await.unwrap();
    let (mut silent, cancel) = (Silent, CancellationToken::new());
    let end = engine.run(policy, world, &mut silent, &cancel);
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("the loop comes to an end")
}

async fn start_as(cloud: &Cloud, nonce: &str, count: usize) -> (Outcome, World) {
    let deadline = Timestamp::now() + SignedDuration::from_secs(10);
    let policy = policy(Goal::Have { count, until: Until::Online, deadline });
    let mut world = World::default();
    match run(cloud, Some(spec(nonce)), &policy, &mut world).await {
        End::Planned(outcome) => (outcome, world),
        End::Cancelled => panic!("nobody cancelled it"),
    }
}

/// A start that must reach its goal: so many tasks, each with one registration, online.
async fn starts(cloud: &Cloud, count: usize) {
    let (outcome, _) = start_as(cloud, "mine", count).await;
    assert_eq!(outcome, Outcome::Reached);
    assert_one_runner_a_task(cloud, count);
}

fn assert_one_runner_a_task(cloud: &Cloud, count: usize) {
    let tasks = cloud.tasks();
    assert_eq!(tasks.len(), count, "tasks");
    let mut names: Vec<_> = tasks.iter().map(|task| format!("ff-{}", task.arn.id())).collect();
    names.sort_unstable();
    let registered = cloud.registered();
    let mut found: Vec<_> = registered.iter().map(|(name, _)| name.to_string()).collect();
    found.sort_unstable();
    assert_eq!(found, names, "one registration a task");
    assert!(registered.iter().all(|(_, online)| *online), "each holds its secret: {registered:?}");
    assert_eq!(cloud.mail(), 0, "every assignment was taken");
}

async fn fails(cloud: &Cloud) -> Verdict {
    match start_as(cloud, "mine", 1).await.0 {
        Outcome::Failed(verdict) => verdict,
        Outcome::Reached => panic!("should fail"),
    }
}

#[tokio::test]
async fn without_trouble_every_call_is_made_once() {
    let cloud = Cloud::default();
    starts(&cloud, 3).await;
    assert_eq!((cloud.count(Call::Launch), cloud.count(Call::Mint), cloud.count(Call::Put)), (1, 3, 3));
    assert_eq!((cloud.count(Call::Delete), cloud.count(Call::Stop)), (0, 0));
}

/// The registration is there and nobody has its secret: it is found by its name, deleted, made again.
#[tokio::test]
async fn a_lost_answer_to_minting_leaves_one_registration() {
    for times in [1, 2, 3] {
        let cloud = Cloud::default();
        for _ in 0..times {
            cloud.trouble(Call::Mint, Trouble::AnswerLost);
        }
        starts(&cloud, 1).await;
        assert_eq!(cloud.count(Call::Delete), times);
    }
}

#[tokio::test]
async fn a_minting_that_never_arrived_is_made_again() {
    let cloud = Cloud::default();
    cloud.trouble(Call::Mint, Trouble::CallLost);
    starts(&cloud, 1).await;
    assert_eq!((cloud.count(Call::Mint), cloud.count(Call::Delete)), (2, 0));
}

#[tokio::test]
async fn trouble_on_top_of_a_lost_minting_is_borne() {
    for call in [Call::FindRunner, Call::Delete] {
        for trouble in [Trouble::AnswerLost, Trouble::CallLost, THROTTLED] {
            let cloud = Cloud::default();
            cloud.trouble(Call::Mint, Trouble::AnswerLost);
            cloud.trouble(call, trouble);
            starts(&cloud, 1).await;
        }
    }
}

/// Repeated with the same token, RunTask tells what came of the first call.
#[tokio::test]
async fn a_lost_answer_to_run_task_starts_nothing_twice() {
    for trouble in [Trouble::AnswerLost, Trouble::CallLost] {
        let cloud = Cloud::default();
        cloud.trouble(Call::Launch, trouble);
        starts(&cloud, 3).await;
        assert_eq!(cloud.count(Call::Launch), 2);
    }
}

#[tokio::test]
async fn a_lost_answer_to_one_batch_of_several_starts_nothing_twice() {
    for lost in 0..3 {
        let cloud = Cloud::default();
        for _ in 0..lost {
            cloud.trouble(Call::Launch, Trouble::Spared);
        }
        cloud.trouble(Call::Launch, Trouble::AnswerLost);
        starts(&cloud, 23).await;
    }
}

/// Both have the same key; ECS lets one of them have the token and tells the other what it has made.
#[tokio::test]
async fn two_launchers_at_once_share_what_one_has_started() {
    for count in [1, 3, 23] {
        let cloud = Cloud::default();
        let (mine, rival) = tokio::join!(start_as(&cloud, "mine", count), start_as(&cloud, "rival", count));
        assert_eq!((mine.0, rival.0), (Outcome::Reached, Outcome::Reached));
        assert_one_runner_a_task(&cloud, count);
        let arns = |world: &World| world.members.keys().cloned().collect::<Vec<_>>();
        assert_eq!(arns(&mine.1), arns(&rival.1));
    }
}

#[tokio::test]
async fn a_rival_that_wants_more_adds_only_what_is_missing() {
    let cloud = Cloud::default();
    let (mine, rival) = tokio::join!(start_as(&cloud, "mine", 2), start_as(&cloud, "rival", 5));
    assert_eq!((mine.0, rival.0), (Outcome::Reached, Outcome::Reached));
    assert_one_runner_a_task(&cloud, 5);
}

/// ListTasks does not show the rival's tasks yet, so the token's conflict is the first that is heard of them.
#[tokio::test]
async fn a_conflict_over_the_token_takes_over_what_holds_it() {
    let cloud = Cloud::default();
    let (rival, _) = start_as(&cloud, "rival", 2).await;
    assert_eq!(rival, Outcome::Reached);
    let launches = cloud.count(Call::Launch);
    let deadline = Timestamp::now() + SignedDuration::from_secs(10);
    let policy = policy(Goal::Have { count: 2, until: Until::Online, deadline });
    let ports = Ports { tasks: &cloud, outbox: &cloud, runners: &cloud };
    let mut engine = Engine { ports, spec: Some(spec("mine")) };
    let mut world = World::default();
    // Not adopted: nothing was found.
    let end = engine.run(&policy, &mut world, &mut Silent, &CancellationToken::new()).await;
    assert_eq!(end, End::Planned(Outcome::Reached));
    assert_eq!(cloud.count(Call::Launch), launches + 1);
    assert_one_runner_a_task(&cloud, 2);
    assert_eq!(engine.spec.unwrap().label, spec("rival").label, "they answer to the first one's label");
}

/// Somebody else had registered a runner of this name, and has taken it back.
#[tokio::test]
async fn a_name_that_was_taken_for_a_moment_is_tried_again() {
    let cloud = Cloud::default();
    cloud.trouble(Call::Mint, Trouble::Refused(Class::Conflict));
    starts(&cloud, 1).await;
    assert_eq!(cloud.count(Call::Mint), 2);
}

/// Its secret went with the assignment, so that the registration is of no use and must go.
#[tokio::test]
async fn an_assignment_that_could_not_be_put_takes_its_registration_with_it() {
    for trouble in [Trouble::Refused(Class::Conflict), Trouble::CallLost, THROTTLED] {
        let cloud = Cloud::default();
        cloud.trouble(Call::Put, trouble.clone());
        starts(&cloud, 1).await;
        assert_eq!((cloud.count(Call::Mint), cloud.count(Call::Delete)), (2, 1), "{trouble:?}");
    }
}

/// It lies there all the same, with the secret of a registration that was deleted: nobody shall find it.
#[tokio::test]
async fn an_assignment_whose_answer_was_lost_is_replaced() {
    let cloud = Cloud::default();
    cloud.trouble(Call::Put, Trouble::AnswerLost);
    starts(&cloud, 1).await;
}

#[tokio::test]
async fn a_registration_that_could_not_be_taken_back_is_found_and_deleted() {
    for trouble in [Trouble::AnswerLost, Trouble::CallLost, THROTTLED] {
        let cloud = Cloud::default();
        cloud.trouble(Call::Put, Trouble::CallLost);
        cloud.trouble(Call::Delete, trouble);
        starts(&cloud, 1).await;
    }
}

#[tokio::test]
async fn a_throttled_call_is_repeated() {
    for call in [Call::Launch, Call::Describe, Call::Mint, Call::Put, Call::Get] {
        let cloud = Cloud::default();
        for _ in 0..2 {
            cloud.trouble(call, THROTTLED);
        }
        starts(&cloud, 2).await;
    }
}

#[tokio::test]
async fn what_no_repetition_can_mend_fails_at_once() {
    for call in [Call::Launch, Call::Mint, Call::Put] {
        let cloud = Cloud::default();
        cloud.trouble(call, Trouble::Refused(Class::Denied));
        let verdict = fails(&cloud).await;
        assert_eq!(verdict.class, "denied");
        assert_eq!(verdict.sentence, format!("cannot {call:?}: refused"));
        assert_eq!(cloud.count(call), 1);
        assert_eq!(cloud.registered(), [], "{call:?}");
    }
}

#[tokio::test]
async fn a_timeout_tells_what_stood_in_the_way() {
    let cloud = Cloud::default();
    for _ in 0..100 {
        cloud.trouble(Call::Launch, THROTTLED);
    }
    let deadline = Timestamp::now() + SignedDuration::from_millis(1500);
    let policy = policy(Goal::Have { count: 1, until: Until::Online, deadline });
    let end = run(&cloud, Some(spec("mine")), &policy, &mut World::default()).await;
    let End::Planned(Outcome::Failed(verdict)) = end else { panic!("{end:?}") };
    assert_eq!(verdict.class, "timeout");
    assert!(verdict.sentence.ends_with("last trouble: cannot Launch: refused"), "{verdict}");
}

/// A stop that found these tasks.
async fn stop(cloud: &Cloud, force: bool) -> World {
    let members = cloud.tasks().into_iter().map(|task| (task.arn.clone(), Member::found(task))).collect();
    let mut world = World { members, ..World::default() };
    let end = run(cloud, None, &policy(Goal::Nothing { force, wait: true }), &mut world).await;
    assert_eq!(end, End::Planned(Outcome::Reached));
    world
}

fn running(cloud: &Cloud) -> usize {
    cloud.tasks().into_iter().filter(|task| !task.is_over()).count()
}

#[tokio::test]
async fn a_stop_takes_everything_away() {
    let cloud = Cloud::default();
    starts(&cloud, 3).await;
    stop(&cloud, false).await;
    assert_eq!((running(&cloud), cloud.registered().len(), cloud.mail()), (0, 0, 0));
}

#[tokio::test]
async fn a_refusal_for_a_job_s_sake_keeps_the_task() {
    let cloud = Cloud::default();
    starts(&cloud, 2).await;
    cloud.make_busy();
    stop(&cloud, false).await;
    assert_eq!((running(&cloud), cloud.registered().len(), cloud.count(Call::Stop)), (2, 2, 0));
    stop(&cloud, true).await;
    assert_eq!((running(&cloud), cloud.count(Call::Stop)), (0, 2));
}

#[tokio::test]
async fn a_stop_bears_lost_answers_and_throttling() {
    for call in [Call::FindRunner, Call::Delete, Call::Stop, Call::Empty, Call::Describe] {
        for trouble in [Trouble::AnswerLost, Trouble::CallLost, THROTTLED] {
            let cloud = Cloud::default();
            starts(&cloud, 1).await;
            cloud.trouble(call, trouble);
            stop(&cloud, false).await;
            assert_eq!((running(&cloud), cloud.registered().len()), (0, 0), "{call:?}");
        }
    }
}

/// Killed between RunTask and the mailbox: whoever comes next with the key goes on from there.
#[tokio::test]
async fn what_another_launcher_left_unbound_is_bound() {
    let cloud = Cloud::default();
    let deadline = Timestamp::now() + SignedDuration::from_secs(10);
    let policy = policy(Goal::Have { count: 2, until: Until::Assigned, deadline });
    cloud.trouble(Call::Mint, Trouble::Refused(Class::Denied));
    cloud.trouble(Call::Mint, Trouble::Refused(Class::Denied));
    run(&cloud, Some(spec("killed")), &policy, &mut World::default()).await;
    assert_eq!((cloud.tasks().len(), cloud.registered().len()), (2, 0));
    starts(&cloud, 2).await;
    assert_eq!(cloud.count(Call::Launch), 1);
}
