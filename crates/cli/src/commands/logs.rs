//! `fleetfoot logs`: what a runner's task has logged.
//!
//! The log outlives the task, and ECS forgets a task after an hour. So the task's id alone is needed: where its
//! log is follows from the task definitions of the stack's pools.

use fleetfoot_aws::{Aws, LogPage};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::ports::Tasks;
use fleetfoot_core::stack::Stack;
use fleetfoot_core::task::TaskState;
use serde_json::json;

use crate::account::{self, Local};
use crate::args::{LogsArgs, Output};
use crate::cancel::Cancel;
use crate::failure::Failure;

/// How a cancelled look ends.
const CANCELLED: &str = "the look was cancelled";

/// Runs the command.
pub async fn run(args: LogsArgs, cancel: &Cancel) -> Result<(), Failure> {
    let local = Local::read(&args.stack)?;
    let opening = Box::pin(async {
        let aws = account::connect(&local).await?;
        let stack = match (local.stack, &args.stack.stack) {
            (Some(stack), _) => stack,
            (None, Some(name)) => account::stack_parameter(&aws, name).await?,
            (None, None) => return Err(Failure::usage("no stack was named", "Name it with --stack NAME.")),
        };
        let task = task_of(&args.runner, &stack, aws.region())?;
        Ok((aws, stack, task))
    });
    let (aws, stack, task) = cancel.unless(CANCELLED, opening).await?;
    let reading = read(&aws, &stack, &task, &args);
    match cancel.unless(CANCELLED, Box::pin(reading)).await {
        // Whoever follows ends by an interruption.
        Err(_) if args.follow && cancel.token().is_cancelled() => Ok(()),
        result => result,
    }
}

/// The task of a runner: by the runner's name, the task's ARN, or its id.
fn task_of(runner: &RunnerName, stack: &Stack, region: &str) -> Result<TaskArn, Failure> {
    let text = runner.as_str();
    if let Ok(arn) = text.parse() {
        return Ok(arn);
    }
    let id = runner.task_id().unwrap_or(text);
    TaskArn::in_cluster(&stack.cluster, region, id).ok_or_else(|| {
        Failure::usage(
            format!("{text:?} names no runner of Fleetfoot and no task"),
            "Give the runner's name as GitHub shows it, ff- and 32 hexadecimal digits, or the task's id or ARN.",
        )
    })
}

/// Tells the log, and goes on with it as long as the task is there if that is asked for.
async fn read(aws: &Aws, stack: &Stack, task: &TaskArn, args: &LogsArgs) -> Result<(), Failure> {
    let tasks = aws.tasks(&stack.cluster);
    let places = places(aws, stack, task).await?;
    let mut found: Option<(&(String, String), String)> = None;
    loop {
        // Asked before the log is read: what comes after the last look would be lost otherwise.
        let over = !args.follow || is_over(&tasks, task).await?;
        let mut page = match &found {
            Some((place, next)) => {
                aws.log_lines(&place.0, &place.1, Some(next)).await?.map(|page| (*place, page))
            }
            None => first_page(aws, &places).await?,
        };
        while let Some((place, LogPage { lines, next })) = page {
            for line in &lines {
                match args.output {
                    Output::Text => anstream::println!("{}  {}", line.at, line.message.trim_end()),
                    Output::Json => {
                        anstream::println!("{}", json!({ "at": line.at, "message": line.message }));
                    }
                }
            }
            let same = found.as_ref().is_some_and(|(_, before)| *before == next);
            page = if same || lines.is_empty() {
                None
            } else {
                aws.log_lines(&place.0, &place.1, Some(&next)).await?.map(|page| (place, page))
            };
            found = Some((place, next));
        }
        if over {
            break;
        }
        tokio::time::sleep(args.poll.try_into().unwrap_or_default()).await;
    }
    if found.is_some() {
        return Ok(());
    }
    let looked: Vec<String> = places.iter().map(|(group, stream)| format!("{stream} in {group}")).collect();
    Err(Failure::failed(
        "not-found",
        format!("the task {} has no log: there is no {}", task.id(), looked.join(", and no ")),
        "A task that never ran has none; its own end (fleetfoot stop, aws ecs describe-tasks) says why. Else see \
         whether the log group keeps its lines long enough.",
    ))
}

/// Where the log may be: each pool has a place of its own.
async fn places(aws: &Aws, stack: &Stack, task: &TaskArn) -> Result<Vec<(String, String)>, Failure> {
    let tasks = aws.tasks(&stack.cluster);
    let mut places = Vec::new();
    for pool in &stack.pools {
        let definition = tasks.definition_facts(&pool.task_definition).await?;
        places.extend(definition.log_of(&pool.container, task).filter(|place| !places.contains(place)));
    }
    if places.is_empty() {
        return Err(Failure::failed(
            "invalid",
            format!("no task definition of the stack {} sends its log to CloudWatch Logs", stack.name),
            "Give their container a logConfiguration with awslogs and an awslogs-stream-prefix.",
        ));
    }
    Ok(places)
}

type Place = (String, String);

async fn first_page<'a>(aws: &Aws, places: &'a [Place]) -> Result<Option<(&'a Place, LogPage)>, Fault> {
    for place in places {
        if let Some(page) = aws.log_lines(&place.0, &place.1, None).await? {
            return Ok(Some((place, page)));
        }
    }
    Ok(None)
}

async fn is_over(tasks: &impl Tasks, task: &TaskArn) -> Result<bool, Fault> {
    let seen = tasks.describe(std::slice::from_ref(task)).await?;
    Ok(seen.first().is_none_or(|task| task.state == TaskState::Stopped))
}
