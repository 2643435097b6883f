//! What goes on between the start of the autoscaler and its end: events are noted, jobs are started as they are due,
//! and it is shown how things stand.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use fleetfoot_sim::events::Event;
use fleetfoot_sim::github::Dispatch;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::autoscaler::{Autoscaler, Said};
use super::board::Board;
use super::left::Left;
use super::load::Load;
use super::pools::Pools;
use super::stack::Served;
use super::tally::{Counts, Tally};
use super::vain;
use crate::cancel::Cancel;
use crate::demo::runners::Phases;
use crate::demo::view::View;
use crate::demo::world::World;
use crate::failure::Failure;

/// How often jobs of a load are looked for that are due.
const DUE: Duration = Duration::from_millis(25);
/// The most that are started in one go: what happens meanwhile is to be shown, too.
const AT_ONCE: usize = 100;
/// How often a terminal is drawn anew.
const DRAW: Duration = Duration::from_millis(500);
/// How often a line is written elsewhere, if anything has changed.
const LINE: Duration = Duration::from_secs(1);
/// How long a warning is not shown again.
const AGAIN: Duration = Duration::from_secs(10);
/// How long nothing is said of what is still there after the last job.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// How long the autoscaler may take until it leads and the tasks to be kept ready are there. With faults they may
/// never be.
const OPENING: Duration = Duration::from_secs(45);
/// How long cancelled runs may take to end.
const CANCELLING: Duration = Duration::from_secs(30);
/// How long what is not wanted any more may take to be gone: an unbound task too many is kept for a minute.
const SETTLING: Duration = Duration::from_secs(90);
/// How long the last lines of the autoscaler's log may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How the autoscaler fared by its log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heard {
    /// Tasks that became runners.
    pub bound: usize,
    /// Those of them that were warm.
    pub warm: usize,
}

/// The show.
pub struct Show<'a> {
    /// Where it takes place.
    pub world: &'a World,
    /// The stack.
    served: &'a Served,
    /// The autoscaler.
    autoscaler: Autoscaler,
    /// What it says.
    said: UnboundedReceiver<Said>,
    /// Where all is shown.
    pub view: View,
    /// What happens.
    events: Receiver<Event>,
    /// Whether each event is worth a line, as with few jobs.
    line_by_line: bool,
    /// How far the jobs are.
    pub tally: Tally,
    /// How far the runners are.
    pub phases: Phases,
    /// What the autoscaler has told.
    pub heard: Heard,
    state: State,
}

struct State {
    leads: bool,
    pools: Pools,
    /// Runners that were there once, by name.
    gone: HashSet<String>,
    /// When the first job was started.
    began: Option<Instant>,
    /// How many jobs a load will have.
    of: Option<usize>,
    drawing: Interval,
    /// What the last line said, and when.
    line: (Instant, Counts, Pools),
    /// The warnings that were shown, and when.
    warned: BTreeMap<String, Instant>,
}

impl std::fmt::Debug for Show<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Show").field("autoscaler", &self.autoscaler).finish_non_exhaustive()
    }
}

impl<'a> Show<'a> {
    /// Of an autoscaler that has just been started.
    pub fn new(
        world: &'a World,
        served: &'a Served,
        (autoscaler, said): (Autoscaler, UnboundedReceiver<Said>),
        (view, line_by_line): (View, bool),
    ) -> Self {
        let mut drawing = interval(DRAW);
        drawing.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let state = State {
            leads: false,
            pools: Pools::default(),
            gone: HashSet::new(),
            began: None,
            of: None,
            drawing,
            line: (Instant::now(), Counts::default(), Pools::default()),
            warned: BTreeMap::new(),
        };
        Self {
            world,
            served,
            autoscaler,
            said,
            view,
            events: world.bus.subscribe(),
            line_by_line,
            tally: Tally::default(),
            phases: Phases::default(),
            heard: Heard::default(),
            state,
        }
    }

    /// Waits until the autoscaler leads and what it keeps ready is there.
    ///
    /// # Errors
    /// It ends by itself, or the demo is cancelled.
    pub async fn open(&mut self, cancel: &Cancel) -> Result<(), Failure> {
        let deadline = Instant::now() + OPENING;
        while !self.is_open() && Instant::now() < deadline {
            tokio::select! {
                () = cancel.token().cancelled() => {
                    return Err(cancel.failure("the demo was cancelled before its jobs were started"));
                }
                done = self.step(DRAW) => done?,
            }
        }
        if !self.is_open() {
            self.view.say("Not all tasks to be kept ready are there yet; the jobs begin all the same.");
        }
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.state.leads && self.state.pools.are_at_rest(self.served)
    }

    /// Starts a run.
    ///
    /// # Errors
    /// GitHub refuses it, as with inputs that the workflow does not have.
    pub fn begin(&mut self, dispatch: &Dispatch) -> Result<(), Failure> {
        self.state.began.get_or_insert_with(Instant::now);
        let run = self.world.github.dispatch(dispatch).map_err(|error| {
            Failure::usage(
                format!("the run of {} cannot start: {error}", dispatch.workflow),
                "Give inputs as --input NAME=VALUE.",
            )
        })?;
        self.tally.begin(run);
        Ok(())
    }

    /// Starts the jobs of a load as they are due, and waits until all are over.
    ///
    /// # Errors
    /// The autoscaler ends by itself, or cancelled jobs do not end.
    pub async fn bear(&mut self, load: &Load, dispatch: &Dispatch, cancel: &Cancel) -> Result<(), Failure> {
        self.state.of = Some(load.jobs);
        let (began, mut started) = (Instant::now(), 0);
        while started < load.jobs && !cancel.token().is_cancelled() {
            for number in (started..load.due(began.elapsed())).take(AT_ONCE) {
                self.begin(&Dispatch { inputs: load.inputs(number), ..dispatch.clone() })?;
                started = number + 1;
            }
            self.step_for(DUE).await?;
        }
        self.see_to_the_end(cancel).await
    }

    /// Waits until all runs are over. A cancellation cancels them first.
    ///
    /// # Errors
    /// The autoscaler ends by itself, or cancelled runs do not end.
    pub async fn see_to_the_end(&mut self, cancel: &Cancel) -> Result<(), Failure> {
        let mut deadline: Option<Instant> = None;
        let mut patience = vain::Patience::default();
        while !self.tally.is_over() {
            if cancel.token().is_cancelled() && deadline.is_none() {
                deadline = Some(Instant::now() + CANCELLING);
                self.cancel_runs();
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(cancel.failure("the demo was cancelled and its runs did not end"));
            }
            if self.line_by_line
                && let Some((run, why)) = patience.exhausted(self.world, self.tally.going_on())
            {
                self.view.say(&why);
                self.world.github.cancel_run(run);
            }
            tokio::select! {
                () = cancel.token().cancelled(), if deadline.is_none() => {}
                done = self.step(DRAW) => done?,
            }
        }
        Ok(())
    }

    fn cancel_runs(&mut self) {
        self.view.say("Cancelling the runs.");
        for run in self.tally.going_on() {
            self.world.github.cancel_run(run);
        }
    }

    /// Waits until nothing is there that the stack does not want; says what is there in the end.
    ///
    /// # Errors
    /// The autoscaler ends by itself.
    pub async fn settle(&mut self, cancel: &Cancel) -> Result<Left, Failure> {
        let deadline = Instant::now() + SETTLING;
        let (mut quiet, mut silent_until) = (false, Some(Instant::now() + AFTERWARDS));
        loop {
            self.count();
            let left = Left::look(self.world, self.served, &self.state.pools);
            // Whoever cancels does not want to wait for what goes with the simulators anyway.
            let give_up = Instant::now() >= deadline || cancel.token().is_cancelled();
            // One look may fall between the end of a task and the start of the one in its place.
            if (quiet && left.as_wanted) || give_up {
                return Ok(left);
            }
            quiet = left.as_wanted;
            if silent_until.take_if(|until| Instant::now() >= *until).is_some() {
                self.view.say(
                    "The jobs are over. Waiting until nothing is there that the stack does not want; a task too many \
                     that no job has had may stay for a minute.",
                );
            }
            self.step_for(DRAW).await?;
        }
    }

    /// Ends the autoscaler and hears what it said last; says how long it took to end.
    ///
    /// # Errors
    /// It does not end in time, or not as it should.
    pub async fn end(&mut self) -> Result<Duration, Failure> {
        let ended = self.autoscaler.end().await;
        // Its log ends with it.
        while let Ok(Some(said)) = tokio::time::timeout(LAST_WORDS, self.said.recv()).await {
            self.hear(said);
        }
        self.view.close();
        ended
    }

    /// Takes note of all that happens in this time.
    async fn step_for(&mut self, time: Duration) -> Result<(), Failure> {
        let end = Instant::now() + time;
        while let Some(pause) = end.checked_duration_since(Instant::now()).filter(|pause| !pause.is_zero()) {
            self.step(pause).await?;
        }
        Ok(())
    }

    /// Takes note of the next thing that happens, if anything does before the pause is over.
    async fn step(&mut self, pause: Duration) -> Result<(), Failure> {
        tokio::select! {
            event = self.events.recv() => match event {
                Ok(event) => self.note(&event),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "the view is too slow for the events");
                    self.tally.catch_up(&self.world.github.runs());
                }
                Err(RecvError::Closed) => {
                    return Err(Failure::failed("internal", "the simulators have ended", "Report this as a bug."));
                }
            },
            Some(said) = self.said.recv() => self.hear(said),
            failure = self.autoscaler.broke_down() => return Err(failure),
            _ = self.state.drawing.tick() => self.look(),
            () = tokio::time::sleep(pause) => {}
        }
        Ok(())
    }

    fn note(&mut self, event: &Event) {
        if self.line_by_line {
            self.view.show(event);
        }
        if let Event::Runner { name, status: "removed", .. } = event {
            self.state.gone.insert(name.clone());
        }
        self.tally.note(event, Instant::now());
        self.phases.note(event);
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Leads => {
                self.state.leads = true;
                // A former leader may have started tasks that ECS does not list yet.
                self.view.line("serve", "leading; it starts nothing before it has seen what there is");
            }
            Said::Bound { warm } => {
                self.heard.bound += 1;
                self.heard.warm += usize::from(warm);
            }
            Said::Warning { what, why } => self.warn(what, &why),
        }
    }

    /// Shows a warning, unless the same was shown a moment ago.
    fn warn(&mut self, what: String, why: &str) {
        let now = Instant::now();
        let shown = self.state.warned.get(&what).is_some_and(|at| now.duration_since(*at) < AGAIN);
        if !shown {
            self.view.warn("serve", &format!("{what}: {why}"));
            self.state.warned.insert(what, now);
        }
    }

    /// Shows how things stand.
    fn look(&mut self) {
        let now = Instant::now();
        self.count();
        let (jobs, pools) = (self.tally.counts(), &self.state.pools);
        let board = Board {
            jobs,
            of: self.state.of,
            rate: self.tally.rate(now),
            elapsed: self.state.began.map(|began| now.duration_since(began)).unwrap_or_default(),
            pools,
            served: self.served,
        };
        if self.view.is_live() {
            self.view.draw(board.table());
            return;
        }
        let (at, last_jobs, last_pools) = &self.state.line;
        if now.duration_since(*at) >= LINE && (*last_jobs, last_pools) != (jobs, pools) {
            self.view.line("serve", &board.line());
            self.state.line = (now, jobs, pools.clone());
        }
    }

    /// Looks where the tasks are.
    fn count(&mut self) {
        let (tasks, runners) = (self.world.aws.tasks(), self.world.github.runners());
        let had_runner = |name: &str| self.state.gone.contains(name);
        self.state.pools = Pools::count(self.served, &tasks, &runners, had_runner);
    }
}
