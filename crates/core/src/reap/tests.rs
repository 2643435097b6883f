use proptest::prelude::*;

use super::*;
use crate::assignment::MailboxPrefix;
use crate::ids::RunnerId;
use crate::ids::RunnerName;
use crate::phase::PhaseTimes;
use crate::stack::Stack;

const RUN: u64 = 4711;

fn now() -> Timestamp {
    "2026-09-01T12:00:00Z".parse().unwrap()
}

fn ago(text: &str) -> Timestamp {
    now() - text.parse::<SignedDuration>().unwrap()
}

fn stack(name: &str) -> Stack {
    let document = serde_json::json!({
        "version": 1, "name": name, "region": "eu-west-1", "cluster": "ff", "mailbox": { "bucket": "mail" },
        "github": { "url": "https://github.com/acme/shop" },
        "pools": [ { "name": "p", "task_definition": "t", "arch": "x86_64", "cpu": 256, "memory": 512,
                     "capacity": [ { "launch_type": "EC2" } ] } ]
    });
    Stack::from_json(&document.to_string()).unwrap()
}

fn rules() -> Rules {
    Rules {
        stack: "prod".parse().unwrap(),
        hallmark: Hallmark::of(&stack("prod")),
        home: Some("acme/shop".parse().unwrap()),
        older_than: None,
    }
}

fn older_than(limit: &str) -> Rules {
    Rules { older_than: Some(limit.parse().unwrap()), ..rules() }
}

/// The id of the n-th task.
fn id(n: u8) -> String {
    format!("{n:032x}")
}

/// A running task of a start of [`RUN`], this old.
fn task(n: u8, age: &str) -> TaskView {
    let mut phases = PhaseTimes::default();
    phases.reach(Phase::Provisioning, ago(age));
    TaskView {
        arn: format!("arn:aws:ecs:eu-west-1:123456789012:task/ff/{}", id(n)).parse().unwrap(),
        state: TaskState::Running,
        status: "RUNNING".into(),
        phases,
        started_by: Some(format!("fleetfoot/prod/{RUN}-1/build")),
        capacity: None,
        cpu: None,
        memory: None,
        ephemeral_storage: None,
        tags: BTreeMap::new(),
        mailbox: None,
        end: None,
        billed_from: None,
        started_at: None,
        stopped_at: None,
    }
}

fn by_hand(n: u8, age: &str) -> TaskView {
    TaskView { started_by: Some("fleetfoot/prod/hand/try".into()), ..task(n, age) }
}

/// With the repository of its run in its tags.
fn tagged(mut task: TaskView, repository: &str) -> TaskView {
    task.tags.insert(tag::REPOSITORY.into(), repository.into());
    task
}

fn over(state: TaskState, task: TaskView) -> TaskView {
    TaskView { state, ..task }
}

/// The offline registration for the n-th task, with the label that a start of this stack gave it.
fn runner(n: u8) -> Registered {
    labelled(n, "prod", &format!("ff-{RUN}-1-build"))
}

fn labelled(n: u8, stack_name: &str, label: &str) -> Registered {
    let random = Hallmark::of(&stack(stack_name)).stamp("abcdefghijkmnpqrstuv");
    let name: RunnerName = format!("ff-{}", id(n)).parse().unwrap();
    Registered {
        runner: RunnerView { id: RunnerId(n.into()), name, online: false, busy: false },
        labels: vec!["self-hosted".parse().unwrap(), format!("{label}-{random}").parse().unwrap()],
    }
}

fn online(mut entry: Registered) -> Registered {
    entry.runner.online = true;
    entry
}

fn busy(entry: Registered) -> Registered {
    let mut entry = online(entry);
    entry.runner.busy = true;
    entry
}

fn mail(n: u8, stack_name: &str, age: &str) -> Mail {
    let nonce = Hallmark::of(&stack(stack_name)).stamp("nonce");
    let arn = task(n, "0s").arn;
    Mail { address: MailboxPrefix::new("mail", "mailbox/", &nonce).of_task(&arn), since: ago(age) }
}

fn run(state: RunState) -> BTreeMap<WorkflowRun, RunState> {
    BTreeMap::from([(WorkflowRun { repository: "acme/shop".parse().unwrap(), id: RUN }, state)])
}

/// What is not wanted, and why.
fn judged(rules: &Rules, sight: &Sight) -> Vec<(ThingId, &'static str)> {
    unwanted(now(), rules, sight).iter().map(|found| (found.id(), found.reason.class())).collect()
}

/// Why the only task is not wanted.
fn why(rules: &Rules, task: TaskView, runner: Option<Registered>, state: RunState) -> Option<&'static str> {
    let sight =
        Sight { tasks: vec![task], runners: runner.into_iter().collect(), runs: run(state), mail: vec![] };
    judged(rules, &sight).first().map(|(_, why)| *why)
}

#[test]
fn a_run_that_is_over_wants_nothing() {
    for state in [RunState::Ended, RunState::Gone] {
        assert_eq!(why(&rules(), tagged(task(1, "1s"), "acme/shop"), None, state), Some("run-over"));
        let registered = Some(online(runner(1)));
        assert_eq!(why(&rules(), tagged(task(1, "1h"), "acme/shop"), registered, state), Some("run-over"));
        // It is not this run's.
        assert_eq!(why(&rules(), by_hand(1, "1s"), None, state), None);
    }
    assert_eq!(why(&rules(), task(1, "1m"), None, RunState::Going), None);
    assert_eq!(why(&rules(), task(1, "1m"), None, RunState::Ended), Some("run-over"));
    assert_eq!(why(&rules(), task(1, "1m"), None, RunState::Gone), None, "it may be a run of elsewhere");
}

#[test]
fn the_run_is_looked_for_where_the_task_s_tag_says() {
    let told =
        |repository: &str| Sight { tasks: vec![tagged(task(1, "1s"), repository)], ..Sight::default() };
    let asked = |rules: &Rules, sight: &Sight| -> Vec<String> {
        runs_to_ask(rules, sight).iter().map(|run| format!("{}/{}", run.repository, run.id)).collect()
    };
    let of_organization = Rules { home: None, ..rules() };
    let untagged = Sight { tasks: vec![task(1, "1s")], ..Sight::default() };
    assert_eq!(asked(&rules(), &told("acme/tools")), ["acme/tools/4711"]);
    assert_eq!(asked(&rules(), &untagged), ["acme/shop/4711"]);
    assert_eq!(asked(&of_organization, &told("acme/tools")), ["acme/tools/4711"]);
    assert_eq!(asked(&of_organization, &untagged), [""; 0], "nobody knows where");
    assert_eq!(asked(&of_organization, &told("../..")), [""; 0], "that is no repository");
    let over = Sight { tasks: vec![over(TaskState::Stopped, task(1, "1s"))], ..Sight::default() };
    assert_eq!(asked(&rules(), &over), [""; 0], "a task that has stopped is no question");
}

#[test]
fn a_task_may_live_as_long_as_its_runner_and_a_little_more() {
    let registered = || Some(online(runner(1)));
    let state = RunState::Going;
    assert_eq!(why(&rules(), by_hand(1, "6h25m"), registered(), state), None);
    assert_eq!(why(&rules(), by_hand(1, "6h31m"), registered(), state), Some("too-old"));
    let short = |age| {
        let mut task = by_hand(1, age);
        task.tags.insert(tag::MAX_LIFETIME.into(), "3600".into());
        task
    };
    assert_eq!(why(&rules(), short("1h29m"), registered(), state), None);
    assert_eq!(why(&rules(), short("1h31m"), registered(), state), Some("too-old"));
    // It waited for its place for a day.
    let mut late = short("24h");
    late.phases.reach(Phase::Starting, ago("1h"));
    assert_eq!(why(&rules(), late, registered(), state), None);
}

#[test]
fn what_is_busy_is_found_and_marked() {
    let found = |task: TaskView| {
        let runs = run(RunState::Ended);
        let sight = Sight { tasks: vec![task], runners: vec![busy(runner(1))], runs, mail: vec![] };
        let found = unwanted(now(), &rules(), &sight);
        found.iter().map(|one| (one.reason.class(), one.busy)).collect::<Vec<_>>()
    };
    assert_eq!(found(task(1, "1h")), [("run-over", true)]);
    assert_eq!(found(task(1, "9h")), [("run-over", true)]);
    assert_eq!(found(by_hand(1, "9h")), [("too-old", true)]);
    // GitHub has not missed it yet.
    assert_eq!(found(over(TaskState::Stopped, task(1, "1h"))), [("task-stopped", true)]);
}

#[test]
fn an_age_can_be_set() {
    let registered = || Some(online(runner(1)));
    assert_eq!(why(&older_than("1h"), task(1, "59m"), registered(), RunState::Going), None);
    assert_eq!(why(&older_than("1h"), task(1, "61m"), registered(), RunState::Going), Some("too-old"));
    // It makes no limit longer.
    assert_eq!(why(&older_than("48h"), task(1, "7h"), registered(), RunState::Going), Some("too-old"));
}

#[test]
fn a_start_s_task_is_registered_soon_or_never() {
    assert_eq!(why(&rules(), by_hand(1, "19m"), None, RunState::Going), None, "a start may be on its way");
    assert_eq!(why(&rules(), by_hand(1, "21m"), None, RunState::Going), Some("no-registration"));
    assert_eq!(why(&rules(), by_hand(1, "21m"), Some(runner(1)), RunState::Going), None);
    // Tasks that are kept ready have no registration for long.
    let warm = TaskView { started_by: Some("fleetfoot/prod/linux-x64".into()), ..task(1, "2h") };
    assert_eq!(why(&rules(), warm, None, RunState::Going), None);
}

#[test]
fn what_a_stopped_task_has_left_goes() {
    let left = |state, entry: Registered| {
        let sight = Sight {
            tasks: vec![over(state, task(1, "5m"))],
            runners: vec![entry],
            mail: vec![mail(1, "prod", "1s")],
            runs: run(RunState::Going),
        };
        judged(&rules(), &sight)
    };
    let assignment = (ThingId::Mail(mail(1, "prod", "1s").address.key), "task-stopped");
    let registration = (ThingId::Runner(runner(1).runner.name), "task-stopped");
    let both = [registration, assignment.clone()];
    assert_eq!(left(TaskState::Stopped, runner(1)), both);
    assert_eq!(left(TaskState::Stopped, online(runner(1))), both, "GitHub has not missed it yet");
    assert_eq!(left(TaskState::Going, runner(1)), both);
    assert_eq!(left(TaskState::Going, online(runner(1))), [assignment], "it may be finishing its job");
    assert_eq!(left(TaskState::Coming, runner(1)), []);
    assert_eq!(left(TaskState::Running, online(runner(1))), []);
}

#[test]
fn what_has_no_task_goes_if_it_is_provably_this_stack_s() {
    let alone = |entry: Registered, state| {
        let sight = Sight { runners: vec![entry], runs: run(state), ..Sight::default() };
        (judged(&rules(), &sight), unproven(&rules(), &sight))
    };
    let found = |why| (vec![(ThingId::Runner(runner(1).runner.name), why)], 0);
    assert_eq!(alone(runner(1), RunState::Ended), found("run-over"));
    assert_eq!(alone(runner(1), RunState::Gone), found("no-task"), "its run may be elsewhere");
    assert_eq!(alone(labelled(1, "prod", "ff-hand-try"), RunState::Going), found("no-task"));
    assert_eq!(alone(runner(1), RunState::Going), (vec![], 0), "its task may not be shown yet");
    assert_eq!(alone(online(runner(1)), RunState::Ended), (vec![], 0), "somebody is it");
    assert_eq!(alone(labelled(1, "test", "ff-hand-try"), RunState::Ended), (vec![], 1), "another stack's");
    assert_eq!(alone(online(labelled(1, "test", "ff-hand-try")), RunState::Ended), (vec![], 0));
    let mut named = labelled(1, "test", "ff-hand-try");
    named.runner.name = "ff-build-server".parse().unwrap();
    assert_eq!(alone(named, RunState::Ended), (vec![], 0), "somebody else's name");

    let letter = |stack, age| {
        let sight = Sight { mail: vec![mail(1, stack, age)], ..Sight::default() };
        judged(&rules(), &sight).into_iter().map(|(_, why)| why).collect::<Vec<_>>()
    };
    assert_eq!(letter("prod", "6m"), ["no-task"]);
    assert_eq!(letter("prod", "4m"), [""; 0], "its task may not be shown yet");
    assert_eq!(letter("test", "2h"), [""; 0], "another stack's");
    let no_mail = Mail {
        address: MailboxAddress { bucket: "mail".into(), key: "mailbox/README".into() },
        since: ago("99h"),
    };
    assert_eq!(judged(&rules(), &Sight { mail: vec![no_mail], ..Sight::default() }), []);
}

#[test]
fn what_is_found_tells_for_whom_it_was() {
    let sight = Sight { runners: vec![runner(1)], ..Sight::default() };
    let found = &unwanted(now(), &rules(), &sight)[0];
    let (run, key) = found.origin.clone().unwrap();
    assert_eq!((run.to_string(), key.as_str()), ("4711-1".to_owned(), "build"));
    assert_eq!(found.reason.to_string(), "it has no task");
    assert_eq!(Reason::TooOld { limit: "6h30m".parse().unwrap() }.to_string(), "older than 6h 30m");
}

/// Any cluster: tasks of three kinds of owner with or without registrations and mail, all combined.
fn sights() -> impl Strategy<Value = Sight> {
    let owner = prop_oneof![
        Just("fleetfoot/prod/4711-1/build"),
        Just("fleetfoot/prod/hand/try"),
        Just("fleetfoot/prod/linux-x64"),
        Just("fleetfoot/test/4711-1/build"),
        Just("fleetfoot/prod2/4711-1/build"),
    ];
    let state = prop_oneof![
        Just(TaskState::Coming),
        Just(TaskState::Running),
        Just(TaskState::Going),
        Just(TaskState::Stopped)
    ];
    let registration = prop::option::of((any::<bool>(), any::<bool>(), any::<bool>()));
    let one = (owner, state, any::<bool>(), 0_i64..100_000, registration, any::<bool>());
    let ended = prop_oneof![Just(RunState::Going), Just(RunState::Ended), Just(RunState::Gone)];
    (prop::collection::vec(one, 0..8), ended).prop_map(|(all, ended)| {
        let mut sight = Sight { runs: run(ended), ..Sight::default() };
        for (n, (owner, state, forgotten, age, registration, mailed)) in (0_u8..).zip(all) {
            let name = if owner.starts_with("fleetfoot/prod/") { "prod" } else { "test" };
            let age = format!("{age}s");
            if !forgotten {
                let task = TaskView { started_by: Some(owner.into()), state, ..task(n, &age) };
                sight.tasks.push(task);
            }
            if let Some((online, busy, by_hand)) = registration {
                let label = if by_hand { "ff-hand-try" } else { "ff-4711-1-build" };
                let mut entry = labelled(n, name, label);
                (entry.runner.online, entry.runner.busy) = (online, busy);
                sight.runners.push(entry);
            }
            if mailed {
                sight.mail.push(mail(n, name, &age));
            }
        }
        sight
    })
}

proptest! {
    #[test]
    fn nothing_of_another_stack_is_ever_found(sight in sights(), limit in prop::option::of(1_i64..9)) {
        let rules = Rules { older_than: limit.map(SignedDuration::from_secs), ..rules() };
        let foreign = |n: &str| sight.tasks.iter().any(|task| {
            task.arn.id() == n && !task.started_by.as_deref().unwrap().starts_with("fleetfoot/prod/")
        });
        for found in unwanted(now(), &rules, &sight) {
            let id = match &found.thing {
                Thing::Task(task, _) => task.arn.id().to_owned(),
                Thing::Runner(runner) => runner.name.as_str().trim_start_matches("ff-").to_owned(),
                Thing::Mail(address) => address.parts().unwrap().1.to_owned(),
            };
            prop_assert!(!foreign(&id), "{found:?}");
            if sight.tasks.iter().all(|task| task.arn.id() != id) {
                let own = Hallmark::of(&stack("prod"));
                let is_own = |label: &Label| own.is_on(label.as_str().rsplit('-').next().unwrap());
                let proven = match &found.thing {
                    Thing::Runner(runner) => sight.runners.iter().any(|entry| {
                        entry.runner == *runner && entry.labels.iter().any(is_own)
                    }),
                    Thing::Mail(address) => own.is_on(address.parts().unwrap().0),
                    Thing::Task(..) => false,
                };
                prop_assert!(proven, "{found:?}");
            }
        }
    }

    #[test]
    fn what_is_busy_is_marked_and_nothing_is_found_twice(sight in sights()) {
        let found = unwanted(now(), &rules(), &sight);
        for one in &found {
            let runner = match &one.thing {
                Thing::Task(_, runner) => runner.as_ref(),
                Thing::Runner(runner) => Some(runner),
                Thing::Mail(_) => None,
            };
            prop_assert_eq!(one.busy, runner.is_some_and(|runner| runner.busy));
        }
        let ids: BTreeSet<ThingId> = found.iter().map(Unwanted::id).collect();
        prop_assert_eq!(ids.len(), found.len());
    }

    #[test]
    fn a_lower_age_finds_no_less(sight in sights()) {
        let more: BTreeSet<ThingId> =
            unwanted(now(), &older_than("1s"), &sight).iter().map(Unwanted::id).collect();
        for found in unwanted(now(), &rules(), &sight) {
            prop_assert!(more.contains(&found.id()), "{found:?}");
        }
    }
}
