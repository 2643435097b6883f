//! The policies that are compared, each as a stack document would have it.

use fleetfoot_core::fleet::{Manner, PoolIndex, ScopeIndex};
use fleetfoot_core::stack::Stack;
use fleetfoot_core::targets::Targets;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::Result;

/// Which kind of policy, for the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Schedule,
    Adaptive,
}

/// One policy.
pub(crate) struct Policy {
    pub(crate) kind: Kind,
    /// What of a pool it sets, as people would write it.
    pub(crate) text: String,
    pool: Value,
}

/// All of them.
pub(crate) fn all() -> Vec<Policy> {
    let plain = [0, 1, 2, 4, 6, 8, 12].map(|warm| Policy::new(Kind::Plain, &json!({ "warm": warm })));
    let schedule = [4, 8].map(|warm| {
        let window = json!({ "cron": "0 8 * * mon-fri", "for": "14h", "warm": warm });
        Policy::new(Kind::Schedule, &json!({ "schedules": [window] }))
    });
    let adaptive = [0.5, 0.75, 0.9, 0.95, 0.99]
        .map(|p| Policy::new(Kind::Adaptive, &json!({ "adaptive": { "p": p, "max_warm": 16 } })));
    plain.into_iter().chain(schedule).chain(adaptive).collect()
}

impl Policy {
    fn new(kind: Kind, pool: &Value) -> Self {
        Self { kind, text: pool.to_string(), pool: pool.clone() }
    }

    /// What the fleet is told.
    pub(crate) fn targets(&self) -> Result<Targets> {
        // ECS tells of its tasks by itself, so they are looked at seldom.
        let manner = Manner { poll: SignedDuration::from_secs(30), ..Manner::default() };
        Ok(Targets::new(self.stack()?, vec![(PoolIndex(0), ScopeIndex(0))], manner))
    }

    /// Its stack.
    pub(crate) fn stack(&self) -> Result<Stack> {
        let mut pool = json!({
            "name": "linux", "task_definition": "linux", "arch": "x86_64", "cpu": 2048, "memory": 4096, "max": 500,
            "network": { "subnets": ["subnet-1"] }, "capacity": [{ "provider": "FARGATE" }]
        });
        if let (Value::Object(pool), Value::Object(own)) = (&mut pool, &self.pool) {
            pool.extend(own.clone());
        }
        let document = json!({
            "version": 1, "name": "bench", "region": "us-east-1", "cluster": "ff", "mailbox": { "bucket": "mail" },
            "github": { "url": "https://github.com/acme" }, "pools": [pool],
            "scale_sets": [{ "name": "linux", "pool": "linux", "max": 500 }]
        });
        Ok(Stack::from_json(&document.to_string())?)
    }
}
