//! Tasks of one ECS cluster: the port [`Tasks`] over the AWS SDK.

mod errors;
mod launch;
mod preflight;
mod turns;
mod view;

pub use preflight::{ClusterFacts, DefinitionFacts, RUNNER_VERSION_TAG};

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::list_tasks::builders::ListTasksFluentBuilder;
use aws_sdk_ecs::types::{DesiredStatus, TaskField};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::{StartedBy, TaskArn};
use fleetfoot_core::ports::{LaunchRequest, Launched, MOST_PER_DESCRIBE, Tasks};
use fleetfoot_core::task::TaskView;

use crate::errors::of_sdk;

pub(crate) use turns::EcsTurns;
pub(crate) use view::of_task;

/// The longest reason that StopTask keeps, in characters.
const LONGEST_REASON: usize = 1024;

/// The tasks of one cluster.
#[derive(Debug, Clone)]
pub struct EcsTasks {
    client: Client,
    turns: EcsTurns,
    cluster: String,
}

impl EcsTasks {
    pub(crate) fn new(config: &SdkConfig, turns: EcsTurns, cluster: String) -> Self {
        Self { client: Client::new(config), turns, cluster }
    }

    /// The ARNs on all pages of a ListTasks call.
    async fn list(&self, call: ListTasksFluentBuilder, what: &str) -> Result<Vec<TaskArn>, Fault> {
        let call = call.cluster(&self.cluster);
        let (mut arns, mut next) = (Vec::new(), None);
        loop {
            let _turn = self.turns.look(what).await?;
            let page = call.clone().set_next_token(next).send().await;
            let page = page.map_err(|error| of_sdk(what, "ecs:ListTasks", error, errors::classed))?;
            for arn in page.task_arns() {
                arns.push(view::task_arn(what, arn)?);
            }
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(arns);
            }
        }
    }
}

impl Tasks for EcsTasks {
    fn check(&self, request: &LaunchRequest) -> Result<(), Fault> {
        launch::check(request, &self.cluster)
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<Launched, Fault> {
        let what = launch::what(request, &self.cluster);
        // The SDK repeats the call after a broken connection and a throttling: the client token makes that
        // safe. What still is throttled after its tries is the caller's to wait for.
        let call = launch::call(&self.client, request, &self.cluster, &what)?;
        let _turn = self.turns.run(&what, &request.capacity, request.count).await?;
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let held = launch::held(&what, &error)?;
                if held.is_empty() {
                    return Err(of_sdk(&what, "ecs:RunTask", error, errors::classed));
                }
                return Ok(Launched { held, ..Launched::default() });
            }
        };
        let tasks = answer.tasks().iter().map(|task| of_task(&what, task)).collect::<Result<_, _>>()?;
        let failures = answer.failures().iter().map(|failure| errors::of_failure(&what, failure)).collect();
        Ok(Launched { tasks, failures, held: Vec::new() })
    }

    async fn describe(&self, tasks: &[TaskArn]) -> Result<Vec<TaskView>, Fault> {
        let what = format!("look at tasks of cluster {}", self.cluster);
        let mut views = Vec::with_capacity(tasks.len());
        for batch in tasks.chunks(MOST_PER_DESCRIBE) {
            let _turn = self.turns.look(&what).await?;
            let answer = self
                .client
                .describe_tasks()
                .cluster(&self.cluster)
                .set_tasks(Some(batch.iter().map(|arn| arn.as_str().to_owned()).collect()))
                .include(TaskField::Tags)
                .send()
                .await
                .map_err(|error| of_sdk(&what, "ecs:DescribeTasks", error, errors::classed))?;
            for task in answer.tasks() {
                views.push(of_task(&what, task)?);
            }
            for failure in answer.failures() {
                // MISSING: not known yet, or not any more.
                tracing::debug!(arn = failure.arn(), reason = failure.reason(), "ECS does not show a task");
            }
        }
        Ok(views)
    }

    async fn find(&self, started_by: &StartedBy) -> Result<Vec<TaskArn>, Fault> {
        // startedBy must be the only filter; the desired status is RUNNING by default (ECS API Reference,
        // ListTasks).
        let what = format!("find the tasks of {started_by} in cluster {}", self.cluster);
        self.list(self.client.list_tasks().started_by(started_by.as_str()), &what).await
    }

    async fn find_under(&self, prefix: &str) -> Result<Vec<TaskView>, Fault> {
        let what = format!("list the tasks of cluster {}", self.cluster);
        let mut arns = Vec::new();
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            arns.extend(self.list(self.client.list_tasks().desired_status(status), &what).await?);
        }
        // A task may stop between the two lists and so be in both.
        arns.sort_unstable();
        arns.dedup();
        let mut tasks = self.describe(&arns).await?;
        tasks.retain(|task| task.started_by.as_deref().is_some_and(|by| by.starts_with(prefix)));
        Ok(tasks)
    }

    async fn stop(&self, task: &TaskArn, reason: &str) -> Result<(), Fault> {
        let what = format!("stop the task {}", task.id());
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let call = self.client.stop_task().cluster(&self.cluster).task(task.as_str()).reason(reason);
        let _turn = self.turns.stop(&what).await?;
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(errors::is_unknown_task) => {
                // ECS forgets a task about an hour after it stopped.
                tracing::debug!(task = task.id(), "ECS does not know the task any more");
                Ok(())
            }
            Err(error) => Err(of_sdk(&what, "ecs:StopTask", error, errors::classed)),
        }
    }
}
