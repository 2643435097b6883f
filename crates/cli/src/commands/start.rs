//! `fleetfoot start`: N runners for jobs of this run.

mod hold;

use std::time::Duration;

use fleetfoot_core::fault::Class;
use fleetfoot_core::label::Label;
use fleetfoot_core::plan::{Goal, Outcome, Policy, Until};
use fleetfoot_core::ports::{Outbox, Runners, Tasks};
use fleetfoot_core::stack::{Pool, Stack};
use fleetfoot_core::world::World;
use fleetfoot_github::WorkflowContext;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::account::{Account, Local};
use crate::args::{Output, StartArgs, Wait};
use crate::cancel::Cancel;
use crate::engine::{End, Engine, Ports, Spec, WallClock};
use crate::failure::{Exit, Failure};
use crate::order;
use crate::outputs::{self, StartOutputs};
use crate::progress::Progress;
use crate::report::{self, RunnerReport};

/// How long a failed or cancelled start may take to undo itself: what GitHub leaves a cancelled step.
const UNDO: SignedDuration = SignedDuration::from_secs(5);

/// How many tasks that end before their runner is online are replaced, at least.
const FEWEST_REPLACEMENTS: usize = 3;

/// How a cancelled start ends.
const CANCELLED: &str = "the start was cancelled";

/// Runs the command.
pub async fn run(args: StartArgs, cancel: &Cancel) -> Result<(), Failure> {
    let local = Local::read(&args.stack)?;
    let context = local.context.clone();
    match (Box::pin(get_runners(local, &args, cancel)).await, &args.fallback) {
        // Bad input and a cancelled run are no reason to run elsewhere.
        (Err(failure), Some(label)) if matches!(failure.exit, Exit::Failed | Exit::Denied) => {
            fall_back(&failure, label, context.as_ref(), args.output)
        }
        (result, _) => result,
    }
}

/// Succeeds without runners: the jobs run on the label that was named for this case.
fn fall_back(
    failure: &Failure,
    label: &Label,
    context: Option<&WorkflowContext>,
    output: Output,
) -> Result<(), Failure> {
    let outputs = StartOutputs::elsewhere(label);
    if let Some(context) = context {
        outputs.write(context)?;
        outputs::annotate_fallback(failure, label);
    }
    let title = format!("no runner could be had, jobs will run on {label}");
    outputs::summarize(context, &format!("### Fleetfoot: {title}\n\n{}\n\n", failure.text()))?;
    match output {
        Output::Text => anstream::println!("{title}\n{}", failure.text()),
        Output::Json => {
            let why =
                json!({ "class": failure.class, "sentence": failure.sentence, "remedy": failure.remedy });
            anstream::println!("{}", json!(Json { outputs: &outputs, runners: &[], fallback: Some(why) }));
        }
    }
    Ok(())
}

async fn get_runners(local: Local, args: &StartArgs, cancel: &Cancel) -> Result<(), Failure> {
    // Everything that can be refused without a call is refused before the first one.
    let key = order::key_of(args.key.as_ref(), local.context.as_ref())?;
    if let Some(stack) = &local.stack {
        order::pool_of(stack, args)?;
    }
    let opening = Box::pin(async {
        let account = Account::open(local, &args.stack).await?;
        let pool = order::pool_of(&account.stack, args)?;
        let mut spec = order::spec(args, &account.stack, pool, &key, account.context.as_ref())?;
        spec.runner_group = check(&account, &spec, &args.runner_group).await?;
        Ok((account, spec))
    });
    let (account, spec) = cancel.unless(CANCELLED, opening).await?;
    let ports = Ports {
        tasks: &account.tasks,
        outbox: &account.outbox,
        runners: &account.runners,
        clock: &WallClock,
    };
    let pool = spec.pool.clone();
    let logs = account.stack.log_group.as_deref();
    match Box::pin(start(ports, spec, logs, args, cancel)).await {
        Ok(started) => match started.tell(&account.stack, account.context.as_ref(), args.output) {
            Ok(()) if args.hold => {
                let (stack, context) = (&account.stack, account.context.as_ref());
                Box::pin(hold::hold(ports, started, stack, context, args, cancel)).await
            }
            Ok(()) => Ok(()),
            // Runners that no later job can learn of are of no use.
            Err(failure) => Err(Box::pin(take_away(ports, started.world, started.spec, failure)).await),
        },
        Err(failure) if failure.exit == Exit::Usage => Err(closer_reason(&account, &pool, failure).await),
        Err(failure) => Err(failure),
    }
}

/// RunTask's own words on a bad request are short. A look at the cluster and the task definition, which a
/// good request does not pay for, often knows better.
async fn closer_reason(account: &Account, pool: &Pool, failure: Failure) -> Failure {
    match account.tasks.preflight(pool).await {
        Err(fault) if matches!(fault.class, Class::Invalid | Class::NotFound) => fault.into(),
        _ => failure,
    }
}

/// The last checks before something is created: would RunTask take the request, may these credentials
/// register runners, is there such a runner group.
async fn check(account: &Account, spec: &Spec, group: &str) -> Result<u64, Failure> {
    let token = fleetfoot_core::ids::ClientToken::of_batch(&spec.started_by, 0);
    for capacity in 0..spec.pool.capacity.len() {
        if let Some(request) = spec.request(capacity, 1, token.clone()) {
            account.tasks.check(&request)?;
        }
    }
    match account.runners.check().await {
        // Out of sorts is not a refusal: the engine will wait as long as GitHub asks.
        Err(fault) if fault.again_after(Duration::ZERO).is_some() => {
            tracing::warn!(why = %fault, "cannot check whether runners may be registered");
        }
        checked => checked?,
    }
    // The default group's id is 1 everywhere; no call is needed to know it.
    if group.eq_ignore_ascii_case("default") { Ok(1) } else { Ok(account.runners.group(group).await?) }
}

/// What a start brought.
struct Started {
    world: World,
    spec: Spec,
    began: Timestamp,
}

/// Runs the engine, and undoes everything if it fails.
async fn start<T: Tasks, O: Outbox, R: Runners>(
    ports: Ports<'_, T, O, R>,
    spec: Spec,
    logs: Option<&str>,
    args: &StartArgs,
    cancel: &Cancel,
) -> Result<Started, Failure> {
    let began = Timestamp::now();
    let until = match args.wait {
        Wait::Online => Until::Online,
        Wait::Running => Until::Running,
        Wait::None => Until::Assigned,
    };
    let policy = Policy {
        goal: Goal::Have { count: args.count.into(), until, deadline: began + args.timeout },
        capacities: spec.pool.capacity.len(),
        replacements: usize::from(args.count).max(FEWEST_REPLACEMENTS),
        poll: args.poll,
    };
    let mut engine = Engine { ports, spec: Some(spec.clone()) };
    let mut world = World::default();
    let mut progress = Progress::on_stderr();
    let failure = match engine.run(&policy, &mut world, &mut progress, cancel.token()).await {
        End::Planned(Outcome::Reached) => {
            // The label may have become an earlier start's.
            return Ok(Started { world, spec: engine.spec.unwrap_or(spec), began });
        }
        End::Planned(Outcome::Failed(verdict)) => with_log(Failure::from(verdict), &world, logs),
        End::Cancelled => cancel.failure(CANCELLED),
    };
    Err(take_away(ports, world, spec, failure).await)
}

/// Undoes a start, and names in the failure what was left if time ran out.
async fn take_away<T: Tasks, O: Outbox, R: Runners>(
    ports: Ports<'_, T, O, R>,
    mut world: World,
    spec: Spec,
    failure: Failure,
) -> Failure {
    let left = Engine { ports, spec: Some(spec) }.undo(&mut world, UNDO).await;
    if left.is_nothing() {
        return failure;
    }
    Failure {
        sentence: format!("{}; not taken away in time: {left}", failure.sentence),
        remedy: Some("Run `fleetfoot stop` with the same key to take away what is left.".into()),
        ..failure
    }
}

/// Adds where the log of a task that ended early is, if one did.
fn with_log(mut failure: Failure, world: &World, logs: Option<&str>) -> Failure {
    let ended = world.members.values().find(|m| m.ours && m.failure().is_some());
    if let (Some(member), Some(group)) = (ended, logs) {
        let remedy = failure.remedy.unwrap_or_default();
        let id = member.task.arn.id();
        failure.remedy = Some(format!(
            "{remedy} Its log, if it has one: log group {group}, the stream that ends in {id}."
        ));
    }
    failure
}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    outputs: &'a StartOutputs,
    runners: &'a [RunnerReport],
    /// Why the jobs run elsewhere, if they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<Value>,
}

impl Started {
    fn tell(&self, stack: &Stack, context: Option<&WorkflowContext>, output: Output) -> Result<(), Failure> {
        let now = Timestamp::now();
        let runners: Vec<RunnerReport> = self
            .world
            .members
            .values()
            .filter(|m| !m.late && (m.assigned || m.was_online()) && m.failure().is_none())
            .map(|m| RunnerReport::of(m, &stack.pools, now))
            .collect();
        let outputs = StartOutputs::new(&self.spec.label, &runners);
        if let Some(context) = context {
            outputs.write(context)?;
        }
        let seconds = now.duration_since(self.began).as_secs_f64();
        let title = format!(
            "{} runner{} on pool {} in {seconds:.1} s, label {}",
            runners.len(),
            if runners.len() == 1 { "" } else { "s" },
            self.spec.pool.name,
            self.spec.label,
        );
        let table = report::table(&runners, report::FOR_MARKDOWN);
        outputs::summarize(context, &format!("### Fleetfoot: {title}\n\n{table}\n\n"))?;
        match output {
            Output::Text => {
                anstream::println!("{title}\n{}", report::table(&runners, report::FOR_TERMINAL));
            }
            Output::Json => {
                anstream::println!(
                    "{}",
                    json!(Json { outputs: &outputs, runners: &runners, fallback: None })
                );
            }
        }
        Ok(())
    }
}
