//! Chosen troubles: answers that get lost, refusals, rivals. Whatever befalls a call, there is one registration a
//! task in the end, whoever holds its secret is the runner, and nothing is started twice.

use fleetfoot::engine::{Clock, End, Left};
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::plan::{Goal, Outcome, Policy, Until};
use fleetfoot_core::verdict::Verdict;
use fleetfoot_core::world::World;
use futures_util::future::join;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::cloud::{Call, Client, Cloud, Cue, Stage, Trouble, Weather, Who};
use crate::launcher::{self, Unwatched, spec};

const THROTTLED: Trouble = Trouble::Refused(Class::Throttled { retry_after: None });

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// Tells a case on a fine day, and asks at its end whether a law was broken.
fn on_a_fine_day<T>(case: impl AsyncFnOnce(&Cloud) -> T) -> T {
    let cloud = Cloud::new(Weather::fine(7));
    let told = cloud.time.tell(case(&cloud));
    assert_eq!(cloud.state().book.broken, [""; 0]);
    told
}

fn policy(cloud: &Cloud, count: usize, until: Until) -> Policy {
    let goal = Goal::Have { count, until, deadline: cloud.time.now() + seconds(600) };
    Policy { goal, capacities: 2, replacements: 2, poll: seconds(1) }
}

/// How a start ended, what it knew then, and its label.
struct Start {
    outcome: Outcome,
    world: World,
    label: String,
}

/// A start with this number and a world that it has seen before.
async fn start_on(cloud: &Cloud, number: usize, count: usize, mut world: World) -> Start {
    let client = Client::new(cloud, Who(number), None);
    cloud.wanted(launcher::started_by().as_str(), count);
    let policy = policy(cloud, count, Until::Online);
    let mut engine = launcher::engine(&client, Some(spec(&number.to_string(), 2)));
    match engine.run(&policy, &mut world, &mut Unwatched, &CancellationToken::new()).await {
        End::Planned(outcome) => Start { outcome, world, label: engine.spec.unwrap().label.to_string() },
        End::Cancelled => panic!("nobody cancelled it"),
    }
}

async fn start(cloud: &Cloud, number: usize, count: usize) -> Start {
    start_on(cloud, number, count, World::default()).await
}

/// A start that must reach its goal: so many tasks, each with one registration, online.
async fn starts(cloud: &Cloud, count: usize) {
    assert_eq!(start(cloud, 1, count).await.outcome, Outcome::Reached);
    assert_one_runner_a_task(cloud, count);
}

fn assert_one_runner_a_task(cloud: &Cloud, count: usize) {
    let state = cloud.state();
    let live: Vec<&TaskArn> =
        state.tasks.iter().filter(|(_, task)| task.is_live()).map(|(arn, _)| arn).collect();
    assert_eq!((live.len(), state.runners.len()), (count, count), "tasks and runners");
    for arn in live {
        let runner = state.runner_of(arn).unwrap_or_else(|| panic!("{arn} has no runner"));
        assert!(runner.online_since.is_some(), "nobody is {}", runner.name);
    }
    assert_eq!(state.mail.len(), 0, "every assignment was taken");
}

async fn fails(cloud: &Cloud) -> (Verdict, World) {
    let start = start(cloud, 1, 1).await;
    match start.outcome {
        Outcome::Failed(verdict) => (verdict, start.world),
        Outcome::Reached => panic!("should fail"),
    }
}

#[test]
fn without_trouble_every_call_is_made_once() {
    on_a_fine_day(async |cloud| {
        starts(cloud, 3).await;
        assert_eq!((cloud.count(Call::Launch), cloud.count(Call::Mint), cloud.count(Call::Put)), (1, 3, 3));
        assert_eq!((cloud.count(Call::Delete), cloud.count(Call::Stop)), (0, 0));
    });
}

/// The registration is there and nobody has its secret: it is found by its name, deleted, made again.
#[test]
fn a_lost_answer_to_minting_leaves_one_registration() {
    for times in [1, 2, 3] {
        on_a_fine_day(async |cloud| {
            (0..times).for_each(|_| cloud.trouble(Call::Mint, Trouble::AnswerLost));
            starts(cloud, 1).await;
            assert_eq!(cloud.count(Call::Delete), times);
        });
    }
}

#[test]
fn a_minting_that_never_arrived_is_made_again() {
    on_a_fine_day(async |cloud| {
        cloud.trouble(Call::Mint, Trouble::CallLost);
        starts(cloud, 1).await;
        assert_eq!((cloud.count(Call::Mint), cloud.count(Call::Delete)), (2, 0));
    });
}

#[test]
fn trouble_on_top_of_a_lost_minting_is_borne() {
    for call in [Call::FindRunner, Call::Delete] {
        for trouble in [Trouble::AnswerLost, Trouble::CallLost, THROTTLED] {
            on_a_fine_day(async |cloud| {
                cloud.trouble(Call::Mint, Trouble::AnswerLost);
                cloud.trouble(call, trouble);
                starts(cloud, 1).await;
            });
        }
    }
}

/// Repeated with the same token, RunTask tells what came of the first call.
#[test]
fn a_lost_answer_to_run_task_starts_nothing_twice() {
    for trouble in [Trouble::AnswerLost, Trouble::CallLost] {
        on_a_fine_day(async |cloud| {
            cloud.trouble(Call::Launch, trouble);
            starts(cloud, 3).await;
            assert_eq!(cloud.count(Call::Launch), 2);
        });
    }
}

#[test]
fn a_lost_answer_to_one_batch_of_several_starts_nothing_twice() {
    for lost in 0..3 {
        on_a_fine_day(async |cloud| {
            (0..lost).for_each(|_| cloud.trouble(Call::Launch, Trouble::Spared));
            cloud.trouble(Call::Launch, Trouble::AnswerLost);
            starts(cloud, 23).await;
        });
    }
}

/// Both have the same key; ECS lets one of them have the token and tells the other what it has made.
#[test]
fn two_launchers_at_once_share_what_one_has_started() {
    for count in [1, 3, 23] {
        on_a_fine_day(async |cloud| {
            let (one, two) = join(start(cloud, 1, count), start(cloud, 2, count)).await;
            assert_eq!((one.outcome, two.outcome), (Outcome::Reached, Outcome::Reached));
            assert_one_runner_a_task(cloud, count);
            assert!(one.world.members.keys().eq(two.world.members.keys()));
            assert_eq!(one.label, two.label, "all answer to one label");
        });
    }
}

#[test]
fn a_rival_that_wants_more_adds_only_what_is_missing() {
    on_a_fine_day(async |cloud| {
        let (one, two) = join(start(cloud, 1, 2), start(cloud, 2, 5)).await;
        assert_eq!((one.outcome, two.outcome), (Outcome::Reached, Outcome::Reached));
        assert_one_runner_a_task(cloud, 5);
    });
}

/// It comes to the second batch before it knows whose the first one is.
#[test]
fn a_rival_that_was_turned_away_starts_nothing_on_top() {
    for turned_away in 0..4 {
        on_a_fine_day(async |cloud| {
            (0..turned_away).for_each(|_| cloud.trouble(Call::Launch, Trouble::Spared));
            cloud.trouble(Call::Launch, THROTTLED);
            let (one, two) = join(start(cloud, 1, 14), start(cloud, 2, 14)).await;
            assert_eq!((one.outcome, two.outcome), (Outcome::Reached, Outcome::Reached));
            assert_one_runner_a_task(cloud, 14);
        });
    }
}

/// ListTasks did not show the tasks of an earlier launcher, so that the token's conflict is the first that is
/// heard of them.
#[test]
fn a_conflict_over_the_token_takes_over_what_holds_it() {
    on_a_fine_day(async |cloud| {
        let earlier = start(cloud, 1, 2).await;
        let launches = cloud.count(Call::Launch);
        let blind = World { adopted: true, ..World::default() };
        let later = start_on(cloud, 2, 2, blind).await;
        assert_eq!(later.outcome, Outcome::Reached);
        assert_eq!(cloud.count(Call::Launch), launches + 1);
        assert_one_runner_a_task(cloud, 2);
        assert_eq!(later.label, earlier.label, "they answer to the first one's label");
    });
}

/// Nor does DescribeTasks show them at once.
#[test]
fn what_ecs_has_named_counts_before_it_is_shown() {
    let lagging = Weather { lag: 4000, ..Weather::fine(7) };
    let cloud = Cloud::new(lagging);
    cloud.time.tell(async {
        let (one, two) = join(start(&cloud, 1, 2), start(&cloud, 2, 2)).await;
        assert_eq!((one.outcome, two.outcome), (Outcome::Reached, Outcome::Reached));
        assert_one_runner_a_task(&cloud, 2);
    });
}

/// Somebody else had registered a runner of this name, and has taken it back.
#[test]
fn a_name_that_was_taken_for_a_moment_is_tried_again() {
    on_a_fine_day(async |cloud| {
        cloud.trouble(Call::Mint, Trouble::Refused(Class::Conflict));
        starts(cloud, 1).await;
        assert_eq!(cloud.count(Call::Mint), 2);
    });
}

/// Its secret went with the assignment, so that the registration is of no use and must go.
#[test]
fn an_assignment_that_could_not_be_put_takes_its_registration_with_it() {
    for trouble in [Trouble::Refused(Class::Conflict), Trouble::CallLost, THROTTLED] {
        on_a_fine_day(async |cloud| {
            cloud.trouble(Call::Put, trouble.clone());
            starts(cloud, 1).await;
            assert_eq!((cloud.count(Call::Mint), cloud.count(Call::Delete)), (2, 1), "{trouble:?}");
        });
    }
}

/// It lies there all the same, with the secret of a registration that was deleted: nobody shall find it.
#[test]
fn an_assignment_whose_answer_was_lost_is_replaced() {
    on_a_fine_day(async |cloud| {
        cloud.state().weather.start = 10_000..10_001;
        cloud.trouble(Call::Put, Trouble::AnswerLost);
        starts(cloud, 1).await;
    });
}

#[test]
fn a_registration_that_could_not_be_taken_back_is_deleted_later() {
    for trouble in [Trouble::AnswerLost, Trouble::CallLost, THROTTLED] {
        on_a_fine_day(async |cloud| {
            cloud.trouble(Call::Put, Trouble::CallLost);
            cloud.trouble(Call::Delete, trouble);
            starts(cloud, 1).await;
        });
    }
}

#[test]
fn a_throttled_call_is_repeated() {
    for call in [Call::Launch, Call::Describe, Call::FindTasks, Call::Mint, Call::Put, Call::Get] {
        on_a_fine_day(async |cloud| {
            (0..2).for_each(|_| cloud.trouble(call, THROTTLED));
            starts(cloud, 2).await;
        });
    }
}

#[test]
fn what_no_repetition_can_mend_fails_at_once() {
    for call in [Call::FindTasks, Call::Launch, Call::Mint, Call::Put] {
        for class in [Class::Denied, Class::Invalid, Class::NotFound] {
            on_a_fine_day(async |cloud| {
                cloud.trouble(call, Trouble::Refused(class.clone()));
                let (verdict, _) = fails(cloud).await;
                assert_eq!(verdict.class, class.word());
                assert_eq!(verdict.sentence, format!("cannot {call:?}: refused"));
                assert_eq!(cloud.count(call), 1);
                assert_eq!(cloud.state().runners.len(), 0, "{call:?}");
            });
        }
    }
}

#[test]
fn a_timeout_tells_what_stood_in_the_way() {
    on_a_fine_day(async |cloud| {
        (0..100).for_each(|_| cloud.trouble(Call::Launch, THROTTLED));
        let (verdict, _) = fails(cloud).await;
        assert_eq!(verdict.class, "timeout");
        assert!(verdict.sentence.ends_with("last trouble: cannot Launch: refused"), "{verdict}");
        // Patience grows: not a call a second for ten minutes.
        assert!(cloud.count(Call::Launch) < 60, "{}", cloud.count(Call::Launch));
    });
}

/// Killed between RunTask and the mailbox: whoever comes next with the key goes on from there.
#[test]
fn what_another_launcher_left_unbound_is_bound() {
    on_a_fine_day(async |cloud| {
        (0..2).for_each(|_| cloud.trouble(Call::Mint, Trouble::Refused(Class::Denied)));
        let killed = start(cloud, 1, 2).await;
        assert!(matches!(killed.outcome, Outcome::Failed(_)));
        assert_eq!(start(cloud, 2, 2).await.outcome, Outcome::Reached);
        assert_one_runner_a_task(cloud, 2);
        assert_eq!(cloud.count(Call::Launch), 1);
    });
}

/// An answer to minting is lost, and when the launcher looks again a rival has bound the task and its runner has a
/// job: it is not doubtful any more.
#[test]
fn a_doubtful_runner_that_somebody_is_stays() {
    on_a_fine_day(async |cloud| {
        cloud.state().weather.odds.job = 1000;
        cloud.trouble(Call::Mint, Trouble::CallLost);
        (0..12).for_each(|_| cloud.trouble(Call::FindRunner, THROTTLED));
        let (one, two) = join(start(cloud, 1, 1), start(cloud, 2, 1)).await;
        assert_eq!((one.outcome, two.outcome), (Outcome::Reached, Outcome::Reached));
        assert_eq!((cloud.count(Call::Launch), cloud.count(Call::Stop)), (2, 0));
    });
}

/// Undoes what a start has brought that went on until its so-many-th call.
async fn cancelled_at(cloud: &Cloud, number: usize, count: usize, calls: usize) -> Left {
    let token = CancellationToken::new();
    let cue = Cue { calls, stage: Stage::Effected, token: token.clone(), deadly: false };
    let client = Client::new(cloud, Who(number), Some(cue));
    cloud.wanted(launcher::started_by().as_str(), count);
    let policy = policy(cloud, count, Until::Online);
    let mut engine = launcher::engine(&client, Some(spec(&number.to_string(), 2)));
    let mut world = World::default();
    let end = engine.run(&policy, &mut world, &mut Unwatched, &token).await;
    assert_eq!(end, End::Cancelled);
    engine.undo(&mut world, seconds(5)).await
}

fn live(cloud: &Cloud) -> usize {
    cloud.state().tasks.values().filter(|task| task.is_live()).count()
}

fn traces(cloud: &Cloud) -> (usize, usize, usize) {
    let live = live(cloud);
    let state = cloud.state();
    (live, state.runners.len(), state.mail.len())
}

#[test]
fn a_start_that_is_cancelled_at_any_call_leaves_nothing() {
    for calls in 0..14 {
        on_a_fine_day(async |cloud| {
            let left = cancelled_at(cloud, 1, 3, calls).await;
            assert!(left.is_nothing(), "{left}");
            assert_eq!(traces(cloud), (0, 0, 0), "after {calls} calls");
        });
    }
}

/// Its tasks are another launcher's: it gives back what it has bound, and stops none.
#[test]
fn a_cancelled_start_leaves_an_earlier_one_alone() {
    for calls in 0..5 {
        on_a_fine_day(async |cloud| {
            starts(cloud, 2).await;
            let left = cancelled_at(cloud, 2, 4, calls).await;
            assert!(left.is_nothing(), "{left}");
            assert_one_runner_a_task(cloud, 2);
        });
    }
}

#[test]
fn what_was_bound_for_another_launcher_is_given_back() {
    on_a_fine_day(async |cloud| {
        cloud.state().weather.start = 60_000..60_001;
        cloud.trouble(Call::Mint, Trouble::Refused(Class::Denied));
        assert!(matches!(start(cloud, 1, 1).await.outcome, Outcome::Failed(_)));
        // Looks, looks closer, looks at GitHub; later mints, puts, and looks on.
        let left = cancelled_at(cloud, 2, 1, 25).await;
        assert!(left.is_nothing(), "{left}");
        assert_eq!((cloud.count(Call::Put), cloud.count(Call::Stop)), (1, 0));
        assert_eq!(traces(cloud), (1, 0, 0), "it stays as it was found");
    });
}

/// ECS has started it and nobody has heard of it, for neither the answer nor the repetition came through.
#[test]
fn the_task_of_a_lost_answer_is_found_and_stopped() {
    for then in [Trouble::AnswerLost, Trouble::Refused(Class::Denied)] {
        on_a_fine_day(async |cloud| {
            cloud.trouble(Call::Launch, Trouble::AnswerLost);
            cloud.trouble(Call::Launch, then.clone());
            let left = cancelled_or_failed(cloud).await;
            assert!(left.is_nothing(), "{left}");
            assert_eq!(traces(cloud), (0, 0, 0), "{then:?}");
        });
    }
}

#[test]
fn a_task_that_may_be_there_is_named() {
    on_a_fine_day(async |cloud| {
        cloud.trouble(Call::Launch, Trouble::CallLost);
        cloud.trouble(Call::Launch, Trouble::Refused(Class::Denied));
        let left = cancelled_or_failed(cloud).await;
        assert_eq!(left.to_string(), "up to 1 of a RunTask call that ECS has not answered");
    });
}

/// A start of one that fails or is cancelled after its second RunTask, undone.
async fn cancelled_or_failed(cloud: &Cloud) -> Left {
    let token = CancellationToken::new();
    let cue = Cue { calls: 2, stage: Stage::Effected, token: token.clone(), deadly: false };
    let client = Client::new(cloud, Who(1), Some(cue));
    cloud.wanted(launcher::started_by().as_str(), 1);
    let mut engine = launcher::engine(&client, Some(spec("1", 2)));
    let mut world = World::default();
    let end = engine.run(&policy(cloud, 1, Until::Online), &mut world, &mut Unwatched, &token).await;
    assert_ne!(end, End::Planned(Outcome::Reached));
    engine.undo(&mut world, seconds(5)).await
}

/// A stop of everything.
async fn stop(cloud: &Cloud, force: bool) {
    let client = Client::new(cloud, Who(9), None);
    cloud.state().forced = force;
    let (end, _) = launcher::stop(&client, force, seconds(300)).await.unwrap();
    assert_eq!(end, Some(End::Planned(Outcome::Reached)));
}

#[test]
fn a_stop_takes_everything_away() {
    on_a_fine_day(async |cloud| {
        starts(cloud, 3).await;
        stop(cloud, false).await;
        assert_eq!(traces(cloud), (0, 0, 0));
    });
}

#[test]
fn a_refusal_for_a_job_s_sake_keeps_the_task() {
    on_a_fine_day(async |cloud| {
        starts(cloud, 2).await;
        cloud.make_busy();
        stop(cloud, false).await;
        assert_eq!((traces(cloud), cloud.count(Call::Stop)), ((2, 2, 0), 0));
        stop(cloud, true).await;
        assert_eq!((live(cloud), cloud.count(Call::Stop)), (0, 2));
    });
}

#[test]
fn a_stop_bears_lost_answers_and_throttling() {
    for call in [Call::FindRunner, Call::Delete, Call::Stop, Call::Empty, Call::Describe] {
        for trouble in [Trouble::AnswerLost, Trouble::CallLost, THROTTLED] {
            on_a_fine_day(async |cloud| {
                starts(cloud, 1).await;
                cloud.trouble(call, trouble);
                stop(cloud, false).await;
                assert_eq!(traces(cloud), (0, 0, 0), "{call:?}");
            });
        }
    }
}

#[test]
fn a_stop_that_is_denied_ends_with_the_reason() {
    on_a_fine_day(async |cloud| {
        starts(cloud, 2).await;
        (0..20).for_each(|_| cloud.trouble(Call::Delete, Trouble::Refused(Class::Denied)));
        let client = Client::new(cloud, Who(9), None);
        let (end, _) = launcher::stop(&client, false, seconds(300)).await.unwrap();
        let Some(End::Planned(Outcome::Failed(verdict))) = end else { panic!("{end:?}") };
        // Neither was asked twice.
        assert_eq!((verdict.class.as_str(), cloud.count(Call::Delete)), ("denied", 2));
        assert_eq!(live(cloud), 2, "they may be busy");
    });
}
