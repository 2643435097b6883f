//! Binding: to register a runner for a task and to hand it its secret. What can fail on the way leaves
//! different things behind, and these are their names.

use crate::fault::Fault;
use crate::ids::RunnerId;

/// How binding a task failed.
#[derive(Debug)]
pub enum Unbound {
    /// Nothing was registered; bind again if the fault can be mended.
    Refused(Fault),
    /// There may be a registration that nobody holds the secret of.
    Doubtful(Fault),
    /// The assignment could not be put, so its registration is of no use.
    Undelivered {
        /// Why.
        fault: Fault,
        /// The registration.
        id: RunnerId,
        /// Whether it was deleted again.
        unregistered: bool,
        /// Whether the mailbox is known to be empty.
        emptied: bool,
    },
    /// Another launcher has registered the runner.
    Another,
}
