//! The stories that chance writes.

use fleetfoot_core::fleet::{Manner, PoolIndex, PoolPolicy, ScopeIndex, SetPolicy};
use jiff::{SignedDuration, Timestamp};

use crate::cloud::{Dice, Odds, Stage, Weather, Who};
use crate::replica::{Exit, Moment, Shift};
use crate::stack::Plan;
use crate::story::{Incident, Manners, Story, Work};

/// Until when jobs come and things go wrong.
const DAY: i64 = 20 * 60_000;

/// How long GitHub may keep a session that is not polled, in seconds.
const SESSION: std::ops::Range<i64> = 120..300;

impl Story {
    /// The story that chance writes with this seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let (plan, fine) = (plan(&mut dice), dice.happens(150));
        let work = work(&mut dice, &plan);
        let dusk = SignedDuration::from_millis(DAY);
        let mut story = Self {
            work,
            weather: Weather::fine(seed.wrapping_add(1)),
            manners: Manners {
                session: SignedDuration::from_secs(dice.number(SESSION)),
                acquired: dice.happens(200),
                forgets: dice.happens(500),
                no_queue: Vec::new(),
            },
            replicas: vec![vec![Shift { begins: SignedDuration::ZERO, skew: 0, exit: Exit::Stays }]],
            incidents: Vec::new(),
            rivals: Vec::new(),
            dusk,
            calm: dusk + SignedDuration::from_mins(5),
            fine,
            plan,
        };
        if !fine {
            return story.disturbed(&mut dice, seed);
        }
        // Nobody leaves for want of a job, which nobody would notice for a while.
        story.plan.idle_timeout = SignedDuration::from_hours(5);
        story
    }

    /// The same, when things go wrong.
    fn disturbed(mut self, dice: &mut Dice, seed: u64) -> Self {
        if dice.happens(800) {
            self.weather = weather(dice, seed);
        }
        if dice.happens(200) {
            let from = Timestamp::UNIX_EPOCH + dice.pause(0..DAY / 2);
            self.weather.cut_off =
                Some((Who::replica(dice.count(0, 1), 0), from..from + dice.pause(5000..400_000)));
        }
        if self.plan.scopes == 2 && dice.happens(300) {
            let from = Timestamp::UNIX_EPOCH + dice.pause(0..DAY / 2);
            self.weather.refusing = Some((dice.count(0, 1), from..from + dice.pause(5000..DAY / 2)));
        }
        self.incidents = incidents(dice, &self.plan);
        self.replicas = replicas(dice);
        if dice.happens(100) {
            let set = dice.count(0, self.plan.sets.len() - 1);
            self.manners.no_queue.push((set, dice.pause(0..DAY), dice.pause(1000..300_000)));
        }
        // Whose task it is, its name tells in one organisation alone.
        let rivals = if self.plan.scopes == 1 && dice.happens(500) { dice.count(1, 6) } else { 0 };
        let pools = self.plan.pools.len();
        self.rivals =
            (0..rivals).map(|_| (dice.pause(0..DAY), PoolIndex(dice.count(0, pools - 1)))).collect();
        self
    }
}

fn plan(dice: &mut Dice) -> Plan {
    let scopes = dice.pick(&[1, 1, 1, 2]);
    let count = dice.pick(&[1, 1, 2, 2, 3, 4]);
    let pools = dice.pick(&[1, 1, 2]);
    let sets: Vec<SetPolicy> = (0..count)
        .map(|_| {
            let max = dice.count(1, 8);
            SetPolicy {
                pool: PoolIndex(dice.count(0, pools - 1)),
                scope: ScopeIndex(dice.count(0, scopes - 1)),
                min: dice.pick(&[0, 0, 0, 1, 2]).min(max),
                max,
            }
        })
        .collect();
    let pools = (0..pools)
        .map(|n| {
            let kept: usize = sets.iter().filter(|set| set.pool.0 == n).map(|set| set.min).sum();
            let room = dice.pick(&[2, 4, 10]);
            let max = kept + dice.count(1, room);
            PoolPolicy { capacities: dice.count(1, 3), max, warm: dice.pick(&[0, 1, 2, 3]).min(max) }
        })
        .collect();
    let events = dice.happens(500);
    let seconds: &[i64] = if events { &[20, 60] } else { &[2, 5] };
    let manner = Manner {
        poll: SignedDuration::from_secs(dice.pick(seconds)),
        warm_age: dice.pick(&[SignedDuration::from_mins(15), SignedDuration::from_hours(6)]),
        ..Manner::default()
    };
    let idle_timeout = SignedDuration::from_mins(dice.number(5..30));
    Plan { pools, sets, scopes, manner, idle_timeout, events }
}

/// Bursts and trickles.
fn work(dice: &mut Dice, plan: &Plan) -> Vec<Work> {
    let mut work = Vec::new();
    let longest = dice.pick(&[5_000, 60_000, 300_000, 600_000]);
    for _ in 0..dice.count(1, 5) {
        let (set, begins) = (dice.count(0, plan.sets.len() - 1), dice.pause(0..DAY * 3 / 4));
        let (jobs, within) = match dice.number(0..10) {
            0..5 => (dice.count(2, 12), 2000),
            5..9 => (dice.count(1, 5), DAY / 4),
            _ => (dice.count(20, 60), 10_000),
        };
        for _ in 0..jobs {
            work.push(Work {
                comes: begins + dice.pause(0..within),
                set,
                lasts: dice.pause(1000..longest),
                cancelled: dice.happens(150).then(|| dice.pause(0..180_000)),
            });
        }
    }
    work
}

fn incidents(dice: &mut Dice, plan: &Plan) -> Vec<(SignedDuration, Incident)> {
    let count = if dice.happens(400) { dice.count(1, 3) } else { 0 };
    let incident = |dice: &mut Dice| {
        let set = dice.count(0, plan.sets.len() - 1);
        let storm = Incident::Storm(dice.count(0, 2), 700);
        dice.pick(&[Incident::DropsSession(set), Incident::DropsSet(set), storm.clone(), storm])
    };
    (0..count).map(|_| (dice.pause(0..DAY), incident(dice))).collect()
}

/// One or two replicas, of which at least one is there in the end.
fn replicas(dice: &mut Dice) -> Vec<Vec<Shift>> {
    let count = dice.pick(&[1, 2]);
    (0..count)
        .map(|replica| {
            let shift = |dice: &mut Dice, begins, exit| Shift {
                begins,
                skew: dice.pick(&[0, 0, 0, -600, -3, 5, 3600]),
                exit,
            };
            let ends = if dice.happens(600) { dice.count(1, 5) } else { 0 };
            let mut begins = if replica == 0 { SignedDuration::ZERO } else { dice.pause(0..60_000) };
            let mut shifts = Vec::new();
            for _ in 0..ends {
                let stage = dice.pick(&[Stage::Called, Stage::Effected]);
                let most_calls = dice.pick(&[30, 150]);
                let (calls, after) = (dice.count(0, most_calls), dice.pause(0..DAY / 3));
                let moment =
                    if dice.happens(700) { Moment::InCall(calls, stage) } else { Moment::After(after) };
                let exit = if dice.happens(500) { Exit::Dies(moment) } else { Exit::Ends(moment) };
                shifts.push(shift(dice, begins, exit));
                let latest = dice.pick(&[3000, 90_000]);
                begins = dice.pause(500..latest);
            }
            shifts.push(shift(dice, begins, Exit::Stays));
            shifts
        })
        .collect()
}

fn weather(dice: &mut Dice, seed: u64) -> Weather {
    let odds = |dice: &mut Dice| dice.pick(&[0, 0, 20, 100, 300]);
    let clears_at = Timestamp::UNIX_EPOCH + dice.pause(60_000..DAY);
    let droughts = (0..dice.pick(&[0, 0, 1, 2])).map(|_| {
        let from = Timestamp::UNIX_EPOCH + dice.pause(0..DAY / 2);
        (dice.count(0, 2), from..from + dice.pause(10_000..DAY / 2))
    });
    let droughts = droughts.collect();
    Weather {
        odds: Odds {
            throttled: odds(dice),
            call_lost: odds(dice),
            answer_lost: odds(dice),
            put_lost: odds(dice),
            taken: dice.pick(&[0, 0, 0, 50]),
            unlucky: odds(dice),
            hopeless: dice.pick(&[0, 0, 0, 50]),
            late_no_room: dice.pick(&[0, 0, 200]),
            mortal: dice.pick(&[0, 0, 100, 400]),
            job: 800,
            slow: dice.pick(&[0, 0, 100]),
        },
        clears_at,
        droughts,
        bad_luck: 1000,
        start: dice.pick(&[500..5000, 5000..60_000, 500..100_000]),
        lag: dice.pick(&[0, 500, 4000]),
        github_lag: dice.pick(&[0, 0, 2000]),
        ..Weather::fine(seed.wrapping_add(1))
    }
}
