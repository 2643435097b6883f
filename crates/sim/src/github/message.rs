//! What a run starts with and what a runner is told: contexts, environment, tokens, masks.
//!
//! Source: GitHub documentation, "Contexts reference" and "Variables reference".

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::accounts::{Repository, Scope};
use super::config::Urls;
use super::job::Place;
use super::oidc::{Subject, ref_type, workflow_ref};
use super::permissions::{Level, Permissions};
use super::runs::Dispatch;
use super::state::{Effect, State};
use super::tokens::Grant;
use crate::protocol::JobMessage;
use crate::workflow::{self, Access, EnvironmentScope, Start};

/// What a run is about.
pub(crate) struct Base<'a> {
    pub(crate) repository: &'a Repository,
    /// Variables and secrets, without those of environments.
    pub(crate) configured: [BTreeMap<String, String>; 2],
    pub(crate) run_id: u64,
    pub(crate) run_number: u64,
    pub(crate) actor: &'a str,
    pub(crate) actor_id: u64,
    pub(crate) git_ref: &'a str,
    pub(crate) workflow_path: &'a str,
}

/// What the interpreter starts a run with.
pub(crate) fn start(base: &Base<'_>, dispatch: &Dispatch, urls: &Urls) -> Start {
    let repository = base.repository;
    let [vars, secrets] = base.configured.clone();
    let environments = repository.environments.iter().map(|(name, environment)| {
        let scope = EnvironmentScope { vars: environment.vars.clone(), secrets: environment.secrets.clone() };
        (name.clone(), scope)
    });
    Start {
        event_name: dispatch.event.clone(),
        inputs: dispatch.inputs.clone(),
        github: github_context(base, urls),
        vars,
        secrets,
        environments: environments.collect(),
    }
}

/// The `github` context of a run; ids are texts in it.
fn github_context(base: &Base<'_>, urls: &Urls) -> Map<String, Value> {
    let Base { repository, configured: _, run_id, run_number, actor, actor_id, git_ref, workflow_path } =
        base;
    let full_name = repository.full_name();
    let sender = json!({ "login": actor, "id": actor_id, "type": "User" });
    let value = json!({
        "actor": actor,
        "actor_id": actor_id.to_string(),
        "api_url": urls.api(),
        "base_ref": "",
        "event": {
            "ref": git_ref,
            "repository": {
                "id": repository.id,
                "name": repository.name,
                "full_name": full_name,
                "private": repository.private,
                "default_branch": repository.default_branch,
                "html_url": format!("{}/{full_name}", urls.server),
                "owner": { "login": repository.owner, "id": repository.owner_id },
            },
            "sender": sender,
            "workflow": workflow_path,
        },
        "graphql_url": format!("{}/api/graphql", urls.server),
        "head_ref": "",
        "ref": git_ref,
        "ref_name": git_ref.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/"),
        "ref_protected": false,
        "ref_type": ref_type(git_ref),
        "repository": full_name,
        "repository_id": repository.id.to_string(),
        "repository_owner": repository.owner,
        "repository_owner_id": repository.owner_id.to_string(),
        "repositoryUrl": format!("git://{}/{full_name}.git", urls.server.trim_start_matches("http://")),
        "repository_visibility": if repository.private { "private" } else { "public" },
        "retention_days": "90",
        "run_attempt": "1",
        "run_id": run_id.to_string(),
        "run_number": run_number.to_string(),
        "secret_source": "Actions",
        "server_url": urls.server,
        "sha": repository.sha,
        "triggering_actor": actor,
        "workflow_ref": workflow_ref(repository, workflow_path, git_ref),
        "workflow_sha": repository.sha,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The variables that every step gets, by the property of the `github` context that each shows.
const ENVIRONMENT: [(&str, &str); 25] = [
    ("GITHUB_ACTOR", "actor"),
    ("GITHUB_ACTOR_ID", "actor_id"),
    ("GITHUB_API_URL", "api_url"),
    ("GITHUB_BASE_REF", "base_ref"),
    ("GITHUB_EVENT_NAME", "event_name"),
    ("GITHUB_GRAPHQL_URL", "graphql_url"),
    ("GITHUB_HEAD_REF", "head_ref"),
    ("GITHUB_JOB", "job"),
    ("GITHUB_REF", "ref"),
    ("GITHUB_REF_NAME", "ref_name"),
    ("GITHUB_REF_PROTECTED", "ref_protected"),
    ("GITHUB_REF_TYPE", "ref_type"),
    ("GITHUB_REPOSITORY", "repository"),
    ("GITHUB_REPOSITORY_ID", "repository_id"),
    ("GITHUB_REPOSITORY_OWNER", "repository_owner"),
    ("GITHUB_REPOSITORY_OWNER_ID", "repository_owner_id"),
    ("GITHUB_RETENTION_DAYS", "retention_days"),
    ("GITHUB_RUN_ATTEMPT", "run_attempt"),
    ("GITHUB_RUN_ID", "run_id"),
    ("GITHUB_RUN_NUMBER", "run_number"),
    ("GITHUB_SERVER_URL", "server_url"),
    ("GITHUB_SHA", "sha"),
    ("GITHUB_TRIGGERING_ACTOR", "triggering_actor"),
    ("GITHUB_WORKFLOW", "workflow"),
    ("GITHUB_WORKFLOW_REF", "workflow_ref"),
];

fn environment(github: &Map<String, Value>, runner_name: &str, hosted: bool) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([
        ("CI".to_owned(), "true".to_owned()),
        ("GITHUB_ACTIONS".to_owned(), "true".to_owned()),
        ("RUNNER_NAME".to_owned(), runner_name.to_owned()),
        ("RUNNER_ENVIRONMENT".to_owned(), if hosted { "github-hosted" } else { "self-hosted" }.to_owned()),
    ]);
    for (variable, property) in ENVIRONMENT {
        let text = match github.get(property) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        environment.insert(variable.to_owned(), text);
    }
    if let Some(sha) = github.get("workflow_sha").and_then(Value::as_str) {
        environment.insert("GITHUB_WORKFLOW_SHA".to_owned(), sha.to_owned());
    }
    environment
}

/// The permissions of a job's token as the REST API knows them. `id-token` is none of them, and no workflow
/// can grant `administration`, so such a token never registers a runner.
fn token_permissions(granted: &workflow::Permissions) -> Permissions {
    let level = |access| match access {
        Access::None => None,
        Access::Read => Some(Level::Read),
        Access::Write => Some(Level::Write),
    };
    let mut permissions: Permissions = granted
        .iter()
        .filter(|(scope, _)| *scope != "id-token")
        .filter_map(|(scope, access)| Some((scope.replace('-', "_"), level(access)?)))
        .collect();
    permissions.insert("metadata".into(), Level::Read);
    permissions
}

impl State {
    /// Reserves a hosted machine for a job; the message is what it is to run.
    pub(crate) fn place_hosted(&mut self, job: u64, now: Timestamp) -> Option<Box<JobMessage>> {
        let name = format!("GitHub Actions {}", self.runs.next_machine());
        let message = self.message(job, &name, true, now)?;
        self.runs.job_mut(job)?.place = Place::Hosted { name };
        Some(message)
    }

    /// Leaves a job's message for the self-hosted runner that it was given to.
    pub(crate) fn place_on_runner(&mut self, job: u64, runner: u64, now: Timestamp) {
        let Some(runner) = self.runners.get(runner) else { return };
        let (id, name, group_id) = (runner.id, runner.name.clone(), runner.group_id);
        let group = match runner.scope {
            Scope::Organization(organization) => {
                self.accounts.groups_of(organization).find(|group| group.id == group_id)
            }
            Scope::Repository(_) => None,
        };
        let group = group.map_or_else(|| "Default".to_owned(), |group| group.name.clone());
        let message = self.message(job, &name, false, now);
        if let Some(job) = self.runs.job_mut(job) {
            job.place = Place::Runner { id, name, group_id, group };
            job.taken_at = Some(now);
            job.message = message;
            self.effect(Effect::Wake);
        }
    }

    /// Makes a job's message, with fresh tokens in place of those of an earlier one.
    fn message(&mut self, id: u64, runner: &str, hosted: bool, now: Timestamp) -> Option<Box<JobMessage>> {
        let job = self.runs.job_mut(id)?;
        let repository = self.accounts.repositories.get(&job.repository)?;
        let work = job.work.as_ref()?;
        if let Some(old) = job.token.take() {
            self.tokens.revoke(&old);
        }
        let token = format!("ghs_{}", self.entropy.jwt_like());
        let grant = Grant::Job {
            repository: repository.id,
            job: id,
            permissions: token_permissions(&work.permissions),
        };
        // GitHub ends it with the job, after 24 hours at the latest.
        let day = now.checked_add(jiff::SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
        self.tokens.add(token.clone(), grant, Some(day));

        let mut contexts = work.contexts.clone();
        set(&mut contexts, "github", "token", &token);
        set(&mut contexts, "secrets", "GITHUB_TOKEN", &token);
        let github = contexts.get("github").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut environment = environment(&github, runner, hosted);
        let mut masks: Vec<String> = contexts
            .get("secrets")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::values)
            .filter_map(|value| value.as_str().map(str::to_owned))
            .filter(|secret| !secret.is_empty())
            .collect();

        job.id_token_request = None;
        if work.permissions.id_token_write() {
            let request = self.entropy.jwt_like();
            let url = format!(
                "{}/_services/token/runs/{}/jobs/{id}/idtoken?api-version=2.0",
                self.urls.server, job.run
            );
            environment.insert("ACTIONS_ID_TOKEN_REQUEST_URL".into(), url);
            environment.insert("ACTIONS_ID_TOKEN_REQUEST_TOKEN".into(), request.clone());
            masks.push(request.clone());
            job.id_token_request = Some(request);
        }
        let message = JobMessage {
            job_id: id,
            run_id: job.run,
            name: job.name.clone(),
            body: work.body.clone(),
            contexts,
            environment,
            masks,
            repository: repository.files.clone(),
            published: self.config.published.clone(),
        };
        let given = [Some(token.clone()), job.id_token_request.clone()];
        job.token = Some(token);
        given.iter().flatten().for_each(|secret| self.hand_out(secret));
        Some(Box::new(message))
    }

    /// An OIDC token for a running job that shows its request token.
    pub(crate) fn id_token(
        &mut self,
        job: u64,
        request_token: &str,
        audience: Option<&str>,
        now: Timestamp,
    ) -> Result<String, IdTokenError> {
        let jti = self.entropy.uuid();
        let job = self.runs.job(job).ok_or(IdTokenError::Refused)?;
        if job.id_token_request.as_deref() != Some(request_token) || job.started_at.is_none() {
            return Err(IdTokenError::Refused);
        }
        let run = self.runs.run(job.run).ok_or(IdTokenError::Refused)?;
        let repository = self.accounts.repositories.get(&job.repository).ok_or(IdTokenError::Refused)?;
        let subject = Subject {
            repository,
            run_id: run.id,
            run_number: run.number,
            run_attempt: job.attempt,
            actor: &run.actor,
            actor_id: run.actor_id,
            event_name: &run.event,
            git_ref: &run.git_ref,
            workflow: &run.workflow_name,
            workflow_path: &run.workflow_path,
            job_workflow_path: job.called.as_deref().unwrap_or(&run.workflow_path),
            environment: job.environment.as_deref(),
            hosted: matches!(job.place, Place::Hosted { .. }),
        };
        let token = self.issuer.token(&subject, audience, jti, &self.urls, now)?;
        self.hand_out(&token);
        Ok(token)
    }
}

/// No OIDC token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdTokenError {
    #[error("the job is over, has no `id-token: write`, or the request token is not its own")]
    Refused,
    #[error("the token could not be signed")]
    Sign(#[from] super::keys::KeyError),
}

fn set(contexts: &mut Map<String, Value>, context: &str, key: &str, value: &str) {
    if let Value::Object(context) = contexts.entry(context.to_owned()).or_insert_with(|| json!({})) {
        context.insert(key.to_owned(), Value::String(value.to_owned()));
    }
}
