//! Faults that come together, from a seed.

use fleetfoot_sim::faults::{FaultPlan, catalogue};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::road::pick;

const ECS: [&str; 5] = ["any", "RunTask", "StopTask", "DescribeTasks", "ListTasks"];
const S3: [&str; 4] = ["any", "GetObject", "PutObject", "DeleteObject"];
const GITHUB: [&str; 6] =
    ["any", "generate-jitconfig", "get-runners", "get-runner", "delete-runner", "registration-token"];
const PROVIDERS: [&str; 4] = ["any", "FARGATE", "FARGATE_SPOT", "fleetfoot-demo-ec2"];

/// The mix of a seed: one to four faults.
pub(crate) fn of(seed: u64) -> FaultPlan {
    let dice = &mut StdRng::seed_from_u64(seed);
    let count = pick(dice, &[1, 1, 2, 2, 2, 3, 3, 4]);
    let faults: Vec<String> = (0..count).map(|_| format!("{}{}", kind(dice), how_often(dice))).collect();
    format!("seed={seed} {}", faults.join(" ")).parse().unwrap()
}

/// Any fault, with times that fit into a world of seconds.
fn kind(dice: &mut StdRng) -> String {
    let names: Vec<&str> =
        catalogue().iter().map(|entry| entry.name).filter(|name| is_on_the_road(name)).collect();
    let name = pick(dice, &names);
    let seconds = |dice: &mut StdRng| pick(dice, &["0", "0.1", "0.3", "1"]);
    let arguments: Vec<&str> = match name {
        "ecs-throttle" | "ecs-500" => vec![pick(dice, &ECS)],
        "no-capacity" => vec![pick(dice, &PROVIDERS)],
        "task-fails-to-start" => {
            let reasons = ["pull", "init", "memory", "network", "capacity"];
            vec![pick(dice, &reasons), pick(dice, &PROVIDERS)]
        }
        "slow-start" => vec![pick(dice, &["0.2", "1", "3"]), pick(dice, &PROVIDERS)],
        "task-killed" => {
            vec![pick(dice, &["running", "starting", "busy", "0.2", "1"]), pick(dice, &PROVIDERS)]
        }
        "spot-interruption" => vec![seconds(dice), pick(dice, &["0.2", "120"])],
        "task-retired" => vec![seconds(dice), pick(dice, &PROVIDERS)],
        "credentials-expire" => vec![pick(dice, &["0.5", "1", "3"]), pick(dice, &["told", "untold"])],
        "s3-slow" => vec![pick(dice, &["0.2", "0.5", "2"]), pick(dice, &S3)],
        "s3-fails" => {
            let ways = ["503", "500", "cut", "late-503", "late-500", "late-cut"];
            vec![pick(dice, &ways), pick(dice, &S3)]
        }
        "lost-answer" => {
            let services = [&ECS[1..], &S3[1..], &GITHUB[1..]].concat();
            vec![pick(dice, &services), pick(dice, &["500", "cut"])]
        }
        "oidc-refused" => {
            let ways = ["403", "500", "503", "AccessDenied", "InvalidIdentityToken", "IDPCommunicationError"];
            vec![pick(dice, &ways)]
        }
        "clock-skew" => {
            let services = ["ecs", "s3", "sts", "ssm", "github", "oidc"];
            vec![pick(dice, &["-3600", "-30", "30", "3600"]), pick(dice, &services)]
        }
        "github-500" | "github-502" => vec![pick(dice, &GITHUB)],
        "rate-limit-primary" | "rate-limit-secondary" => {
            vec![pick(dice, &["403", "429"]), pick(dice, &["1", "2"]), pick(dice, &GITHUB)]
        }
        "runner-never-online" => vec![pick(dice, &["unavailable", "refused"])],
        "registration-deleted" => vec![pick(dice, &["online", "offline", "busy"])],
        "jit-409" | "version-deprecated" => Vec::new(),
        other => panic!("no mix knows the fault {other}"),
    };
    [&[name], arguments.as_slice()].concat().join(":")
}

/// Mostly a few times, now and then for good.
fn how_often(dice: &mut StdRng) -> String {
    let often = match dice.random_range(0..10) {
        0..4 => String::new(),
        4..7 => format!("*{}", dice.random_range(2..6)),
        7..9 => format!("*{}@0.4", dice.random_range(2..8)),
        _ => "*".to_owned(),
    };
    let skip = dice.random_range(0..6_u32).saturating_sub(2);
    if skip == 0 { often } else { format!("{often}+{skip}") }
}

#[test]
fn every_fault_is_in_some_mix_and_every_line_replays() {
    let mixes: Vec<FaultPlan> = (0..200).map(of).collect();
    for entry in catalogue().iter().filter(|entry| is_on_the_road(entry.name)) {
        let has_it = |plan: &FaultPlan| plan.faults.iter().any(|fault| fault.kind.name() == entry.name);
        assert!(mixes.iter().any(has_it), "{}", entry.name);
    }
    for plan in mixes {
        assert_eq!(plan.to_string().parse::<FaultPlan>().unwrap(), plan);
    }
}

/// Whether a start comes by what the fault is about: scale sets and events of tasks are the autoscaler's, whose own
/// stories tell of them.
pub(crate) fn is_on_the_road(fault: &str) -> bool {
    let elsewhere =
        ["task-event", "scale-set-deleted", "session-conflict", "empty-queue-url", "service-token-ends"];
    !elsewhere.contains(&fault)
}
