//! Where it is measured: the simulated world, with lines to it that may be long, and everything that a way needs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fleetfoot::demo::world::{self, IMAGE};
use fleetfoot_sim::aws::AwsConfig;
use fleetfoot_sim::github::{AppSpec, GithubConfig, Level};
use tempfile::TempDir;
use tokio::process::Command;

use crate::common::Result;
use crate::common::stage::{PROGRAM, Stage};
use crate::runner::Folder;
use crate::{line, task};

/// What the App is known by.
pub(crate) const APP_ID: u64 = 4711;

/// A place.
pub(crate) struct Place {
    stage: Stage,
    folder: TempDir,
    pub(crate) runner: Folder,
    /// Where AWS's API is, from a task's point of view.
    aws: String,
    /// The same of GitHub.
    pub(crate) github: String,
    /// The App's private key.
    pub(crate) key: String,
}

impl Place {
    /// Opens it. The APIs take this much longer to answer than they work.
    pub(crate) async fn open(delay: Duration) -> Result<Self> {
        let stage = Stage::new(patient).await?;
        let folder = tempfile::tempdir()?;
        let notes = folder.path().join("tasks");
        std::fs::create_dir(&notes)?;
        stage.world.aws.add_image(IMAGE, task::image(&notes)?);
        let spec = AppSpec {
            owner: "octo-org".into(),
            app_id: APP_ID,
            client_id: "Iv23liBENCHBENCHBEN0".into(),
            permissions: [("administration".to_owned(), Level::Write)].into(),
            public_key: None,
        };
        let key = stage.world.github.add_app(spec)?.ok_or("the App got no key")?;
        stage.world.github.install_app(APP_ID, "octo-org", None, None)?;
        Ok(Self {
            aws: line::open(&stage.world.aws.endpoint(), delay).await?,
            github: line::open(&stage.world.github.server_url(), delay).await?,
            runner: Folder::furnish(folder.path().join("runner"))?,
            stage,
            folder,
            key,
        })
    }

    /// The environment of a new task whose assignment lies in its mailbox.
    pub(crate) async fn assigned(&self, key: &str) -> Result<Vec<(String, String)>> {
        let start = Command::new(&*PROGRAM)
            .args(["start", "--key", key, "--wait", "none"])
            .env_clear()
            .envs(self.stage.environment(&[]))
            .stdin(Stdio::null())
            .output()
            .await?;
        if !start.status.success() {
            let said = String::from_utf8_lossy(&start.stderr);
            return Err(format!("fleetfoot start has failed: {}", said.trim()).into());
        }
        let mut environment = task::environment(&self.notes()).await?;
        for (name, value) in &mut environment {
            if name == "AWS_ENDPOINT_URL" {
                value.clone_from(&self.aws);
            }
        }
        Ok(environment)
    }

    /// A token that may manage the repository's runners.
    pub(crate) fn token(&self) -> &str {
        &self.stage.world.token
    }

    fn notes(&self) -> PathBuf {
        Path::join(self.folder.path(), "tasks")
    }

    /// Takes down everything.
    pub(crate) async fn close(self) {
        self.stage.close().await;
    }
}

/// Nobody registers so many runners in so short a time with one credential; here it is no hindrance.
fn patient(aws: &mut AwsConfig, github: &mut GithubConfig) {
    world::quick(aws, github);
    (github.content_in_minute, github.content_in_hour) = (u32::MAX, u32::MAX);
}
