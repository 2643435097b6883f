//! A world with one scale set, as many jobs as are wanted, and tasks that are functions.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fleetfoot::demo::troupe::{Counted, Troupe};
use fleetfoot::demo::world::{ACTOR, REPOSITORY};
use fleetfoot_sim::aws::{AwsConfig, Timing};
use fleetfoot_sim::github::{Dispatch, GithubConfig};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::common::Result;
use crate::common::stage::Stage;

/// The scale set.
pub(crate) const SET: &str = "burst";

/// The most jobs of a matrix (GitHub docs, "Usage limits").
const MATRIX: usize = 250;

/// How long a job takes that nobody holds.
const JOB: Duration = Duration::from_secs(5);

/// A day: longer than any benchmark.
const DAY: Duration = Duration::from_hours(24);

/// A furnished world.
pub(crate) struct Theatre {
    pub(crate) stage: Stage,
    pub(crate) troupe: Troupe,
    pub(crate) stack: Value,
    folder: tempfile::TempDir,
}

/// GitHub's and AWS's published limits, and Fargate's published times. Runners here do not tell every second
/// that they live.
pub(crate) fn as_published(aws: &mut AwsConfig, github: &mut GithubConfig) {
    aws.fargate_timing = Timing::fargate();
    (github.lost_after, github.offline_after) = (DAY, DAY);
    (github.assignment_timeout, github.scale_set_assignment) = (DAY, DAY);
}

impl Theatre {
    /// With room for so many runners.
    pub(crate) async fn new(most: usize) -> Result<Self> {
        let stage = Stage::new(as_published).await?;
        stage.world.book.leave_bodies_out();
        let troupe = Troupe::engage(&stage.world, JOB)?;
        troupe.hold();
        let mut stack = stage.world.stack.clone();
        stack["pools"] = json!([stack["pools"][0]]);
        stack["pools"][0]["max"] = most.into();
        stack["scale_sets"] = json!([{ "name": SET, "pool": stack["pools"][0]["name"], "max": most }]);
        let folder = tempfile::tempdir()?;
        let theatre = Self { stage, troupe, stack, folder };
        fs::write(theatre.stack_file(), theatre.stack.to_string())?;
        Ok(theatre)
    }

    /// The stack document.
    pub(crate) fn stack_file(&self) -> PathBuf {
        self.folder.path().join("stack.json")
    }

    /// Starts runs with so many jobs together.
    pub(crate) fn dispatch(&self, jobs: usize) -> Result<()> {
        let folder = self.stage.home.path().join(".github/workflows");
        fs::create_dir_all(&folder)?;
        let path = ".github/workflows/burst.yml";
        let mut left = jobs;
        while left > 0 {
            let some = left.min(MATRIX);
            let numbers: Vec<String> = (1..=some).map(|number| number.to_string()).collect();
            let workflow = format!(
                "name: burst\non: workflow_dispatch\njobs:\n  one:\n    runs-on: {SET}\n    strategy:\n      \
                 matrix:\n        number: [{}]\n    steps:\n      - run: \"true\"\n",
                numbers.join(", ")
            );
            fs::write(folder.join("burst.yml"), workflow)?;
            self.stage.world.github.dispatch(&Dispatch::new(REPOSITORY, path, ACTOR))?;
            left -= some;
        }
        Ok(())
    }

    /// Waits until something has happened.
    pub(crate) async fn until(
        &self,
        what: &str,
        patience: Duration,
        happened: impl Fn(Counted) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut told = Instant::now();
        loop {
            let counted = self.troupe.counted()?;
            if happened(counted) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("not within {patience:?}: {what}; {counted:?}").into());
            }
            if told.elapsed() > Duration::from_secs(30) {
                told = Instant::now();
                say(&format!("  waiting until {what}: {counted:?}"));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Takes down everything.
    pub(crate) async fn close(self) {
        self.stage.close().await;
    }
}

/// Tells whoever watches how far it is.
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
