//! Accounts and repositories as the REST API shows them.
//!
//! Every answer carries the same long lists of addresses; they are made here once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::accounts::{Account, Repository};
use super::super::config::Urls;

/// A time as GitHub writes it: whole seconds, UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The global id that GraphQL would use.
pub(crate) fn node_id(kind: &str, id: u64) -> String {
    format!("{kind}_{}", STANDARD_NO_PAD.encode(id.to_be_bytes()))
}

/// Schema `simple-user`.
pub(crate) fn account(account: &Account, urls: &Urls) -> Value {
    let Account { id, login, .. } = account;
    user(*id, login, account.kind(), urls)
}

/// Schema `simple-user`, for a login that may have no account, such as the actor of a run.
pub(crate) fn user(id: u64, login: &str, kind: &str, urls: &Urls) -> Value {
    let (server, api) = (&urls.server, format!("{}/users/{login}", urls.api()));
    json!({
        "login": login,
        "id": id,
        "node_id": node_id("U", id),
        "avatar_url": format!("{server}/avatars/u/{id}"),
        "gravatar_id": "",
        "url": api,
        "html_url": format!("{server}/{login}"),
        "followers_url": format!("{api}/followers"),
        "following_url": format!("{api}/following{{/other_user}}"),
        "gists_url": format!("{api}/gists{{/gist_id}}"),
        "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{api}/subscriptions"),
        "organizations_url": format!("{api}/orgs"),
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events{{/privacy}}"),
        "received_events_url": format!("{api}/received_events"),
        "type": kind,
        "site_admin": false,
    })
}

/// Parts of a repository's address in the API, and the rest of each template: `forks_url` is
/// `…/repos/octo/demo/forks`.
const REPOSITORY_URLS: [(&str, &str); 38] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
    ("properties_url", "/properties/values"),
];

/// Schema `minimal-repository`, as inside a run.
pub(crate) fn minimal_repository(repository: &Repository, owner: &Value, urls: &Urls) -> Value {
    let api = repository_url(repository, urls);
    let mut value = json!({
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name(),
        "owner": owner,
        "private": repository.private,
        "html_url": format!("{}/{}", urls.server, repository.full_name()),
        "description": null,
        "fork": false,
    });
    for (name, rest) in REPOSITORY_URLS {
        value[name] = json!(format!("{api}{rest}"));
    }
    value
}

/// Schema `full-repository`, which includes `repository`.
pub(crate) fn repository(repository: &Repository, owner: &Value, urls: &Urls) -> Value {
    let mut value = minimal_repository(repository, owner, urls);
    let html = format!("{}/{}", urls.server, repository.full_name());
    let host = urls.server.trim_start_matches("http://");
    let created = time(repository.created_at);
    let more = json!({
        "clone_url": format!("{html}.git"),
        "git_url": format!("git://{host}/{}.git", repository.full_name()),
        "ssh_url": format!("git@{host}:{}.git", repository.full_name()),
        "svn_url": html,
        "mirror_url": null,
        "homepage": null,
        "language": null,
        "license": null,
        "default_branch": repository.default_branch,
        "visibility": if repository.private { "private" } else { "public" },
        "archived": false,
        "disabled": false,
        "created_at": created,
        "updated_at": created,
        "pushed_at": created,
        "size": 0,
        "forks": 0,
        "forks_count": 0,
        "network_count": 0,
        "open_issues": 0,
        "open_issues_count": 0,
        "stargazers_count": 0,
        "subscribers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "has_discussions": false,
        "has_downloads": true,
        "has_issues": true,
        "has_pages": false,
        "has_projects": true,
        "has_wiki": true,
        "topics": [],
    });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

pub(crate) fn repository_url(repository: &Repository, urls: &Urls) -> String {
    format!("{}/repos/{}", urls.api(), repository.full_name())
}
