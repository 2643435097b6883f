//! What the simulated AWS asks, each at the place where the real one could fail.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::kind::FaultKind;
use super::plan::Faults;
use super::words::{Breakage, Delivery, Moment, OidcRefusal, S3Failure, StartFailure};

/// Spot capacity on Fargate; nothing else is interrupted.
const SPOT: &str = "FARGATE_SPOT";

/// Where a new task goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen<'a> {
    /// The task's ARN.
    pub(crate) task: &'a str,
    /// Capacity provider or launch type.
    pub(crate) provider: &'a str,
    /// Whether it is on Fargate.
    pub(crate) fargate: bool,
    /// Whether it gets a network interface of its own.
    pub(crate) interface: bool,
}

/// What is going to happen to a task. Decided when RunTask makes it, so that it depends on the order of
/// the calls alone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    /// How much longer it takes to come up.
    pub(crate) slow: Duration,
    /// How it ends, if not by itself.
    pub(crate) ending: Option<Ending>,
}

/// How a task ends that is not let live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It does not come up.
    FailsToStart(StartFailure),
    /// Its processes are killed.
    Killed(Moment),
    /// Its spot capacity is taken, so long after RUNNING.
    Interrupted { after: Duration, notice: Duration },
    /// Its host is retired, so long after RUNNING.
    Retired { after: Duration },
}

impl Faults {
    /// How an event of a task's change reaches its queue, if not once and at once.
    pub(crate) fn delivers_event(&self, task: &str, now: Timestamp) -> Option<Delivery> {
        self.strike(task, now, |kind| match kind {
            FaultKind::TaskEvent { how } => Some(*how),
            _ => None,
        })
    }

    /// Whether a call to ECS is throttled.
    pub(crate) fn throttles(&self, operation: &str, now: Timestamp) -> bool {
        let hit = |kind: &FaultKind| match kind {
            FaultKind::EcsThrottle { operation: target } => target.hits(&[operation]).then_some(()),
            _ => None,
        };
        self.strike(&format!("ecs {operation}"), now, hit).is_some()
    }

    /// Whether a call to ECS fails without effect.
    pub(crate) fn ecs_fails(&self, operation: &str, now: Timestamp) -> bool {
        let hit = |kind: &FaultKind| match kind {
            FaultKind::EcsFails { operation: target } => target.hits(&[operation]).then_some(()),
            _ => None,
        };
        self.strike(&format!("ecs {operation}"), now, hit).is_some()
    }

    /// Whether there is no room for one more task at a provider.
    pub(crate) fn has_no_capacity(&self, provider: &str, now: Timestamp) -> bool {
        let hit = |kind: &FaultKind| match kind {
            FaultKind::NoCapacity { provider: target } => target.hits(&[provider]).then_some(()),
            _ => None,
        };
        self.strike(&format!("ecs RunTask on {provider}"), now, hit).is_some()
    }

    /// What is going to happen to a new task.
    pub(crate) fn fate(&self, chosen: Chosen<'_>, now: Timestamp) -> Fate {
        let slow = self.strike(chosen.task, now, |kind| match kind {
            FaultKind::SlowStart { by, provider } => provider.hits(&[chosen.provider]).then_some(*by),
            _ => None,
        });
        let ending = self.strike(chosen.task, now, |kind| {
            let (ending, provider) = match kind {
                FaultKind::TaskFailsToStart { reason, provider } => {
                    let possible = match reason {
                        StartFailure::Network => chosen.interface,
                        StartFailure::Capacity => chosen.fargate,
                        StartFailure::Pull | StartFailure::Init | StartFailure::Memory => true,
                    };
                    possible.then_some((Ending::FailsToStart(*reason), provider))?
                }
                FaultKind::TaskKilled { moment, provider } => (Ending::Killed(*moment), provider),
                FaultKind::TaskRetired { after, provider } => (Ending::Retired { after: *after }, provider),
                FaultKind::SpotInterruption { after, notice } => {
                    let ending = Ending::Interrupted { after: *after, notice: *notice };
                    return (chosen.provider == SPOT).then_some(ending);
                }
                _ => return None,
            };
            provider.hits(&[chosen.provider]).then_some(ending)
        });
        Fate { slow: slow.unwrap_or_default(), ending }
    }

    /// Whether the answer to a call that took effect is lost, and how. Both simulators ask this.
    pub(crate) fn loses_answer(&self, service: &str, operation: &str, now: Timestamp) -> Option<Breakage> {
        self.strike(&format!("{service} {operation}"), now, |kind| match kind {
            FaultKind::LostAnswer { operation: target, how } => {
                target.hits(&[service, operation]).then_some(*how)
            }
            _ => None,
        })
    }

    /// After how long new credentials of a session end, and whether that is told.
    pub(crate) fn ends_session(&self, session: &str, now: Timestamp) -> Option<(Duration, bool)> {
        self.strike(session, now, |kind| match kind {
            FaultKind::CredentialsExpire { after, told } => Some((*after, *told)),
            _ => None,
        })
    }

    /// How STS refuses a web identity.
    pub(crate) fn refuses_web_identity(&self, now: Timestamp) -> Option<OidcRefusal> {
        self.strike("sts AssumeRoleWithWebIdentity", now, |kind| match kind {
            FaultKind::OidcRefused {
                how:
                    how @ (OidcRefusal::AccessDenied
                    | OidcRefusal::InvalidIdentityToken
                    | OidcRefusal::IdpCommunicationError),
            } => Some(*how),
            _ => None,
        })
    }

    /// How long S3 waits before it does anything.
    pub(crate) fn s3_delay(&self, operation: &str, now: Timestamp) -> Option<Duration> {
        self.strike(&format!("s3 {operation}"), now, |kind| match kind {
            FaultKind::S3Slow { by, operation: target } => target.hits(&[operation]).then_some(*by),
            _ => None,
        })
    }

    /// How a call to S3 fails.
    pub(crate) fn s3_failure(&self, operation: &str, now: Timestamp) -> Option<S3Failure> {
        self.strike(&format!("s3 {operation}"), now, |kind| match kind {
            FaultKind::S3Fails { how, operation: target } => target.hits(&[operation]).then_some(*how),
            _ => None,
        })
    }

    /// What a service's clock shows. Both simulators ask this.
    pub(crate) fn clock(&self, service: &str, operation: &str, now: Timestamp) -> Timestamp {
        let skew = self.strike(&format!("{service} {operation}"), now, |kind| match kind {
            FaultKind::ClockSkew { by, service: target } => target.hits(&[service]).then_some(*by),
            _ => None,
        });
        now.saturating_add(skew.unwrap_or(SignedDuration::ZERO)).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(plan: &str) -> Faults {
        Faults::new(plan.parse().unwrap())
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_fault_is_no_fault_where_it_is_impossible() {
        let machine = Chosen { task: "t", provider: "EC2", fargate: false, interface: false };
        let spot = Chosen { task: "t", provider: SPOT, fargate: true, interface: true };
        for plan in ["task-fails-to-start:network", "task-fails-to-start:capacity", "spot-interruption"] {
            let faults = faults(plan);
            assert_eq!(faults.fate(machine, NOW).ending, None, "{plan}");
            assert!(faults.fate(spot, NOW).ending.is_some(), "{plan}");
        }
        let on_demand = faults("spot-interruption").fate(Chosen { provider: "FARGATE", ..spot }, NOW);
        assert_eq!(on_demand.ending, None);
    }

    #[test]
    fn a_task_has_one_ending_and_may_be_slow_besides() {
        let faults = faults("slow-start:2 task-killed task-retired");
        let chosen = Chosen { task: "t", provider: "FARGATE", fargate: true, interface: true };
        let fate = faults.fate(chosen, NOW);
        assert_eq!(fate.slow, Duration::from_secs(2));
        assert_eq!(fate.ending, Some(Ending::Killed(Moment::Running(Duration::ZERO))));
        let next = faults.fate(chosen, NOW);
        assert_eq!(
            (next.slow, next.ending),
            (Duration::ZERO, Some(Ending::Retired { after: Duration::ZERO }))
        );
        assert!(faults.fate(chosen, NOW).ending.is_none());
    }

    #[test]
    fn targets_are_operations_services_and_providers() {
        let faults =
            faults("lost-answer:s3 lost-answer:RunTask:cut no-capacity:FARGATE_SPOT clock-skew:-60:sts*");
        assert_eq!(faults.loses_answer("ecs", "StopTask", NOW), None);
        assert_eq!(faults.loses_answer("ecs", "RunTask", NOW), Some(Breakage::Cut));
        assert_eq!(faults.loses_answer("s3", "PutObject", NOW), Some(Breakage::Status500));
        assert!(!faults.has_no_capacity("FARGATE", NOW) && faults.has_no_capacity(SPOT, NOW));
        assert_eq!(faults.clock("sts", "x", NOW).as_second(), -60);
        assert_eq!(faults.clock("ecs", "x", NOW), NOW);
    }
}
