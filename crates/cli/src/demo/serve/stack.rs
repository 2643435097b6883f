//! The stack of the autoscaler's demo: the demo's own, with a scale set for each pool.

use serde_json::{Value, json};

use crate::demo::world::ON_INSTANCES;

/// The scale sets by the names that jobs call them, each with its pool.
pub const SETS: [(&str, &str); 4] = [
    ("fargate", "Fargate"),
    ("fargate-spot", "Fargate-Spot"),
    ("ec2", "EC2"),
    ("linux-arm64", "linux-arm64"),
];

/// The pool that keeps tasks ready, and how many.
const WARM: (&str, usize) = ("Fargate", 2);

/// A stack document with scale sets.
#[derive(Debug, Clone)]
pub struct Served {
    /// The document.
    pub document: Value,
    /// Its pools.
    pub pools: Vec<ServedPool>,
}

/// A pool with the numbers that the document gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedPool {
    /// Its name.
    pub name: &'static str,
    /// The most tasks.
    pub max: usize,
    /// Tasks that are to be there though no job wants them: its sets' minima are zero, so those kept warm.
    pub warm: usize,
}

impl Served {
    /// The demo's document with a scale set for each pool, and a queue that tells of tasks' changes. No pool has
    /// more than `most` tasks.
    pub fn new(stack: &Value, events_queue: &str, most: usize) -> Self {
        let (warm_pool, warm) = WARM;
        let pools = SETS.map(|(_, name)| ServedPool {
            name,
            max: if name == "EC2" { ON_INSTANCES } else { most },
            warm: if name == warm_pool { warm.min(most) } else { 0 },
        });
        let mut document = stack.clone();
        document["events_queue"] = events_queue.into();
        for pool in document["pools"].as_array_mut().into_iter().flatten() {
            if let Some(served) = pools.iter().find(|served| pool["name"] == served.name) {
                (pool["max"], pool["warm"]) = (served.max.into(), served.warm.into());
            }
        }
        let set = |((set, pool), served): (&(&str, &str), &ServedPool)| json!({ "name": set, "pool": pool, "min": 0, "max": served.max });
        document["scale_sets"] = SETS.iter().zip(&pools).map(set).collect();
        Self { document, pools: pools.into() }
    }

    /// How many tasks are to be there when no job wants any.
    pub fn standing(&self) -> usize {
        self.pools.iter().map(|pool| pool.warm).sum()
    }
}

/// Whether a job with these labels goes to one of the scale sets.
pub fn is_served(labels: &[String]) -> bool {
    SETS.iter().any(|(set, _)| labels.iter().all(|label| label.eq_ignore_ascii_case(set)))
}

/// The scale sets' names in a row.
pub fn names() -> String {
    SETS.map(|(set, _)| set).join(", ")
}
