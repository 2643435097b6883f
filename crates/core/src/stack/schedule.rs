//! Windows of time in which something else is wanted than otherwise.
//!
//! A window opens at the times of a cron expression and stays open for a while. Windows of one list may overlap:
//! the last one of them that is open counts, whole, and what it does not name has its plain value. So whatever is
//! wanted at any time stands in one place, and every window can be checked by itself.

use std::fmt;
use std::str::FromStr;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cron::Cron;

/// A window in which a pool keeps another number of tasks ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolSchedule {
    /// When it opens: minute, hour, day of the month, month, day of the week.
    pub cron: Cron,
    /// How long it stays open, from a minute to a week: `10h`. Hours that pass, whatever clocks do meanwhile.
    #[serde(rename = "for")]
    pub length: Length,
    /// The time zone of `cron`, by its name in the IANA database.
    #[serde(default)]
    pub time_zone: Zone,
    /// Unbound tasks kept ready while it is open.
    pub warm: u32,
}

/// A window in which a scale set has other bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSchedule {
    /// When it opens: minute, hour, day of the month, month, day of the week.
    pub cron: Cron,
    /// How long it stays open, from a minute to a week: `10h`. Hours that pass, whatever clocks do meanwhile.
    #[serde(rename = "for")]
    pub length: Length,
    /// The time zone of `cron`, by its name in the IANA database.
    #[serde(default)]
    pub time_zone: Zone,
    /// Runners kept even without a job while it is open; the plain `min` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The most runners at a time while it is open; the plain `max` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// When a window is open.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    cron: &'a Cron,
    length: SignedDuration,
    zone: &'a TimeZone,
}

impl Window<'_> {
    /// Whether it is open.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.opened(now).is_some()
    }

    /// The first of the times at which it has opened and since when it has not been closed again.
    fn opened(&self, now: Timestamp) -> Option<Timestamp> {
        let closed = now.checked_sub(self.length).ok()?;
        self.cron.next(closed, self.zone).filter(|opened| *opened <= now)
    }

    /// A time later than `now` before which it neither opens nor closes. `None` if it never does.
    pub fn stays_until(&self, now: Timestamp) -> Option<Timestamp> {
        let closes = self.opened(now).and_then(|opened| opened.checked_add(self.length).ok());
        [closes, self.cron.next(now, self.zone)].into_iter().flatten().min()
    }
}

/// What has a window.
pub trait Scheduled {
    /// When it holds.
    fn window(&self) -> Window<'_>;
}

macro_rules! scheduled {
    ($($type:ty),*) => {$(
        impl Scheduled for $type {
            fn window(&self) -> Window<'_> {
                Window { cron: &self.cron, length: self.length.0, zone: &self.time_zone.0 }
            }
        }
    )*};
}
scheduled!(PoolSchedule, SetSchedule);

/// The one that counts: the last of those that are open.
pub(super) fn open<S: Scheduled>(schedules: &[S], now: Timestamp) -> Option<&S> {
    schedules.iter().rfind(|schedule| schedule.window().is_open(now))
}

/// How long a window stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("examples" = ["10h", "1h30m"]))]
pub struct Length(SignedDuration);

const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let length: SignedDuration = text
            .parse()
            .map_err(|_| format!("{text:?} is no length of time; it is written like 10h, 90m or 1h30m"))?;
        if (SHORTEST..=LONGEST).contains(&length) {
            return Ok(Self(length));
        }
        Err(format!("{text:?} is too short or too long; a window is open for 1m to 168h, which is a week"))
    }
}

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Length> for String {
    fn from(length: Length) -> Self {
        format!("{:#}", length.0)
    }
}

/// A time zone of the IANA database, such as `Europe/Berlin`.
///
/// The database is the one that this program holds: what a document means shall not depend on the machine that
/// reads it, and a slim image has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("examples" = ["Europe/Berlin", "UTC"]))]
pub struct Zone(TimeZone);

impl Zone {
    /// Its clocks.
    pub fn clocks(&self) -> &TimeZone {
        &self.0
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let database = TimeZoneDatabase::bundled();
        database.get(name).map(Self).map_err(|_| {
            let city = name.rsplit('/').next().unwrap_or(name);
            let mut all = database.available();
            let alike = all.find(|zone| {
                zone.as_str().rsplit('/').next().is_some_and(|known| known.eq_ignore_ascii_case(city))
            });
            let example = alike.as_ref().map_or("Europe/Berlin", |zone| zone.as_str());
            format!("there is no time zone {name:?}; one is named as in the IANA database, such as {example}")
        })
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    fn schedule(cron: &str, length: &str, zone: &str, warm: u32) -> PoolSchedule {
        PoolSchedule {
            cron: cron.parse().unwrap(),
            length: length.parse().unwrap(),
            time_zone: zone.parse().unwrap(),
            warm,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_opens_and_closes_on_the_clock_of_its_zone() {
        let office = schedule("0 8 * * mon-fri", "10h", "Europe/Berlin", 5);
        for (time, open) in [
            ("2026-07-20T05:59:59Z", false), // a Monday; Berlin is two hours ahead
            ("2026-07-20T06:00:00Z", true),
            ("2026-07-20T15:59:59Z", true),
            ("2026-07-20T16:00:00Z", false),
            ("2026-07-25T10:00:00Z", false), // a Saturday
            ("2026-11-02T06:30:00Z", false), // winter: one hour ahead
            ("2026-11-02T07:00:00Z", true),
            ("2026-11-02T16:59:59Z", true),
        ] {
            assert_eq!(office.window().is_open(at(time)), open, "{time}");
        }
    }

    #[test]
    fn a_length_is_time_that_passes() {
        // On the night of 25 October 2026 Berlin's clocks are set back at three.
        let night = schedule("0 0 * * sun", "6h", "Europe/Berlin", 5);
        assert!(night.window().is_open(at("2026-10-25T03:59:59Z")));
        assert_eq!(night.window().stays_until(at("2026-10-25T03:00:00Z")), Some(at("2026-10-25T04:00:00Z")));
        assert!(!night.window().is_open(at("2026-10-25T04:00:00Z")), "five on the clock");
    }

    #[test]
    fn the_last_open_window_counts() {
        let windows = [
            schedule("0 8 * * *", "10h", "UTC", 5),
            schedule("0 12 * * *", "1h", "UTC", 1),
            schedule("30 12 * * *", "10m", "UTC", 0),
        ];
        let warm = |time| open(&windows, at(time)).map(|window| window.warm);
        assert_eq!(warm("2026-07-20T07:00:00Z"), None);
        assert_eq!(warm("2026-07-20T11:00:00Z"), Some(5));
        assert_eq!(warm("2026-07-20T12:00:00Z"), Some(1));
        assert_eq!(warm("2026-07-20T12:35:00Z"), Some(0));
        assert_eq!(warm("2026-07-20T12:40:00Z"), Some(1));
        assert_eq!(warm("2026-07-20T13:00:00Z"), Some(5));
    }

    #[test]
    fn lengths_and_zones_are_read_and_written() {
        assert_eq!(String::from("90m".parse::<Length>().unwrap()), "1h 30m");
        assert_eq!(String::from("PT10H".parse::<Length>().unwrap()), "10h");
        assert_eq!("europe/berlin".parse::<Zone>().unwrap().to_string(), "Europe/Berlin");
        assert_eq!(Zone::default(), "UTC".parse().unwrap());
        for text in ["", "10", "30s", "-1h", "169h", "1d", "10 apples"] {
            let error = text.parse::<Length>().unwrap_err();
            assert!(error.contains("10h") || error.contains("168h"), "{text:?}: {error}");
        }
        assert!("Berlin".parse::<Zone>().unwrap_err().contains("such as Europe/Berlin"));
        assert!("europe/oslo".parse::<Zone>().is_ok());
        assert!("Mars/Kolkata".parse::<Zone>().unwrap_err().contains("such as Asia/Kolkata"));
        assert!("Middle-earth".parse::<Zone>().unwrap_err().contains("such as Europe/Berlin"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_window_stays_as_it_is_until_it_says(
            minute in 0..60,
            hours in prop::sample::subsequence(vec![0, 1, 2, 3, 9, 23], 1..4),
            weekday in prop::sample::select(vec!["*", "sun", "mon-fri"]),
            length in 1_i64..3000,
            from in -2000_i64..2000,
        ) {
            let hours = hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let cron = format!("{minute} {hours} * * {weekday}");
            let schedule = schedule(&cron, &format!("{length}m"), "Europe/Berlin", 1);
            let window = schedule.window();
            let mut now = at("2026-10-25T01:00:00Z") + from.minutes();
            let (mut open, mut until) = (window.is_open(now), window.stays_until(now).unwrap());
            prop_assert!(until > now);
            for _ in 0..2000 {
                now += 1.minute();
                if now >= until {
                    (open, until) = (window.is_open(now), window.stays_until(now).unwrap());
                }
                prop_assert_eq!(window.is_open(now), open, "{}", now);
                // By looking at all times at which it has opened.
                let opened = schedule.cron.next(now - length.minutes(), schedule.time_zone.clocks()).unwrap();
                prop_assert_eq!(open, opened <= now);
            }
        }
    }
}
