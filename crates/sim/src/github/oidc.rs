//! The issuer of OIDC tokens for jobs.
//!
//! Source of the claims and their values: GitHub documentation, "OpenID Connect reference".

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header, encode};
use serde::Serialize;
use serde_json::{Value, json};

use super::accounts::Repository;
use super::config::Urls;
use super::keys::{KeyError, PrivateKey};

/// How the subject of a repository's tokens names the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectForm {
    /// `repo:OWNER/REPO:…`.
    #[default]
    Names,
    /// `repo:OWNER@OWNERID/REPO@REPOID:…`, as of repositories created, renamed or moved after 2026-07-15.
    NamesAndIds,
}

impl SubjectForm {
    /// The part before the context, `repo:octo/demo`.
    pub(crate) fn prefix(self, repository: &Repository) -> String {
        let Repository { owner, owner_id, name, id, .. } = repository;
        match self {
            Self::Names => format!("repo:{owner}/{name}"),
            Self::NamesAndIds => format!("repo:{owner}@{owner_id}/{name}@{id}"),
        }
    }
}

/// The job a token is for.
pub(crate) struct Subject<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) run_id: u64,
    pub(crate) run_number: u64,
    pub(crate) run_attempt: u64,
    pub(crate) actor: &'a str,
    pub(crate) actor_id: u64,
    pub(crate) event_name: &'a str,
    pub(crate) git_ref: &'a str,
    pub(crate) workflow: &'a str,
    /// `.github/workflows/build.yml`.
    pub(crate) workflow_path: &'a str,
    /// Where the job itself stands: another file, if that was called.
    pub(crate) job_workflow_path: &'a str,
    pub(crate) environment: Option<&'a str>,
    pub(crate) hosted: bool,
}

impl Subject<'_> {
    /// The claim `sub`: the environment wins over the pull request, and that over the ref.
    pub(crate) fn sub(&self) -> String {
        let prefix = self.repository.subject.prefix(self.repository);
        match self.environment {
            // A colon in the name would look like a separator.
            Some(environment) => format!("{prefix}:environment:{}", environment.replace(':', "%3A")),
            None if self.event_name == "pull_request" => format!("{prefix}:pull_request"),
            None => format!("{prefix}:ref:{}", self.git_ref),
        }
    }
}

/// `octo/demo/.github/workflows/build.yml@refs/heads/main`, as in `github.workflow_ref`.
pub(crate) fn workflow_ref(repository: &Repository, path: &str, git_ref: &str) -> String {
    format!("{}/{path}@{git_ref}", repository.full_name())
}

/// `branch` or `tag`, as in `github.ref_type`.
pub(crate) fn ref_type(git_ref: &str) -> &'static str {
    if git_ref.starts_with("refs/tags/") { "tag" } else { "branch" }
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    sub: String,
    aud: &'a str,
    #[serde(rename = "ref")]
    git_ref: &'a str,
    sha: &'a str,
    repository: String,
    repository_owner: &'a str,
    repository_owner_id: String,
    run_id: String,
    run_number: String,
    run_attempt: String,
    repository_visibility: &'static str,
    repository_id: String,
    actor_id: String,
    actor: &'a str,
    workflow: &'a str,
    head_ref: &'static str,
    base_ref: &'static str,
    event_name: &'a str,
    ref_protected: &'static str,
    ref_type: &'static str,
    workflow_ref: &'a str,
    workflow_sha: &'a str,
    job_workflow_ref: &'a str,
    job_workflow_sha: &'a str,
    runner_environment: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    iss: &'a str,
    nbf: i64,
    exp: i64,
    iat: i64,
}

/// Signs tokens and publishes the key that verifies them.
pub(crate) struct Issuer {
    key: PrivateKey,
    key_id: String,
}

impl Issuer {
    pub(crate) fn new(key_id: String) -> Result<Self, KeyError> {
        Ok(Self { key: PrivateKey::generate()?, key_id })
    }

    /// `/.well-known/openid-configuration`.
    pub(crate) fn discovery(urls: &Urls) -> Value {
        json!({
            "issuer": urls.server,
            "jwks_uri": format!("{}/.well-known/jwks", urls.server),
            "subject_types_supported": ["public", "pairwise"],
            "response_types_supported": ["id_token"],
            "claims_supported": [
                "sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref", "sha", "repository", "repository_id",
                "repository_owner", "repository_owner_id", "repository_visibility", "run_id", "run_number",
                "run_attempt", "actor", "actor_id", "workflow", "workflow_ref", "workflow_sha", "head_ref",
                "base_ref", "event_name", "ref_type", "ref_protected", "environment", "job_workflow_ref",
                "job_workflow_sha", "runner_environment"
            ],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
        })
    }

    /// `/.well-known/jwks`.
    pub(crate) fn jwks(&self) -> Value {
        let mut key = json!(self.key.jwk);
        key["kid"] = json!(self.key_id);
        key["use"] = json!("sig");
        json!({ "keys": [key] })
    }

    /// A token for a job, good for five minutes. Without an audience it gets the owner's address.
    pub(crate) fn token(
        &self,
        subject: &Subject<'_>,
        audience: Option<&str>,
        jti: String,
        urls: &Urls,
        now: Timestamp,
    ) -> Result<String, KeyError> {
        let repository = subject.repository;
        let default_audience = format!("{}/{}", urls.server, repository.owner);
        let workflow_ref = workflow_ref(repository, subject.workflow_path, subject.git_ref);
        let job_workflow_ref = self::workflow_ref(repository, subject.job_workflow_path, subject.git_ref);
        let iat = now.as_second();
        let claims = Claims {
            jti,
            sub: subject.sub(),
            aud: audience.unwrap_or(&default_audience),
            git_ref: subject.git_ref,
            sha: &repository.sha,
            repository: repository.full_name(),
            repository_owner: &repository.owner,
            repository_owner_id: repository.owner_id.to_string(),
            run_id: subject.run_id.to_string(),
            run_number: subject.run_number.to_string(),
            run_attempt: subject.run_attempt.to_string(),
            repository_visibility: if repository.private { "private" } else { "public" },
            repository_id: repository.id.to_string(),
            actor_id: subject.actor_id.to_string(),
            actor: subject.actor,
            workflow: subject.workflow,
            head_ref: "",
            base_ref: "",
            event_name: subject.event_name,
            ref_protected: "false",
            ref_type: ref_type(subject.git_ref),
            workflow_ref: &workflow_ref,
            workflow_sha: &repository.sha,
            job_workflow_ref: &job_workflow_ref,
            job_workflow_sha: &repository.sha,
            runner_environment: if subject.hosted { "github-hosted" } else { "self-hosted" },
            environment: subject.environment,
            iss: &urls.server,
            nbf: iat - 600,
            exp: iat + 300,
            iat,
        };
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::RS256) };
        Ok(encode(&header, &claims, &self.key.signing)?)
    }
}
