//! `fleetfoot stop`: takes away what `start` brought, and tells what became of each runner. It needs no output
//! of the start step.
//!
//! What is there is taken away first. Only then are the runners looked for that have left already: ECS can only
//! find them by going through the whole cluster, and that shall hold nothing up. It shows them for about an
//! hour; what it has forgotten is told by name where it was asked for by name.

use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::fate::{Fate, RUN_AGAIN};
use fleetfoot_core::ids::{Key, RunRef, StartedBy, TaskArn};
use fleetfoot_core::label::Label;
use fleetfoot_core::plan::{Goal, Outcome, Policy};
use fleetfoot_core::ports::{Registered, Registry, Tasks};
use fleetfoot_core::stack::Pool;
use fleetfoot_core::task::{TaskEnd, TaskView, tag};
use fleetfoot_core::world::{Member, World};
use fleetfoot_github::WorkflowContext;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::account::{Account, Local};
use crate::args::{Output, StopArgs};
use crate::cancel::Cancel;
use crate::engine::{Clock, End, Engine, Ports, WallClock};
use crate::failure::Failure;
use crate::lines;
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

/// ECS may not show a task at once that it has just started. Where it shows none at all, it is asked again for so long:
/// the start may have been killed a moment ago.
const SHOWS_WITHIN: SignedDuration = SignedDuration::from_secs(3);
const AGAIN: SignedDuration = SignedDuration::from_millis(500);

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
        Ok((account, target, world))
    });
    let (account, target, mut world) = cancel.unless(CANCELLED, opening).await?;

    let began = Timestamp::now();
    let policy = Policy {
        goal: Goal::Nothing { force: args.force, wait: args.wait },
        capacities: 0,
        replacements: 0,
        poll: args.poll,
    };
    let clock: &dyn Clock = &WallClock;
    let ports = Ports { tasks: &account.tasks, outbox: &account.outbox, runners: &account.runners, clock };
    let mut engine = Engine { ports, spec: None };
    let mut progress = Progress::on_stderr();
    let taking = async {
        let end = engine.run(&policy, &mut world, &mut progress, cancel.token()).await;
        if end != End::Planned(Outcome::Reached) {
            return end;
        }
        let looking = look_again(&account, &target, &mut world, clock);
        match cancel.token().run_until_cancelled(looking).await {
            None => End::Cancelled,
            Some(false) => end,
            // They may have left a registration behind, or run.
            Some(true) => engine.run(&policy, &mut world, &mut progress, cancel.token()).await,
        }
    };
    let end = Box::pin(clock.within(args.timeout, taking)).await;
    let trouble = world.fatal.clone().or_else(|| world.troubles.values().next().cloned());
    match end {
        Some(End::Planned(Outcome::Reached)) => {
            Report::new(&account, &target, &world, began).tell(&account, args.output)
        }
        Some(End::Planned(Outcome::Failed(verdict))) => Err(verdict.into()),
        Some(End::Cancelled) => Err(cancel.failure(CANCELLED)),
        None => Err(match trouble {
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
        return Ok(Target::Tasks(lines::all(&args.tasks)));
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
    let tasks = [tasks, claimed(account, target).await?].concat();
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

/// Warm tasks that these starts have taken. They are the pool's by their `startedBy`; only the labels of their
/// runners tell whose they are.
async fn claimed(account: &Account, target: &Target) -> Result<Vec<TaskView>, Failure> {
    let stack = &account.stack;
    if matches!(target, Target::Tasks(_)) || !stack.pools.iter().any(Pool::is_kept_warm) {
        return Ok(Vec::new());
    }
    let is_meant = |label: &Label| {
        let Some((run, key)) = label.origin() else { return false };
        match target {
            Target::Start(starts) => starts.contains(&StartedBy::of_run(&stack.name, &run, &key)),
            Target::Run(run_id, of_key) => {
                let same_run = matches!(run, RunRef::Attempt { run_id: of, .. } if of == *run_id);
                same_run && of_key.as_ref().is_none_or(|of_key| *of_key == key)
            }
            Target::Tasks(_) => false,
        }
    };
    let runners = account.runners.list().await?;
    let meant = runners.iter().filter(|seen| seen.labels.iter().any(is_meant));
    let arn =
        |seen: &Registered| TaskArn::in_cluster(&stack.cluster, &stack.region, seen.runner.name.task_id()?);
    let arns: Vec<TaskArn> = meant.filter_map(arn).collect();
    let mut tasks = account.tasks.describe(&arns).await?;
    let warm = |task: &TaskView| {
        stack.pools.iter().any(|pool| {
            task.started_by.as_deref() == Some(StartedBy::of_pool(&stack.name, &pool.name).as_str())
        })
    };
    tasks.retain(warm);
    Ok(tasks)
}

/// Adds the runners that were not seen at first: those that have left already, and, where there is nobody at all,
/// those that ECS did not show yet. Says whether there are any.
async fn look_again(account: &Account, target: &Target, world: &mut World, clock: &dyn Clock) -> bool {
    let until = clock.now() + SHOWS_WITHIN;
    let mut found = look_back(account, target, world).await;
    while world.members.is_empty() && !matches!(target, Target::Tasks(_)) && clock.now() < until {
        clock.sleep(AGAIN).await;
        match find(account, target).await {
            Ok(more) => world.members = more.members,
            Err(failure) => tracing::warn!(why = %failure.sentence, "cannot look for tasks again"),
        }
        found = !world.members.is_empty();
    }
    found
}

/// Adds the runners of these starts that have left already, which [`find`] cannot see; says whether there are
/// any.
async fn look_back(account: &Account, target: &Target, world: &mut World) -> bool {
    let Target::Start(starts) = target else { return false };
    let mut found = false;
    for started_by in starts {
        match account.tasks.find_under(started_by.as_str()).await {
            Ok(mut tasks) => {
                // Another key may begin like this one.
                tasks.retain(|task| task.started_by.as_deref() == Some(started_by.as_str()));
                tasks.retain(|task| !world.members.contains_key(&task.arn));
                found |= !tasks.is_empty();
                world.members.extend(tasks.into_iter().map(|task| (task.arn.clone(), Member::found(task))));
            }
            // What there was to do is done.
            Err(fault) => tracing::warn!(why = %fault, "cannot tell of runners that had left already"),
        }
    }
    found
}

fn left(world: &World) -> Vec<String> {
    world.members.values().filter(|m| !m.is_stopped()).map(|m| m.task.arn.to_string()).collect()
}

/// What a stop came to.
#[derive(Serialize)]
struct Report {
    stopped: usize,
    gone: usize,
    busy: usize,
    /// Those of the gone that had not done their job.
    lost: usize,
    /// Tasks that were named and that ECS does not know any more.
    forgotten: Vec<TaskArn>,
    runners: Vec<RunnerReport>,
    /// How jobs that did not succeed get new runners, if there are any.
    #[serde(skip)]
    again: Option<String>,
}

impl Report {
    fn new(account: &Account, target: &Target, world: &World, now: Timestamp) -> Self {
        let members: Vec<&Member> =
            world.members.values().filter(|member| is_told_of(member, target)).collect();
        let fates: Vec<Fate> = members.iter().map(|member| Fate::of_member(member)).collect();
        let report = |(member, fate): (&&Member, &Fate)| {
            RunnerReport::of(member, &account.stack.pools, now).with_fate(fate, &member.task)
        };
        let runners: Vec<RunnerReport> = members.iter().zip(&fates).map(report).collect();
        let busy = runners.iter().filter(|runner| runner.busy).count();
        let stopped = members.iter().filter(|member| member.stop_asked).count();
        let forgotten = match target {
            Target::Tasks(arns) => {
                arns.iter().filter(|arn| !world.members.contains_key(arn)).cloned().collect()
            }
            Target::Start(_) | Target::Run(..) => Vec::new(),
        };
        Self {
            stopped,
            gone: runners.len() - busy - stopped,
            busy,
            lost: fates.iter().filter(|fate| fate.is_loss()).count(),
            forgotten,
            runners,
            again: again(members.iter().copied().zip(&fates)),
        }
    }

    /// `runners: 1 stopped, 2 had left already (1 without having done its job)`.
    fn title(&self) -> String {
        let lost = match self.lost {
            0 => String::new(),
            n if n == self.gone => " without having done their job".to_owned(),
            n => format!(" ({n} without having done their job)"),
        };
        let parts: Vec<String> = [
            (self.stopped, "stopped".to_owned()),
            (self.gone, format!("had left already{lost}")),
            (self.busy, "left alone because a job runs there (--force stops it)".to_owned()),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
        if parts.is_empty() {
            "no runner to stop".to_owned()
        } else {
            format!("runners: {}", parts.join(", "))
        }
    }

    fn tell(&self, account: &Account, output: Output) -> Result<(), Failure> {
        let (title, losses) = (self.title(), report::losses(&self.runners));
        if let Some(context) = &account.context {
            losses.iter().for_each(outputs::annotate_loss);
            self.again.iter().for_each(|how| outputs::notice(how));
            if !self.runners.is_empty() {
                let table = report::table(&self.runners, report::FOR_MARKDOWN);
                let losses: String = losses.iter().map(report::Loss::markdown).collect();
                outputs::summarize(Some(context), &format!("### Fleetfoot: {title}\n\n{table}\n\n{losses}"))?;
            }
        }
        if output == Output::Json {
            anstream::println!("{}", serde_json::json!(self));
            return Ok(());
        }
        anstream::println!("{title}");
        if !self.runners.is_empty() {
            anstream::println!("{}", report::table(&self.runners, report::FOR_TERMINAL));
        }
        for loss in &losses {
            anstream::println!("\n{}", loss.text());
        }
        if let (Some(how), None) = (&self.again, &account.context) {
            anstream::println!("\n{how}");
        }
        for arn in &self.forgotten {
            anstream::println!(
                "ECS does not know the task {arn} (any more): it keeps a stopped one for about an hour"
            );
        }
        Ok(())
    }
}

/// What to tell of jobs that came to their end without success: whoever runs them again needs to know. Those that were
/// cut off are told of one by one, and the start of those that it has held for fails with them.
fn again<'a>(members: impl Iterator<Item = (&'a Member, &'a Fate)>) -> Option<String> {
    let failed: Vec<String> = members
        .filter(|(_, fate)| matches!(fate, Fate::Ran(exit) if *exit != AgentExit::JobSucceeded))
        .filter(|(member, _)| !member.task.tags.contains_key(tag::HOLD))
        .map(|(member, _)| match member.task.tags.get(tag::JOB) {
            Some(job) => format!("{} (started by the job {job})", member.runner()),
            None => member.runner().to_string(),
        })
        .collect();
    let jobs = if failed.len() == 1 { "The job" } else { "Jobs" };
    (!failed.is_empty()).then(|| format!("{jobs} of {} did not succeed. {RUN_AGAIN}", failed.join(", ")))
}

/// What an earlier command has taken away was told of by that one, unless it is asked for by name.
fn is_told_of(member: &Member, target: &Target) -> bool {
    let before = member.late && member.task.end.as_ref().is_some_and(TaskEnd::was_ours);
    !before || matches!(target, Target::Tasks(_))
}
