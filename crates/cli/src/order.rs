//! From what was typed to what is ordered: every check that needs no call, before any call.

use std::collections::BTreeMap;

use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::hallmark::{ALPHABET, Hallmark};
use fleetfoot_core::ids::{Key, RunRef, StartedBy};
use fleetfoot_core::label::Label;
use fleetfoot_core::size::Size;
use fleetfoot_core::stack::{Capacity, InvalidStack, Pool, Stack};
use fleetfoot_core::task::tag;
use fleetfoot_github::WorkflowContext;
use rand::RngExt;

use crate::args::StartArgs;
use crate::engine::Spec;
use crate::failure::Failure;
use crate::lines;

/// The run that a command acts for.
pub fn run_of(context: Option<&WorkflowContext>) -> RunRef {
    context.map_or(RunRef::ByHand, |c| RunRef::Attempt { run_id: c.run_id, attempt: c.run_attempt })
}

/// The key of a start: as given, else the job's id.
pub fn key_of(given: Option<&Key>, context: Option<&WorkflowContext>) -> Result<Key, Failure> {
    match (given, context) {
        (Some(key), _) => Ok(key.clone()),
        (None, Some(context)) => context.job.parse().map_err(|e| {
            Failure::usage(format!("the job's id cannot be the key: {e}"), "Name one with --key.")
        }),
        (None, None) => Err(Failure::usage(
            "outside a workflow a start needs a key, to be found again",
            "Name one with --key, such as --key try.",
        )),
    }
}

/// The pool that is meant, its sizes checked with the overrides.
pub fn pool_of(stack: &Stack, args: &StartArgs) -> Result<Pool, Failure> {
    let pool = stack.pool(args.pool.as_deref()).map_err(|error: InvalidStack| {
        Failure::usage(error.to_string(), "Name one of them with --pool, or add the pool to the stack.")
    })?;
    let fargate_only = pool.capacity.iter().all(Capacity::is_fargate);
    if pool.on_fargate() {
        let size = Size {
            cpu: args.cpu.unwrap_or(pool.cpu),
            memory: args.memory.unwrap_or(pool.memory),
            ephemeral_storage: args.ephemeral_storage,
        };
        size.check_fargate().map_err(|error| {
            Failure::usage(
                format!("pool {}: {error}", pool.name),
                "Change --cpu, --memory or --ephemeral-storage.",
            )
        })?;
    }
    if args.ephemeral_storage.is_some() && !fargate_only {
        return Err(Failure::usage(
            format!("pool {} may run on EC2, where tasks share the instance's disk", pool.name),
            "Leave --ephemeral-storage out, or take a pool that is on Fargate alone.",
        ));
    }
    if u32::from(args.count) > pool.max {
        return Err(Failure::usage(
            format!("{} runners are more than pool {} may have: {}", args.count, pool.name, pool.max),
            "Lower --count, or raise the pool's max in the stack.",
        ));
    }
    Ok(pool.clone())
}

/// The whole order.
pub fn spec(
    args: &StartArgs,
    stack: &Stack,
    pool: Pool,
    key: &Key,
    context: Option<&WorkflowContext>,
) -> Result<Spec, Failure> {
    let run = run_of(context);
    if let Some(label) = lines::all(&args.labels).iter().find(|l| l.origin().is_some()) {
        return Err(Failure::usage(
            format!("the label {label} looks like the label of a start"),
            "Take another word; fleetfoot makes the labels that begin with ff- itself.",
        ));
    }
    let hallmark = Hallmark::of(stack);
    let label = Label::of_run(&run, key, &hallmark.stamp(&random(20)));
    let nonce = hallmark.stamp(&random(32));
    let mut tags = BTreeMap::from([
        (tag::STACK, stack.name.to_string()),
        (tag::POOL, pool.name.to_string()),
        (tag::LABEL, label.to_string()),
        (tag::MAX_LIFETIME, args.max_lifetime.as_secs().to_string()),
    ]);
    if args.hold {
        tags.insert(tag::HOLD, true.to_string());
    }
    if let Some(context) = context {
        tags.extend([
            (tag::REPOSITORY, context.repository.clone()),
            (tag::WORKFLOW, context.workflow.clone()),
            (tag::RUN, run.to_string()),
            (tag::JOB, context.job.clone()),
            (tag::ACTOR, context.actor.clone()),
        ]);
    }
    // A task that runs already has the pool's own size.
    let own_size = args.cpu.is_none() && args.memory.is_none() && args.ephemeral_storage.is_none();
    let may_be_warm = pool.is_kept_warm() && own_size;
    Ok(Spec {
        started_by: StartedBy::of_run(&stack.name, &run, key),
        warm: may_be_warm.then(|| StartedBy::of_pool(&stack.name, &pool.name)),
        tags: tags.into_iter().map(|(k, v)| (k.to_owned(), tag_value(&v))).collect(),
        mailbox: MailboxPrefix::new(&stack.mailbox.bucket, &stack.mailbox.prefix, &nonce),
        cpu: args.cpu,
        memory: args.memory,
        ephemeral_storage: args.ephemeral_storage,
        label,
        extra_labels: lines::all(&args.labels),
        runner_group: 1,
        idle_timeout: args.idle_timeout,
        max_lifetime: args.max_lifetime,
        pool,
    })
}

/// A tag value may hold letters, digits, spaces and `_ . : / = + - @` (ECS API Reference, Tag), 256 at
/// most. A workflow's name is free text, so what does not fit is replaced.
fn tag_value(text: &str) -> String {
    text.chars()
        .take(256)
        .map(|c| if c.is_alphanumeric() || " _.:/=+-@".contains(c) { c } else { '_' })
        .collect()
}

/// Unguessable text, five bits a character.
pub fn random(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_values_are_made_to_fit() {
        assert_eq!(tag_value("Build & <test>\n"), "Build _ _test__");
        assert_eq!(tag_value(&"é".repeat(300)).chars().count(), 256);
    }

    #[test]
    fn random_text_does_not_repeat() {
        let (one, two) = (random(20), random(20));
        assert_ne!(one, two);
        assert!(one.bytes().all(|b| ALPHABET.contains(&b)), "{one}");
    }
}
