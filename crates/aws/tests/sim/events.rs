//! Changes of tasks from a queue: in whatever order and however often they come, each is given once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleetfoot_aws::{EcsTasks, SqsTaskEvents};
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::ports::Tasks;
use fleetfoot_core::task::{TaskState, TaskView};
use fleetfoot_core::task_events::{TaskChange, TaskEvents};
use fleetfoot_sim::aws::AwsConfig;
use fleetfoot_sim::faults::Faults;

use crate::ecs::request;
use crate::world::{CLUSTER, World};

const QUEUE: &str = "task-events";

struct Stage {
    world: World,
    faults: Faults,
    tasks: EcsTasks,
    events: SqsTaskEvents,
}

impl Stage {
    async fn new(faults: &str) -> Self {
        let faults = Faults::new(faults.parse().unwrap());
        let world = World::with(AwsConfig { faults: faults.clone(), ..AwsConfig::default() }).await;
        let url = world.aws.create_queue(QUEUE);
        world.aws.send_task_events(CLUSTER, QUEUE);
        let actions = ["ecs:*", "sqs:ReceiveMessage", "sqs:DeleteMessage"];
        let aws = world.connect("controller", &actions).await;
        let (tasks, events) = (aws.tasks(CLUSTER), aws.task_events(url, CLUSTER));
        Self { world, faults, tasks, events }
    }

    /// Runs tasks until they are up, stops them, and reads until they are gone; gives every change.
    async fn lives(&self, count: u32) -> Vec<TaskChange> {
        let launched = self.tasks.launch(&request("k", count)).await.unwrap();
        let arns: Vec<TaskArn> = launched.tasks.iter().map(|task| task.arn.clone()).collect();
        let mut changes: Vec<TaskChange> = Vec::new();
        let reached = |changes: &[TaskChange], state| {
            let in_it =
                |arn: &&TaskArn| changes.iter().any(|it| it.view.arn == **arn && it.view.state == state);
            arns.iter().filter(in_it).count() == arns.len()
        };
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut stopping = false;
        while !reached(&changes, TaskState::Stopped) {
            assert!(Instant::now() < deadline, "{changes:#?}");
            changes.extend(self.events.next().await.unwrap());
            if !stopping && reached(&changes, TaskState::Running) {
                stopping = true;
                for arn in &arns {
                    self.tasks.stop(arn, "enough").await.unwrap();
                }
            }
        }
        changes
    }
}

/// The versions of each task, in the order in which they came.
fn versions(changes: &[TaskChange]) -> BTreeMap<TaskArn, Vec<u64>> {
    let mut versions: BTreeMap<TaskArn, Vec<u64>> = BTreeMap::new();
    for change in changes {
        versions.entry(change.view.arn.clone()).or_default().push(change.version);
    }
    versions
}

fn assert_each_is_newer(changes: &[TaskChange]) {
    for (task, versions) in versions(changes) {
        assert!(versions.is_sorted_by(|one, next| one < next), "{task}: {versions:?}");
    }
}

#[tokio::test]
async fn a_life_is_told_from_its_beginning_to_its_end_without_a_look() {
    let stage = Stage::new("").await;
    let changes = stage.lives(1).await;
    assert_each_is_newer(&changes);
    let statuses: Vec<&str> = changes.iter().map(|change| change.view.status.as_str()).collect();
    for status in ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }
    let last = &changes.last().unwrap().view;
    let shown = stage.tasks.describe(std::slice::from_ref(&last.arn)).await.unwrap().remove(0);
    let told = TaskView { tags: shown.tags.clone(), ..last.clone() };
    assert_eq!(told, shown, "an event shows what DescribeTasks shows, but for tags");
    assert_eq!(last.end.as_ref().unwrap().stopped_reason.as_deref(), Some("enough"));

    // What was given is deleted by the next call, and a call that finds nothing waits.
    let stage = std::sync::Arc::new(stage);
    let reading = std::sync::Arc::clone(&stage);
    let waiting = tokio::spawn(async move { reading.events.next().await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished(), "the poll is held open");
    assert!(stage.world.aws.queue_messages(QUEUE).is_empty());
    waiting.abort();
    let looks = stage.world.book.count("ecs", "DescribeTasks");
    assert_eq!(looks, 1, "the one above");
}

#[tokio::test]
async fn what_comes_twice_or_too_late_is_given_once_and_never_after_a_newer_one() {
    let stage = Stage::new("seed=3 task-event@0.3 task-event:1.5@0.3").await;
    let changes = stage.lives(5).await;
    assert_each_is_newer(&changes);
    assert_eq!(versions(&changes).len(), 5);
    let fired: Vec<String> = stage.faults.fired().iter().map(|it| it.fault.to_string()).collect();
    for fault in ["task-event@0.3", "task-event:1.5@0.3"] {
        assert!(fired.iter().filter(|it| *it == fault).count() > 3, "{fault}: {fired:?}");
    }
}

#[tokio::test]
async fn a_change_that_is_lost_is_missing_and_nothing_else() {
    let stage = Stage::new("task-event:lost*2").await;
    let changes = stage.lives(1).await;
    assert_each_is_newer(&changes);
    assert!(changes.iter().all(|change| change.view.status != "PROVISIONING"), "{changes:?}");
}

#[tokio::test]
async fn what_was_given_and_not_asked_after_comes_again_to_the_next_reader() {
    let stage = Stage::new("").await;
    stage.tasks.launch(&request("k", 1)).await.unwrap();
    let first = stage.events.next().await.unwrap();
    assert!(!first.is_empty());
    // The reader dies here. Nothing was deleted, so the messages are only hidden for a while.
    assert!(!stage.world.aws.queue_messages(QUEUE).is_empty());
}

#[tokio::test]
async fn refusals_have_their_class() {
    let world = World::new().await;
    let url = world.aws.create_queue(QUEUE);
    let denied = world.connect("nobody", &["ecs:*"]).await.task_events(&url, CLUSTER);
    let fault = denied.next().await.unwrap_err();
    assert_eq!(fault.class, Class::Denied, "{fault}");
    assert!(fault.remedy.as_deref().unwrap().contains("allow sqs:ReceiveMessage"), "{fault:?}");
    let missing = world.connect("reader", &["sqs:*"]).await.task_events(format!("{url}-2"), CLUSTER);
    let fault = missing.next().await.unwrap_err();
    assert_eq!(fault.class, Class::NotFound, "{fault}");
    assert!(fault.to_string().contains("The specified queue does not exist"), "{fault}");
}
