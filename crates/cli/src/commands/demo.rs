//! `fleetfoot demo`: a workflow on the simulators, from dispatch to the bill.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use fleetfoot_core::cost::{self, Billed};
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::size::Size;
use fleetfoot_core::stack::{Arch, Capacity, LaunchType};
use fleetfoot_sim::aws;
use fleetfoot_sim::events::Event;
use fleetfoot_sim::faults::{FaultPlan, Faults};
use fleetfoot_sim::github::{self, Dispatch};
use fleetfoot_sim::protocol::Conclusion;
use fleetfoot_sim::workflow::Workflow;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::args::{DemoArgs, Output, Rerun, Timing};
use crate::cancel::Cancel;
use crate::demo::summary::{Summary, word};
use crate::demo::view::View;
use crate::demo::world::{self, ACTOR, Furniture, Pace, REPOSITORY, World};
use crate::demo::{action, agent_log, reach, stuck};
use crate::failure::{Exit, Failure};
use crate::report::RunnerReport;

/// The built-in workflow.
const ON_DEMAND: &str = include_str!("../../../../examples/on-demand.yml");
/// Where it is in its repository.
const ON_DEMAND_PATH: &str = ".github/workflows/on-demand.yml";
/// How long the last tasks may take to stop after the run's end.
const AFTERWARDS: Duration = Duration::from_secs(30);
/// How long a cancelled run may take to end.
const CANCELLING: Duration = Duration::from_secs(15);

/// The workflow, and the repository it belongs to.
struct Source {
    files: PathBuf,
    workflow: PathBuf,
    /// Holds the built-in one.
    _home: Option<TempDir>,
}

/// Runs the command.
pub async fn run(args: DemoArgs, cancel: &Cancel) -> Result<ExitCode, Failure> {
    let source = source(args.workflow.as_deref())?;
    let event = event(&check(&source)?)?;
    let furniture = Furniture {
        files: source.files.clone(),
        program: program()?,
        faults: Faults::new(FaultPlan { seed: args.seed, faults: args.faults.clone() }),
        pace: pace(args.timing),
    };
    let world = World::start(&furniture).await?;
    let result = play(&args, &world, (&source, event), &furniture.faults, cancel).await;
    if args.keep && result.is_ok() {
        if args.output == Output::Text {
            reach::tell(&world);
        }
        cancel.token().cancelled().await;
    }
    world.shutdown().await;
    result
}

async fn play(
    args: &DemoArgs,
    world: &World,
    (source, event): (&Source, String),
    faults: &Faults,
    cancel: &Cancel,
) -> Result<ExitCode, Failure> {
    let mut view = View::new(args.output == Output::Json);
    let mut events = world.bus.subscribe();
    view.say("GitHub and AWS are simulated on this machine; processes, HTTP calls and shell steps are real.");
    let dispatch = Dispatch {
        inputs: args.inputs.iter().cloned().collect(),
        event,
        ..Dispatch::new(REPOSITORY, source.workflow.display().to_string(), ACTOR)
    };
    let run_id = world.github.dispatch(&dispatch).map_err(|error| {
        Failure::usage(format!("the run cannot start: {error}"), "Give inputs as --input NAME=VALUE.")
    })?;
    let mut phases = BTreeMap::new();
    let mut conclusion = watch(world, run_id, &mut events, &mut view, &mut phases, cancel).await?;
    if let Some(what) = args.rerun.as_ref().filter(|_| conclusion != Conclusion::Success) {
        settle(world, &mut events, &mut view, &mut phases, cancel).await;
        if !cancel.token().is_cancelled() {
            run_again(world, run_id, what, &view)?;
            conclusion = watch(world, run_id, &mut events, &mut view, &mut phases, cancel).await?;
        }
    }
    settle(world, &mut events, &mut view, &mut phases, cancel).await;
    view.close();

    let run = world.github.run(run_id).ok_or_else(|| {
        Failure::failed("internal", format!("the run {run_id} is gone"), "Report this as a bug.")
    })?;
    let runners = world.aws.tasks().iter().filter_map(|task| report(task, &phases)).collect();
    let summary = Summary::new(&run, conclusion, runners, &world.book.calls(), &faults.fired());
    match args.output {
        Output::Text => anstream::println!("\n{}\nResult: {}", summary.text(), word(conclusion)),
        Output::Json => {
            // One document: a script that keeps the simulators needs both.
            let kept = args.keep.then(|| reach::document(world));
            anstream::println!("{:#}", serde_json::json!(Summary { kept, ..summary }));
        }
    }
    Ok(match conclusion {
        _ if cancel.token().is_cancelled() => cancel.exit().into(),
        Conclusion::Success => ExitCode::SUCCESS,
        _ => Exit::Failed.into(),
    })
}

/// Refuses what cannot run before anything is started, with file and line.
fn check(source: &Source) -> Result<Workflow, Failure> {
    let published = tempfile::tempdir().and_then(|home| Ok((action::publish(home.path())?, home)));
    let (published, _home) = published.map_err(|error| {
        Failure::failed("io", format!("cannot unpack the Action: {error}"), "See whether the disk is full.")
    })?;
    Workflow::load(&source.workflow, &source.files, &published).map_err(|error| {
        Failure::usage(
            format!("the workflow cannot be run here:\n{error}"),
            "The demo runs jobs with shell steps, local composite actions, OWNER/fleetfoot and actions/checkout, and \
             calls of the repository's own workflows.",
        )
    })
}

/// The event that starts the workflow: by hand if that can be, else by a push, else by whatever else it waits for.
fn event(workflow: &Workflow) -> Result<String, Failure> {
    let triggers = workflow.triggers();
    let usual = ["workflow_dispatch", "push"].into_iter().find(|event| triggers.iter().any(|it| it == event));
    let any = triggers.iter().map(String::as_str).find(|event| *event != "workflow_call");
    usual.or(any).map(str::to_owned).ok_or_else(|| {
        Failure::usage(
            format!("the workflow {} starts by nothing itself: it has `on: workflow_call`", workflow.name()),
            "Name a workflow that calls it.",
        )
    })
}

/// Runs jobs once more, as a button at GitHub does.
fn run_again(world: &World, run_id: u64, what: &Rerun, view: &View) -> Result<(), Failure> {
    let which = match what {
        Rerun::Failed => github::Rerun::Failed,
        Rerun::All => github::Rerun::All,
        Rerun::Job(id) => {
            let jobs = world.github.run(run_id).map(|run| run.jobs).unwrap_or_default();
            let job = jobs.iter().find(|job| job.key == *id).map(|job| job.id).ok_or_else(|| {
                let known: Vec<&str> = jobs.iter().map(|job| job.key.as_str()).collect();
                Failure::usage(
                    format!("the run has no job `{id}` to run again; it has: {}", known.join(", ")),
                    "Name one of them, or say failed or all.",
                )
            })?;
            github::Rerun::Job(job)
        }
    };
    world.github.rerun(run_id, which, ACTOR).map_err(|refusal| {
        Failure::failed("rerun", format!("the run cannot be run again: {refusal}"), "Say --rerun all.")
    })?;
    view.say(&match what {
        Rerun::Failed => "Attempt 2: the failed jobs and those that need them.".to_owned(),
        Rerun::All => "Attempt 2: all jobs.".to_owned(),
        Rerun::Job(id) => format!("Attempt 2: the job {id} and those that need it."),
    });
    Ok(())
}

type Phases = BTreeMap<String, PhaseTimes>;

/// Shows what happens until the run is over. A cancellation cancels the run first.
async fn watch(
    world: &World,
    run_id: u64,
    events: &mut Receiver<Event>,
    view: &mut View,
    phases: &mut Phases,
    cancel: &Cancel,
) -> Result<Conclusion, Failure> {
    let mut deadline = None;
    let mut patience = stuck::Patience::default();
    loop {
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = next(events) => match event {
                Some(Event::Run { run_id: over, conclusion }) if over == run_id => return Ok(conclusion),
                Some(event) => note(&event, view, phases),
                None => return Err(Failure::failed("internal", "the simulators have ended", "Report this as a bug.")),
            },
            () = cancel.token().cancelled(), if deadline.is_none() => {
                view.say("Cancelling the run.");
                world.github.cancel_run(run_id);
                deadline = Some(tokio::time::Instant::now() + CANCELLING);
            }
            () = late => return Err(cancel.failure("the demo was cancelled and its run did not end")),
            () = tokio::time::sleep(stuck::LOOK), if deadline.is_none() => {
                if let Some(why) = patience.exhausted(world, run_id) {
                    view.say(&why);
                    world.github.cancel_run(run_id);
                }
            }
        }
    }
}

/// Waits until the tasks have stopped, so that their phases and cost are whole.
async fn settle(
    world: &World,
    events: &mut Receiver<Event>,
    view: &mut View,
    phases: &mut Phases,
    cancel: &Cancel,
) {
    let all_stopped = || world.aws.tasks().iter().all(|task| task.times.stopped.is_some());
    let deadline = tokio::time::Instant::now() + AFTERWARDS;
    while !all_stopped() && !cancel.token().is_cancelled() {
        match tokio::time::timeout_at(deadline, next(events)).await {
            Ok(Some(event)) => note(&event, view, phases),
            Ok(None) | Err(_) => return,
        }
    }
}

async fn next(events: &mut Receiver<Event>) -> Option<Event> {
    loop {
        match events.recv().await {
            Ok(event) => return Some(event),
            // Lost lines of the view are no reason to end.
            Err(RecvError::Lagged(lost)) => tracing::warn!(lost, "the view is too slow for the events"),
            Err(RecvError::Closed) => return None,
        }
    }
}

fn note(event: &Event, view: &mut View, phases: &mut Phases) {
    view.show(event);
    if let Event::TaskLog { arn, line } = event
        && let Some(seen) = agent_log::phase(line)
    {
        phases.entry(arn.clone()).or_default().reach(seen.phase, seen.at);
    }
}

/// A task with the times of ECS and of its agent.
fn report(task: &aws::Task, phases: &Phases) -> Option<RunnerReport> {
    let arn: TaskArn = task.arn.parse().ok()?;
    let mut times = PhaseTimes::default();
    times.reach(Phase::Requested, task.times.created);
    for (phase, at) in [
        (Phase::Provisioning, Some(task.times.created)),
        (Phase::Pulling, task.times.pull_started),
        (Phase::Starting, task.times.pull_stopped),
        (Phase::Gone, task.times.stopped),
    ] {
        if let Some(at) = at {
            times.reach(phase, at);
        }
    }
    if let Some(own) = phases.get(&task.arn) {
        times.merge(own);
    }
    let capacity = match (&task.capacity_provider, task.launch_type) {
        (Some(provider), _) => Capacity::Provider(provider.clone()),
        (None, aws::LaunchType::Fargate) => Capacity::LaunchType(LaunchType::Fargate),
        (None, aws::LaunchType::Ec2) => Capacity::LaunchType(LaunchType::Ec2),
    };
    let size = Size {
        cpu: task.cpu.unwrap_or_default(),
        memory: task.memory.unwrap_or_default(),
        ephemeral_storage: task.ephemeral_storage,
    };
    let platform = task.definition.definition.runtime_platform.as_ref();
    let arch = match platform.and_then(|platform| platform.cpu_architecture.as_deref()) {
        Some("ARM64") => Arch::Arm64,
        _ => Arch::X86_64,
    };
    let cost = task.times.pull_started.and_then(|from| {
        let to = task.times.stopped.unwrap_or_else(Timestamp::now);
        let public_ip = task.interface.is_some();
        cost::of_task(&Billed { capacity: &capacity, arch, size, public_ip, from, to })
    });
    Some(RunnerReport {
        name: RunnerName::of_task(&arn).to_string(),
        id: None,
        task: arn,
        capacity: Some(capacity.to_string()),
        phases: times,
        end: None,
        busy: false,
        cost,
        fate: None,
    })
}

/// The workflow's repository: the nearest folder above it with a `.git`, else the one above `.github`,
/// else the workflow's own.
fn source(workflow: Option<&Path>) -> Result<Source, Failure> {
    let failed = |what: String| Failure::usage(what, "Name an existing workflow file.");
    let Some(path) = workflow else {
        let home = tempfile::tempdir().map_err(|e| failed(format!("cannot make a temporary folder: {e}")))?;
        let file = home.path().join(ON_DEMAND_PATH);
        file.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&file, ON_DEMAND))
            .map_err(|e| failed(format!("cannot write the built-in workflow: {e}")))?;
        return Ok(Source {
            files: home.path().to_owned(),
            workflow: ON_DEMAND_PATH.into(),
            _home: Some(home),
        });
    };
    let file = path
        .canonicalize()
        .map_err(|e| failed(format!("cannot read the workflow {}: {e}", path.display())))?;
    let own = file.parent().unwrap_or(Path::new("/"));
    let root = own
        .ancestors()
        .find(|dir| dir.join(".git").exists())
        .or_else(|| own.ancestors().find(|dir| dir.join(".github").is_dir()))
        .unwrap_or(own);
    let workflow = file.strip_prefix(root).unwrap_or(&file).to_owned();
    Ok(Source { files: root.to_owned(), workflow, _home: None })
}

/// The pace of a world with this timing.
pub fn pace(timing: Timing) -> Pace {
    match timing {
        Timing::Quick => world::quick,
        Timing::Fargate => world::as_fargate,
    }
}

/// This very program, which jobs and tasks of the demo run.
pub fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Failure::failed(
            "io",
            format!("cannot find this program's file: {error}"),
            "Start it by its full path.",
        )
    })
}
