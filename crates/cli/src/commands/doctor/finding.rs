//! What a check found: a state, a sentence, and what to do.

use std::fmt;

use fleetfoot_core::fault::{Class, Fault};
use serde::Serialize;

use crate::failure::Failure;

/// Everything that is checked. `docs/doctor.md` has a section on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    /// AWS knows whose credentials these are.
    AwsCredentials,
    /// This machine's clock and AWS's agree.
    AwsClock,
    /// The launcher role lets this job in.
    Role,
    /// The stack document can be read and makes sense.
    StackDocument,
    /// The credentials are of the account that the cluster is in.
    Account,
    /// The cluster is there and ACTIVE.
    Cluster,
    /// Tasks may be looked for and stopped.
    Tasks,
    /// The pool's task definition is there and fits the pool.
    TaskDefinition,
    /// The cluster has the pool's capacity providers.
    CapacityProviders,
    /// The pool's subnets are there, and of one VPC.
    Subnets,
    /// Tasks in these subnets reach GitHub and AWS.
    WayOut,
    /// The security groups are there and let HTTPS out.
    SecurityGroups,
    /// The account's quota has room for all tasks of the pool.
    Quota,
    /// GitHub still gives jobs to the runner in the image.
    RunnerVersion,
    /// Assignments may be put into the mailbox.
    MailboxWrite,
    /// Assignments may be deleted from it.
    MailboxDelete,
    /// Assignments that nobody takes expire.
    MailboxLifecycle,
    /// The log group is there.
    LogGroup,
    /// GitHub answers, and its clock agrees with this machine's.
    GithubClock,
    /// GitHub takes the credentials.
    GithubCredentials,
    /// There are requests left.
    GithubRateLimit,
    /// The credentials may register runners.
    RunnerRegistration,
    /// The runner group is there.
    RunnerGroup,
}

impl Check {
    /// Its name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::AwsCredentials => "aws-credentials",
            Self::AwsClock => "aws-clock",
            Self::Role => "role",
            Self::StackDocument => "stack-document",
            Self::Account => "account",
            Self::Cluster => "cluster",
            Self::Tasks => "tasks",
            Self::TaskDefinition => "task-definition",
            Self::CapacityProviders => "capacity-providers",
            Self::Subnets => "subnets",
            Self::WayOut => "way-out",
            Self::SecurityGroups => "security-groups",
            Self::Quota => "quota",
            Self::RunnerVersion => "runner-version",
            Self::MailboxWrite => "mailbox-write",
            Self::MailboxDelete => "mailbox-delete",
            Self::MailboxLifecycle => "mailbox-lifecycle",
            Self::LogGroup => "log-group",
            Self::GithubClock => "github-clock",
            Self::GithubCredentials => "github-credentials",
            Self::GithubRateLimit => "github-rate-limit",
            Self::RunnerRegistration => "runner-registration",
            Self::RunnerGroup => "runner-group",
        }
    }

    /// The check of this thing, which still has to be made.
    pub(super) fn of(self, subject: impl fmt::Display) -> Of {
        Of { check: self, subject: subject.to_string() }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Worth knowing; mostly that something could not be looked at, which `start` does not need either.
    Note,
    /// Not checked, because another check failed.
    Skipped,
    /// A start will work, but not for long or not as well.
    Warning,
    /// A start will fail.
    Problem,
}

impl State {
    /// From bad to good.
    pub(super) const ALL: [Self; 5] = [Self::Problem, Self::Warning, Self::Skipped, Self::Note, Self::Ok];

    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What came of one check of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was checked.
    pub(super) check: Check,
    /// Of what: a pool, a cluster, a bucket.
    pub(super) subject: String,
    /// What came of it.
    pub(super) state: State,
    /// What is so.
    pub(super) sentence: String,
    /// What to do about it; always there unless all is well or the check was skipped.
    pub(super) remedy: Option<String>,
}

impl Finding {
    /// Whether checks that build on this one make sense.
    pub(super) fn is_passable(&self) -> bool {
        matches!(self.state, State::Ok | State::Note | State::Warning)
    }
}

/// A check of one thing, before its finding.
#[derive(Debug, Clone)]
pub(super) struct Of {
    check: Check,
    subject: String,
}

impl Of {
    fn found(self, state: State, sentence: impl Into<String>, remedy: Option<String>) -> Finding {
        let Self { check, subject } = self;
        Finding { check, subject, state, sentence: sentence.into(), remedy }
    }

    /// All is well.
    pub(super) fn ok(self, sentence: impl Into<String>) -> Finding {
        self.found(State::Ok, sentence, None)
    }

    /// Something worth knowing.
    pub(super) fn note(self, sentence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.found(State::Note, sentence, Some(remedy.into()))
    }

    /// Something that will hurt one day.
    pub(super) fn warning(self, sentence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.found(State::Warning, sentence, Some(remedy.into()))
    }

    /// Something that lets a start fail.
    pub(super) fn problem(self, sentence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.found(State::Problem, sentence, Some(remedy.into()))
    }

    /// Not checked, because it builds on something that failed.
    pub(super) fn skipped(self, because: Check) -> Finding {
        self.found(State::Skipped, format!("not checked, because it builds on {because}"), None)
    }

    /// A call that `start` makes as well has failed.
    pub(super) fn failed(self, failure: impl Into<Failure>) -> Finding {
        let Failure { class, sentence, remedy, .. } = failure.into();
        let remedy = remedy.unwrap_or_else(|| LOOK_CLOSER.to_owned());
        // To be slowed down is no fault of the installation.
        if class == THROTTLED { self.warning(sentence, remedy) } else { self.problem(sentence, remedy) }
    }

    /// A call that only this command makes has failed: the thing may be well or not. `permission` is the IAM
    /// action that the call needs.
    pub(super) fn unseen(self, fault: Fault, permission: &str) -> Finding {
        if fault.class == Class::Denied {
            return self.note(
                format!("not checked: these credentials may not {permission}"),
                "A start does not need it; run this as an administrator to have it checked.",
            );
        }
        let Failure { sentence, remedy, .. } = fault.into();
        self.warning(format!("not checked: {sentence}"), remedy.unwrap_or_else(|| LOOK_CLOSER.to_owned()))
    }
}

const LOOK_CLOSER: &str = "Run it again with --log debug to see the whole error.";

/// The word of [`Class::Throttled`].
const THROTTLED: &str = "throttled";

/// Findings under one heading.
#[derive(Debug)]
pub(super) struct Group {
    /// The heading.
    pub(super) title: String,
    /// In the order of the checks.
    pub(super) findings: Vec<Finding>,
}

impl Group {
    /// Findings under this heading.
    pub(super) fn new(title: impl Into<String>, findings: Vec<Finding>) -> Self {
        Self { title: title.into(), findings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Check; 23] = [
        Check::AwsCredentials,
        Check::AwsClock,
        Check::Role,
        Check::StackDocument,
        Check::Account,
        Check::Cluster,
        Check::Tasks,
        Check::TaskDefinition,
        Check::CapacityProviders,
        Check::Subnets,
        Check::WayOut,
        Check::SecurityGroups,
        Check::Quota,
        Check::RunnerVersion,
        Check::MailboxWrite,
        Check::MailboxDelete,
        Check::MailboxLifecycle,
        Check::LogGroup,
        Check::GithubClock,
        Check::GithubCredentials,
        Check::GithubRateLimit,
        Check::RunnerRegistration,
        Check::RunnerGroup,
    ];

    #[test]
    fn names_are_those_of_the_json() {
        for check in ALL {
            assert_eq!(serde_json::json!(check), check.word());
        }
        for state in State::ALL {
            assert_eq!(serde_json::json!(state), state.word());
        }
    }

    #[test]
    fn every_check_is_explained() {
        let page = include_str!("../../../../../docs/doctor.md");
        for check in ALL {
            assert!(page.contains(&format!("\n### {check}\n")), "docs/doctor.md has no section on {check}");
        }
    }

    #[test]
    fn what_may_not_be_looked_at_is_no_warning() {
        let of = || Check::Subnets.of("linux");
        let denied = Fault::new(Class::Denied, "look", "no");
        let note = of().unseen(denied, "ec2:DescribeSubnets");
        assert_eq!(note.state, State::Note);
        assert!(note.sentence.ends_with("may not ec2:DescribeSubnets") && note.remedy.is_some());
        let broken = of().unseen(Fault::new(Class::Unknown, "look", "no answer"), "ec2:DescribeSubnets");
        assert_eq!((broken.state, broken.remedy.as_deref()), (State::Warning, Some(LOOK_CLOSER)));
    }

    #[test]
    fn to_be_slowed_down_is_no_problem() {
        let throttled = Fault::new(Class::Throttled { retry_after: None }, "look", "slow down");
        assert_eq!(throttled.class.word(), THROTTLED);
        assert_eq!(Check::Cluster.of("c").failed(throttled).state, State::Warning);
        assert_eq!(
            Check::Cluster.of("c").failed(Fault::new(Class::NotFound, "l", "n")).state,
            State::Problem
        );
    }
}
