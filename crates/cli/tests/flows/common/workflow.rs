//! Workflows that run in the world, with `fleetfoot` in their steps.

use std::fs;

use fleetfoot::demo::world::{ACTOR, REPOSITORY};
use fleetfoot_sim::github::{Dispatch, JobSnapshot};
use fleetfoot_sim::protocol::Conclusion;

use super::{PATIENCE, Stage};

/// What a step needs to act on the stack as its launcher, without a key.
pub(crate) const AS_LAUNCHER: &str = "{ FLEETFOOT_STACK: '${{ vars.FLEETFOOT_STACK }}', \
     FLEETFOOT_ROLE: '${{ vars.FLEETFOOT_ROLE }}', AWS_REGION: '${{ vars.AWS_REGION }}', \
     FLEETFOOT_GITHUB_TOKEN: '${{ secrets.FLEETFOOT_GITHUB_TOKEN }}' }";

/// A job `start` that hands on all outputs of a start. `ARGS` stands for its arguments.
pub(crate) const START: &str = "
  start:
    runs-on: ubuntu-latest
    environment: dev
    permissions: { id-token: write, contents: read }
    outputs:
      label: ${{ steps.runner.outputs.label }}
      runs-on: ${{ steps.runner.outputs.runs-on }}
      runner-names: ${{ steps.runner.outputs.runner-names }}
      runner-ids: ${{ steps.runner.outputs.runner-ids }}
      task-arns: ${{ steps.runner.outputs.task-arns }}
    steps:
      - id: runner
        run: exec fleetfoot start ARGS
        env: AS_LAUNCHER
";

/// A run of a workflow.
pub(crate) struct Run<'a> {
    stage: &'a Stage,
    pub(crate) id: u64,
}

impl Stage {
    /// Starts a run of a workflow with these jobs; `AS_LAUNCHER` in them is filled in.
    pub(crate) fn dispatch(&self, jobs: &str) -> Run<'_> {
        self.dispatch_in(REPOSITORY, jobs)
    }

    /// The same in a repository that has the files of the stage's own.
    pub(crate) fn dispatch_in(&self, repository: &str, jobs: &str) -> Run<'_> {
        let path = ".github/workflows/test.yml";
        let jobs = jobs.replace("AS_LAUNCHER", AS_LAUNCHER);
        fs::write(self.repository().join(path), format!("name: test\non: workflow_dispatch\njobs:\n{jobs}"))
            .unwrap();
        let id = self.world.github.dispatch(&Dispatch::new(repository, path, ACTOR)).unwrap();
        Run { stage: self, id }
    }
}

impl Run<'_> {
    /// Waits for its end.
    pub(crate) async fn end(&self) -> Conclusion {
        let end = tokio::time::timeout(PATIENCE, self.stage.world.github.wait_run(self.id)).await;
        end.unwrap_or_else(|_| panic!("the run does not end: {:#?}", self.stage.world.github.run(self.id)))
            .unwrap()
    }

    /// Waits for its end, which must be a success.
    pub(crate) async fn succeeds(&self) {
        let conclusion = self.end().await;
        assert_eq!(conclusion, Conclusion::Success, "{}", self.logs());
    }

    /// A job by its id in the file.
    pub(crate) fn job(&self, key: &str) -> JobSnapshot {
        let run = self.stage.world.github.run(self.id).unwrap();
        run.jobs.into_iter().find(|job| job.key == key).unwrap_or_else(|| panic!("no job {key}"))
    }

    /// A job's log, masked.
    pub(crate) fn log(&self, key: &str) -> String {
        self.stage.world.github.job_log(self.job(key).id).unwrap_or_default().join("\n")
    }

    /// All logs, for a test that fails.
    pub(crate) fn logs(&self) -> String {
        let run = self.stage.world.github.run(self.id).unwrap();
        let logs: Vec<String> =
            run.jobs.iter().map(|job| format!("== {}\n{}", job.name, self.log(&job.key))).collect();
        logs.join("\n")
    }
}
