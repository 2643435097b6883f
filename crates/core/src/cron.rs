//! Cron expressions: the five fields of crontab(5), and when the times they name come.
//!
//! There are crates for this. Those that are kept and tell time with jiff want an older one, a second copy of all
//! of it, and look for time zones on the machine they run on; the rest bring another library for time. What is
//! needed here is little: a set of bits for each field, and a walk through days.
//!
//! Clocks jump. A time that a clock shows twice comes once, the first time; one that it jumps over comes with the
//! jump. Both are one rule: a time comes in the first moment in which the clock shows it or a later one.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// When something begins, again and again: `0 8 * * mon-fri`.
///
/// Minute, hour, day of the month, month and day of the week, each `*`, a number, a range `a-b`, either of `*` and
/// ranges with a step `/n`, or several of these with commas. Months and days of the week have names, too; Sunday is
/// 0 and 7. If neither kind of day begins with `*`, either will do, as in crontab(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("examples" = ["0 8 * * mon-fri", "30 */2 1,15 * *"]))]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day of the month or a day of the week is enough.
    either: bool,
}

/// Text that is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidCron {
    /// It does not have five fields.
    #[error(
        "{0:?} has {1} fields; a cron expression has five, minute, hour, day of the month, month and day of \
         the week: 0 8 * * mon-fri"
    )]
    Fields(String, usize),
    /// One field is wrong.
    #[error("{part:?} is no {field}: {why}")]
    Part {
        /// What is wrong in it.
        part: String,
        /// The field, in words.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// There is no such day.
    #[error("{0:?} never comes: no month of those has a day of those")]
    Never(String),
}

/// One of the five.
struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    /// Names of its values, from the least on.
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Field = Field { name: "day of the month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Field = Field {
    name: "day of the week",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};
const SUNDAY_AGAIN: u8 = 7;

/// After so many days everything has come that ever comes: leap days on each day of the week, and the years
/// without them.
const LONGEST: i32 = 366 * 48;

impl Field {
    fn read(&self, text: &str) -> Result<u64, InvalidCron> {
        text.split(',').try_fold(0, |bits, part| Ok(bits | self.read_part(part)?))
    }

    fn read_part(&self, part: &str) -> Result<u64, InvalidCron> {
        let wrong = |why: String| InvalidCron::Part { part: part.to_owned(), field: self.name, why };
        let (range, step) = match part.split_once('/') {
            None => (part, 1),
            Some((range, step)) => {
                let step = step.parse().ok().filter(|step| (1..=self.most).contains(step));
                let step =
                    step.ok_or_else(|| wrong(format!("a step is a number from 1 to {}", self.most)))?;
                if range != "*" && !range.contains('-') {
                    return Err(wrong(format!("a step goes with a range: {range}-{}/{step}", self.most)));
                }
                (range, step)
            }
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            None => self.value(range).map(|value| (value, value)).map_err(wrong)?,
            Some((first, last)) => {
                let (first, last) = (self.value(first).map_err(wrong)?, self.value(last).map_err(wrong)?);
                // sat-sun ends on the Sunday after.
                let last =
                    if self.most == SUNDAY_AGAIN && last == 0 && first > 0 { SUNDAY_AGAIN } else { last };
                (first, last)
            }
        };
        if first > last {
            return Err(wrong("a range goes from the lesser to the greater".to_owned()));
        }
        Ok((first..=last).step_by(step.into()).fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let named = (self.least..).zip(self.names).find(|(_, name)| name.eq_ignore_ascii_case(text));
        let number = || text.parse().ok().filter(|value| (self.least..=self.most).contains(value));
        // `+5` is a number to Rust.
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        named.map(|(value, _)| value).or_else(number).filter(|_| plain).ok_or_else(|| {
            let or = match self.names {
                [first, .., last] => format!(", or {first} to {last}"),
                _ => String::new(),
            };
            format!("it is {} to {}{or}", self.least, self.most)
        })
    }
}

impl FromStr for Cron {
    type Err = InvalidCron;

    fn from_str(text: &str) -> Result<Self, InvalidCron> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(InvalidCron::Fields(text.to_owned(), fields.len()));
        };
        let weekdays = WEEKDAY.read(weekday)?;
        let cron = Self {
            text: fields.join(" "),
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            weekdays: weekdays | weekdays >> SUNDAY_AGAIN & 1,
            either: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        if cron.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_none() {
            return Err(InvalidCron::Never(cron.text));
        }
        Ok(cron)
    }
}

impl Cron {
    /// When it comes next on a clock of this zone, later than `after`. `None` at the end of time.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let from = zone.to_datetime(after);
        // Earlier times have come: the clock has shown a later one. So the first that has not is the next.
        let mut date = from.date();
        for _ in 0..LONGEST {
            if self.has(date) {
                let first_hour = if date == from.date() { from.hour() } else { 0 };
                for hour in bits(self.hours).filter(|hour| *hour >= first_hour) {
                    for minute in bits(self.minutes) {
                        let at = first_moment(date.at(hour, minute, 0, 0), zone)?;
                        if at > after {
                            return Some(at);
                        }
                    }
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn has(&self, date: Date) -> bool {
        let bit = |bits: u64, at: i8| bits >> at & 1 == 1;
        let day = bit(self.days, date.day());
        let weekday = bit(self.weekdays, date.weekday().to_sunday_zero_offset());
        bit(self.months, date.month()) && if self.either { day || weekday } else { day && weekday }
    }
}

/// The values of a field, in order. None is above 63.
fn bits(bits: u64) -> impl Iterator<Item = i8> {
    (0..64_i8).filter(move |at| bits >> at & 1 == 1)
}

/// When a clock first shows this time or a later one. `None` if jiff knows no such moment.
fn first_moment(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => {
            let before = ambiguous.earlier().ok()?;
            // The jump is the next thing that happens to this clock.
            zone.following(before).next().map(|jump| jump.timestamp())
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
    }
}

impl TryFrom<String> for Cron {
    type Error = InvalidCron;

    fn try_from(text: String) -> Result<Self, InvalidCron> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::tz::TimeZoneDatabase;
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZoneDatabase::bundled().get(name).unwrap()
    }

    /// The next few times, as a clock of the zone shows them, with their offset.
    fn times<const N: usize>(cron: &str, zone_name: &str, after: &str) -> [String; N] {
        let (cron, zone): (Cron, _) = (cron.parse().unwrap(), zone(zone_name));
        let mut at: Timestamp = after.parse().unwrap();
        std::array::from_fn(|_| {
            at = cron.next(at, &zone).unwrap();
            at.to_zoned_datetime(zone.clone()).strftime("%m-%d %H:%M %z").to_string()
        })
    }

    #[test]
    fn times_come_in_their_order() {
        let working_days = times("0 8 * * mon-fri", "UTC", "2026-07-16T08:00:00Z");
        assert_eq!(working_days, ["07-17 08:00 +0000", "07-20 08:00 +0000", "07-21 08:00 +0000"]);
        let steps = times("10-59/25 */12 * * *", "UTC", "2026-07-16T00:20:00Z");
        assert_eq!(steps, ["07-16 00:35 +0000", "07-16 12:10 +0000", "07-16 12:35 +0000"]);
        let weekend = times("0 0 * * sat-sun", "UTC", "2026-07-16T00:20:00Z");
        assert_eq!(weekend, ["07-18 00:00 +0000", "07-19 00:00 +0000", "07-25 00:00 +0000"]);
        assert_eq!(times("0 0 * * 7", "UTC", "2026-07-16T00:20:00Z"), ["07-19 00:00 +0000"]);
        assert_eq!(times("0 0 29 FEB *", "UTC", "2026-07-16T00:20:00Z"), ["02-29 00:00 +0000"]);
    }

    #[test]
    fn either_kind_of_day_will_do_unless_one_begins_with_a_star() {
        let either = times("0 0 13 * fri", "UTC", "2026-11-01T00:00:00Z");
        assert_eq!(either, ["11-06 00:00 +0000", "11-13 00:00 +0000", "11-20 00:00 +0000"]);
        let both = times("0 0 */13 * fri", "UTC", "2026-11-01T00:00:00Z");
        assert_eq!(both, ["11-27 00:00 +0000", "01-01 00:00 +0000"]);
    }

    #[test]
    fn a_time_that_the_clock_jumps_over_comes_with_the_jump() {
        let spring = times("30 2 * * *", "Europe/Berlin", "2027-03-27T00:00:00Z");
        assert_eq!(spring, ["03-27 02:30 +0100", "03-28 03:00 +0200", "03-29 02:30 +0200"]);
        // Lord Howe Island's clocks jump by half an hour.
        let howe = times("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z");
        assert_eq!(howe, ["10-04 02:30 +1100", "10-05 02:15 +1100"]);
        // Samoa had no 30 December 2011.
        let samoa = times("0 9 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z");
        assert_eq!(samoa, ["12-31 00:00 +1400", "12-31 09:00 +1400"]);
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_comes_once() {
        let autumn = times("30 2 * * *", "Europe/Berlin", "2026-10-24T03:00:00Z");
        assert_eq!(autumn, ["10-25 02:30 +0200", "10-26 02:30 +0100"]);
        let hourly = times("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z");
        assert_eq!(hourly, ["10-25 02:00 +0200", "10-25 03:00 +0100"]);
    }

    #[test]
    fn what_is_wrong_is_explained() {
        for (text, want) in [
            ("0 8 * *", "has 4 fields; a cron expression has five"),
            ("@daily", "has 1 fields"),
            ("60 8 * * *", "\"60\" is no minute: it is 0 to 59"),
            ("0 24 * * *", "\"24\" is no hour"),
            ("0 +8 * * *", "\"+8\" is no hour"),
            ("0 8 0 * *", "is no day of the month: it is 1 to 31"),
            ("0 8 * * mo", "is no day of the week: it is 0 to 7, or sun to sat"),
            ("0 8 * foo *", "is no month: it is 1 to 12, or jan to dec"),
            ("0 8 * * fri-mon", "a range goes from the lesser"),
            ("5/10 * * * *", "a step goes with a range: 5-59/10"),
            ("*/0 * * * *", "a step is a number from 1 to 59"),
            ("1, * * * *", "\"\" is no minute"),
            ("- * * * *", "is no minute"),
            ("0 0 31 2,4 *", "never comes"),
        ] {
            let error = text.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains(want), "{text:?}: {error:?} should hold {want:?}");
        }
    }

    /// Any field, as people write them.
    fn field(least: u8, most: u8) -> impl Strategy<Value = String> {
        let part = prop_oneof![
            (least..=most).prop_map(|value| value.to_string()),
            (least..=most, least..=most, 1..=most).prop_map(|(a, b, step)| format!(
                "{}-{}/{step}",
                a.min(b),
                a.max(b)
            )),
        ];
        prop_oneof![
            2 => Just("*".to_owned()),
            1 => (1..=most).prop_map(|step| format!("*/{step}")),
            3 => prop::collection::vec(part, 1..4).prop_map(|parts| parts.join(",")),
        ]
    }

    /// Looks at every minute, with a clock on the wall: a time comes when the clock shows it or a later one for the
    /// first time.
    fn next_by_looking(cron: &Cron, after: Timestamp, zone: &TimeZone, minutes: i64) -> Option<Timestamp> {
        let matches = |shown: DateTime| {
            cron.has(shown.date())
                && cron.hours >> shown.hour() & 1 == 1
                && cron.minutes >> shown.minute() & 1 == 1
        };
        let mut latest = zone.to_datetime(after - 25.hours());
        for minute in -25 * 60..=minutes {
            let now = after + minute.minutes();
            let shown = zone.to_datetime(now);
            let mut came = false;
            while latest < shown {
                latest += 1.minute();
                came |= matches(latest);
            }
            if came && now > after {
                return Some(now);
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_next_time_is_the_one_that_looking_finds(
            fields in (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)),
            place in 0_usize..5,
            // Around days on which some of these clocks jump, in 2026.
            day in prop::sample::select(vec!["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25"]),
            minute in -1500_i64..1500,
        ) {
            let (minutes, hours, days, months, weekdays) = fields;
            let Ok(cron) = format!("{minutes} {hours} {days} {months} {weekdays}").parse::<Cron>() else {
                return Ok(());
            };
            let zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
            let zone = zone(zones[place]);
            let after = day.parse::<Date>().unwrap().at(0, 0, 0, 0);
            let after = TimeZone::UTC.to_timestamp(after).unwrap() + minute.minutes();
            let (found, seen) = (cron.next(after, &zone).unwrap(), next_by_looking(&cron, after, &zone, 3000));
            match seen {
                Some(seen) => prop_assert_eq!(found, seen, "{}", cron),
                None => prop_assert!(found > after + 3000.minutes(), "{} comes at {}", cron, found),
            }
        }
    }
}
