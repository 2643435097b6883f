//! The simulated scale sets and the emulator of the crate `scaleset` are told the same story by the same
//! client, and must give the same answers, but for ids, addresses, times and the wording of refusals.
//!
//! The emulator was written by others, from the same source. Where the two differ, one of them has
//! misunderstood GitHub.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod emulated;
mod simulated;
mod story;

#[tokio::test]
async fn the_emulator_and_the_simulator_give_the_same_answers() {
    let (emulated, simulated) = (emulated::Emulated::new().await, simulated::Simulated::new().await);
    let (theirs, ours) = (story::tell(&emulated).await, story::tell(&simulated).await);
    for (number, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
        assert_eq!(theirs, ours, "step {number}: the emulator's answer, then ours");
    }
    assert_eq!(theirs.len(), ours.len());
    assert!(theirs.len() > 40, "the story is told in full");
    simulated.end().await;
}
