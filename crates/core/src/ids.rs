//! Names and ids, each a type of its own so that they cannot be mixed up.
//!
//! Everything is named from what it is for, so that `stop` and `reap` find it without a database:
//! a task by its [`StartedBy`], a runner by its task's id.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A name that breaks the rules of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} {value:?} is not valid: {rule}")]
pub struct InvalidName {
    /// What was to be named: `stack name`, `pool name`, `key`.
    pub kind: &'static str,
    /// What was given.
    pub value: String,
    /// What a valid one looks like.
    pub rule: &'static str,
}

fn check(
    kind: &'static str,
    rule: &'static str,
    value: &str,
    longest: usize,
    also: &str,
) -> Result<(), InvalidName> {
    let ok = !value.is_empty()
        && value.len() <= longest
        && value.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c));
    if ok { Ok(()) } else { Err(InvalidName { kind, value: value.to_owned(), rule }) }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $longest:literal, $also:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(value: &str) -> Result<Self, InvalidName> {
                check($kind, $rule, value, $longest, $also)?;
                Ok(Self(value.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(value: String) -> Result<Self, InvalidName> {
                value.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a stack: one installation in one AWS account and region.
    StackName, "stack name", 32, "-_", "1 to 32 letters, digits, - or _"
);
name!(
    /// The name of a pool: a kind of task.
    PoolName, "pool name", 32, "-_", "1 to 32 letters, digits, - or _"
);
name!(
    /// Which start of a run this is. By default the job's id, so two starts in one run never meet.
    Key, "key", 48, "-_", "1 to 48 letters, digits, - or _"
);

/// A repository: `owner/name`. It can stand in an address as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

impl Repository {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Repository {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let (kind, rule) = ("repository", "OWNER/NAME of letters, digits, -, _ and .");
        let wrong = || InvalidName { kind, value: value.to_owned(), rule };
        let (owner, name) = value.split_once('/').ok_or_else(wrong)?;
        for part in [owner, name] {
            check(kind, rule, part, 100, "-_.").map_err(|_| wrong())?;
            if part.bytes().all(|byte| byte == b'.') {
                return Err(wrong());
            }
        }
        Ok(Self(value.to_owned()))
    }
}

impl TryFrom<String> for Repository {
    type Error = InvalidName;

    fn try_from(value: String) -> Result<Self, InvalidName> {
        value.parse()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.0
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attempt of one workflow run, or a start by hand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RunRef {
    /// `GITHUB_RUN_ID` and `GITHUB_RUN_ATTEMPT`.
    Attempt {
        /// The run's id.
        run_id: u64,
        /// Which attempt of it, from 1.
        attempt: u32,
    },
    /// Outside a workflow. Only the key tells two of them apart.
    ByHand,
}

impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt { run_id, attempt } => write!(f, "{run_id}-{attempt}"),
            Self::ByHand => f.write_str("hand"),
        }
    }
}

/// What the `startedBy` of every task of every stack begins with.
pub const PREFIX: &str = "fleetfoot/";

/// The `startedBy` of a task: `fleetfoot/<stack>/<run id>-<attempt>/<key>`.
///
/// At most 128 of letters, digits, `-`, `/` and `_` (ECS API Reference, RunTask, startedBy); the parts'
/// own limits keep it below that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StartedBy(String);

impl StartedBy {
    /// What a start of this run and key is called.
    pub fn of_run(stack: &StackName, run: &RunRef, key: &Key) -> Self {
        Self(format!("fleetfoot/{stack}/{run}/{key}"))
    }

    /// What tasks are called that a pool keeps for whatever job comes.
    pub fn of_pool(stack: &StackName, pool: &PoolName) -> Self {
        Self(format!("{PREFIX}{stack}/{pool}"))
    }

    /// What everything of a stack begins with.
    pub fn prefix_of_stack(stack: &StackName) -> String {
        format!("{PREFIX}{stack}/")
    }

    /// The run and key of a start, read back from a task's `startedBy`; `None` if no start of this stack made it.
    pub fn origin(text: &str, stack: &StackName) -> Option<(RunRef, Key)> {
        let (run, key) = text.strip_prefix(&Self::prefix_of_stack(stack))?.split_once('/')?;
        let run = match run.split_once('-') {
            Some((run_id, attempt)) => {
                RunRef::Attempt { run_id: run_id.parse().ok()?, attempt: attempt.parse().ok()? }
            }
            None if run == "hand" => RunRef::ByHand,
            None => return None,
        };
        Some((run, key.parse().ok()?))
    }

    /// What all starts of all attempts of a run begin with.
    pub fn prefix_of_run(stack: &StackName, run_id: u64) -> String {
        format!("fleetfoot/{stack}/{run_id}-")
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StartedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An ECS task's ARN: `arn:aws:ecs:<region>:<account>:task/<cluster>/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskArn(String);

impl TaskArn {
    /// The ARN of the task of this id in a cluster, which is named by name or ARN. With a name alone the account
    /// is not known; ECS takes the id for the task all the same.
    pub fn in_cluster(cluster: &str, region: &str, id: &str) -> Option<Self> {
        let name = cluster.rsplit('/').next().unwrap_or(cluster);
        let account = cluster.split(':').nth(4).unwrap_or("000000000000");
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| format!("arn:aws:ecs:{region}:{account}:task/{name}/{id}").parse().ok())?
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the ARNs of all tasks of a cluster begin with, up to their ids; `None` if this is no cluster's ARN.
    pub fn all_of_cluster(cluster: &str) -> Option<String> {
        let (account, name) = cluster.split_once(":cluster/")?;
        Some(format!("{account}:task/{name}/"))
    }

    /// What comes before every ARN, to begin a range with.
    pub(crate) const fn least() -> Self {
        Self(String::new())
    }

    /// The id: what follows the last slash.
    pub fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The region, the fourth part.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }
}

impl FromStr for TaskArn {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let parts: Vec<&str> = value.split(':').collect();
        let ok = parts.len() == 6
            && parts[0] == "arn"
            && parts[2] == "ecs"
            && !parts[3].is_empty()
            && parts[5].strip_prefix("task/").is_some_and(|rest| !rest.ends_with('/') && !rest.is_empty());
        if ok {
            Ok(Self(value.to_owned()))
        } else {
            Err(InvalidName {
                kind: "task ARN",
                value: value.to_owned(),
                rule: "arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID",
            })
        }
    }
}

impl TryFrom<String> for TaskArn {
    type Error = InvalidName;

    fn try_from(value: String) -> Result<Self, InvalidName> {
        value.parse()
    }
}

impl From<TaskArn> for String {
    fn from(arn: TaskArn) -> Self {
        arn.0
    }
}

impl fmt::Display for TaskArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A runner's id at GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunnerId(pub u64);

impl fmt::Display for RunnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most characters that GitHub allows in a runner's name.
pub const LONGEST_RUNNER_NAME: usize = 64;

/// A runner's name: `ff-` and the id of its task, so that the two find each other for ever. A runner that
/// registers itself may be given another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunnerName(String);

impl RunnerName {
    /// The name of the runner in this task.
    pub fn of_task(task: &TaskArn) -> Self {
        Self(format!("ff-{}", task.id()))
    }

    /// The id of the task that it is named after, if it is called like that.
    pub fn task_id(&self) -> Option<&str> {
        self.0.strip_prefix("ff-")
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunnerName {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let ok = (1..=LONGEST_RUNNER_NAME).contains(&value.chars().count())
            && value.trim() == value
            && !value.chars().any(char::is_control);
        if ok {
            Ok(Self(value.to_owned()))
        } else {
            Err(InvalidName {
                kind: "runner name",
                value: value.to_owned(),
                rule: "1 to 64 characters, no control characters and no spaces at its ends",
            })
        }
    }
}

impl fmt::Display for RunnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The token that makes a RunTask call repeatable: the same text for the same batch of the same start.
///
/// At most 64 characters; ECS keeps it for the task's life and an hour, 24 hours at most (ECS Developer
/// Guide, "Ensuring idempotency").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientToken(String);

impl ClientToken {
    /// A token for the batch of this number.
    ///
    /// Two launchers that race for the same batch make the same token, so ECS lets only one of them win
    /// and tells the other what exists.
    pub fn of_batch(started_by: &StartedBy, number: usize) -> Self {
        // Not a secret, only short. The parts that differ within a start stay readable.
        let hash = fnv1a(started_by.as_str().as_bytes());
        Self(format!("ff-{hash:016x}-{number}"))
    }

    /// A token for a launch whose mailboxes have this nonce. The nonce is unguessable, so nobody else has it.
    pub fn of_nonce(nonce: &str) -> Self {
        Self(format!("ff-{nonce}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// FNV-1a, 64 bits.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// A moment, as the adapters and the binary read it from the clock.
pub type Moment = Timestamp;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_ecs_would_refuse() {
        assert!("linux-x64".parse::<PoolName>().is_ok());
        for bad in ["", "a b", "a/b", "ü", &"x".repeat(33)] {
            let error = bad.parse::<PoolName>().unwrap_err();
            assert!(error.to_string().contains("1 to 32 letters"), "{error}");
        }
    }

    #[test]
    fn a_repository_can_stand_in_an_address() {
        for good in ["acme/shop", "a-b/.github", "acme/x.y_z"] {
            assert_eq!(good.parse::<Repository>().unwrap().as_str(), good);
        }
        for bad in ["acme", "acme/", "/shop", "acme/shop/x", "acme/..", "../shop", "acme/a b", "acme/a?b"] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_runner_may_be_given_a_name() {
        for good in ["runner-1", "My Runner", "é", &"x".repeat(64)] {
            assert_eq!(good.parse::<RunnerName>().unwrap().as_str(), good);
        }
        for bad in ["", " x", "x ", "a\nb", &"x".repeat(65)] {
            assert!(bad.parse::<RunnerName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn started_by_stays_below_its_limit() {
        let stack: StackName = "s".repeat(32).parse().unwrap();
        let key: Key = "k".repeat(48).parse().unwrap();
        let run = RunRef::Attempt { run_id: u64::MAX, attempt: 1000 };
        let started_by = StartedBy::of_run(&stack, &run, &key);
        assert!(started_by.as_str().len() <= 128, "{started_by}");
    }

    #[test]
    fn started_by_tells_its_origin() {
        let (stack, key): (StackName, Key) = ("prod".parse().unwrap(), "build-x64".parse().unwrap());
        for run in [RunRef::ByHand, RunRef::Attempt { run_id: 16_000_000_000, attempt: 3 }] {
            let text = StartedBy::of_run(&stack, &run, &key).to_string();
            assert_eq!(StartedBy::origin(&text, &stack), Some((run, key.clone())));
            assert_eq!(StartedBy::origin(&text, &"pro".parse().unwrap()), None);
        }
        for other in ["fleetfoot/prod/linux-x64", "fleetfoot/prod/7-x/k", "ecs-svc/1", "fleetfoot/prod/x/k"] {
            assert_eq!(StartedBy::origin(other, &stack), None, "{other}");
        }
    }

    #[test]
    fn a_task_arn_knows_its_parts() {
        let arn: TaskArn = "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd".parse().unwrap();
        assert_eq!((arn.id(), arn.region()), ("0123abcd", "eu-west-1"));
        for bad in ["0123abcd", "arn:aws:ecs:eu-west-1:1:cluster/ff", "arn:aws:ecs:eu-west-1:1:task/"] {
            assert!(bad.parse::<TaskArn>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_client_token_names_its_batch() {
        let one = StartedBy::of_run(&"a".parse().unwrap(), &RunRef::ByHand, &"k".parse().unwrap());
        let two = StartedBy::of_run(&"b".parse().unwrap(), &RunRef::ByHand, &"k".parse().unwrap());
        let token = |s, number| ClientToken::of_batch(s, number).as_str().to_owned();
        assert_eq!(token(&one, 0), token(&one, 0));
        assert_ne!(token(&one, 0), token(&two, 0));
        assert_ne!(token(&one, 0), token(&one, 1));
        assert!(token(&one, usize::MAX).len() <= 64);
    }
}
