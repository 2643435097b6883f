//! What is wanted of a stack's pools and scale sets at a time: the plain numbers, the windows that are open, and
//! what was learnt.
//!
//! An open window comes before what was learnt: whoever wrote it knows something that no profile can. What was
//! learnt comes before the plain `warm`, which is for hours of which nothing is known. No number is ever above the
//! `max` of its pool.

use jiff::Timestamp;

use crate::fleet::{Manner, Policy, PoolIndex, PoolPolicy, ScopeIndex, SetPolicy};
use crate::stack::{Pool, Scheduled, Stack};

/// What is wanted now.
///
/// `learnt` has for each pool what its profile wants, if it has one that knows this hour; `places` tells of each
/// scale set its pool and where it is at GitHub.
pub fn policy(
    now: Timestamp,
    stack: &Stack,
    learnt: &[Option<u32>],
    places: &[(PoolIndex, ScopeIndex)],
    manner: Manner,
) -> Policy {
    let learnt = learnt.iter().copied().chain(std::iter::repeat(None));
    let pool = |(pool, learnt): (&Pool, Option<u32>)| PoolPolicy {
        capacities: pool.capacity.len(),
        max: pool.max as usize,
        warm: pool.warm_at(now, learnt) as usize,
    };
    let sets = stack.scale_sets.iter().zip(places).map(|(set, (pool, scope))| {
        let (min, max) = set.bounds(now);
        SetPolicy { pool: *pool, scope: *scope, min: min as usize, max: max as usize }
    });
    Policy { pools: stack.pools.iter().zip(learnt).map(pool).collect(), sets: sets.collect(), manner }
}

/// A time later than `now` before which no window opens or closes. `None` if the stack has no windows.
pub fn stay_until(now: Timestamp, stack: &Stack) -> Option<Timestamp> {
    let of_pools = stack.pools.iter().flat_map(|pool| &pool.schedules).map(Scheduled::window);
    let of_sets = stack.scale_sets.iter().flat_map(|set| &set.schedules).map(Scheduled::window);
    of_pools.chain(of_sets).filter_map(|window| window.stays_until(now)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack() -> Stack {
        let document = serde_json::json!({
            "version": 1, "name": "prod", "region": "eu-west-1", "cluster": "ff", "mailbox": { "bucket": "mail" },
            "github": { "url": "https://github.com/acme" },
            "pools": [
                { "name": "a", "task_definition": "a", "arch": "x86_64", "cpu": 1024, "memory": 2048, "max": 8,
                  "capacity": [{ "launch_type": "EC2" }], "warm": 1,
                  "schedules": [{ "cron": "0 8 * * mon-fri", "for": "10h", "time_zone": "Europe/Berlin", "warm": 4 }],
                  "adaptive": { "max_warm": 8 } },
                { "name": "b", "task_definition": "b", "arch": "x86_64", "cpu": 1024, "memory": 2048,
                  "capacity": [{ "launch_type": "EC2" }, { "provider": "asg" }], "warm": 2 }
            ],
            "scale_sets": [
                { "name": "one", "pool": "b", "min": 1, "max": 20,
                  "schedules": [{ "cron": "0 22 * * *", "for": "8h", "max": 2 },
                                { "cron": "0 23 * * *", "for": "1h", "min": 0 }] },
                { "name": "two", "pool": "a" }
            ]
        });
        Stack::from_json(&document.to_string()).unwrap()
    }

    /// The warm tasks of both pools, and the bounds of the first set.
    fn wanted(time: &str, learnt: &[Option<u32>]) -> (Vec<usize>, (usize, usize)) {
        let places = [(PoolIndex(1), ScopeIndex(0)), (PoolIndex(0), ScopeIndex(0))];
        let policy = policy(time.parse().unwrap(), &stack(), learnt, &places, Manner::default());
        assert_eq!(policy.pools.iter().map(|pool| pool.capacities).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((policy.sets[0].pool, policy.sets[1].pool), (PoolIndex(1), PoolIndex(0)));
        assert_eq!((policy.sets[1].min, policy.sets[1].max), (0, 100));
        (policy.pools.iter().map(|pool| pool.warm).collect(), (policy.sets[0].min, policy.sets[0].max))
    }

    #[test]
    fn windows_come_before_what_was_learnt_and_that_before_plain_numbers() {
        let (monday_noon, monday_evening) = ("2026-07-20T12:00:00Z", "2026-07-20T20:00:00Z");
        assert_eq!(wanted(monday_evening, &[]), (vec![1, 2], (1, 20)));
        assert_eq!(wanted(monday_evening, &[Some(0), None]), (vec![0, 2], (1, 20)));
        assert_eq!(wanted(monday_evening, &[Some(9), None]), (vec![8, 2], (1, 20)), "never above max");
        assert_eq!(wanted(monday_noon, &[Some(0), None]), (vec![4, 2], (1, 20)));
        // The last of two open windows counts alone: it does not name a max.
        assert_eq!(wanted("2026-07-20T22:30:00Z", &[]).1, (1, 2));
        assert_eq!(wanted("2026-07-20T23:30:00Z", &[]).1, (0, 20));
    }

    #[test]
    fn the_next_change_is_that_of_any_window() {
        let until = |time: &str| stay_until(time.parse().unwrap(), &stack()).unwrap().to_string();
        assert_eq!(until("2026-07-20T12:00:00Z"), "2026-07-20T16:00:00Z");
        assert_eq!(until("2026-07-20T16:00:00Z"), "2026-07-20T22:00:00Z");
        assert_eq!(until("2026-07-20T23:30:00Z"), "2026-07-21T00:00:00Z");
        assert_eq!(until("2026-07-21T00:00:00Z"), "2026-07-21T06:00:00Z");
        let plain = Stack { pools: Vec::new(), scale_sets: Vec::new(), ..stack() };
        assert_eq!(stay_until(Timestamp::UNIX_EPOCH, &plain), None);
    }
}
