//! A container that ECS stops: SIGTERM reaches the agent, which as PID 1 would not hear it by itself.

use std::time::{Duration, Instant};

use fleetfoot_sim::events::JobStatus;
use fleetfoot_sim::protocol::Conclusion;

use crate::common::{Stage, until};
use crate::images::RUNNER;
use crate::task::on_runner;

/// What AWS gives a task on spot capacity.
const NOTICE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn an_idle_runner_leaves_at_once() {
    let stage = Stage::of_containers(&RUNNER, &[]).await;
    stage.by_hand(&["start", "--key", "k", "--pool", "Fargate-Spot"]).ok().await;
    let began = Instant::now();
    assert!(stage.world.aws.interrupt_task(&stage.only_task().arn, NOTICE));
    assert_eq!(stage.exit_code().await, 143, "{}", stage.container_log());
    assert!(began.elapsed() < Duration::from_secs(4), "before the grace is over");
    let log = stage.container_log();
    assert!(log.contains(r#""exit":"terminated""#), "{log}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs podman; cargo xtask test --only container"]
async fn a_job_is_cut_off_in_order_before_the_grace_is_over() {
    let stage = Stage::of_containers(&RUNNER, &[]).await;
    // GitHub's runner interrupts the step's own process alone, and a shell that waits for another takes no notice.
    let run = stage.dispatch(&on_runner("--pool Fargate-Spot", "exec sleep 60"));
    let busy = || stage.world.github.runners().first().is_some_and(|runner| runner.busy);
    until("the runner is busy", busy).await;
    assert!(stage.world.aws.interrupt_task(&stage.only_task().arn, NOTICE));
    assert_eq!(stage.exit_code().await, 13, "{}", stage.container_log());
    run.end().await;
    assert_eq!(run.job("build").status, JobStatus::Completed(Conclusion::Cancelled));
    stage.close().await;
}
