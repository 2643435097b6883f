//! Scale sets over HTTP: routes, tokens, the long poll, and what goes wrong on the way.

use std::sync::Arc;

use http::Method;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::super::accounts::Scope;
use super::super::rest::Body;
use super::super::server::{BAD_GATEWAY, Content, Reply, bearer, query};
use super::super::shared::Shared;
use super::super::state::State;
use super::ServiceError;
use super::manage::Wish;
use crate::faults::{Breakage, github_operation};

/// Says how many jobs a client takes.
const CAPACITY: &str = "x-scalesetmaxcapacity";

type Answer = Result<(u16, Option<Value>), ServiceError>;

/// A call and all that its answer depends on.
struct Call<'a> {
    parts: &'a Parts,
    body: Body,
    query: Vec<(String, String)>,
    now: Timestamp,
}

impl Call<'_> {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, ServiceError> {
        let value = match &self.body {
            Body::Json(value) => value.clone(),
            Body::Absent => json!({}),
            Body::Text(_) => return Err(ServiceError::bad_request("the body is no JSON")),
        };
        serde_json::from_value(value).map_err(|error| ServiceError::bad_request(error.to_string()))
    }
}

fn reply(template: &str, method: &Method, answer: Answer) -> Reply {
    let operation = format!("{method} {template}");
    match answer {
        Ok((status, body)) => {
            Reply::new("actions", operation, status, body.map_or(Content::Nothing, Content::Json))
        }
        Err(error) => Reply::new("actions", operation, error.status, Content::Json(error.body())),
    }
}

/// Does a call, unless a fault prevents it or swallows its answer.
fn under_faults(
    state: &mut State,
    template: &str,
    method: &Method,
    now: Timestamp,
    act: impl FnOnce(&mut State) -> Answer,
) -> Reply {
    let faults = state.config.faults.clone();
    let short = github_operation(method.as_str(), template);
    if let Some(status) = faults.github_fails(&short, now) {
        return broken(template, method, status);
    }
    let answered = act(state);
    let lost = if answered.is_ok() { faults.loses_answer("github", &short, now) } else { None };
    match lost {
        Some(Breakage::Status500) => broken(template, method, 500),
        Some(Breakage::Cut) => Reply { cut: true, ..reply(template, method, answered) },
        None => reply(template, method, answered),
    }
}

fn broken(template: &str, method: &Method, status: u16) -> Reply {
    let content = if status == 502 { Content::Page(BAD_GATEWAY) } else { Content::Nothing };
    Reply::new("actions", format!("{method} {template}"), status, content)
}

/// `POST /actions/runner-registration` of the REST API's host, which has credentials of its own.
pub(crate) fn connect(shared: &Shared, parts: &Parts, body: Body) -> Reply {
    const TEMPLATE: &str = "/actions/runner-registration";
    #[derive(Deserialize)]
    struct Wanted {
        url: String,
        runner_event: String,
    }
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("RemoteAuth "));
    shared.with(|state, now| {
        under_faults(state, TEMPLATE, &parts.method, now, |state| {
            let wanted: Wanted = Call { parts, body, query: Vec::new(), now }.json()?;
            if wanted.runner_event != "register" {
                return Err(ServiceError::bad_request("runner_event: must be `register`"));
            }
            let token = state.connect_to_actions(token, &wanted.url, now)?;
            Ok((200, Some(json!({ "url": state.urls.actions_service(), "token": token }))))
        })
    })
}

/// What is below `/_services/actions/`.
pub(crate) fn answer(shared: &Shared, parts: &Parts, path: &str, body: Body) -> Reply {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let Some(template) = template(&segments) else {
        return reply(path, &parts.method, Err(ServiceError::no_route()));
    };
    shared.with(|state, now| {
        let call = Call { parts, body, query: query(parts), now };
        let admitted = if call.query("api-version").is_none() {
            Err(ServiceError::bad_request("api-version: must be given"))
        } else if segments.last() == Some(&"acquirejobs") {
            // The queue's token opens this one, and is looked at where its scale set is known.
            Ok(None)
        } else {
            state.admin_of(bearer(parts), now).map(Some)
        };
        let scope = match admitted {
            Ok(scope) => scope,
            Err(error) => return reply(template, &parts.method, Err(error)),
        };
        let caller = scope.and_then(|scope| state.address_of(scope)).unwrap_or_default();
        let answered = under_faults(state, template, &parts.method, now, |state| match scope {
            Some(scope) => manage(state, scope, &segments, &call),
            None => acquire(state, &segments, &call),
        });
        Reply { caller: format!("scale sets of {caller}"), ..answered }
    })
}

fn template(segments: &[&str]) -> Option<&'static str> {
    Some(match segments {
        ["_apis", "runtime", "runnergroups"] => "/_apis/runtime/runnergroups",
        ["_apis", "runtime", "runnerscalesets"] => "/_apis/runtime/runnerscalesets",
        ["_apis", "runtime", "runnerscalesets", _] => "/_apis/runtime/runnerscalesets/{scale_set_id}",
        ["_apis", "runtime", "runnerscalesets", _, "generatejitconfig"] => {
            "/_apis/runtime/runnerscalesets/{scale_set_id}/generatejitconfig"
        }
        ["_apis", "runtime", "runnerscalesets", _, "acquirejobs"] => {
            "/_apis/runtime/runnerscalesets/{scale_set_id}/acquirejobs"
        }
        ["_apis", "runtime", "runnerscalesets", _, "sessions"] => {
            "/_apis/runtime/runnerscalesets/{scale_set_id}/sessions"
        }
        ["_apis", "runtime", "runnerscalesets", _, "sessions", _] => {
            "/_apis/runtime/runnerscalesets/{scale_set_id}/sessions/{session_id}"
        }
        ["_apis", "distributedtask", "pools", "0", "agents"] => "/_apis/distributedtask/pools/0/agents",
        ["_apis", "distributedtask", "pools", "0", "agents", _] => {
            "/_apis/distributedtask/pools/0/agents/{agent_id}"
        }
        _ => return None,
    })
}

fn id(text: &str) -> Result<u64, ServiceError> {
    text.parse().map_err(|_| ServiceError::no_route())
}

fn manage(state: &mut State, scope: Scope, segments: &[&str], call: &Call<'_>) -> Answer {
    let ok = |body: Value| Ok((200, Some(body)));
    let (method, now) = (&call.parts.method, call.now);
    match segments {
        [_, _, "runnergroups"] if method == Method::GET => {
            ok(state.runner_groups(scope, call.query("groupName")))
        }
        [_, _, "runnerscalesets"] if method == Method::GET => {
            let group = call.query("runnerGroupId").and_then(|id| id.parse().ok());
            ok(state.list_scale_sets(scope, group, call.query("name")))
        }
        [_, _, "runnerscalesets"] if method == Method::POST => {
            let id = state.create_scale_set(scope, &call.json::<Wish>()?, now)?;
            ok(state.scale_set_shape(state.scale_set_of(scope, id)?))
        }
        [_, _, "runnerscalesets", set] => one_set(state, scope, id(set)?, call),
        [_, _, "runnerscalesets", set, "generatejitconfig"] if method == Method::POST => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Wanted {
                name: String,
                #[serde(default)]
                work_folder: String,
            }
            let wanted: Wanted = call.json()?;
            ok(state.mint_for_scale_set(scope, id(set)?, &wanted.name, &wanted.work_folder, now)?)
        }
        [_, _, "runnerscalesets", set, "sessions"] if method == Method::POST => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Wanted {
                owner_name: String,
            }
            ok(state.open_queue(scope, id(set)?, &call.json::<Wanted>()?.owner_name, now)?)
        }
        [_, _, "runnerscalesets", set, "sessions", session] => match *method {
            Method::PATCH => ok(state.renew_queue(scope, id(set)?, session, now)?),
            Method::DELETE => state.close_queue(scope, id(set)?, session).map(|()| (204, None)),
            _ => Err(ServiceError::no_route()),
        },
        [_, _, _, _, "agents"] if method == Method::GET => ok(state.agents(scope, call.query("agentName"))),
        [_, _, _, _, "agents", agent] => match *method {
            Method::GET => ok(state.agent(scope, id(agent)?)?),
            Method::DELETE => state.delete_agent(scope, id(agent)?, now).map(|()| (204, None)),
            _ => Err(ServiceError::no_route()),
        },
        _ => Err(ServiceError::no_route()),
    }
}

fn one_set(state: &mut State, scope: Scope, id: u64, call: &Call<'_>) -> Answer {
    state.scale_set_of(scope, id)?;
    match call.parts.method {
        Method::GET => {}
        Method::PATCH => state.change_scale_set(scope, id, &call.json::<Wish>()?)?,
        Method::DELETE => {
            state.remove_scale_set(id, call.now);
            return Ok((204, None));
        }
        _ => return Err(ServiceError::no_route()),
    }
    Ok((200, Some(state.scale_set_shape(state.scale_set_of(scope, id)?))))
}

fn acquire(state: &mut State, segments: &[&str], call: &Call<'_>) -> Answer {
    let [_, _, _, set, _] = segments else { return Err(ServiceError::no_route()) };
    let set = id(set)?;
    if call.parts.method != Method::POST {
        return Err(ServiceError::no_route());
    }
    state.queue_of_set(set, bearer(call.parts), call.now)?;
    let acquired = state.acquire(set, &call.json::<Vec<u64>>()?, call.now);
    Ok((200, Some(json!({ "count": acquired.len(), "value": acquired }))))
}

const POLL: &str = "/scalesets/message";
const ACKNOWLEDGE: &str = "/scalesets/message/{message_id}";

/// What is below `/_services/broker/scalesets/`: a queue.
pub(crate) async fn broker(shared: &Arc<Shared>, parts: &Parts, path: &str) -> Reply {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let query = query(parts);
    let find = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let session = find("sessionId").unwrap_or_default();
    let answered = match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["message"]) => {
            let last = find("lastMessageId").and_then(|id| id.parse().ok()).unwrap_or(0);
            deliver(shared, parts, session, last).await
        }
        (&Method::DELETE, ["message", message]) => {
            shared.with(|state, now| match state.queue_of(session, bearer(parts), now) {
                Err(error) => reply(ACKNOWLEDGE, &parts.method, Err(error)),
                Ok(set) => under_faults(state, ACKNOWLEDGE, &parts.method, now, |state| {
                    state.acknowledge(set, id(message)?);
                    Ok((204, None))
                }),
            })
        }
        _ => reply(path, &parts.method, Err(ServiceError::no_route())),
    };
    Reply { caller: format!("session {session}"), ..answered }
}

/// A poll. Who it is comes before the weather, as with everything that needs a token.
async fn deliver(shared: &Arc<Shared>, parts: &Parts, session: &str, last: u64) -> Reply {
    let short = github_operation("GET", POLL);
    let capacity = parts.headers.get(CAPACITY).and_then(|value| value.to_str().ok());
    let capacity = capacity.and_then(|value| value.parse().ok()).unwrap_or(0);
    let (arrived, failure) = shared.with(|state, now| {
        let arrived = state.poll_arrives(session, bearer(parts), capacity, now);
        let faults = state.config.faults.clone();
        let failure = if arrived.is_ok() { faults.github_fails(&short, now) } else { None };
        (arrived, failure)
    });
    if let Some(status) = failure {
        return broken(POLL, &parts.method, status);
    }
    let answered = match arrived {
        Ok(()) => poll(shared, session, last).await,
        Err(error) => Err(error),
    };
    let message = matches!(answered, Ok((200, _)));
    let breakage = shared.with(|state, now| {
        let faults = state.config.faults.clone();
        if message { faults.loses_answer("github", &short, now) } else { None }
    });
    match breakage {
        Some(Breakage::Status500) => broken(POLL, &parts.method, 500),
        Some(Breakage::Cut) => Reply { cut: true, ..reply(POLL, &parts.method, answered) },
        None => reply(POLL, &parts.method, answered),
    }
}

/// Holds the poll open until there is a message, or the time is over.
async fn poll(shared: &Shared, session: &str, last: u64) -> Answer {
    let deadline = Instant::now() + shared.with(|state, _| state.config.poll_timeout);
    let mut changes = shared.changes();
    loop {
        // Marked before the look, so that what comes after the look is not missed.
        changes.borrow_and_update();
        if let Some(message) = shared.with(|state, now| {
            state.poll_ends(session, now);
            state.next_message(session, last)
        })? {
            return Ok((200, Some(message)));
        }
        tokio::select! {
            Ok(()) = changes.changed() => {}
            () = sleep_until(deadline) => break,
            () = shared.stop.cancelled() => break,
        }
    }
    shared.with(|state, now| state.poll_ends(session, now));
    Ok((202, None))
}
