//! The mailbox and the log group.

use fleetfoot_aws::{Aws, Expiry};
use fleetfoot_core::assignment::MailboxPrefix;
use fleetfoot_core::fault::Class;
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::stack::Stack;

use super::finding::{Check, Finding};
use crate::order::random;

/// Looks at both, as the launcher would use them. `nobody` has no mail, and nobody will ever look for it.
pub(super) async fn look(stack: &Stack, aws: &Aws, nobody: &TaskArn) -> Vec<Finding> {
    let (mut findings, group) = tokio::join!(mailbox(stack, aws, nobody), log_group(stack, aws));
    findings.extend(group);
    findings
}

async fn mailbox(stack: &Stack, aws: &Aws, nobody: &TaskArn) -> Vec<Finding> {
    let place = &stack.mailbox;
    let (write, delete, lifecycle) = (
        Check::MailboxWrite.of(&place.bucket),
        Check::MailboxDelete.of(&place.bucket),
        Check::MailboxLifecycle.of(&place.bucket),
    );
    let mailbox = aws.mailbox(&place.bucket);
    let address = MailboxPrefix::new(&place.bucket, &place.prefix, &random(32)).of_task(nobody);
    let put = mailbox.check_put(&address).await;
    // A bucket that is not there, or not here, is told once.
    let there = !matches!(&put, Err(fault) if fault.class == Class::Invalid);
    let write = match put {
        Ok(()) => write.ok(format!("assignments may be put under {}", place.prefix)),
        Err(fault) => write.failed(fault),
    };
    if !there {
        let others = [delete, lifecycle].map(|of| of.skipped(Check::MailboxWrite));
        return [write].into_iter().chain(others).collect();
    }
    let (deleted, expiry) = tokio::join!(mailbox.check_delete(&address), mailbox.expiry(&place.prefix));
    let delete = match deleted {
        Ok(()) => delete.ok(format!("assignments may be deleted under {}", place.prefix)),
        Err(fault) => delete.failed(fault),
    };
    let lifecycle = match expiry {
        Ok(Expiry::After(days)) => lifecycle.ok(format!(
            "assignments that nobody takes are deleted after {days} day{}",
            if days == 1 { "" } else { "s" }
        )),
        Ok(Expiry::Never) => lifecycle.warning(
            format!("no lifecycle rule deletes what is left under {}", place.prefix),
            "Add a rule to the bucket that lets objects under this prefix expire after a day: each holds a runner's \
             registration.",
        ),
        Err(fault) => lifecycle.unseen(fault, "s3:GetLifecycleConfiguration"),
    };
    vec![write, delete, lifecycle]
}

async fn log_group(stack: &Stack, aws: &Aws) -> Option<Finding> {
    let name = stack.log_group.as_ref()?;
    let of = Check::LogGroup.of(name);
    Some(match aws.has_log_group(name).await {
        Ok(true) => of.ok(format!("the log group {name} is there")),
        Ok(false) => of.problem(
            format!("there is no log group {name}, so that tasks whose definition names it do not start"),
            "Create it, or correct log_group of the stack document and the task definitions.",
        ),
        Err(fault) => of.unseen(fault, "logs:DescribeLogStreams"),
    })
}
