//! Faults in random mixes, hundreds of them.
//!
//! | variable | |
//! |---|---|
//! | `FLEETFOOT_MIXES=500` | the mixes of the seeds below 500; `500..2000` those from 500 on |
//! | `FLEETFOOT_MIX="seed=7 …"` | this mix alone, as a failing run prints it |

use std::collections::BTreeSet;
use std::env;
use std::ops::Range;

use fleetfoot_sim::faults::FaultPlan;
use tokio::task::JoinHandle;

use crate::mix;
use crate::road::{Road, Stop};
use crate::trip::{self, Outcome, Told};

/// How many mixes an ordinary run takes.
const ORDINARY: u64 = 200;

/// The mix to replay, if there is one.
pub(crate) fn replay() -> Option<FaultPlan> {
    Some(env::var("FLEETFOOT_MIX").ok()?.parse().unwrap())
}

fn seeds() -> Range<u64> {
    let Ok(text) = env::var("FLEETFOOT_MIXES") else { return 0..ORDINARY };
    let (from, to) = text.split_once("..").unwrap_or(("0", &text));
    from.parse().unwrap()..to.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn random_mixes() {
    if let Some(plan) = replay() {
        let road = Road::of(plan.seed);
        report("random_mixes", vec![begin(plan, road)]).await;
        return;
    }
    let mixes: Vec<FaultPlan> = seeds().map(mix::of).collect();
    let many = mixes.len() >= usize::try_from(ORDINARY).unwrap();
    let trips = mixes.into_iter().map(|plan| {
        let road = Road::of(plan.seed);
        begin(plan, road)
    });
    let told = report("random_mixes", trips.collect()).await;
    // Hundreds of mixes that all end alike would prove little.
    let outcomes: BTreeSet<Outcome> = told.iter().map(|told| told.outcome).collect();
    assert!(!many || outcomes.len() == Outcome::ALL.len(), "{outcomes:?}");
    let fired = told.iter().filter(|told| told.fired.contains(&true)).count();
    assert!(!many || fired * 2 > told.len(), "in {fired} of {} mixes a fault fired", told.len());
}

/// Somebody has to look: where rules are broken, it is seen.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_true_is_seen() {
    let road = Road { stop: Stop::Early, foul: true, ..Road::plain(crate::road::Pool::Fargate) };
    let told = trip::take(&FaultPlan::default(), &road).await;
    for lie in [
        "a secret shows in a process's command line",
        "was stopped at",
        "jobs did not run though only 0 runners failed",
        "after everything there are 0 tasks, 1 registrations and 0 assignments",
    ] {
        assert!(told.lies.iter().any(|told| told.contains(lie)), "{lie}: {:#?}\n{}", told.lies, told.diary);
    }
}

/// A trip under way, and the faults on it.
pub(crate) type Begun = (FaultPlan, JoinHandle<Told>);

/// Sets out on a road.
pub(crate) fn begin(plan: FaultPlan, road: Road) -> Begun {
    let faults = plan.clone();
    (plan, tokio::spawn(async move { trip::take(&faults, &road).await }))
}

/// Fails with all that was not true, and with what shows it again.
pub(crate) async fn report(test: &str, trips: Vec<Begun>) -> Vec<Told> {
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for (plan, trip) in trips {
        let (lies, diary) = match trip.await {
            Ok(told) => {
                let found = (told.lies.clone(), told.diary.clone());
                all.push(told);
                found
            }
            Err(panic) => (vec![panic.to_string()], String::new()),
        };
        if !lies.is_empty() {
            failed.push(format!(
                "== {plan}\n  - {}\n{diary}\nreplay: FLEETFOOT_MIX='{plan}' cargo test -p fleetfoot --test mixes {test}",
                lies.join("\n  - ")
            ));
        }
    }
    assert!(failed.is_empty(), "{} mixes failed\n\n{}", failed.len(), failed.join("\n\n"));
    all
}
