//! The ways from the start of a task to the runner.

use std::path::PathBuf;

use fleetfoot::demo::world::REPOSITORY;

use crate::common::Result;
use crate::common::stage::PROGRAM;
use crate::place::{APP_ID, Place};

/// The way of the project that Fleetfoot grew from, and of its kin.
const ENTRYPOINT: &str = include_str!("entrypoint.sh");

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nothing in between: the runner is the first process.
    Bare,
    /// The agent with a launcher, its assignment waiting.
    Assigned,
    /// The agent registers its runner itself, with a token.
    Token,
    /// The same as an App.
    App,
    /// The shell with a token.
    ShellToken,
    /// The shell as an App.
    ShellApp,
}

/// What to start.
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
}

impl Way {
    pub(crate) const ALL: [Self; 6] =
        [Self::Bare, Self::Assigned, Self::Token, Self::App, Self::ShellToken, Self::ShellApp];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "the runner alone",
            Self::Assigned => "`fleetfoot agent`, its assignment waiting",
            Self::Token => "`fleetfoot agent` by itself, with a token",
            Self::App => "`fleetfoot agent` by itself, as an App",
            Self::ShellToken => "shell, with a token",
            Self::ShellApp => "shell, as an App",
        }
    }

    /// Prepares it; the name is a new runner's.
    pub(crate) async fn prepare(self, place: &Place, name: &str) -> Result<Start> {
        let mut environment = match self {
            Self::Assigned => place.assigned(name).await?,
            _ => vec![pair("PATH", "/usr/local/bin:/usr/bin:/bin")],
        };
        let (program, arguments) = match self {
            Self::Bare => (place.runner.program(), Vec::new()),
            Self::Assigned | Self::Token | Self::App => {
                (PROGRAM.clone(), ["agent", "--runner-user", ""].map(str::to_owned).into())
            }
            Self::ShellToken | Self::ShellApp => {
                ("/bin/bash".into(), ["-c", ENTRYPOINT].map(str::to_owned).into())
            }
        };
        let folder = place.runner.path().display().to_string();
        environment.extend([pair("FLEETFOOT_RUNNER_DIR", &folder), pair("RUNNER_DIR", &folder)]);
        if !matches!(self, Self::Bare | Self::Assigned) {
            let (owner, repository) = REPOSITORY.split_once('/').ok_or("a repository has an owner")?;
            environment.extend([
                pair("GITHUB_HOST", &place.github),
                pair("API", &format!("{}/api/v3", place.github)),
                pair("GITHUB_OWNER", owner),
                pair("GITHUB_REPOSITORY", repository),
                pair("RUNNER_NAME", name),
                pair("RUNNER_LABELS", "bench"),
            ]);
        }
        match self {
            Self::Token | Self::ShellToken => environment.push(pair("GITHUB_PAT", place.token())),
            Self::App | Self::ShellApp => {
                environment
                    .extend([pair("APP_ID", &APP_ID.to_string()), pair("APP_PRIVATE_KEY", &place.key)]);
            }
            Self::Bare | Self::Assigned => {}
        }
        Ok(Start { program, arguments, environment })
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
