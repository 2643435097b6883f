//! A pool that learns how many tasks to keep ready. How it does is told in [`crate::profile`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Wrong, Zone};

/// The most tasks that a profile tells apart.
pub const MOST_WARM: u32 = 100;

/// How a pool learns how many unbound tasks to keep ready in which hour of the week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adaptive {
    /// The share of jobs that are to find a task ready, above 0 and below 1. They are had in the hours where they
    /// cost least, so that a pool that hardly ever has jobs at night keeps nothing ready then.
    #[serde(default = "default_p")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub p: f64,
    /// The most tasks kept ready, 1 to 100. A burst of more jobs counts as a burst of so many.
    #[schemars(range(min = 1, max = 100))]
    pub max_warm: u32,
    /// Whose hours and days they are, by a name in the IANA database.
    #[serde(default)]
    pub time_zone: Zone,
}

fn default_p() -> f64 {
    0.95
}

impl Adaptive {
    /// Its fields that are wrong, in a pool of so many tasks.
    pub(super) fn check(&self, max: u32) -> Result<(), Wrong> {
        if !(self.p > 0.0 && self.p < 1.0) {
            return Err(("p".into(), "is a share of jobs, above 0 and below 1, such as 0.95".into()));
        }
        if !(1..=MOST_WARM).contains(&self.max_warm) {
            return Err(("max_warm".into(), format!("is 1 to {MOST_WARM}")));
        }
        if self.max_warm > max {
            return Err(("max_warm".into(), "is above the pool's max".into()));
        }
        Ok(())
    }
}
