//! Which capacity gets a task, and whether it has room.
//!
//! This is where shortages are made: a forced one is a [`Capacity`] like any other.

use super::StoredCluster;
use super::model::{LaunchType, Task, TaskStatus};
use super::setup::{Capacity, StrategyItem};
use super::store::TaskStore;
use super::validate::Choice;

/// What Fargate says when it has nothing.
pub(super) const FARGATE_SHORT: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";

/// The name of the pool that every task of a call goes to: a capacity provider, or a launch type.
pub(super) fn pools(choice: &Choice, count: usize) -> Vec<String> {
    match choice {
        Choice::Direct(launch_type) => vec![launch_type.as_str().to_owned(); count],
        Choice::Strategy(_, items) => {
            spread(items, count).into_iter().map(|item| items[item].capacity_provider.clone()).collect()
        }
    }
}

/// Spreads tasks over a strategy's providers: first the base, the rest by weight.
fn spread(items: &[StrategyItem], count: usize) -> Vec<usize> {
    let mut given = vec![0_u32; items.len()];
    (0..count)
        .map(|_| {
            let base = (0..items.len()).find(|&i| given[i] < items[i].base);
            let chosen = base.unwrap_or_else(|| {
                // Beyond the bases: who is furthest behind its share. A lone provider needs no weight.
                (0..items.len())
                    .filter(|&i| items[i].weight > 0 || items.len() == 1)
                    .min_by_key(|&i| {
                        let beyond = u64::from(given[i] - items[i].base.min(given[i]));
                        let weight = u64::from(items[i].weight.max(1));
                        // Compare shares after one more task, in millionths.
                        ((beyond + 1) * 1_000_000 / weight, i)
                    })
                    .unwrap_or(0)
            });
            given[chosen] += 1;
            chosen
        })
        .collect()
}

/// Whether a pool has room for one more task; if not, the reason as `failures[]` gives it. An `exhausted`
/// pool has none, whatever is set for it.
pub(super) fn room(
    cluster: &StoredCluster,
    pool: &str,
    launch_type: LaunchType,
    tasks: &TaskStore,
    exhausted: bool,
) -> Result<(), &'static str> {
    let short = |shortage: &'static str| match launch_type {
        LaunchType::Fargate => FARGATE_SHORT,
        LaunchType::Ec2 => shortage,
    };
    let own = cluster.capacity.get(pool).copied().unwrap_or(Capacity::Unlimited);
    match if exhausted { Capacity::Unavailable } else { own } {
        Capacity::Unlimited => Ok(()),
        Capacity::Unavailable => Err(short("RESOURCE:MEMORY")),
        Capacity::Slots { count, shortage } => {
            let holds = |task: &&Task| {
                task.cluster == cluster.arn && task.pool == pool && task.status != TaskStatus::Stopped
            };
            if tasks.iter().filter(holds).count() < count { Ok(()) } else { Err(short(shortage.reason())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, weight: u32, base: u32) -> StrategyItem {
        StrategyItem { capacity_provider: name.into(), weight, base }
    }

    #[test]
    fn base_first_then_weight() {
        let items = [item("FARGATE", 1, 2), item("FARGATE_SPOT", 3, 0)];
        let chosen = spread(&items, 10);
        assert_eq!(chosen[..2], [0, 0]);
        assert_eq!(chosen.iter().filter(|&&i| i == 1).count(), 6);
    }

    #[test]
    fn a_weight_of_zero_gets_nothing_and_a_lone_provider_everything() {
        assert_eq!(spread(&[item("a", 0, 0), item("b", 1, 0)], 3), [1, 1, 1]);
        assert_eq!(spread(&[item("a", 0, 0)], 2), [0, 0]);
    }
}
