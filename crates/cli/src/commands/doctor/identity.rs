//! As whom we are at AWS, and whether that is who will start tasks.

use fleetfoot_aws::{Aws, Caller, WhoAmI};
use fleetfoot_core::stack::Stack;
use jiff::Timestamp;

use super::clock::{self, Tolerance};
use super::finding::{Check, Finding, State};
use crate::account::{self, Local};

/// What came of saying who we are.
pub(super) struct Identity {
    /// A door to AWS, if AWS knows us.
    pub(super) aws: Option<Aws>,
    /// Who we are there.
    pub(super) caller: Option<Caller>,
    /// What was found on the way.
    pub(super) findings: Vec<Finding>,
}

impl Identity {
    /// Nobody could be asked, because the region stands in a document that cannot be read.
    pub(super) fn unknown() -> Self {
        let findings = vec![Check::AwsCredentials.of("AWS").skipped(Check::StackDocument)];
        Self { aws: None, caller: None, findings }
    }
}

/// Gets credentials as `start` would, and asks AWS whose they are.
pub(super) async fn find_out(local: &Local) -> Identity {
    let role = local.role.as_deref().filter(|_| has_oidc(local));
    let credentials = Check::AwsCredentials.of(role.unwrap_or("the AWS SDK's default credentials"));
    let clock = Check::AwsClock.of("AWS");
    let aws = match account::connect(local).await {
        Ok(aws) => aws,
        Err(failure) => {
            let findings = vec![credentials.failed(failure), clock.skipped(Check::AwsCredentials)];
            return Identity { aws: None, caller: None, findings };
        }
    };
    let WhoAmI { caller, date } = aws.who_am_i().await;
    let clock = match date {
        Some(date) => clock::judge(clock, "AWS", Timestamp::now().duration_since(date), Tolerance::AWS),
        None => clock.skipped(Check::AwsCredentials),
    };
    let (caller, credentials) = match caller {
        Ok(caller) => {
            let sentence = format!("AWS takes these credentials for {}", caller.arn);
            (Some(caller), credentials.ok(sentence))
        }
        Err(_) if clock.state == State::Problem => (None, credentials.skipped(Check::AwsClock)),
        Err(fault) => (None, credentials.failed(fault)),
    };
    Identity { aws: caller.as_ref().map(|_| aws), caller, findings: vec![credentials, clock] }
}

/// Whether the role of the stack was taken, which only a job can do. `None` if there is no such role.
pub(super) fn role(stack: &Stack, local: &Local, caller: Option<&Caller>) -> Option<Finding> {
    let role = local.role.as_deref().or(stack.launcher_role.as_deref())?;
    let of = Check::Role.of(role);
    let Some(caller) = caller else { return Some(of.skipped(Check::AwsCredentials)) };
    Some(match (&local.role, has_oidc(local)) {
        (Some(_), true) => {
            of.ok(format!("{role} was assumed through this job's OIDC token: its trust policy lets the job in"))
        }
        (None, true) => of.note(
            format!("not assumed, because nobody named it; all the rest was checked as {}", caller.arn),
            "The role stands in the stack document, which is read with credentials: give --role (FLEETFOOT_ROLE).",
        ),
        (_, false) => of.note(
            format!("not assumed, because no OIDC token is to be had here; all the rest was checked as {}", caller.arn),
            "To check its trust policy, run `fleetfoot doctor` in a job with `permissions: id-token: write`.",
        ),
    })
}

fn has_oidc(local: &Local) -> bool {
    local.context.as_ref().is_some_and(|context| context.oidc.is_some())
}
