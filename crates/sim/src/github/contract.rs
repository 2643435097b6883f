//! Checks recorded calls against GitHub's own OpenAPI description of its REST API.
//!
//! It proves two things with one list of calls: that the simulator answers nothing that GitHub would not, and
//! that a client sends nothing that GitHub would not take. The description is in `crates/sim/contract`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::book::Call;

/// What the description leaves out, because it can happen on every route: malformed request, credentials,
/// permission, not visible, rate limit.
const EVERYWHERE: [u16; 5] = [400, 401, 403, 404, 429];

/// Checks one call to the REST API: that the route, the query and the body are in the contract, and that the
/// answer's status and body are. Calls to other services than `github` are none of its business.
///
/// # Errors
/// What is not in the contract, with the call it happened in.
pub fn check(call: &Call) -> Result<(), String> {
    if call.service != "github" {
        return Ok(());
    }
    Contract::get()
        .check(call)
        .map_err(|problem| format!("{} → {}: {problem}", call.request_line, call.status))
}

/// Checks many calls; all problems, one per line.
///
/// # Errors
/// See [`check`].
pub fn check_all(calls: &[Call]) -> Result<(), String> {
    let problems: Vec<String> = calls.iter().filter_map(|call| check(call).err()).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

struct Contract {
    document: Value,
    /// Compiled schemas by the address of each in the document.
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    fn get() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| {
            let mut document: Value = serde_json::from_str(include_str!("../../contract/github-rest.json"))
                .expect("the contract is built in and well-formed");
            modernize(&mut document);
            Self { document, compiled: Mutex::default() }
        })
    }

    fn check(&self, call: &Call) -> Result<(), String> {
        let (method, template) = call.operation.split_once(' ').ok_or("the operation has no method")?;
        let operation = self
            .at(&["paths", template, &method.to_lowercase()])
            .ok_or_else(|| format!("the route {} is not in the contract", call.operation))?;
        self.check_query(operation, &call.request_line)?;
        self.check_request(operation, call)?;
        self.check_answer(operation, call)
    }

    fn check_query(&self, operation: &Value, request_line: &str) -> Result<(), String> {
        let query = request_line.split_once('?').map_or("", |(_, query)| query);
        let declared: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .collect();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let parameter = declared
                .iter()
                .find(|parameter| parameter["name"] == *name)
                .ok_or_else(|| format!("the query parameter `{name}` is not in the contract"))?;
            // Everything in a query is text; numbers and booleans are read from it.
            let value = match parameter["schema"]["type"].as_str() {
                Some("integer" | "boolean") => serde_json::from_str(&value).unwrap_or(json!(value)),
                _ => json!(value),
            };
            self.validate(&parameter["schema"], &value).map_err(|it| format!("query `{name}`: {it}"))?;
        }
        Ok(())
    }

    fn check_request(&self, operation: &Value, call: &Call) -> Result<(), String> {
        let declared = &operation["requestBody"];
        match &call.request {
            Some(body) if declared.is_null() => Err(format!("the route takes no body, and was sent {body}")),
            // What was refused as invalid may be invalid.
            _ if call.status >= 400 || call.status == 0 => Ok(()),
            Some(body) => self
                .validate(&declared["content"]["application/json"]["schema"], body)
                .map_err(|it| format!("request body: {it}")),
            None if declared["required"] == true => Err("the route wants a body".into()),
            None => Ok(()),
        }
    }

    fn check_answer(&self, operation: &Value, call: &Call) -> Result<(), String> {
        // What breaks down keeps no contract: a server's error, or an answer that never arrived.
        if call.status >= 500 || call.status == 0 {
            return Ok(());
        }
        let declared = operation["responses"].get(call.status.to_string());
        let schema = match declared.map(|response| self.resolved(response)) {
            Some(response) => response["content"].get("application/json").map(|content| &content["schema"]),
            // A conditional request may be answered so on every route.
            None if call.status == 304 => None,
            None if EVERYWHERE.contains(&call.status) => self.at(&["components", "schemas", "basic-error"]),
            None => return Err("the contract has no such status on this route".into()),
        };
        match (schema, &call.response) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err("the contract has no body with this status".into()),
            (Some(_), None) => Err("the contract has a body with this status".into()),
            (Some(_), Some(body)) if call.status >= 400 && !body["message"].is_string() => {
                Err(format!("the error has no message: {body}"))
            }
            (Some(schema), Some(body)) => {
                self.validate(schema, body).map_err(|it| format!("response body: {it}"))
            }
        }
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.document, |value, key| value.get(key))
    }

    /// What a `$ref` stands for.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        value["$ref"]
            .as_str()
            .and_then(|reference| self.document.pointer(reference.trim_start_matches('#')))
            .unwrap_or(value)
    }

    fn validate(&self, schema: &Value, instance: &Value) -> Result<(), String> {
        let validator = self.validator(schema)?;
        let problems: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("at `{}`: {error}", error.instance_path()))
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    fn validator(&self, schema: &Value) -> Result<Arc<Validator>, String> {
        let key = schema.to_string();
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = compiled.get(&key) {
            return Ok(Arc::clone(validator));
        }
        // The references point into the components, which therefore stand beside the schema.
        let whole = json!({ "allOf": [schema], "components": self.document["components"] });
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .build(&whole)
            .map_err(|error| format!("the contract's own schema is broken: {error}"))?;
        let validator = Arc::new(validator);
        compiled.insert(key, Arc::clone(&validator));
        Ok(validator)
    }
}

/// Rewrites OpenAPI 3.0 to the JSON Schema of today: `nullable`, and what newer API versions do not require.
fn modernize(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(modernize),
        Value::Object(object) => {
            object.values_mut().for_each(modernize);
            relax(object);
            if object.get("nullable") == Some(&Value::Bool(true)) {
                object.shift_remove("nullable");
                let schema = Value::Object(std::mem::take(object));
                object.insert("anyOf".into(), json!([schema, { "type": "null" }]));
            }
        }
        _ => {}
    }
}

/// The answers of every supported API version shall pass: a property is required where all of them have it.
fn relax(schema: &mut Map<String, Value>) {
    let Some(Value::Array(changes)) = schema.shift_remove("x-github-breaking-changes") else { return };
    for required in changes.iter().filter_map(|change| change["patch"]["required"].as_array()) {
        if let Some(Value::Array(own)) = schema.get_mut("required") {
            own.retain(|name| required.contains(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn call(operation: &str, request_line: &str, status: u16, response: Option<Value>) -> Call {
        Call {
            at: Timestamp::UNIX_EPOCH,
            service: "github",
            operation: operation.into(),
            request_line: request_line.into(),
            request: None,
            status,
            response,
            caller: "test".into(),
        }
    }

    const LIST: &str = "GET /repos/{owner}/{repo}/actions/runners";

    #[test]
    fn what_github_would_answer_passes() {
        let runner = json!({ "id": 1, "name": "r", "os": "linux", "status": "online", "busy": false,
            "labels": [{ "name": "x", "type": "custom" }], "version": null });
        let body = json!({ "total_count": 1, "runners": [runner] });
        check(&call(LIST, "GET /r?name=r&per_page=10", 200, Some(body))).unwrap();
        check(&call(LIST, "GET /r", 401, Some(json!({ "message": "Bad credentials" })))).unwrap();
        check(&call(LIST, "GET /r", 304, None)).unwrap();
    }

    #[test]
    fn what_it_would_not_is_named() {
        let empty = || Some(json!({ "total_count": 0, "runners": [] }));
        for (broken, wanted) in [
            (call("GET /repos", "GET /repos", 200, None), "not in the contract"),
            (call(LIST, "GET /r?label=x", 200, empty()), "query parameter `label`"),
            (call(LIST, "GET /r?page=two", 200, empty()), "query `page`"),
            (call(LIST, "GET /r", 200, Some(json!({ "runners": [] }))), "total_count"),
            (call(LIST, "GET /r", 200, None), "has a body"),
            (call(LIST, "GET /r", 201, empty()), "no such status"),
            (call(LIST, "GET /r", 403, Some(json!({ "error": "no" }))), "no message"),
        ] {
            let problem = check(&broken).unwrap_err();
            assert!(problem.contains(wanted), "{problem}");
        }
        let unasked = Call { request: Some(json!({})), ..call(LIST, "GET /r", 200, empty()) };
        assert!(check(&unasked).unwrap_err().contains("takes no body"));
    }

    #[test]
    fn a_request_that_succeeded_must_have_been_in_the_contract() {
        let operation = "POST /repos/{owner}/{repo}/actions/runners/generate-jitconfig";
        let mut broken = call(operation, "POST /r", 201, None);
        broken.request = Some(json!({ "name": "r", "runner_group_id": 1, "labels": [] }));
        assert!(check(&broken).unwrap_err().contains("request body"));
        broken.request = None;
        assert!(check(&broken).unwrap_err().contains("wants a body"));
    }
}
