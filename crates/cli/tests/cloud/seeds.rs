//! Thousands of stories that chance has written.

use std::collections::BTreeMap;
use std::env;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jiff::SignedDuration;

/// What came of a story.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Laws that were broken.
    pub(crate) broken: Vec<String>,
    /// What happened, if it was traced.
    pub(crate) trace: Vec<String>,
    /// What is counted over all stories, such as how launchers ended.
    pub(crate) counts: BTreeMap<String, usize>,
    /// How long each job has waited that was begun.
    pub(crate) waits: Vec<SignedDuration>,
}

/// How stories are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling {
    /// The test.
    pub(crate) test: &'static str,
    /// The test's binary.
    pub(crate) target: &'static str,
    /// How many stories an ordinary run tells.
    pub(crate) stories: u64,
    /// The variable that says how many to tell instead, or from which to which: `5000`, `5000..9000`.
    pub(crate) how_many: &'static str,
    /// The variable that says which one to tell, with everything that happens in it.
    pub(crate) which: &'static str,
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

impl Telling {
    /// Tells them all, `tell` one each; the second argument says whether to trace it.
    #[expect(clippy::print_stdout, reason = "what a test has told is shown if it fails")]
    pub(crate) fn no_story_breaks_a_law(
        self,
        tell: impl Fn(u64, bool) -> Told + Sync + panic::RefUnwindSafe,
    ) {
        if let Ok(seed) = env::var(self.which) {
            let told = tell(number(&seed), true);
            println!("{}", told.trace.join("\n"));
            assert!(told.broken.is_empty(), "seed {seed} breaks:\n{}", told.broken.join("\n"));
            return;
        }
        let wished = env::var(self.how_many).ok();
        let (from, to) = match wished.as_deref().map(|text| text.split_once("..").unwrap_or(("0", text))) {
            Some((from, to)) => (number(from), number(to)),
            None => (0, self.stories),
        };
        let (next, tellers) = (AtomicU64::new(from), thread::available_parallelism().map_or(1, usize::from));
        let told: Vec<_> = thread::scope(|scope| {
            let teller = || {
                let (mut broken, mut counts) = (Vec::new(), BTreeMap::<String, usize>::new());
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= to {
                        return (broken, counts);
                    }
                    let Ok(told) = panic::catch_unwind(|| tell(seed, false)) else {
                        broken.push((seed, "its telling panics".to_owned()));
                        continue;
                    };
                    told.counts.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n);
                    broken.extend(told.broken.into_iter().take(1).map(|law| (seed, law)));
                }
            };
            let tellers: Vec<_> = (0..tellers).map(|_| scope.spawn(teller)).collect();
            tellers.into_iter().map(|teller| teller.join().expect("a story is told to its end")).collect()
        });
        let (mut broken, mut counts) = (Vec::new(), BTreeMap::<String, usize>::new());
        for (some_broken, some_counts) in told {
            broken.extend(some_broken);
            for (what, n) in some_counts {
                *counts.entry(what).or_default() += n;
            }
        }
        broken.sort();
        println!("{} stories: {counts:?}", to - from);
        let shown: Vec<String> =
            broken.iter().take(12).map(|(seed, law)| format!("seed {seed}: {law}")).collect();
        assert!(
            broken.is_empty(),
            "{} of {} stories break a law:\n{}\nto see all that happens in the first of them:\n  \
             {}={} cargo test -p fleetfoot --test {} -- {} --nocapture",
            broken.len(),
            to - from,
            shown.join("\n"),
            self.which,
            broken[0].0,
            self.target,
            self.test,
        );
    }
}
