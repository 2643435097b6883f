//! `fleetfoot serve`: jobs that name a scale set, and the runners that appear for them.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::{Fleetfoot, Stage, until};

/// A scale set of the stack.
const SET: &str = "my-pool";

/// Two jobs that need no start job.
const JOBS: &str = "
  one:
    runs-on: my-pool
    steps:
      - run: echo \"one on $RUNNER_NAME\"
  two:
    runs-on: my-pool
    steps:
      - run: echo \"two on $RUNNER_NAME\"
";

impl Stage {
    /// The autoscaler over a stack with this scale set, changed.
    fn serve(&self, change: impl FnOnce(&mut Value)) -> Fleetfoot {
        let stack = self.stack_file(|stack| {
            stack["scale_sets"] = json!([{ "name": SET, "pool": "Fargate", "max": 4 }]);
            change(stack);
        });
        let serve = ["serve", "--stack-file", stack.as_str(), "--listen", "127.0.0.1:0"];
        self.by_hand(&serve).without("FLEETFOOT_STACK").env("FLEETFOOT_GRACE", "1s")
    }

    fn live(&self) -> usize {
        self.live_tasks().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_name_a_scale_set_get_a_runner_each() {
    let stage = Stage::new().await;
    let serving = stage.serve(|_| {}).spawn();
    let run = stage.dispatch(JOBS);
    run.succeeds().await;
    let runners = [run.job("one").runner, run.job("two").runner].map(Option::unwrap);
    assert_ne!(runners[0], runners[1], "a runner is good for one job");
    until("the tasks have stopped", || stage.live() == 0).await;
    serving.signal(Signal::SIGTERM);
    let end = serving.end().await;
    assert_eq!(end.code, 0, "{end:#?}");
    assert!(end.stdout.contains("\"message\":\"job ended\""), "{end:#?}");
    assert_eq!(stage.world.github.runners().len(), 0, "no registration is left");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_and_warm_tasks_are_kept() {
    let stage = Stage::new().await;
    let serving = stage
        .serve(|stack| {
            stack["scale_sets"][0]["min"] = 1.into();
            stack["pools"][0]["warm"] = 2.into();
        })
        .spawn();
    until("a runner waits and two tasks are warm", || {
        stage.live() == 3 && stage.world.github.runners().len() == 1
    })
    .await;
    let run = stage.dispatch(JOBS);
    run.succeeds().await;
    until("all is as before", || stage.live() == 3 && stage.world.github.runners().len() == 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.live(), 3);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().await.code, 0);
    stage.close().await;
}
