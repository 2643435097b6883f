//! GitHub Apps: themselves, their installations, the tokens of those.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::accounts::{Account, App, Installation, Repository};
use super::super::auth::{self, Caller};
use super::super::permissions::{Level, Permissions};
use super::super::state::State;
use super::super::tokens::Grant;
use super::page::Page;
use super::{Answer, ApiError, Context, repos, shapes};

/// The App that calls; the route lets nobody else in.
fn calling<'a>(state: &'a State, context: &Context<'_>) -> Result<&'a App, ApiError> {
    match context.caller {
        Caller::App(id) => state.accounts.apps.get(id).ok_or_else(ApiError::not_found),
        _ => Err(ApiError::not_found()),
    }
}

/// `GET /app`.
pub(super) fn app(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    Ok(Answer::ok(integration(state, calling(state, context)?)))
}

/// `POST /app-manifests/{code}/conversions`.
pub(super) fn conversion(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let made = state.convert_manifest(context.param("code"), context.now)?;
    let app = state.accounts.apps.get(&made.id).ok_or_else(ApiError::not_found)?;
    let mut body = integration(state, app);
    body["client_secret"] = json!(made.client_secret);
    body["webhook_secret"] = Value::Null;
    body["pem"] = json!(made.pem);
    Ok(Answer::created(body))
}

/// Schema `integration`.
fn integration(state: &State, app: &App) -> Value {
    let created = shapes::time(app.created_at);
    let owner = state
        .accounts
        .by_id
        .get(&app.owner_id)
        .map_or(Value::Null, |account| shapes::account(account, &state.urls));
    let installations = state.accounts.installations.values().filter(|it| it.app_id == app.id).count();
    json!({
        "id": app.id,
        "client_id": app.client_id,
        "slug": app.slug,
        "node_id": shapes::node_id("A", app.id),
        "owner": owner,
        "name": app.slug,
        "description": null,
        "external_url": format!("{}/apps/{}", state.urls.server, app.slug),
        "html_url": format!("{}/apps/{}", state.urls.server, app.slug),
        "created_at": created,
        "updated_at": created,
        "permissions": app.permissions,
        "events": [],
        "installations_count": installations,
    })
}

/// Schema `installation`.
fn installation(state: &State, app: &App, installation: &Installation) -> Value {
    let Installation { id, account_id, .. } = installation;
    let created = shapes::time(installation.created_at);
    let api = state.urls.api();
    let account = state.accounts.by_id.get(account_id);
    json!({
        "id": id,
        "account": account.map_or(Value::Null, |account| holder(account, state)),
        "repository_selection": selection(installation.repositories.as_ref()),
        "access_tokens_url": format!("{api}/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{api}/installation/repositories"),
        "html_url": format!("{}/settings/installations/{id}", state.urls.server),
        "app_id": app.id,
        "client_id": app.client_id,
        "app_slug": app.slug,
        "target_id": account_id,
        "target_type": account.map_or("User", |account| account.kind()),
        "permissions": installation.permissions,
        "events": [],
        "single_file_name": null,
        "suspended_at": null,
        "suspended_by": null,
        "created_at": created,
        "updated_at": created,
    })
}

/// The account of an installation: in the list of installations the contract wants it to be a `simple-user`
/// and an `enterprise` at once.
fn holder(account: &Account, state: &State) -> Value {
    let mut value = shapes::account(account, &state.urls);
    value["name"] = json!(account.login);
    value["slug"] = json!(account.login.to_lowercase());
    value["created_at"] = Value::Null;
    value["updated_at"] = Value::Null;
    value
}

fn selection(repositories: Option<&BTreeSet<u64>>) -> &'static str {
    if repositories.is_some() { "selected" } else { "all" }
}

/// `GET /app/installations`.
pub(super) fn installations(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let app = calling(state, context)?;
    let all: Vec<Value> = state
        .accounts
        .installations
        .values()
        .filter(|it| it.app_id == app.id)
        .map(|it| installation(state, app, it))
        .collect();
    let page = Page::of(context.request);
    let url = format!("{}/app/installations", state.urls.api());
    let link = page.link(context.request, &url, all.len());
    Ok(Answer::ok(page.cut(all).collect()).with_optional("Link", link))
}

/// `GET /repos/{owner}/{repo}/installation`.
pub(super) fn repository_installation(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let app = calling(state, context)?;
    let repository = state
        .accounts
        .repository(context.param("owner"), context.param("repo"))
        .ok_or_else(ApiError::not_found)?;
    let found = auth::installation_on(&state.accounts, app.id, repository.owner_id)
        .filter(|it| it.reaches(repository))
        .ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(installation(state, app, found)))
}

/// `GET /orgs/{org}/installation`.
pub(super) fn organization_installation(
    state: &mut State,
    context: &Context<'_>,
) -> Result<Answer, ApiError> {
    let app = calling(state, context)?;
    let found = state
        .accounts
        .account(context.param("org"))
        .filter(|account| account.is_organization())
        .and_then(|account| auth::installation_on(&state.accounts, app.id, account.id))
        .ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(installation(state, app, found)))
}

/// `POST /app/installations/{installation_id}/access_tokens`: a token for an hour, at most as mighty as the
/// installation.
pub(super) fn access_tokens(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let app = calling(state, context)?.id;
    let id = context.id("installation_id")?;
    let installed = state
        .accounts
        .installations
        .get(&id)
        .filter(|it| it.app_id == app)
        .ok_or_else(ApiError::not_found)?;
    let body = context.request.object()?;
    let mut permissions = narrowed_permissions(installed, body.get("permissions"))?;
    permissions.insert("metadata".into(), Level::Read);
    let repositories =
        narrowed_repositories(state, installed, body.get("repositories"), body.get("repository_ids"))?;

    let expires = context.now + SignedDuration::from_hours(1);
    let token = format!("ghs_{app}_{}", state.entropy.jwt_like());
    let mut answer = json!({
        "token": token,
        "expires_at": shapes::time(expires),
        "permissions": permissions,
        "repository_selection": selection(repositories.as_ref()),
    });
    if let Some(ids) = &repositories {
        answer["repositories"] = ids
            .iter()
            .filter_map(|id| state.accounts.repositories.get(id))
            .map(|repository| shapes::repository(repository, &repos::owner(state, repository), &state.urls))
            .collect();
    }
    let grant = Grant::Installation { installation: id, repositories, permissions };
    state.hand_out(&token);
    state.tokens.add(token, grant, Some(expires));
    Ok(Answer::created(answer))
}

fn narrowed_permissions(installed: &Installation, asked: Option<&Value>) -> Result<Permissions, ApiError> {
    let Some(asked) = asked else { return Ok(installed.permissions.clone()) };
    let asked: Permissions = serde_json::from_value(asked.clone())
        .map_err(|error| ApiError::new(422, format!("Invalid request: permissions: {error}")))?;
    let within = |(name, level): (&String, &Level)| {
        installed.permissions.get(name).is_some_and(|granted| granted >= level)
            || (name == "metadata" && *level == Level::Read)
    };
    if asked.iter().all(within) {
        Ok(asked)
    } else {
        Err(ApiError::new(422, "The permissions requested are not granted to this installation."))
    }
}

fn narrowed_repositories(
    state: &State,
    installed: &Installation,
    names: Option<&Value>,
    ids: Option<&Value>,
) -> Result<Option<BTreeSet<u64>>, ApiError> {
    if names.is_none() && ids.is_none() {
        return Ok(installed.repositories.clone());
    }
    let inaccessible = || {
        ApiError::new(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent \
             installation.",
        )
    };
    let reachable = |found: &dyn Fn(&&Repository) -> bool| {
        state
            .accounts
            .repositories
            .values()
            .filter(|repository| installed.reaches(repository))
            .find(found)
            .map(|repository| repository.id)
            .ok_or_else(inaccessible)
    };
    let mut chosen = BTreeSet::new();
    for name in names.and_then(Value::as_array).into_iter().flatten() {
        let name = name.as_str().ok_or_else(inaccessible)?;
        chosen.insert(reachable(&|repository| repository.name.eq_ignore_ascii_case(name))?);
    }
    for id in ids.and_then(Value::as_array).into_iter().flatten() {
        let id = id.as_u64().ok_or_else(inaccessible)?;
        chosen.insert(reachable(&|repository| repository.id == id)?);
    }
    Ok(Some(chosen))
}
