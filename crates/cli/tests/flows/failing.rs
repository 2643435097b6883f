//! A start that does not come to its end says why, and leaves nothing behind: no task, no registration, no
//! mail.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetfoot_sim::aws::{LocalImage, TaskStatus};
use fleetfoot_sim::protocol::Conclusion;
use nix::sys::signal::Signal;

use crate::common::{JITCONFIG, START, Stage, until};

/// An image whose program is this one.
pub(crate) fn add_image(stage: &Stage, argv: &[&str]) {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    stage.world.aws.add_image("other:1", LocalImage { argv, env: BTreeMap::new(), files: None });
    stage.use_image("other:1");
}

pub(crate) async fn nothing_is_left(stage: &Stage) {
    let stopped = || stage.world.aws.tasks().iter().all(|task| task.status == TaskStatus::Stopped);
    until("all tasks have stopped", stopped).await;
    stage.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_there_is_told_in_ecs_s_words() {
    let stage = Stage::new().await;
    stage.use_image("registry.example/none:1");
    let said = stage.by_hand(&["start", "--key", "k", "--count", "2"]).fails(1).await;
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains("ended before its runner was online: CannotPullContainerError: "), "{said}");
    assert!(error.contains("registry.example/none:1"), "{said}");
    let help = said.lines().last().unwrap();
    let wanted = "  help: Check the image's address and tag in the task definition, and that it was pushed. Its log, \
                  if it has one: log group /fleetfoot/demo, the stream that ends in ";
    assert!(help.starts_with(wanted), "{help}");
    nothing_is_left(&stage).await;
    stage.close().await;
}

/// The start goes on with another task; why the first one was none is not kept back.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_replaced_is_told_of() {
    let stage = Stage::new().await;
    stage.arm("task-fails-to-start:pull").await;
    let ran = stage.by_hand(&["start", "--key", "k", "--output", "json"]).ok().await;
    let gone =
        stage.world.aws.tasks().iter().find(|task| task.status == TaskStatus::Stopped).unwrap().arn.clone();
    let id = gone.rsplit('/').next().unwrap();
    let sentence = format!("task {id} ended before its runner was online: CannotPullContainerError: ");
    assert_eq!(ran.stderr.matches(&sentence).count(), 1, "{ran:#?}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_an_agent_ends_the_start_with_its_exit_code() {
    let stage = Stage::new().await;
    add_image(&stage, &["/bin/false"]);
    let said = stage.by_hand(&["start", "--key", "k"]).fails(1).await;
    assert!(said.contains("Essential container in task exited (exit code 1)\n"), "{said}");
    nothing_is_left(&stage).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_takes_too_long_says_what_was_waited_for() {
    let stage = Stage::new().await;
    add_image(&stage, &["/bin/sleep", "1000"]);
    let said = stage.by_hand(&["start", "--key", "k", "--timeout", "2s"]).fails(1).await;
    assert!(
        said.ends_with(
            "error: only 0 of 1 runners were ready in time: 1× the task runs and its runner is not online\n  \
             help: Look at the tasks' logs; raise --timeout if they are only slow.\n"
        ),
        "{said}"
    );
    nothing_is_left(&stage).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_and_sigint_take_everything_away() {
    for (signal, code, word) in [(Signal::SIGTERM, 143, "told to end"), (Signal::SIGINT, 130, "interrupted")]
    {
        let stage = Stage::new().await;
        let start = stage.by_hand(&["start", "--key", "k", "--count", "3"]).spawn();
        until("all are bound", || stage.count("s3", "PutObject") == 3).await;
        start.signal(signal);
        let ran = start.end().await;
        assert_eq!(ran.code, code, "{ran:#?}");
        assert!(ran.stderr.ends_with(&format!("error: the start was cancelled ({word})\n")), "{ran:#?}");
        nothing_is_left(&stage).await;
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_comes_early_takes_everything_away() {
    let stage = Stage::new().await;
    for milliseconds in [0, 10, 20, 30, 40, 60, 80] {
        let key = format!("k{milliseconds}");
        let start = stage.by_hand(&["start", "--key", &key, "--count", "12"]).spawn();
        tokio::time::sleep(Duration::from_millis(30 + milliseconds)).await;
        start.signal(Signal::SIGTERM);
        let ran = start.end().await;
        // Before the handler is there, the signal itself ends the process.
        assert!(ran.code == 143 || ran.code == -1, "{ran:#?}");
    }
    nothing_is_left(&stage).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_takes_everything_away() {
    let stage = Stage::new().await;
    let run = stage.dispatch(&START.replace("ARGS", "--count 2"));
    until("both are registered", || stage.count("github", JITCONFIG) == 2).await;
    assert!(stage.world.github.cancel_run(run.id));
    assert_eq!(run.end().await, Conclusion::Cancelled);
    nothing_is_left(&stage).await;
    stage.close().await;
}

/// What an earlier start with this key has brought is not this one's to take away.
#[tokio::test(flavor = "multi_thread")]
async fn runners_of_an_earlier_start_stay() {
    let stage = Stage::new().await;
    let first = stage.by_hand(&["start", "--key", "k", "--output", "json"]).ok().await.tasks();
    let more = stage.by_hand(&["start", "--key", "k", "--count", "2"]).spawn();
    until("the second is bound", || stage.count("s3", "PutObject") == 2).await;
    more.signal(Signal::SIGTERM);
    assert_eq!(more.end().await.code, 143);
    until("the second is gone", || stage.live_tasks().len() == 1).await;
    assert_eq!(stage.live_tasks()[0].arn, first[0]);
    assert!(stage.world.github.runners()[0].online);
    stage.close().await;
}

/// Nothing was started yet, and the service that is asked does not answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_what_waits_for_an_answer() {
    let stage = Stage::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    for command in ["start", "stop"] {
        let call = stage.by_hand(&[command, "--key", "k"]).env("AWS_ENDPOINT_URL", &url).spawn();
        let (_asked, _) = silent.accept().await.unwrap();
        call.signal(Signal::SIGTERM);
        let ran = tokio::time::timeout(Duration::from_secs(3), call.end()).await.expect("it ends at once");
        assert_eq!(ran.code, 143, "{ran:#?}");
    }
    stage.close().await;
}
