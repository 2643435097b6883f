//! The `fleetfoot` binary: reads the command line, runs the command, tells how it ended.

// One future holds every command, each with its clients inside.
#![recursion_limit = "256"]

use std::io::IsTerminal;
use std::process::ExitCode;

use fleetfoot::args::{Cli, Command};
use fleetfoot::cancel::Cancel;
use fleetfoot::commands;
use fleetfoot::failure::Failure;
use fleetfoot::outputs;
use tokio::runtime::Builder;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let cli = Cli::read();
    let log_for = match cli.command {
        // At a terminal somebody tries it out.
        Command::Serve(_) if std::io::stdout().is_terminal() => LogFor::Visitors,
        Command::Agent(_) | Command::Serve(_) => LogFor::Machines,
        _ => LogFor::People,
    };
    if let Err(failure) = log(&cli.log, log_for) {
        return tell(&failure);
    }
    let mut runtime = match cli.command {
        // They do one thing at a time, the one on a small machine that it shares with the job, the other on a small
        // one of its own.
        Command::Agent(_) | Command::Serve(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return tell(&Failure::failed(
                "io",
                format!("cannot start the runtime: {error}"),
                "See whether the machine is out of processes or memory.",
            ));
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(failure) => tell(&failure),
    }
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    // The agent and the stand-in runner have rules of their own for signals.
    match command {
        Command::Agent(args) => return Ok(Box::pin(commands::agent::run(args)).await),
        Command::Sim(args) if args.part.is_some() => return Ok(Box::pin(commands::sim::run_part(args)).await),
        _ => {}
    }
    let cancel = Cancel::on_signals().map_err(|error| {
        Failure::failed("io", format!("cannot listen for signals: {error}"), "Try again.")
    })?;
    match command {
        Command::Start(args) => {
            Box::pin(commands::start::run(*args, &cancel)).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Stop(args) => Box::pin(commands::stop::run(args, &cancel)).await.map(|()| ExitCode::SUCCESS),
        Command::Reap(args) => Box::pin(commands::reap::run(args, &cancel)).await.map(|()| ExitCode::SUCCESS),
        Command::Doctor(args) => Box::pin(commands::doctor::run(args, &cancel)).await,
        Command::Serve(args) => {
            Box::pin(commands::serve::run(*args, &cancel)).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Status(args) => {
            Box::pin(commands::status::run(args, &cancel)).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Logs(args) => Box::pin(commands::logs::run(args, &cancel)).await.map(|()| ExitCode::SUCCESS),
        Command::Connect(args) => {
            Box::pin(commands::connect::run(args, &cancel)).await.map(|()| ExitCode::SUCCESS)
        }
        Command::App(args) => Box::pin(commands::app::run(args, &cancel)).await.map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => Box::pin(commands::demo::run(args, &cancel)).await,
        Command::Sim(args) => Box::pin(commands::sim::run(args, &cancel)).await.map(|()| ExitCode::SUCCESS),
        Command::Agent(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogFor {
    /// People who run a command: what is wrong, on stderr.
    People,
    /// People who watch a service run: what happens, on stderr.
    Visitors,
    /// A task's log is read by machines: what happens, as JSON on stdout.
    Machines,
}

fn log(filter: &str, reader: LogFor) -> Result<(), Failure> {
    let level = if reader != LogFor::People && filter == "warn" { "info" } else { filter };
    // A bare level is meant for fleetfoot; what its libraries have to say is asked for by name.
    let filter = match level.parse::<LevelFilter>() {
        Ok(_) => format!("error,fleetfoot={level}"),
        Err(_) => level.to_owned(),
    };
    let targets: Targets = filter.parse().map_err(|error| {
        Failure::usage(format!("--log {filter:?}: {error}"), "Name a level, such as debug.")
    })?;
    let log = tracing_subscriber::fmt::layer();
    let registry = tracing_subscriber::registry().with(targets);
    if reader == LogFor::Machines {
        let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
        registry.with(log).init();
    } else {
        registry.with(log.with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal())).init();
    }
    Ok(())
}

fn tell(failure: &Failure) -> ExitCode {
    let exit = failure.exit;
    if std::env::var("GITHUB_ACTIONS").as_deref() == Ok("true") {
        outputs::annotate(failure);
    } else {
        anstream::eprintln!("error: {}", failure.sentence);
        if let Some(remedy) = &failure.remedy {
            anstream::eprintln!("  help: {remedy}");
        }
    }
    exit.into()
}
