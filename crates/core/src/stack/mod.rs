//! The stack document: one installation, described once, read by every command.
//!
//! Terraform writes it, `docs/stack.schema.json` is generated from these types. Unknown fields are
//! refused, so that a misspelt setting is never silently ignored.

mod adaptive;
mod github;
mod place;
mod pool;
mod scale_set;
mod schedule;

#[cfg(test)]
mod tests;

pub use adaptive::{Adaptive, MOST_WARM};
pub use github::{App, GitHub, KeySource};
pub use place::{Arch, Capacity, LaunchType, Network};
pub use pool::Pool;
pub use scale_set::ScaleSet;
pub use schedule::{Length, PoolSchedule, Scheduled, SetSchedule, Window, Zone};

use std::collections::BTreeSet;

use github::Address;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::StackName;

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

fn default_max() -> u32 {
    100
}

/// A field, by its path from where it was found, and what is wrong with it.
type Wrong = (String, String);

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
            set.check().map_err(|(field, why)| sense(format!("scale_sets[{i}].{field}"), &why))?;
            self.check_place(i, set)
                .map_err(|(field, why)| sense(format!("scale_sets[{i}].{field}"), &why))?;
        }
        Ok(())
    }

    /// A scale set's own address, and that its name is no other's there.
    fn check_place(&self, n: usize, set: &ScaleSet) -> Result<(), Wrong> {
        if let Some(url) = &set.url {
            let address = Address::read(url).ok_or_else(|| {
                ("url".to_owned(), format!("{url:?} is no address such as https://github.com/acme"))
            })?;
            if Address::read(&self.github.url).is_some_and(|home| home.server != address.server) {
                let why = format!(
                    "{} is another GitHub than that of github.url, and a stack has credentials for one; make a stack \
                     of its own for the other",
                    address.server
                );
                return Err(("url".to_owned(), why));
            }
        }
        // Labels, by which a runner's set is known, have no case.
        let is_same = |other: &&ScaleSet| {
            other.name.eq_ignore_ascii_case(&set.name) && self.place_of(other) == self.place_of(set)
        };
        match self.scale_sets[..n].iter().find(is_same) {
            Some(_) => {
                Err(("name".into(), format!("another scale set at {} has this name", self.url_of(set))))
            }
            None => Ok(()),
        }
    }

    /// Where this scale set is at GitHub, by its address.
    pub fn url_of<'a>(&'a self, set: &'a ScaleSet) -> &'a str {
        set.url.as_deref().unwrap_or(&self.github.url)
    }

    /// Everywhere at GitHub where the stack has runners, by address: `github.url`, where those of starts are, and
    /// then each other place of a scale set, once.
    pub fn places(&self) -> Vec<&str> {
        let mut places = vec![self.github.url.as_str()];
        for url in self.scale_sets.iter().filter_map(|set| set.url.as_deref()) {
            if !places.iter().any(|place| is_same_place(place, url)) {
                places.push(url);
            }
        }
        places
    }

    /// Which of [`places`](Self::places) a scale set is at.
    pub fn place_of(&self, set: &ScaleSet) -> usize {
        let url = self.url_of(set);
        self.places().iter().position(|place| is_same_place(place, url)).unwrap_or_default()
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

fn is_same_place(one: &str, other: &str) -> bool {
    one == other || Address::read(one).is_some_and(|one| Address::read(other) == Some(one))
}

/// The document's JSON schema, as `docs/stack.schema.json` has it.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Stack).into()
}
