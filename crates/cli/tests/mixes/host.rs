//! The job in whose steps the commands run.
//!
//! It is a real job of the simulated GitHub, on one of its hosted machines, and does nothing but hand out its
//! environment and wait. So commands have a run, an OIDC token and the launcher's role, and are still children
//! of the test, which can signal them and read what they say without GitHub's mask before it.

use std::fs;

use crate::common::{AS_LAUNCHER, Fleetfoot, Stage, until};

/// A job that waits, and its environment.
pub(crate) struct Host<'a> {
    stage: &'a Stage,
    /// Its run, and so the run of every start.
    pub(crate) run: u64,
    environment: Vec<(String, String)>,
}

impl<'a> Host<'a> {
    /// Begins the job.
    pub(crate) async fn enter(stage: &'a Stage) -> Self {
        // A job before this one may have left its own.
        drop(fs::remove_file(stage.path("environment")));
        let (file, part) = (stage.path("environment"), stage.path("environment.part"));
        let run = stage.dispatch(&format!(
            "
  launch:
    runs-on: ubuntu-latest
    environment: dev
    permissions: {{ id-token: write, contents: read }}
    steps:
      - env: {AS_LAUNCHER}
        run: env -0 > {part} && mv {part} {file} && exec sleep 1000
",
            part = part.display(),
            file = file.display()
        ));
        let id = run.id;
        until("the job has begun", || file.exists()).await;
        let text = fs::read_to_string(file).unwrap();
        let environment = text.split_terminator('\0').filter_map(|pair| pair.split_once('='));
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let authority = stage.one_authority().map(|(name, value)| (name.to_owned(), value));
        Self { stage, run: id, environment: environment.chain(authority).collect() }
    }

    /// A command in a step of the job. It writes its outputs and its summary where the test finds them.
    pub(crate) fn call(&self, arguments: &[&str]) -> Fleetfoot {
        let call = Fleetfoot::new(&self.stage.path(""), arguments);
        let call = self.environment.iter().fold(call, |call, (name, value)| call.env(name, value));
        let file = |name: &str| self.stage.path(name).display().to_string();
        call.env("GITHUB_OUTPUT", &file("output")).env("GITHUB_STEP_SUMMARY", &file("summary.md"))
    }

    /// A variable of the job.
    pub(crate) fn variable(&self, name: &str) -> &str {
        self.environment.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// Ends the job, and its run with it.
    pub(crate) async fn leave(&self) {
        let github = &self.stage.world.github;
        github.cancel_run(self.run);
        until("the run is over", || github.run(self.run).is_some_and(|run| run.conclusion.is_some())).await;
    }
}
