//! Tasks of simulated ECS that are containers, and workflows for them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use fleetfoot_sim::aws::{LocalImage, Task};

use crate::common::{IMAGE, START, Stage, until};
use crate::podman;

impl Stage {
    /// A world whose tasks are containers of this image.
    pub(crate) async fn of_containers(image: &str, options: &[&str]) -> Self {
        let stage = Self::new().await;
        let script = stage.file("container", &podman::script(image, options));
        std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        // A job that is told to stop has half of it; nobody wants to wait for half a minute.
        let env = [("FLEETFOOT_STOP_GRACE".to_owned(), "4s".to_owned())].into();
        stage.world.aws.add_image(IMAGE, LocalImage { argv: vec![script], env, files: None });
        stage
    }

    /// The exit code of the only task's container, once it has one.
    pub(crate) async fn exit_code(&self) -> i32 {
        let code = || self.only_task().containers[0].exit_code;
        until("the container ends", || code().is_some()).await;
        code().unwrap()
    }

    pub(crate) fn only_task(&self) -> Task {
        let mut tasks = self.world.aws.tasks();
        assert_eq!(tasks.len(), 1);
        tasks.remove(0)
    }

    /// What the only task's container has written.
    pub(crate) fn container_log(&self) -> String {
        let stream = format!("runner/runner/{}", self.only_task().id);
        self.world.aws.log_lines("/fleetfoot/demo", &stream).join("\n")
    }
}

/// A start, and a job on its runner that has this script for its only step.
pub(crate) fn on_runner(start: &str, script: &str) -> String {
    let script = script.replace('\n', "\n          ");
    let start = START.replace("ARGS", start);
    format!(
        "{start}
  build:
    needs: start
    runs-on: ${{{{ fromJSON(needs.start.outputs.runs-on) }}}}
    steps:
      - run: |
          {script}
"
    )
}
