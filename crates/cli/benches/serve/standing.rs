//! Many runners at work already: what the autoscaler needs to watch over them, and what one more job costs beside
//! them.
//!
//! To start ten thousand tasks takes eight minutes and to register them half an hour, by the published limits. So
//! they are there before the autoscaler is: it finds them, as the next leader does after a crash.

use std::time::Duration;

use fleetfoot::demo::world::{BUCKET, CLUSTER};
use fleetfoot_core::hallmark::Hallmark;
use fleetfoot_core::scale_sets::{ScaleSetSpec, ScaleSets, Session};
use fleetfoot_core::stack::Stack;
use fleetfoot_core::task::tag;
use fleetfoot_github::{Clock, Credentials, GitHubRunners, GitHubScaleSets, Scope};
use fleetfoot_net::Network;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::autoscaler::{Autoscaler, Memory};
use crate::book::Calls;
use crate::burst::number;
use crate::common::Result;
use crate::theatre::{SET, Theatre, say};

/// Jobs that come beside those that run.
pub(crate) const MORE: usize = 100;

/// How long nothing happens.
pub(crate) const QUIET: Duration = Duration::from_mins(1);

/// How long the autoscaler is left alone after it has found everything.
const SETTLES: Duration = Duration::from_secs(15);

/// Events of a message that more may follow.
const FULL: usize = 50;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// What was measured with so many runners.
pub(crate) struct Standing {
    /// How many.
    pub(crate) runners: usize,
    /// Memory while nothing happens.
    pub(crate) memory: Memory,
    /// Memory at the end, when more jobs have come and gone.
    pub(crate) after: Memory,
    /// CPU time from its start until it has found all of them.
    pub(crate) found: Duration,
    /// CPU time of [`QUIET`].
    pub(crate) quiet: Duration,
    /// Calls in [`QUIET`].
    pub(crate) calls_of_quiet: Calls,
    /// CPU time of [`MORE`] jobs, from their dispatch until their tasks have stopped.
    pub(crate) more: Duration,
    /// Calls of them.
    pub(crate) calls_of_more: Calls,
}

impl Standing {
    /// The part of a core that it needs while nothing happens, in percent.
    pub(crate) fn idle(&self) -> f64 {
        self.quiet.as_secs_f64() / QUIET.as_secs_f64() * 100.0
    }

    /// CPU time for each event of a job (assigned, begun, ended), in milliseconds.
    pub(crate) fn cpu_an_event(&self) -> f64 {
        self.more.as_secs_f64() * 1e3 / number(3 * MORE)
    }
}

pub(crate) async fn run(runners: usize) -> Result<Standing> {
    let theatre = Theatre::new(runners + MORE).await?;
    people(&theatre, runners).await?;
    theatre.troupe.hold_no_more();
    let book = &theatre.stage.world.book;
    let autoscaler = Autoscaler::start(&theatre.stage, &theatre.stack_file()).await?;
    let deadline = Instant::now() + PATIENCE;
    while autoscaler.runners("busy").await? < runners {
        if Instant::now() > deadline {
            return Err(format!("it finds {} of {runners} runners", autoscaler.runners("busy").await?).into());
        }
        sleep(Duration::from_millis(500)).await;
    }
    sleep(SETTLES).await;
    let found = autoscaler.cpu()?;
    let place = book.len();
    sleep(QUIET).await;
    let quiet = autoscaler.cpu()?.saturating_sub(found);
    let (calls_of_quiet, memory) = (Calls::since(book, place), autoscaler.memory()?);

    let place = book.len();
    theatre.dispatch(MORE)?;
    theatre.until("more jobs are done", PATIENCE, |counted| counted.stopped >= MORE).await?;
    sleep(Duration::from_secs(5)).await;
    let (calls_of_more, more) = (Calls::since(book, place), autoscaler.cpu()?.saturating_sub(found + quiet));
    let after = autoscaler.memory()?;
    say(&format!(
        "  {runners} runners: {:.1} MiB, {:.3} s CPU in a quiet minute",
        memory.resident,
        quiet.as_secs_f64()
    ));
    autoscaler.end().await?;
    theatre.close().await;
    Ok(Standing { runners, memory, after, found, quiet, calls_of_quiet, more, calls_of_more })
}

/// Has so many jobs run on runners that an earlier autoscaler could have started.
async fn people(theatre: &Theatre, runners: usize) -> Result<()> {
    if runners == 0 {
        return Ok(());
    }
    let (world, stack) = (&theatre.stage.world, Stack::from_json(&theatre.stack.to_string())?);
    let scope = Scope::parse(&stack.github.url)?.with_api_url(&world.github.api_url())?;
    let (clock, network) = (Clock::new(jiff::Timestamp::now), Network::default());
    let credentials = Credentials::token(world.token.clone());
    let at_github = GitHubRunners::new(scope, credentials, clock, &network)?;
    let sets = GitHubScaleSets::new(at_github.into())?;
    let spec = ScaleSetSpec { name: SET.parse()?, runner_group: "Default".into(), labels: Vec::new() };
    let set = sets.ensure(&spec).await?;
    let session = sets.open(set, "the one before").await?;
    let capacity = u32::try_from(runners)?;
    let reading = async {
        // It reads until it is told that all jobs run.
        let (mut last, mut all_run) = (None, false);
        loop {
            match session.next(last, capacity).await? {
                Some(message) => {
                    last = Some(message.id);
                    session.acknowledge(message.id).await?;
                    all_run = message.demand.running >= capacity;
                    if all_run && message.events.len() < FULL {
                        return Ok(());
                    }
                }
                None if all_run => return Ok(()),
                None => {}
            }
        }
    };
    let making = async {
        theatre.dispatch(runners)?;
        let request = run_task(&theatre.stack, &stack);
        let mut left = runners;
        while left > 0 {
            let tasks = world.aws.add_tasks(&world.keys.access_key_id, &request(left.min(10)))?;
            left -= tasks.len();
            for arn in tasks {
                let task = arn.rsplit('/').next().unwrap_or_default();
                let jit = world.github.add_scale_set_runner(set.0.try_into()?, &format!("ff-{task}"))?;
                theatre.troupe.post(task, jit);
            }
            tokio::task::yield_now().await;
        }
        theatre.until("the runners are at work", PATIENCE, |counted| counted.started >= runners).await
    };
    let (read, made): (Result<()>, Result<()>) = tokio::join!(reading, making);
    read?;
    made?;
    session.close().await?;
    Ok(())
}

/// The RunTask call of so many tasks of the pool, as the autoscaler makes it.
fn run_task(document: &Value, stack: &Stack) -> impl Fn(usize) -> Value {
    let pool = document["pools"][0].clone();
    let hallmark = Hallmark::of(stack);
    let name = stack.name.to_string();
    move |count| {
        let nonce = hallmark.stamp(&format!("{:032x}", rand::random::<u128>()));
        let network = &pool["network"];
        json!({
            "cluster": CLUSTER,
            "taskDefinition": pool["task_definition"],
            "count": count,
            "startedBy": format!("fleetfoot/{name}/{}", pool["name"].as_str().unwrap_or_default()),
            "capacityProviderStrategy": [{ "capacityProvider": pool["capacity"][0]["provider"], "weight": 1 }],
            "networkConfiguration": { "awsvpcConfiguration": {
                "subnets": network["subnets"], "securityGroups": network["security_groups"],
                "assignPublicIp": "ENABLED" } },
            "tags": [{ "key": tag::STACK, "value": name }, { "key": tag::POOL, "value": pool["name"] }],
            "overrides": { "containerOverrides": [{ "name": "runner", "environment": [
                { "name": fleetfoot_core::assignment::MAILBOX_VARIABLE,
                  "value": format!("s3://{BUCKET}/mailbox/{nonce}/") }] }] },
        })
    }
}
