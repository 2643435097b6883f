//! The calls of one poll, with one registered runner and with ten thousand.
//!
//! A runner that is never online keeps a start polling until its time is up; the simulators' books then show every
//! round. A round begins with DescribeTasks.

use std::collections::BTreeMap;

use fleetfoot::demo::world::{self, REPOSITORY};
use fleetfoot_sim::book::Call;
use tokio::process::Command;

use crate::common::Result;
use crate::common::stage::{PROGRAM, Stage};

/// How many runners a busy organisation has; more than 10,000 no runner group holds (GitHub docs, "Runner groups").
pub(crate) const MANY: usize = 10_000;

/// The call that begins a round.
const ROUND: &str = "DescribeTasks";

/// The calls of the fullest round, by service and operation.
pub(crate) type Round = BTreeMap<(String, String), usize>;

/// What was counted.
pub(crate) struct Polls {
    /// With the start's own runner alone.
    pub(crate) one: Counted,
    /// With [`MANY`] beside it.
    pub(crate) many: Counted,
}

/// One start.
pub(crate) struct Counted {
    /// How many rounds it made.
    pub(crate) rounds: usize,
    /// The fullest of them.
    pub(crate) fullest: Round,
    /// Bytes of the largest answer.
    pub(crate) largest: usize,
}

pub(crate) async fn count() -> Result<Polls> {
    Ok(Polls { one: with(0).await?, many: with(MANY).await? })
}

async fn with(others: usize) -> Result<Counted> {
    let stage = Stage::new(world::quick).await?;
    for number in 0..others {
        stage.world.github.add_runner(REPOSITORY, &format!("other-{number}"), &["other"])?;
    }
    stage.faults.inject("runner-never-online".parse()?);
    let start = ["start", "--key", "polls", "--wait", "online", "--timeout", "8s", "--poll", "250ms"];
    let status = Command::new(&*PROGRAM)
        .args(start)
        .env_clear()
        .envs(stage.environment(&[]))
        .stderr(std::process::Stdio::null())
        .status()
        .await?;
    if status.success() {
        return Err("a start whose runner is never online has succeeded".into());
    }
    let counted = Counted::of(&stage.world.book.calls())?;
    stage.close().await;
    Ok(counted)
}

impl Counted {
    /// Counts from the hand-over of the assignment to the first sign of giving up.
    fn of(calls: &[Call]) -> Result<Self> {
        let handed_over = calls.iter().position(|call| call.operation == "PutObject");
        let handed_over = handed_over.ok_or("nothing was handed over")?;
        let given_up = calls.iter().position(|call| call.operation.starts_with("DELETE "));
        let given_up = given_up.ok_or("nothing was taken back")?;
        // What the agent and the stand-in runner ask is not the start's.
        let ours = |call: &&Call| ["ecs", "github"].contains(&call.service);
        let waiting: Vec<&Call> = calls[handed_over..given_up].iter().filter(ours).collect();
        let rounds: Vec<Round> = waiting
            .chunk_by(|_, next| next.operation != ROUND)
            .filter(|round| round.first().is_some_and(|call| call.operation == ROUND))
            .map(|round| {
                let mut counts = Round::new();
                for call in round {
                    *counts.entry((call.service.to_owned(), call.operation.clone())).or_default() += 1;
                }
                counts
            })
            .collect();
        let fullest = rounds.iter().max_by_key(|round| round.values().sum::<usize>()).cloned();
        let answer = |call: &&Call| call.response.as_ref().map_or(0, |answer| answer.to_string().len());
        Ok(Self {
            rounds: rounds.len(),
            fullest: fullest.ok_or("there was no round")?,
            largest: waiting.iter().map(answer).max().unwrap_or_default(),
        })
    }
}
