//! A burst keeps to the published rates: no service has to refuse a call, and waiting for a turn holds up
//! neither a signal, nor the deadline, nor the clean-up.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::common::{JITCONFIG, RUNNER, Stage, until};
use crate::failing::{add_image, nothing_is_left};

/// So many registrations GitHub takes in a minute.
const IN_A_MINUTE: usize = 80;

const DELETION: &str = "DELETE /repos/{owner}/{repo}/actions/runners/{runner_id}";

impl Stage {
    /// Takes away what a start has brought, or on a busy machine could not take back in time. Nothing is left
    /// then, and no call of ECS and GitHub had "too much" for an answer.
    async fn ends(self) {
        self.by_hand(&["stop", "--key", "k"]).ok().await;
        nothing_is_left(&self).await;
        let of_them = |service: &str| ["ecs", "github"].contains(&service);
        let mut refused = self.world.book.calls();
        refused.retain(|call| of_them(call.service) && call.status >= 400);
        assert!(refused.is_empty(), "{refused:#?}");
        self.close().await;
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
    stage.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_heard_while_registrations_wait_for_their_turn() {
    let stage = stage().await;
    let start = stage.by_hand(&["start", "--key", "k", "--count", "90", "--wait", "none"]).spawn();
    until("the minute is used up", || stage.count("s3", "PutObject") == IN_A_MINUTE).await;
    start.signal(Signal::SIGTERM);
    let began = Instant::now();
    let ran = start.end().await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(ran.code, 143, "{ran:#?}");
    assert_ne!(stage.count("github", DELETION), 0, "deletions do not wait with the others");
    stage.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_holds_while_registrations_wait_for_their_turn() {
    let stage = stage().await;
    let began = Instant::now();
    let start = ["start", "--key", "k", "--count", "90", "--wait", "none", "--timeout", "8s"];
    let said = stage.by_hand(&start).fails(1).await;
    assert!((8..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let told = [
        "only 80 of 90 runners were ready in time: ",
        "by its published rates GitHub takes no more of these",
    ];
    assert!(told.iter().all(|words| said.contains(words)), "{said}");
    assert_eq!(stage.count("github", JITCONFIG), IN_A_MINUTE);
    assert_ne!(stage.count("github", DELETION), 0, "deletions do not wait with the others");
    stage.ends().await;
}

/// Sixty looks ten times a second are far more than GitHub takes.
#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_holds_while_looks_wait_for_their_turn() {
    let stage = stage().await;
    let began = Instant::now();
    let said = stage.by_hand(&["start", "--key", "k", "--count", "60", "--timeout", "6s"]).fails(1).await;
    assert!((6..14).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(said.contains("only 0 of 60 runners were ready in time: "), "{said}");
    assert!(stage.count("github", RUNNER) < 200, "they are spread");
    stage.ends().await;
}
