//! `fleetfoot doctor`: checks from where it runs what `start` will need, and changes nothing.
//!
//! A check that failed stops only those that build on it. What `start` itself does not need and these
//! credentials may not look at is noted and fails nothing: whoever administers the account sees more than the
//! launcher's role. It starts no task, so that `ecs:RunTask` and `iam:PassRole` are the two permissions that it
//! cannot prove.

mod clock;
mod finding;
mod github;
mod identity;
mod mailbox;
mod network;
mod pools;
mod stack;
mod tell;
mod version;
mod way;

use std::process::ExitCode;

use fleetfoot_aws::Aws;
use fleetfoot_core::ids::TaskArn;
use fleetfoot_core::stack::Stack;

use crate::account::{self, Local};
use crate::args::DoctorArgs;
use crate::cancel::Cancel;
use crate::failure::Failure;
use finding::{Check, Finding, Group, State};
use identity::Identity;

/// How a cancelled doctor ends.
const CANCELLED: &str = "the checks were cancelled";

/// What there is to know without a call.
struct Given {
    args: DoctorArgs,
    /// This machine; absent if not even the region is known, which stands in a document that cannot be read.
    local: Option<Local>,
    /// What came of reading the stack file, if there is one.
    file: Option<Result<Stack, Failure>>,
}

/// Runs the command.
pub async fn run(args: DoctorArgs, cancel: &Cancel) -> Result<ExitCode, Failure> {
    let given = Given::read(args)?;
    let (output, context) = (given.args.output, given.local.as_ref().and_then(|local| local.context.clone()));
    let examining = Box::pin(examine(given));
    let groups = cancel.unless(CANCELLED, async { Ok(examining.await) }).await?;
    tell::all(&groups, context.as_ref(), output)?;
    let problem = groups.iter().flat_map(|group| &group.findings).any(|f| f.state == State::Problem);
    Ok(if problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Given {
    fn read(args: DoctorArgs) -> Result<Self, Failure> {
        let file = match &args.stack.stack_file {
            Some(path) => {
                // A file that is not there is bad input; one that makes no sense is a finding.
                let text = account::stack_text(path)?;
                Some(account::stack_document(&text, &path.display().to_string()))
            }
            None => None,
        };
        let stack = file.as_ref().and_then(|read| read.as_ref().ok()).cloned();
        let local = match Local::with_stack(&args.stack, stack) {
            Ok(local) => Some(local),
            Err(_) if matches!(file, Some(Err(_))) => None,
            Err(failure) => return Err(failure),
        };
        Ok(Self { args, local, file })
    }
}

async fn examine(given: Given) -> Vec<Group> {
    let Given { args, local, file } = given;
    let mut identity = match &local {
        Some(local) => identity::find_out(local).await,
        None => Identity::unknown(),
    };
    let (stack, document) = stack::read(&args.stack, local.as_ref(), file, identity.aws.as_ref()).await;
    if let (Some(stack), Some(local)) = (&stack, &local) {
        identity.findings.extend(identity::role(stack, local, identity.caller.as_ref()));
    }
    let aws = Group::new("AWS", identity.findings);
    let title = stack.as_ref().map_or_else(|| "Stack".to_owned(), |stack| format!("Stack {}", stack.name));
    let (Some(stack), Some(local)) = (stack, local) else {
        let rest = [Check::Cluster, Check::TaskDefinition, Check::MailboxWrite, Check::GithubCredentials];
        let rest = rest.map(|check| check.of("the stack").skipped(Check::StackDocument));
        let findings = [document].into_iter().chain(rest).collect();
        return vec![aws, Group::new(title, findings)];
    };

    let account = identity.aws.as_ref().map(|_| stack::account(&stack, identity.caller.as_ref()));
    // Whoever is in another account sees another account's things, or none.
    let in_aws = match &account {
        Some(finding) if finding.state == State::Problem => Err(Check::Account),
        None => Err(Check::AwsCredentials),
        Some(_) => identity.aws.as_ref().ok_or(Check::AwsCredentials),
    };
    let ((mut findings, pools, mailbox), (github, newest)) =
        tokio::join!(in_account(&stack, in_aws), github::look(&stack, &args, &local, identity.aws.as_ref()));
    findings.splice(0..0, [document].into_iter().chain(account));

    let mut groups = vec![aws, Group::new(title, findings)];
    let newest = newest.as_ref();
    groups.extend(stack.pools.iter().map(|pool| {
        let findings = match &pools {
            Ok(facts) => facts.judge(pool, newest),
            Err(because) => vec![Check::TaskDefinition.of(&pool.name).skipped(*because)],
        };
        Group::new(format!("Pool {}", pool.name), findings)
    }));
    groups.push(Group::new("Mailbox and logs", mailbox));
    groups.extend(github);
    groups
}

/// What is to be seen in the account: of the stack, of its pools, of its mailbox.
async fn in_account<'a>(
    stack: &'a Stack,
    aws: Result<&Aws, Check>,
) -> (Vec<Finding>, Result<pools::Facts<'a>, Check>, Vec<Finding>) {
    let aws = match aws {
        Ok(aws) => aws,
        Err(because) => {
            let mailbox = Check::MailboxWrite.of(&stack.mailbox.bucket).skipped(because);
            let cluster = Check::Cluster.of(&stack.cluster).skipped(because);
            return (vec![cluster], Err(because), vec![mailbox]);
        }
    };
    let nobody = nobody(stack);
    let tasks = aws.tasks(&stack.cluster);
    let ((cluster, found), mut pools, mailbox) = tokio::join!(
        stack::cluster(stack, &tasks),
        pools::Facts::look(stack, aws),
        mailbox::look(stack, aws, &nobody),
    );
    let may = if cluster.is_passable() {
        stack::tasks(stack, &tasks, &nobody).await
    } else {
        Check::Tasks.of(&stack.cluster).skipped(Check::Cluster)
    };
    pools.cluster = found;
    (vec![cluster, may], Ok(pools), mailbox)
}

/// A task that nobody has: to be asked for, to be stopped, and to have its mailbox emptied.
fn nobody(stack: &Stack) -> TaskArn {
    let place = stack::Place::of(stack);
    let plain =
        |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let [partition, region, account, cluster]: [String; 4] =
        [place.partition, place.region, place.account.unwrap_or("000000000000"), place.cluster].map(plain);
    let id = format!("{:032x}", rand::random::<u128>());
    format!("arn:{partition}:ecs:{region}:{account}:task/{cluster}/{id}")
        .parse()
        .expect("what is made of such parts is the ARN of a task")
}
