//! Lives of runners as they are heard of, and the spans that come of them.

use std::sync::Arc;

use fleetfoot_core::fleet::{Manner, Policy, PoolPolicy, ScopeIndex, SetPolicy, Step};
use fleetfoot_core::ids::RunnerName;
use fleetfoot_core::ports::Launched;
use fleetfoot_core::scale_sets::{RequestId, ScaleSetSpec};
use fleetfoot_core::stack::{Capacity, Stack};
use fleetfoot_core::task::{TaskEnd, TaskState};
use serde_json::{Value, json};

use super::*;
use crate::serve::{Order, PoolOrder, SetOrder};

const TASK: &str = "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123456789abcdef8123456789abcdef";
const POOL: PoolIndex = PoolIndex(0);
const SET: SetIndex = SetIndex(0);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

fn task() -> TaskArn {
    TASK.parse().unwrap()
}

fn lives() -> Lives {
    let document = json!({
        "version": 1, "name": "prod", "region": "eu-west-1", "cluster": "ff", "mailbox": { "bucket": "mail" },
        "github": { "url": "https://github.com/acme" },
        "pools": [{ "name": "linux", "task_definition": "a", "arch": "x86_64", "cpu": 1024, "memory": 2048,
                    "capacity": [{ "provider": "asg" }, { "launch_type": "EC2" }] }],
        "scale_sets": [{ "name": "small", "pool": "linux" }],
    });
    let stack = Stack::from_json(&document.to_string()).unwrap();
    let set = SetOrder {
        spec: ScaleSetSpec {
            name: "small".parse().unwrap(),
            runner_group: "Default".to_owned(),
            labels: Vec::new(),
        },
        scope: ScopeIndex(0),
        pool: POOL,
        max: 9,
        idle_timeout: seconds(60),
        max_lifetime: seconds(60),
    };
    let pools = vec![PoolOrder::of(&stack, &stack.pools[0], seconds(60))];
    let (mailbox, cluster) = (stack.mailbox.clone(), stack.cluster.clone());
    let places = vec!["acme".to_owned()];
    Lives::new(Names(Arc::new(Order { pools, sets: vec![set], places, mailbox, bind_timeout: 60, cluster })))
}

fn job() -> Box<Job> {
    Box::new(Job {
        request: RequestId(1),
        id: "6f9619ff".to_owned(),
        name: "build (arm)".to_owned(),
        repository: Some("acme/shop".parse().unwrap()),
        workflow_ref: String::new(),
        run_id: 77,
        event: "push".to_owned(),
        labels: Vec::new(),
        queued: None,
        assigned: None,
        taken: Some(at(20)),
        finished: None,
    })
}

/// The task as it has stopped: created at 2, pulled from 4 to 8, run at 10, stopped at 40.
fn stopped(exit_code: Option<i32>) -> TaskView {
    let mut phases = PhaseTimes::default();
    for (phase, second) in
        [(Phase::Provisioning, 2), (Phase::Pulling, 4), (Phase::Starting, 8), (Phase::Gone, 40)]
    {
        phases.reach(phase, at(second));
    }
    let stop_code = Some("EssentialContainerExited".to_owned());
    TaskView {
        arn: task(),
        state: TaskState::Stopped,
        status: "STOPPED".to_owned(),
        phases,
        started_by: Some("fleetfoot/prod/linux".to_owned()),
        capacity: Some(Capacity::Provider("asg".to_owned())),
        cpu: None,
        memory: None,
        ephemeral_storage: None,
        tags: BTreeMap::new(),
        mailbox: None,
        end: Some(TaskEnd { stop_code, stopped_reason: None, exit_code, container_reason: None }),
        billed_from: None,
        started_at: Some(at(10)),
        stopped_at: Some(at(40)),
    }
}

fn done() -> TaskView {
    stopped(Some(AgentExit::JobSucceeded.code().into()))
}

fn gone(view: TaskView) -> News {
    News::Gone(Box::new(view))
}

fn launched() -> News {
    News::Launched { pool: POOL, capacity: 0, tasks: vec![task()], took: seconds(1) }
}

fn bound() -> News {
    News::Bound { task: task(), set: SET, waited: seconds(0), warm: false }
}

fn busy() -> News {
    News::Busy { task: task(), set: SET, job: job(), waited: None }
}

fn ended(result: &str) -> News {
    News::Done { task: task(), set: SET, job: job(), result: result.to_owned() }
}

fn verdict(class: &str) -> Verdict {
    Verdict { class: class.to_owned(), sentence: format!("it is {class}"), remedy: None }
}

/// What is told when all this was heard, each in its second; only the last of it may tell something.
fn told(lives: &mut Lives, news: &[(i64, News)]) -> Option<Vec<Span>> {
    let (last, before) = news.split_last().unwrap();
    for (second, news) in before {
        assert_eq!(lives.hear(at(*second), news), None);
    }
    lives.hear(at(last.0), &last.1)
}

fn told_anew(news: &[(i64, News)]) -> Vec<Span> {
    told(&mut lives(), news).unwrap()
}

/// Names and seconds; `!` marks one that has failed.
fn outline(spans: &[Span]) -> Vec<String> {
    let of = |span: &Span| {
        let second = |time: &super::super::wire::Nanoseconds| time.0.as_second();
        let (from, to) = (second(&span.start_time_unix_nano), second(&span.end_time_unix_nano));
        format!("{}{} {from}-{to}", if span.status.is_some() { "!" } else { "" }, span.name)
    };
    spans.iter().map(of).collect()
}

fn attributes(span: &Span) -> Value {
    let pairs = span.attributes.iter().map(|told| (told.key.clone(), json!(told.value.string_value)));
    Value::Object(pairs.collect())
}

#[test]
fn a_life_is_a_span_with_one_below_it_for_each_phase() {
    let spans = told_anew(&[
        (2, launched()),
        (3, bound()),
        (21, busy()),
        (30, ended("succeeded")),
        (41, gone(done())),
    ]);
    let expected = [
        "runner 1-40",
        "requested 1-2",
        "provisioning 2-4",
        "pulling 4-8",
        "starting 8-10",
        "bound 3-20",
        "job 20-30",
        "done 30-40",
    ];
    assert_eq!(outline(&spans), expected);
    let (root, phases) = spans.split_first().unwrap();
    assert_eq!(
        serde_json::to_value(root.trace_id).unwrap(),
        "0123456789abcdef8123456789abcdef",
        "the task's"
    );
    assert_eq!(root.parent_span_id, None);
    let mut ids: Vec<u64> = spans.iter().map(|span| span.span_id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
    assert!(phases.iter().all(|s| s.trace_id == root.trace_id && s.parent_span_id == Some(root.span_id)));
    let of_job = json!({
        "cicd.pipeline.run.id": "77",
        "cicd.pipeline.task.run.id": "6f9619ff",
        "cicd.pipeline.task.name": "build (arm)",
        "vcs.owner.name": "acme",
        "vcs.repository.name": "shop",
        "cicd.pipeline.task.run.result": "success",
    });
    let mut of_runner = json!({
        "cicd.worker.name": RunnerName::of_task(&task()).as_str(),
        "aws.ecs.task.arn": TASK,
        "fleetfoot.pool": "linux",
        "fleetfoot.capacity": "asg",
        "fleetfoot.github": "acme",
        "fleetfoot.scale_set": "small",
        "fleetfoot.outcome": "done",
    });
    of_runner.as_object_mut().unwrap().extend(of_job.as_object().unwrap().clone());
    assert_eq!(attributes(root), of_runner);
    assert_eq!(attributes(&spans[6]), of_job);
}

#[test]
fn a_job_that_fails_is_no_failure_of_its_runner() {
    let spans = told_anew(&[(3, bound()), (21, busy()), (30, ended("failed")), (41, gone(done()))]);
    assert!(spans.iter().all(|span| span.status.is_none()), "{:?}", outline(&spans));
    assert_eq!(attributes(&spans[0])["cicd.pipeline.task.run.result"], "failure");
    assert_eq!(attributes(&spans[0])["fleetfoot.outcome"], "done");
}

#[test]
fn a_task_that_waits_for_a_set_is_warm() {
    let online = News::Online(task());
    let spans = told_anew(&[
        (2, launched()),
        (15, bound()),
        (17, online),
        (21, busy()),
        (30, ended("x")),
        (41, gone(done())),
    ]);
    let expected = ["warm 10-15", "bound 15-17", "online 17-20", "job 20-30", "done 30-40"];
    assert_eq!(outline(&spans)[5..], expected);
    // Nobody needed it.
    let spans = told_anew(&[(2, launched()), (41, gone(stopped(None)))]);
    assert_eq!(outline(&spans)[5..], ["warm 10-40"]);
    assert_eq!(attributes(&spans[0])["fleetfoot.outcome"], "unused");
}

#[test]
fn a_launch_that_is_refused_is_a_trace_of_its_own() {
    let refused =
        || News::NotLaunched { pool: POOL, capacity: 1, why: verdict("no-capacity"), took: seconds(2) };
    let spans = told_anew(&[(7, refused())]);
    assert_eq!(outline(&spans), ["!launch 5-7", "!requested 5-7"]);
    assert_eq!(
        attributes(&spans[0]),
        json!({ "fleetfoot.pool": "linux", "fleetfoot.capacity": "EC2", "fleetfoot.outcome": "not-launched",
                "error.type": "no-capacity" })
    );
    assert_eq!(
        serde_json::to_value(&spans[1]).unwrap()["status"],
        json!({ "code": 2, "message": "it is no-capacity" })
    );
    assert_ne!(told_anew(&[(7, refused())])[0].trace_id, spans[0].trace_id);
}

#[test]
fn a_task_that_fails_before_it_runs_fails_where_ecs_was() {
    let mut view = stopped(None);
    view.started_at = None;
    view.phases = PhaseTimes::default();
    view.phases.reach(Phase::Provisioning, at(2));
    view.phases.reach(Phase::Pulling, at(4));
    let failed = || News::Failed { task: task(), pool: POOL, why: verdict("image-missing") };
    let spans = told_anew(&[(2, launched()), (3, bound()), (40, failed()), (40, gone(view))]);
    assert_eq!(
        outline(&spans),
        ["!runner 1-40", "requested 1-2", "provisioning 2-4", "!pulling 4-40", "bound 3-40"]
    );
    assert_eq!(attributes(&spans[0])["error.type"], "image-missing");
    assert_eq!(attributes(&spans[0])["fleetfoot.outcome"], "failed");
    // Its container ran, and its runner never was online.
    let spans = told_anew(&[(3, bound()), (40, failed()), (40, gone(stopped(Some(1))))]);
    assert_eq!(outline(&spans).last().unwrap(), "!bound 3-40");
}

#[test]
fn a_job_that_is_cut_off_fails_with_its_runner() {
    let cut = News::Interrupted { task: task(), set: SET, why: verdict("spot-interruption") };
    let spans =
        told_anew(&[(2, launched()), (3, bound()), (21, busy()), (39, cut), (40, gone(stopped(None)))]);
    assert_eq!(outline(&spans)[0], "!runner 1-40");
    assert_eq!(outline(&spans)[5..], ["bound 3-20", "!job 20-40"]);
    for span in [&spans[0], &spans[6]] {
        assert_eq!(attributes(span)["error.type"], "spot-interruption");
        assert_eq!(attributes(span)["cicd.pipeline.task.run.result"], "error");
    }
    assert_eq!(attributes(&spans[0])["fleetfoot.outcome"], "interrupted");
}

#[test]
fn of_a_runner_that_another_process_has_brought_what_is_known_is_told() {
    let spans = told_anew(&[(30, ended("succeeded")), (41, gone(done()))]);
    let expected =
        ["runner 2-40", "provisioning 2-4", "pulling 4-8", "starting 8-10", "job 20-30", "done 30-40"];
    assert_eq!(outline(&spans), expected);
    assert_eq!(attributes(&spans[0])["fleetfoot.pool"], "linux");
    assert_eq!(attributes(&spans[0])["fleetfoot.scale_set"], "small");
    // Whoever has brought it, tells the same ids.
    let whole = told_anew(&[(2, launched()), (30, ended("succeeded")), (41, gone(done()))]);
    assert_eq!((whole[0].trace_id, whole[0].span_id), (spans[0].trace_id, spans[0].span_id));
}

/// A fleet that has the task.
fn fleet() -> Fleet {
    let policy = Policy {
        pools: vec![PoolPolicy { capacities: 1, max: 9, warm: 0 }],
        sets: vec![SetPolicy { pool: POOL, scope: ScopeIndex(0), min: 0, max: 9 }],
        manner: Manner::default(),
    };
    let mut fleet = Fleet::new(&policy, "ff");
    let step = Step::Launch { pool: POOL, capacity: 0, count: 1, again: None };
    let number = fleet.begin(&step, || "nonce".to_owned(), at(1)).unwrap();
    let view = TaskView { state: TaskState::Coming, end: None, ..done() };
    fleet.launched(POOL, number, Ok(Launched { tasks: vec![view], ..Launched::default() }), at(2));
    assert!(fleet.tasks.get(&task()).is_some());
    fleet
}

#[test]
fn a_result_that_is_late_is_waited_for_a_minute() {
    let news = [(3, bound()), (21, busy()), (41, gone(done()))];
    let (fleet, mut patient) = (fleet(), lives());
    assert_eq!(told(&mut patient, &news), None);
    assert_eq!(patient.look(at(100), &fleet), Vec::<Vec<Span>>::new());
    let spans = patient.hear(at(100), &ended("succeeded")).unwrap();
    assert_eq!(attributes(&spans[0])["cicd.pipeline.task.run.result"], "success");
    assert_eq!(outline(&spans)[0], "runner 2-100", "it was over when GitHub said so at the latest");

    let mut lives = lives();
    assert_eq!(told(&mut lives, &news), None);
    let all = lives.look(at(101), &fleet);
    assert_eq!(all.len(), 1);
    assert_eq!(outline(&all[0])[0], "runner 2-40");
    assert_eq!(attributes(&all[0][0])["fleetfoot.outcome"], "done", "the agent's exit code says so");
    assert_eq!(lives.hear(at(102), &ended("succeeded")), None, "it was told already");
    assert_eq!(lives.look(at(200), &fleet).len() + lives.end().len(), 0);
}

#[test]
fn what_has_ended_is_told_at_the_end_and_what_goes_on_is_not() {
    let mut lives = lives();
    assert_eq!(told(&mut lives, &[(3, bound()), (21, busy())]), None);
    assert_eq!(lives.end().len(), 0);
    assert_eq!(told(&mut lives, &[(41, gone(done()))]), None);
    assert_eq!(lives.end().len(), 1);
    assert_eq!(lives.end().len(), 0);
}

#[test]
fn a_task_that_ecs_has_forgotten_is_over_and_remembered_no_longer() {
    let mut lives = lives();
    assert_eq!(told(&mut lives, &[(2, launched()), (3, bound()), (21, busy())]), None);
    let fleet = Fleet::default();
    let all = lives.look(at(500), &fleet);
    assert_eq!(outline(&all[0]), ["runner 1-500", "requested 1-500", "bound 3-20", "job 20-500"]);
    assert_eq!(attributes(&all[0][0])["fleetfoot.outcome"], "unknown");
    assert_eq!(attributes(&all[0][0])["fleetfoot.pool"], "linux");
    assert_eq!(attributes(&all[0][0])["fleetfoot.capacity"], "asg");
    assert!(lives.lives.is_empty());
}
