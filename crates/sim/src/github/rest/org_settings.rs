//! What an organisation configures for the workflows of its repositories: variables and sealed secrets, and
//! which repositories each is for.
//!
//! Source: GitHub REST API, "GitHub Actions Variables" and "GitHub Actions Secrets", the organisation's part.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::accounts::{Account, OrgValue, Scope, Visibility};
use super::super::state::State;
use super::settings::{list, named, opened, required, sealing_key, text};
use super::{Answer, ApiError, Context};

/// Nobody asks when; no account has a date.
const AT: &str = "2020-01-01T00:00:00Z";

fn organization<'a>(state: &'a mut State, context: &Context<'_>) -> Result<&'a mut Account, ApiError> {
    match context.scope()? {
        Scope::Organization(id) => state.accounts.by_id.get_mut(&id).ok_or_else(ApiError::not_found),
        Scope::Repository(_) => Err(ApiError::not_found()),
    }
}

type Values = BTreeMap<String, OrgValue>;

fn variables_of<'a>(state: &'a mut State, context: &Context<'_>) -> Result<&'a mut Values, ApiError> {
    Ok(&mut organization(state, context)?.vars)
}

fn secrets_of<'a>(state: &'a mut State, context: &Context<'_>) -> Result<&'a mut Values, ApiError> {
    Ok(&mut organization(state, context)?.secrets)
}

/// The visibility in a request, if it has one.
fn visibility(context: &Context<'_>) -> Result<Option<Visibility>, ApiError> {
    let ids = context.request.object()?.remove("selected_repository_ids");
    let ids: Option<Vec<u64>> = ids
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| ApiError::invalid(["selected_repository_ids is invalid".to_owned()]))?;
    match (text(context, "visibility")?.as_deref(), ids) {
        (None, _) => Ok(None),
        (Some("all"), None) => Ok(Some(Visibility::All)),
        (Some("private"), None) => Ok(Some(Visibility::Private)),
        (Some("selected"), ids) => {
            Ok(Some(Visibility::Selected(ids.unwrap_or_default().into_iter().collect())))
        }
        _ => Err(ApiError::invalid(["visibility is invalid".to_owned()])),
    }
}

fn wanted(context: &Context<'_>) -> Result<Visibility, ApiError> {
    visibility(context)?.ok_or_else(|| ApiError::invalid(["visibility is missing".to_owned()]))
}

fn shown(
    state: &State,
    context: &Context<'_>,
    kind: &str,
    name: &str,
    shared: &OrgValue,
    value: bool,
) -> Value {
    let mut shown = json!({
        "name": name, "created_at": AT, "updated_at": AT, "visibility": shared.visibility.as_str(),
    });
    if value {
        shown["value"] = json!(shared.value);
    }
    if let Visibility::Selected(_) = shared.visibility {
        let org = context.param("org");
        shown["selected_repositories_url"] =
            json!(format!("{}/orgs/{org}/actions/{kind}/{name}/repositories", state.urls.api()));
    }
    shown
}

/// `GET /orgs/{org}/actions/variables`.
pub(super) fn variables(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let all = variables_of(state, context)?.clone();
    let all = all.iter().map(|(name, shared)| shown(state, context, "variables", name, shared, true));
    Ok(list(context, "variables", all.collect()))
}

/// `GET /orgs/{org}/actions/variables/{name}`.
pub(super) fn get_variable(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = context.param("name").to_ascii_uppercase();
    let shared = variables_of(state, context)?.get(&name).cloned().ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(shown(state, context, "variables", &name, &shared, true)))
}

/// `POST /orgs/{org}/actions/variables`.
pub(super) fn create_variable(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let (name, value) = (named(&required(context, "name")?)?, required(context, "value")?);
    let shared = OrgValue { value, visibility: wanted(context)? };
    let variables = variables_of(state, context)?;
    if variables.contains_key(&name) {
        return Err(ApiError::new(409, "Already exists - Variable already exists"));
    }
    variables.insert(name, shared);
    Ok(Answer::created(json!({})))
}

/// `PATCH /orgs/{org}/actions/variables/{name}`.
pub(super) fn change_variable(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = context.param("name").to_ascii_uppercase();
    let (new_name, value, visibility) =
        (text(context, "name")?, text(context, "value")?, visibility(context)?);
    let new_name = new_name.map_or(Ok(name.clone()), |new| named(&new))?;
    let variables = variables_of(state, context)?;
    let old = variables.remove(&name).ok_or_else(ApiError::not_found)?;
    let new =
        OrgValue { value: value.unwrap_or(old.value), visibility: visibility.unwrap_or(old.visibility) };
    variables.insert(new_name, new);
    Ok(Answer::no_content())
}

/// `DELETE /orgs/{org}/actions/variables/{name}`.
pub(super) fn delete_variable(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = context.param("name").to_ascii_uppercase();
    variables_of(state, context)?.remove(&name).map(|_| Answer::no_content()).ok_or_else(ApiError::not_found)
}

/// `GET /orgs/{org}/actions/secrets`: names, never values.
pub(super) fn secrets(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let all = secrets_of(state, context)?.clone();
    let all = all.iter().map(|(name, shared)| shown(state, context, "secrets", name, shared, false));
    Ok(list(context, "secrets", all.collect()))
}

/// `GET /orgs/{org}/actions/secrets/{secret_name}`.
pub(super) fn get_secret(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = context.param("secret_name").to_ascii_uppercase();
    let shared = secrets_of(state, context)?.get(&name).cloned().ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(shown(state, context, "secrets", &name, &shared, false)))
}

/// `GET /orgs/{org}/actions/secrets/public-key`.
pub(super) fn public_key(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    secrets_of(state, context)?;
    Ok(sealing_key(state))
}

/// `PUT /orgs/{org}/actions/secrets/{secret_name}`.
pub(super) fn put_secret(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = named(context.param("secret_name"))?;
    let shared = OrgValue { value: opened(state, context)?, visibility: wanted(context)? };
    let known = secrets_of(state, context)?.insert(name, shared).is_some();
    Ok(if known { Answer::no_content() } else { Answer::created(json!({})) })
}

/// `DELETE /orgs/{org}/actions/secrets/{secret_name}`.
pub(super) fn delete_secret(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let name = context.param("secret_name").to_ascii_uppercase();
    secrets_of(state, context)?.remove(&name).map(|_| Answer::no_content()).ok_or_else(ApiError::not_found)
}
