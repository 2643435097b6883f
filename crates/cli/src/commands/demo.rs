//! `fleetfoot demo`: a workflow on the simulators, from dispatch to the bill.

mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use fleetfoot_sim::events::Event;
use fleetfoot_sim::faults::{FaultPlan, Faults};
use fleetfoot_sim::github::{self, Dispatch};
use fleetfoot_sim::protocol::Conclusion;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::args::{DemoArgs, Output, Rerun, Timing};
use crate::cancel::Cancel;
use crate::demo::runners::Phases;
use crate::demo::source::Source;
use crate::demo::summary::{Summary, word};
use crate::demo::view::View;
use crate::demo::world::{self, ACTOR, Furniture, Pace, REPOSITORY, World};
use crate::demo::{reach, stuck};
use crate::failure::{Exit, Failure};

/// The built-in workflow.
const ON_DEMAND: &str = include_str!("../../../../examples/on-demand.yml");
/// How long the last tasks may take to stop after the run's end.
const AFTERWARDS: Duration = Duration::from_secs(30);
/// How long a cancelled run may take to end.
const CANCELLING: Duration = Duration::from_secs(15);

/// Runs the command.
pub async fn run(args: DemoArgs, cancel: &Cancel) -> Result<ExitCode, Failure> {
    if args.serve {
        return Box::pin(serve::run(args, cancel)).await;
    }
    refuse_what_serves(&args)?;
    let source = match args.workflows.first() {
        Some(path) => Source::of_file(path)?,
        None => Source::built_in("on-demand.yml", ON_DEMAND)?,
    };
    let event = source.check()?;
    let furniture = furniture(&args, &source.files)?;
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

/// What only the autoscaler's demo knows.
fn refuse_what_serves(args: &DemoArgs) -> Result<(), Failure> {
    let jobs = args.jobs.is_some().then_some("--jobs");
    let rate = args.rate.is_some().then_some("--rate");
    let time = args.job_time.is_some().then_some("--job-time");
    if let Some(flag) = jobs.or(rate).or(time) {
        return Err(Failure::usage(
            format!("{flag} is about jobs for the autoscaler, which only --serve runs"),
            "Say, for example: fleetfoot demo --serve --jobs 200 --rate 20",
        ));
    }
    if args.workflows.len() > 1 {
        return Err(Failure::usage(
            format!("the demo runs one workflow, and {} are named", args.workflows.len()),
            "Name one. With --serve it can be several, whose jobs name a scale set in runs-on.",
        ));
    }
    Ok(())
}

/// What the world is furnished with.
fn furniture(args: &DemoArgs, files: &Path) -> Result<Furniture, Failure> {
    Ok(Furniture {
        files: files.to_owned(),
        program: program()?,
        faults: Faults::new(FaultPlan { seed: args.seed, faults: args.faults.clone() }),
        pace: pace(args.timing),
    })
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
    let mut phases = Phases::default();
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
    let runners = world.aws.tasks().iter().filter_map(|task| phases.report(task)).collect();
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
    phases.note(event);
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
