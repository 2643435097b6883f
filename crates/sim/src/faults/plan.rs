//! A list of faults with their seed, and the handle that the simulators ask.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use super::error::FaultError;
use super::fault::Fault;
use super::kind::FaultKind;

/// Faults with the seed of their dice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FaultPlan {
    /// The seed.
    pub seed: u64,
    /// The faults, in the order in which they are asked.
    pub faults: Vec<Fault>,
}

impl FromStr for FaultPlan {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut plan = Self::default();
        for word in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()) {
            match word.strip_prefix("seed=") {
                Some(seed) => {
                    plan.seed = seed.parse().map_err(|_| FaultError::Seed { text: word.to_owned() })?;
                }
                None => plan.faults.push(word.parse()?),
            }
        }
        Ok(plan)
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed={}", self.seed)?;
        self.faults.iter().try_for_each(|fault| write!(f, " {fault}"))
    }
}

/// A fault that fired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fired {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub fault: Fault,
    /// What it hit: a call (`ecs RunTask`), a task's ARN, a runner's name.
    pub on: String,
}

/// A fault that waits for its opportunities.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Armed {
    /// Which.
    pub fault: Fault,
    /// How many opportunities it has had.
    pub seen: u32,
    /// At how many of them it fired.
    pub fired: u32,
}

/// The faults of one simulated world. Clones are the same ones; without any, nothing ever fails.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    seed: u64,
    /// Counts all faults ever armed: the dice of each are its own.
    number: u64,
    armed: Vec<(Armed, StdRng)>,
    fired: Vec<Fired>,
}

impl Faults {
    /// Arms the faults of a plan.
    pub fn new(plan: FaultPlan) -> Self {
        let faults = Self::default();
        faults.lock().seed = plan.seed;
        plan.faults.into_iter().for_each(|fault| faults.inject(fault));
        faults
    }

    /// Arms one more fault, behind those that are armed already.
    pub fn inject(&self, fault: Fault) {
        let inner = &mut *self.lock();
        inner.number += 1;
        // An odd factor spreads neighbouring numbers over all seeds.
        let seed = inner.seed ^ inner.number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let armed = Armed { fault, seen: 0, fired: 0 };
        inner.armed.push((armed, StdRng::seed_from_u64(seed)));
    }

    /// Disarms all faults. What already hit a task or a runner stays; so does the list of what fired.
    pub fn clear(&self) {
        self.lock().armed.clear();
    }

    /// The seed of the dice.
    pub fn seed(&self) -> u64 {
        self.lock().seed
    }

    /// The armed faults in their order, those included that have fired as often as they may.
    pub fn armed(&self) -> Vec<Armed> {
        self.lock().armed.iter().map(|(armed, _)| armed.clone()).collect()
    }

    /// What fired so far, in order.
    pub fn fired(&self) -> Vec<Fired> {
        self.lock().fired.clone()
    }

    /// Gives every armed fault that `choose` recognises an opportunity, until one fires.
    pub(super) fn strike<T>(
        &self,
        on: &str,
        now: Timestamp,
        choose: impl Fn(&FaultKind) -> Option<T>,
    ) -> Option<T> {
        let inner = &mut *self.lock();
        let (armed, effect) = inner.armed.iter_mut().find_map(|(armed, dice)| {
            let effect = choose(&armed.fault.kind)?;
            fires(armed, dice).then_some((armed, effect))
        })?;
        tracing::info!(fault = %armed.fault, on, "a fault fires");
        inner.fired.push(Fired { at: now, fault: armed.fault.clone(), on: on.to_owned() });
        Some(effect)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic while asking leaves lists that are still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.armed().iter().map(|armed| armed.fault.to_string())).finish()
    }
}

/// Counts an opportunity and says whether it is taken.
fn fires(armed: &mut Armed, dice: &mut StdRng) -> bool {
    let when = armed.fault.when;
    let seen = armed.seen;
    armed.seen = seen.saturating_add(1);
    if seen < when.skip || when.count.is_some_and(|count| armed.fired >= count) {
        return false;
    }
    // A certain fault needs no dice.
    let hit = when.probability >= 1.0 || dice.random_bool(when.probability.clamp(0.0, 1.0));
    armed.fired = armed.fired.saturating_add(u32::from(hit));
    hit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(plan: &str) -> Faults {
        Faults::new(plan.parse().unwrap())
    }

    /// At which of `count` opportunities a 409 fires.
    fn hits(faults: &Faults, count: usize) -> Vec<usize> {
        (0..count)
            .filter(|at| {
                let jit = |kind: &FaultKind| (*kind == FaultKind::Jit409).then_some(());
                faults.strike(&at.to_string(), Timestamp::UNIX_EPOCH, jit).is_some()
            })
            .collect()
    }

    #[test]
    fn it_fires_as_often_as_it_should() {
        assert_eq!(hits(&faults("jit-409"), 5), [0]);
        assert_eq!(hits(&faults("jit-409*2+1"), 5), [1, 2]);
        assert_eq!(hits(&faults("jit-409*"), 3), [0, 1, 2]);
        assert_eq!(hits(&faults("version-deprecated*"), 3), [0_usize; 0]);
        // The second takes over where the first is done.
        assert_eq!(hits(&faults("jit-409 jit-409"), 5), [0, 1]);
    }

    #[test]
    fn the_dice_depend_on_seed_and_place_alone() {
        let often = |plan: &str| hits(&faults(plan), 200);
        let first = often("seed=1 jit-409@0.5");
        assert_eq!(first, often("seed=1 jit-409@0.5"));
        assert_ne!(first, often("seed=2 jit-409@0.5"));
        assert!((60..140).contains(&first.len()), "{}", first.len());
        assert_eq!(often("seed=1 jit-409@0.5*3")[..], first[..3]);
        // A neighbour with dice of its own changes nothing.
        assert_eq!(often("seed=1 jit-409@0.5 github-500@0.5"), first);
    }

    #[test]
    fn the_list_says_what_fired_on_what() {
        let faults = faults("jit-409*2");
        assert_eq!(hits(&faults, 3), [0, 1]);
        let fired: Vec<String> =
            faults.fired().iter().map(|fired| format!("{} on {}", fired.fault, fired.on)).collect();
        assert_eq!(fired, ["jit-409*2 on 0", "jit-409*2 on 1"]);
        assert_eq!((faults.armed()[0].seen, faults.armed()[0].fired), (3, 2));
        faults.clear();
        assert!(faults.armed().is_empty() && hits(&faults, 3).is_empty());
        assert_eq!(faults.fired().len(), 2);
    }

    #[test]
    fn plans_are_read_and_written() {
        let text = "seed=9 jit-409*2 slow-start:0.5@0.25";
        let plan: FaultPlan = text.parse().unwrap();
        assert_eq!(plan.to_string(), text);
        assert_eq!("jit-409*2,slow-start:0.5@0.25\nseed=9".parse::<FaultPlan>().unwrap(), plan);
        assert!("seed=x".parse::<FaultPlan>().unwrap_err().to_string().contains("seed=NUMBER"));
        assert_eq!("".parse::<FaultPlan>().unwrap(), FaultPlan::default());
    }
}
