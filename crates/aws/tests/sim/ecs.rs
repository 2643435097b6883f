//! Tasks from launch to end, on the simulated ECS.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetfoot_aws::EcsTasks;
use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{ClientToken, RunRef, StartedBy, TaskArn};
use fleetfoot_core::phase::Phase;
use fleetfoot_core::ports::{LaunchRequest, Tasks};
use fleetfoot_core::stack::{Arch, Capacity, Network, Pool};
use fleetfoot_core::task::{TaskState, TaskView, tag};
use fleetfoot_sim::aws::{self as sim, AwsConfig, Rate, Rates};
use tokio::task::JoinSet;

use crate::world::{CLUSTER, World};

fn started_by(key: &str) -> StartedBy {
    let run = RunRef::Attempt { run_id: 7, attempt: 1 };
    StartedBy::of_run(&"prod".parse().unwrap(), &run, &key.parse().unwrap())
}

pub(crate) fn request(key: &str, count: u32) -> LaunchRequest {
    let started_by = started_by(key);
    LaunchRequest {
        task_definition: "ff-linux".into(),
        container: "runner".into(),
        capacity: Capacity::Provider("FARGATE_SPOT".into()),
        network: Some(Network {
            subnets: vec!["subnet-1".into()],
            security_groups: vec![],
            assign_public_ip: true,
        }),
        count,
        token: ClientToken::of_batch(&started_by, 0),
        started_by,
        tags: BTreeMap::from([(tag::LABEL.into(), "ff-7-1-start-r4nd".into())]),
        mailbox: MailboxPrefix::new("mail", "mailbox/", "n0nce"),
        cpu: Some(2048),
        memory: Some(4096),
        ephemeral_storage: Some(30),
        bind_timeout: None,
    }
}

async fn launcher(world: &World) -> EcsTasks {
    world.connect("launcher", &["ecs:*"]).await.tasks(CLUSTER)
}

/// Looks until the task is as it should be, for ten seconds.
async fn wait(tasks: &EcsTasks, arn: &TaskArn, good: impl Fn(&TaskView) -> bool) -> TaskView {
    for _ in 0..200 {
        let views = tasks.describe(std::slice::from_ref(arn)).await.unwrap();
        if let Some(view) = views.into_iter().find(&good) {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the task {arn} did not get there");
}

#[tokio::test]
async fn a_task_lives_and_is_stopped() {
    let world = World::new().await;
    let tasks = launcher(&world).await;
    let launched = tasks.launch(&request("k", 1)).await.unwrap();
    assert!(launched.failures.is_empty());
    let [task] = launched.tasks.as_slice() else { panic!("{launched:?}") };
    assert_eq!(task.state, TaskState::Coming);

    let running = wait(&tasks, &task.arn, |view| view.state == TaskState::Running).await;
    assert_eq!(running.capacity, Some(Capacity::Provider("FARGATE_SPOT".into())));
    assert_eq!((running.cpu, running.memory), (Some(2048), Some(4096)));
    assert_eq!(running.ephemeral_storage, Some(30));
    assert_eq!(running.label(), Some("ff-7-1-start-r4nd"));
    assert_eq!(running.mailbox, Some(MailboxPrefix::new("mail", "mailbox/", "n0nce")));
    assert_eq!(running.started_by.as_deref(), Some("fleetfoot/prod/7-1/k"));
    let reached: Vec<Phase> = running.phases.iter().map(|(phase, _)| phase).collect();
    assert_eq!(reached, [Phase::Provisioning, Phase::Pulling, Phase::Starting]);
    assert_eq!(running.billed_from, running.at(Phase::Pulling));
    assert_eq!(running.end, None);

    tasks.stop(&task.arn, "no longer wanted").await.unwrap();
    let gone = wait(&tasks, &task.arn, |view| view.state == TaskState::Stopped).await;
    let end = gone.end.unwrap();
    assert_eq!(end.stop_code.as_deref(), Some("UserInitiated"));
    assert_eq!(end.stopped_reason.as_deref(), Some("no longer wanted"));
    assert_eq!(gone.stopped_at, gone.phases.at(Phase::Gone));
    assert!(gone.stopped_at.is_some() && gone.tags.is_empty());
    tasks.stop(&task.arn, "again").await.unwrap();
    let unknown = format!("{}0", task.arn).parse().unwrap();
    tasks.stop(&unknown, "long gone").await.unwrap();
    assert_eq!(tasks.describe(&[unknown]).await.unwrap(), []);
    world.aws.shutdown().await;
}

#[tokio::test]
async fn the_same_launch_twice_starts_nothing_more() {
    let world = World::new().await;
    let tasks = launcher(&world).await;
    let arns = |views: Vec<TaskView>| {
        let mut arns: Vec<TaskArn> = views.into_iter().map(|view| view.arn).collect();
        arns.sort();
        arns
    };
    let first = arns(tasks.launch(&request("k", 3)).await.unwrap().tasks);
    let second = arns(tasks.launch(&request("k", 3)).await.unwrap().tasks);
    assert_eq!(first, second);
    assert_eq!(world.aws.tasks().len(), 3);

    let other = LaunchRequest { cpu: None, memory: None, ..request("k", 3) };
    let launched = tasks.launch(&other).await.unwrap();
    let mut held = launched.held;
    held.sort();
    assert_eq!((launched.tasks.len(), held), (0, first), "another launch holds the token");
    world.aws.shutdown().await;
}

/// Asks again and again until there is an answer, ten seconds at most.
async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.expect("an answer within ten seconds")
}

#[tokio::test]
async fn what_was_started_is_found_again() {
    let world = World::new().await;
    let tasks = launcher(&world).await;
    let mine = tasks.launch(&request("mine", 10)).await.unwrap().tasks;
    tasks.launch(&request("other", 1)).await.unwrap();
    wait(&tasks, &mine[0].arn, |_| true).await;
    tasks.stop(&mine[0].arn, "x").await.unwrap();

    // The API is eventually consistent. The stopped one is not found by startedBy, which takes no filter beside.
    let left = async || {
        let found = tasks.find(&started_by("mine")).await.unwrap();
        (found.len() == 9 && !found.contains(&mine[0].arn)).then_some(found)
    };
    eventually(left).await;
    assert!(tasks.find(&started_by("nobody")).await.unwrap().is_empty());
    let all = async || {
        let all = tasks.find_under("fleetfoot/prod/7-1/").await.unwrap();
        (all.len() == 11).then_some(all)
    };
    let all = eventually(all).await;
    assert!(all.iter().any(|task| task.arn == mine[0].arn), "also the stopped one");
    assert!(all.iter().any(|task| task.started_by.as_deref() == Some("fleetfoot/prod/7-1/other")));
    assert!(tasks.find_under("fleetfoot/test/").await.unwrap().is_empty());
    world.aws.shutdown().await;
}

#[tokio::test]
async fn no_room_leaves_the_next_choice_open() {
    let world = World::new().await;
    let tasks = launcher(&world).await;
    let none = sim::Capacity::Slots { count: 0, shortage: sim::Shortage::Memory };
    world.aws.set_capacity(CLUSTER, "FARGATE_SPOT", none).unwrap();
    let faults = match tasks.launch(&request("k", 2)).await {
        Ok(launched) => {
            assert!(launched.tasks.is_empty());
            launched.failures
        }
        Err(fault) => vec![fault],
    };
    assert!(!faults.is_empty());
    for fault in faults {
        assert_eq!(fault.class, Class::NoCapacity, "{fault}");
    }
    let on_demand = LaunchRequest {
        capacity: Capacity::Provider("FARGATE".into()),
        token: ClientToken::of_batch(&started_by("k"), 1),
        ..request("k", 2)
    };
    assert_eq!(tasks.launch(&on_demand).await.unwrap().tasks.len(), 2);
    world.aws.shutdown().await;
}

#[tokio::test]
async fn a_role_without_the_right_is_told_which() {
    let world = World::new().await;
    let tasks = world.connect("reader", &["ecs:List*", "ecs:Describe*"]).await.tasks(CLUSTER);
    let told = |fault: Fault, action: &str| {
        assert_eq!(fault.class, Class::Denied, "{fault}");
        let remedy = fault.remedy.unwrap();
        assert!(remedy.contains(action) && remedy.contains("assumed-role/reader"), "{remedy}");
    };
    told(tasks.launch(&request("k", 1)).await.unwrap_err(), "ecs:RunTask");
    let arn = "arn:aws:ecs:eu-west-1:123456789012:task/ff/1".parse().unwrap();
    told(tasks.stop(&arn, "x").await.unwrap_err(), "ecs:StopTask");
    assert!(world.aws.tasks().is_empty());
    world.aws.shutdown().await;
}

/// Starts ten tasks, however often it has to wait.
async fn launch_ten(tasks: EcsTasks, key: String) -> Vec<TaskView> {
    loop {
        match tasks.launch(&request(&key, 10)).await {
            Ok(launched) => return launched.tasks,
            Err(fault) => {
                let wait = fault.again_after(Duration::ZERO).unwrap_or_else(|| panic!("{fault}"));
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Twelve launches of ten: the burst of Fargate's bucket, and what comes back in a second.
#[tokio::test]
async fn a_burst_of_launches_waits_and_is_not_throttled() {
    let world = World::new().await;
    let tasks = launcher(&world).await;
    let burst: JoinSet<_> = (0..12).map(|n| launch_ten(tasks.clone(), format!("k{n}"))).collect();
    let launched: Vec<TaskView> = burst.join_all().await.into_iter().flatten().collect();
    assert_eq!(launched.len(), 120);
    let stop = |task: TaskView| {
        let tasks = tasks.clone();
        async move { tasks.stop(&task.arn, "enough").await.unwrap() }
    };
    launched.into_iter().map(stop).collect::<JoinSet<_>>().join_all().await;
    let refused: Vec<_> = world.book.calls().into_iter().filter(|call| call.status != 200).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert_eq!((world.book.count("ecs", "RunTask"), world.book.count("ecs", "StopTask")), (12, 120));
    world.aws.shutdown().await;
}

#[tokio::test]
async fn a_rate_limit_that_lasts_is_throttled() {
    let rates = Rates { run_and_stop: Rate { burst: 0.0, refill: 0.0 }, ..Rates::default() };
    let world = World::with(AwsConfig { rates, ..AwsConfig::default() }).await;
    let fault = launcher(&world).await.launch(&request("k", 1)).await.unwrap_err();
    assert_eq!(fault.class, Class::Throttled { retry_after: None }, "{fault}");
    assert!(world.book.count("ecs", "RunTask") > 1, "the SDK tried again: the client token allows it");
    world.aws.shutdown().await;
}

fn pool() -> Pool {
    Pool {
        name: "linux".parse().unwrap(),
        task_definition: "ff-linux".into(),
        container: "runner".into(),
        arch: Arch::X86_64,
        cpu: 1024,
        memory: 2048,
        network: request("k", 1).network,
        capacity: vec![Capacity::Provider("FARGATE_SPOT".into()), Capacity::Provider("FARGATE".into())],
        max: 1,
        warm: 0,
        adaptive: None,
        schedules: Vec::new(),
    }
}

#[tokio::test]
async fn preflight_finds_what_is_missing_before_anything_is_made() {
    let world = World::new().await;
    let aws = world.connect("launcher", &["ecs:Describe*"]).await;
    let tasks = aws.tasks(CLUSTER);
    tasks.preflight(&pool()).await.unwrap();

    let told = |fault: Fault, class: Class, words: &str| {
        assert_eq!(fault.class, class, "{fault}");
        assert!(fault.to_string().contains(words), "{fault}");
        assert!(fault.remedy.is_some());
    };
    let nowhere = aws.tasks("nowhere").preflight(&pool()).await.unwrap_err();
    told(nowhere, Class::NotFound, "no cluster nowhere");
    let unknown = Pool { task_definition: "nothing".into(), ..pool() };
    told(tasks.preflight(&unknown).await.unwrap_err(), Class::NotFound, "Unable to describe");
    let provider = Pool { capacity: vec![Capacity::Provider("asg".into())], ..pool() };
    told(tasks.preflight(&provider).await.unwrap_err(), Class::Invalid, "asg is not associated");
    let container = Pool { container: "agent".into(), ..pool() };
    told(tasks.preflight(&container).await.unwrap_err(), Class::Invalid, "no container \"agent\"");
    let arm = Pool { arch: Arch::Arm64, ..pool() };
    told(tasks.preflight(&arm).await.unwrap_err(), Class::Invalid, "is for X86_64");

    let stranger = world.connect("stranger", &[]).await.tasks(CLUSTER);
    told(stranger.preflight(&pool()).await.unwrap_err(), Class::Denied, "ecs:DescribeClusters");
    assert!(world.aws.tasks().is_empty());
    world.aws.shutdown().await;
}
