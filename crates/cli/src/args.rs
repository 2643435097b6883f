//! The command line, as it is typed. What it means is checked in [`crate::order`] and the commands.
//!
//! Every flag can also be given as a `FLEETFOOT_…` variable. Secrets have variables and files only: what
//! stands in argv can be read by every process of the machine.

mod connect;
mod demo;
mod look;
mod serve;

pub use connect::{ConnectArgs, OrgVisibility, SecretArg, SecretPlace};
pub use demo::{DemoArgs, Rerun};
pub use look::{LogsArgs, StatusArgs};
pub use serve::ServeArgs;

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use fleetfoot_core::ids::Key;
use fleetfoot_core::label::Label;
use fleetfoot_core::stack::KeySource;
use fleetfoot_sim::faults::Fault;
use jiff::SignedDuration;

use crate::lines::Lines;
use crate::variables;

/// A fresh, single-use GitHub Actions runner on Amazon ECS for every job that asks for one.
#[derive(Debug, Parser)]
#[command(
    name = "fleetfoot",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done · 1 failed · 2 bad input, nothing was created · 4 credentials missing or \
                  refused · 130 and 143 cancelled by SIGINT and SIGTERM.\n`fleetfoot agent` has its own: see \
                  docs/agent.md."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// What to log to stderr: error, warn, info or debug, or a list like fleetfoot=debug,hyper=info.
    #[arg(long, global = true, env = "FLEETFOOT_LOG", value_name = "LEVEL", default_value = "warn")]
    pub log: String,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start runners for jobs of this run and wait until they are there.
    Start(Box<StartArgs>),
    /// Take away the runners that start brought.
    Stop(StopArgs),
    /// Check from here what start will need, and say what to do about what is wrong. Changes nothing.
    Doctor(DoctorArgs),
    /// Find what nobody wants any more, such as what a killed start has left behind, and take it away.
    Reap(ReapArgs),
    /// Be the autoscaler: hear from GitHub's scale-set queue how many jobs there are, and keep as many runners.
    ///
    /// Each runner becomes an OpenTelemetry trace if OTEL_EXPORTER_OTLP_ENDPOINT names a collector; docs/serve.md lists
    /// the variables that count.
    Serve(Box<ServeArgs>),
    /// Show how the stack is: its scale sets, pools, and each runner with how far it is.
    Status(StatusArgs),
    /// Show what a runner's task has logged.
    Logs(LogsArgs),
    /// Make the GitHub App that Fleetfoot acts as, and keep its private key in AWS.
    App(AppArgs),
    /// Set at GitHub what workflows need to start runners: environment, variables and, if asked, secrets.
    Connect(ConnectArgs),
    /// Run a workflow on simulated GitHub and AWS, with real processes, to see how it works.
    Demo(DemoArgs),
    /// Be PID 1 of the task: take an assignment, run one runner for one job, leave.
    Agent(AgentArgs),
    /// Serve simulated GitHub and AWS for any client, until interrupted.
    Sim(SimArgs),
}

/// What start, stop and reap have in common: the stack, and as whom to act.
#[derive(Debug, Args)]
pub struct StackArgs {
    /// Stack to use: reads the stack document from the SSM parameter /fleetfoot/NAME.
    #[arg(long, env = "FLEETFOOT_STACK", value_name = "NAME")]
    pub stack: Option<String>,

    /// Stack document to use, from a file.
    #[arg(long, env = "FLEETFOOT_STACK_FILE", value_name = "PATH", conflicts_with = "stack")]
    pub stack_file: Option<PathBuf>,

    /// AWS region of the stack [default: the stack document's, else AWS_REGION].
    #[arg(long, env = "FLEETFOOT_REGION", value_name = "REGION")]
    pub region: Option<String>,

    /// IAM role to assume through the job's OIDC token [default: the stack file's launcher_role, else the
    /// AWS SDK's default credentials].
    #[arg(long, env = "FLEETFOOT_ROLE", value_name = "ARN")]
    pub role: Option<String>,

    /// Patterns of the OIDC subject that the role trusts; only used to explain a refusal. Repeat, or
    /// separate by commas.
    #[arg(long, env = "FLEETFOOT_ROLE_SUBJECT", value_name = "PATTERN", value_delimiter = ',')]
    pub role_subject: Vec<String>,

    /// File with a GitHub token that may manage runners [or the variable FLEETFOOT_GITHUB_TOKEN, else
    /// GH_TOKEN].
    #[arg(long, env = "FLEETFOOT_GITHUB_TOKEN_FILE", value_name = "PATH")]
    pub github_token_file: Option<PathBuf>,

    /// Client id of the GitHub App to act as [default: the stack's].
    #[arg(long, env = "FLEETFOOT_APP_CLIENT_ID", value_name = "ID", requires = "app_key")]
    pub app_client_id: Option<String>,

    /// Installation of the App [default: looked up].
    #[arg(long, env = "FLEETFOOT_APP_INSTALLATION_ID", value_name = "N", requires = "app_client_id")]
    pub app_installation_id: Option<u64>,

    /// Where the App's private key is: kms:ARN, secretsmanager:ARN, file:PATH or env:VARIABLE. In KMS nobody can
    /// read it.
    // A key that somebody typed begins with a dash, and would be quoted as an argument that nobody knows.
    #[arg(
        long,
        env = "FLEETFOOT_APP_KEY",
        value_name = "PLACE",
        requires = "app_client_id",
        allow_hyphen_values = true
    )]
    pub app_key: Option<KeySource>,
}

/// Arguments of `fleetfoot start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Stack and credentials.
    #[command(flatten)]
    pub stack: StackArgs,

    /// Pool to take tasks from [default: the stack's first].
    #[arg(long, env = "FLEETFOOT_POOL", value_name = "NAME")]
    pub pool: Option<String>,

    /// How many runners, 1 to 100; they share the label, as a matrix wants.
    #[arg(long, env = "FLEETFOOT_COUNT", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub count: u16,

    /// CPU units of a task (1024 are one vCPU) [default: the pool's].
    #[arg(long, env = "FLEETFOOT_CPU", value_name = "UNITS")]
    pub cpu: Option<u32>,

    /// Memory of a task in MiB [default: the pool's].
    #[arg(long, env = "FLEETFOOT_MEMORY", value_name = "MIB")]
    pub memory: Option<u32>,

    /// Ephemeral storage of a task in GiB, 21 to 200 [default: Fargate's 20].
    #[arg(long, env = "FLEETFOOT_EPHEMERAL_STORAGE", value_name = "GIB")]
    pub ephemeral_storage: Option<u32>,

    /// Label for the runners beside their own. Repeat for more; in the variable, one a line.
    #[arg(long = "label", env = "FLEETFOOT_LABEL", value_name = "LABEL")]
    pub labels: Vec<Lines<Label>>,

    /// Runner group, for organisations.
    #[arg(long, env = "FLEETFOOT_RUNNER_GROUP", value_name = "NAME", default_value = "Default")]
    pub runner_group: String,

    /// Name of this start within the run; started again with the same key, it finds what is there
    /// [default: the job's id; needed outside a workflow].
    #[arg(long, env = "FLEETFOOT_KEY", value_name = "KEY")]
    pub key: Option<Key>,

    /// How long to try before giving up and taking everything away.
    #[arg(long, env = "FLEETFOOT_TIMEOUT", value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub timeout: SignedDuration,

    /// Label of another runner to fall back to when none can be had, such as ubuntu-latest: the step succeeds
    /// with it in `runs-on`, and says why.
    #[arg(long, env = "FLEETFOOT_FALLBACK", value_name = "LABEL")]
    pub fallback: Option<Label>,

    /// How far the runners must be: online at GitHub, their task running, or just asked for.
    #[arg(long, env = "FLEETFOOT_WAIT", value_name = "STATE", default_value = "online")]
    pub wait: Wait,

    /// Stay until the runners have had their jobs, and fail if one of those failed: then "Re-run failed jobs" at GitHub
    /// runs this again, too. The jobs must not need this one; see examples/rerun.yml.
    #[arg(long, env = "FLEETFOOT_HOLD", conflicts_with = "fallback")]
    pub hold: bool,

    /// How long to wait between two looks at ECS and GitHub.
    #[arg(long, env = "FLEETFOOT_POLL", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub poll: SignedDuration,

    /// How long a runner waits for a job before it leaves.
    #[arg(long, env = "FLEETFOOT_IDLE_TIMEOUT", value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub idle_timeout: SignedDuration,

    /// How long a runner may live, its job included.
    #[arg(long, env = "FLEETFOOT_MAX_LIFETIME", value_name = "DURATION", default_value = "6h", value_parser = duration)]
    pub max_lifetime: SignedDuration,

    /// Output on stdout.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Arguments of `fleetfoot stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Stack and credentials.
    #[command(flatten)]
    pub stack: StackArgs,

    /// Key of the start [default: all starts of the run].
    #[arg(long, env = "FLEETFOOT_KEY", value_name = "KEY")]
    pub key: Option<Key>,

    /// Run whose runners are meant [default: this run].
    #[arg(long, env = "FLEETFOOT_RUN_ID", value_name = "ID")]
    pub run_id: Option<u64>,

    /// Label of the runners, instead of run and key.
    #[arg(long, env = "FLEETFOOT_RUN_LABEL", value_name = "LABEL", conflicts_with_all = ["key", "run_id"])]
    pub label: Option<Label>,

    /// ARN of a task, instead of run and key. Repeat for more.
    #[arg(long = "task", env = "FLEETFOOT_TASK", value_name = "ARN", conflicts_with_all = ["key", "run_id", "label"])]
    pub tasks: Vec<Lines<fleetfoot_core::ids::TaskArn>>,

    /// Stop a task even though a job runs on it: the job fails.
    #[arg(long, env = "FLEETFOOT_FORCE")]
    pub force: bool,

    /// Wait until the tasks have stopped, for their whole time and cost.
    #[arg(long, env = "FLEETFOOT_WAIT_STOPPED")]
    pub wait: bool,

    /// How long to try.
    #[arg(long, env = "FLEETFOOT_TIMEOUT", value_name = "DURATION", default_value = "3m", value_parser = duration)]
    pub timeout: SignedDuration,

    /// How long to wait between two looks at ECS.
    #[arg(long, env = "FLEETFOOT_POLL", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub poll: SignedDuration,

    /// Output on stdout.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Arguments of `fleetfoot reap`.
#[derive(Debug, Args)]
pub struct ReapArgs {
    /// Stack and credentials.
    #[command(flatten)]
    pub stack: StackArgs,

    /// Take away what was found; without it, it is only shown.
    #[arg(long, env = "FLEETFOOT_YES")]
    pub yes: bool,

    /// Count everything that is older than this as not wanted, also of runs that go on. What is busy stays
    /// all the same.
    #[arg(long, env = "FLEETFOOT_OLDER_THAN", value_name = "DURATION", value_parser = duration)]
    pub older_than: Option<SignedDuration>,

    /// How long to try.
    #[arg(long, env = "FLEETFOOT_TIMEOUT", value_name = "DURATION", default_value = "3m", value_parser = duration)]
    pub timeout: SignedDuration,

    /// How long to wait between two looks at ECS.
    #[arg(long, env = "FLEETFOOT_POLL", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub poll: SignedDuration,

    /// Output on stdout.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Arguments of `fleetfoot doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Stack and credentials.
    #[command(flatten)]
    pub stack: StackArgs,

    /// Runner group that runners will be started in, beside those of the stack's scale sets.
    #[arg(long, env = "FLEETFOOT_RUNNER_GROUP", value_name = "NAME", default_value = "Default")]
    pub runner_group: String,

    /// Output on stdout.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Arguments of `fleetfoot app`.
#[derive(Debug, Args)]
pub struct AppArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AppCommand,
}

/// What can be done with the App.
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Create a GitHub App with the least permissions, in the browser; its key goes to AWS at once.
    Create(AppCreateArgs),
    /// Bring the private key of an App that is there to AWS.
    Import(AppImportArgs),
}

/// Where an App's private key is kept.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// Where to keep the key: in KMS nobody can read it again.
    #[arg(long, env = "FLEETFOOT_APP_KEEP_IN", value_name = "SERVICE", default_value = "kms")]
    pub into: KeyStore,

    /// AWS region of the stack [default: AWS_REGION, else the AWS profile's].
    #[arg(long, env = "FLEETFOOT_REGION", value_name = "REGION")]
    pub region: Option<String>,

    /// Output on stdout.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// A service that keeps keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyStore {
    /// AWS KMS: the key signs there and is never read.
    Kms,
    /// AWS Secrets Manager: whoever may read the secret has the key.
    SecretsManager,
}

/// Arguments of `fleetfoot app create`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("owner").required(true))]
pub struct AppCreateArgs {
    /// Organisation that shall own the App.
    #[arg(long, env = "FLEETFOOT_APP_ORG", value_name = "LOGIN", group = "owner")]
    pub org: Option<String>,

    /// Let the user who is logged in own it; it then manages runners of their repositories.
    #[arg(long, env = "FLEETFOOT_APP_USER", group = "owner")]
    pub user: bool,

    /// Let the App manage the runners of single repositories instead of the organisation's own. GitHub calls
    /// that permission the administration of the repository.
    #[arg(long, env = "FLEETFOOT_APP_REPOSITORIES")]
    pub repositories: bool,

    /// Name of the App, at most 34 characters, unique at GitHub [default: Fleetfoot and the organisation].
    #[arg(long, env = "FLEETFOOT_APP_NAME", value_name = "NAME")]
    pub name: Option<String>,

    /// Name of the key or secret in AWS [default: fleetfoot/ and the App's].
    #[arg(long, env = "FLEETFOOT_APP_KEY_NAME", value_name = "NAME")]
    pub key_name: Option<String>,

    /// Address of GitHub.
    #[arg(long, env = "FLEETFOOT_GITHUB_URL", value_name = "URL", default_value = "https://github.com")]
    pub github_url: String,

    /// Do not open a browser; print the page's address only.
    #[arg(long, env = "FLEETFOOT_NO_BROWSER")]
    pub no_browser: bool,

    /// How long to wait for somebody to press the button.
    #[arg(long, env = "FLEETFOOT_TIMEOUT", value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub timeout: SignedDuration,

    /// Where the key goes.
    #[command(flatten)]
    pub keep: KeepArgs,
}

/// Arguments of `fleetfoot app import`.
#[derive(Debug, Args)]
pub struct AppImportArgs {
    /// File with the private key, as GitHub made it; - for standard input.
    #[arg(long, env = "FLEETFOOT_APP_KEY_FILE", value_name = "PATH")]
    pub key: PathBuf,

    /// Name of the key or secret in AWS.
    #[arg(long, env = "FLEETFOOT_APP_KEY_NAME", value_name = "NAME", default_value = "fleetfoot/github-app")]
    pub name: String,

    /// Where the key goes.
    #[command(flatten)]
    pub keep: KeepArgs,
}

/// Arguments of `fleetfoot agent`.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// Where the assignment will be, from the task's override. Without it the agent registers its runner
    /// itself, as the variables in docs/agent.md say.
    #[arg(long, env = "FLEETFOOT_MAILBOX", value_name = "S3-URL", requires = "metadata_uri")]
    pub mailbox: Option<fleetfoot_core::assignment::MailboxPrefix>,

    /// Task metadata endpoint, set by ECS.
    #[arg(long, env = "ECS_CONTAINER_METADATA_URI_V4", value_name = "URL")]
    pub metadata_uri: Option<String>,

    /// Folder of GitHub's runner.
    #[arg(long, env = "FLEETFOOT_RUNNER_DIR", value_name = "PATH", default_value = "/home/runner")]
    pub runner_dir: PathBuf,

    /// User to run it as; empty to stay who we are. (A variable that is empty counts as not set: give the flag.)
    #[arg(long, env = "FLEETFOOT_RUNNER_USER", value_name = "NAME", default_value = "runner")]
    pub runner_user: String,

    /// How long to wait for an assignment, or for GitHub to register the runner.
    #[arg(long, env = "FLEETFOOT_BIND_TIMEOUT", value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub bind_timeout: SignedDuration,

    /// The task's stopTimeout: how long a running job may go on after SIGTERM.
    #[arg(long, env = "FLEETFOOT_STOP_GRACE", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub stop_grace: SignedDuration,

    /// Let jobs use the task role.
    #[arg(long, env = "FLEETFOOT_JOB_CREDENTIALS")]
    pub job_credentials: bool,

    /// Environment variable to pass on to the runner beside the usual ones. Repeat, or separate by commas.
    #[arg(long, env = "FLEETFOOT_PASS_ENV", value_name = "NAME", value_delimiter = ',')]
    pub pass_env: Vec<String>,

    /// How long a runner that registered itself waits for a job before it leaves.
    #[arg(long, env = "FLEETFOOT_IDLE_TIMEOUT", value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub idle_timeout: SignedDuration,

    /// How long a runner that registered itself may live, its job included.
    #[arg(long, env = "FLEETFOOT_MAX_LIFETIME", value_name = "DURATION", default_value = "6h", value_parser = duration)]
    pub max_lifetime: SignedDuration,

    /// How long the installation of ADDITIONAL_PACKAGES may take.
    #[arg(long, env = "FLEETFOOT_PACKAGES_TIMEOUT", value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub packages_timeout: SignedDuration,
}

/// Arguments of `fleetfoot sim`.
#[derive(Debug, Args)]
pub struct SimArgs {
    /// What to serve instead: the stand-in for GitHub's runner reads its JIT configuration from
    /// ACTIONS_RUNNER_INPUT_JITCONFIG.
    #[command(subcommand)]
    pub part: Option<SimPart>,

    /// What shall go wrong; docs/faults.md lists it. Repeat, or separate by spaces.
    #[arg(long = "fault", env = "FLEETFOOT_SIM_FAULT", value_name = "FAULT", value_delimiter = ' ')]
    pub faults: Vec<Fault>,

    /// Seed of the faults' dice.
    #[arg(long, env = "FLEETFOOT_SIM_SEED", value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Directory whose files are the simulated repository.
    #[arg(long, env = "FLEETFOOT_SIM_FILES", value_name = "PATH", default_value = ".")]
    pub files: PathBuf,

    /// How long simulated ECS takes to start a task: quick, or Fargate's published times.
    #[arg(long, env = "FLEETFOOT_SIM_TIMING", value_name = "TIMING", default_value = "quick")]
    pub timing: Timing,

    /// Output on stdout.
    #[arg(long, env = "FLEETFOOT_OUTPUT", value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Parts of the simulators that are processes of their own.
#[derive(Debug, Subcommand)]
pub enum SimPart {
    /// Stand in for GitHub's runner; what the script bin/Runner.Listener of a simulated image calls.
    #[command(hide = true)]
    Runner {
        /// `run`, as the real one wants.
        command: String,
        /// The runner's folder.
        #[arg(long)]
        root: PathBuf,
    },
}

/// How far runners must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// GitHub sees them.
    Online,
    /// Their tasks run.
    Running,
    /// They are asked for and their assignments lie ready.
    None,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// How long simulated tasks take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Timing {
    /// About a second.
    Quick,
    /// As published for Fargate: about twenty seconds.
    Fargate,
}

impl Cli {
    /// Reads arguments and environment.
    pub fn read() -> Self {
        let typed: Vec<String> =
            std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        let command = variables::that_count(Self::command(), &typed, &|name| std::env::var_os(name));
        match command.try_get_matches().and_then(|matches| Self::from_arg_matches(&matches)) {
            Ok(cli) => cli,
            Err(error) => unquoted(error).exit(),
        }
    }
}

/// Flags that name the place of a secret. Somebody types the secret itself one day.
const NAME_SECRETS: [&str; 2] = ["--app-key", "--secret"];

/// The error without what was typed for such a flag, which would stand in the log of a job.
fn unquoted(mut error: clap::Error) -> clap::Error {
    let names_one =
        |argument: &str| NAME_SECRETS.iter().any(|flag| argument.split_whitespace().next() == Some(flag));
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && names_one(argument)
    {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    error
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .filter(SignedDuration::is_positive)
        .ok_or_else(|| "a duration is written like 90s, 5m or 1h30m".to_owned())
}
