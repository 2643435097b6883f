//! What is wanted of a stack's pools and scale sets at a time: the plain numbers, the windows that are open, and
//! what was learnt.
//!
//! An open window comes before what was learnt: whoever wrote it knows something that no profile can. What was
//! learnt comes before the plain `warm`, which is for hours of which nothing is known. No number is ever above the
//! `max` of its pool.

use jiff::Timestamp;

use crate::fleet::{Fleet, Manner, Policy, PoolIndex, PoolPolicy, PoolState, ScopeIndex, SetPolicy};
use crate::profile::Profile;
use crate::stack::{Pool, Scheduled, Stack};

/// What a stack wants, as time goes by and its pools learn.
#[derive(Debug, Clone)]
pub struct Targets {
    stack: Stack,
    /// Of each scale set its pool, and where it is at GitHub.
    places: Vec<(PoolIndex, ScopeIndex)>,
    manner: Manner,
    /// Of each adaptive pool.
    pupils: Vec<Option<Pupil>>,
}

/// A pool that learns.
#[derive(Debug, Clone)]
struct Pupil {
    profile: Profile,
    /// How many tasks the fleet had given away when it was last looked at.
    given: Option<u64>,
}

impl Targets {
    /// The targets of a stack, which has learnt nothing yet. `places` tells of each of its scale sets the pool and
    /// where it is at GitHub.
    pub fn new(stack: Stack, places: Vec<(PoolIndex, ScopeIndex)>, manner: Manner) -> Self {
        let pupil = |pool: &Pool| {
            let profile = Profile::new(pool.adaptive.as_ref()?);
            Some(Pupil { profile, given: None })
        };
        let pupils = stack.pools.iter().map(pupil).collect();
        Self { stack, places, manner, pupils }
    }

    /// What is wanted now, after a look at what became of the pools. A fleet that nobody leads, which has no pools,
    /// teaches nothing.
    pub fn policy(&mut self, now: Timestamp, fleet: &Fleet) -> Policy {
        let mut learnt = Vec::new();
        for (n, pupil) in self.pupils.iter_mut().enumerate() {
            learnt.push(pupil.as_mut().and_then(|pupil| {
                pupil.look(now, fleet.pools.get(n));
                pupil.profile.warm(now)
            }));
        }
        policy(now, &self.stack, &learnt, &self.places, self.manner)
    }

    /// A time later than `now` before which only jobs change what is wanted. `None` if it always is the same.
    pub fn stay_until(&self, now: Timestamp) -> Option<Timestamp> {
        let of_pools = self.stack.pools.iter().flat_map(|pool| &pool.schedules).map(Scheduled::window);
        let of_sets = self.stack.scale_sets.iter().flat_map(|set| &set.schedules).map(Scheduled::window);
        let windows = of_pools.chain(of_sets).filter_map(|window| window.stays_until(now));
        let profiles = self.pupils.iter().flatten().filter_map(|pupil| pupil.profile.stays_until(now));
        windows.chain(profiles).min()
    }
}

impl Pupil {
    fn look(&mut self, now: Timestamp, pool: Option<&PoolState>) {
        let Some(pool) = pool else {
            self.given = None;
            return self.profile.look_away();
        };
        // Whoever has just begun to lead counts from zero.
        let before =
            self.given.replace(pool.given).filter(|before| *before <= pool.given).unwrap_or_default();
        let given = usize::try_from(pool.given - before).unwrap_or(usize::MAX);
        self.profile.look(now, given, pool.boot);
    }
}

/// What is wanted now. `learnt` has for each pool what its profile wants, if it has one that knows this hour.
fn policy(
    now: Timestamp,
    stack: &Stack,
    learnt: &[Option<u32>],
    places: &[(PoolIndex, ScopeIndex)],
    manner: Manner,
) -> Policy {
    let pool = |(pool, learnt): (&Pool, &Option<u32>)| PoolPolicy {
        capacities: pool.capacity.len(),
        max: pool.max as usize,
        warm: pool.warm_at(now, *learnt) as usize,
    };
    let sets = stack.scale_sets.iter().zip(places).map(|(set, (pool, scope))| {
        let (min, max) = set.bounds(now);
        SetPolicy { pool: *pool, scope: *scope, min: min as usize, max: max as usize }
    });
    Policy { pools: stack.pools.iter().zip(learnt).map(pool).collect(), sets: sets.collect(), manner }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

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

    const PLACES: [(PoolIndex, ScopeIndex); 2] =
        [(PoolIndex(1), ScopeIndex(0)), (PoolIndex(0), ScopeIndex(0))];

    fn targets(stack: Stack) -> Targets {
        Targets::new(stack, PLACES.to_vec(), Manner::default())
    }

    /// The warm tasks of both pools, and the bounds of the first set.
    fn wanted(time: &str, learnt: &[Option<u32>]) -> (Vec<usize>, (usize, usize)) {
        let policy = policy(time.parse().unwrap(), &stack(), learnt, &PLACES, Manner::default());
        assert_eq!(policy.pools.iter().map(|pool| pool.capacities).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((policy.sets[0].pool, policy.sets[1].pool), (PoolIndex(1), PoolIndex(0)));
        assert_eq!((policy.sets[1].min, policy.sets[1].max), (0, 100));
        (policy.pools.iter().map(|pool| pool.warm).collect(), (policy.sets[0].min, policy.sets[0].max))
    }

    #[test]
    fn windows_come_before_what_was_learnt_and_that_before_plain_numbers() {
        let (monday_noon, monday_evening) = ("2026-07-20T12:00:00Z", "2026-07-20T20:00:00Z");
        assert_eq!(wanted(monday_evening, &[None, None]), (vec![1, 2], (1, 20)));
        assert_eq!(wanted(monday_evening, &[Some(0), None]), (vec![0, 2], (1, 20)));
        assert_eq!(wanted(monday_evening, &[Some(9), None]), (vec![8, 2], (1, 20)), "never above max");
        assert_eq!(wanted(monday_noon, &[Some(0), None]), (vec![4, 2], (1, 20)));
        // The last of two open windows counts alone: it does not name a max.
        assert_eq!(wanted("2026-07-20T22:30:00Z", &[None, None]).1, (1, 2));
        assert_eq!(wanted("2026-07-20T23:30:00Z", &[None, None]).1, (0, 20));
    }

    #[test]
    fn the_next_change_is_that_of_any_window() {
        let mut plain = stack();
        plain.pools[0].adaptive = None;
        let targets = targets(plain.clone());
        let until = |time: &str| targets.stay_until(time.parse().unwrap()).unwrap().to_string();
        assert_eq!(until("2026-07-20T12:00:00Z"), "2026-07-20T16:00:00Z");
        assert_eq!(until("2026-07-20T16:00:00Z"), "2026-07-20T22:00:00Z");
        assert_eq!(until("2026-07-20T23:30:00Z"), "2026-07-21T00:00:00Z");
        assert_eq!(until("2026-07-21T00:00:00Z"), "2026-07-21T06:00:00Z");
        plain.pools[0].schedules.clear();
        plain.scale_sets[0].schedules.clear();
        assert_eq!(
            Targets::new(plain, PLACES.to_vec(), Manner::default()).stay_until(Timestamp::UNIX_EPOCH),
            None
        );
    }

    #[test]
    fn a_pool_learns_from_what_the_fleet_gives_away() {
        let mut stack = stack();
        stack.pools[0].schedules.clear();
        let mut targets = targets(stack);
        let wanted = targets.policy(Timestamp::UNIX_EPOCH, &Fleet::default());
        let mut fleet = Fleet::new(&wanted, "ff");
        let mut now: Timestamp = "2026-07-20T10:00:00Z".parse().unwrap();
        let minute = SignedDuration::from_mins(1);
        // What was given away before anybody looked teaches nothing.
        fleet.pools[0].given = 40;
        for n in 0..120 {
            assert_eq!(
                targets.policy(now, &fleet).pools[0].warm,
                usize::from(n < 60),
                "{now}: warm, until known"
            );
            now += minute;
        }
        for _ in 0..120 {
            fleet.pools[0].given += 3;
            fleet.pools[1].given += 7;
            targets.policy(now, &fleet);
            now += minute;
        }
        let warm = |targets: &mut Targets, fleet: &Fleet| {
            targets.policy(now, fleet).pools.iter().map(|pool| pool.warm).collect::<Vec<_>>()
        };
        assert_eq!(warm(&mut targets, &fleet), [3, 2], "only one of them learns");
        assert_eq!(warm(&mut targets, &Fleet::default()), [3, 2], "a replica that stands by remembers");
        assert!(targets.stay_until(now).unwrap() > now);
    }
}
