//! The policies that are compared, each as a stack document has it.

use fleetfoot_core::fleet::{Manner, PoolIndex, ScopeIndex};
use fleetfoot_core::stack::{Pool, Stack};
use fleetfoot_core::targets::Targets;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::Result;

/// How many tasks an adaptive pool keeps ready at most, and what a schedule is.
const MOST: u32 = 16;
const WORKING_HOURS: (&str, &str) = ("0 8 * * mon-fri", "14h");

/// What kind a policy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The same number always.
    Plain,
    /// A number in working hours.
    Schedule,
    /// What is learnt.
    Adaptive,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Schedule, Self::Adaptive];

    /// What it is, for people.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Plain => "always the same `warm`".to_owned(),
            Self::Schedule => {
                let (cron, length) = WORKING_HOURS;
                format!("`warm` in a window, `{cron}` for `{length}`")
            }
            Self::Adaptive => format!("`adaptive`, `max_warm` {MOST}"),
        }
    }
}

/// One policy.
pub(crate) struct Policy {
    pub(crate) kind: Kind,
    /// The number that is its own.
    pub(crate) label: String,
    stack: Stack,
}

/// All of them, by kind.
pub(crate) fn all() -> Result<Vec<Policy>> {
    let mut all = Vec::new();
    for warm in [0, 1, 2, 3, 4, 5, 6, 8, 10, 12] {
        all.push(Policy::new(Kind::Plain, format!("warm {warm}"), json!({ "warm": warm }))?);
    }
    let (cron, length) = WORKING_HOURS;
    for warm in [2, 4, 8, 12] {
        let pool = json!({ "schedules": [{ "cron": cron, "for": length, "warm": warm }] });
        all.push(Policy::new(Kind::Schedule, format!("warm {warm}"), pool)?);
    }
    for p in [0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995] {
        let pool = json!({ "adaptive": { "p": p, "max_warm": MOST } });
        all.push(Policy::new(Kind::Adaptive, format!("p {p}"), pool)?);
    }
    Ok(all)
}

impl Policy {
    fn new(kind: Kind, label: String, own: Value) -> Result<Self> {
        let mut pool = json!({
            "name": "linux", "task_definition": "linux", "arch": "x86_64", "cpu": 2048, "memory": 4096, "max": 500,
            "network": { "subnets": ["subnet-1"] }, "capacity": [{ "provider": "FARGATE" }]
        });
        if let (Value::Object(pool), Value::Object(own)) = (&mut pool, own) {
            pool.extend(own);
        }
        let document = json!({
            "version": 1, "name": "bench", "region": "us-east-1", "cluster": "ff", "mailbox": { "bucket": "mail" },
            "github": { "url": "https://github.com/acme" }, "pools": [pool],
            "scale_sets": [{ "name": "linux", "pool": "linux", "max": 500 }]
        });
        Ok(Self { kind, label, stack: Stack::from_json(&document.to_string())? })
    }

    /// Its pool.
    pub(crate) fn pool(&self) -> Result<&Pool> {
        Ok(self.stack.pool(None)?)
    }

    /// What the fleet is told.
    pub(crate) fn targets(&self) -> Targets {
        // ECS tells of its tasks by itself, so they are looked at seldom.
        let manner = Manner { poll: SignedDuration::from_secs(30), ..Manner::default() };
        Targets::new(self.stack.clone(), vec![(PoolIndex(0), ScopeIndex(0))], manner)
    }
}
