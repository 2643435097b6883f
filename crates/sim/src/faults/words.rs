//! The words that faults take as arguments. Of each kind the first is the one meant when none is given.

use std::time::Duration;

/// A choice that is written as one of some words.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// Every choice with its word, the default first.
    const ALL: &'static [(Self, &'static str)];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(choice, _)| *choice == self).map_or("", |(_, word)| word)
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(choice, _)| *choice)
    }
}

/// Why a task does not come up. Source: ECS Developer Guide, "Stopped tasks error messages".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFailure {
    /// `CannotPullContainerError`.
    Pull,
    /// `ResourceInitializationError`.
    Init,
    /// `OutOfMemoryError`: the container starts, is killed at once and ends with 137.
    Memory,
    /// "Timeout waiting for network interface…"; only tasks that get one.
    Network,
    /// Accepted by RunTask, then there is no capacity; only tasks on Fargate.
    Capacity,
}

impl Word for StartFailure {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Pull, "pull"),
        (Self::Init, "init"),
        (Self::Memory, "memory"),
        (Self::Network, "network"),
        (Self::Capacity, "capacity"),
    ];
}

/// When a task's processes are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long after it is RUNNING; written as seconds, or `running` for none.
    Running(Duration),
    /// As soon as its processes are started.
    Starting,
    /// When it writes the runner's line `Running job: …` to its log.
    Busy,
}

/// How an event reaches its queue that does not do so once and at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Twice.
    Twice,
    /// Not at all.
    Lost,
    /// So much later, after others.
    Late(Duration),
}

/// How an answer fails to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// The answer is an internal error with status 500.
    Status500,
    /// The connection is cut before a byte of the answer.
    Cut,
}

impl Word for Breakage {
    const ALL: &'static [(Self, &'static str)] = &[(Self::Status500, "500"), (Self::Cut, "cut")];
}

/// How S3 fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Failure {
    /// 503 `SlowDown`; nothing has happened.
    SlowDown,
    /// 500 `InternalError`; nothing has happened.
    Error,
    /// The connection is cut; nothing has happened.
    Cut,
    /// 503 `SlowDown`, but it has happened.
    LateSlowDown,
    /// 500 `InternalError`, but it has happened.
    LateError,
    /// The connection is cut, but it has happened.
    LateCut,
}

impl Word for S3Failure {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::SlowDown, "503"),
        (Self::Error, "500"),
        (Self::Cut, "cut"),
        (Self::LateSlowDown, "late-503"),
        (Self::LateError, "late-500"),
        (Self::LateCut, "late-cut"),
    ];
}

impl S3Failure {
    /// Whether the request takes effect all the same.
    pub(crate) fn is_late(self) -> bool {
        matches!(self, Self::LateSlowDown | Self::LateError | Self::LateCut)
    }
}

/// Who refuses a job's OIDC token, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OidcRefusal {
    /// GitHub's token endpoint answers 403.
    Forbidden,
    /// GitHub's token endpoint answers 500.
    Error,
    /// GitHub's token endpoint answers 503.
    Unavailable,
    /// STS answers `AccessDenied`: no trust policy of the role admits the token.
    AccessDenied,
    /// STS answers `InvalidIdentityToken`: the issuer's keys do not verify it.
    InvalidIdentityToken,
    /// STS answers `IDPCommunicationError`: it cannot reach the issuer.
    IdpCommunicationError,
}

impl Word for OidcRefusal {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Forbidden, "403"),
        (Self::Error, "500"),
        (Self::Unavailable, "503"),
        (Self::AccessDenied, "AccessDenied"),
        (Self::InvalidIdentityToken, "InvalidIdentityToken"),
        (Self::IdpCommunicationError, "IDPCommunicationError"),
    ];
}

/// GitHub answers an exceeded rate limit with either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitStatus {
    /// 403.
    Forbidden,
    /// 429.
    TooManyRequests,
}

impl Word for LimitStatus {
    const ALL: &'static [(Self, &'static str)] = &[(Self::Forbidden, "403"), (Self::TooManyRequests, "429")];
}

impl LimitStatus {
    /// The HTTP status.
    pub fn code(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            Self::TooManyRequests => 429,
        }
    }
}

/// Why a runner never gets a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSession {
    /// The service is unavailable to it, however often it asks.
    Unavailable,
    /// Its credential is refused.
    Refused,
}

impl Word for NoSession {
    const ALL: &'static [(Self, &'static str)] =
        &[(Self::Unavailable, "unavailable"), (Self::Refused, "refused")];
}

/// When a registration disappears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// As soon as its runner is online.
    Online,
    /// As soon as it is made, before its runner connects.
    Offline,
    /// As soon as its runner has begun a job.
    Busy,
}

impl Word for Deletion {
    const ALL: &'static [(Self, &'static str)] =
        &[(Self::Online, "online"), (Self::Offline, "offline"), (Self::Busy, "busy")];
}

/// Tokens of the service of scale sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceToken {
    /// That of a queue.
    Queue,
    /// All with which scale sets are managed.
    Admin,
}

impl Word for ServiceToken {
    const ALL: &'static [(Self, &'static str)] = &[(Self::Queue, "queue"), (Self::Admin, "admin")];
}
