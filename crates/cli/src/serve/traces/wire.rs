//! Spans as OTLP has them in JSON (OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding"): keys in camel case, ids in
//! hex, enums as numbers, and 64-bit integers as decimal strings.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// A trace's id; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceId(pub(super) u128);

/// A span's id; never zero, and its own within the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanId(pub(super) u64);

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

/// A moment, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nanoseconds(pub(super) Timestamp);

impl Serialize for Nanoseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.as_nanosecond().max(0))
    }
}

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u8 = 1;

/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// One span.
#[expect(clippy::struct_field_names, reason = "the names are OTLP's")]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_span_id: Option<SpanId>,
    pub(super) name: &'static str,
    kind: u8,
    pub(super) start_time_unix_nano: Nanoseconds,
    pub(super) end_time_unix_nano: Nanoseconds,
    pub(super) attributes: Vec<Attribute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status>,
}

impl Span {
    /// A span without attributes that has not failed. One that would end before it begins, because two clocks tell
    /// of it, takes no time.
    pub(super) fn new(trace_id: TraceId, span_id: SpanId, name: &'static str, time: [Timestamp; 2]) -> Self {
        let [from, to] = time;
        Self {
            trace_id,
            span_id,
            parent_span_id: None,
            name,
            kind: INTERNAL,
            start_time_unix_nano: Nanoseconds(from),
            end_time_unix_nano: Nanoseconds(to.max(from)),
            attributes: Vec::new(),
            status: None,
        }
    }

    /// Notes an attribute.
    pub(super) fn tell(&mut self, key: impl Into<String>, value: impl fmt::Display) {
        self.attributes.push(Attribute::new(key, value));
    }

    /// Notes that it failed, by the class of the failure and a sentence.
    pub(super) fn fail(&mut self, class: &str, why: &str) {
        self.tell("error.type", class);
        self.status = Some(Status { code: ERROR, message: why.to_owned() });
    }
}

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Status {
    code: u8,
    message: String,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Attribute {
    pub(super) key: String,
    pub(super) value: Text,
}

/// An attribute's value. OTLP knows other kinds as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Text {
    pub(super) string_value: String,
}

impl Attribute {
    pub(super) fn new(key: impl Into<String>, value: impl fmt::Display) -> Self {
        Self { key: key.into(), value: Text { string_value: value.to_string() } }
    }
}

/// The body of an export, `ExportTraceServiceRequest`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Debug, Serialize)]
struct Resource<'a> {
    attributes: &'a [Attribute],
}

#[derive(Debug, Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: &'a [Span],
}

#[derive(Debug, Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

impl<'a> Export<'a> {
    /// These spans, of a process that is known by these attributes.
    pub(super) fn new(attributes: &'a [Attribute], spans: &'a [Span]) -> Self {
        let scope = Scope { name: "fleetfoot", version: env!("CARGO_PKG_VERSION") };
        let resource = Resource { attributes };
        Self { resource_spans: [ResourceSpans { resource, scope_spans: [ScopeSpans { scope, spans }] }] }
    }
}

/// The answer to an export that was taken, `ExportTraceServiceResponse`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Exported {
    partial_success: Option<PartialSuccess>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    rejected_spans: Option<Count>,
    error_message: String,
}

/// A 64-bit integer: a string, and with some collectors a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u64),
    Text(String),
}

impl Exported {
    /// How many spans were not taken after all, and the collector's word on it. Nothing if the answer is none that
    /// can be read: the status has said enough.
    pub(super) fn rejected(body: &[u8]) -> Option<(u64, String)> {
        let PartialSuccess { rejected_spans, error_message } =
            serde_json::from_slice::<Self>(body).ok()?.partial_success?;
        let count = match rejected_spans? {
            Count::Number(count) => count,
            Count::Text(text) => text.parse().ok()?,
        };
        (count > 0).then_some((count, error_message))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_hex_times_are_strings_and_enums_are_numbers() {
        let time = [2, 1].map(|second| Timestamp::from_second(second).unwrap());
        let mut span = Span::new(TraceId(0xa1), SpanId(0xb2), "job", time);
        span.parent_span_id = Some(SpanId(7));
        span.tell("fleetfoot.pool", "linux");
        span.fail("spot-interruption", "the task was taken away");
        assert_eq!(
            serde_json::to_value(Export::new(&[Attribute::new("service.name", "ff")], &[span])).unwrap(),
            json!({ "resourceSpans": [{
                "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "ff" } }] },
                "scopeSpans": [{
                    "scope": { "name": "fleetfoot", "version": env!("CARGO_PKG_VERSION") },
                    "spans": [{
                        "traceId": "000000000000000000000000000000a1",
                        "spanId": "00000000000000b2",
                        "parentSpanId": "0000000000000007",
                        "name": "job",
                        "kind": 1,
                        "startTimeUnixNano": "2000000000",
                        "endTimeUnixNano": "2000000000",
                        "attributes": [
                            { "key": "fleetfoot.pool", "value": { "stringValue": "linux" } },
                            { "key": "error.type", "value": { "stringValue": "spot-interruption" } },
                        ],
                        "status": { "code": 2, "message": "the task was taken away" },
                    }],
                }],
            }] })
        );
    }

    #[test]
    fn what_a_collector_has_not_taken_is_read_in_either_form() {
        let rejected = |body: &str| Exported::rejected(body.as_bytes());
        let some = Some((3, "too old".to_owned()));
        assert_eq!(rejected(r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#), some);
        assert_eq!(rejected(r#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"too old"}}"#), some);
        for none in
            ["", "{}", r#"{"partialSuccess":{}}"#, r#"{"partialSuccess":{"rejectedSpans":"0"}}"#, "ok"]
        {
            assert_eq!(rejected(none), None, "{none}");
        }
    }
}
