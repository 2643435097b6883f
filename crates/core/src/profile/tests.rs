use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::stack::Zone;

fn adaptive(p: f64, max_warm: u32) -> Adaptive {
    Adaptive { p, max_warm, time_zone: Zone::default() }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A Monday.
const BEGIN: &str = "2026-07-20T00:00:00Z";

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

const LOOK: SignedDuration = SignedDuration::from_mins(5);

/// Lets a profile watch for some time, looking every five minutes. `jobs` tells how many came since the last look.
fn watch(
    profile: &mut Profile,
    from: Timestamp,
    time: SignedDuration,
    mut jobs: impl FnMut(Timestamp) -> usize,
) {
    let mut now = from;
    while now <= from + time {
        profile.look(now, jobs(now), None);
        now += LOOK;
    }
}

/// Working hours in UTC.
fn works(now: DateTime) -> bool {
    now.weekday().to_monday_zero_offset() < 5 && (8..18).contains(&now.hour())
}

/// A burst of so many every half hour of working hours.
fn office(zone: &TimeZone, burst: usize) -> impl Fn(Timestamp) -> usize {
    move |now| {
        let shown = zone.to_datetime(now);
        if works(shown) && shown.minute() % 30 == 5 { burst } else { 0 }
    }
}

fn learnt(adaptive: &Adaptive, weeks: i64, burst: usize) -> Profile {
    let mut profile = Profile::new(adaptive);
    watch(&mut profile, at(BEGIN), hours(weeks * 168), office(&TimeZone::UTC, burst));
    profile
}

/// What it wants at this time, when a job came so long ago.
fn wants(profile: &Profile, time: &str, quiet: SignedDuration) -> Option<u32> {
    let mut profile = profile.clone();
    profile.given.clear();
    profile.before = Some(at(time) - quiet);
    profile.warm(at(time))
}

/// As long as it is quiet between two bursts.
const PAUSE: SignedDuration = SignedDuration::from_mins(25);

#[test]
fn a_new_profile_wants_nothing_of_its_own() {
    assert_eq!(Profile::new(&adaptive(0.9, 10)).warm(at(BEGIN)), None);
}

#[test]
fn an_office_has_tasks_in_the_morning_and_none_at_night() {
    let profile = learnt(&adaptive(0.95, 10), 3, 2);
    assert_eq!(wants(&profile, "2026-08-11T11:00:00Z", PAUSE), Some(2), "a Tuesday");
    assert_eq!(wants(&profile, "2026-08-11T08:30:00Z", hours(14)), Some(2), "the first job of the day");
    assert_eq!(wants(&profile, "2026-08-11T02:30:00Z", hours(9)), Some(0), "at night");
    assert_eq!(wants(&profile, "2026-08-15T11:00:00Z", hours(17)), Some(0), "a Saturday");
}

#[test]
fn whoever_works_at_night_for_once_is_not_left_alone() {
    let profile = learnt(&adaptive(0.95, 10), 3, 2);
    assert_eq!(
        wants(&profile, "2026-08-11T02:30:00Z", PAUSE),
        Some(2),
        "what follows a job by day may at night"
    );
    assert_eq!(wants(&profile, "2026-08-11T05:30:00Z", hours(3)), Some(0));
}

#[test]
fn tasks_for_the_next_hour_are_asked_for_before_it_begins() {
    let profile = learnt(&adaptive(0.95, 10), 3, 2);
    let morning = "2026-08-11T06:58:30Z";
    assert_eq!(wants(&profile, morning, hours(13)), Some(0));
    let (begins, ahead) = (profile.stays_until(at(morning)), at("2026-08-11T06:59:00Z"));
    assert_eq!(begins, Some(ahead), "a task takes a minute");
    // What the neighbouring hours teach makes seven o'clock worth as much as eight.
    assert_eq!(
        wants(&profile, "2026-08-11T06:59:30Z", hours(13)),
        wants(&profile, "2026-08-11T07:01:00Z", hours(13))
    );
    assert_eq!(profile.stays_until(ahead), Some(at("2026-08-11T07:00:00Z")));
}

#[test]
fn a_holiday_costs_less_than_a_working_day() {
    let profile = learnt(&adaptive(0.9, 10), 4, 2);
    // By ten, two hours after the first jobs of an ordinary Wednesday, none has come since the day before.
    let eleven = "2026-08-19T11:00:00Z";
    assert_eq!(wants(&profile, eleven, PAUSE), Some(2));
    assert_eq!(wants(&profile, eleven, hours(17)), Some(0));
}

#[test]
fn a_burst_wants_a_task_for_each_of_its_jobs_up_to_the_limit() {
    for (burst, limit, want) in [(1, 10, 1), (5, 10, 5), (5, 5, 5), (200, 10, 10)] {
        let profile = learnt(&adaptive(0.9, limit), 2, burst);
        assert_eq!(wants(&profile, "2026-08-04T11:00:00Z", PAUSE), Some(want), "{burst} of {limit}");
    }
}

#[test]
fn hours_teach_those_like_them() {
    let mut profile = Profile::new(&adaptive(0.95, 10));
    // Monday until six in the evening.
    watch(&mut profile, at(BEGIN), hours(18), office(&TimeZone::UTC, 1));
    assert_eq!(wants(&profile, "2026-07-21T11:00:00Z", PAUSE), Some(1), "Tuesday is like Monday");
    assert_eq!(wants(&profile, "2026-07-21T02:00:00Z", hours(9)), Some(0), "so is its night");
    assert_eq!(wants(&profile, "2026-07-21T21:00:00Z", PAUSE), None, "nobody has watched an evening");
    assert_eq!(wants(&profile, "2026-07-25T11:00:00Z", PAUSE), None, "nobody has watched a weekend");
}

#[test]
fn what_nobody_watched_is_not_taken_for_quiet() {
    let mut profile = Profile::new(&adaptive(0.95, 10));
    watch(&mut profile, at(BEGIN), hours(10), office(&TimeZone::UTC, 1));
    // A replica stood by for a day, and one looks into the other's face at noon.
    let later = at(BEGIN) + hours(36);
    profile.look_away();
    watch(&mut profile, later, hours(1), |_| 0);
    assert_eq!(wants(&profile, "2026-07-22T20:00:00Z", PAUSE), None);
    // Suspended without a word.
    profile.look(later + hours(30), 0, None);
    assert_eq!(wants(&profile, "2026-07-22T20:00:00Z", PAUSE), None);
    assert_eq!(wants(&profile, "2026-07-22T09:00:00Z", PAUSE), Some(1), "but what was watched stays");
}

#[test]
fn what_is_no_more_is_forgotten() {
    let mut profile = learnt(&adaptive(0.75, 10), 3, 4);
    let (then, tuesday) = (at(BEGIN) + hours(3 * 168), "2026-11-10T11:00:00Z");
    assert_eq!(wants(&profile, tuesday, PAUSE), Some(4));
    // Since then there are many jobs at night and hardly any by day.
    watch(&mut profile, then, hours(12 * 168), |now| {
        usize::from(
            !works(TimeZone::UTC.to_datetime(now)) && TimeZone::UTC.to_datetime(now).minute() % 15 == 0,
        )
    });
    assert_eq!(wants(&profile, tuesday, PAUSE), Some(0));
    assert_eq!(wants(&profile, "2026-11-10T02:30:00Z", SignedDuration::from_mins(10)), Some(1));
}

#[test]
fn hours_are_those_of_the_zone() {
    // On 25 October 2026 Berlin's clocks are set back.
    let berlin: Zone = "Europe/Berlin".parse().unwrap();
    let mut profile = Profile::new(&Adaptive { time_zone: berlin.clone(), ..adaptive(0.99, 10) });
    watch(&mut profile, at("2026-10-05T00:00:00Z"), hours(20 * 24), office(berlin.clocks(), 2));
    let at_half_past = |hour| format!("2026-10-27T{hour:02}:30:00+01:00");
    for (hour, quiet, want) in [(3, hours(9), 0), (8, hours(14), 2), (17, PAUSE, 2), (21, hours(3), 0)] {
        let wanted = wants(&profile, &at_half_past(hour), quiet);
        assert_eq!(wanted, Some(want), "{hour}:30 on the Tuesday after");
    }
}

/// Random numbers from 0 to 1.
fn chances(mut seed: u64) -> impl FnMut() -> f64 {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(seed >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Jobs come by chance, some hours more than others. Once the profile has learnt for some weeks, as many of them
    /// find a task as were asked for, with what is left to chance.
    #[test]
    fn as_many_jobs_as_asked_for_find_a_task(
        seed in any::<u64>(),
        p in prop::sample::select(vec![0.5, 0.75, 0.9, 0.95]),
        by_day in 2.0..20.0,
    ) {
        let mut chance = chances(seed);
        let mut profile = Profile::new(&adaptive(p, 4));
        let (mut jobs, mut ready) = (0.0, 0.0);
        let begin = at(BEGIN);
        let minute = SignedDuration::from_mins(1);
        for n in 0..6 * 7 * 24 * 60 {
            let now = begin + minute * n;
            let an_hour = if works(TimeZone::UTC.to_datetime(now)) { by_day } else { 0.5 };
            let came = chance() < an_hour / 60.0;
            if came && now > begin + hours(4 * 168) {
                // A minute is what a new task takes, so all that are wanted are ready.
                jobs += 1.0;
                ready += f64::from(u8::from(profile.warm(now).unwrap() > 0));
            }
            profile.look(now, usize::from(came), None);
        }
        prop_assert!(ready / jobs > p - 0.06, "{} of {jobs}", ready / jobs);
    }

    #[test]
    fn never_more_than_the_limit_and_never_less_for_a_greater_share(
        looks in prop::collection::vec((1_i64..40, 0_usize..30), 1..400),
        limit in 1_u32..12,
    ) {
        let mut profiles = [0.1, 0.5, 0.9, 0.999].map(|p| Profile::new(&adaptive(p, limit)));
        let mut now = at(BEGIN);
        for (minutes, given) in looks {
            now += SignedDuration::from_mins(minutes);
            let wanted = profiles.each_mut().map(|profile| {
                profile.look(now, given, Some(SignedDuration::from_secs(50)));
                profile.warm(now)
            });
            prop_assert!(wanted.is_sorted(), "{wanted:?}");
            prop_assert!(wanted.iter().flatten().all(|warm| *warm <= limit));
            prop_assert!(profiles.iter().all(|profile| profile.stays_until(now).unwrap() > now));
        }
    }
}
