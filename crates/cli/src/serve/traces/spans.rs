//! The trace of a runner whose life is over: a span for all of it, and below it one for each phase.
//!
//! Phases lie in two lanes, because a task becomes a runner while ECS is still about to start it. ECS's lane ends when
//! the task runs; the runner's begins when it is bound. What nobody saw is missing.
//!
//! Ids follow from the task's: so whoever knows a task knows its trace, and two replicas that tell of the same
//! one tell the same.

use fleetfoot_core::exit::AgentExit;
use fleetfoot_core::ids::{RunnerName, TaskArn};
use fleetfoot_core::phase::{Phase, PhaseTimes};
use fleetfoot_core::scale_sets::Job;
use fleetfoot_core::task::{TaskEnd, TaskView};
use fleetfoot_core::verdict::Verdict;
use jiff::Timestamp;
use rand::RngExt;

use super::life::{End, Life};
use super::wire::{Span, SpanId, TraceId};
use crate::serve::metrics::{Names, OfSet, OnCapacity};

/// The span of a runner's whole life.
const RUNNER: &str = "runner";

/// The span of a launch from which no runner came.
const LAUNCH: &str = "launch";

/// A task runs, and is nobody's runner yet.
const WARM: &str = "warm";

/// Its runner runs a job: what people call [`Phase::Busy`] when they look for a job's time.
const JOB: &str = "job";

/// Makes the spans of one trace.
struct Trace {
    id: TraceId,
    root: SpanId,
    spans: Vec<Span>,
}

impl Trace {
    /// A trace, with its root.
    fn new(id: u128, name: &'static str, time: [Timestamp; 2]) -> Self {
        let id = TraceId(id.max(1));
        let low = u64::try_from(id.0 & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        let root = SpanId(low.max(1));
        Self { id, root, spans: vec![Span::new(id, root, name, time)] }
    }

    /// Adds a phase; says which span it is.
    fn phase(&mut self, (name, from, to): (&'static str, Timestamp, Timestamp)) -> usize {
        let n = self.spans.len();
        // A handful of numbers after the root's: none comes twice, and none is zero.
        let id = SpanId(self.root.0.wrapping_add(n as u64).max(1));
        let mut span = Span::new(self.id, id, name, [from, to]);
        span.parent_span_id = Some(self.root);
        self.spans.push(span);
        n
    }

    fn fail(&mut self, spans: impl IntoIterator<Item = usize>, why: &Verdict) {
        for n in spans {
            self.spans[n].fail(&why.class, &why.sentence);
        }
    }
}

/// The trace of a launch that was refused. Nothing has an id that could name it, so chance does.
pub(super) fn of_refusal(on: &OnCapacity, why: &Verdict, time: [Timestamp; 2]) -> Vec<Span> {
    let mut trace = Trace::new(rand::rng().random(), LAUNCH, time);
    let requested = trace.phase((Phase::Requested.word(), time[0], time[1]));
    let root = &mut trace.spans[0];
    root.tell("fleetfoot.pool", &on.pool);
    root.tell("fleetfoot.capacity", &on.capacity);
    root.tell("fleetfoot.outcome", "not-launched");
    trace.fail([0, requested], why);
    trace.spans
}

/// The trace of a runner. `view` is its task as it stopped, if ECS has shown that; `now` is when it was over if
/// ECS does not say.
pub(super) fn of_runner(
    names: &Names,
    task: &TaskArn,
    life: &Life,
    view: Option<&TaskView>,
    now: Timestamp,
) -> Vec<Span> {
    let road = Road::of(life, view, now);
    let mut trace = Trace::new(trace_id(task), RUNNER, [road.begin(), road.last()]);
    let ecs = road.of_task().into_iter().map(|phase| trace.phase(phase)).last();
    if let Some(phase) = road.warm() {
        trace.phase(phase);
    }
    let runner = road.of_runner().into_iter().map(|phase| trace.phase(phase)).last();

    let root = &mut trace.spans[0];
    root.tell("cicd.worker.name", RunnerName::of_task(task));
    root.tell("aws.ecs.task.arn", task.as_str());
    let pool = view.and_then(|view| names.pool_of(view)).map(|pool| pool.name.to_string());
    if let Some(pool) = pool.or_else(|| Some(names.pool(life.pool?))) {
        root.tell("fleetfoot.pool", pool);
    }
    let planned = || Some(names.capacity(life.pool?, life.capacity?).capacity);
    let capacity = view.and_then(|view| Some(view.capacity.as_ref()?.to_string()));
    if let Some(capacity) = capacity.or_else(planned) {
        root.tell("fleetfoot.capacity", capacity);
    }
    if let Some(set) = life.set {
        let OfSet { scale_set, github } = names.set(set);
        root.tell("fleetfoot.scale_set", scale_set);
        root.tell("fleetfoot.github", github);
    }
    root.tell("fleetfoot.outcome", outcome(life, view));

    let job_span = trace.spans.iter().position(|span| span.name == JOB);
    for n in [0].into_iter().chain(job_span) {
        if let Some(job) = &life.job {
            tell_job(&mut trace.spans[n], job);
        }
        if let Some(result) = result(life) {
            trace.spans[n].tell("cicd.pipeline.task.run.result", result);
        }
    }
    match &life.end {
        Some(End::Failed(why)) => {
            trace.fail([0].into_iter().chain(if road.ran() { runner } else { ecs }), why);
        }
        Some(End::Interrupted(why)) => trace.fail([0].into_iter().chain(job_span.or(runner)), why),
        Some(End::Done(_)) | None => {}
    }
    trace.spans
}

/// A task's id is as long as a trace's and as random. One that is not is made into one, the same each time.
fn trace_id(task: &TaskArn) -> u128 {
    let id = task.id().replace('-', "");
    // FNV-1a of 128 bits.
    let hash = || {
        id.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        })
    };
    u128::from_str_radix(&id, 16).ok().filter(|_| id.len() == 32).unwrap_or_else(hash)
}

/// What became of a runner, in a word.
fn outcome(life: &Life, view: Option<&TaskView>) -> &'static str {
    match &life.end {
        Some(End::Done(_)) => "done",
        Some(End::Failed(_)) => "failed",
        Some(End::Interrupted(_)) => "interrupted",
        None if agent(view).is_some_and(AgentExit::ran_a_job) => "done",
        None if view.is_none() || life.phases.at(Phase::Busy).is_some() => "unknown",
        None => "unused",
    }
}

/// How its job ended, in OpenTelemetry's words for what GitHub calls `succeeded`, `failed` and `canceled`.
fn result(life: &Life) -> Option<&str> {
    match life.end.as_ref()? {
        End::Done(result) => Some(match result.as_str() {
            "succeeded" => "success",
            "failed" => "failure",
            "canceled" => "cancellation",
            other => other,
        }),
        End::Interrupted(_) => Some("error"),
        End::Failed(_) => None,
    }
}

fn tell_job(span: &mut Span, job: &Job) {
    if job.run_id != 0 {
        span.tell("cicd.pipeline.run.id", job.run_id);
    }
    for (key, value) in [("cicd.pipeline.task.run.id", &job.id), ("cicd.pipeline.task.name", &job.name)] {
        if !value.is_empty() {
            span.tell(key, value);
        }
    }
    if let Some((owner, name)) = job.repository.as_ref().and_then(|whole| whole.as_str().split_once('/')) {
        span.tell("vcs.owner.name", owner);
        span.tell("vcs.repository.name", name);
    }
}

fn agent(view: Option<&TaskView>) -> Option<AgentExit> {
    view?.end.as_ref().and_then(TaskEnd::agent)
}

/// When a runner was where.
struct Road {
    phases: PhaseTimes,
    /// When its task ran.
    ran_at: Option<Timestamp>,
    /// Whether it is known to have had a job, be it that of a start that has taken it.
    had_job: bool,
    end: Timestamp,
}

type Stretch = (&'static str, Timestamp, Timestamp);

impl Road {
    fn of(life: &Life, view: Option<&TaskView>, now: Timestamp) -> Self {
        let mut phases = life.phases.clone();
        if let Some(view) = view {
            phases.merge(&view.phases);
        }
        let had_job = phases.at(Phase::Busy).is_some() || agent(view).is_some_and(AgentExit::had_a_job);
        Self {
            ran_at: view.and_then(|view| view.started_at),
            end: view.and_then(|view| view.stopped_at).unwrap_or(now),
            had_job,
            phases,
        }
    }

    fn begin(&self) -> Timestamp {
        self.phases.iter().map(|(_, at)| at).min().unwrap_or(self.end)
    }

    /// The end, or what another clock says was later.
    fn last(&self) -> Timestamp {
        self.phases.iter().map(|(_, at)| at).fold(self.end, Ord::max)
    }

    /// Whether it came as far as to run.
    fn ran(&self) -> bool {
        self.ran_at.is_some()
    }

    /// The phases of these that it reached, each until the next one, the last one until `end`.
    fn lane(&self, phases: &[(Phase, &'static str)], end: Timestamp) -> Vec<Stretch> {
        let reached: Vec<(&'static str, Timestamp)> =
            phases.iter().filter_map(|(phase, name)| Some((*name, self.phases.at(*phase)?))).collect();
        let ends = reached.iter().skip(1).map(|(_, at)| *at).chain([end]);
        reached.iter().zip(ends).map(|((name, from), to)| (*name, *from, to)).collect()
    }

    /// What ECS did with the task until it ran.
    fn of_task(&self) -> Vec<Stretch> {
        let phases = [Phase::Requested, Phase::Provisioning, Phase::Pulling, Phase::Starting];
        self.lane(&phases.map(|phase| (phase, phase.word())), self.ran_at.unwrap_or(self.end))
    }

    /// How long it ran before it was anybody's runner. Of a task that another process has started nobody knows
    /// whose it was before this one bound it.
    fn warm(&self) -> Option<Stretch> {
        let ran_at = self.ran_at?;
        let until = match self.phases.at(Phase::Bound) {
            Some(bound) => Some(bound).filter(|bound| *bound > ran_at),
            None => Some(self.end).filter(|_| self.phases.at(Phase::Requested).is_some() && !self.had_job),
        };
        Some((WARM, ran_at, until?))
    }

    /// What its runner did.
    fn of_runner(&self) -> Vec<Stretch> {
        let named = |phase: Phase| (phase, phase.word());
        let phases = [named(Phase::Bound), named(Phase::Online), (Phase::Busy, JOB), named(Phase::Done)];
        self.lane(&phases, self.end)
    }
}
