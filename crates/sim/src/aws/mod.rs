//! Simulated AWS: ECS, S3, STS, SSM, SQS, Secrets Manager and CloudWatch Logs, as much of EC2 and Service Quotas
//! as is to be seen of them, and of EventBridge what it does with tasks, behind one address on loopback.
//!
//! Any client that takes `AWS_ENDPOINT_URL` can talk to it. Every call is authenticated (Signature
//! Version 4 is verified) and authorised (IAM policies are evaluated); tasks of ECS are real processes
//! of this machine. Each service is a synchronous state machine that takes the time as an argument;
//! `server`, `driver` and `process` are the only parts that wait.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use fleetfoot_sim::aws::{AwsConfig, AwsSim, User};
//! use serde_json::json;
//!
//! let aws = AwsSim::start(AwsConfig::default(), Default::default(), Default::default()).await?;
//! aws.add_user(User {
//!     name: "dev".into(),
//!     access_key_id: "AKIADEV".into(),
//!     secret_access_key: "secret".into(),
//!     policies: vec![json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } })],
//! })?;
//! println!("AWS_ENDPOINT_URL={}", aws.endpoint());
//! aws.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod auth;
mod broken;
mod driver;
mod ec2;
mod ecs;
mod error;
mod function;
pub mod iam;
mod identity;
mod ids;
mod kms;
mod logs;
mod metadata;
mod oidc;
mod process;
mod quotas;
mod s3;
mod secrets;
mod server;
mod sigv4;
mod sqs;
mod ssm;
mod sts;
mod task_events;
#[cfg(test)]
mod testing;
mod wire;
mod world;
mod xml;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::book::Book;
use crate::events::Bus;
use crate::faults::Faults;
use server::Shared;
use world::World;

pub use ec2::{Egress, Route, RouteTable, RouteTarget, SecurityGroup, Subnet, VpcEndpoint};
pub use ecs::{
    Capacity, CapacityProvider, Cluster, Container, ContainerDefinition, ContainerStatus, EphemeralStorage,
    Interface, KeyValue, LaunchType, LocalImage, LogConfiguration, NetworkMode, Rate, Rates, Registered,
    RuntimePlatform, Shortage, StopCode, StrategyItem, Tag, Task, TaskDefinition, TaskStatus, Times, Timing,
};
pub use error::AwsError;
pub use function::{Surroundings, TaskFunction};
pub use iam::PolicyError;
pub use identity::{OidcProvider, Role, User};
pub use s3::LifecycleRule;

/// How long servers may take to finish what they are at when they are shut down.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// How the simulated account is set up.
#[derive(Debug, Clone)]
pub struct AwsConfig {
    /// Where the API listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// The only region.
    pub region: String,
    /// The account's number.
    pub account: String,
    /// How long the steps of tasks on Fargate take.
    pub fargate_timing: Timing,
    /// How long the steps of tasks on the cluster's machines take.
    pub ec2_timing: Timing,
    /// The rates of ECS's API.
    pub rates: Rates,
    /// Makes ids reproducible.
    pub seed: Option<u64>,
    /// `PATH` of containers whose image sets none.
    pub container_path: String,
    /// What goes wrong; nothing unless somebody says so.
    pub faults: Faults,
}

impl Default for AwsConfig {
    /// Ireland, a free port, tasks that run after a second, the published rates.
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            fargate_timing: Timing::demo_fargate(),
            ec2_timing: Timing::demo_ec2(),
            rates: Rates::default(),
            seed: None,
            container_path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            faults: Faults::default(),
        }
    }
}

/// A running simulated account. Clones are handles to the same one; when the last is dropped, its
/// processes are killed, but only [`AwsSim::shutdown`] waits for them.
#[derive(Clone)]
pub struct AwsSim(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    endpoint: String,
    region: String,
    account: String,
    stop: CancellationToken,
    work: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
        self.shared.running.kill_all();
    }
}

impl AwsSim {
    /// Starts the account, empty, on loopback. Calls go to `book`, what happens to tasks to `bus`.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn start(config: AwsConfig, book: Book, bus: Bus) -> std::io::Result<Self> {
        let api = TcpListener::bind(config.address).await?;
        let tasks = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", api.local_addr()?);
        let mut world = World::new(&config);
        world.ecs.surroundings = ecs::Surroundings {
            aws: endpoint.clone(),
            task_endpoint: format!("http://{}", tasks.local_addr()?),
            region: config.region.clone(),
            path: config.container_path,
        };
        world.sqs.endpoint.clone_from(&endpoint);
        // Issuers are on this machine, where no proxy of its owner's is asked.
        let client = reqwest::Client::builder().no_proxy().build().map_err(std::io::Error::other)?;
        let shared = Arc::new(Shared::new(world, book, bus, client));
        let stop = CancellationToken::new();
        let work = vec![
            tokio::spawn(server::serve_api(api, Arc::clone(&shared), stop.clone())),
            tokio::spawn(server::serve_tasks(tasks, Arc::clone(&shared), stop.clone())),
            tokio::spawn(driver::drive(Arc::clone(&shared), stop.clone())),
        ];
        Ok(Self(Arc::new(Inner {
            shared,
            endpoint,
            region: config.region,
            account: config.account,
            stop,
            work: Mutex::new(work),
        })))
    }

    /// What clients set `AWS_ENDPOINT_URL` to.
    pub fn endpoint(&self) -> String {
        self.0.endpoint.clone()
    }

    /// The only region.
    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// The account's number.
    pub fn account(&self) -> &str {
        &self.0.account
    }

    /// Stops serving, kills the processes of all tasks and waits for their ends.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        let work = std::mem::take(&mut *self.0.work.lock().unwrap_or_else(PoisonError::into_inner));
        for job in work {
            let abort = job.abort_handle();
            match tokio::time::timeout(SHUTDOWN, job).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "a part of the simulated AWS failed"),
                Err(_) => abort.abort(),
            }
        }
        self.0.shared.running.kill_all();
    }

    /// Adds a user with an access key; gives the user's ARN.
    ///
    /// # Errors
    /// When a policy cannot be evaluated here.
    pub fn add_user(&self, user: User) -> Result<String, PolicyError> {
        let world = &mut *self.0.shared.world();
        world.identities.add_user(user, &mut world.ids)
    }

    /// Adds a role, or replaces the one of this name; gives its ARN.
    ///
    /// # Errors
    /// When a policy cannot be evaluated here.
    pub fn add_role(&self, role: Role) -> Result<String, PolicyError> {
        let world = &mut *self.0.shared.world();
        world.identities.add_role(role, &mut world.ids)
    }

    /// The ARN that a role of this name has or will have.
    pub fn role_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.0.account)
    }

    /// Trusts an OpenID Connect provider; gives its ARN.
    pub fn add_oidc_provider(&self, provider: OidcProvider) -> String {
        self.0.shared.world().identities.add_provider(provider)
    }

    /// Sets a parameter of the type `String`.
    ///
    /// # Errors
    /// When name or value break the rules of Parameter Store.
    pub fn put_parameter(&self, name: &str, value: &str) -> Result<(), AwsError> {
        self.0.shared.world().ssm.set(name, value, Timestamp::now())
    }

    /// Sets a secret; gives its ARN.
    pub fn put_secret(&self, name: &str, value: &str) -> String {
        let world = &mut *self.0.shared.world();
        let place = (self.0.region.as_str(), self.0.account.as_str());
        world.secrets.set(name, value, place, &mut world.ids, Timestamp::now())
    }

    /// The aliases of KMS, with the ARNs of their keys and whether those can sign.
    pub fn key_aliases(&self) -> Vec<(String, String, bool)> {
        self.0.shared.world().kms.aliases()
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) {
        self.0.shared.world().s3.create_bucket(name);
    }

    /// The keys of a bucket, in order; of a bucket that is not there none.
    pub fn objects(&self, bucket: &str) -> Vec<String> {
        self.0
            .shared
            .world()
            .s3
            .bucket(bucket)
            .map(|objects| objects.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Makes a queue, unless there is one of this name; gives its address.
    pub fn create_queue(&self, name: &str) -> String {
        self.0.shared.world().sqs.ensure(name, Timestamp::now())
    }

    /// Sends the events of a cluster's tasks to a queue from now on, as a rule of EventBridge does whose pattern
    /// is `"detail-type": ["ECS Task State Change"]` and the cluster.
    pub fn send_task_events(&self, cluster: &str, queue: &str) {
        self.0.shared.world().send_task_events(cluster, queue);
    }

    /// The bodies of a queue's messages, in flight or not.
    pub fn queue_messages(&self, queue: &str) -> Vec<String> {
        self.0.shared.world().sqs.bodies(queue)
    }

    /// Takes an object out of a bucket; `None` if there is none of this key.
    pub fn take_object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.0.shared.world().s3.take(bucket, key)
    }

    /// Makes a log group.
    pub fn create_log_group(&self, name: &str) {
        self.0.shared.world().logs.ensure_group(name);
    }

    /// The lines of a log stream; of one that is not there none.
    pub fn log_lines(&self, group: &str, stream: &str) -> Vec<String> {
        self.0.shared.world().logs.lines(group, stream)
    }

    /// Adds a cluster, or replaces the one of this name; gives its ARN.
    pub fn create_cluster(&self, cluster: Cluster) -> String {
        let world = &mut *self.0.shared.world();
        world.ecs.add_cluster(cluster, &mut world.ids)
    }

    /// Changes how much a capacity provider, or the launch type `EC2` or `FARGATE`, of a cluster has.
    ///
    /// # Errors
    /// When there is no such cluster.
    pub fn set_capacity(&self, cluster: &str, pool: &str, capacity: Capacity) -> Result<(), AwsError> {
        self.0.shared.world().ecs.set_capacity(cluster, pool, capacity)
    }

    /// Adds a subnet in an availability zone such as `eu-west-1a` to the default VPC.
    pub fn add_subnet(&self, id: &str, zone: &str) {
        let world = &mut *self.0.shared.world();
        world.ecs.add_subnet(id, zone);
        world.ec2.add_subnet(id, zone);
    }

    /// Adds a security group to the default VPC, which lets everything out.
    pub fn add_security_group(&self, id: &str) {
        let world = &mut *self.0.shared.world();
        world.ecs.add_security_group(id);
        world.ec2.add_group(id);
    }

    /// The default VPC, whose main route table leads to an internet gateway.
    pub fn default_vpc(&self) -> &'static str {
        ec2::DEFAULT_VPC
    }

    /// Adds a subnet, or replaces the one of this id.
    pub fn put_subnet(&self, subnet: Subnet) {
        let world = &mut *self.0.shared.world();
        world.ecs.add_subnet(&subnet.id, &subnet.zone);
        world.ec2.put_subnet(subnet);
    }

    /// Adds a route table, or replaces the one of this id. Other tables lose what it takes over.
    pub fn put_route_table(&self, table: RouteTable) {
        self.0.shared.world().ec2.put_table(table);
    }

    /// Adds a VPC endpoint, or replaces the one of this id.
    pub fn put_vpc_endpoint(&self, endpoint: VpcEndpoint) {
        self.0.shared.world().ec2.put_endpoint(endpoint);
    }

    /// Adds a security group, or replaces the one of this id.
    pub fn put_security_group(&self, group: SecurityGroup) {
        let world = &mut *self.0.shared.world();
        world.ecs.add_security_group(&group.id);
        world.ec2.put_group(group);
    }

    /// Sets a quota by its code, such as `L-3032A538`; false if it is not simulated. A new account has 6 vCPUs
    /// of Fargate on demand, and 6 on spot.
    pub fn set_quota(&self, code: &str, value: f64) -> bool {
        self.0.shared.world().quotas.set(code, value)
    }

    /// Sets the lifecycle rules of a bucket.
    pub fn set_lifecycle(&self, bucket: &str, rules: Vec<LifecycleRule>) {
        self.0.shared.world().s3.set_lifecycle(bucket, rules);
    }

    /// Says which program of this machine an image is. An image that nobody named cannot be pulled.
    pub fn add_image(&self, name: &str, image: LocalImage) {
        self.0.shared.world().ecs.add_image(name, image);
    }

    /// Says that an image is a function of this process: its tasks cost next to nothing.
    pub fn add_function(&self, name: &str, function: TaskFunction) {
        self.0.shared.world().ecs.add_image(name, function);
    }

    /// Starts tasks as RunTask does for whoever has this access key, but counts towards no rate: some of many
    /// that were there before. Gives their ARNs.
    ///
    /// # Errors
    /// When RunTask would refuse it, or nobody has the key.
    pub fn add_tasks(&self, access_key_id: &str, request: &Value) -> Result<Vec<String>, AwsError> {
        let added = self.0.shared.world().add_tasks(access_key_id, request, Timestamp::now());
        self.0.shared.wake.notify_one();
        added
    }

    /// Registers a task definition; gives its ARN with the revision.
    ///
    /// # Errors
    /// When RegisterTaskDefinition would refuse it.
    pub fn register_task_definition(&self, definition: TaskDefinition) -> Result<String, AwsError> {
        self.0
            .shared
            .world()
            .ecs
            .register(definition, Timestamp::now())
            .map(|registered| registered.arn.clone())
    }

    /// Every secret that was handed out so far: secret access keys, session tokens, and the tokens with which
    /// tasks get theirs. For the question whether one of them shows where it should not.
    pub fn secrets(&self) -> Vec<String> {
        let world = self.0.shared.world();
        world.identities.secrets().chain(world.ecs.secrets()).collect()
    }

    /// All tasks that are not forgotten, oldest first. Stopped ones are kept for an hour.
    pub fn tasks(&self) -> Vec<Task> {
        self.0.shared.world().ecs.tasks().cloned().collect()
    }

    /// Kills a task's processes with SIGKILL. False: there is no such task, or none of them runs.
    pub fn kill_task(&self, arn: &str) -> bool {
        let killed = self.0.shared.world().ecs.kill_task(arn);
        self.0.shared.wake.notify_one();
        killed
    }

    /// Takes a task's spot capacity away: SIGTERM, and SIGKILL after `notice` or its `stopTimeout`. False:
    /// there is no such task on spot capacity, or it is on its way out already.
    pub fn interrupt_task(&self, arn: &str, notice: Duration) -> bool {
        let interrupted = self.0.shared.world().ecs.interrupt_task(arn, notice, Timestamp::now());
        self.0.shared.wake.notify_one();
        interrupted
    }
}

/// The trust policy of roles that tasks take.
pub fn tasks_trust_policy() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [ {
        "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole" } ] })
}
