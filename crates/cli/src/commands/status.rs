//! `fleetfoot status`: how the stack is, now or again and again.
//!
//! ECS and GitHub are asked, not the autoscaler: what they say is true also while nobody listens.

use std::io::IsTerminal;

use comfy_table::{Cell, Table, presets};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::ids::StartedBy;
use fleetfoot_core::ports::{Registry, Tasks};
use fleetfoot_core::status::{Shown, Status, status};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::account::{Account, Local};
use crate::args::{Output, StatusArgs};
use crate::cancel::Cancel;
use crate::failure::{Failure, as_sentence};

/// How a cancelled look ends.
const CANCELLED: &str = "the look was cancelled";

/// Moves the cursor home and clears what is below (ECMA-48, CUP and ED).
const HOME: &str = "\x1b[H\x1b[J";

/// Runs the command.
pub async fn run(args: StatusArgs, cancel: &Cancel) -> Result<(), Failure> {
    let local = Local::read(&args.stack)?;
    let opening = Box::pin(async { Account::open(local, &args.stack).await });
    let account = cancel.unless(CANCELLED, opening).await?;
    let live = args.watch && args.output == Output::Text && std::io::stdout().is_terminal();
    loop {
        match cancel.unless(CANCELLED, Box::pin(async { Ok(look(&account).await?) })).await {
            Ok(status) => tell(&status, args.output, live),
            // A service that is busy for a moment is no reason to end a watch.
            Err(failure) if args.watch && !cancel.token().is_cancelled() => {
                anstream::eprintln!("{}", failure.text());
            }
            // An interrupted watch has done what it should.
            Err(_) if args.watch => return Ok(()),
            Err(failure) => return Err(failure),
        }
        if !args.watch {
            return Ok(());
        }
        tokio::select! {
            () = cancel.token().cancelled() => return Ok(()),
            () = tokio::time::sleep(args.poll.try_into().unwrap_or_default()) => {}
        }
    }
}

async fn look(account: &Account) -> Result<Status, Fault> {
    let prefix = StartedBy::prefix_of_stack(&account.stack.name);
    let lists = join_all(account.places().map(Registry::list));
    let (tasks, mut lists) = tokio::join!(account.tasks.find_under(&prefix), lists);
    // One place that does not answer is noted beside the others.
    if lists.iter().all(Result::is_err)
        && let Err(fault) = lists.swap_remove(0)
    {
        return Err(fault);
    }
    let shown: Vec<Shown> = lists.into_iter().map(|list| list.map_err(|fault| (&fault).into())).collect();
    Ok(status(Timestamp::now(), &account.stack, &tasks?, &shown))
}

fn tell(status: &Status, output: Output, live: bool) {
    match output {
        Output::Json => anstream::println!("{}", json!(status)),
        Output::Text => anstream::println!("{}{}", if live { HOME } else { "" }, text(status)),
    }
}

fn text(status: &Status) -> String {
    let mut parts = vec![format!("Stack {} in {}", status.stack, status.region)];
    if !status.scale_sets.is_empty() {
        // Where they are is worth a column only if that is not everywhere the same.
        let several = status.scale_sets.iter().any(|set| set.url != status.scale_sets[0].url);
        let at = |text: &str| several.then(|| text.to_owned());
        let header = ["pool", "runners", "busy", "min", "max"].map(str::to_owned);
        let mut table = with_header(["scale set".to_owned()].into_iter().chain(at("at")).chain(header));
        for set in &status.scale_sets {
            let [registered, busy] =
                [set.registered, set.busy].map(|n| n.map_or_else(|| "?".to_owned(), |n| n.to_string()));
            let numbers = [set.pool.clone(), registered, busy, set.min.to_string(), set.max.to_string()];
            table.add_row([set.name.clone()].into_iter().chain(at(&set.url)).chain(numbers));
        }
        parts.push(format!("Scale sets\n{table}"));
    }
    let mut table = with_header(["pool", "coming", "warm", "bound", "idle", "busy", "leaving", "max"]);
    for pool in &status.pools {
        let numbers = [pool.coming, pool.warm, pool.bound, pool.idle, pool.busy, pool.leaving];
        let mut cells = vec![pool.name.clone()];
        cells.extend(numbers.iter().map(ToString::to_string));
        cells.push(pool.max.to_string());
        table.add_row(cells);
    }
    parts.push(format!("Tasks by pool\n{table}"));
    if status.runners.is_empty() {
        parts.push("No task runs or is on its way.".to_owned());
    } else {
        let mut table = with_header(["runner", "pool", "for", "phase", "age", "capacity"]);
        for runner in &status.runners {
            let dash = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), Clone::clone);
            let age = runner.created.map(|at| age(status.at.duration_since(at)));
            table.add_row([
                runner.name.to_string(),
                dash(runner.pool.as_ref()),
                dash(runner.purpose.as_ref()),
                runner.phase.to_string(),
                dash(age.as_ref()),
                dash(runner.capacity.as_ref()),
            ]);
        }
        parts.push(format!("Runners\n{table}"));
    }
    for note in &status.notes {
        let remedy = note.remedy.clone().map(as_sentence).unwrap_or_default();
        parts.push(format!("Note: {note}\n{remedy}").trim_end().to_owned());
    }
    parts.join("\n\n")
}

fn with_header(header: impl IntoIterator<Item = impl Into<Cell>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}

fn age(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s:02}s"),
        (h, m, _) => format!("{h}h {m:02}m"),
    }
}
