//! `fleetfoot demo --serve`: jobs that name a scale set, on the simulators, with the real autoscaler.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use fleetfoot_sim::faults::Faults;
use fleetfoot_sim::github::{Dispatch, RunSnapshot};
use fleetfoot_sim::protocol::Conclusion;
use jiff::SignedDuration;

use super::{furniture, run_again};
use crate::args::{DemoArgs, Output, Rerun};
use crate::cancel::Cancel;
use crate::demo::serve::autoscaler::Autoscaler;
use crate::demo::serve::left::Left;
use crate::demo::serve::load::Load;
use crate::demo::serve::show::Show;
use crate::demo::serve::stack::Served;
use crate::demo::serve::summary::{Jobs, Run, Summary, Tasks, Waits};
use crate::demo::source::Source;
use crate::demo::summary::{count, told, word};
use crate::demo::troupe::Troupe;
use crate::demo::view::View;
use crate::demo::world::{ACTOR, CLUSTER, REPOSITORY, STACK, World};
use crate::failure::{Exit, Failure};

/// The built-in workflow.
const AUTOSCALER: &str = include_str!("../../../../../examples/autoscaler.yml");
/// The queue that tells the autoscaler of tasks' changes.
const QUEUE: &str = "task-changes";
/// How long a job of a load takes, unless something else is said.
const JOB_TIME: Duration = Duration::from_secs(1);
/// How long a load may take to come: ECS forgets tasks an hour after their end, and they are to be counted.
const LONGEST: Duration = Duration::from_mins(30);
/// The most tasks of a pool that are processes of this machine.
const MOST_PROCESSES: usize = 100;

/// What is run.
enum Piece {
    /// Workflows, each with the event that starts it. They are of one repository.
    Workflows(Vec<(Source, String)>),
    Load(Source, Load),
}

/// Runs the command.
pub(super) async fn run(args: DemoArgs, cancel: &Cancel) -> Result<ExitCode, Failure> {
    refuse(&args)?;
    let piece = piece(&args)?;
    let furniture = furniture(&args, piece.files())?;
    let world = World::start(&furniture).await?;
    let result = Box::pin(play(&args, &world, &piece, &furniture.program, &furniture.faults, cancel)).await;
    world.shutdown().await;
    result
}

/// What does not go together.
fn refuse(args: &DemoArgs) -> Result<(), Failure> {
    let refused = |what: &str, remedy: &str| Err(Failure::usage(what, remedy));
    if args.keep {
        return refused(
            "--keep leaves the simulators up for starts by hand, and --serve ends with a look at what is left",
            "Leave out one of them; `fleetfoot sim` serves the simulators to an autoscaler that you start yourself.",
        );
    }
    if args.jobs.is_none() {
        let rate = args.rate.is_some().then_some("--rate");
        return match rate.or(args.job_time.is_some().then_some("--job-time")) {
            Some(flag) => refused(
                &format!("{flag} says how --jobs come, and it is not said how many"),
                "Say, for example: --jobs 200 --rate 20",
            ),
            None => Ok(()),
        };
    }
    if let Some(workflow) = args.workflows.first() {
        return refused(
            &format!("--jobs makes jobs of its own, and the workflow {} is named, too", workflow.display()),
            "Leave out one of them.",
        );
    }
    if !args.inputs.is_empty() {
        return refused("--jobs makes jobs of its own, which have no inputs", "Leave out --input.");
    }
    if args.rerun.is_some() {
        return refused("--jobs makes jobs that are not run again", "Leave out --rerun, or name a workflow.");
    }
    if load(args).is_some_and(|load| load.coming() > LONGEST) {
        return refused(
            "at this --rate the jobs take longer than half an hour to come",
            "Ask for fewer --jobs, or more of them a second.",
        );
    }
    Ok(())
}

fn load(args: &DemoArgs) -> Option<Load> {
    let job_time = args.job_time.map_or(JOB_TIME, SignedDuration::unsigned_abs);
    args.jobs.map(|jobs| Load { jobs: jobs.into(), rate: args.rate, job_time })
}

fn piece(args: &DemoArgs) -> Result<Piece, Failure> {
    if let Some(load) = load(args) {
        return Ok(Piece::Load(Load::source()?, load));
    }
    let sources = if args.workflows.is_empty() {
        vec![Source::built_in("autoscaler.yml", AUTOSCALER)?]
    } else {
        args.workflows.iter().map(|path| Source::of_file(path)).collect::<Result<Vec<_>, _>>()?
    };
    let elsewhere = sources.iter().position(|source| source.files != sources[0].files);
    if let Some(place) = elsewhere {
        return Err(Failure::usage(
            format!(
                "the workflows {} and {} belong to different repositories, {} and {}",
                args.workflows[0].display(),
                args.workflows[place].display(),
                sources[0].files.display(),
                sources[place].files.display()
            ),
            "Run them one after the other.",
        ));
    }
    let with_event = |source: Source| source.check().map(|event| (source, event));
    Ok(Piece::Workflows(sources.into_iter().map(with_event).collect::<Result<_, _>>()?))
}

impl Piece {
    /// The files of the repository that all of it belongs to.
    fn files(&self) -> &Path {
        match self {
            Self::Workflows(sources) => sources.first().map_or(Path::new("."), |(source, _)| &source.files),
            Self::Load(source, _) => &source.files,
        }
    }

    fn load(&self) -> Option<&Load> {
        match self {
            Self::Workflows(_) => None,
            Self::Load(_, load) => Some(load),
        }
    }
}

async fn play(
    args: &DemoArgs,
    world: &World,
    piece: &Piece,
    program: &Path,
    faults: &Faults,
    cancel: &Cancel,
) -> Result<ExitCode, Failure> {
    let load = piece.load();
    let view = View::new(args.output == Output::Json);
    view.say(
        "GitHub and AWS are simulated on this machine; `fleetfoot serve` is real, and so are its HTTP calls.",
    );
    let troupe = load.filter(|load| load.is_played()).map(|load| engage(world, load)).transpose()?;
    if let Some(load) = load {
        // Bodies of so many calls would fill the memory.
        world.book.leave_bodies_out();
        view.say(&load.text());
    }
    let most = load.filter(|load| load.is_played()).map_or(MOST_PROCESSES, |load| load.jobs);
    let served = Served::new(&world.stack, &world.aws.create_queue(QUEUE), most);
    world.aws.send_task_events(CLUSTER, QUEUE);
    publish(world, &served)?;
    let autoscaler = Autoscaler::start(program, world)?;
    let mut show = Show::new(world, &served, autoscaler, (view, load.is_none()));
    let played = async {
        show.open(cancel).await?;
        match piece {
            Piece::Workflows(sources) => run_workflows(args, &mut show, sources, cancel).await?,
            Piece::Load(source, load) => show.bear(load, &dispatch(source), cancel).await?,
        }
        show.settle(cancel).await
    };
    let played = Box::pin(played).await;
    // However it went, the autoscaler is told to end before its GitHub and its AWS are gone.
    let ended = show.end().await;
    let left = played?;
    let trouble = troupe.and_then(|troupe| troupe.trouble());
    let summary = summary(&show, left, ended?, (faults, load.is_some()));
    tell(&summary, args.output);
    if let Some(why) = trouble {
        anstream::eprintln!("A task that was a function could not play its part: {why}");
    }
    Ok(match summary.conclusion {
        _ if cancel.token().is_cancelled() => cancel.exit().into(),
        Conclusion::Success if summary.left.as_wanted => ExitCode::SUCCESS,
        _ => Exit::Failed.into(),
    })
}

fn engage(world: &World, load: &Load) -> Result<Troupe, Failure> {
    Troupe::engage(world, load.job_time).map_err(|error| {
        Failure::failed(
            "io",
            format!("cannot start tasks that are functions: {error}"),
            "Ask for fewer --jobs.",
        )
    })
}

/// Puts the stack document where all that act on the stack read it.
fn publish(world: &World, served: &Served) -> Result<(), Failure> {
    world.aws.put_parameter(&format!("/fleetfoot/{STACK}"), &served.document.to_string()).map_err(|error| {
        Failure::failed(
            "internal",
            format!("the stack document cannot be kept: {error}"),
            "Report this as a bug.",
        )
    })
}

fn dispatch(source: &Source) -> Dispatch {
    Dispatch::new(REPOSITORY, source.workflow.display().to_string(), ACTOR)
}

async fn run_workflows(
    args: &DemoArgs,
    show: &mut Show<'_>,
    sources: &[(Source, String)],
    cancel: &Cancel,
) -> Result<(), Failure> {
    for (source, event) in sources {
        let inputs = args.inputs.iter().cloned().collect();
        show.begin(&Dispatch { inputs, event: event.clone(), ..dispatch(source) })?;
    }
    show.see_to_the_end(cancel).await?;
    let Some(what) = args.rerun.as_ref().filter(|_| !cancel.token().is_cancelled()) else { return Ok(()) };
    let failed = show.tally.failed();
    let has_job = |run: &u64| match what {
        Rerun::Failed | Rerun::All => true,
        Rerun::Job(id) => {
            show.world.github.run(*run).is_some_and(|run| run.jobs.iter().any(|job| job.key == *id))
        }
    };
    let mut again: Vec<u64> = failed.iter().copied().filter(has_job).collect();
    if again.is_empty() {
        // The first then says which jobs it has.
        again = failed.first().copied().into_iter().collect();
    }
    for run in again {
        run_again(show.world, run, what, &show.view)?;
        show.tally.begin(run);
    }
    show.see_to_the_end(cancel).await
}

fn summary(
    show: &Show<'_>,
    left: Left,
    handed_over: Duration,
    (faults, of_load): (&Faults, bool),
) -> Summary {
    let (runs, tasks): (Vec<RunSnapshot>, _) = (show.world.github.runs(), show.world.aws.tasks());
    let runners: Vec<_> = tasks.iter().filter_map(|task| show.phases.report(task)).collect();
    Summary {
        simulated: true,
        conclusion: show.tally.conclusion(),
        counts: Jobs::of(&runs),
        runs: (!of_load).then(|| runs.iter().map(Run::of).collect()),
        waits: Waits::of(&runs),
        tasks: Tasks { launched: tasks.len(), bound: show.heard.bound, warm: show.heard.warm },
        cost: runners.iter().filter_map(|runner| runner.cost).sum(),
        runners: (!of_load).then_some(runners),
        calls: count(&show.world.book.calls()),
        faults: told(&faults.fired()),
        left,
        handed_over: handed_over.as_secs_f64(),
    }
}

fn tell(summary: &Summary, output: Output) {
    match output {
        Output::Text => {
            let but = match summary.conclusion {
                Conclusion::Success if !summary.left.as_wanted => {
                    ", but what is left is not as the stack wants it"
                }
                _ => "",
            };
            anstream::println!("\n{}\nResult: {}{but}", summary.text(), word(summary.conclusion));
        }
        Output::Json => anstream::println!("{:#}", serde_json::json!(summary)),
    }
}
