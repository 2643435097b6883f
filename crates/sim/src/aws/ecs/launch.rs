//! What a container is given: what it runs, environment, log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::function::TaskFunction;
use super::super::identity::Identities;
use super::super::logs::{self, Logs};
use super::api::TaskOverride;
use super::model::Task;
use super::setup::Image;
use super::task_definition::ContainerDefinition;

/// What a container finds around it; the addresses are known once the servers listen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// Address of the simulated AWS.
    pub(crate) aws: String,
    /// Address of the endpoint for tasks: metadata and credentials.
    pub(crate) task_endpoint: String,
    /// The region.
    pub(crate) region: String,
    /// `PATH` of containers whose image sets none.
    pub(crate) path: String,
}

/// What a container runs.
#[derive(Debug)]
pub(crate) enum Run {
    /// A process of this machine.
    Process {
        /// Program and arguments.
        argv: Vec<String>,
        /// What is copied into its folder.
        files: Option<PathBuf>,
    },
    /// A function of this process.
    Function(TaskFunction),
}

/// A container to start.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The task's ARN.
    pub(crate) task: String,
    /// The container's id at the runtime.
    pub(crate) runtime_id: String,
    /// What it runs.
    pub(crate) run: Run,
    /// The whole environment but the token's file, which the driver adds.
    pub(crate) env: BTreeMap<String, String>,
    /// The token that the credentials endpoint wants, if the task has a role.
    pub(crate) credentials_token: Option<String>,
    /// Group and stream of its log.
    pub(crate) log: Option<(String, String)>,
}

/// Builds the processes of a task, or says which container's image is missing and how.
pub(super) fn build(
    task: &Task,
    images: &BTreeMap<String, Image>,
    around: &Surroundings,
) -> Result<Vec<Launch>, (String, String)> {
    // Read once when the call was checked; an override that was accepted reads again.
    let overrides: TaskOverride = serde_json::from_value(task.overrides.clone()).unwrap_or_default();
    let mut launches = Vec::new();
    for (definition, container) in
        task.definition.definition.container_definitions.iter().zip(&task.containers)
    {
        let is_empty = |image: &&Image| matches!(image, Image::Program(program) if program.argv.is_empty());
        let image = images.get(&definition.image).filter(|image| !is_empty(image)).ok_or_else(|| {
            let reason = format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {0}: \
                 {0}: not found",
                definition.image
            );
            (definition.name.clone(), reason)
        })?;
        let given =
            overrides.container_overrides.iter().find(|o| o.name.as_deref() == Some(&definition.name));
        let mut env = BTreeMap::from([("PATH".to_owned(), around.path.clone())]);
        let run = match image {
            Image::Function(function) => Run::Function(function.clone()),
            Image::Program(image) => {
                let entry_point = &definition.entry_point;
                let mut argv = if entry_point.is_empty() { image.argv.clone() } else { entry_point.clone() };
                let command = given.and_then(|o| o.command.clone());
                argv.extend(command.unwrap_or_else(|| definition.command.clone()));
                env.extend(image.env.clone());
                Run::Process { argv, files: image.files.clone() }
            }
        };
        env.extend(definition.environment.iter().map(|pair| (pair.name.clone(), pair.value.clone())));
        let pairs = given.map(|o| o.environment.as_slice()).unwrap_or_default();
        env.extend(pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())));
        env.extend(agent_env(task, &container.runtime_id, around));
        launches.push(Launch {
            task: task.arn.clone(),
            runtime_id: container.runtime_id.clone(),
            run,
            env,
            credentials_token: task.task_role.as_ref().map(|_| task.credentials_token.clone()),
            log: log_stream(task, definition),
        });
    }
    Ok(launches)
}

/// What ECS itself sets. `AWS_ENDPOINT_URL` is the one thing that a real task does not get.
fn agent_env(task: &Task, runtime_id: &str, around: &Surroundings) -> Vec<(String, String)> {
    let endpoint = &around.task_endpoint;
    let mut env = vec![
        ("AWS_REGION", around.region.clone()),
        ("AWS_DEFAULT_REGION", around.region.clone()),
        ("AWS_EXECUTION_ENV", format!("AWS_ECS_{}", task.launch_type.as_str())),
        ("AWS_ENDPOINT_URL", around.aws.clone()),
        ("ECS_CONTAINER_METADATA_URI_V4", format!("{endpoint}/v4/{runtime_id}")),
    ];
    if task.task_role.is_some() {
        let address = format!("{endpoint}/v2/credentials/{}", task.credentials_id);
        env.push(("AWS_CONTAINER_CREDENTIALS_FULL_URI", address));
        env.push(("AWS_CONTAINER_AUTHORIZATION_TOKEN", task.credentials_token.clone()));
    }
    env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Group and stream of a container's log, `prefix/container/task id`.
pub(super) fn log_stream(task: &Task, definition: &ContainerDefinition) -> Option<(String, String)> {
    let options = &definition.log_configuration.as_ref()?.options;
    let stream = match options.get("awslogs-stream-prefix") {
        Some(prefix) => format!("{prefix}/{}/{}", definition.name, task.id),
        None => task.id.clone(),
    };
    Some((options.get("awslogs-group")?.clone(), stream))
}

/// Makes sure that the containers' logs can be written, as the log driver does before the start.
pub(super) fn prepare_logs(
    task: &Task,
    region: &str,
    identities: &Identities,
    logs: &mut Logs,
) -> Result<(), String> {
    for definition in &task.definition.definition.container_definitions {
        let Some((group, stream)) = log_stream(task, definition) else {
            continue;
        };
        let refuse = |why: String| {
            Err(format!(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: \
                 failed to create Cloudwatch log stream: {why}"
            ))
        };
        // Without an execution role the machine's own role writes; machines are not simulated.
        if let Some(role) = &task.execution_role {
            let arn = logs::arn(region, &identities.account, &group, &stream);
            for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
                if !identities.role_can(role, action, &arn) {
                    return refuse(format!(
                        "AccessDeniedException: User: {role} is not authorized to perform: {action} on resource: {arn}"
                    ));
                }
            }
        }
        let options = definition.log_configuration.as_ref().map(|log| &log.options);
        let create = options
            .and_then(|options| options.get("awslogs-create-group"))
            .is_some_and(|flag| flag == "true");
        if create {
            logs.ensure_group(&group);
        } else if !logs.has_group(&group) {
            return refuse("ResourceNotFoundException: The specified log group does not exist.".to_owned());
        }
    }
    Ok(())
}
