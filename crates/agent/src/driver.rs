//! Between the [`Supervisor`] and the world: hands in what happens, does what it orders, decides nothing.

use std::time::Duration;

use fleetfoot_core::exit::AgentExit;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{error, info, warn};

use crate::child::Runner;
use crate::ending::ChildEnd;
use crate::journal::Journal;
use crate::lines::{self, Event};
use crate::output::{Said, for_log};
use crate::signals::{self, StopSignal};
use crate::supervisor::{Input, Limits, Note, Order, Supervisor, Why};

/// How long the runner's last words are waited for after its end. Usually its pipes are closed by then; a
/// process that it left behind may hold them open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Supervises a runner to its end, and ends what it leaves behind.
pub(crate) async fn supervise(
    mut runner: Runner,
    limits: Limits,
    journal: &mut Journal,
    stops: &mut mpsc::Receiver<StopSignal>,
) -> AgentExit {
    let mut supervisor = Supervisor::new(limits);
    let mut speaking = true;
    let exit = loop {
        let wake = supervisor.wake_at().unwrap_or(Duration::MAX);
        let inputs = tokio::select! {
            said = runner.lines.recv(), if speaking => {
                speaking = said.is_some();
                said.and_then(|said| hear(&runner, journal, &said)).into_iter().collect()
            }
            _ = runner.deaths.recv() => match runner.household.reap() {
                Some(end) => last_words(&mut runner, journal, end).await,
                None => Vec::new(),
            },
            signal = signals::next(stops) => vec![Input::Stop(signal)],
            () = sleep_until(journal.clock().moment(wake)) => vec![Input::Tick],
        };
        if let Some(exit) = feed(&mut supervisor, inputs, &runner, journal) {
            break exit;
        }
    };
    runner.household.clear_out(supervisor.in_haste()).await;
    exit
}

fn feed(
    supervisor: &mut Supervisor,
    inputs: Vec<Input>,
    runner: &Runner,
    journal: &mut Journal,
) -> Option<AgentExit> {
    for input in inputs {
        for order in supervisor.handle(journal.clock().elapsed(), input) {
            match order {
                Order::Interrupt => runner.household.interrupt(),
                Order::Kill => runner.household.kill(),
                Order::Reach(phase, at) => journal.reach(phase, at),
                Order::Tell(note) => tell(note),
                Order::Leave(exit) => return Some(exit),
            }
        }
    }
    None
}

/// Passes a line on to the log and reads it.
fn hear(runner: &Runner, journal: &mut Journal, said: &Said) -> Option<Input> {
    let text = for_log(&said.line, &runner.secret);
    if said.error {
        warn!(stream = "runner", "{text}");
    } else {
        info!(stream = "runner", "{text}");
    }
    let event = lines::read(&said.line)?;
    if let Event::Version(version) = &event {
        journal.runs_version(version.clone());
    }
    Some(Input::Said(event))
}

/// What the runner still said before it ended, and its end.
async fn last_words(runner: &mut Runner, journal: &mut Journal, end: ChildEnd) -> Vec<Input> {
    let deadline = Instant::now() + LAST_WORDS;
    let mut inputs = Vec::new();
    while let Ok(Some(said)) = timeout_at(deadline, runner.lines.recv()).await {
        inputs.extend(hear(runner, journal, &said));
    }
    let (code, signal) = match end {
        ChildEnd::Code(code) => (Some(code), None),
        ChildEnd::Signal(signal) => (None, Some(signal)),
        ChildEnd::Abandoned => (None, None),
    };
    info!(code, signal, meaning = end.meaning(), "runner ended");
    inputs.push(Input::Ended(end));
    inputs
}

fn tell(note: Note) {
    match note {
        Note::Interrupting(Why::Idle) => {
            info!("no job came within the idle timeout; interrupting the runner");
        }
        Note::Interrupting(Why::NeverOnline) => error!(
            remedy =
                "let the task's network reach github.com and *.actions.githubusercontent.com on port 443",
            "the runner was not online within the idle timeout; interrupting it"
        ),
        Note::Interrupting(Why::MaxLifetime) => {
            warn!("the maximum lifetime is over; interrupting the runner, which cancels a running job");
        }
        Note::Interrupting(Why::Terminated) => warn!("interrupting the runner, which cancels a running job"),
        Note::Interrupting(Why::Lingering) => {
            warn!("the job is over and the runner has not ended; interrupting it");
        }
        Note::Killing(why) => error!(because = ?why, "the runner did not end; killing it and all it started"),
        Note::StopQuiet(signal) => info!(signal = signal.name(), "told to stop, and no job runs"),
        Note::StopBusy(signal, patience) => warn!(
            signal = signal.name(),
            patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
            "told to stop while a job runs; it goes on until the grace is nearly over"
        ),
        Note::StopAgain(signal) => info!(signal = signal.name(), "told to stop again; nothing changes"),
        Note::JobCameLate => info!("a job came just before the runner left; letting it run"),
        Note::Disagree(said, told) => warn!(
            line = said.word(),
            exit_code = told.word(),
            "the runner's result line and its exit code differ; believing the exit code"
        ),
    }
}
