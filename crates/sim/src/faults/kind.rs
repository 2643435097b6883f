//! What can go wrong.

use std::time::Duration;

use jiff::SignedDuration;

use super::target::Target;
use super::words::{
    Breakage, Deletion, Delivery, LimitStatus, Moment, NoSession, OidcRefusal, S3Failure, ServiceToken,
    StartFailure,
};

/// A kind of fault with its arguments. [`super::catalogue`] says of each what its opportunities are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// ECS answers `ThrottlingException`.
    EcsThrottle {
        /// An operation of ECS.
        operation: Target,
    },
    /// ECS answers 500 `ServerException`, and nothing has happened.
    EcsFails {
        /// An operation of ECS.
        operation: Target,
    },
    /// RunTask finds no room for a task and names it in `failures[]`.
    NoCapacity {
        /// Capacity provider or launch type.
        provider: Target,
    },
    /// A task is accepted and does not come up.
    TaskFailsToStart {
        /// Why.
        reason: StartFailure,
        /// Capacity provider or launch type.
        provider: Target,
    },
    /// A task takes longer to come up.
    SlowStart {
        /// How much longer.
        by: Duration,
        /// Capacity provider or launch type.
        provider: Target,
    },
    /// A task's processes get SIGKILL.
    TaskKilled {
        /// When.
        moment: Moment,
        /// Capacity provider or launch type.
        provider: Target,
    },
    /// A task on `FARGATE_SPOT` loses its capacity: SIGTERM, then SIGKILL.
    SpotInterruption {
        /// So long after it is RUNNING.
        after: Duration,
        /// At most so long between the two signals; two minutes at AWS. A shorter `stopTimeout` wins.
        notice: Duration,
    },
    /// A task's host is retired: the task is stopped with `TerminationNotice`.
    TaskRetired {
        /// So long after it is RUNNING.
        after: Duration,
        /// Capacity provider or launch type.
        provider: Target,
    },
    /// An event of a task's change does not reach its queue once and at once.
    TaskEvent {
        /// How instead.
        how: Delivery,
    },
    /// A call takes effect, and its answer does not arrive.
    LostAnswer {
        /// An operation, or a whole service.
        operation: Target,
        /// What arrives in its place.
        how: Breakage,
    },
    /// Temporary credentials end early.
    CredentialsExpire {
        /// So long after they were issued.
        after: Duration,
        /// Whether `Expiration` says so. If not, they fail before their time.
        told: bool,
    },
    /// A job gets no OIDC token, or nothing for it.
    OidcRefused {
        /// By whom and how.
        how: OidcRefusal,
    },
    /// S3 takes its time before it does anything.
    S3Slow {
        /// How much.
        by: Duration,
        /// An operation of S3.
        operation: Target,
    },
    /// S3 fails.
    S3Fails {
        /// How, and whether the call takes effect.
        how: S3Failure,
        /// An operation of S3.
        operation: Target,
    },
    /// A service's clock is off: it judges signatures and tokens by a wrong time.
    ClockSkew {
        /// Positive: the service is ahead.
        by: SignedDuration,
        /// A service: `ecs`, `s3`, `sts`, `ssm`, `secretsmanager`, `logs`, `github`, or `oidc`, the issuer.
        service: Target,
    },
    /// GitHub answers 500, and nothing has happened.
    Github500 {
        /// An operation of GitHub's REST API.
        operation: Target,
    },
    /// GitHub answers 502 with a page, and nothing has happened.
    Github502 {
        /// An operation of GitHub's REST API.
        operation: Target,
    },
    /// The caller's primary rate limit is used up until its reset.
    RateLimitPrimary {
        /// How GitHub says so.
        status: LimitStatus,
        /// Until the reset; at GitHub up to an hour.
        wait: Duration,
        /// The operation at which it happens. It is then so for all of them.
        operation: Target,
    },
    /// The caller runs into a secondary rate limit.
    RateLimitSecondary {
        /// How GitHub says so.
        status: LimitStatus,
        /// `retry-after`.
        wait: Duration,
        /// The operation at which it happens. It is then so for all of them.
        operation: Target,
    },
    /// `generate-jitconfig` answers 409: a dead registration has the name.
    Jit409,
    /// A runner never gets a session.
    RunnerNeverOnline {
        /// Why not.
        how: NoSession,
    },
    /// A runner's registration disappears.
    RegistrationDeleted {
        /// When.
        moment: Deletion,
    },
    /// A runner is told that its version is deprecated.
    VersionDeprecated,
    /// A scale set disappears when its queue is opened or polled.
    ScaleSetDeleted,
    /// A scale set's queue is not opened: 409.
    SessionConflict,
    /// A scale set's queue is opened without an address.
    EmptyQueueUrl,
    /// A token of the service of scale sets ends before its time.
    ServiceTokenEnds {
        /// Which.
        which: ServiceToken,
    },
}

impl FaultKind {
    /// The name, as in [`super::catalogue`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::EcsThrottle { .. } => "ecs-throttle",
            Self::EcsFails { .. } => "ecs-500",
            Self::NoCapacity { .. } => "no-capacity",
            Self::TaskFailsToStart { .. } => "task-fails-to-start",
            Self::SlowStart { .. } => "slow-start",
            Self::TaskKilled { .. } => "task-killed",
            Self::SpotInterruption { .. } => "spot-interruption",
            Self::TaskRetired { .. } => "task-retired",
            Self::TaskEvent { .. } => "task-event",
            Self::LostAnswer { .. } => "lost-answer",
            Self::CredentialsExpire { .. } => "credentials-expire",
            Self::OidcRefused { .. } => "oidc-refused",
            Self::S3Slow { .. } => "s3-slow",
            Self::S3Fails { .. } => "s3-fails",
            Self::ClockSkew { .. } => "clock-skew",
            Self::Github500 { .. } => "github-500",
            Self::Github502 { .. } => "github-502",
            Self::RateLimitPrimary { .. } => "rate-limit-primary",
            Self::RateLimitSecondary { .. } => "rate-limit-secondary",
            Self::Jit409 => "jit-409",
            Self::RunnerNeverOnline { .. } => "runner-never-online",
            Self::RegistrationDeleted { .. } => "registration-deleted",
            Self::VersionDeprecated => "version-deprecated",
            Self::ScaleSetDeleted => "scale-set-deleted",
            Self::SessionConflict => "session-conflict",
            Self::EmptyQueueUrl => "empty-queue-url",
            Self::ServiceTokenEnds { .. } => "service-token-ends",
        }
    }
}
