//! What the books and the simulators say afterwards.

use fleetfoot::demo::world::BUCKET;
use fleetfoot_sim::aws::{Task, TaskStatus};
use fleetfoot_sim::book::Call;
use serde_json::Value;

use super::Stage;

pub(crate) const JITCONFIG: &str = "POST /repos/{owner}/{repo}/actions/runners/generate-jitconfig";
pub(crate) const REGISTRATION_TOKEN: &str = "POST /repos/{owner}/{repo}/actions/runners/registration-token";
pub(crate) const RUNNERS: &str = "GET /repos/{owner}/{repo}/actions/runners";
pub(crate) const RUNNER: &str = "GET /repos/{owner}/{repo}/actions/runners/{runner_id}";

impl Stage {
    /// The calls of one operation, in the order of their answers.
    pub(crate) fn calls(&self, service: &str, operation: &str) -> Vec<Call> {
        let mut calls = self.world.book.calls();
        calls.retain(|call| call.service == service && call.operation == operation);
        calls
    }

    pub(crate) fn count(&self, service: &str, operation: &str) -> usize {
        self.world.book.count(service, operation)
    }

    /// The bodies of all RunTask calls that started something.
    pub(crate) fn launches(&self) -> Vec<Value> {
        let calls = self.calls("ecs", "RunTask").into_iter().filter(|call| call.status == 200);
        calls.filter_map(|call| call.request).collect()
    }

    /// Tasks that are there and meant to be.
    pub(crate) fn live_tasks(&self) -> Vec<Task> {
        let mut tasks = self.world.aws.tasks();
        tasks.retain(|task| !task.desired_stopped && task.status != TaskStatus::Stopped);
        tasks
    }

    /// Labels of the only runner.
    pub(crate) fn runner_labels(&self) -> Vec<String> {
        let runners = self.world.github.runners();
        assert_eq!(runners.len(), 1, "{runners:?}");
        runners[0].labels.clone()
    }

    /// No task, no registration and no mail is left.
    pub(crate) fn assert_nothing_left(&self) {
        let live: Vec<String> = self.live_tasks().into_iter().map(|task| task.arn).collect();
        assert_eq!(live, [""; 0], "tasks");
        assert_eq!(self.world.github.runners(), [], "registrations");
        assert_eq!(self.world.aws.objects(BUCKET), [""; 0], "mail");
    }

    /// Neither ECS nor GitHub nor S3 was asked for anything that would create something.
    pub(crate) fn assert_nothing_asked_for(&self) {
        for (service, operation) in [("ecs", "RunTask"), ("github", JITCONFIG), ("s3", "PutObject")] {
            assert_eq!(self.count(service, operation), 0, "{service} {operation}");
        }
        self.assert_nothing_left();
    }

    /// Nothing was created, though ECS may have been asked and have refused.
    pub(crate) fn assert_nothing_created(&self) {
        assert_eq!(self.launches(), [Value::Null; 0]);
        assert_eq!(self.count("github", JITCONFIG), 0);
        assert_eq!(self.world.aws.tasks().len(), 0);
        self.assert_nothing_left();
    }
}

/// A task's tag.
pub(crate) fn tag<'a>(task: &'a Task, key: &str) -> Option<&'a str> {
    task.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
}
