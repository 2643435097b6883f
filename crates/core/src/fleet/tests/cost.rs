//! What the planner costs with ten thousand tasks. No timed test: it prints what it measures.
//!
//! `cargo test --release -p fleetfoot-core fleet::tests::cost -- --ignored --nocapture`

use std::time::{Duration, Instant};

use super::scene::*;
use crate::fleet::{PoolPolicy, SetPolicy, Step};
use crate::ids::RunnerId;
use crate::ports::Launched;
use crate::task::TaskState;

const TASKS: usize = 10_000;

fn scene() -> Scene {
    Scene::of(|pool: &mut PoolPolicy, set: &mut SetPolicy| (pool.max, set.max) = (2 * TASKS, TASKS))
}

fn tell(what: &str, count: usize, took: Duration) {
    println!("{what}: {:.1} µs each, {count} of them", took.as_secs_f64() * 1e6 / count as f64);
}

#[test]
#[ignore = "it measures, and prints what"]
fn of_one_event_among_ten_thousand_busy_runners() {
    let mut scene = scene();
    (0..TASKS).for_each(|n| scene.task(n, works(n)));
    scene.demand(SET, TASKS as u32, TASKS as u32);
    scene.fleet.settle(&scene.policy, scene.now);
    let (mut took, count) = (Duration::ZERO, 1000);
    for n in 0..count {
        let began = Instant::now();
        scene.is_done(n, id(n));
        scene.fleet.settle(&scene.policy, scene.now);
        let plan = crate::fleet::plan(scene.now, &scene.policy, &scene.fleet);
        took += began.elapsed();
        assert_eq!(plan.steps.len(), usize::from(n == 0), "what is spent is made up for");
        if let Some((step, _)) = plan.steps.first() {
            scene.fleet.begin(step, || "nonce".to_owned(), scene.now);
        }
        scene.demand(SET, (TASKS - n - 1) as u32, (TASKS - n - 1) as u32);
    }
    tell("a job's end, written down and planned for", count, took);
}

#[test]
#[ignore = "it measures, and prints what"]
fn of_a_burst_of_ten_thousand_jobs_from_their_assignment_to_their_end() {
    let mut scene = scene();
    scene.demand(SET, TASKS as u32, 0);
    let (mut begun, mut plans, mut tasks) = (Vec::new(), 0, 0);
    let began = Instant::now();
    loop {
        scene.fleet.settle(&scene.policy, scene.now);
        let plan = crate::fleet::plan(scene.now, &scene.policy, &scene.fleet);
        plans += 1;
        for (step, _) in plan.steps {
            let nonce = format!("nonce-{tasks}");
            let number = scene.fleet.begin(&step, || nonce, scene.now);
            begun.push((step, number));
        }
        let Some((step, number)) = begun.pop() else { break };
        match step {
            Step::Launch { count, .. } => {
                let started = (tasks..tasks + count).map(|n| view(n, TaskState::Coming)).collect();
                tasks += count;
                let answer = Launched { tasks: started, ..Launched::default() };
                scene.fleet.launched(POOL, number.unwrap(), Ok(answer), scene.now);
            }
            Step::Bind { task, set, .. } => {
                let n: u64 = task.id().parse().unwrap();
                scene.fleet.bound(&task, set, SCOPE, Ok(RunnerId(n)), scene.now);
            }
            _ => panic!("{step:?}"),
        }
    }
    assert_eq!(scene.fleet.tasks.set(SET).live, TASKS);
    for n in 0..TASKS {
        for state in [TaskState::Running, TaskState::Going, TaskState::Stopped] {
            scene.see(view(n, state));
            match state {
                TaskState::Running => drop(scene.begins(n, RunnerId(n as u64))),
                TaskState::Going => {
                    scene.is_done(n, RunnerId(n as u64));
                    let left = (TASKS - n - 1) as u32;
                    scene.demand(SET, left, left);
                }
                _ => {}
            }
            scene.fleet.settle(&scene.policy, scene.now);
            crate::fleet::plan(scene.now, &scene.policy, &scene.fleet);
            plans += 1;
        }
    }
    tell("a job, from its assignment to its end", TASKS, began.elapsed());
    println!("{:.1} plans a job", plans as f64 / TASKS as f64);
}
