//! A pool: a kind of task.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adaptive::Adaptive;
use super::schedule::{PoolSchedule, open};
use super::{Arch, Capacity, Network, Wrong, default_max};
use crate::ids::PoolName;
use crate::size::{InvalidSize, Size};

/// A kind of task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Windows of time with another `warm`. Of those that are open the last one counts, whatever was learnt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<PoolSchedule>,
    /// Learn from the jobs how many tasks to keep ready in which hour. Until an hour is known, it is `warm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<Adaptive>,
}

fn default_container() -> String {
    "runner".to_owned()
}

impl Pool {
    /// Whether every choice of capacity is Fargate, so that Fargate's sizes apply.
    pub fn on_fargate(&self) -> bool {
        self.capacity.iter().any(Capacity::is_fargate)
    }

    /// Whether the autoscaler keeps unbound tasks of it ready.
    pub fn is_kept_warm(&self) -> bool {
        self.warm > 0 || self.adaptive.is_some() || self.schedules.iter().any(|schedule| schedule.warm > 0)
    }

    /// How many unbound tasks are wanted at this time. `learnt` is what an adaptive pool has learnt to want, once
    /// it has.
    pub fn warm_at(&self, now: Timestamp, learnt: Option<u32>) -> u32 {
        let wanted = match (open(&self.schedules, now), learnt) {
            (Some(schedule), _) => schedule.warm,
            (None, Some(learnt)) => learnt,
            (None, None) => self.warm,
        };
        wanted.min(self.max)
    }

    /// The pool's own size.
    pub fn size(&self) -> Size {
        Size { cpu: self.cpu, memory: self.memory, ephemeral_storage: None }
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        if self.capacity.is_empty() {
            return Err((
                "capacity".into(),
                "is empty; name at least one, such as {\"provider\": \"FARGATE\"}".into(),
            ));
        }
        if self.max == 0 {
            return Err(("max".into(), "is 0; no task could ever run".into()));
        }
        if self.warm > self.max {
            return Err(("warm".into(), "is above max".into()));
        }
        for (i, schedule) in self.schedules.iter().enumerate() {
            if schedule.warm > self.max {
                return Err((format!("schedules[{i}].warm"), "is above the pool's max".into()));
            }
        }
        if let Some(adaptive) = &self.adaptive {
            adaptive.check(self.max).map_err(|(field, why)| (format!("adaptive.{field}"), why))?;
        }
        self.check_place()
    }

    fn check_place(&self) -> Result<(), Wrong> {
        if self.on_fargate() {
            self.size().check_fargate().map_err(|e: InvalidSize| ("cpu".into(), e.to_string()))?;
        }
        match &self.network {
            Some(network) if network.subnets.is_empty() => Err((
                "network.subnets".into(),
                "is empty; tasks in awsvpc mode need at least one subnet".into(),
            )),
            Some(network) if network.assign_public_ip && !self.capacity.iter().all(Capacity::is_fargate) => {
                Err((
                    "network.assign_public_ip".into(),
                    "tasks on EC2 cannot have a public address; use a NAT gateway or bridge mode".into(),
                ))
            }
            None if self.on_fargate() => {
                Err(("network".into(), "is missing; Fargate tasks need subnets".into()))
            }
            _ => Ok(()),
        }
    }
}
