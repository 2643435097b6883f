//! The one table from ECS's words to classes.
//!
//! ECS says no in three ways: as an exception, as an entry of `failures[]` beside tasks that did start, and
//! later as a task's stoppedReason. The first two are here; the third is a verdict's business, in `core`.
//! Sources: ECS API Reference, RunTask, and Developer Guide, "API failure reasons".

use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::Failure;
use fleetfoot_core::fault::{Class, Fault};

use crate::errors::Refusal;

const QUOTA: &str = "another of the pool's capacity choices may have room; otherwise raise the account's quota for \
                     it in Service Quotas (a new account has only 6 vCPU of Fargate)";
const ROOM: &str = "wait, add capacity to the cluster, or give the pool another capacity choice";

/// Parts of messages that mean "no room", in exceptions of several names. In lower case.
const NO_ROOM: [(&str, &str); 6] = [
    ("capacity is unavailable", ROOM),
    ("no container instances were found", ROOM),
    ("reached the limit on the number of vcpus", QUOTA),
    ("reached the limit on the number of tasks", QUOTA),
    ("provisioning capacity limit exceeded", ROOM),
    ("configuration is currently unavailable", ROOM),
];

/// Parts of messages that say what is wrong with the request. In lower case.
const WRONG: [(&str, Class, &str); 8] = [
    (
        "taskdefinition not found",
        Class::NotFound,
        "there is no such task definition: check task_definition of the pool",
    ),
    (
        "unable to describe task definition",
        Class::NotFound,
        "there is no such task definition: check task_definition of the pool",
    ),
    (
        "taskdefinition is inactive",
        Class::Invalid,
        "the task definition was deregistered: register it again or name another",
    ),
    (
        "capacity provider",
        Class::Invalid,
        "associate the capacity provider with the cluster, or take it out of the pool's capacity",
    ),
    (
        "override for container",
        Class::Invalid,
        "name the container of the task definition in the pool's `container`",
    ),
    ("subnet", Class::Invalid, "correct the subnets of the pool's network in the stack document"),
    (
        "security group",
        Class::Invalid,
        "correct the security groups of the pool's network in the stack document",
    ),
    ("assume the role", Class::Invalid, "see that ECS tasks may assume the roles of the task definition"),
];

/// The fault for an exception, if ECS means something of its own by it.
pub(crate) fn classed(what: &str, refusal: &Refusal<'_>) -> Option<Fault> {
    let fault = |class, remedy: &str| Some(Fault::new(class, what, refusal.said()).remedy(remedy));
    let message = refusal.message.to_ascii_lowercase();
    match refusal.code {
        "ClusterNotFoundException" => fault(
            Class::NotFound,
            "there is no such cluster in this account and region: check cluster and region of the stack \
             document",
        ),
        "ConflictException" => fault(
            Class::Conflict,
            "somebody else started tasks for the same run and key: look for theirs, or give another --key",
        ),
        "PlatformUnknownException" | "PlatformTaskDefinitionIncompatibilityException" => {
            fault(Class::Invalid, "the task definition does not fit Fargate's platform version")
        }
        "UnsupportedFeatureException" => fault(Class::Invalid, "this region does not have it: use another"),
        "LimitExceededException" => fault(Class::NoCapacity, QUOTA),
        "ClientException" | "InvalidParameterException" => {
            if message.contains("rate exceeded") {
                return fault(Class::Throttled { retry_after: None }, "wait a little");
            }
            if let Some((_, remedy)) = NO_ROOM.iter().find(|(part, _)| message.contains(part)) {
                return fault(Class::NoCapacity, remedy);
            }
            match WRONG.iter().find(|(part, ..)| message.contains(part)) {
                Some((_, class, remedy)) => fault(class.clone(), remedy),
                None => {
                    fault(Class::Invalid, "compare the pool in the stack document with what there is in AWS")
                }
            }
        }
        _ => None,
    }
}

/// The fault for an entry of RunTask's `failures[]`. Nothing was started for it, so that any of them may
/// find room with the next choice of capacity.
pub(crate) fn of_failure(what: &str, failure: &Failure) -> Fault {
    let reason = failure.reason().unwrap_or("no reason given");
    let why = match failure.detail() {
        Some(detail) => format!("{reason} ({detail})"),
        None => reason.to_owned(),
    };
    let remedy = match reason {
        "RESOURCE:ENI" => {
            "the instances have no network interface left: turn on ENI trunking, use bridge mode, or add \
             instances"
        }
        "RESOURCE:PORTS" => "take fixed host ports out of the task definition",
        "AGENT" => "the instances' ECS agent is not connected: look at the instances",
        "ATTRIBUTE" => {
            "no instance has what the task definition requires, such as its CPU architecture: check \
             runtimePlatform and the instance types"
        }
        "LOCATION" => "no instance is in an availability zone of the pool's subnets",
        _ => ROOM,
    };
    let class = if reason.to_ascii_lowercase().contains("throttl") {
        Class::Throttled { retry_after: None }
    } else {
        Class::NoCapacity
    };
    Fault::new(class, what, why).remedy(remedy)
}

/// Whether StopTask says that it does not know the task.
pub(crate) fn is_unknown_task(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("InvalidParameterException")
        && error.message().is_some_and(|message| message.contains("task was not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: &str, message: &str) -> Option<Class> {
        classed("x", &Refusal { code, message, status: Some(400) }).map(|fault| fault.class)
    }

    #[test]
    fn exceptions_have_their_class() {
        let cases = [
            ("ClusterNotFoundException", "Cluster not found.", Class::NotFound),
            ("ConflictException", "… task ARNs …", Class::Conflict),
            ("ClientException", "TaskDefinition not found.", Class::NotFound),
            ("ClientException", "Rate exceeded", Class::Throttled { retry_after: None }),
            (
                "ClientException",
                "You've reached the limit on the number of vCPUs you can run concurrently",
                Class::NoCapacity,
            ),
            (
                "InvalidParameterException",
                "No Container Instances were found in your cluster.",
                Class::NoCapacity,
            ),
            (
                "InvalidParameterException",
                "The specified capacity provider 'x' was not found.",
                Class::Invalid,
            ),
            ("InvalidParameterException", "Override for container named x is not …", Class::Invalid),
            ("LimitExceededException", "", Class::NoCapacity),
        ];
        for (code, message, expected) in cases {
            assert_eq!(class(code, message), Some(expected), "{code}: {message}");
        }
        let unforeseen =
            Refusal { code: "InvalidParameterException", message: "Something else.", status: Some(400) };
        let fault = classed("x", &unforeseen).unwrap();
        assert!(fault.class == Class::Invalid && fault.remedy.is_some(), "{fault:?}");
        assert_eq!(class("ThrottlingException", ""), None, "the common table knows it");
    }

    #[test]
    fn every_failure_reason_leaves_the_next_choice_open() {
        let reasons = [
            "RESOURCE:CPU",
            "RESOURCE:MEMORY",
            "RESOURCE:ENI",
            "RESOURCE:PORTS",
            "RESOURCE:GPU",
            "AGENT",
            "LOCATION",
            "ATTRIBUTE",
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
            "a reason of the future",
        ];
        for reason in reasons {
            let failure = Failure::builder().reason(reason).detail("d").build();
            let fault = of_failure("start tasks", &failure);
            assert_eq!(fault.class, Class::NoCapacity, "{reason}");
            assert_eq!(fault.why, format!("{reason} (d)"));
            assert!(fault.remedy.is_some());
        }
    }
}
