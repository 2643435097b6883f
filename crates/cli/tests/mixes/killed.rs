//! `start` gets SIGKILL at every step of its road: before each call that it makes, and after it.
//!
//! Nothing of what it knew is left. Whoever comes next has ECS, GitHub and the bucket alone: `reap`, once the
//! run is over, or the same start once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fleetfoot_sim::faults::Faults;
use nix::sys::signal::Signal;
use tokio::task::JoinSet;

use crate::common::Stage;
use crate::common::process::Ran;
use crate::gate::{Gate, Moment};
use crate::host::Host;
use crate::lanes;
use crate::truths::{is_empty, is_over, left, soon};

/// How many worlds share the steps.
const WORLDS: usize = 6;

/// Longer than a start takes to find out that a registration was never handed over.
const BIND_TIMEOUT: &str = "1m";

/// Looks rarely: every look is a step, and each is like the one before.
const START: [&str; 10] =
    ["start", "--key", "k", "--count", "2", "--poll", "1s", "--idle-timeout", "2m", "--output=json"];

/// What comes after the kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequel {
    /// The run ends, and `reap` comes.
    Reap,
    /// The same start, and a stop after it.
    Again,
}

/// A world with a gate, and a job for commands in it.
struct Scene<'a> {
    stage: &'a Stage,
    gate: &'a Gate,
    host: Host<'a>,
}

impl Scene<'_> {
    /// Runs a start, and kills it when this call is held back; gives its end if it was over before.
    async fn kill(&self, step: usize, moment: Moment) -> Option<Ran> {
        self.gate.hold(step, moment);
        let mut start = self.gate.before(&self.host, &START).spawn();
        let killed = tokio::select! {
            () = self.gate.held() => true,
            _ = start.child().wait() => false,
        };
        if killed {
            start.signal(Signal::SIGKILL);
        }
        let ran = start.end().await;
        self.gate.open();
        (!killed).then_some(ran)
    }

    async fn reap(&self) -> Result<(), String> {
        self.host.leave().await;
        let reap = self.stage.reap().run().await;
        if reap.code != 0 {
            return Err(format!("reap failed: {reap:#?}"));
        }
        // Of a runner on its way out reap leaves the registration, for a job may come to its end there.
        if soon(|| is_over(self.stage)).await && !is_empty(self.stage) {
            self.stage.reap().ok().await;
        }
        Ok(())
    }

    async fn again(&self) -> Result<(), String> {
        let before: Vec<String> = self.stage.live_tasks().into_iter().map(|task| task.arn).collect();
        let again = self.gate.before(&self.host, &START).run().await;
        if again.code != 0 {
            return Err(format!("the same start failed: {again:#?}"));
        }
        let tasks = again.tasks();
        let online = self.stage.world.github.runners().iter().filter(|runner| runner.online).count();
        let result = if tasks.len() != 2 || online != 2 || self.stage.live_tasks().len() != 2 {
            Err(format!("two runners were wanted, {online} are online: {again:#?}"))
        } else if before.iter().any(|arn| !tasks.contains(arn)) {
            Err(format!("{before:?} were there, and not all of them were taken over: {tasks:?}"))
        } else {
            Ok(())
        };
        let stop = self.gate.before(&self.host, &["stop", "--wait"]).run().await;
        self.host.leave().await;
        if stop.code == 0 { result } else { Err(format!("stop failed: {stop:#?}")) }
    }

    /// What is left after a while.
    async fn left(&self) -> Result<(), String> {
        if soon(|| is_over(self.stage) && is_empty(self.stage)).await {
            return Ok(());
        }
        Err(format!("{} are left", left(self.stage)))
    }
}

/// The steps that are still to be done, for all worlds.
#[derive(Default)]
struct Steps {
    last: AtomicUsize,
    over: AtomicBool,
}

impl Steps {
    fn next(&self) -> Option<usize> {
        let step = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        (!self.over.load(Ordering::SeqCst)).then_some(step)
    }
}

/// Takes steps as long as there are any, in a world of its own; gives those that went wrong.
async fn work(steps: Arc<Steps>, sequel: Sequel) -> Vec<String> {
    let _lane = lanes::enter().await;
    let stage = Stage::hurried(Faults::default(), BIND_TIMEOUT).await;
    let gate = Gate::build(&stage).await;
    let mut lies = Vec::new();
    while let Some(step) = steps.next() {
        for moment in [Moment::Before, Moment::After] {
            let scene = Scene { stage: &stage, gate: &gate, host: Host::enter(&stage).await };
            if let Some(ran) = scene.kill(step, moment).await {
                // It makes fewer calls: all steps are done.
                steps.over.store(true, Ordering::SeqCst);
                assert_eq!(ran.code, 0, "{ran:#?}");
            }
            let result = match sequel {
                Sequel::Reap => scene.reap().await,
                Sequel::Again => scene.again().await,
            };
            for lie in [result, scene.left().await].into_iter().filter_map(Result::err) {
                lies.push(format!("killed {moment:?} call {step}: {lie}"));
            }
        }
    }
    stage.close().await;
    lies
}

async fn at_every_step(sequel: Sequel) {
    let steps = Arc::new(Steps::default());
    let mut worlds = JoinSet::new();
    (0..WORLDS).for_each(|_| drop(worlds.spawn(work(Arc::clone(&steps), sequel))));
    let lies = worlds.join_all().await.concat();
    assert!(lies.is_empty(), "{}", lies.join("\n\n"));
    // A check, RunTask, two registrations, two assignments and a look at each runner at least.
    assert!(steps.last.load(Ordering::SeqCst) > 10, "a start makes more calls than that");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_a_start_is_reaped() {
    at_every_step(Sequel::Reap).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_a_start_is_taken_over_by_the_next() {
    at_every_step(Sequel::Again).await;
}
