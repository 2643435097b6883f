//! Thousands of stories that chance has written.

use std::collections::BTreeMap;
use std::env;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::story::Story;

/// How many stories the ordinary run tells.
const STORIES: u64 = 3000;

/// Says how many to tell instead.
const HOW_MANY: &str = "FLEETFOOT_SIM_SEEDS";

/// Says which one to tell, with everything that happens in it.
const WHICH: &str = "FLEETFOOT_SIM_SEED";

fn number(variable: &str) -> Option<u64> {
    env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[test]
fn no_story_breaks_a_law() {
    if let Some(seed) = number(WHICH) {
        let told = Story::of(seed).tell(true);
        println!("{}", told.trace.join("\n"));
        assert!(told.broken.is_empty(), "seed {seed} breaks:\n{}", told.broken.join("\n"));
        return;
    }
    let (next, stories) = (AtomicU64::new(0), number(HOW_MANY).unwrap_or(STORIES));
    let tellers = thread::available_parallelism().map_or(1, usize::from);
    let told: Vec<_> = thread::scope(|scope| {
        let teller = || {
            let (mut broken, mut ends) = (Vec::new(), BTreeMap::<String, usize>::new());
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= stories {
                    return (broken, ends);
                }
                let Ok(told) = panic::catch_unwind(|| Story::of(seed).tell(false)) else {
                    broken.push((seed, "its telling panics".to_owned()));
                    continue;
                };
                told.ends.into_iter().for_each(|(end, n)| *ends.entry(end).or_default() += n);
                broken.extend(told.broken.into_iter().take(1).map(|law| (seed, law)));
            }
        };
        let tellers: Vec<_> = (0..tellers).map(|_| scope.spawn(teller)).collect();
        tellers.into_iter().map(|teller| teller.join().expect("a story is told to its end")).collect()
    });
    let (mut broken, mut ends) = (Vec::new(), BTreeMap::<String, usize>::new());
    for (some_broken, some_ends) in told {
        broken.extend(some_broken);
        for (end, n) in some_ends {
            *ends.entry(end).or_default() += n;
        }
    }
    broken.sort();
    println!("{stories} stories; launchers ended: {ends:?}");
    let shown: Vec<String> =
        broken.iter().take(12).map(|(seed, law)| format!("seed {seed}: {law}")).collect();
    assert!(
        broken.is_empty(),
        "{} of {stories} stories break a law:\n{}\nto see all that happens in the first of them:\n  \
         {WHICH}={} cargo test -p fleetfoot --test engine -- no_story_breaks_a_law --nocapture",
        broken.len(),
        shown.join("\n"),
        broken[0].0,
    );
}
