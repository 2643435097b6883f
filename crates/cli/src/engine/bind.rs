//! Binding: to register a runner for a task and to put the assignment into its mailbox.
//!
//! The dance that the ports' contracts ask for, and no decision beyond it: after a lost answer what may be
//! registered is looked up and deleted first, because nobody holds its secret.

use fleetfoot_core::assignment::{self, Assignment, MailboxAddress};
use fleetfoot_core::binding::Unbound;
use fleetfoot_core::fault::{Class, Fault};
use fleetfoot_core::ids::{RunnerId, RunnerName};
use fleetfoot_core::ports::{Minted, Outbox};
use jiff::SignedDuration;

/// Whoever registers one runner, under its task's name.
pub(crate) trait Registrar: Send + Sync {
    /// Registers it. Not idempotent.
    fn mint(&self) -> impl Future<Output = Result<Minted, Fault>> + Send;

    /// Looks it up.
    fn find(&self) -> impl Future<Output = Result<Option<Found>, Fault>> + Send;

    /// Removes its registration.
    fn delete(&self, id: RunnerId) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// A registration that is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: RunnerId,
    /// Whether somebody is that runner, or it is registered for something else.
    pub(crate) in_use: bool,
}

/// How long a runner may wait and live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) idle_timeout: SignedDuration,
    pub(crate) max_lifetime: SignedDuration,
}

/// A task to be bound.
#[derive(Debug)]
pub(crate) struct Binding<'a, G, O> {
    pub(crate) registrar: &'a G,
    pub(crate) outbox: &'a O,
    pub(crate) runner: &'a RunnerName,
    pub(crate) address: &'a MailboxAddress,
    pub(crate) terms: Terms,
}

impl<G: Registrar, O: Outbox> Binding<'_, G, O> {
    /// Makes it. `doubtful` if an earlier answer to minting was lost.
    pub(crate) async fn make(&self, doubtful: bool) -> Result<RunnerId, Unbound> {
        if doubtful {
            self.clear().await?;
        }
        let minted = self.registrar.mint().await.map_err(|fault| match fault.class {
            Class::Conflict => Unbound::Another,
            Class::Unknown => Unbound::Doubtful(fault),
            _ => Unbound::Refused(fault),
        })?;
        let seconds = |d: SignedDuration| u64::try_from(d.as_secs()).unwrap_or_default();
        let assignment = Assignment {
            version: assignment::VERSION,
            runner: self.runner.clone(),
            jit_config: minted.jit_config,
            idle_timeout: seconds(self.terms.idle_timeout),
            max_lifetime: seconds(self.terms.max_lifetime),
        };
        let Err(fault) = self.outbox.put(self.address, &assignment).await else { return Ok(minted.id) };
        // Whatever lies there, be it this one whose answer was lost or an older one: nobody is registered under
        // its secret once this registration is gone, and the next assignment needs the place.
        let emptied = self.outbox.empty(self.address).await.is_ok();
        // As long as the registration is there, whoever comes next finds what belongs to it.
        let unregistered = emptied && self.registrar.delete(minted.id).await.is_ok();
        Err(Unbound::Undelivered { fault, id: minted.id, unregistered, emptied })
    }

    /// An earlier answer was lost. Nobody holds the secret of what it may have registered.
    async fn clear(&self) -> Result<(), Unbound> {
        match self.registrar.find().await.map_err(Unbound::Doubtful)? {
            Some(found) if found.in_use => Err(Unbound::Another),
            Some(found) => self.registrar.delete(found.id).await.map_err(|fault| match fault.class {
                Class::Busy => Unbound::Another,
                _ => Unbound::Doubtful(fault),
            }),
            None => Ok(()),
        }
    }
}
