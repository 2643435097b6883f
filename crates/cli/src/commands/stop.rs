//! `fleetfoot stop`: takes away what `start` brought. It needs no output of the start step.

use fleetfoot_core::ids::{Key, RunRef, StartedBy, TaskArn};
use fleetfoot_core::label::Label;
use fleetfoot_core::plan::{Goal, Outcome, Policy};
use fleetfoot_core::ports::Tasks;
use fleetfoot_core::world::{Member, World};
use fleetfoot_github::WorkflowContext;
use jiff::Timestamp;
use serde::Serialize;

use crate::account::{Account, Local};
use crate::args::{Output, StopArgs};
use crate::cancel::Cancel;
use crate::engine::{End, Engine, Ports};
use crate::failure::Failure;
use crate::outputs;
use crate::progress::Progress;
use crate::report::{self, RunnerReport};

/// Whose tasks are meant.
enum Target {
    /// One start.
    Start(Vec<StartedBy>),
    /// All starts of a run, all attempts; only this key, if there is one.
    Run(u64, Option<Key>),
    /// These tasks.
    Tasks(Vec<TaskArn>),
}

/// How a cancelled stop ends.
const CANCELLED: &str = "the stop was cancelled";

/// Runs the command.
pub async fn run(args: StopArgs, cancel: &Cancel) -> Result<(), Failure> {
    let local = Local::read(&args.stack)?;
    check_target(&args, &local)?;
    let opening = Box::pin(async {
        let account = Account::open(local, &args.stack).await?;
        let target = target(&args, &account)?;
        let world = find(&account, &target).await?;
        Ok((account, world))
    });
    let (account, mut world) = cancel.unless(CANCELLED, opening).await?;

    let began = Timestamp::now();
    let policy = Policy {
        goal: Goal::Nothing { force: args.force, wait: args.wait },
        capacities: 0,
        replacements: 0,
        poll: args.poll,
    };
    let ports = Ports { tasks: &account.tasks, outbox: &account.outbox, runners: &account.runners };
    let mut engine = Engine { ports, spec: None };
    let limit = std::time::Duration::try_from(args.timeout).unwrap_or_default();
    let mut progress = Progress::on_stderr();
    let end =
        tokio::time::timeout(limit, engine.run(&policy, &mut world, &mut progress, cancel.token())).await;
    let trouble = world.fatal.clone().or_else(|| world.troubles.values().next().cloned());
    match end {
        Ok(End::Planned(Outcome::Reached)) => tell(&account, &world, began, args.output),
        Ok(End::Planned(Outcome::Failed(verdict))) => Err(verdict.into()),
        Ok(End::Cancelled) => Err(cancel.failure(CANCELLED)),
        Err(_) => Err(match trouble {
            Some(verdict) => verdict.into(),
            None => Failure::failed(
                "timeout",
                format!("not everything was taken away in time: {}", left(&world).join(", ")),
                "Run it again; raise --timeout.",
            ),
        }),
    }
}

/// What is wrong with the target is said before any call.
fn check_target(args: &StopArgs, local: &Local) -> Result<(), Failure> {
    if let Some(label) = &args.label
        && label.origin().is_none()
    {
        return Err(Failure::usage(
            format!("{label:?} is not the label of a start", label = label.as_str()),
            "Such a label begins with ff-; it is the output `label` of `fleetfoot start`.",
        ));
    }
    let nothing_named = args.label.is_none() && args.tasks.is_empty() && args.run_id.is_none();
    if nothing_named && args.key.is_none() && local.context.is_none() {
        return Err(Failure::usage(
            "outside a workflow stop must be told what to stop",
            "Name it with --key, --run-id, --label or --task.",
        ));
    }
    Ok(())
}

fn target(args: &StopArgs, account: &Account) -> Result<Target, Failure> {
    let stack = &account.stack.name;
    if !args.tasks.is_empty() {
        return Ok(Target::Tasks(args.tasks.clone()));
    }
    if let Some((run, key)) = args.label.as_ref().and_then(Label::origin) {
        return Ok(Target::Start(vec![StartedBy::of_run(stack, &run, &key)]));
    }
    let context = account.context.as_ref();
    // A start that is not run again belongs to an earlier attempt.
    let attempts = |context: &WorkflowContext| 1..=context.run_attempt;
    match (args.run_id, &args.key, context) {
        (None, Some(key), None) => Ok(Target::Start(vec![StartedBy::of_run(stack, &RunRef::ByHand, key)])),
        (None, Some(key), Some(context)) => Ok(Target::Start(
            attempts(context)
                .map(|attempt| RunRef::Attempt { run_id: context.run_id, attempt })
                .map(|run| StartedBy::of_run(stack, &run, key))
                .collect(),
        )),
        (Some(run_id), key, _) => Ok(Target::Run(run_id, key.clone())),
        (None, None, Some(context)) => Ok(Target::Run(context.run_id, None)),
        (None, None, None) => Err(Failure::usage("nothing to stop was named", "Name it with --key.")),
    }
}

async fn find(account: &Account, target: &Target) -> Result<World, Failure> {
    let tasks = match target {
        Target::Tasks(arns) => account.tasks.describe(arns).await?,
        Target::Run(run_id, key) => {
            let prefix = StartedBy::prefix_of_run(&account.stack.name, *run_id);
            let mut tasks = account.tasks.find_under(&prefix).await?;
            if let Some(key) = key {
                let end = format!("/{key}");
                tasks.retain(|t| t.started_by.as_deref().is_some_and(|s| s.ends_with(&end)));
            }
            tasks
        }
        Target::Start(starts) => {
            let mut arns = Vec::new();
            for started_by in starts {
                arns.extend(account.tasks.find(started_by).await?);
            }
            account.tasks.describe(&arns).await?
        }
    };
    let ours = format!("fleetfoot/{}/", account.stack.name);
    if let Some(foreign) =
        tasks.iter().find(|t| !t.started_by.as_deref().is_some_and(|s| s.starts_with(&ours)))
    {
        return Err(Failure::usage(
            format!("task {} was not started by the stack {}", foreign.arn, account.stack.name),
            "Stop only what fleetfoot has started; see the task's startedBy.",
        ));
    }
    let members = tasks.into_iter().map(|task| (task.arn.clone(), Member::found(task))).collect();
    Ok(World { members, ..World::default() })
}

fn left(world: &World) -> Vec<String> {
    world.members.values().filter(|m| !m.is_stopped()).map(|m| m.task.arn.to_string()).collect()
}

/// `1 stopped, 2 had left by themselves`.
fn title(stopped: usize, busy: usize, gone: usize) -> String {
    let parts: Vec<String> = [
        (stopped, "stopped"),
        (gone, "had left already"),
        (busy, "left alone because a job runs there (--force stops it)"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    if parts.is_empty() { "no runner to stop".to_owned() } else { format!("runners: {}", parts.join(", ")) }
}

#[derive(Serialize)]
struct Json<'a> {
    stopped: usize,
    gone: usize,
    busy: usize,
    runners: &'a [RunnerReport],
}

fn tell(account: &Account, world: &World, now: Timestamp, output: Output) -> Result<(), Failure> {
    let runners: Vec<RunnerReport> =
        world.members.values().map(|m| RunnerReport::of(m, &account.stack.pools, now)).collect();
    let busy = runners.iter().filter(|r| r.busy).count();
    let stopped = world.members.values().filter(|m| m.stop_asked).count();
    let gone = runners.len() - busy - stopped;
    let title = title(stopped, busy, gone);
    if !runners.is_empty() {
        let table = report::table(&runners, report::FOR_MARKDOWN);
        outputs::summarize(account.context.as_ref(), &format!("### Fleetfoot: {title}\n\n{table}\n\n"))?;
    }
    match output {
        Output::Text if runners.is_empty() => anstream::println!("{title}"),
        Output::Text => {
            anstream::println!("{title}\n{}", report::table(&runners, report::FOR_TERMINAL));
        }
        Output::Json => {
            anstream::println!("{}", serde_json::json!(Json { stopped, gone, busy, runners: &runners }));
        }
    }
    Ok(())
}
