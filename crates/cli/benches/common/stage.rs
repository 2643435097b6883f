//! The simulators, in this process, and the way to reach them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use fleetfoot::demo::world::{self, Furniture, IMAGE, Pace, REGION, STACK, World};
use fleetfoot_sim::aws::LocalImage;
use fleetfoot_sim::faults::Faults;
use tempfile::TempDir;

use super::Result;

/// The variable that names the program to be measured, as it is released.
pub(crate) const RELEASED: &str = "FLEETFOOT_BENCH_PROGRAM";

/// The program that is measured: the one that is named, or else that which Cargo has built beside this one.
pub(crate) static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let named = std::env::var_os(RELEASED);
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_fleetfoot").into()).into()
});

/// A world, and an empty repository in it.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) home: TempDir,
}

impl Stage {
    /// Starts and furnishes it, as `fleetfoot sim` does.
    pub(crate) async fn new(pace: Pace) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let faults = Faults::default();
        let furniture = Furniture {
            files: home.path().to_owned(),
            program: PROGRAM.clone(),
            faults: faults.clone(),
            pace,
        };
        let world = World::start(&furniture).await?;
        Ok(Self { world, faults, home })
    }

    /// In which tasks take their time to come up and then only sleep, so that they disturb nothing.
    pub(crate) async fn with_sleeping_tasks() -> Result<Self> {
        let stage = Self::new(world::as_fargate).await?;
        let argv = ["/bin/sleep", "86400"].map(str::to_owned).into();
        stage.world.aws.add_image(IMAGE, LocalImage { argv, env: BTreeMap::new(), files: None });
        Ok(stage)
    }

    /// The environment of somebody with static AWS keys and a GitHub token.
    pub(crate) fn environment(&self, path: &[&Path]) -> Vec<(String, String)> {
        let mut folders: Vec<PathBuf> = path.iter().map(|&folder| folder.to_owned()).collect();
        folders.extend(["/usr/bin".into(), "/bin".into()]);
        let path = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":");
        let keys = &self.world.keys;
        [
            ("PATH", path),
            ("HOME", self.home.path().display().to_string()),
            // This machine may have an instance metadata service of its own.
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL", self.world.aws.endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", keys.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.clone()),
            ("FLEETFOOT_STACK", STACK.to_owned()),
            ("FLEETFOOT_GITHUB_TOKEN", self.world.token.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Takes down everything.
    pub(crate) async fn close(self) {
        self.world.shutdown().await;
    }
}
