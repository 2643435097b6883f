//! The workflow job that a command runs in, if it runs in one.

use std::path::PathBuf;

use fleetfoot_core::fault::{Class, Fault};

use crate::oidc::{OidcEndpoint, PERMISSION};

/// A job's own description, from its variables (GitHub docs, "Variables reference").
#[derive(Debug, Clone)]
pub struct WorkflowContext {
    /// `GITHUB_RUN_ID`.
    pub run_id: u64,
    /// `GITHUB_RUN_ATTEMPT`, from 1.
    pub run_attempt: u32,
    /// `GITHUB_REPOSITORY`: `owner/name`.
    pub repository: String,
    /// `GITHUB_WORKFLOW`: the workflow's name.
    pub workflow: String,
    /// `GITHUB_JOB`: the job's id in the workflow file.
    pub job: String,
    /// `GITHUB_ACTOR`: who triggered the run.
    pub actor: String,
    /// `GITHUB_SERVER_URL`: `https://github.com`.
    pub server_url: String,
    /// `GITHUB_API_URL`: `https://api.github.com`.
    pub api_url: String,
    /// `GITHUB_OUTPUT`: where outputs are appended.
    pub output: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`: where the summary is appended.
    pub step_summary: Option<PathBuf>,
    /// Where to ask for an ID token; absent without the permission `id-token: write`.
    pub oidc: Option<OidcEndpoint>,
}

impl WorkflowContext {
    /// Reads the variables through `get`; `None` outside a workflow job.
    ///
    /// # Errors
    /// `Invalid` names the variable that a job should have and that is missing or wrong.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Fault> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        if get("GITHUB_ACTIONS").as_deref() != Some("true") {
            return Ok(None);
        }
        let need = |name: &str| get(name).ok_or_else(|| fault(format!("{name} is not set")));
        let oidc = match (get("ACTIONS_ID_TOKEN_REQUEST_URL"), get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")) {
            (Some(url), Some(token)) => Some(OidcEndpoint::new(&url, token)?),
            _ => None,
        };
        Ok(Some(Self {
            run_id: number("GITHUB_RUN_ID", &need("GITHUB_RUN_ID")?)?,
            run_attempt: number("GITHUB_RUN_ATTEMPT", &need("GITHUB_RUN_ATTEMPT")?)?,
            repository: need("GITHUB_REPOSITORY")?,
            workflow: need("GITHUB_WORKFLOW")?,
            job: need("GITHUB_JOB")?,
            actor: need("GITHUB_ACTOR")?,
            server_url: need("GITHUB_SERVER_URL")?,
            api_url: need("GITHUB_API_URL")?,
            output: get("GITHUB_OUTPUT").map(PathBuf::from),
            step_summary: get("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            oidc,
        }))
    }

    /// Where to ask for an ID token.
    ///
    /// # Errors
    /// `Denied` says which `permissions:` line the workflow lacks.
    pub fn require_oidc(&self) -> Result<&OidcEndpoint, Fault> {
        self.oidc.as_ref().ok_or_else(|| {
            Fault::new(
                Class::Denied,
                "get an OIDC token for this job",
                format!("the job {:?} has no permission `id-token: write`", self.job),
            )
            .remedy(PERMISSION)
        })
    }

    /// Address of the run, for people.
    pub fn run_url(&self) -> String {
        format!("{}/{}/actions/runs/{}", self.server_url, self.repository, self.run_id)
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Fault> {
    value.parse().map_err(|_| fault(format!("{name} is {value:?}, not a number")))
}

fn fault(why: String) -> Fault {
    Fault::new(Class::Invalid, "read the workflow job's variables", why)
        .remedy("run it in a step of a workflow, or unset GITHUB_ACTIONS to run it by hand")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn job() -> BTreeMap<&'static str, &'static str> {
        BTreeMap::from([
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_RUN_ID", "7"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_WORKFLOW", "Build"),
            ("GITHUB_JOB", "start"),
            ("GITHUB_ACTOR", "mona"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_API_URL", "https://api.github.com"),
            ("GITHUB_OUTPUT", "/tmp/out"),
            ("GITHUB_STEP_SUMMARY", ""),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x.dev/?a=1"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret"),
        ])
    }

    fn read(vars: &BTreeMap<&str, &str>) -> Result<Option<WorkflowContext>, Fault> {
        WorkflowContext::from_vars(|name| vars.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn a_job_describes_itself_without_its_secret() {
        let context = read(&job()).unwrap().unwrap();
        assert_eq!((context.run_id, context.run_attempt), (7, 2));
        assert_eq!(context.run_url(), "https://github.com/acme/shop/actions/runs/7");
        assert_eq!(context.output, Some("/tmp/out".into()));
        assert_eq!(context.step_summary, None);
        assert!(context.require_oidc().is_ok());
        assert!(!format!("{context:?}").contains("s3cret"));
    }

    #[test]
    fn without_the_permission_the_missing_line_is_named() {
        let mut vars = job();
        vars.remove("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
        let context = read(&vars).unwrap().unwrap();
        let fault = context.require_oidc().unwrap_err();
        assert_eq!(fault.class, Class::Denied);
        assert!(fault.remedy.unwrap().contains("id-token: write"));
    }

    #[test]
    fn outside_a_job_there_is_none_and_a_broken_one_is_named() {
        assert!(read(&BTreeMap::new()).unwrap().is_none());
        let mut vars = job();
        vars.insert("GITHUB_RUN_ID", "seven");
        assert!(read(&vars).unwrap_err().to_string().contains("GITHUB_RUN_ID"));
        vars.remove("GITHUB_RUN_ID");
        assert!(read(&vars).unwrap_err().to_string().contains("GITHUB_RUN_ID is not set"));
    }
}
