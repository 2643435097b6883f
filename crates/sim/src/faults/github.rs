//! What the simulated GitHub asks, each at the place where the real one could fail.

use std::time::Duration;

use jiff::Timestamp;

use super::kind::FaultKind;
use super::plan::Faults;
use super::words::{Deletion, LimitStatus, NoSession, OidcRefusal, ServiceToken};

/// A rate limit that a caller runs into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// How it is said.
    pub(crate) status: LimitStatus,
    /// For how long.
    pub(crate) wait: Duration,
}

impl Faults {
    /// With which status, 500 or 502, a call fails without effect.
    pub(crate) fn github_fails(&self, operation: &str, now: Timestamp) -> Option<u16> {
        self.strike(&format!("github {operation}"), now, |kind| match kind {
            FaultKind::Github500 { operation: target } => target.hits(&[operation]).then_some(500),
            FaultKind::Github502 { operation: target } => target.hits(&[operation]).then_some(502),
            _ => None,
        })
    }

    /// Whether a caller's primary limit is used up from now on.
    pub(crate) fn primary_limit(&self, operation: &str, now: Timestamp) -> Option<Limit> {
        self.strike(&format!("github {operation}"), now, |kind| match kind {
            FaultKind::RateLimitPrimary { status, wait, operation: target } => {
                target.hits(&[operation]).then_some(Limit { status: *status, wait: *wait })
            }
            _ => None,
        })
    }

    /// Whether a caller is under a secondary limit from now on.
    pub(crate) fn secondary_limit(&self, operation: &str, now: Timestamp) -> Option<Limit> {
        self.strike(&format!("github {operation}"), now, |kind| match kind {
            FaultKind::RateLimitSecondary { status, wait, operation: target } => {
                target.hits(&[operation]).then_some(Limit { status: *status, wait: *wait })
            }
            _ => None,
        })
    }

    /// Whether a runner's name is taken by a dead registration.
    pub(crate) fn takes_name(&self, runner: &str, now: Timestamp) -> bool {
        self.strike(runner, now, |kind| matches!(kind, FaultKind::Jit409).then_some(())).is_some()
    }

    /// Why a runner that asks for a session for the first time never gets one.
    pub(crate) fn bars_runner(&self, runner: &str, now: Timestamp) -> Option<NoSession> {
        self.strike(runner, now, |kind| match kind {
            FaultKind::RunnerNeverOnline { how } => Some(*how),
            _ => None,
        })
    }

    /// Whether a runner that asks for a session is told that its version is deprecated.
    pub(crate) fn deprecates(&self, runner: &str, now: Timestamp) -> bool {
        self.strike(runner, now, |kind| matches!(kind, FaultKind::VersionDeprecated).then_some(())).is_some()
    }

    /// Whether a runner's registration disappears at this moment of its life.
    pub(crate) fn deletes_registration(&self, runner: &str, at: Deletion, now: Timestamp) -> bool {
        let hit = |kind: &FaultKind| match kind {
            FaultKind::RegistrationDeleted { moment } => (*moment == at).then_some(()),
            _ => None,
        };
        self.strike(runner, now, hit).is_some()
    }

    /// Whether a scale set disappears now that its queue is opened or polled.
    pub(crate) fn deletes_scale_set(&self, set: &str, now: Timestamp) -> bool {
        self.strike(set, now, |kind| matches!(kind, FaultKind::ScaleSetDeleted).then_some(())).is_some()
    }

    /// Whether a scale set's queue is held for somebody else.
    pub(crate) fn conflicts(&self, set: &str, now: Timestamp) -> bool {
        self.strike(set, now, |kind| matches!(kind, FaultKind::SessionConflict).then_some(())).is_some()
    }

    /// Whether a scale set's queue is opened without an address.
    pub(crate) fn leaves_out_queue(&self, set: &str, now: Timestamp) -> bool {
        self.strike(set, now, |kind| matches!(kind, FaultKind::EmptyQueueUrl).then_some(())).is_some()
    }

    /// Whether the token of a scale set's queue has ended.
    pub(crate) fn ends_queue_token(&self, set: &str, now: Timestamp) -> bool {
        self.ends_token(ServiceToken::Queue, set, now)
    }

    /// Whether the tokens with which scale sets are managed have ended.
    pub(crate) fn ends_admin_token(&self, now: Timestamp) -> bool {
        self.ends_token(ServiceToken::Admin, "admin tokens", now)
    }

    fn ends_token(&self, token: ServiceToken, on: &str, now: Timestamp) -> bool {
        let hit = |kind: &FaultKind| match kind {
            FaultKind::ServiceTokenEnds { which } => (*which == token).then_some(()),
            _ => None,
        };
        self.strike(on, now, hit).is_some()
    }

    /// With which status the token endpoint refuses a job's OIDC token.
    pub(crate) fn refuses_id_token(&self, job: u64, now: Timestamp) -> Option<u16> {
        self.strike(&format!("job {job}"), now, |kind| match kind {
            FaultKind::OidcRefused { how: OidcRefusal::Forbidden } => Some(403),
            FaultKind::OidcRefused { how: OidcRefusal::Error } => Some(500),
            FaultKind::OidcRefused { how: OidcRefusal::Unavailable } => Some(503),
            _ => None,
        })
    }
}
