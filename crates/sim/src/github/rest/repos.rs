//! Repositories: themselves, the latest release of the runner, the subject of their OIDC tokens.

use serde_json::{Value, json};

use super::super::accounts::{Repository, Scope};
use super::super::oidc::SubjectForm;
use super::super::state::State;
use super::{Answer, ApiError, Context, shapes};

/// The repository of a route's scope.
pub(super) fn of_scope<'a>(state: &'a State, context: &Context<'_>) -> Result<&'a Repository, ApiError> {
    match context.scope()? {
        Scope::Repository(id) => state.accounts.repositories.get(&id).ok_or_else(ApiError::not_found),
        Scope::Organization(_) => Err(ApiError::not_found()),
    }
}

/// A repository's owner, as an answer shows it.
pub(super) fn owner(state: &State, repository: &Repository) -> Value {
    match state.accounts.by_id.get(&repository.owner_id) {
        Some(account) => shapes::account(account, &state.urls),
        None => shapes::user(repository.owner_id, &repository.owner, "User", &state.urls),
    }
}

/// `GET /repos/{owner}/{repo}`.
pub(super) fn repository(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let repository = of_scope(state, context)?;
    Ok(Answer::ok(shapes::repository(repository, &owner(state, repository), &state.urls)))
}

/// `GET /repos/{owner}/{repo}/releases/latest`: only the runner's own repository has releases here.
pub(super) fn latest_release(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let repository = of_scope(state, context)?;
    if repository.full_name() != "actions/runner" {
        return Err(ApiError::not_found());
    }
    let tag = format!("v{}", state.config.latest_runner_version);
    let html = format!("{}/actions/runner", state.urls.server);
    let api = shapes::repository_url(repository, &state.urls);
    let published = shapes::time(repository.created_at);
    Ok(Answer::ok(json!({
        "id": 1,
        "node_id": shapes::node_id("RE", 1),
        "url": format!("{api}/releases/1"),
        "assets_url": format!("{api}/releases/1/assets"),
        "upload_url": format!("{api}/releases/1/assets{{?name,label}}"),
        "html_url": format!("{html}/releases/tag/{tag}"),
        "tarball_url": format!("{api}/tarball/{tag}"),
        "zipball_url": format!("{api}/zipball/{tag}"),
        "tag_name": tag,
        "name": tag,
        "target_commitish": repository.default_branch,
        "author": owner(state, repository),
        "draft": false,
        "prerelease": false,
        "created_at": published,
        "published_at": published,
        "assets": [],
        "body": null,
    })))
}

/// `GET /repos/{owner}/{repo}/actions/oidc/customization/sub`.
pub(super) fn oidc_subject(state: &mut State, context: &Context<'_>) -> Result<Answer, ApiError> {
    let repository = of_scope(state, context)?;
    Ok(Answer::ok(json!({
        "use_default": true,
        "use_immutable_subject": repository.subject == SubjectForm::NamesAndIds,
        "sub_claim_prefix": repository.subject.prefix(repository),
    })))
}
