//! Many jobs at once: how long they wait for RunTask to accept their tasks, against the token bucket that ECS has.

use std::time::Duration;

use jiff::Timestamp;

use crate::autoscaler::{Autoscaler, Memory};
use crate::book::Calls;
use crate::common::Result;
use crate::theatre::{Theatre, say};

/// Tasks that Fargate starts at once, and then in a second (Fargate throttling quotas).
const AT_ONCE: usize = 100;
const A_SECOND: f64 = 20.0;

/// Registrations that GitHub takes in five minutes ("Actions limits"): a burst of more is not seen to its end.
const REGISTRATIONS: usize = 1_500;

/// How long after the ideal a burst may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// How long a new leader gets to see what there is. It starts nothing before ECS must have listed what a former
/// leader may have started.
const SETTLES: Duration = Duration::from_secs(10);

/// What came of a burst.
pub(crate) struct Burst {
    /// How many jobs.
    pub(crate) jobs: usize,
    /// Seconds from a job's assignment to its task's acceptance, the shortest first.
    pub(crate) waits: Vec<f64>,
    /// Calls until all tasks were accepted.
    pub(crate) calls: Calls,
    /// RunTask calls that were accepted.
    pub(crate) accepted: usize,
    /// Jobs that had begun when memory was read.
    pub(crate) running: usize,
    /// Memory then.
    pub(crate) memory: Memory,
    /// Jobs assigned, begun and ended.
    pub(crate) events: usize,
    /// CPU time for all of them.
    pub(crate) cpu: Duration,
}

impl Burst {
    /// The ideal wait of each job: all that the bucket holds at once, then as it fills.
    pub(crate) fn ideal(jobs: usize) -> Vec<f64> {
        let wait = |n: usize| number(n.saturating_sub(AT_ONCE)) / A_SECOND;
        (1..=jobs).map(wait).collect()
    }

    /// CPU time for a job event, in milliseconds.
    pub(crate) fn cpu_an_event(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / number(self.events.max(1))
    }
}

/// The value that this part of all is not above; they are in order.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 jobs")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

pub(crate) async fn run(jobs: usize) -> Result<Burst> {
    let theatre = Theatre::new(jobs).await?;
    let (aws, github, book) =
        (&theatre.stage.world.aws, &theatre.stage.world.github, &theatre.stage.world.book);
    let autoscaler = Autoscaler::start(&theatre.stage, &theatre.stack_file()).await?;
    tokio::time::sleep(SETTLES).await;
    let (place, cpu) = (book.len(), autoscaler.cpu()?);
    theatre.dispatch(jobs)?;
    let ideal = Burst::ideal(jobs).last().copied().unwrap_or_default();
    let patience = Duration::from_secs_f64(ideal) + PATIENCE;
    theatre.until("all tasks are accepted", patience, |counted| counted.launched >= jobs).await?;
    let calls = Calls::since(book, place);
    let accepted = |call: &fleetfoot_sim::book::Call| {
        (call.service == "ecs" && call.operation == "RunTask" && call.status == 200).then_some(())
    };
    let accepted = book.since(place, accepted).len();
    let to_the_end = jobs <= REGISTRATIONS;
    if to_the_end {
        theatre.until("all jobs have begun", patience, |counted| counted.started >= jobs).await?;
        // What is on its way to the autoscaler shall arrive.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    let (memory, running) = (autoscaler.memory()?, theatre.troupe.counted()?.started);
    let waits = waits(
        github.runs().iter().flat_map(|run| &run.jobs).map(|job| job.queued_at),
        aws.tasks().iter().map(|task| task.times.created),
    );
    if to_the_end {
        theatre.troupe.release();
        theatre.until("all tasks have stopped", patience, |counted| counted.stopped >= jobs).await?;
    }
    let ended = theatre.troupe.counted()?.ended;
    let cpu = autoscaler.cpu()?.saturating_sub(cpu);
    say(&format!("  {jobs} jobs: {running} had begun, {ended} ended, {} s CPU", cpu.as_secs_f64()));
    autoscaler.end().await?;
    theatre.close().await;
    let events = jobs + running + ended;
    Ok(Burst { jobs, waits, calls, accepted, running, memory, events, cpu })
}

/// Which task is whose job's is not said before it runs, so the first job is taken to have the first task.
fn waits(assigned: impl Iterator<Item = Timestamp>, accepted: impl Iterator<Item = Timestamp>) -> Vec<f64> {
    let (mut assigned, mut accepted): (Vec<_>, Vec<_>) = (assigned.collect(), accepted.collect());
    assigned.sort_unstable();
    accepted.sort_unstable();
    let wait = |(from, to): (&Timestamp, &Timestamp)| to.duration_since(*from).as_secs_f64();
    let mut waits: Vec<f64> = assigned.iter().zip(&accepted).map(wait).collect();
    waits.sort_by(f64::total_cmp);
    waits
}
