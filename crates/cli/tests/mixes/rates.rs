//! Whether the calls kept to the published rates.
//!
//! Counted here anew from the books, and not by the simulators' own meters. Sources: ECS API Reference,
//! "Request throttling" (burst and refill for each second); GitHub documentation, "Rate limits for the REST
//! API" (900 points in a minute for each endpoint, a write costs five).

use std::collections::BTreeMap;
use std::time::Duration;

use fleetfoot_sim::book::Call;
use fleetfoot_sim::faults::FaultKind;
use jiff::{SignedDuration, Timestamp};

use crate::trip::Trip;

/// A bucket of ECS: what it counts, its burst, and its refill a second.
type Bucket = (&'static [&'static str], f64, f64);

const BUCKETS: [Bucket; 2] =
    [(&["RunTask", "StopTask"], 100.0, 40.0), (&["DescribeTasks", "ListTasks"], 100.0, 20.0)];

/// RunTask on Fargate has a bucket of its own.
const FARGATE: Bucket = (&["RunTask"], 20.0, 20.0);

/// GitHub's points in a minute.
const POINTS: u32 = 900;

/// How long a limit at GitHub may hold beyond what it was asked for: its end is told in whole seconds.
const ROUNDED: SignedDuration = SignedDuration::from_secs(1);

/// What was called too often.
pub(crate) fn exceeded(trip: &Trip<'_>) -> Vec<String> {
    let calls = trip.stage.world.book.calls();
    let buckets = BUCKETS.iter().chain([&FARGATE]).filter_map(|bucket| too_fast(&calls, *bucket));
    let mut lies: Vec<String> = buckets.chain(too_many_points(&calls)).collect();
    lies.extend(insisted(trip, &calls));
    lies
}

/// The first moment at which a bucket of ECS would have been empty.
fn too_fast(calls: &[Call], (operations, burst, refill): Bucket) -> Option<String> {
    let (mut level, mut last) = (burst, None);
    let counted =
        calls.iter().filter(|call| call.service == "ecs" && operations.contains(&call.operation.as_str()));
    for call in counted {
        let passed = last.map_or(0.0, |last: Timestamp| call.at.duration_since(last).as_secs_f64());
        level = (level + passed * refill).min(burst) - 1.0;
        last = Some(call.at);
        if level < 0.0 {
            return Some(format!("{operations:?} were called faster than ECS takes them, at {}", call.at));
        }
    }
    None
}

fn too_many_points(calls: &[Call]) -> Option<String> {
    let mut endpoints: BTreeMap<&str, Vec<(Timestamp, u32)>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.service == "github") {
        let cost = if call.operation.starts_with("GET ") { 1 } else { 5 };
        endpoints.entry(&call.operation).or_default().push((call.at, cost));
    }
    endpoints.into_iter().find_map(|(endpoint, calls)| {
        let most = calls.iter().map(|(end, _)| {
            let minute = |at: Timestamp| at <= *end && end.duration_since(at) < SignedDuration::from_mins(1);
            calls.iter().filter(|(at, _)| minute(*at)).map(|(_, cost)| cost).sum::<u32>()
        });
        let most = most.max().filter(|most| *most > POINTS)?;
        Some(format!("{endpoint} cost {most} points in a minute"))
    })
}

/// Whoever is told to wait waits: while a limit holds at GitHub, a command runs into it a few times at most,
/// once for each call that is under way.
fn insisted(trip: &Trip<'_>, calls: &[Call]) -> Vec<String> {
    let refused: Vec<&Call> = calls
        .iter()
        .filter(|call| call.service == "github" && matches!(call.status, 403 | 429))
        .filter(|call| call.response.as_ref().is_some_and(|body| body.to_string().contains("rate limit")))
        .collect();
    let limits: Vec<(Timestamp, Duration)> = trip
        .faults
        .fired()
        .iter()
        .filter_map(|fired| match fired.fault.kind {
            FaultKind::RateLimitPrimary { wait, .. } | FaultKind::RateLimitSecondary { wait, .. } => {
                Some((fired.at, wait))
            }
            _ => None,
        })
        .collect();
    let holds =
        |call: &&Call| limits.iter().any(|(at, wait)| *at <= call.at && call.at <= *at + *wait + ROUNDED);
    let mut lies: Vec<String> = refused
        .iter()
        .filter(|call| !holds(call))
        .map(|call| format!("{} ran into a limit that nobody had set", call.operation))
        .collect();
    let patient = limits.len() * trip.commands.len() * (2 * trip.road.count + 2);
    if refused.len() > patient {
        lies.push(format!(
            "GitHub refused {} calls for its limits, {patient} at most were due",
            refused.len()
        ));
    }
    lies
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many calls, each this long after the one before it.
    fn calls(count: usize, service: &'static str, operation: &str, apart: Duration) -> Vec<Call> {
        let mut at = Timestamp::UNIX_EPOCH;
        let mut calls = Vec::new();
        for _ in 0..count {
            calls.push(Call {
                at,
                service,
                operation: operation.into(),
                request_line: String::new(),
                request: None,
                status: 200,
                response: None,
                caller: String::new(),
            });
            at += apart;
        }
        calls
    }

    #[test]
    fn a_bucket_bears_its_burst_and_its_refill_and_no_more() {
        let at_once = |count| too_fast(&calls(count, "ecs", "ListTasks", Duration::ZERO), BUCKETS[1]);
        assert_eq!(at_once(100), None);
        assert!(at_once(101).is_some());
        let a_second = |count| Duration::from_secs(1) / count;
        let steady =
            |per_second| too_fast(&calls(1000, "ecs", "ListTasks", a_second(per_second)), BUCKETS[1]);
        assert_eq!(steady(20), None);
        assert!(steady(40).is_some());
        assert_eq!(too_fast(&calls(500, "ecs", "RunTask", Duration::ZERO), BUCKETS[1]), None);
    }

    #[test]
    fn a_write_costs_five_points_and_a_minute_passes() {
        let at_once =
            |count, operation: &str| too_many_points(&calls(count, "github", operation, Duration::ZERO));
        assert_eq!((at_once(180, "POST /a"), at_once(900, "GET /a")), (None, None));
        assert!(at_once(181, "POST /a").is_some() && at_once(901, "GET /a").is_some());
        assert_eq!(too_many_points(&calls(2000, "github", "GET /a", Duration::from_millis(67))), None);
    }
}
