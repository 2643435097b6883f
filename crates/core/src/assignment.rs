//! The assignment: how a task that is bound to nobody learns which runner it is.
//!
//! RunTask's override carries only a [`MailboxPrefix`] with a random nonce. The launcher then puts one
//! [`Assignment`] per task below it, under the task's id. Whoever can describe tasks sees no secret;
//! whoever runs in a task knows the nonce but no other task's id, and may not list.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::ids::{InvalidName, RunnerName, TaskArn};

/// The environment variable of the override that carries the mailbox prefix.
pub const MAILBOX_VARIABLE: &str = "FLEETFOOT_MAILBOX";

/// The environment variable of the override that tells the agent how long to wait for its assignment.
pub const BIND_TIMEOUT_VARIABLE: &str = "FLEETFOOT_BIND_TIMEOUT";

/// The only version of the document so far.
pub const VERSION: u32 = 1;

/// Where the tasks of one launch find their mail: `s3://bucket/mailbox/<nonce>/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailboxPrefix {
    bucket: String,
    prefix: String,
}

impl MailboxPrefix {
    /// A prefix below the stack's own (`mailbox/`) with a nonce, which must be unguessable.
    pub fn new(bucket: &str, prefix: &str, nonce: &str) -> Self {
        Self { bucket: bucket.to_owned(), prefix: format!("{}{nonce}/", Self::all(prefix)) }
    }

    /// What the keys of all mailboxes below the stack's own prefix begin with.
    pub fn all(prefix: &str) -> String {
        let prefix = prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("{prefix}{slash}")
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The address of one task's mailbox.
    pub fn of_task(&self, task: &TaskArn) -> MailboxAddress {
        MailboxAddress { bucket: self.bucket.clone(), key: format!("{}{}", self.prefix, task.id()) }
    }
}

impl fmt::Display for MailboxPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for MailboxPrefix {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        value
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(bucket, prefix)| !bucket.is_empty() && prefix.ends_with('/') && prefix.len() > 1)
            .map(|(bucket, prefix)| Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
            .ok_or_else(|| InvalidName {
                kind: "mailbox",
                value: value.to_owned(),
                rule: "s3://BUCKET/PREFIX/",
            })
    }
}

/// One task's mailbox: an S3 object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailboxAddress {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl MailboxAddress {
    /// The nonce and the task's id, the last two parts of the key; `None` if it is no mailbox's.
    pub fn parts(&self) -> Option<(&str, &str)> {
        let (rest, task) = self.key.rsplit_once('/')?;
        let nonce = rest.rsplit('/').next()?;
        (!nonce.is_empty() && !task.is_empty()).then_some((nonce, task))
    }
}

impl fmt::Display for MailboxAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// What a task needs to become a runner.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// Always [`VERSION`].
    pub version: u32,
    /// The runner's name, for the log.
    pub runner: RunnerName,
    /// GitHub's `encoded_jit_config`: whoever has it is the runner.
    #[serde(serialize_with = "expose")]
    pub jit_config: SecretString,
    /// Seconds without a job after which the agent leaves.
    pub idle_timeout: u64,
    /// Seconds after the assignment after which the agent ends whatever runs.
    pub max_lifetime: u64,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Assignment {
    /// The document as it lies in the mailbox.
    pub fn to_json(&self) -> SecretString {
        SecretString::from(serde_json::json!(self).to_string())
    }

    /// Reads the document.
    ///
    /// # Errors
    /// What is wrong with it; the text never shows the document's values.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let shape =
            |e: &serde_json::Error| format!("not an assignment: line {}, column {}", e.line(), e.column());
        let Version { version } = serde_json::from_slice(bytes).map_err(|e| shape(&e))?;
        if version != VERSION {
            return Err(format!("version {version} of the document; this agent knows {VERSION}"));
        }
        serde_json::from_slice(bytes).map_err(|e| shape(&e))
    }
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> TaskArn {
        "arn:aws:ecs:eu-west-1:123456789012:task/ff/0123abcd".parse().unwrap()
    }

    #[test]
    fn a_prefix_survives_the_override() {
        for stack_prefix in ["mailbox/", "mailbox", "/a/b/", ""] {
            let prefix = MailboxPrefix::new("bucket", stack_prefix, "n0nce");
            assert_eq!(prefix.to_string().parse::<MailboxPrefix>().unwrap(), prefix);
            assert!(prefix.of_task(&task()).key.ends_with("n0nce/0123abcd"));
        }
        assert_eq!(
            MailboxPrefix::new("b", "mailbox/", "n").of_task(&task()).to_string(),
            "s3://b/mailbox/n/0123abcd"
        );
        let address = |key: &str| MailboxAddress { bucket: "b".into(), key: key.into() };
        assert_eq!(address("mailbox/n/t").parts(), Some(("n", "t")));
        assert_eq!(address("n/t").parts(), Some(("n", "t")));
        assert_eq!((address("t").parts(), address("mailbox/n/").parts()), (None, None));
        assert!("s3://bucket".parse::<MailboxPrefix>().is_err());
        assert!("https://bucket/x/".parse::<MailboxPrefix>().is_err());
    }

    #[test]
    fn an_assignment_reads_back_and_hides_its_secret() {
        let assignment = Assignment {
            version: VERSION,
            runner: RunnerName::of_task(&task()),
            jit_config: "s3cret".into(),
            idle_timeout: 60,
            max_lifetime: 600,
        };
        assert!(!format!("{assignment:?}").contains("s3cret"));
        let text = assignment.to_json();
        let back = Assignment::from_json(text.expose_secret().as_bytes()).unwrap();
        assert_eq!(back.jit_config.expose_secret(), "s3cret");
        let error = Assignment::from_json(br#"{"version":1,"jit_config":"s3cret","surplus":1}"#).unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
        assert!(Assignment::from_json(br#"{"version":2}"#).unwrap_err().contains("version 2"));
    }
}
