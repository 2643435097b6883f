//! Tasks of one ECS cluster: the port [`Tasks`] over the AWS SDK.

mod errors;
mod launch;
mod preflight;
mod view;

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{DesiredStatus, TaskField};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::{StartedBy, TaskArn};
use fleetfoot_core::ports::{LaunchRequest, Launched, MOST_PER_DESCRIBE, Tasks};
use fleetfoot_core::task::TaskView;

use crate::errors::of_sdk;

/// Running and stopped tasks are listed apart. Beside startedBy no other filter may be given, but this one,
/// which has a default, is always there (ECS API Reference, ListTasks).
const BOTH: [DesiredStatus; 2] = [DesiredStatus::Running, DesiredStatus::Stopped];

/// The longest reason that StopTask keeps, in characters.
const LONGEST_REASON: usize = 1024;

/// The tasks of one cluster.
#[derive(Debug, Clone)]
pub struct EcsTasks {
    client: Client,
    cluster: String,
}

impl EcsTasks {
    pub(crate) fn new(config: &SdkConfig, cluster: String) -> Self {
        Self { client: Client::new(config), cluster }
    }

    /// The ARNs of all tasks that ListTasks shows, running or stopped, with or without a filter.
    async fn list(&self, started_by: Option<&StartedBy>) -> Result<Vec<TaskArn>, Fault> {
        let what = match started_by {
            Some(started_by) => format!("find the tasks of {started_by} in cluster {}", self.cluster),
            None => format!("list the tasks of cluster {}", self.cluster),
        };
        let mut arns = Vec::new();
        for status in BOTH {
            let mut pages = self
                .client
                .list_tasks()
                .cluster(&self.cluster)
                .set_started_by(started_by.map(|started_by| started_by.as_str().to_owned()))
                .desired_status(status)
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| of_sdk(&what, "ecs:ListTasks", error, errors::classed))?;
                for arn in page.task_arns() {
                    arns.push(view::task_arn(&what, arn)?);
                }
            }
        }
        // A task may stop between the two lists and so be in both.
        arns.sort_unstable();
        arns.dedup();
        Ok(arns)
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
        let answer = launch::call(&self.client, request, &self.cluster, &what)?
            .send()
            .await
            .map_err(|error| of_sdk(&what, "ecs:RunTask", error, errors::classed))?;
        let tasks = answer.tasks().iter().map(|task| view::of_task(&what, task)).collect::<Result<_, _>>()?;
        let failures = answer.failures().iter().map(|failure| errors::of_failure(&what, failure)).collect();
        Ok(Launched { tasks, failures })
    }

    async fn describe(&self, tasks: &[TaskArn]) -> Result<Vec<TaskView>, Fault> {
        let what = format!("look at tasks of cluster {}", self.cluster);
        let mut views = Vec::with_capacity(tasks.len());
        for batch in tasks.chunks(MOST_PER_DESCRIBE) {
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
                views.push(view::of_task(&what, task)?);
            }
            for failure in answer.failures() {
                // MISSING: not known yet, or not any more.
                tracing::debug!(arn = failure.arn(), reason = failure.reason(), "ECS does not show a task");
            }
        }
        Ok(views)
    }

    async fn find(&self, started_by: &StartedBy) -> Result<Vec<TaskArn>, Fault> {
        self.list(Some(started_by)).await
    }

    async fn find_under(&self, prefix: &str) -> Result<Vec<TaskView>, Fault> {
        let mut tasks = self.describe(&self.list(None).await?).await?;
        tasks.retain(|task| task.started_by.as_deref().is_some_and(|by| by.starts_with(prefix)));
        Ok(tasks)
    }

    async fn stop(&self, task: &TaskArn, reason: &str) -> Result<(), Fault> {
        let what = format!("stop the task {}", task.id());
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let call = self.client.stop_task().cluster(&self.cluster).task(task.as_str()).reason(reason);
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
