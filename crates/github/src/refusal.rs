//! The one table from GitHub's refusals to classes.
//!
//! GitHub says 403 for two things, "slow down" and "you may not", and 404 for two others, "there is no such
//! thing" and "you may not know": headers, message and the kind of token tell them apart (GitHub REST API
//! docs, "Rate limits" and "Troubleshooting").

use std::fmt;
use std::time::Duration;

use fleetfoot_core::fault::{Class, Fault};
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::auth::TokenKind;
use crate::scope::Target;

/// What to wait after a secondary limit that names no time ("Best practices for using the REST API").
const SECONDARY_PAUSE: Duration = Duration::from_mins(1);

/// What was tried, as far as the meaning of a refusal depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Mint,
    ReadRunner,
    ListRunners,
    DeleteRunner,
    ReadGroups,
    ReadRun,
    FindInstallation,
    MakeToken(Access),
    /// What a repository tells its workflows.
    Configure,
    /// At what everybody may see, or at oneself.
    Look,
}

/// What a token of the App is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To manage runners.
    Runners,
    /// To read workflow runs.
    Runs,
}

impl Operation {
    pub(crate) const fn access(self) -> Access {
        match self {
            Self::ReadRun | Self::MakeToken(Access::Runs) => Access::Runs,
            _ => Access::Runners,
        }
    }
}

/// GitHub's answer, kept as the source of the fault.
#[derive(Debug, Error)]
#[error("HTTP {} from GitHub{}", status.as_u16(), Request(request_id.as_deref()))]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
    remaining: Option<u64>,
    reset: Option<i64>,
    accepted_permissions: Option<String>,
    accepted_scopes: Option<String>,
    scopes: Option<String>,
    sso: Option<String>,
    request_id: Option<String>,
}

struct Request<'a>(Option<&'a str>);

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, ", request {id}"))
    }
}

#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Option<Value>,
}

impl Refusal {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let number = |name: &str| header(name).and_then(|text| text.trim().parse::<u64>().ok());
        // A proxy's answer is often no JSON; then the status has to do.
        let body: Body = serde_json::from_slice(body).unwrap_or_default();
        Self {
            status,
            message: full_message(&body),
            retry_after: number("retry-after").map(Duration::from_secs),
            remaining: number("x-ratelimit-remaining"),
            reset: number("x-ratelimit-reset").and_then(|at| i64::try_from(at).ok()),
            accepted_permissions: header("x-accepted-github-permissions").filter(|text| !text.is_empty()),
            accepted_scopes: header("x-accepted-oauth-scopes").filter(|text| !text.is_empty()),
            scopes: header("x-oauth-scopes"),
            sso: header("x-github-sso"),
            request_id: header("x-github-request-id"),
        }
    }

    pub(crate) fn into_fault(
        self,
        operation: Operation,
        what: &str,
        kind: TokenKind,
        target: &Target,
        now: Timestamp,
    ) -> Fault {
        let status = self.status.as_u16();
        let said = if self.message.is_empty() {
            format!("GitHub answered {status}")
        } else {
            format!("GitHub answered {status}: {}", self.message)
        };
        let case = Case { refusal: &self, operation, kind, target, said };
        let fault = match status {
            403 | 429 if self.is_limit() => Fault::new(self.limit(now), what, case.said.clone())
                .remedy("wait, or use a GitHub App, whose limits are higher"),
            401 => case.bad_credentials(what),
            403 => case.forbidden(what),
            404 => case.not_found(what),
            409 => Fault::new(Class::Conflict, what, case.said.clone()),
            422 if operation == Operation::DeleteRunner => Fault::new(Class::Busy, what, case.said.clone()),
            422 if matches!(operation, Operation::MakeToken(_)) => case.not_granted(what),
            408 | 500..=599 => Fault::new(Class::Unknown, what, case.said.clone())
                .remedy("see https://www.githubstatus.com, and try again"),
            _ => Fault::new(Class::Invalid, what, case.said.clone()),
        };
        fault.because(self)
    }

    fn is_limit(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
            || self.retry_after.is_some()
            || self.remaining == Some(0)
            || self.message.to_ascii_lowercase().contains("rate limit")
    }

    fn limit(&self, now: Timestamp) -> Class {
        let until_reset = self
            .reset
            .filter(|_| self.remaining == Some(0))
            .map(|at| Duration::from_secs(u64::try_from(at - now.as_second()).unwrap_or(0)));
        Class::Throttled { retry_after: self.retry_after.or(until_reset).or(Some(SECONDARY_PAUSE)) }
    }
}

/// One refusal and all that its explanation depends on.
struct Case<'a> {
    refusal: &'a Refusal,
    operation: Operation,
    kind: TokenKind,
    target: &'a Target,
    said: String,
}

impl Case<'_> {
    fn bad_credentials(&self, what: &str) -> Fault {
        let remedy = match self.kind {
            TokenKind::Classic | TokenKind::FineGrained => {
                "the token is wrong, revoked or expired: make a new one and put it into the secret"
            }
            TokenKind::Server => {
                "the token is wrong or expired: an installation token lives an hour, a job's GITHUB_TOKEN as \
                 long as its job"
            }
            TokenKind::OwnApp => "GitHub took back the App's token: see that the App is not suspended",
            TokenKind::AppJwt => {
                "check that the client id and the private key belong to the same App, that the key was not \
                 deleted in the App's settings, and that this machine's clock is right"
            }
        };
        Fault::new(Class::Denied, what, self.said.clone()).remedy(remedy)
    }

    fn forbidden(&self, what: &str) -> Fault {
        if let Some(sso) = &self.refusal.sso {
            let page = sso.split_once("url=").map_or("the token's settings", |(_, url)| url);
            return Fault::new(Class::Denied, what, self.said.clone()).remedy(format!(
                "the organisation wants single sign-on: authorize the token for it at {page}"
            ));
        }
        Fault::new(Class::Denied, what, self.why_forbidden()).remedy(self.how_to_allow())
    }

    /// GitHub's words, and what it would have accepted beside what it got.
    fn why_forbidden(&self) -> String {
        let said = &self.said;
        match (self.kind, &self.refusal.accepted_permissions) {
            (TokenKind::Classic, _) => {
                let needs = self.refusal.accepted_scopes.as_deref().unwrap_or(self.scope());
                let has = match self.refusal.scopes.as_deref().map(str::trim) {
                    None => "unknown",
                    Some("") => "none",
                    Some(scopes) => scopes,
                };
                format!("{said} (needs the scope {needs}; the token's scopes: {has})")
            }
            (_, Some(accepted)) => format!("{said} (needs the permission {accepted})"),
            (_, None) => said.clone(),
        }
    }

    fn how_to_allow(&self) -> String {
        let permission = self.permission();
        if self.operation == Operation::Configure {
            return self.how_to_configure().to_owned();
        }
        if matches!(self.target, Target::Enterprise(_)) && self.kind != TokenKind::Classic {
            return format!(
                "use a classic token with the scope `{}`: no other kind can do this",
                self.scope()
            );
        }
        if self.operation.access() == Access::Runs {
            return self.how_to_allow_runs();
        }
        match self.kind {
            TokenKind::Classic if self.lacks_scope() || self.refusal.scopes.is_none() => format!(
                "give the token the scope `{}`, and see that its owner is an administrator of {}",
                self.scope(),
                self.target
            ),
            TokenKind::Classic => format!(
                "the token has the scope `{}`, but its owner must be an administrator of {}",
                self.scope(),
                self.target
            ),
            TokenKind::FineGrained => format!(
                "give the token the permission {permission} for {}{}, and see that its owner is an administrator",
                self.target,
                match self.target {
                    Target::Organization(_) => " and Administration: read",
                    Target::Repository { .. } | Target::Enterprise(_) => "",
                }
            ),
            TokenKind::Server => format!(
                "a job's GITHUB_TOKEN can never register a runner, whatever its permissions: use a GitHub App \
                 with {permission}, or a personal access token; if it is an App's token, grant the App this \
                 permission"
            ),
            TokenKind::OwnApp | TokenKind::AppJwt => format!(
                "grant the App {permission} in its settings, and accept the change on the installation of {}",
                self.target
            ),
        }
    }

    /// Reading is all that this is about, so it takes no administrator.
    fn how_to_allow_runs(&self) -> String {
        match self.kind {
            TokenKind::Classic => "give the token the scope `repo`".to_owned(),
            TokenKind::FineGrained | TokenKind::Server => {
                format!("give the token the permission {}", self.permission())
            }
            TokenKind::OwnApp | TokenKind::AppJwt => format!(
                "grant the App {} in its settings, and accept the change on the installation of {}",
                self.permission(),
                self.target
            ),
        }
    }

    fn not_found(&self, what: &str) -> Fault {
        let target = self.target;
        match self.operation {
            Operation::FindInstallation => {
                Fault::new(Class::NotFound, what, format!("the App is not installed on {target}"))
                    .remedy(format!("install it there, or correct the address {target}"))
            }
            Operation::MakeToken(_) => Fault::new(Class::NotFound, what, self.said.clone())
                .remedy("the App has no such installation: correct installation_id, or leave it out"),
            Operation::Mint | Operation::ListRunners | Operation::ReadGroups if self.lacks_scope() => {
                Fault::new(Class::Denied, what, self.why_forbidden()).remedy(self.how_to_allow())
            }
            Operation::Mint | Operation::ListRunners | Operation::ReadGroups => Fault::new(
                Class::NotFound,
                what,
                format!("{}; {target} does not exist, or this token may not see it", self.said),
            )
            .remedy(format!(
                "correct the address in the stack document if it is wrong; if not, {}",
                self.how_to_allow()
            )),
            Operation::Configure => {
                Fault::new(Class::NotFound, what, self.said.clone()).remedy(self.how_to_configure())
            }
            Operation::ReadRunner | Operation::DeleteRunner | Operation::ReadRun | Operation::Look => {
                Fault::new(Class::NotFound, what, self.said.clone())
            }
        }
    }

    /// What configuring takes, in the words of GitHub's settings pages.
    fn how_to_configure(&self) -> &'static str {
        match self.target {
            Target::Repository { .. } => {
                "use a token of an administrator of the repository: classic with the scope `repo`, or fine-grained \
                 with read and write for Administration, Environments, Secrets and Variables, and read for Actions"
            }
            Target::Organization(_) | Target::Enterprise(_) => {
                "use a token of an owner of the organisation: classic with the scope `admin:org`, or fine-grained \
                 with the organisation permissions Secrets and Variables, read and write"
            }
        }
    }

    /// To a classic token that lacks the scope, GitHub says 404 about what is private.
    fn lacks_scope(&self) -> bool {
        self.kind == TokenKind::Classic
            && self
                .refusal
                .scopes
                .as_deref()
                .is_some_and(|scopes| !scopes.split(',').any(|scope| scope.trim() == self.scope()))
    }

    fn not_granted(&self, what: &str) -> Fault {
        Fault::new(Class::Denied, what, self.said.clone()).remedy(self.how_to_allow())
    }

    /// What a classic token needs.
    fn scope(&self) -> &'static str {
        match self.target {
            Target::Repository { .. } => "repo",
            Target::Organization(_) => "admin:org",
            Target::Enterprise(_) => "manage_runners:enterprise",
        }
    }

    /// What an App or a fine-grained token needs, in the words of GitHub's settings pages.
    fn permission(&self) -> &'static str {
        match self.target {
            _ if self.operation.access() == Access::Runs => "Actions: read (repository)",
            Target::Repository { .. } => "Administration: read and write (repository)",
            Target::Organization(_) => "Self-hosted runners: read and write (organisation)",
            Target::Enterprise(_) => {
                "to manage the enterprise's runners, which only a classic token can have"
            }
        }
    }
}

/// The message with the details of `errors`, which GitHub gives as texts or objects.
fn full_message(body: &Body) -> String {
    let details: Vec<String> = match &body.errors {
        Some(Value::Array(errors)) => errors.iter().filter_map(detail).collect(),
        Some(other) => detail(other).into_iter().collect(),
        None => Vec::new(),
    };
    if details.is_empty() {
        body.message.clone()
    } else {
        format!("{} ({})", body.message, details.join("; "))
    }
}

fn detail(error: &Value) -> Option<String> {
    let text = |key: &str| error.get(key).and_then(Value::as_str);
    if let Some(text) = error.as_str() {
        return Some(text.to_owned());
    }
    if let Some(message) = text("message") {
        return Some(message.to_owned());
    }
    let (field, code) = (text("field")?, text("code")?);
    Some(format!("{field}: {code}"))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const NOW: i64 = 1_000;

    struct Given {
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        message: &'static str,
    }

    fn fault(given: &Given, operation: Operation, kind: TokenKind, target: &Target) -> Fault {
        let mut headers = HeaderMap::new();
        for (name, value) in given.headers {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let body = serde_json::json!({"message": given.message}).to_string();
        let status = StatusCode::from_u16(given.status).unwrap();
        let now = Timestamp::from_second(NOW).unwrap();
        Refusal::read(status, &headers, body.as_bytes()).into_fault(operation, "mint", kind, target, now)
    }

    fn repository() -> Target {
        Target::Repository { owner: "acme".into(), name: "shop".into() }
    }

    fn organization() -> Target {
        Target::Organization("acme".into())
    }

    fn mint(status: u16, headers: &'static [(&'static str, &'static str)], message: &'static str) -> Fault {
        let given = Given { status, headers, message };
        fault(&given, Operation::Mint, TokenKind::Classic, &repository())
    }

    #[test]
    fn every_way_to_say_slow_down_is_throttled() {
        let cases: [(u16, &'static [_], &str, u64); 5] = [
            (403, &[("retry-after", "7")], "x", 7),
            (429, &[("retry-after", "7")], "x", 7),
            (
                403,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")],
                "API rate limit exceeded",
                30,
            ),
            (403, &[], "You have exceeded a secondary rate limit", 60),
            (429, &[], "", 60),
        ];
        for (status, headers, message, seconds) in cases {
            let expected = Class::Throttled { retry_after: Some(Duration::from_secs(seconds)) };
            assert_eq!(mint(status, headers, message).class, expected, "{status} {headers:?}");
        }
        // Requests are left, so this 403 is about something else.
        let left = mint(403, &[("x-ratelimit-remaining", "99"), ("x-ratelimit-reset", "1030")], "no");
        assert_eq!(left.class, Class::Denied);
    }

    #[test]
    fn statuses_have_their_class() {
        for (status, class) in [
            (401, Class::Denied),
            (403, Class::Denied),
            (404, Class::NotFound),
            (409, Class::Conflict),
            (422, Class::Invalid),
            (400, Class::Invalid),
            (500, Class::Unknown),
            (503, Class::Unknown),
        ] {
            assert_eq!(mint(status, &[], "m").class, class, "{status}");
        }
        let busy = Given { status: 422, headers: &[], message: "Runner is currently running a job" };
        let busy = fault(&busy, Operation::DeleteRunner, TokenKind::Classic, &repository());
        assert_eq!(busy.class, Class::Busy);
        assert!(busy.to_string().contains("running a job"));
    }

    #[test]
    fn a_classic_token_is_told_its_missing_scope() {
        let headers: &[_] = &[("x-oauth-scopes", "gist, public_repo"), ("x-accepted-oauth-scopes", "repo")];
        let told = mint(403, headers, "Must have admin rights to Repository.");
        assert!(told.why.contains("needs the scope repo; the token's scopes: gist, public_repo"), "{told}");
        assert!(told.remedy.unwrap().contains("`repo`"));
        let no_admin = mint(403, &[("x-oauth-scopes", "repo")], "Must have admin rights to Repository.");
        assert!(no_admin.remedy.unwrap().contains("must be an administrator of acme/shop"));
        // GitHub hides what is private behind a 404.
        assert_eq!(mint(404, &[("x-oauth-scopes", "")], "Not Found").class, Class::Denied);
        assert_eq!(mint(404, &[("x-oauth-scopes", "repo")], "Not Found").class, Class::NotFound);
        let given = Given { status: 403, headers: &[], message: "m" };
        let org = fault(&given, Operation::Mint, TokenKind::Classic, &organization());
        assert!(org.remedy.unwrap().contains("`admin:org`"));
    }

    #[test]
    fn each_kind_of_token_has_its_own_remedy() {
        let headers: &[_] = &[("x-accepted-github-permissions", "administration=write")];
        let given = Given { status: 403, headers, message: "Resource not accessible by integration" };
        let cases = [
            (TokenKind::Server, repository(), "GITHUB_TOKEN can never register a runner"),
            (TokenKind::FineGrained, repository(), "Administration: read and write (repository)"),
            (TokenKind::FineGrained, organization(), "and Administration: read"),
            (TokenKind::OwnApp, organization(), "Self-hosted runners: read and write (organisation)"),
        ];
        for (kind, target, remedy) in cases {
            let fault = fault(&given, Operation::Mint, kind, &target);
            assert_eq!(fault.class, Class::Denied);
            assert!(fault.why.contains("needs the permission administration=write"), "{fault}");
            let got = fault.remedy.unwrap();
            assert!(got.contains(remedy), "{kind:?}: {got}");
        }
        let enterprise = fault(&given, Operation::Mint, TokenKind::OwnApp, &Target::Enterprise("big".into()));
        assert!(
            enterprise.remedy.unwrap().contains("classic token with the scope `manage_runners:enterprise`")
        );
        let bad = Given { status: 401, headers: &[], message: "Bad credentials" };
        let remedy = |kind| fault(&bad, Operation::Mint, kind, &repository()).remedy.unwrap();
        assert!(remedy(TokenKind::Classic).contains("expired"));
        assert!(remedy(TokenKind::Server).contains("GITHUB_TOKEN"));
        assert!(remedy(TokenKind::AppJwt).contains("private key"));
    }

    #[test]
    fn single_sign_on_names_the_page() {
        let headers: &[_] = &[("x-github-sso", "required; url=https://github.com/orgs/acme/sso?x=1")];
        let remedy =
            mint(403, headers, "Resource protected by organization SAML enforcement.").remedy.unwrap();
        assert!(remedy.ends_with("at https://github.com/orgs/acme/sso?x=1"), "{remedy}");
    }

    #[test]
    fn details_of_a_refusal_are_told() {
        let body =
            |errors: Value| full_message(&Body { message: "Validation Failed".into(), errors: Some(errors) });
        assert_eq!(body(serde_json::json!(["a", {"message": "b"}])), "Validation Failed (a; b)");
        assert_eq!(
            body(serde_json::json!([{"field": "labels", "code": "invalid"}])),
            "Validation Failed (labels: invalid)"
        );
        assert_eq!(body(serde_json::json!("a")), "Validation Failed (a)");
        let no_json = Refusal::read(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"<html>");
        let now = Timestamp::UNIX_EPOCH;
        let fault = no_json.into_fault(Operation::Mint, "mint", TokenKind::Classic, &repository(), now);
        assert_eq!(fault.to_string(), "cannot mint: GitHub answered 502");
    }
}
