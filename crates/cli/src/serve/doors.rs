//! The services, as the autoscaler calls them.

use fleetfoot_core::fleet::ScopeIndex;

use super::SetIds;
use crate::engine::Clock;

/// One repository, organisation or enterprise at GitHub.
#[derive(Debug)]
pub struct AtGitHub<S, R> {
    /// Its scale sets.
    pub sets: S,
    /// Its runners, whoever has registered them.
    pub registry: R,
}

/// The world's doors.
pub struct Doors<'a, T, O, S, R> {
    /// ECS.
    pub tasks: &'a T,
    /// The mailboxes.
    pub outbox: &'a O,
    /// GitHub, by scope.
    pub scopes: &'a [AtGitHub<S, R>],
    /// The scale sets' ids.
    pub ids: &'a SetIds,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Makes unguessable names of mailboxes.
    pub nonce: &'a (dyn Fn() -> String + Send + Sync),
}

// Derived, they would ask for adapters that can be copied and shown.
impl<T, O, S, R> Clone for Doors<'_, T, O, S, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, O, S, R> Copy for Doors<'_, T, O, S, R> {}

impl<T, O, S, R> std::fmt::Debug for Doors<'_, T, O, S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doors").field("scopes", &self.scopes.len()).finish_non_exhaustive()
    }
}

impl<'a, T, O, S, R> Doors<'a, T, O, S, R> {
    /// GitHub, in this scope.
    pub(super) fn at(&self, scope: ScopeIndex) -> Option<&'a AtGitHub<S, R>> {
        self.scopes.get(scope.0)
    }
}
