//! The routes that are simulated, and what each asks of its caller.
//!
//! Source of the permissions: GitHub documentation, "Permissions required for GitHub Apps" and the pages
//! of the single routes.

use std::collections::HashMap;

use http::Method;

use super::super::permissions::{Demand, Level};
use super::super::state::State;
use super::{Answer, ApiError, Context, apps, org_settings, repos, runners, runs, settings};

/// What a route asks of its caller.
pub(crate) enum Need {
    /// Nothing; and it costs nothing.
    Nothing,
    /// The JSON web token of a GitHub App.
    App,
    /// This, on the repository of the path.
    Repository(Demand),
    /// This, on the organisation of the path.
    Organization(Demand),
}

type Handler = fn(&mut State, &Context<'_>) -> Result<Answer, ApiError>;

pub(crate) struct Route {
    method: Method,
    pub(crate) template: &'static str,
    pub(crate) need: Need,
    pub(crate) handler: Handler,
}

/// The values of a template's parameters.
pub(crate) type Params = HashMap<&'static str, String>;

const METADATA: Demand = Demand::new("metadata", Level::Read, &[]);
const CONTENTS: Demand = Demand::new("contents", Level::Read, &["repo"]);
const ACTIONS: Demand = Demand::new("actions", Level::Read, &["repo"]);
const ACTIONS_WRITE: Demand = Demand::new("actions", Level::Write, &["repo"]);
const VARIABLES: Demand = Demand::new("actions_variables", Level::Read, &["repo"]);
const VARIABLES_WRITE: Demand = Demand::new("actions_variables", Level::Write, &["repo"]);
const SECRETS: Demand = Demand::new("secrets", Level::Read, &["repo"]);
const SECRETS_WRITE: Demand = Demand::new("secrets", Level::Write, &["repo"]);
const ENVIRONMENTS: Demand = Demand::new("environments", Level::Read, &["repo"]);
const ENVIRONMENTS_WRITE: Demand = Demand::new("environments", Level::Write, &["repo"]);
const REPO_RUNNERS: Demand = Demand::new("administration", Level::Read, &["repo"]);
const REPO_RUNNERS_WRITE: Demand = Demand::new("administration", Level::Write, &["repo"]);
const ORG_RUNNERS: Demand = Demand::new("organization_self_hosted_runners", Level::Read, &["admin:org"]);
const ORG_RUNNERS_WRITE: Demand =
    Demand::new("organization_self_hosted_runners", Level::Write, &["admin:org"])
        .and_personal("organization_administration", Level::Read);

const ORG_VARIABLES: Demand = Demand::new("organization_actions_variables", Level::Read, &["admin:org"]);
const ORG_VARIABLES_WRITE: Demand =
    Demand::new("organization_actions_variables", Level::Write, &["admin:org"]);
const ORG_SECRETS: Demand = Demand::new("organization_secrets", Level::Read, &["admin:org"]);
const ORG_SECRETS_WRITE: Demand = Demand::new("organization_secrets", Level::Write, &["admin:org"]);

const fn route(method: Method, template: &'static str, need: Need, handler: Handler) -> Route {
    Route { method, template, need, handler }
}

const fn on_repo(method: Method, template: &'static str, demand: Demand, handler: Handler) -> Route {
    route(method, template, Need::Repository(demand), handler)
}

const fn on_org(method: Method, template: &'static str, demand: Demand, handler: Handler) -> Route {
    route(method, template, Need::Organization(demand), handler)
}

/// Where a literal and a parameter both fit (`downloads`, `{runner_id}`), the literal comes first.
static ROUTES: [Route; 70] = [
    route(Method::GET, "/rate_limit", Need::Nothing, super::rate_limit),
    route(Method::GET, "/app", Need::App, apps::app),
    route(Method::POST, "/app-manifests/{code}/conversions", Need::Nothing, apps::conversion),
    route(Method::GET, "/app/installations", Need::App, apps::installations),
    route(Method::POST, "/app/installations/{installation_id}/access_tokens", Need::App, apps::access_tokens),
    route(Method::GET, "/repos/{owner}/{repo}/installation", Need::App, apps::repository_installation),
    route(Method::GET, "/orgs/{org}/installation", Need::App, apps::organization_installation),
    on_repo(Method::GET, "/repos/{owner}/{repo}", METADATA, repos::repository),
    on_repo(Method::GET, "/repos/{owner}/{repo}/releases/latest", CONTENTS, repos::latest_release),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/actions/oidc/customization/sub",
        ACTIONS,
        repos::oidc_subject,
    ),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/variables", VARIABLES, settings::variables),
    on_repo(
        Method::POST,
        "/repos/{owner}/{repo}/actions/variables",
        VARIABLES_WRITE,
        settings::create_variable,
    ),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/variables/{name}", VARIABLES, settings::get_variable),
    on_repo(
        Method::PATCH,
        "/repos/{owner}/{repo}/actions/variables/{name}",
        VARIABLES_WRITE,
        settings::change_variable,
    ),
    on_repo(
        Method::DELETE,
        "/repos/{owner}/{repo}/actions/variables/{name}",
        VARIABLES_WRITE,
        settings::delete_variable,
    ),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/secrets", SECRETS, settings::secrets),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/secrets/public-key", SECRETS, settings::public_key),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/actions/secrets/{secret_name}",
        SECRETS,
        settings::get_secret,
    ),
    on_repo(
        Method::PUT,
        "/repos/{owner}/{repo}/actions/secrets/{secret_name}",
        SECRETS_WRITE,
        settings::put_secret,
    ),
    on_repo(
        Method::DELETE,
        "/repos/{owner}/{repo}/actions/secrets/{secret_name}",
        SECRETS_WRITE,
        settings::delete_secret,
    ),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/environments/{environment_name}/variables",
        ENVIRONMENTS,
        settings::variables,
    ),
    on_repo(
        Method::POST,
        "/repos/{owner}/{repo}/environments/{environment_name}/variables",
        ENVIRONMENTS_WRITE,
        settings::create_variable,
    ),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/environments/{environment_name}/variables/{name}",
        ENVIRONMENTS,
        settings::get_variable,
    ),
    on_repo(
        Method::PATCH,
        "/repos/{owner}/{repo}/environments/{environment_name}/variables/{name}",
        ENVIRONMENTS_WRITE,
        settings::change_variable,
    ),
    on_repo(
        Method::DELETE,
        "/repos/{owner}/{repo}/environments/{environment_name}/variables/{name}",
        ENVIRONMENTS_WRITE,
        settings::delete_variable,
    ),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/environments/{environment_name}/secrets",
        ENVIRONMENTS,
        settings::secrets,
    ),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/environments/{environment_name}/secrets/public-key",
        ENVIRONMENTS,
        settings::public_key,
    ),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}",
        ENVIRONMENTS,
        settings::get_secret,
    ),
    on_repo(
        Method::PUT,
        "/repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}",
        ENVIRONMENTS_WRITE,
        settings::put_secret,
    ),
    on_repo(
        Method::DELETE,
        "/repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}",
        ENVIRONMENTS_WRITE,
        settings::delete_secret,
    ),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/environments/{environment_name}",
        ACTIONS,
        settings::get_environment,
    ),
    on_repo(
        Method::PUT,
        "/repos/{owner}/{repo}/environments/{environment_name}",
        REPO_RUNNERS_WRITE,
        settings::put_environment,
    ),
    on_repo(
        Method::DELETE,
        "/repos/{owner}/{repo}/environments/{environment_name}",
        REPO_RUNNERS_WRITE,
        settings::delete_environment,
    ),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/runs/{run_id}", ACTIONS, runs::run),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", ACTIONS, runs::jobs),
    on_repo(Method::POST, "/repos/{owner}/{repo}/actions/runs/{run_id}/cancel", ACTIONS_WRITE, runs::cancel),
    on_repo(Method::POST, "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun", ACTIONS_WRITE, runs::rerun),
    on_repo(
        Method::POST,
        "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun-failed-jobs",
        ACTIONS_WRITE,
        runs::rerun_failed,
    ),
    on_repo(
        Method::POST,
        "/repos/{owner}/{repo}/actions/jobs/{job_id}/rerun",
        ACTIONS_WRITE,
        runs::rerun_job,
    ),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/jobs/{job_id}", ACTIONS, runs::job),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs", ACTIONS, runs::logs),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/runners/downloads", REPO_RUNNERS, runners::downloads),
    on_repo(
        Method::POST,
        "/repos/{owner}/{repo}/actions/runners/generate-jitconfig",
        REPO_RUNNERS_WRITE,
        runners::generate_jitconfig,
    ),
    on_repo(
        Method::POST,
        "/repos/{owner}/{repo}/actions/runners/registration-token",
        REPO_RUNNERS_WRITE,
        runners::registration_token,
    ),
    on_repo(
        Method::POST,
        "/repos/{owner}/{repo}/actions/runners/remove-token",
        REPO_RUNNERS_WRITE,
        runners::registration_token,
    ),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/runners", REPO_RUNNERS, runners::list),
    on_repo(Method::GET, "/repos/{owner}/{repo}/actions/runners/{runner_id}", REPO_RUNNERS, runners::get),
    on_repo(
        Method::DELETE,
        "/repos/{owner}/{repo}/actions/runners/{runner_id}",
        REPO_RUNNERS_WRITE,
        runners::delete,
    ),
    on_repo(
        Method::GET,
        "/repos/{owner}/{repo}/actions/runners/{runner_id}/labels",
        REPO_RUNNERS,
        runners::labels,
    ),
    on_org(Method::GET, "/orgs/{org}/actions/variables", ORG_VARIABLES, org_settings::variables),
    on_org(Method::POST, "/orgs/{org}/actions/variables", ORG_VARIABLES_WRITE, org_settings::create_variable),
    on_org(Method::GET, "/orgs/{org}/actions/variables/{name}", ORG_VARIABLES, org_settings::get_variable),
    on_org(
        Method::PATCH,
        "/orgs/{org}/actions/variables/{name}",
        ORG_VARIABLES_WRITE,
        org_settings::change_variable,
    ),
    on_org(
        Method::DELETE,
        "/orgs/{org}/actions/variables/{name}",
        ORG_VARIABLES_WRITE,
        org_settings::delete_variable,
    ),
    on_org(Method::GET, "/orgs/{org}/actions/secrets", ORG_SECRETS, org_settings::secrets),
    on_org(Method::GET, "/orgs/{org}/actions/secrets/public-key", ORG_SECRETS, org_settings::public_key),
    on_org(Method::GET, "/orgs/{org}/actions/secrets/{secret_name}", ORG_SECRETS, org_settings::get_secret),
    on_org(
        Method::PUT,
        "/orgs/{org}/actions/secrets/{secret_name}",
        ORG_SECRETS_WRITE,
        org_settings::put_secret,
    ),
    on_org(
        Method::DELETE,
        "/orgs/{org}/actions/secrets/{secret_name}",
        ORG_SECRETS_WRITE,
        org_settings::delete_secret,
    ),
    on_org(Method::GET, "/orgs/{org}/actions/runners/downloads", ORG_RUNNERS, runners::downloads),
    on_org(
        Method::POST,
        "/orgs/{org}/actions/runners/generate-jitconfig",
        ORG_RUNNERS_WRITE,
        runners::generate_jitconfig,
    ),
    on_org(
        Method::POST,
        "/orgs/{org}/actions/runners/registration-token",
        ORG_RUNNERS_WRITE,
        runners::registration_token,
    ),
    on_org(
        Method::POST,
        "/orgs/{org}/actions/runners/remove-token",
        ORG_RUNNERS_WRITE,
        runners::registration_token,
    ),
    on_org(Method::GET, "/orgs/{org}/actions/runners", ORG_RUNNERS, runners::list),
    on_org(Method::GET, "/orgs/{org}/actions/runners/{runner_id}", ORG_RUNNERS, runners::get),
    on_org(Method::DELETE, "/orgs/{org}/actions/runners/{runner_id}", ORG_RUNNERS_WRITE, runners::delete),
    on_org(Method::GET, "/orgs/{org}/actions/runners/{runner_id}/labels", ORG_RUNNERS, runners::labels),
    on_org(Method::GET, "/orgs/{org}/actions/runner-groups", ORG_RUNNERS, runners::groups),
    on_org(Method::GET, "/orgs/{org}/actions/runner-groups/{runner_group_id}", ORG_RUNNERS, runners::group),
    on_org(
        Method::GET,
        "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners",
        ORG_RUNNERS,
        runners::group_runners,
    ),
];

/// The route of a request, with the values of its parameters.
pub(crate) fn find(method: &Method, path: &str) -> Option<(&'static Route, Params)> {
    ROUTES
        .iter()
        .filter(|route| route.method == *method)
        .find_map(|route| capture(route.template, path).map(|params| (route, params)))
}

fn capture(template: &'static str, path: &str) -> Option<Params> {
    let mut params = Params::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some(wanted), Some(given)) => {
                match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !given.is_empty() => {
                        let decoded = percent_encoding::percent_decode_str(given).decode_utf8().ok()?;
                        params.insert(name, decoded.into_owned());
                    }
                    None if wanted == given => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Fault, github_operation};

    #[test]
    fn a_literal_wins_over_a_parameter() {
        let (route, _) = find(&Method::GET, "/orgs/octo/actions/runners/downloads").unwrap();
        assert_eq!(route.template, "/orgs/{org}/actions/runners/downloads");
        let (route, params) = find(&Method::GET, "/orgs/octo/actions/runners/7").unwrap();
        assert_eq!(route.template, "/orgs/{org}/actions/runners/{runner_id}");
        assert_eq!(params["runner_id"], "7");
        let (_, params) = find(&Method::GET, "/repos/octo/demo/environments/pre%20prod%2Feu").unwrap();
        assert_eq!(params["environment_name"], "pre prod/eu");
    }

    #[test]
    fn a_fault_can_be_aimed_at_every_route() {
        for route in &ROUTES {
            let name = github_operation(route.method.as_str(), route.template);
            let fault: Result<Fault, _> = format!("github-500:{name}").parse();
            assert!(fault.is_ok(), "{} {}: {name}", route.method, route.template);
        }
    }

    #[test]
    fn other_paths_and_methods_have_no_route() {
        for path in ["/orgs/octo/actions/runners/", "/orgs//actions/runners", "/orgs/octo", "/"] {
            assert!(find(&Method::GET, path).is_none(), "{path}");
        }
        assert!(find(&Method::PATCH, "/repos/octo/demo").is_none());
    }
}
