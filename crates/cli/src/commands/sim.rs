//! `fleetfoot sim`: the simulators as servers for anyone's client.

use std::process::ExitCode;

use fleetfoot_sim::faults::{FaultPlan, Faults};
use fleetfoot_sim::runner::{self, Options};

use crate::args::{Output, SimArgs, SimPart};
use crate::cancel::Cancel;
use crate::commands::demo;
use crate::demo::reach;
use crate::demo::world::{Furniture, World};
use crate::failure::{Exit, Failure};

/// What the listener takes from its environment for its jobs.
const NOT_FOR_JOBS: [&str; 3] = [
    "ACTIONS_RUNNER_INPUT_JITCONFIG",
    "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE",
    "ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED",
];

/// Serves until it is interrupted.
pub async fn run(args: SimArgs, cancel: &Cancel) -> Result<(), Failure> {
    let files = args.files.canonicalize().map_err(|error| {
        Failure::usage(
            format!("cannot use {} as the repository: {error}", args.files.display()),
            "Name an existing folder with --files.",
        )
    })?;
    let furniture = Furniture {
        files,
        program: demo::program()?,
        faults: Faults::new(FaultPlan { seed: args.seed, faults: args.faults }),
        pace: demo::pace(args.timing),
    };
    let world = World::start(&furniture).await?;
    match args.output {
        Output::Text => reach::tell(&world),
        Output::Json => anstream::println!("{:#}", reach::document(&world)),
    }
    cancel.token().cancelled().await;
    world.shutdown().await;
    Ok(())
}

/// Runs a part that is a process of its own.
pub async fn run_part(args: SimArgs) -> ExitCode {
    match args.part {
        Some(SimPart::Runner { command, root }) if command == "run" => {
            let set = |name: &str| std::env::var(name).ok();
            let hook = |name: &str| set(name).map(Into::into);
            let options = Options {
                return_version_deprecated: set(NOT_FOR_JOBS[1]).as_deref() == Some("1"),
                return_job_result: set(NOT_FOR_JOBS[2]).as_deref() == Some("1"),
                environment: std::env::vars().filter(|(k, _)| !NOT_FOR_JOBS.contains(&k.as_str())).collect(),
                hook_job_started: hook("ACTIONS_RUNNER_HOOK_JOB_STARTED"),
                hook_job_completed: hook("ACTIONS_RUNNER_HOOK_JOB_COMPLETED"),
                ..Options::new(set(NOT_FOR_JOBS[0]), root, Box::new(std::io::stdout()))
            };
            runner::run(options).await.into()
        }
        _ => {
            anstream::eprintln!("error: the stand-in runner knows one command, `run`");
            Exit::Usage.into()
        }
    }
}
