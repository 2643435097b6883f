//! The variables of an agent that registers its runner itself.
//!
//! Two families are understood, so that task definitions can stay as they are: those of the ECS runner image
//! that this project grew from (`GITHUB_PAT`, `GITHUB_OWNER`, …), and those of
//! myoung34/docker-github-actions-runner (`ACCESS_TOKEN`, `REPO_URL`, …), as its `entrypoint.sh` reads them.
//! Where both say something, the first family wins. What cannot be done is refused by name, all at once.

use std::fmt::Display;
use std::path::{Component, Path};

use fleetfoot_agent::{Package, SelfRegistration, WantedName};
use fleetfoot_core::label::Label;
use fleetfoot_github::{Scope, Target};
use secrecy::SecretString;

use super::refused::{Refused, is_yes, wishes};

/// Any of these says that the agent is to register its runner itself.
const SIGNS: [&str; 11] = [
    "GITHUB_PAT",
    "GITHUB_TOKEN",
    "ACCESS_TOKEN",
    "APP_ID",
    "APP_PRIVATE_KEY",
    "RUNNER_TOKEN",
    "GITHUB_OWNER",
    "GITHUB_REPOSITORY",
    "REPO_URL",
    "ORG_NAME",
    "ENTERPRISE_NAME",
];

/// Variables that hold a token of GitHub's API; the first that is set is used.
const TOKENS: [&str; 3] = ["GITHUB_PAT", "GITHUB_TOKEN", "ACCESS_TOKEN"];

/// The most labels of a runner (GitHub REST API, "Create configuration for a just-in-time runner").
const MOST_LABELS: usize = 100;

const MAKE_A_TOKEN: &str = "give a token that may manage runners in GITHUB_PAT or ACCESS_TOKEN, or a GitHub App \
                            in APP_ID and APP_PRIVATE_KEY";

/// What the variables say.
#[derive(Debug)]
pub(super) struct Variables {
    /// Where to register.
    pub scope: Scope,
    /// As whom.
    pub credential: Credential,
    /// How to call the runner.
    pub name: WantedName,
    /// Its whole label set.
    pub labels: Vec<Label>,
    /// Its group, if not the default one.
    pub group: Option<String>,
    /// Its folder for jobs, if not the default one.
    pub work_folder: Option<String>,
    /// What to install before.
    pub packages: Vec<Package>,
    /// Whether jobs run as root.
    pub run_as_root: bool,
}

/// What proves who the agent is.
#[derive(Debug)]
pub(super) enum Credential {
    /// A token of the API.
    Token {
        /// The variable that held it.
        variable: &'static str,
        /// The token.
        token: SecretString,
    },
    /// A GitHub App.
    App {
        /// Its id, or client id.
        id: String,
        /// Its private key, PEM.
        key: SecretString,
    },
}

impl Credential {
    /// The variable that it came from.
    pub(super) fn variable(&self) -> &'static str {
        match self {
            Self::Token { variable, .. } => variable,
            Self::App { .. } => "APP_PRIVATE_KEY",
        }
    }
}

impl Variables {
    /// Reads them through `look`. A variable that is empty counts as not set.
    ///
    /// # Errors
    /// All that cannot be used.
    pub(super) fn read(look: &dyn Fn(&str) -> Option<String>, is_root: bool) -> Result<Self, Vec<Refused>> {
        let mut reader = Reader { look, refused: Vec::new() };
        if SIGNS.iter().all(|name| reader.get(name).is_none()) {
            return Err(vec![Refused::new(
                "FLEETFOOT_MAILBOX",
                "it is not set, and neither are the variables of an agent that registers its runner itself",
                format!(
                    "start the task with `fleetfoot start`, or {MAKE_A_TOKEN} and say where in GITHUB_OWNER \
                         and GITHUB_REPOSITORY"
                ),
            )]);
        }
        let wishes = wishes(|name| reader.get(name));
        reader.refused.extend(wishes);
        let scope = reader.scope();
        let credential = reader.credential();
        let name = reader.name();
        let labels = reader.labels();
        let group = reader.get("RUNNER_GROUP").filter(|group| !group.eq_ignore_ascii_case("default"));
        let work_folder = reader.work_folder();
        let packages = reader.packages();
        let run_as_root = reader.run_as_root(is_root);
        if let Some(scope) = &scope {
            reader.check_login(scope);
        }
        match (scope, credential, name) {
            (Some(scope), Some(credential), Some(name)) if reader.refused.is_empty() => {
                Ok(Self { scope, credential, name, labels, group, work_folder, packages, run_as_root })
            }
            _ => Err(reader.refused),
        }
    }
}

/// Reads, and collects what cannot be used.
struct Reader<'a> {
    look: &'a dyn Fn(&str) -> Option<String>,
    refused: Vec<Refused>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.look)(name).filter(|value| !value.is_empty())
    }

    /// The first of these that is set.
    fn first(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    fn refuse(&mut self, variable: &'static str, why: impl Into<String>, remedy: impl Into<String>) {
        self.refused.push(Refused::new(variable, why, remedy));
    }

    /// Keeps what is good and refuses what is not.
    fn accept<T, E: Display>(
        &mut self,
        variable: &'static str,
        result: Result<T, E>,
        remedy: &str,
    ) -> Option<T> {
        result.map_err(|error| self.refuse(variable, error.to_string(), remedy)).ok()
    }

    fn scope(&mut self) -> Option<Scope> {
        if self.get("RUNNER_SCOPE").is_some_and(|scope| scope.to_ascii_lowercase().starts_with("ent")) {
            return self.no_enterprise("RUNNER_SCOPE");
        }
        let (variable, place) = self.place()?;
        let url = if place.contains("://") { place } else { format!("{}/{place}", self.host()) };
        let scope = Scope::parse(&url);
        let mut scope = self.accept(
            variable,
            scope,
            "name the repository in GITHUB_OWNER and GITHUB_REPOSITORY or in REPO_URL, or the organisation in \
             GITHUB_OWNER or in ORG_NAME; GITHUB_HOST is only for a GitHub of your own",
        )?;
        if let Target::Enterprise(_) = scope.target() {
            return self.no_enterprise(variable);
        }
        if let Some(host) = self.get("GITHUB_API_HOST") {
            let path = self.get("GITHUB_API_PATH").unwrap_or_default();
            let url = format!("{}/{}", origin(&host), path.trim_start_matches('/'));
            let with_api = scope.with_api_url(url.trim_end_matches('/'));
            scope = self.accept("GITHUB_API_HOST", with_api, "name a host, such as api.github.com")?;
        }
        Some(scope)
    }

    /// The variable that decides where to register, and `OWNER`, `OWNER/REPOSITORY` or an address.
    fn place(&mut self) -> Option<(&'static str, String)> {
        match (self.get("GITHUB_OWNER"), self.get("GITHUB_REPOSITORY")) {
            (None, None) => self.place_of_scope(),
            (Some(owner), None) => Some(("GITHUB_OWNER", owner)),
            (Some(owner), Some(repository)) => match repository.split_once('/') {
                Some((of, _)) if !of.eq_ignore_ascii_case(&owner) => {
                    let why = format!("it names a repository of {of}, and GITHUB_OWNER is {owner}");
                    self.refuse("GITHUB_REPOSITORY", why, "let the two agree, or leave GITHUB_OWNER out");
                    None
                }
                Some(_) => Some(("GITHUB_REPOSITORY", repository)),
                None => Some(("GITHUB_REPOSITORY", format!("{owner}/{repository}"))),
            },
            (None, Some(repository)) if repository.contains('/') => Some(("GITHUB_REPOSITORY", repository)),
            (None, Some(_)) => {
                self.refuse(
                    "GITHUB_REPOSITORY",
                    "it names no owner",
                    "set GITHUB_OWNER, or write OWNER/NAME",
                );
                None
            }
        }
    }

    /// The same by `RUNNER_SCOPE`, which is `repo` if it is not set.
    fn place_of_scope(&mut self) -> Option<(&'static str, String)> {
        let scope = self.get("RUNNER_SCOPE").map(|scope| scope.to_ascii_lowercase());
        let of_organisation = match &scope {
            Some(scope) => scope.starts_with("org"),
            None => self.get("ORG_RUNNER").is_some_and(|value| is_yes(&value)),
        };
        let wanted = if of_organisation { "ORG_NAME" } else { "REPO_URL" };
        if let Some(place) = self.get(wanted) {
            return Some((wanted, place));
        }
        if self.get("ENTERPRISE_NAME").is_some() && scope.is_none() {
            return self.no_enterprise("ENTERPRISE_NAME");
        }
        let remedy = if of_organisation {
            "name the organisation"
        } else if self.get("ORG_NAME").is_some() {
            "name the repository, or set RUNNER_SCOPE=org for the organisation in ORG_NAME"
        } else {
            "name the repository there, or in GITHUB_OWNER and GITHUB_REPOSITORY; for an organisation set \
             GITHUB_OWNER alone"
        };
        self.refuse(wanted, "it is not set, so where to register is not known", remedy);
        None
    }

    fn no_enterprise<T>(&mut self, variable: &'static str) -> Option<T> {
        self.refuse(
            variable,
            "it asks for a runner of a whole enterprise, which Fleetfoot does not register",
            "register at an organisation: RUNNER_SCOPE=org and ORG_NAME",
        );
        None
    }

    /// The origin of GitHub, as a browser shows it.
    fn host(&self) -> String {
        origin(&self.get("GITHUB_HOST").unwrap_or_else(|| "github.com".to_owned()))
    }

    fn credential(&mut self) -> Option<Credential> {
        if let Some((variable, token)) = self.first(&TOKENS) {
            if is_registration_token(&token) {
                self.refuse(variable, NOT_FOR_THE_API, MAKE_A_TOKEN);
                return None;
            }
            return Some(Credential::Token { variable, token: token.trim().to_owned().into() });
        }
        match (self.get("APP_ID"), self.get("APP_PRIVATE_KEY")) {
            (Some(id), Some(key)) => return Some(Credential::App { id, key: key.into() }),
            (Some(_), None) => {
                self.refuse(
                    "APP_PRIVATE_KEY",
                    "it is not set, and APP_ID is",
                    "set it to the App's PEM text",
                );
            }
            (None, Some(_)) => {
                self.refuse("APP_ID", "it is not set, and APP_PRIVATE_KEY is", "set the App's id");
            }
            (None, None) if self.get("RUNNER_TOKEN").is_some() => {
                self.refuse("RUNNER_TOKEN", NOT_FOR_THE_API, MAKE_A_TOKEN);
            }
            (None, None) => self.refuse("GITHUB_PAT", "no GitHub credentials are given", MAKE_A_TOKEN),
        }
        None
    }

    /// An App's installation is found by where the runner is registered.
    fn check_login(&mut self, scope: &Scope) {
        let owner = match scope.target() {
            Target::Repository { owner, .. } | Target::Organization(owner) | Target::Enterprise(owner) => {
                owner
            }
        };
        let differs = |login: &String| !login.eq_ignore_ascii_case(owner);
        if let Some(login) = self.get("APP_LOGIN").filter(differs) {
            let why = format!("it is {login}, and the runner is registered at {owner}");
            self.refuse("APP_LOGIN", why, "leave it out: the App's installation is looked up");
        }
    }

    fn name(&mut self) -> Option<WantedName> {
        if let Some(name) = self.get("RUNNER_NAME") {
            return self.accept("RUNNER_NAME", name.parse(), "choose another name").map(WantedName::Exactly);
        }
        let prefix = self.get("RUNNER_NAME_PREFIX");
        let random = self.get("RANDOM_RUNNER_SUFFIX").is_none_or(|value| is_yes(&value));
        Some(match (prefix, random) {
            (Some(prefix), true) => WantedName::Random(prefix),
            (prefix, false) => WantedName::OfHost(prefix),
            (None, true) => WantedName::Own,
        })
    }

    fn labels(&mut self) -> Vec<Label> {
        let bare = self.get("NO_DEFAULT_LABELS").is_some();
        let (variable, given) =
            self.first(&["RUNNER_LABELS", "LABELS"]).unwrap_or(("RUNNER_LABELS", String::new()));
        let defaults: &[&str] = if bare { &[] } else { &SelfRegistration::default_labels() };
        let mut labels: Vec<Label> = Vec::new();
        for text in defaults.iter().copied().chain(given.split(',').map(str::trim)).filter(|t| !t.is_empty())
        {
            let label = text.parse::<Label>();
            let label = self.accept(variable, label, "separate labels by commas");
            let known =
                |label: &Label| labels.iter().any(|l| l.as_str().eq_ignore_ascii_case(label.as_str()));
            labels.extend(label.filter(|label| !known(label)));
        }
        if labels.is_empty() {
            self.refuse(variable, "no label is left with NO_DEFAULT_LABELS", "name at least one");
        } else if labels.len() > MOST_LABELS {
            self.refuse(variable, format!("{} labels are too many", labels.len()), "GitHub takes 100");
        }
        labels
    }

    fn work_folder(&mut self) -> Option<String> {
        let folder = self.get("RUNNER_WORKDIR")?;
        let climbs = Path::new(&folder).components().any(|part| part == Component::ParentDir);
        if climbs || folder.chars().any(char::is_control) {
            let why = format!("{folder:?} is no folder for jobs");
            self.refuse("RUNNER_WORKDIR", why, "name an absolute folder, or one below the runner's own");
            return None;
        }
        Some(folder)
    }

    fn packages(&mut self) -> Vec<Package> {
        let list = self.get("ADDITIONAL_PACKAGES").unwrap_or_default();
        let names = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty());
        let remedy = "separate names by commas; a version is written NAME=VERSION";
        names.filter_map(|name| self.accept("ADDITIONAL_PACKAGES", name.parse(), remedy)).collect()
    }

    fn run_as_root(&mut self, is_root: bool) -> bool {
        let asked = self.get("RUN_AS_ROOT").is_some_and(|value| is_yes(&value));
        if asked && !is_root {
            self.refuse("RUN_AS_ROOT", "the agent itself is not root", "start the container as root");
        }
        asked
    }
}

const NOT_FOR_THE_API: &str = "a registration token is good for `config.sh` alone; a single-use runner is \
                               registered through GitHub's API";

/// What GitHub's page "New self-hosted runner" shows: capitals and digits. Tokens of the API have a prefix in
/// small letters, or are hex digits in small letters.
fn is_registration_token(token: &str) -> bool {
    token.starts_with('A') && token.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// A host as the origin of an address. A scheme is kept if there is one.
fn origin(host: &str) -> String {
    let host = host.trim_end_matches('/');
    if host.contains("://") { host.to_owned() } else { format!("https://{host}") }
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
