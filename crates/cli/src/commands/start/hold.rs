//! `fleetfoot start --hold`: stays until the runners have had their jobs, and ends as those did.

use fleetfoot_core::fate::Fate;
use fleetfoot_core::hold;
use fleetfoot_core::plan::{Goal, Outcome, Policy};
use fleetfoot_core::ports::{Outbox, Runners, Tasks};
use fleetfoot_core::stack::Stack;
use fleetfoot_github::WorkflowContext;
use jiff::Timestamp;

use super::{CANCELLED, Started, take_away};
use crate::args::{Output, StartArgs};
use crate::cancel::Cancel;
use crate::engine::{End, Engine, Ports};
use crate::failure::Failure;
use crate::outputs;
use crate::progress::Progress;
use crate::report::{self, RunnerReport};

/// How much less often than during the start ECS is asked: jobs take longer than tasks to come up.
const SLOWER: i32 = 5;

/// Waits for the jobs, tells what became of each runner, and fails if a job did.
pub(super) async fn hold<T: Tasks, O: Outbox, R: Runners>(
    ports: Ports<'_, T, O, R>,
    started: Started,
    stack: &Stack,
    context: Option<&WorkflowContext>,
    args: &StartArgs,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let Started { mut world, spec, .. } = started;
    let policy = Policy {
        goal: Goal::Over,
        capacities: spec.pool.capacity.len(),
        replacements: 0,
        poll: args.poll * SLOWER,
    };
    if args.output == Output::Text {
        anstream::println!("holding until their jobs are over");
    }
    let mut engine = Engine { ports, spec: Some(spec.clone()) };
    match engine.run(&policy, &mut world, &mut Progress::on_stderr(), cancel.token()).await {
        End::Planned(Outcome::Reached) => {}
        End::Planned(Outcome::Failed(verdict)) => {
            return Err(Box::pin(take_away(ports, world, spec, verdict.into())).await);
        }
        End::Cancelled => {
            return Err(Box::pin(take_away(ports, world, spec, cancel.failure(CANCELLED))).await);
        }
    }
    let outcome = hold::outcome(&world);
    let title = match &outcome {
        Ok(1) => "the job of the runner has succeeded".to_owned(),
        Ok(jobs) => format!("{jobs} jobs of the runners have succeeded"),
        Err(verdict) => verdict.sentence.clone(),
    };
    let now = Timestamp::now();
    let report = |member| {
        RunnerReport::of(member, &stack.pools, now).with_fate(&Fate::of_member(member), &member.task)
    };
    let runners: Vec<RunnerReport> = hold::held(&world).map(report).collect();
    let table = report::table(&runners, report::FOR_MARKDOWN);
    outputs::summarize(context, &format!("### Fleetfoot: {title}\n\n{table}\n\n"))?;
    if args.output == Output::Text {
        anstream::println!("{title}\n{}", report::table(&runners, report::FOR_TERMINAL));
    }
    outcome.map(drop).map_err(Failure::from)
}
