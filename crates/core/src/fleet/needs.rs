//! What each set and pool has too few or too many of.

use super::{Fleet, Policy, PoolIndex, SetCount, SetIndex};

/// What is needed, by set and by pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Needs {
    sets: Vec<OfSet>,
    /// Runners that the sets of each pool lack.
    lacking: Vec<usize>,
}

/// One set's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct OfSet {
    lacks: usize,
    surplus: usize,
    leaving: usize,
}

impl Needs {
    /// Compares what there is with what is wanted.
    pub(super) fn of(policy: &Policy, fleet: &Fleet) -> Self {
        let sets = (0..fleet.sets.len().min(policy.sets.len())).map(SetIndex);
        let sets: Vec<OfSet> = sets.map(|set| OfSet::of(policy, fleet, set)).collect();
        let mut lacking = vec![0; fleet.pools.len()];
        for (rule, set) in policy.sets.iter().zip(&sets) {
            if let Some(lacking) = lacking.get_mut(rule.pool.0) {
                *lacking += set.lacks;
            }
        }
        Self { sets, lacking }
    }

    /// How many runners the set lacks, beside those that are being bound.
    pub(super) fn lacks(&self, set: SetIndex) -> usize {
        self.sets.get(set.0).map_or(0, |set| set.lacks)
    }

    /// Whether the set has more runners than it wants.
    pub(super) fn has_surplus(&self, set: SetIndex) -> bool {
        self.sets.get(set.0).is_some_and(|set| set.surplus > 0)
    }

    /// How many of them are to be taken away, beside those that are leaving already.
    pub(super) fn to_shed(&self, set: SetIndex) -> usize {
        self.sets.get(set.0).map_or(0, |set| set.surplus.saturating_sub(set.leaving))
    }

    /// How many runners the sets of this pool lack.
    pub(super) fn lacking(&self, pool: PoolIndex) -> usize {
        self.lacking.get(pool.0).copied().unwrap_or_default()
    }
}

impl OfSet {
    fn of(policy: &Policy, fleet: &Fleet, set: SetIndex) -> Self {
        let rule = &policy.sets[set.0];
        // Before GitHub has said how many jobs it has, nothing is wanted and nothing is too much.
        let Some(demand) = fleet.sets[set.0].demand else { return Self::default() };
        let wanted = (rule.min + demand.assigned as usize).min(rule.max);
        let SetCount { live, leaving, hidden, .. } = fleet.tasks.set(set);
        // A task of which nobody knows whose it is may be one of its runners, and so may one that does not show.
        let unknown = fleet.tasks.unknown_in(rule.pool, rule.scope);
        let survey = fleet.pools.get(rule.pool.0).map(|pool| pool.survey).unwrap_or_default();
        let hidden = if survey.shows_all(policy.manner.listed) { 0 } else { hidden };
        let live_at_most = live + unknown + hidden;
        Self { lacks: wanted.saturating_sub(live_at_most), surplus: live.saturating_sub(wanted), leaving }
    }
}
