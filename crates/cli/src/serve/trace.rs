//! One trace per runner: the road of its task as spans, told when the task has stopped.
//!
//! The form is OTLP's JSON over HTTP (OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding"). The SDK of
//! OpenTelemetry was turned down: what is traced here is no call stack of this process, and its exporter brings a
//! thread and an HTTP client that know neither our proxies nor our authorities.

use std::collections::HashMap;

use fleetfoot_core::fleet::{News, SetIndex};
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::task::TaskView;
use jiff::Timestamp;
use rand::RngExt;
use serde_json::{Value, json};

/// What is known of runners whose tasks have not stopped.
#[derive(Debug, Default)]
pub(super) struct Traces(HashMap<TaskArn, Record>);

/// What ECS does not tell of a task.
#[derive(Debug, Default)]
struct Record {
    phases: PhaseTimes,
    set: Option<SetIndex>,
    /// GitHub's word for its job's result, or why there is none.
    result: Option<String>,
    failed: bool,
}

/// A runner's whole road.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) task: String,
    pub(super) phases: PhaseTimes,
    pub(super) set: Option<SetIndex>,
    result: Option<String>,
    failed: bool,
}

impl Traces {
    fn record(&mut self, task: &TaskArn, phase: Phase, at: Timestamp) -> &mut Record {
        let record = self.0.entry(task.clone()).or_default();
        record.phases.reach(phase, at);
        record
    }

    /// Takes in what happened; gives the whole road of a runner whose task has stopped.
    pub(super) fn hear(&mut self, now: Timestamp, news: &News) -> Option<Trace> {
        match news {
            News::Bound { task, set, .. } => self.record(task, Phase::Bound, now).set = Some(*set),
            News::Busy { task, set, .. } => self.record(task, Phase::Busy, now).set = Some(*set),
            News::Done { task, result, .. } => {
                self.record(task, Phase::Done, now).result = Some(result.clone());
            }
            News::Failed { task, why, .. } | News::Interrupted { task, why, .. } => {
                let record = self.record(task, Phase::Done, now);
                (record.result, record.failed) = (Some(why.to_string()), true);
            }
            News::Gone(view) => return Some(self.end(now, view)),
            News::Launched { .. }
            | News::NotLaunched { .. }
            | News::Running(_)
            | News::Stopped(_)
            | News::Trouble { .. } => {}
        }
        None
    }

    fn end(&mut self, now: Timestamp, view: &TaskView) -> Trace {
        let Record { phases: ours, set, result, failed } = self.0.remove(&view.arn).unwrap_or_default();
        let mut phases = view.phases.clone();
        phases.merge(&ours);
        phases.reach(Phase::Gone, view.stopped_at.unwrap_or(now));
        Trace { task: view.arn.id().to_owned(), phases, set, result, failed }
    }
}

impl Trace {
    /// The spans: one for the runner, and one below it for each phase, to the beginning of the next.
    pub(super) fn spans(&self, attributes: &[(&str, &str)]) -> Vec<Value> {
        let mut marks: Vec<(Timestamp, Phase)> = self.phases.iter().map(|(phase, at)| (at, phase)).collect();
        // Whoever was bound before it ran has both times in another order than the road.
        marks.sort_unstable();
        let (Some((begin, _)), Some((end, _))) = (marks.first(), marks.last()) else { return Vec::new() };
        let (trace, root) = (hex(16), hex(8));
        let mut told = vec![("fleetfoot.task", self.task.as_str())];
        told.extend(attributes);
        told.extend(self.result.as_deref().map(|result| ("fleetfoot.result", result)));
        let mut spans = vec![span(&trace, &root, None, "runner", *begin, *end)];
        spans[0]["attributes"] = told.iter().map(|(key, value)| attribute(key, value)).collect();
        if self.failed {
            // STATUS_CODE_ERROR.
            spans[0]["status"] = json!({ "code": 2, "message": self.result });
        }
        for pair in marks.windows(2) {
            let [(from, phase), (to, _)] = pair else { continue };
            spans.push(span(&trace, &hex(8), Some(&root), phase.word(), *from, *to));
        }
        spans
    }
}

/// The request that tells of these spans.
pub(super) fn request(service: &str, spans: &[Value]) -> Value {
    json!({ "resourceSpans": [ {
        "resource": { "attributes": [attribute("service.name", service)] },
        "scopeSpans": [ {
            "scope": { "name": "fleetfoot", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans,
        } ],
    } ] })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn span(trace: &str, id: &str, parent: Option<&str>, name: &str, from: Timestamp, to: Timestamp) -> Value {
    let mut span = json!({
        "traceId": trace,
        "spanId": id,
        "name": name,
        // SPAN_KIND_INTERNAL.
        "kind": 1,
        // 64-bit integers are strings in JSON.
        "startTimeUnixNano": from.as_nanosecond().to_string(),
        "endTimeUnixNano": to.as_nanosecond().to_string(),
    });
    if let Some(parent) = parent {
        span["parentSpanId"] = json!(parent);
    }
    span
}

fn hex(bytes: usize) -> String {
    let mut rng = rand::rng();
    (0..bytes).map(|_| format!("{:02x}", rng.random::<u8>())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn the_road_is_a_span_and_each_phase_one_below_it() {
        let mut phases = PhaseTimes::default();
        for (phase, second) in
            [(Phase::Provisioning, 1), (Phase::Starting, 8), (Phase::Bound, 2), (Phase::Busy, 10), (Phase::Gone, 30)]
        {
            phases.reach(phase, at(second));
        }
        let result = Some("succeeded".to_owned());
        let trace = Trace { task: "0123".into(), phases, set: None, result, failed: false };
        let spans = trace.spans(&[("fleetfoot.pool", "linux")]);
        let told: Vec<(&str, &str, &str)> = spans
            .iter()
            .map(|span| {
                let text = |key: &str| span[key].as_str().unwrap();
                (text("name"), text("startTimeUnixNano"), text("endTimeUnixNano"))
            })
            .collect();
        assert_eq!(
            told,
            [
                ("runner", "1000000000", "30000000000"),
                ("provisioning", "1000000000", "2000000000"),
                ("bound", "2000000000", "8000000000"),
                ("starting", "8000000000", "10000000000"),
                ("busy", "10000000000", "30000000000"),
            ]
        );
        let (root, trace) = (&spans[0]["spanId"], &spans[0]["traceId"]);
        assert!(spans[1..].iter().all(|s| s["parentSpanId"] == *root && s["traceId"] == *trace));
        assert_eq!(spans[0]["attributes"].as_array().map(Vec::len), Some(3));
        assert!(spans[0]["status"].is_null());
    }
}
