//! Rate limits and conditional requests.

use reqwest::Method;

use super::world::{RUNNERS, World};

#[tokio::test]
async fn a_limit_that_is_used_up_refuses() {
    let world = World::with(|config| config.rate_limit = 3).await;
    for remaining in ["2", "1", "0"] {
        let got = world.get(&world.admin, RUNNERS).await;
        assert_eq!((got.status, got.header("x-ratelimit-remaining")), (200, remaining));
    }
    let got = world.get(&world.admin, RUNNERS).await;
    assert_eq!(got.status, 403);
    assert!(got.message().starts_with("API rate limit exceeded"), "{}", got.message());
    assert_eq!((got.header("x-ratelimit-remaining"), got.header("x-ratelimit-used")), ("0", "3"));
    assert!(got.header("x-ratelimit-reset").parse::<u64>().unwrap() > 1_700_000_000);

    // Asking how much is left is free, and other tokens of the same user share the limit.
    let left = world.get(&world.admin, "/rate_limit").await;
    assert_eq!((left.status, &left.body["resources"]["core"]["remaining"]), (200, &0.into()));
    assert_eq!(world.get(&world.classic("mona", &["repo"]), RUNNERS).await.status, 403);
    assert_eq!(world.get(&world.classic("eve", &["repo"]), "/repos/octo/open").await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn what_has_not_changed_costs_nothing() {
    let world = World::new().await;
    let first = world.get(&world.admin, RUNNERS).await;
    let tag = first.header("etag").to_owned();
    let ask = async || world.call(Method::GET, &world.admin, RUNNERS, None, &[("If-None-Match", &tag)]).await;
    let same = ask().await;
    assert_eq!(same.status, 304);
    assert_eq!(same.header("x-ratelimit-remaining"), first.header("x-ratelimit-remaining"));

    world.register("new", &["x"]).await;
    let changed = ask().await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    world.end().await;
}
