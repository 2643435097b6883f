//! The world of a demo: one simulated GitHub with a repository, one simulated AWS account with a stack.
//!
//! It is furnished as an administrator would furnish the real ones, with roles of least privilege, and
//! nothing in it is known to the simulators themselves. The "image" of the tasks is a local program:
//! the real `fleetfoot agent` in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fleetfoot_aws::{FargateVcpus, RUNNER_VERSION_TAG};
use fleetfoot_sim::aws::{
    AwsConfig, AwsSim, Capacity, CapacityProvider, Cluster, ContainerDefinition, LifecycleRule, LocalImage,
    LogConfiguration, NetworkMode, OidcProvider, Role, RuntimePlatform, Shortage, Tag, TaskDefinition,
    Timing, User, tasks_trust_policy,
};
use fleetfoot_sim::book::Book;
use fleetfoot_sim::events::Bus;
use fleetfoot_sim::faults::{Control, Faults};
use fleetfoot_sim::github::{GithubConfig, GithubSim, Level, RepositorySpec, TokenKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::demo::action;
use crate::failure::Failure;
use crate::order::random;

/// The AWS region of the demo.
pub const REGION: &str = "us-east-1";
/// The stack's name.
pub const STACK: &str = "demo";
/// The repository that the workflow belongs to.
pub const REPOSITORY: &str = "octo-org/demo";
/// Who starts its runs.
pub const ACTOR: &str = "mona";
/// The environments that hold variables and secrets.
pub const ENVIRONMENTS: [&str; 2] = ["dev", "production"];
/// The cluster's name.
pub const CLUSTER: &str = "fleetfoot-demo";
/// The mailbox bucket.
pub const BUCKET: &str = "fleetfoot-demo-mailbox";

/// The runner image.
pub const IMAGE: &str = "fleetfoot-runner:demo";
/// How many tasks the instances of the pool EC2 have room for.
pub const ON_INSTANCES: usize = 4;

const LOG_GROUP: &str = "/fleetfoot/demo";
/// The runner that the stand-in stands in for.
const RUNNER_VERSION: &str = "2.336.0";
const ASG: &str = "fleetfoot-demo-ec2";

/// What to furnish.
#[derive(Debug)]
pub struct Furniture {
    /// The repository's files.
    pub files: PathBuf,
    /// The `fleetfoot` program that jobs and tasks run.
    pub program: PathBuf,
    /// What shall go wrong.
    pub faults: Faults,
    /// How long things take.
    pub pace: Pace,
}

/// Sets how long things take, before the simulators start.
pub type Pace = fn(&mut AwsConfig, &mut GithubConfig);

/// Tasks come up within a second.
pub fn quick(_: &mut AwsConfig, _: &mut GithubConfig) {}

/// Tasks take as long as Fargate's published times.
pub fn as_fargate(aws: &mut AwsConfig, _: &mut GithubConfig) {
    aws.fargate_timing = Timing::fargate();
}

/// A simulated AWS user for clients outside the demo.
#[derive(Debug, Clone)]
pub struct Keys {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
}

/// The furnished world.
pub struct World {
    /// Simulated GitHub.
    pub github: GithubSim,
    /// Simulated AWS.
    pub aws: AwsSim,
    /// Where faults are armed from outside.
    pub control: Control,
    /// Every call made to either.
    pub book: Book,
    /// What happens in either.
    pub bus: Bus,
    /// The stack document.
    pub stack: Value,
    /// ARN of the launcher role.
    pub launcher_role: String,
    /// A token that may manage the repository's runners.
    pub token: String,
    /// An AWS user that may do everything.
    pub keys: Keys,
    /// Everything on disk that goes away with it.
    pub home: TempDir,
}

impl World {
    /// Starts and furnishes both.
    ///
    /// # Errors
    /// The machine gives no port, folder or process.
    pub async fn start(furniture: &Furniture) -> Result<Self, Failure> {
        Self::furnish(furniture).await.map_err(|error| {
            Failure::failed(
                "io",
                format!("cannot start the simulators: {error}"),
                "See whether the disk is full.",
            )
        })
    }

    async fn furnish(furniture: &Furniture) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let home = tempfile::Builder::new().prefix("fleetfoot-demo-").tempdir()?;
        let bin = home.path().join("bin");
        fs::create_dir(&bin)?;
        symlink(&furniture.program, bin.join("fleetfoot"))?;
        let (book, bus) = (Book::default(), Bus::default());

        let faults = furniture.faults.clone();
        let mut of_aws =
            AwsConfig { region: REGION.to_owned(), faults: faults.clone(), ..AwsConfig::default() };
        let mut config = GithubConfig::new(home.path().join("hosted"));
        config.latest_runner_version = RUNNER_VERSION.into();
        config.faults = faults.clone();
        config.published = action::publish(&home.path().join("action"))?;
        (furniture.pace)(&mut of_aws, &mut config);
        let aws = AwsSim::start(of_aws, book.clone(), bus.clone()).await?;
        config.hosted.path_prepend = vec![bin];
        config.hosted.env = BTreeMap::from([
            // What makes an ordinary AWS SDK talk to the simulator.
            ("AWS_ENDPOINT_URL".to_owned(), aws.endpoint()),
            // Simulated tasks are quick; looking once a second would be most of the time.
            ("FLEETFOOT_POLL".to_owned(), "100ms".to_owned()),
        ]);
        let github = GithubSim::start(config, book.clone(), bus.clone()).await?;

        let launcher_role = furnish_aws(&aws, &github, home.path(), &furniture.program)?;
        let stack = stack(&github, &launcher_role, aws.account());
        aws.put_parameter(&format!("/fleetfoot/{STACK}"), &stack.to_string())?;
        let keys = Keys {
            access_key_id: format!("AKIA{}", random(16).to_uppercase()),
            secret_access_key: random(40),
        };
        aws.add_user(User {
            name: ACTOR.into(),
            access_key_id: keys.access_key_id.clone(),
            secret_access_key: keys.secret_access_key.clone(),
            policies: vec![policy(&[(&["*"], "*", json!({}))])],
        })?;
        let token = furnish_github(&github, &furniture.files, &launcher_role)?;
        let control = Control::start(faults, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        Ok(Self { github, aws, control, book, bus, stack, launcher_role, token, keys, home })
    }

    /// Stops both, with every process they have started.
    pub async fn shutdown(self) {
        self.control.shutdown().await;
        self.github.shutdown().await;
        self.aws.shutdown().await;
    }
}

fn furnish_github(
    github: &GithubSim,
    files: &Path,
    launcher_role: &str,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    github.add_user(ACTOR)?;
    github.add_organization("octo-org", &[ACTOR])?;
    github.add_repository(RepositorySpec::new(REPOSITORY, files))?;
    // Where GitHub's runner is released, for everybody to see.
    github.add_organization("actions", &[])?;
    github
        .add_repository(RepositorySpec { private: false, ..RepositorySpec::new("actions/runner", files) })?;
    let token = github.add_token(
        ACTOR,
        TokenKind::FineGrained {
            resource_owner: "octo-org".into(),
            repositories: Some(vec![REPOSITORY.into()]),
            permissions: [("administration".to_owned(), Level::Write), ("actions".to_owned(), Level::Read)]
                .into_iter()
                .collect(),
        },
    )?;
    let vars = [("FLEETFOOT_STACK", STACK), ("FLEETFOOT_ROLE", launcher_role), ("AWS_REGION", REGION)];
    for environment in ENVIRONMENTS {
        github.add_environment(
            REPOSITORY,
            environment,
            vars.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            [("FLEETFOOT_GITHUB_TOKEN".to_owned(), token.clone())].into(),
        )?;
    }
    Ok(token)
}

fn furnish_aws(
    aws: &AwsSim,
    github: &GithubSim,
    home: &Path,
    program: &Path,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let account = aws.account();
    aws.create_bucket(BUCKET);
    aws.set_lifecycle(BUCKET, vec![after_a_day("mailbox/")]);
    aws.create_log_group(LOG_GROUP);
    aws.add_subnet("subnet-0a1b2c3d4e5f60718", "us-east-1a");
    aws.add_security_group("sg-0a1b2c3d4e5f60718");
    for quota in [FargateVcpus::OnDemand, FargateVcpus::Spot] {
        aws.set_quota(quota.code(), 256.0);
    }
    let instances = Capacity::Slots { count: ON_INSTANCES, shortage: Shortage::Cpu };
    aws.create_cluster(Cluster {
        capacity_providers: vec![
            CapacityProvider::new("FARGATE"),
            CapacityProvider::new("FARGATE_SPOT"),
            CapacityProvider { name: ASG.into(), capacity: instances },
        ],
        ..Cluster::new(CLUSTER, &[])
    });

    let trust_tasks = tasks_trust_policy();
    let execution_role = aws.add_role(Role::new(
        "fleetfoot-demo-execution",
        trust_tasks.clone(),
        vec![policy(&[(&["logs:CreateLogStream", "logs:PutLogEvents"], "*", json!({}))])],
    ))?;
    let objects = format!("arn:aws:s3:::{BUCKET}/mailbox/*");
    let task_role = aws.add_role(Role::new(
        "fleetfoot-demo-task",
        trust_tasks,
        vec![policy(&[(&["s3:GetObject", "s3:DeleteObject"], &objects, json!({}))])],
    ))?;

    let provider = OidcProvider::new(github.issuer());
    let host = provider.name.clone();
    let provider_arn = aws.add_oidc_provider(provider);
    let trust_jobs = json!({ "Version": "2012-10-17", "Statement": [ {
        "Effect": "Allow",
        "Principal": { "Federated": provider_arn },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": { format!("{host}:aud"): "sts.amazonaws.com" },
            "StringLike": { format!("{host}:sub"): subjects() },
        } } ] });
    let here = format!("arn:aws:ecs:{REGION}:{account}");
    let in_cluster = json!({ "ArnEquals": { "ecs:cluster": format!("{here}:cluster/{CLUSTER}") } });
    let all_tasks = format!("{here}:task/{CLUSTER}/*");
    let launcher = policy(&[
        (&["ecs:RunTask"], &format!("{here}:task-definition/fleetfoot-demo-*"), in_cluster.clone()),
        (&["ecs:TagResource"], &all_tasks, json!({ "StringEquals": { "ecs:CreateAction": "RunTask" } })),
        (&["ecs:DescribeTasks", "ecs:StopTask"], &all_tasks, json!({})),
        (&["ecs:ListTasks"], "*", in_cluster),
        (&["s3:PutObject", "s3:DeleteObject"], &objects, json!({})),
        (
            &["ssm:GetParameter"],
            &format!("arn:aws:ssm:{REGION}:{account}:parameter/fleetfoot/{STACK}"),
            json!({}),
        ),
        (&["iam:PassRole"], &task_role, pass_to_tasks()),
        (&["iam:PassRole"], &execution_role, pass_to_tasks()),
    ]);
    let launcher_role = aws.add_role(Role::new("fleetfoot-demo-launcher", trust_jobs, vec![launcher]))?;

    aws.add_image(IMAGE, image(home, program)?);
    for (family, compatibility, network_mode, architecture) in [
        ("fleetfoot-demo-fargate", "FARGATE", NetworkMode::Awsvpc, "X86_64"),
        ("fleetfoot-demo-ec2", "EC2", NetworkMode::Bridge, "X86_64"),
        // Its tasks are processes of this machine, too, whatever that is.
        ("fleetfoot-demo-arm64", "FARGATE", NetworkMode::Awsvpc, "ARM64"),
    ] {
        aws.register_task_definition(TaskDefinition {
            family: family.into(),
            cpu: Some("1024".into()),
            memory: Some("2048".into()),
            network_mode: Some(network_mode),
            requires_compatibilities: vec![compatibility.into()],
            runtime_platform: Some(RuntimePlatform {
                cpu_architecture: Some(architecture.into()),
                operating_system_family: Some("LINUX".into()),
            }),
            task_role_arn: Some(task_role.clone()),
            execution_role_arn: Some(execution_role.clone()),
            container_definitions: vec![ContainerDefinition {
                name: "runner".into(),
                image: IMAGE.into(),
                log_configuration: Some(LogConfiguration::awslogs(LOG_GROUP, REGION, "runner")),
                stop_timeout: Some(30),
                ..ContainerDefinition::default()
            }],
            tags: vec![Tag { key: RUNNER_VERSION_TAG.into(), value: RUNNER_VERSION.into() }],
            ..TaskDefinition::default()
        })?;
    }
    Ok(launcher_role)
}

fn after_a_day(prefix: &str) -> LifecycleRule {
    LifecycleRule { id: "mail".into(), prefix: prefix.into(), days: 1, enabled: true }
}

/// The OIDC subjects that the launcher role trusts, in both forms that GitHub writes.
fn subjects() -> [&'static str; 2] {
    ["repo:octo-org/demo:*", "repo:octo-org@*/demo@*:*"]
}

fn pass_to_tasks() -> Value {
    json!({ "StringEquals": { "iam:PassedToService": "ecs-tasks.amazonaws.com" } })
}

fn policy(statements: &[(&[&str], &str, Value)]) -> Value {
    let statements: Vec<Value> = statements
        .iter()
        .map(|(actions, resource, condition)| {
            json!({ "Effect": "Allow", "Action": actions, "Resource": resource, "Condition": condition })
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn stack(github: &GithubSim, launcher_role: &str, account: &str) -> Value {
    let here = format!("arn:aws:ecs:{REGION}:{account}");
    let network = json!({
        "subnets": ["subnet-0a1b2c3d4e5f60718"],
        "security_groups": ["sg-0a1b2c3d4e5f60718"],
        "assign_public_ip": true,
    });
    let fargate = |name: &str, arch: &str, capacity: Value| {
        let family = if arch == "arm64" { "fleetfoot-demo-arm64" } else { "fleetfoot-demo-fargate" };
        json!({ "name": name, "task_definition": family, "arch": arch, "cpu": 1024, "memory": 2048,
                "network": network.clone(), "capacity": capacity })
    };
    json!({
        "version": 1,
        "name": STACK,
        "region": REGION,
        "cluster": format!("{here}:cluster/{CLUSTER}"),
        "mailbox": { "bucket": BUCKET },
        "log_group": LOG_GROUP,
        "launcher_role": launcher_role,
        "launcher_subjects": subjects(),
        "github": { "url": format!("{}/{REPOSITORY}", github.server_url()), "api_url": github.api_url() },
        "pools": [
            fargate("Fargate", "x86_64", json!([{ "provider": "FARGATE" }])),
            fargate("Fargate-Spot", "x86_64", json!([{ "provider": "FARGATE_SPOT" }, { "provider": "FARGATE" }])),
            { "name": "EC2", "task_definition": "fleetfoot-demo-ec2", "arch": "x86_64", "cpu": 1024,
              "memory": 2048, "capacity": [{ "provider": ASG }] },
            fargate("linux-arm64", "arm64", json!([{ "provider": "FARGATE_SPOT" }, { "provider": "FARGATE" }])),
        ],
    })
}

/// The runner's image: the agent, and a stand-in for `bin/Runner.Listener`.
fn image(home: &Path, program: &Path) -> io::Result<LocalImage> {
    let files = home.join("image");
    fs::create_dir_all(files.join("bin"))?;
    let listener = files.join("bin/Runner.Listener");
    let stand_in = format!("exec {} sim runner \"$@\" --root \"${{0%/bin/*}}\"", quoted(program));
    fs::write(&listener, format!("#!/bin/sh\n{stand_in}\n"))?;
    fs::set_permissions(&listener, fs::Permissions::from_mode(0o755))?;
    let program = program.display().to_string();
    // Containers are not simulated: there is no user `runner`, so the runner stays who we are.
    let argv = [&program, "agent", "--runner-dir", "{root}", "--runner-user", ""].map(str::to_owned).to_vec();
    Ok(LocalImage { argv, env: BTreeMap::new(), files: Some(files) })
}

/// A path as one word for the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
