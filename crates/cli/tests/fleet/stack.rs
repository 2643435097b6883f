//! What a story's autoscaler is to keep: pools, scale sets, and the manner of it.

use fleetfoot::serve::{Order, PoolOrder, SetOrder, Targets};
use fleetfoot_core::fleet::{Fleet, Manner, Policy, PoolIndex, PoolPolicy, ScopeIndex, SetPolicy};
use fleetfoot_core::scale_sets::ScaleSetSpec;
use fleetfoot_core::stack::Stack;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cloud::{PROVIDERS, SetName};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/ff";

/// What is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) pools: Vec<PoolPolicy>,
    pub(crate) sets: Vec<SetPolicy>,
    pub(crate) scopes: usize,
    pub(crate) manner: Manner,
    pub(crate) idle_timeout: SignedDuration,
    /// Whether ECS tells of tasks by itself.
    pub(crate) events: bool,
}

/// What the tasks of a pool are started for.
pub(crate) fn started_by(pool: PoolIndex) -> String {
    format!("fleetfoot/s/pool-{}", pool.0)
}

impl Plan {
    /// A set's name at GitHub.
    pub(crate) fn name(&self, set: usize) -> SetName {
        SetName { scope: self.sets[set].scope.0, name: format!("set-{set}").parse().unwrap() }
    }

    /// As the autoscaler is told.
    pub(crate) fn order(&self) -> Order {
        let pools: Vec<Value> = self
            .pools
            .iter()
            .enumerate()
            .map(|(n, rule)| {
                let capacity = PROVIDERS[..rule.capacities].iter().map(|name| json!({ "provider": name }));
                json!({ "name": format!("pool-{n}"), "task_definition": "ff", "arch": "x86_64", "cpu": 1024,
                    "memory": 2048, "capacity": capacity.collect::<Vec<_>>() })
            })
            .collect();
        let stack = json!({
            "version": 1, "name": "s", "region": "us-east-1", "cluster": CLUSTER, "mailbox": { "bucket": "mail" },
            "github": { "url": "https://github.com/acme" }, "pools": pools,
        });
        let stack = Stack::from_json(&stack.to_string()).unwrap();
        let hour = SignedDuration::from_hours(1);
        let set = |(n, rule): (usize, &SetPolicy)| SetOrder {
            spec: ScaleSetSpec {
                name: self.name(n).name,
                runner_group: "Default".to_owned(),
                labels: Vec::new(),
            },
            scope: ScopeIndex(rule.scope.0),
            pool: rule.pool,
            max: u32::try_from(rule.max).unwrap(),
            idle_timeout: self.idle_timeout,
            max_lifetime: hour,
        };
        let bind_timeout = self.manner.warm_age + SignedDuration::from_mins(10);
        Order {
            pools: stack.pools.iter().map(|pool| PoolOrder::of(&stack, pool, hour)).collect(),
            sets: self.sets.iter().enumerate().map(set).collect(),
            places: (0..self.scopes).map(|n| format!("scope-{n}")).collect(),
            mailbox: stack.mailbox.clone(),
            bind_timeout: u64::try_from(bind_timeout.as_secs()).unwrap(),
            cluster: stack.cluster.clone(),
        }
    }

    /// How many runners each set keeps when there is no job.
    pub(crate) fn minimum(&self, set: usize) -> usize {
        self.sets[set].min.min(self.sets[set].max)
    }

    /// How many tasks a pool keeps when there is no job.
    pub(crate) fn quiet_tasks(&self, pool: PoolIndex) -> usize {
        let sets = (0..self.sets.len()).filter(|n| self.sets[*n].pool == pool);
        let runners: usize = sets.map(|n| self.minimum(n)).sum();
        (runners + self.pools[pool.0].warm).min(self.pools[pool.0].max)
    }
}

impl Targets for Plan {
    fn policy(&self, _: Timestamp, _: &Fleet) -> Policy {
        Policy { pools: self.pools.clone(), sets: self.sets.clone(), manner: self.manner }
    }

    fn stay_until(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }
}
