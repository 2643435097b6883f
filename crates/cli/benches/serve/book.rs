//! Which calls the autoscaler made, from the simulators' books. The runners' own are of a service of their own.

use std::collections::BTreeMap;

use fleetfoot_sim::book::Book;

/// Its calls: how many of each, by service and operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    /// How often each was made.
    pub(crate) made: BTreeMap<(&'static str, String), usize>,
    /// How many of all were refused or failed.
    pub(crate) refused: usize,
}

impl Calls {
    /// Those from this place of the book on.
    pub(crate) fn since(book: &Book, place: usize) -> Self {
        let mut calls = Self::default();
        let ours = |call: &fleetfoot_sim::book::Call| {
            (call.service != "runner").then(|| (call.service, call.operation.clone(), call.status))
        };
        for (service, operation, status) in book.since(place, ours) {
            *calls.made.entry((service, operation)).or_default() += 1;
            calls.refused += usize::from(!(200..300).contains(&status));
        }
        calls
    }

    /// All calls of AWS, or all of GitHub.
    pub(crate) fn of(&self, provider: Provider) -> usize {
        let has = |service: &str| {
            ["github", "actions", "oidc"].contains(&service) == (provider == Provider::GitHub)
        };
        self.made.iter().filter(|((service, _), _)| has(service)).map(|(_, count)| count).sum()
    }

    /// Calls of one operation of ECS.
    pub(crate) fn of_ecs(&self, operation: &str) -> usize {
        self.made.get(&("ecs", operation.to_owned())).copied().unwrap_or_default()
    }
}

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    Aws,
    GitHub,
}
