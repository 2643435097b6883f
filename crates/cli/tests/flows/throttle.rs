//! A burst keeps to the published rates: no service has to refuse a call, and waiting for a turn holds up
//! neither a signal, nor the deadline, nor the clean-up.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::common::{JITCONFIG, RUNNER, Stage, until};
use crate::failing::{add_image, nothing_is_left};

/// So many registrations GitHub takes in a minute.
const IN_A_MINUTE: usize = 80;

impl Stage {
    /// Every call of ECS and GitHub had an answer other than "too much".
    fn assert_nobody_throttled(&self) {
        let of_them = |service: &str| ["ecs", "github"].contains(&service);
        let refused: Vec<_> = self
            .world
            .book
            .calls()
            .into_iter()
            .filter(|call| of_them(call.service) && call.status >= 400)
            .collect();
        assert!(refused.is_empty(), "{refused:#?}");
    }
}

/// What takes no time and no processor: tasks that only sleep.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    add_image(&stage, &["/bin/sleep", "1000"]);
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_as_a_minute_takes_are_started_at_once() {
    let stage = stage().await;
    let began = Instant::now();
    stage.by_hand(&["start", "--key", "k", "--count", "80", "--wait", "none"]).ok().await;
    assert!(began.elapsed() < Duration::from_secs(30), "nobody waited: {:?}", began.elapsed());
    assert_eq!(stage.count("s3", "PutObject"), IN_A_MINUTE);
    stage.by_hand(&["stop", "--key", "k"]).ok().await;
    stage.assert_nobody_throttled();
    nothing_is_left(&stage).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_heard_while_registrations_wait_for_their_turn() {
    let stage = stage().await;
    let start = stage.by_hand(&["start", "--key", "k", "--count", "100", "--wait", "none"]).spawn();
    until("the minute is used up", || stage.count("s3", "PutObject") == IN_A_MINUTE).await;
    start.signal(Signal::SIGTERM);
    let began = Instant::now();
    let ran = start.end().await;
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(ran.code, 143, "{ran:#?}");
    assert!(ran.stderr.ends_with("error: the start was cancelled (told to end)\n"), "{ran:#?}");
    stage.assert_nobody_throttled();
    nothing_is_left(&stage).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_holds_while_registrations_wait_for_their_turn() {
    let stage = stage().await;
    let began = Instant::now();
    let start = ["start", "--key", "k", "--count", "100", "--wait", "none", "--timeout", "8s"];
    let said = stage.by_hand(&start).fails(1).await;
    assert!((8..14).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let told = [
        "only 80 of 100 runners were ready in time: ",
        "by its published rates GitHub takes no more of these",
    ];
    assert!(told.iter().all(|words| said.contains(words)), "{said}");
    assert_eq!(stage.count("github", JITCONFIG), IN_A_MINUTE);
    stage.assert_nobody_throttled();
    nothing_is_left(&stage).await;
    stage.close().await;
}

/// Eighty looks ten times a second are far more than GitHub takes.
#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_holds_while_looks_wait_for_their_turn() {
    let stage = stage().await;
    let began = Instant::now();
    let said = stage.by_hand(&["start", "--key", "k", "--count", "80", "--timeout", "8s"]).fails(1).await;
    assert!((8..14).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(said.contains("only 0 of 80 runners were ready in time: 80× the task runs"), "{said}");
    let looks = stage.count("github", RUNNER);
    assert!((100..250).contains(&looks), "spread, and still looking: {looks}");
    stage.assert_nobody_throttled();
    nothing_is_left(&stage).await;
    stage.close().await;
}
