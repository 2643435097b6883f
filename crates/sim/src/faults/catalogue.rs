//! The faults there are, for `--help` and the documentation.

/// A fault's name, form and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its name with its arguments; brackets mark what may be left out.
    pub form: &'static str,
    /// One sentence. The usual arguments are in parentheses.
    pub summary: &'static str,
    /// Texts that show its choices; each can be parsed.
    pub examples: &'static [&'static str],
}

/// All faults: those of AWS, of both, of GitHub.
pub fn catalogue() -> &'static [Entry] {
    CATALOGUE
}

const CATALOGUE: &[Entry] = &[
    Entry {
        name: "ecs-throttle",
        form: "ecs-throttle[:OPERATION]",
        summary: "a call to ECS is answered with ThrottlingException",
        examples: &["ecs-throttle*3", "ecs-throttle:RunTask*2", "ecs-throttle:DescribeTasks@0.3"],
    },
    Entry {
        name: "ecs-500",
        form: "ecs-500[:OPERATION]",
        summary: "a call to ECS is answered with 500 ServerException and has no effect",
        examples: &["ecs-500*2", "ecs-500:StopTask"],
    },
    Entry {
        name: "no-capacity",
        form: "no-capacity[:PROVIDER]",
        summary: "RunTask has no room for one task and says so in failures[]",
        examples: &["no-capacity", "no-capacity:FARGATE_SPOT*", "no-capacity:EC2*2"],
    },
    Entry {
        name: "task-fails-to-start",
        form: "task-fails-to-start[:pull|init|memory|network|capacity[:PROVIDER]]",
        summary: "a task is accepted and stops before it is of use, with the reason of that class (pull)",
        examples: &[
            "task-fails-to-start",
            "task-fails-to-start:init",
            "task-fails-to-start:memory",
            "task-fails-to-start:network",
            "task-fails-to-start:capacity:FARGATE_SPOT*2",
        ],
    },
    Entry {
        name: "slow-start",
        form: "slow-start:SECONDS[:PROVIDER]",
        summary: "a task takes so much longer to come up",
        examples: &["slow-start:2", "slow-start:0.5:FARGATE@0.5"],
    },
    Entry {
        name: "task-killed",
        form: "task-killed[:running|starting|busy|SECONDS[:PROVIDER]]",
        summary: "a task's processes get SIGKILL: when it is RUNNING, when they are started, when its runner has a \
                  job, or some time after RUNNING (running)",
        examples: &["task-killed", "task-killed:starting*2", "task-killed:busy", "task-killed:0.5:FARGATE"],
    },
    Entry {
        name: "spot-interruption",
        form: "spot-interruption[:SECONDS[:NOTICE]]",
        summary: "a task on FARGATE_SPOT is interrupted SECONDS after RUNNING: SIGTERM, then SIGKILL after NOTICE \
                  seconds or its stopTimeout (0, 120)",
        examples: &["spot-interruption", "spot-interruption:1*2", "spot-interruption:0:0.5"],
    },
    Entry {
        name: "task-retired",
        form: "task-retired[:SECONDS[:PROVIDER]]",
        summary: "a task's host is retired SECONDS after RUNNING: the task is stopped with TerminationNotice (0)",
        examples: &["task-retired", "task-retired:1:FARGATE"],
    },
    Entry {
        name: "credentials-expire",
        form: "credentials-expire[:SECONDS[:told|untold]]",
        summary: "temporary AWS credentials end SECONDS after they were issued, and Expiration says so or does not \
                  (60, told)",
        examples: &["credentials-expire:5*", "credentials-expire:1:untold"],
    },
    Entry {
        name: "s3-slow",
        form: "s3-slow:SECONDS[:OPERATION]",
        summary: "a call to S3 waits so long before it is done",
        examples: &["s3-slow:1*3", "s3-slow:0.5:PutObject"],
    },
    Entry {
        name: "s3-fails",
        form: "s3-fails[:503|500|cut|late-503|late-500|late-cut[:OPERATION]]",
        summary: "a call to S3 is answered with 503 SlowDown, 500 InternalError or not at all; late: after it took \
                  effect (503)",
        examples: &[
            "s3-fails*2",
            "s3-fails:500:GetObject",
            "s3-fails:cut:DeleteObject",
            "s3-fails:late-503:PutObject",
            "s3-fails:late-500:PutObject",
            "s3-fails:late-cut:PutObject",
        ],
    },
    Entry {
        name: "task-event",
        form: "task-event[:twice|lost|SECONDS]",
        summary: "an event of a task's change reaches its queue twice, never, or SECONDS late and so out of order \
                  (twice)",
        examples: &["task-event@0.5", "task-event:lost*2", "task-event:3"],
    },
    Entry {
        name: "lost-answer",
        form: "lost-answer:OPERATION[:500|cut]",
        summary: "a call of AWS or GitHub takes effect, and its answer is a 500 or a cut connection; OPERATION may be \
                  a service (500)",
        examples: &[
            "lost-answer:RunTask",
            "lost-answer:RunTask:cut",
            "lost-answer:StopTask",
            "lost-answer:generate-jitconfig",
            "lost-answer:delete-runner:cut",
        ],
    },
    Entry {
        name: "oidc-refused",
        form: "oidc-refused[:403|500|503|AccessDenied|InvalidIdentityToken|IDPCommunicationError]",
        summary: "GitHub's token endpoint gives no OIDC token, or STS takes none (403)",
        examples: &[
            "oidc-refused",
            "oidc-refused:500",
            "oidc-refused:503",
            "oidc-refused:AccessDenied",
            "oidc-refused:InvalidIdentityToken",
            "oidc-refused:IDPCommunicationError*2",
        ],
    },
    Entry {
        name: "clock-skew",
        form: "clock-skew:SECONDS[:SERVICE]",
        summary: "a service's clock is so much ahead, or behind if negative, when it judges signatures and tokens",
        examples: &["clock-skew:3600*", "clock-skew:-1200:sts", "clock-skew:900:oidc"],
    },
    Entry {
        name: "github-500",
        form: "github-500[:OPERATION]",
        summary: "a call to GitHub's API is answered with 500 and has no effect",
        examples: &["github-500*2", "github-500:generate-jitconfig"],
    },
    Entry {
        name: "github-502",
        form: "github-502[:OPERATION]",
        summary: "a call to GitHub's API is answered with 502 and a page, and has no effect",
        examples: &["github-502@0.1", "github-502:get-runner*3"],
    },
    Entry {
        name: "rate-limit-primary",
        form: "rate-limit-primary[:403|429[:SECONDS[:OPERATION]]]",
        summary: "the caller's hourly limit at GitHub is used up until x-ratelimit-reset, SECONDS from now (403, 60)",
        examples: &["rate-limit-primary:403:2", "rate-limit-primary:429:1:get-runner"],
    },
    Entry {
        name: "rate-limit-secondary",
        form: "rate-limit-secondary[:403|429[:SECONDS[:OPERATION]]]",
        summary: "GitHub refuses the caller for retry-after SECONDS (403, 60)",
        examples: &["rate-limit-secondary:403:1", "rate-limit-secondary:429:1:generate-jitconfig"],
    },
    Entry {
        name: "jit-409",
        form: "jit-409",
        summary: "generate-jitconfig finds a dead registration of the same name and answers 409",
        examples: &["jit-409", "jit-409*2"],
    },
    Entry {
        name: "runner-never-online",
        form: "runner-never-online[:unavailable|refused]",
        summary: "a runner gets no session, however often it asks, or is refused (unavailable)",
        examples: &["runner-never-online", "runner-never-online:refused"],
    },
    Entry {
        name: "registration-deleted",
        form: "registration-deleted[:online|offline|busy]",
        summary: "a runner's registration disappears when it is online, before it connects, or in its job (online)",
        examples: &["registration-deleted", "registration-deleted:offline", "registration-deleted:busy"],
    },
    Entry {
        name: "version-deprecated",
        form: "version-deprecated",
        summary: "a runner is told that its version is deprecated and gets no session",
        examples: &["version-deprecated"],
    },
    Entry {
        name: "scale-set-deleted",
        form: "scale-set-deleted",
        summary: "a scale set disappears when its queue is opened or polled, and answers 404 from then on",
        examples: &["scale-set-deleted", "scale-set-deleted+3"],
    },
    Entry {
        name: "session-conflict",
        form: "session-conflict",
        summary: "a scale set's queue is not opened: GitHub holds it for somebody else and answers 409",
        examples: &["session-conflict*3"],
    },
    Entry {
        name: "empty-queue-url",
        form: "empty-queue-url",
        summary: "a scale set's queue is opened, or its token renewed, without an address",
        examples: &["empty-queue-url*2"],
    },
    Entry {
        name: "service-token-ends",
        form: "service-token-ends[:queue|admin]",
        summary: "the token of a scale set's queue ends before its time, or those with which scale sets are managed \
                  do (queue)",
        examples: &["service-token-ends", "service-token-ends:admin*2"],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Fault, FaultPlan};
    use super::*;

    #[test]
    fn every_example_is_a_fault_of_its_entry_and_survives_the_round_trip() {
        for entry in catalogue() {
            assert!(entry.form.starts_with(entry.name), "{}", entry.form);
            assert!(!entry.examples.is_empty(), "{}", entry.name);
            for example in entry.examples {
                let fault: Fault = example.parse().unwrap();
                assert_eq!(fault.kind.name(), entry.name);
                assert_eq!(fault.to_string(), *example);
                assert_eq!(serde_json::from_value::<Fault>(serde_json::json!(fault)).unwrap(), fault);
            }
        }
    }

    #[test]
    fn names_are_unique_and_all_examples_make_a_plan() {
        let names: BTreeSet<&str> = catalogue().iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), catalogue().len());
        let all: Vec<&str> = catalogue().iter().flat_map(|entry| entry.examples.iter().copied()).collect();
        let plan: FaultPlan = all.join(" ").parse().unwrap();
        assert_eq!(plan.faults.len(), all.len());
    }

    #[test]
    fn the_documentation_lists_every_fault() {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/faults.md")).unwrap();
        let rows: Vec<String> =
            text.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
        let wanted: Vec<String> = catalogue()
            .iter()
            .map(|entry| format!("| `{}` | {} |", entry.form.replace('|', "\\|"), entry.summary))
            .collect();
        assert_eq!(rows, wanted, "the table of docs/faults.md is not the catalogue");
    }
}
