//! Opening the doors: which stack, as whom at AWS, as whom at GitHub.
//!
//! [`Local`] is what this machine knows; [`Account`] is what the services have confirmed. Nothing is
//! created on the way.

use std::env;
use std::path::Path;

use fleetfoot_aws::{Aws, EcsTasks, Identity, Options, S3Mailbox, TrustRefused, WebIdentity};
use fleetfoot_core::fault::Fault;
use fleetfoot_core::stack::Stack;
use fleetfoot_github::{Clock, GitHubRunners, OidcEndpoint, Scope, WorkflowContext};
use fleetfoot_net::Network;
use jiff::Timestamp;

use crate::args::StackArgs;
use crate::failure::{Exit, Failure};
use crate::github_credentials;
use crate::network::network;
use crate::trust;

/// The audience that AWS wants in an OIDC token.
pub(crate) const AUDIENCE: &str = "sts.amazonaws.com";

/// What this machine knows, without a call.
#[derive(Debug)]
pub struct Local {
    /// The workflow job this runs in, if it does.
    pub context: Option<WorkflowContext>,
    /// The stack document, if it came from a file.
    pub stack: Option<Stack>,
    pub(crate) region: String,
    pub(crate) role: Option<String>,
    subjects: Vec<String>,
    pub(crate) network: Network,
}

/// The stack and its doors, with credentials that were accepted.
#[derive(Debug)]
pub struct Account {
    /// The stack.
    pub stack: Stack,
    /// The workflow job this runs in, if it does.
    pub context: Option<WorkflowContext>,
    /// AWS.
    pub aws: Aws,
    /// ECS.
    pub tasks: EcsTasks,
    /// The mailbox.
    pub outbox: S3Mailbox,
    /// GitHub, where the runners of starts are.
    pub runners: GitHubRunners,
    /// GitHub, in the other places of the stack's scale sets.
    pub elsewhere: Vec<GitHubRunners>,
}

impl Local {
    /// Reads the stack file and the job's variables.
    pub fn read(args: &StackArgs) -> Result<Self, Failure> {
        let stack = args.stack_file.as_deref().map(stack_file).transpose()?;
        Self::with_stack(args, stack)
    }

    /// Reads the job's variables, with the document of the stack file, if there is one that can be used.
    pub(crate) fn with_stack(args: &StackArgs, stack: Option<Stack>) -> Result<Self, Failure> {
        let network = network()?;
        let context = WorkflowContext::from_vars(variable)?;
        if args.stack_file.is_none() && args.stack.is_none() {
            return Err(Failure::usage(
                "no stack was named",
                "Name it with --stack NAME (FLEETFOOT_STACK) or --stack-file PATH.",
            ));
        }
        let of_stack = stack.as_ref().map(|s| s.region.clone());
        let of_sdk = || variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
        let region = args.region.clone().or(of_stack).or_else(of_sdk).ok_or_else(|| {
            Failure::usage(
                "no AWS region was named",
                "Name it with --region or AWS_REGION, such as eu-west-1.",
            )
        })?;
        let role = args.role.clone().or_else(|| stack.as_ref().and_then(|s| s.launcher_role.clone()));
        let mut subjects = args.role_subject.clone();
        subjects.extend(stack.iter().flat_map(|s| s.launcher_subjects.clone()));
        Ok(Self { context, stack, region, role, subjects, network })
    }
}

impl Local {
    fn options(&self) -> Options {
        Options { region: Some(self.region.clone()), endpoint: None, network: self.network.clone() }
    }
}

impl Account {
    /// Gets credentials, reads the stack document and prepares the ports.
    pub async fn open(local: Local, args: &StackArgs) -> Result<Self, Failure> {
        let aws = connect(&local).await?;
        let stack = match (local.stack, &args.stack) {
            (Some(stack), _) => stack,
            (None, Some(name)) => stack_parameter(&aws, name).await?,
            (None, None) => return Err(Failure::usage("no stack was named", "Name it with --stack NAME.")),
        };
        let tasks = aws.tasks(&stack.cluster);
        let outbox = aws.mailbox(&stack.mailbox.bucket);
        let runners = runners(&stack, args, Some(&aws), local.context.is_some(), &local.network).await?;
        let elsewhere = elsewhere(&stack, &runners)?;
        Ok(Self { stack, context: local.context, aws, tasks, outbox, runners, elsewhere })
    }

    /// GitHub, in each of the [stack's places](Stack::places).
    pub fn places(&self) -> impl Iterator<Item = &GitHubRunners> {
        [&self.runners].into_iter().chain(&self.elsewhere)
    }
}

pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn stack_file(path: &Path) -> Result<Stack, Failure> {
    stack_document(&stack_text(path)?, &path.display().to_string())
}

pub(crate) fn stack_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(
            format!("cannot read the stack file {}: {error}", path.display()),
            "Name an existing file with --stack-file.",
        )
    })
}

pub(crate) async fn stack_parameter(aws: &Aws, name: &str) -> Result<Stack, Failure> {
    let parameter = format!("/fleetfoot/{name}");
    let text = aws.parameter(&parameter).await?;
    let stack = stack_document(&text, &format!("SSM parameter {parameter}"))?;
    if stack.name.as_str() == name {
        return Ok(stack);
    }
    Err(Failure::usage(
        format!("the SSM parameter {parameter} holds the stack {}", stack.name),
        "A stack's parameter carries its name; rename one of them.",
    ))
}

pub(crate) fn stack_document(text: &str, place: &str) -> Result<Stack, Failure> {
    Stack::from_json(text).map_err(|error| {
        Failure::usage(
            format!("the stack document in {place} cannot be used: {error}"),
            "Mend it there; docs/stack.schema.json describes every field.",
        )
    })
}

/// As whom at AWS: the role through OIDC if there is one and the job offers a token, else whatever the
/// SDK's default chain finds.
pub(crate) async fn connect(local: &Local) -> Result<Aws, Failure> {
    let endpoint = local.context.as_ref().and_then(|c| c.oidc.as_ref());
    match (&local.role, endpoint) {
        (Some(role), Some(endpoint)) => assume(local, role, endpoint).await,
        (Some(role), None) => {
            match (by_default_chain(local).await, &local.context) {
                // The job could have had a token, and has nothing else: say which permission it lacks.
                (Err(_), Some(context)) => {
                    let fault = context.require_oidc().err();
                    let why = fault.as_ref().map(|f| f.why.clone()).unwrap_or_default();
                    Err(Failure {
                        class: "denied".into(),
                        sentence: format!("cannot assume {role}: {why}"),
                        remedy: fault.and_then(|f| f.remedy),
                        exit: Exit::Denied,
                    })
                }
                (aws, _) => Ok(aws?),
            }
        }
        (None, _) => Ok(by_default_chain(local).await?),
    }
}

async fn by_default_chain(local: &Local) -> Result<Aws, Fault> {
    let aws = Aws::connect(local.options(), Identity::DefaultChain).await?;
    aws.check_credentials().await?;
    Ok(aws)
}

async fn assume(local: &Local, role: &str, endpoint: &OidcEndpoint) -> Result<Aws, Failure> {
    let session = match &local.context {
        Some(context) => format!("fleetfoot-{}-{}", context.run_id, context.run_attempt),
        None => "fleetfoot".to_owned(),
    };
    let renew = (endpoint.clone(), local.network.clone());
    let identity = WebIdentity::new(role, &session, move || {
        let (endpoint, network) = renew.clone();
        async move { Ok(endpoint.fetch(AUDIENCE, &network).await?.secret().clone()) }
    });
    let aws = Aws::connect(local.options(), Identity::WebIdentity(identity)).await?;
    match aws.check_credentials().await {
        Ok(()) => Ok(aws),
        Err(fault) => match TrustRefused::of(&fault) {
            // Only now is it worth a second token, to read what it says of itself.
            Some(refused) => {
                let claims = endpoint.fetch(AUDIENCE, &local.network).await?.claims();
                Err(trust::explain(refused, claims.as_ref(), &local.subjects))
            }
            None => Err(fault.into()),
        },
    }
}

/// As whom at GitHub. `aws` is asked only for an App's key that lies in KMS or in Secrets Manager.
pub(crate) async fn runners(
    stack: &Stack,
    args: &StackArgs,
    aws: Option<&Aws>,
    in_workflow: bool,
    network: &Network,
) -> Result<GitHubRunners, Failure> {
    let scope = scope(stack, &stack.github.url)?;
    let credentials = github_credentials::of(stack, args, aws, in_workflow).await?;
    Ok(GitHubRunners::new(scope, credentials, Clock::new(Timestamp::now), network)?)
}

/// GitHub in the stack's other places, with the credentials of this one.
pub(crate) fn elsewhere(stack: &Stack, runners: &GitHubRunners) -> Result<Vec<GitHubRunners>, Failure> {
    let others = stack.places().into_iter().skip(1);
    others.map(|url| Ok(runners.at(scope(stack, url)?))).collect()
}

fn scope(stack: &Stack, url: &str) -> Result<Scope, Failure> {
    let scope = Scope::parse(url).and_then(|scope| match &stack.github.api_url {
        Some(api_url) => scope.with_api_url(api_url),
        None => Ok(scope),
    });
    scope.map_err(|error| {
        Failure::usage(
            format!("the stack {}: github: {error}", stack.name),
            "Write the organisation, repository or enterprise, such as https://github.com/acme/shop.",
        )
    })
}
