//! A scale set: what `runs-on` names.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::{SetSchedule, open};
use super::{Wrong, default_max};
use crate::ids::PoolName;

/// A scale set of the autoscaler: what `runs-on` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleSet {
    /// Its name at GitHub.
    pub name: String,
    /// Where it is, if that is not `github.url`: another organisation, repository or enterprise of the same GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
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
    /// Windows of time with another `min` or `max`. Of those that are open the last one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<SetSchedule>,
}

fn default_group() -> String {
    "Default".to_owned()
}

impl ScaleSet {
    /// How many runners it has at least and at most at this time.
    pub fn bounds(&self, now: Timestamp) -> (u32, u32) {
        self.bounds_in(open(&self.schedules, now))
    }

    fn bounds_in(&self, schedule: Option<&SetSchedule>) -> (u32, u32) {
        let min = schedule.and_then(|schedule| schedule.min).unwrap_or(self.min);
        (min, schedule.and_then(|schedule| schedule.max).unwrap_or(self.max))
    }

    /// The most runners it ever has at a time.
    pub fn most(&self) -> u32 {
        self.schedules.iter().filter_map(|schedule| schedule.max).fold(self.max, u32::max)
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        if self.min > self.max {
            return Err(("min".into(), "is above max".into()));
        }
        for (i, schedule) in self.schedules.iter().enumerate() {
            let place = |field: &str| format!("schedules[{i}]{field}");
            if schedule.min.is_none() && schedule.max.is_none() {
                return Err((place(""), "changes nothing; give it a min, a max or both".into()));
            }
            let (min, max) = self.bounds_in(Some(schedule));
            if min > max {
                let field = if schedule.min.is_some() { ".min" } else { ".max" };
                return Err((place(field), format!("while it is open, min is {min} and max is {max}")));
            }
        }
        Ok(())
    }
}
