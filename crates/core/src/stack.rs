//! The stack document: one installation, described once, read by every command.
//!
//! Terraform writes it, `docs/stack.schema.json` is generated from these types. Unknown fields are
//! refused, so that a misspelt setting is never silently ignored.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::{PoolName, StackName};
use crate::size::{InvalidSize, Size};

/// The only version of the document so far.
pub const VERSION: u32 = 1;

/// One installation in one AWS account and region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Fleetfoot stack document")]
pub struct Stack {
    /// Version of this document's format: 1.
    pub version: u32,
    /// The stack's name; also the last part of its SSM parameter, `/fleetfoot/<name>`.
    pub name: StackName,
    /// AWS region, `eu-west-1`.
    pub region: String,
    /// ARN or name of the ECS cluster.
    pub cluster: String,
    /// Where assignments are handed over.
    pub mailbox: MailboxPlace,
    /// CloudWatch log group of the tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
    /// Role that `start` and `stop` assume through OIDC. The flag `--role` comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launcher_role: Option<String>,
    /// Patterns of the OIDC `sub` that the launcher role trusts; only used to explain a refusal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launcher_subjects: Vec<String>,
    /// SQS queue of ECS task state changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_queue: Option<String>,
    /// Where runners are registered.
    pub github: GitHub,
    /// The kinds of task there are.
    pub pools: Vec<Pool>,
    /// Scale sets of the autoscaler.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale_sets: Vec<ScaleSet>,
}

/// Where assignments are handed over: a private bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailboxPlace {
    /// Bucket name.
    pub bucket: String,
    /// Key prefix in it.
    #[serde(default = "default_prefix")]
    pub prefix: String,
}

fn default_prefix() -> String {
    "mailbox/".to_owned()
}

/// Where runners are registered, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitHub {
    /// The organisation or repository: `https://github.com/acme` or `https://github.com/acme/shop`.
    pub url: String,
    /// Base address of the REST API, where it does not follow from `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// The GitHub App to act as. Without it a token is needed where the command runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
}

/// A GitHub App and where its private key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Client id (`Iv23…`) or numeric app id.
    pub client_id: String,
    /// The installation; looked up by owner if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation_id: Option<u64>,
    /// Where the private key is.
    pub key: KeySource,
}

/// Where an App's private key is: `secretsmanager:<arn>`, `file:<path>`, `env:<variable>` or `kms:<arn>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^(kms|secretsmanager|file|env):.+$"))]
pub enum KeySource {
    /// A key in AWS KMS that never leaves it.
    Kms(String),
    /// A secret in AWS Secrets Manager that holds the PEM.
    SecretsManager(String),
    /// A PEM file.
    File(String),
    /// An environment variable that holds the PEM.
    Env(String),
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        match value.split_once(':') {
            Some((_, "")) | None => {}
            Some(("kms", rest)) => return Ok(Self::Kms(rest.to_owned())),
            Some(("secretsmanager", rest)) => return Ok(Self::SecretsManager(rest.to_owned())),
            Some(("file", rest)) => return Ok(Self::File(rest.to_owned())),
            Some(("env", rest)) => return Ok(Self::Env(rest.to_owned())),
            Some(_) => {}
        }
        // The value is not repeated: somebody may have pasted the key itself.
        Err("a key is named as secretsmanager:ARN, file:PATH, env:VARIABLE or kms:ARN".to_owned())
    }
}

impl TryFrom<String> for KeySource {
    type Error = String;

    fn try_from(value: String) -> Result<Self, String> {
        value.parse()
    }
}

impl From<KeySource> for String {
    fn from(source: KeySource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kms(arn) => write!(f, "kms:{arn}"),
            Self::SecretsManager(arn) => write!(f, "secretsmanager:{arn}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Env(variable) => write!(f, "env:{variable}"),
        }
    }
}

/// A kind of task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Its name; also a label of its runners.
    pub name: PoolName,
    /// ARN or family of the task definition.
    pub task_definition: String,
    /// The container that runs the agent.
    #[serde(default = "default_container")]
    pub container: String,
    /// CPU architecture.
    pub arch: Arch,
    /// CPU units of a task; 1024 are one vCPU.
    pub cpu: u32,
    /// Memory of a task in MiB.
    pub memory: u32,
    /// Network of tasks in awsvpc mode; absent in bridge mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Where tasks may run, in order of preference.
    pub capacity: Vec<Capacity>,
    /// The most tasks of this pool at a time.
    #[serde(default = "default_max")]
    pub max: u32,
    /// Unbound tasks kept ready.
    #[serde(default)]
    pub warm: u32,
}

fn default_container() -> String {
    "runner".to_owned()
}

fn default_max() -> u32 {
    100
}

/// CPU architecture, in the words of ECS and of the Rust target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Arch {
    /// 64-bit Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Arch {
    /// The label that GitHub gives to runners of this architecture, in lower case.
    pub const fn github_label(self) -> &'static str {
        match self {
            Self::X86_64 => "x64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Network of a task in awsvpc mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Subnet ids, at least one.
    pub subnets: Vec<String>,
    /// Security group ids; the VPC's default group if empty.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Whether a task gets a public address: needed in a public subnet on Fargate, impossible on EC2.
    #[serde(default)]
    pub assign_public_ip: bool,
}

/// Where a task may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Capacity {
    /// A capacity provider of the cluster: `FARGATE`, `FARGATE_SPOT` or the name of one.
    #[serde(rename = "provider")]
    Provider(String),
    /// Instances of the cluster, without a capacity provider.
    #[serde(rename = "launch_type")]
    LaunchType(LaunchType),
}

/// An ECS launch type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LaunchType {
    /// On the cluster's container instances.
    #[serde(rename = "EC2")]
    Ec2,
    /// On Fargate, on demand.
    #[serde(rename = "FARGATE")]
    Fargate,
}

impl Capacity {
    /// Whether tasks run on Fargate, whose sizes are fixed.
    pub fn is_fargate(&self) -> bool {
        match self {
            Self::Provider(name) => name == "FARGATE" || name == "FARGATE_SPOT",
            Self::LaunchType(launch_type) => *launch_type == LaunchType::Fargate,
        }
    }

    /// Whether tasks run on Fargate's spare capacity.
    pub fn is_fargate_spot(&self) -> bool {
        matches!(self, Self::Provider(name) if name == "FARGATE_SPOT")
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) => f.write_str(name),
            Self::LaunchType(LaunchType::Ec2) => f.write_str("EC2"),
            Self::LaunchType(LaunchType::Fargate) => f.write_str("FARGATE"),
        }
    }
}

/// A scale set of the autoscaler: what `runs-on` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleSet {
    /// Its name at GitHub.
    pub name: String,
    /// The pool its runners come from.
    pub pool: PoolName,
    /// Its runner group.
    #[serde(default = "default_group")]
    pub runner_group: String,
    /// Labels beside the name.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Runners kept even without a job.
    #[serde(default)]
    pub min: u32,
    /// The most runners at a time.
    #[serde(default = "default_max")]
    pub max: u32,
}

fn default_group() -> String {
    "Default".to_owned()
}

/// A stack document that cannot be used.
#[derive(Debug, Error)]
pub enum InvalidStack {
    /// It does not have the shape of a stack document.
    #[error("{place}: {why}")]
    Shape {
        /// Where: a path such as `pools[0].capacity[1]`, or line and column.
        place: String,
        /// What is wrong there.
        why: String,
    },
    /// It has the shape and makes no sense.
    #[error("{place}: {why}")]
    Sense {
        /// Where: a path.
        place: String,
        /// What is wrong there.
        why: String,
    },
    /// There is no such pool.
    #[error("the stack {stack} has no pool {pool:?}; it has: {have}")]
    UnknownPool {
        /// The stack.
        stack: StackName,
        /// What was asked for.
        pool: String,
        /// The pools there are.
        have: String,
    },
}

impl Stack {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// [`InvalidStack`] says which field is unknown, missing or wrong, and where.
    pub fn from_json(text: &str) -> Result<Self, InvalidStack> {
        let mut json = serde_json::Deserializer::from_str(text);
        let stack: Self = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let inner = error.inner();
            let place = match error.path().to_string() {
                path if path == "." || path.contains('?') => {
                    format!("line {}, column {}", inner.line(), inner.column())
                }
                path => path,
            };
            Self::shape(place, inner)
        })?;
        json.end().map_err(|e| Self::shape(format!("line {}, column {}", e.line(), e.column()), &e))?;
        stack.check()?;
        Ok(stack)
    }

    fn shape(place: String, error: &serde_json::Error) -> InvalidStack {
        let text = error.to_string();
        let why = text.split(" at line ").next().unwrap_or(&text).to_owned();
        InvalidStack::Shape { place, why }
    }

    fn check(&self) -> Result<(), InvalidStack> {
        let sense = |place: String, why: &str| InvalidStack::Sense { place, why: why.to_owned() };
        if self.version != VERSION {
            return Err(sense(
                "version".into(),
                &format!("this fleetfoot reads version {VERSION}, the document has {}", self.version),
            ));
        }
        for (field, value) in
            [("region", &self.region), ("cluster", &self.cluster), ("mailbox.bucket", &self.mailbox.bucket)]
        {
            if value.trim().is_empty() {
                return Err(sense(field.into(), "is empty"));
            }
        }
        if self.pools.is_empty() {
            return Err(sense("pools".into(), "is empty; a stack needs at least one pool"));
        }
        let mut names = BTreeSet::new();
        for (i, pool) in self.pools.iter().enumerate() {
            pool.check().map_err(|(field, why)| sense(format!("pools[{i}].{field}"), &why))?;
            if !names.insert(&pool.name) {
                return Err(sense(format!("pools[{i}].name"), "another pool has this name"));
            }
        }
        for (i, set) in self.scale_sets.iter().enumerate() {
            if !names.contains(&set.pool) {
                return Err(sense(format!("scale_sets[{i}].pool"), "the stack has no pool of this name"));
            }
            if set.min > set.max {
                return Err(sense(format!("scale_sets[{i}].min"), "is above max"));
            }
        }
        Ok(())
    }

    /// The pool of this name; without one, the only pool or the first.
    pub fn pool(&self, name: Option<&str>) -> Result<&Pool, InvalidStack> {
        let found = match name {
            None => self.pools.first(),
            Some(name) => self.pools.iter().find(|pool| pool.name.as_str() == name),
        };
        found.ok_or_else(|| InvalidStack::UnknownPool {
            stack: self.name.clone(),
            pool: name.unwrap_or_default().to_owned(),
            have: self.pools.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Pool {
    /// Whether every choice of capacity is Fargate, so that Fargate's sizes apply.
    pub fn on_fargate(&self) -> bool {
        self.capacity.iter().any(Capacity::is_fargate)
    }

    /// Whether the autoscaler keeps unbound tasks of it ready.
    pub fn is_kept_warm(&self) -> bool {
        self.warm > 0
    }

    /// The pool's own size.
    pub fn size(&self) -> Size {
        Size { cpu: self.cpu, memory: self.memory, ephemeral_storage: None }
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.capacity.is_empty() {
            return Err((
                "capacity",
                "is empty; name at least one, such as {\"provider\": \"FARGATE\"}".into(),
            ));
        }
        if self.max == 0 {
            return Err(("max", "is 0; no task could ever run".into()));
        }
        if self.warm > self.max {
            return Err(("warm", "is above max".into()));
        }
        if self.on_fargate() {
            self.size().check_fargate().map_err(|e: InvalidSize| ("cpu", e.to_string()))?;
        }
        match &self.network {
            Some(network) if network.subnets.is_empty() => {
                Err(("network.subnets", "is empty; tasks in awsvpc mode need at least one subnet".into()))
            }
            Some(network) if network.assign_public_ip && !self.capacity.iter().all(Capacity::is_fargate) => {
                Err((
                    "network.assign_public_ip",
                    "tasks on EC2 cannot have a public address; use a NAT gateway or bridge mode".into(),
                ))
            }
            None if self.on_fargate() => Err(("network", "is missing; Fargate tasks need subnets".into())),
            _ => Ok(()),
        }
    }
}

/// The document's JSON schema, as `docs/stack.schema.json` has it.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Stack).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> serde_json::Value {
        serde_json::json!({
            "version": 1, "name": "prod", "region": "eu-west-1", "cluster": "ff",
            "mailbox": { "bucket": "mail" },
            "github": { "url": "https://github.com/acme", "app": { "client_id": "Iv1", "key": "env:KEY" } },
            "pools": [
                { "name": "small", "task_definition": "ff-small", "arch": "x86_64", "cpu": 1024, "memory": 2048,
                  "network": { "subnets": ["subnet-1"], "assign_public_ip": true },
                  "capacity": [ { "provider": "FARGATE_SPOT" }, { "provider": "FARGATE" } ] },
                { "name": "ec2", "task_definition": "ff-ec2", "arch": "arm64", "cpu": 1000, "memory": 1900,
                  "capacity": [ { "launch_type": "EC2" } ] }
            ]
        })
    }

    fn error(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut document = document();
        change(&mut document);
        Stack::from_json(&document.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn a_document_is_read_with_its_defaults() {
        let stack = Stack::from_json(&document().to_string()).unwrap();
        assert_eq!(stack.mailbox.prefix, "mailbox/");
        assert_eq!(stack.pool(None).unwrap().container, "runner");
        assert!(!stack.pool(Some("ec2")).unwrap().on_fargate());
        let again = serde_json::to_string(&stack).unwrap();
        assert_eq!(Stack::from_json(&again).unwrap(), stack);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let cases = [
            (error(|d| d["pools"][0]["cpus"] = 1.into()), "pools[0].cpus: unknown field `cpus`"),
            (
                error(|d| drop(d["pools"][1].as_object_mut().unwrap().remove("arch"))),
                "pools[1]: missing field `arch`",
            ),
            (error(|d| d["pools"][0]["capacity"][1] = serde_json::json!({"x": "y"})), "pools[0].capacity[1]"),
            (
                error(|d| d["pools"][0]["network"]["subnets"] = serde_json::json!([])),
                "pools[0].network.subnets: is empty",
            ),
            (error(|d| d["pools"][0]["network"] = serde_json::Value::Null), "pools[0].network: is missing"),
            (error(|d| d["pools"][0]["memory"] = 100.into()), "2048 to 8192 MiB"),
            (error(|d| d["pools"][1]["name"] = "small".into()), "pools[1].name: another pool"),
            (error(|d| d["version"] = 2.into()), "version: this fleetfoot reads version 1"),
            (error(|d| d["pools"] = serde_json::json!([])), "pools: is empty"),
            (error(|d| d["cluster"] = " ".into()), "cluster: is empty"),
            (error(|d| d["pools"][0]["name"] = "a b".into()), "pools[0].name"),
            (Stack::from_json("{\"version\": 1,").unwrap_err().to_string(), "line 1"),
            (Stack::from_json(&format!("{} x", document())).unwrap_err().to_string(), "line 1"),
        ];
        for (text, want) in cases {
            assert!(text.contains(want), "{text:?} should hold {want:?}");
        }
    }

    #[test]
    fn the_document_in_the_manual_is_one() {
        let manual = include_str!("../../../docs/aws.md");
        let from = manual.find("{ \"version\": 1").unwrap();
        let to = from + manual[from..].find("```").unwrap();
        let stack = Stack::from_json(&manual[from..to]).unwrap();
        assert_eq!(stack.pools.len(), 2);
    }

    #[test]
    fn a_pasted_key_is_not_repeated() {
        let text = error(|d| d["github"]["app"]["key"] = "-----BEGIN PRIVATE KEY-----s3cret".into());
        assert!(text.starts_with("github.app.key: a key is named as"), "{text}");
        assert!(!text.contains("s3cret"));
    }

    #[test]
    fn an_unknown_pool_is_told_with_those_there_are() {
        let stack = Stack::from_json(&document().to_string()).unwrap();
        let text = stack.pool(Some("big")).unwrap_err().to_string();
        assert_eq!(text, "the stack prod has no pool \"big\"; it has: small, ec2");
    }
}
