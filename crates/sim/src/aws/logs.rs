//! CloudWatch Logs: what tasks wrote, read back by pages. Source: CloudWatch Logs API Reference.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::AwsError;
use super::identity::Caller;
use super::wire::{Answer, decode};

/// One line with its time in milliseconds since 1970.
#[derive(Debug, Clone)]
struct Entry {
    at: i64,
    message: String,
}

#[derive(Default)]
struct Group {
    streams: BTreeMap<String, Stream>,
}

struct Stream {
    created: i64,
    entries: Vec<Entry>,
}

/// All log groups.
#[derive(Default)]
pub(crate) struct Logs(BTreeMap<String, Group>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateLogGroup {
    log_group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeLogStreams {
    log_group_name: String,
    #[serde(default)]
    log_stream_name_prefix: String,
    limit: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetLogEvents {
    log_group_name: String,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    limit: Option<usize>,
    #[serde(default)]
    start_from_head: bool,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterLogEvents {
    log_group_name: String,
    log_stream_names: Option<Vec<String>>,
    #[serde(default)]
    log_stream_name_prefix: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    #[serde(default)]
    filter_pattern: String,
    limit: Option<usize>,
    next_token: Option<String>,
}

impl Logs {
    /// Makes a group; nothing happens if it is there.
    pub(crate) fn ensure_group(&mut self, name: &str) {
        self.0.entry(name.to_owned()).or_default();
    }

    /// Whether there is a group of this name.
    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Appends a line to a stream, which begins with its first line. A group that was taken away since
    /// swallows it, as the log driver of a container would find out and say nothing.
    pub(crate) fn append(&mut self, group: &str, stream: &str, message: String, now: Timestamp) {
        let at = now.as_millisecond();
        if let Some(group) = self.0.get_mut(group) {
            let stream = group
                .streams
                .entry(stream.to_owned())
                .or_insert_with(|| Stream { created: at, entries: Vec::new() });
            stream.entries.push(Entry { at, message });
        }
    }

    /// All lines of a stream.
    pub(crate) fn lines(&self, group: &str, stream: &str) -> Vec<String> {
        self.0
            .get(group)
            .and_then(|group| group.streams.get(stream))
            .map(|stream| stream.entries.iter().map(|entry| entry.message.clone()).collect())
            .unwrap_or_default()
    }

    /// Answers an operation.
    pub(crate) fn answer(
        &mut self,
        operation: &str,
        body: &Value,
        caller: &Caller,
        region: &str,
    ) -> Result<Answer, AwsError> {
        let check = |action: &str, group: &str, stream: &str| {
            let arn = arn(region, &caller.account, group, stream);
            caller.check(action, &arn, &caller.context())
        };
        match operation {
            "CreateLogGroup" => {
                let create: CreateLogGroup = decode(body)?;
                check("logs:CreateLogGroup", &create.log_group_name, "")?;
                self.create_group(&create.log_group_name)
            }
            "DescribeLogStreams" => {
                let describe: DescribeLogStreams = decode(body)?;
                check("logs:DescribeLogStreams", &describe.log_group_name, "")?;
                self.describe_streams(&describe, region, &caller.account)
            }
            "GetLogEvents" => {
                let get: GetLogEvents = decode(body)?;
                check("logs:GetLogEvents", &get.log_group_name, &get.log_stream_name)?;
                self.get_events(&get)
            }
            "FilterLogEvents" => {
                let filter: FilterLogEvents = decode(body)?;
                check("logs:FilterLogEvents", &filter.log_group_name, "")?;
                self.filter_events(&filter)
            }
            other => Err(AwsError::not_simulated(format!("Logs_20140328.{other}"))),
        }
    }

    fn group(&self, name: &str) -> Result<&Group, AwsError> {
        self.0.get(name).ok_or_else(|| not_found("The specified log group does not exist."))
    }

    fn create_group(&mut self, name: &str) -> Result<Answer, AwsError> {
        let known = |c: char| c.is_ascii_alphanumeric() || "_/.-#".contains(c);
        if name.is_empty() || name.len() > 512 || !name.chars().all(known) {
            return Err(AwsError::invalid_parameter(format!("The log group name '{name}' is not valid.")));
        }
        if self.has_group(name) {
            return Err(AwsError::new(
                "ResourceAlreadyExistsException",
                "The specified log group already exists",
            ));
        }
        self.ensure_group(name);
        Ok(Answer::json(json!({})))
    }

    fn describe_streams(
        &self,
        describe: &DescribeLogStreams,
        region: &str,
        account: &str,
    ) -> Result<Answer, AwsError> {
        let group = self.group(&describe.log_group_name)?;
        let limit = limit(describe.limit, 50)?;
        let after = describe.next_token.as_deref().unwrap_or_default();
        let mut streams: Vec<_> = group
            .streams
            .iter()
            .filter(|(name, _)| name.starts_with(&describe.log_stream_name_prefix) && name.as_str() > after)
            .take(limit + 1)
            .collect();
        let more = streams.len() > limit;
        streams.truncate(limit);
        let mut answer = json!({ "logStreams": streams.iter().map(|(name, stream)| json!({
            "logStreamName": name, "creationTime": stream.created,
            "firstEventTimestamp": stream.entries.first().map(|entry| entry.at),
            "lastEventTimestamp": stream.entries.last().map(|entry| entry.at),
            "lastIngestionTime": stream.entries.last().map(|entry| entry.at),
            "arn": arn(region, account, &describe.log_group_name, name),
        })).collect::<Vec<_>>() });
        if let (true, Some((last, _))) = (more, streams.last()) {
            answer["nextToken"] = json!(last);
        }
        Ok(Answer::json(answer))
    }

    fn get_events(&self, get: &GetLogEvents) -> Result<Answer, AwsError> {
        let entries = &self
            .group(&get.log_group_name)?
            .streams
            .get(&get.log_stream_name)
            .ok_or_else(|| not_found("The specified log stream does not exist."))?
            .entries;
        let entries: Vec<&Entry> =
            entries.iter().filter(|e| within(e.at, get.start_time, get.end_time)).collect();
        let limit = limit(get.limit, 10_000)?;
        // A forward token holds where the next page begins, a backward token where it ends. The same
        // token comes back when there is nothing more.
        let (start, end) = match get.next_token.as_deref().map(token).transpose()? {
            Some(('f', start)) => (start.min(entries.len()), (start + limit).min(entries.len())),
            Some((_, end)) => (end.min(entries.len()).saturating_sub(limit), end.min(entries.len())),
            None if get.start_from_head => (0, limit.min(entries.len())),
            None => (entries.len().saturating_sub(limit), entries.len()),
        };
        let events: Vec<Value> = entries[start..end]
            .iter()
            .map(|e| json!({ "timestamp": e.at, "message": e.message, "ingestionTime": e.at }))
            .collect();
        Ok(Answer::json(json!({
            "events": events,
            "nextForwardToken": format!("f/{end:056}/s"),
            "nextBackwardToken": format!("b/{start:056}/s"),
        })))
    }

    fn filter_events(&self, filter: &FilterLogEvents) -> Result<Answer, AwsError> {
        let group = self.group(&filter.log_group_name)?;
        let term = plain_term(&filter.filter_pattern)?;
        let mut found: Vec<(&str, usize, &Entry)> = group
            .streams
            .iter()
            .filter(|(name, _)| {
                name.starts_with(&filter.log_stream_name_prefix)
                    && filter.log_stream_names.as_ref().is_none_or(|names| names.contains(name))
            })
            .flat_map(|(name, stream)| stream.entries.iter().enumerate().map(|(i, e)| (name.as_str(), i, e)))
            .filter(|(_, _, e)| within(e.at, filter.start_time, filter.end_time) && e.message.contains(term))
            .collect();
        found.sort_by_key(|(name, index, entry)| (entry.at, *name, *index));
        let limit = limit(filter.limit, 10_000)?;
        let start = filter.next_token.as_deref().map(token).transpose()?.map_or(0, |(_, start)| start);
        let end = (start + limit).min(found.len());
        let events: Vec<Value> = found
            .get(start..end)
            .unwrap_or_default()
            .iter()
            .map(|(name, index, e)| {
                json!({ "logStreamName": name, "timestamp": e.at, "message": e.message, "ingestionTime": e.at,
                        "eventId": format!("{:020}{index:012}", e.at) })
            })
            .collect();
        let mut answer = json!({ "events": events, "searchedLogStreams": [] });
        if end < found.len() {
            answer["nextToken"] = json!(format!("f/{end:056}/s"));
        }
        Ok(Answer::json(answer))
    }
}

/// The resource of a log action. Actions on a whole group name an empty stream.
pub(crate) fn arn(region: &str, account: &str, group: &str, stream: &str) -> String {
    format!("arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}")
}

fn not_found(message: &str) -> AwsError {
    AwsError::new("ResourceNotFoundException", message)
}

fn limit(given: Option<usize>, max: usize) -> Result<usize, AwsError> {
    match given {
        None => Ok(max),
        Some(limit) if (1..=max).contains(&limit) => Ok(limit),
        Some(limit) => Err(AwsError::invalid_parameter(format!(
            "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must be \
             between 1 and {max}"
        ))),
    }
}

fn within(at: i64, start: Option<i64>, end: Option<i64>) -> bool {
    start.is_none_or(|start| at >= start) && end.is_none_or(|end| at < end)
}

fn token(text: &str) -> Result<(char, usize), AwsError> {
    let mut parts = text.split('/');
    let direction = parts.next().filter(|d| *d == "f" || *d == "b").and_then(|d| d.chars().next());
    let position = parts.next().and_then(|position| position.parse().ok());
    direction.zip(position).ok_or_else(|| AwsError::invalid_parameter("The specified nextToken is invalid."))
}

/// The one kind of pattern that is read here: a term, in quotes or without.
fn plain_term(pattern: &str) -> Result<&str, AwsError> {
    let pattern = pattern.trim();
    let quoted = pattern.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match quoted {
        Some(term) => Ok(term),
        None if pattern.contains(|c: char| c.is_whitespace() || "{}[]?-%\"".contains(c)) => {
            Err(AwsError::not_simulated("a filter pattern beyond a single term"))
        }
        None => Ok(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> Logs {
        let mut logs = Logs::default();
        logs.ensure_group("/g");
        for (i, line) in ["one", "two", "three", "four", "five"].iter().enumerate() {
            let at = Timestamp::from_second(i64::try_from(i).unwrap()).unwrap();
            logs.append("/g", "s/c/1", (*line).to_owned(), at);
        }
        logs
    }

    fn get(extra: &Value) -> Value {
        let mut body = json!({ "logGroupName": "/g", "logStreamName": "s/c/1" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        logs().get_events(&decode(&body).unwrap()).unwrap().record.unwrap()
    }

    fn messages(answer: &Value) -> Vec<&str> {
        answer["events"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap()).collect()
    }

    #[test]
    fn pages_forward_until_the_token_stays() {
        let first = get(&json!({ "startFromHead": true, "limit": 2 }));
        assert_eq!(messages(&first), ["one", "two"]);
        let second = get(&json!({ "nextToken": first["nextForwardToken"], "limit": 2 }));
        assert_eq!(messages(&second), ["three", "four"]);
        let third = get(&json!({ "nextToken": second["nextForwardToken"], "limit": 2 }));
        assert_eq!(messages(&third), ["five"]);
        let end = get(&json!({ "nextToken": third["nextForwardToken"], "limit": 2 }));
        assert!(messages(&end).is_empty());
        assert_eq!(end["nextForwardToken"], third["nextForwardToken"]);
    }

    #[test]
    fn pages_backward_from_the_tail() {
        let last = get(&json!({ "limit": 2 }));
        assert_eq!(messages(&last), ["four", "five"]);
        let before = get(&json!({ "nextToken": last["nextBackwardToken"], "limit": 2 }));
        assert_eq!(messages(&before), ["two", "three"]);
        assert_eq!(messages(&get(&json!({ "startTime": 1000, "endTime": 3000 }))), ["two", "three"]);
    }

    #[test]
    fn filters_by_term() {
        let filter = |pattern: &str| {
            let body = json!({ "logGroupName": "/g", "filterPattern": pattern });
            logs().filter_events(&decode(&body).unwrap()).map(|answer| answer.record.unwrap())
        };
        assert_eq!(messages(&filter("t").unwrap()), ["two", "three"]);
        assert_eq!(filter("{ $.level = 1 }").unwrap_err().status, 501);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let body = json!({ "logGroupName": "/g", "logStreamName": "none" });
        assert_eq!(logs().get_events(&decode(&body).unwrap()).unwrap_err().code, "ResourceNotFoundException");
        assert_eq!(logs().create_group("/g").unwrap_err().code, "ResourceAlreadyExistsException");
    }
}
