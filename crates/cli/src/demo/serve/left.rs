//! What is left when no job wants anything, by the simulators' books.

use std::collections::BTreeMap;

use serde::Serialize;

use super::pools::Pools;
use super::stack::Served;
use crate::demo::world::{BUCKET, World};

/// It.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Tasks that have not stopped, by pool; those of no pool are under the empty name.
    pub tasks: BTreeMap<String, usize>,
    /// Tasks that are to be there: what the stack's pools keep warm, and the minima of its scale sets.
    pub wanted: BTreeMap<String, usize>,
    /// Runners that are registered at GitHub.
    pub registrations: usize,
    /// Assignments that nobody has taken.
    pub mail: usize,
    /// Whether that is all that is to be there, and all of it is.
    pub as_wanted: bool,
}

impl Left {
    /// Looks at the books.
    pub fn look(world: &World, served: &Served, pools: &Pools) -> Self {
        let kept = served.pools.iter().filter(|pool| pool.warm > 0);
        let wanted = kept.map(|pool| (pool.name.to_owned(), pool.warm)).collect();
        let (registrations, mail) = (world.github.runners().len(), world.aws.objects(BUCKET).len());
        let as_wanted = pools.are_at_rest(served) && registrations == 0 && mail == 0;
        Self { tasks: pools.totals(), wanted, registrations, mail, as_wanted }
    }

    /// For people.
    pub fn text(&self) -> String {
        let tasks = if self.tasks.is_empty() { "no task".to_owned() } else { told(&self.tasks) };
        let wanted = if self.as_wanted {
            "as the stack wants it".to_owned()
        } else {
            format!("where the stack wants {} and nothing else", told(&self.wanted))
        };
        let number = |n: usize, what: &str| if n == 0 { format!("no {what}") } else { format!("{n} {what}") };
        format!(
            "Left: {tasks}, {wanted}; {}, {}.",
            number(self.registrations, "runner registered at GitHub"),
            number(self.mail, "assignment in the mailbox")
        )
    }
}

/// `2 tasks in pool Fargate, 1 task of no pool`.
fn told(tasks: &BTreeMap<String, usize>) -> String {
    let told = tasks.iter().map(|(pool, count)| {
        let tasks = if *count == 1 { "task" } else { "tasks" };
        match pool.as_str() {
            "" => format!("{count} {tasks} of no pool"),
            pool => format!("{count} {tasks} in pool {pool}"),
        }
    });
    told.collect::<Vec<_>>().join(", ")
}
