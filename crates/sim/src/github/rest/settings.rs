//! What workflows find configured: environments, variables and sealed secrets.
//!
//! Every route exists twice, for the repository and for one of its environments; an organisation's are in
//! [`org_settings`](super::org_settings). Source: GitHub REST API, "Deployment environments", "GitHub Actions
//! Variables" and "GitHub Actions Secrets".

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::accounts::{Environment, Repository, Scope};
use super::super::state::State;
use super::page::Page;
use super::{Answer, ApiError, Context, repos, shapes};

/// The largest value of a variable or a secret, in bytes.
const LARGEST: usize = 48 * 1024;

/// The repository of the route, to be changed.
fn repository<'a>(state: &'a mut State, context: &Context<'_>) -> Result<&'a mut Repository, ApiError> {
    match context.scope()? {
        Scope::Repository(id) => state.accounts.repositories.get_mut(&id).ok_or_else(ApiError::not_found),
        Scope::Organization(_) => Err(ApiError::not_found()),
    }
}

type Values = BTreeMap<String, String>;

/// The variables and the secrets of the route: of the environment it names, else of the repository.
fn values<'a>(
    state: &'a mut State,
    context: &Context<'_>,
) -> Result<(&'a mut Values, &'a mut Values), ApiError> {
    let environment = context.param("environment_name").to_owned();
    let repository = repository(state, context)?;
    if environment.is_empty() {
        return Ok((&mut repository.vars, &mut repository.secrets));
    }
    let found = repository.environments.get_mut(&environment).ok_or_else(ApiError::not_found)?;
    Ok((&mut found.vars, &mut found.secrets))
}

/// A name as GitHub keeps it: in capitals.
pub(super) fn named(name: &str) -> Result<String, ApiError> {
    let name = name.to_ascii_uppercase();
    let first = name.bytes().next().unwrap_or(b'0');
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !legal || first.is_ascii_digit() || name.starts_with("GITHUB_") {
        return Err(ApiError::invalid([format!("Name {name} is invalid")]));
    }
    Ok(name)
}

pub(super) fn text(context: &Context<'_>, field: &str) -> Result<Option<String>, ApiError> {
    let value = context.request.object()?.remove(field);
    match value {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= LARGEST => Ok(Some(text)),
        Some(_) => Err(ApiError::invalid([format!("{field} is invalid")])),
    }
}

pub(super) fn required(context: &Context<'_>, field: &str) -> Result<String, ApiError> {
    text(context, field)?.ok_or_else(|| ApiError::invalid([format!("{field} is missing")]))
}

/// Nobody asks when; the times are the repository's.
fn times(state: &mut State, context: &Context<'_>) -> Result<String, ApiError> {
    Ok(shapes::time(repository(state, context)?.created_at))
}

fn variable(name: &str, value: &str, at: &str) -> Value {
    json!({ "name": name, "value": value, "created_at": at, "updated_at": at })
}

fn secret(name: &str, at: &str) -> Value {
    json!({ "name": name, "created_at": at, "updated_at": at })
}

pub(super) fn list(context: &Context<'_>, kind: &'static str, all: Vec<Value>) -> Answer {
    let (total, page) = (all.len(), Page::of(context.request));
    let mut body = json!({ "total_count": total });
    body[kind] = page.cut(all).collect();
    Answer::ok(body)
}

/// `GET …/variables`.
pub(super) fn variables(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let at = times(state, context)?;
    let (variables, _) = values(state, context)?;
    let all = variables.iter().map(|(name, value)| variable(name, value, &at)).collect();
    Ok(list(context, "variables", all))
}

/// `GET …/variables/{name}`.
pub(super) fn get_variable(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let at = times(state, context)?;
    let name = context.param("name").to_ascii_uppercase();
    let (variables, _) = values(state, context)?;
    let value = variables.get(&name).ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(variable(&name, value, &at)))
}

/// `POST …/variables`.
pub(super) fn create_variable(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let (name, value) = (named(&required(context, "name")?)?, required(context, "value")?);
    let (variables, _) = values(state, context)?;
    if variables.contains_key(&name) {
        return Err(ApiError::new(409, "Already exists - Variable already exists"));
    }
    variables.insert(name, value);
    Ok(Answer::created(json!({})))
}

/// `PATCH …/variables/{name}`.
pub(super) fn change_variable(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = context.param("name").to_ascii_uppercase();
    let (new_name, value) = (text(context, "name")?, text(context, "value")?);
    let new_name = new_name.map_or(Ok(name.clone()), |new| named(&new))?;
    let (variables, _) = values(state, context)?;
    let old = variables.remove(&name).ok_or_else(ApiError::not_found)?;
    variables.insert(new_name, value.unwrap_or(old));
    Ok(Answer::no_content())
}

/// `DELETE …/variables/{name}`.
pub(super) fn delete_variable(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = context.param("name").to_ascii_uppercase();
    let (variables, _) = values(state, context)?;
    variables.remove(&name).map(|_| Answer::no_content()).ok_or_else(ApiError::not_found)
}

/// `GET …/secrets`: names, never values.
pub(super) fn secrets(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let at = times(state, context)?;
    let (_, secrets) = values(state, context)?;
    let all = secrets.keys().map(|name| secret(name, &at)).collect();
    Ok(list(context, "secrets", all))
}

/// `GET …/secrets/{secret_name}`.
pub(super) fn get_secret(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let at = times(state, context)?;
    let name = context.param("secret_name").to_ascii_uppercase();
    let (_, secrets) = values(state, context)?;
    secrets.get(&name).map(|_| Answer::ok(secret(&name, &at))).ok_or_else(ApiError::not_found)
}

/// `GET …/secrets/public-key`: what secrets have to be sealed for.
pub(super) fn public_key(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    values(state, context)?;
    Ok(sealing_key(state))
}

/// `PUT …/secrets/{secret_name}`: a sealed box of libsodium, which only GitHub can open.
pub(super) fn put_secret(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = named(context.param("secret_name"))?;
    let value = opened(state, context)?;
    let (_, secrets) = values(state, context)?;
    let known = secrets.insert(name, value).is_some();
    Ok(if known { Answer::no_content() } else { Answer::created(json!({})) })
}

/// What was sealed for us in a request.
pub(super) fn opened(state: &State, context: &Context<'_>) -> Result<String, ApiError> {
    if required(context, "key_id")? != state.sealing_key_id {
        return Err(ApiError::invalid(["key_id is not the current one".to_owned()]));
    }
    let sealed = STANDARD.decode(required(context, "encrypted_value")?).ok();
    let opened = sealed.and_then(|sealed| state.sealing_key.unseal(&sealed).ok());
    opened
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| ApiError::invalid(["encrypted_value cannot be opened".to_owned()]))
}

/// The public half of the key for sealing.
pub(super) fn sealing_key(state: &State) -> Answer {
    let key = STANDARD.encode(state.sealing_key.public_key().as_bytes());
    Answer::ok(json!({ "key_id": state.sealing_key_id, "key": key }))
}

/// `DELETE …/secrets/{secret_name}`.
pub(super) fn delete_secret(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = context.param("secret_name").to_ascii_uppercase();
    let (_, secrets) = values(state, context)?;
    secrets.remove(&name).map(|_| Answer::no_content()).ok_or_else(ApiError::not_found)
}

/// Schema `environment`.
fn environment(state: &State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let repository = repos::of_scope(state, context)?;
    let name = context.param("environment_name");
    if !repository.environments.contains_key(name) {
        return Err(ApiError::not_found());
    }
    let (at, api) = (shapes::time(repository.created_at), shapes::repository_url(repository, &state.urls));
    Ok(Answer::ok(json!({
        "id": 1, "node_id": shapes::node_id("EN", 1), "name": name, "url": format!("{api}/environments/{name}"),
        "html_url": format!("{}/{}/deployments/activity_log?environments_filter={name}",
            state.urls.server, repository.full_name()),
        "created_at": at, "updated_at": at, "protection_rules": [], "deployment_branch_policy": null,
    })))
}

/// `GET /repos/{owner}/{repo}/environments/{environment_name}`.
pub(super) fn get_environment(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    environment(state, context)
}

/// `PUT /repos/{owner}/{repo}/environments/{environment_name}`.
pub(super) fn put_environment(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let asked = context.request.object()?;
    if asked.values().any(|value| !value.is_null()) {
        return Err(ApiError::new(422, "protection rules are not simulated"));
    }
    let name = context.param("environment_name").to_owned();
    repository(state, context)?.environments.entry(name).or_insert_with(Environment::default);
    environment(state, context)
}

/// `DELETE /repos/{owner}/{repo}/environments/{environment_name}`.
pub(super) fn delete_environment(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let removed = repository(state, context)?.environments.remove(context.param("environment_name"));
    removed.map(|_| Answer::no_content()).ok_or_else(ApiError::not_found)
}
