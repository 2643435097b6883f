//! GitHub: its clock, our credentials there, and what they may.

use std::collections::BTreeSet;

use fleetfoot_aws::Aws;
use fleetfoot_core::fault::Class;
use fleetfoot_core::ports::Runners;
use fleetfoot_core::stack::{KeySource, Stack};
use fleetfoot_github::{GitHubRunners, RateLimit, RunnerRelease};
use futures_util::future::join_all;
use jiff::Timestamp;

use super::clock::{self, Tolerance};
use super::finding::{Check, Finding, Group, State};
use super::version::Unknown;
use crate::account::{self, Local};
use crate::args::DoctorArgs;
use crate::github_credentials;

/// Below this share of an hour's requests a larger start may run dry.
const FEW: f64 = 0.1;

/// The runner's newest release, or why it is not known.
pub(super) type Newest = Result<RunnerRelease, Unknown>;

/// Looks at everything at GitHub, in each of the stack's places. `aws` is needed only for an App's key that lies
/// there.
pub(super) async fn look(
    stack: &Stack,
    args: &DoctorArgs,
    local: &Local,
    aws: Option<&Aws>,
) -> (Vec<Group>, Newest) {
    let (runners, at_home, newest) = look_at_home(stack, args, local, aws).await;
    let elsewhere = match &runners {
        Some(runners) => match account::elsewhere(stack, runners) {
            Ok(elsewhere) => {
                join_all(elsewhere.iter().enumerate().map(|(n, place)| async move {
                    let findings = look_elsewhere(stack, n + 1, place).await;
                    Group::new(format!("GitHub: {}", place.scope().target()), findings)
                }))
                .await
            }
            Err(failure) => {
                vec![Group::new(
                    "GitHub, elsewhere",
                    vec![Check::RunnerRegistration.of("scale sets").failed(failure)],
                )]
            }
        },
        None => Vec::new(),
    };
    ([Group::new("GitHub", at_home)].into_iter().chain(elsewhere).collect(), newest)
}

/// Looks at a place that only scale sets are in, so that a start works whatever is wrong there. The clock and the
/// credentials are those of the stack's own.
async fn look_elsewhere(stack: &Stack, place: usize, runners: &GitHubRunners) -> Vec<Finding> {
    let mut findings = examine_elsewhere(stack, place, runners).await;
    for finding in findings.iter_mut().filter(|finding| finding.state == State::Problem) {
        finding.state = State::Warning;
    }
    findings
}

async fn examine_elsewhere(stack: &Stack, place: usize, runners: &GitHubRunners) -> Vec<Finding> {
    let target = runners.scope().target();
    let sets = stack.scale_sets.iter().filter(|set| stack.place_of(set) == place);
    let groups = sets.map(|set| set.runner_group.as_str()).collect();
    let limit = match runners.rate_limit().await {
        Ok(limit) => rate_limit(&target.to_string(), limit.as_ref()),
        Err(fault) => {
            let registration = Check::RunnerRegistration.of(target).skipped(Check::GithubCredentials);
            return vec![Check::GithubCredentials.of(target).failed(fault), registration];
        }
    };
    let mut findings = vec![limit];
    findings.extend(registration(runners, &groups).await);
    findings
}

/// Looks at where the stack itself is. Gives its runners, unless nothing can be asked there.
async fn look_at_home(
    stack: &Stack,
    args: &DoctorArgs,
    local: &Local,
    aws: Option<&Aws>,
) -> (Option<GitHubRunners>, Vec<Finding>, Newest) {
    let app = github_credentials::app(stack, &args.stack);
    let subject =
        app.as_ref().map_or_else(|| "the token".to_owned(), |app| format!("the App {}", app.client_id));
    let credentials = Check::GithubCredentials.of(&subject);
    let unknown = |because: Check| Err(Unknown::NotAsked(because));

    let in_aws =
        matches!(app.as_ref().map(|app| &app.key), Some(KeySource::SecretsManager(_) | KeySource::Kms(_)));
    let runners = match (aws, in_aws) {
        (None, true) => {
            return (None, vec![credentials.skipped(Check::AwsCredentials)], unknown(Check::AwsCredentials));
        }
        (aws, _) => account::runners(stack, &args.stack, aws, local.context.is_some(), &local.network).await,
    };
    let runners = match runners {
        Ok(runners) => runners,
        Err(failure) => return (None, vec![credentials.failed(failure)], unknown(Check::GithubCredentials)),
    };

    let host = runners.scope().api_url().host_str().unwrap_or("GitHub").to_owned();
    let clock = Check::GithubClock.of(&host);
    let tolerance = if app.is_some() { Tolerance::APP } else { Tolerance::TOKEN };
    let clock = match runners.date().await {
        Ok(date) => clock::judge(clock, "GitHub", Timestamp::now().duration_since(date), tolerance),
        Err(fault) => clock.failed(fault),
    };
    if clock.state == State::Problem {
        return (None, vec![clock, credentials.skipped(Check::GithubClock)], unknown(Check::GithubClock));
    }
    let limit = match runners.rate_limit().await {
        Ok(limit) => limit,
        Err(fault) => {
            let findings = vec![clock, credentials.failed(fault)];
            return (Some(runners), findings, unknown(Check::GithubCredentials));
        }
    };
    let credentials = credentials.ok(if app.is_some() {
        format!("GitHub takes {subject}, which is installed on {}", runners.scope().target())
    } else {
        format!("GitHub takes {subject}")
    });
    let limit = rate_limit(&subject, limit.as_ref());
    let mut findings = vec![clock, credentials, limit];
    if findings.iter().any(|finding| finding.state == State::Problem) {
        let target = runners.scope().target();
        findings.push(Check::RunnerRegistration.of(target).skipped(Check::GithubRateLimit));
        return (Some(runners), findings, unknown(Check::GithubRateLimit));
    }
    findings.extend(registration(&runners, &groups(stack, args)).await);
    let newest = runners.latest_runner().await.map_err(|fault| Unknown::NotTold(fault.to_string()));
    (Some(runners), findings, newest)
}

fn rate_limit(subject: &str, limit: Option<&RateLimit>) -> Finding {
    let of = Check::GithubRateLimit.of(subject);
    let Some(RateLimit { limit, remaining, reset }) = limit else {
        return of.ok("this GitHub limits no requests");
    };
    let sentence = format!("{remaining} of {limit} requests of this hour are left");
    #[expect(clippy::cast_precision_loss, reason = "requests of an hour are few")]
    let share = *remaining as f64 / (*limit).max(1) as f64;
    let fewer = "Wait, or use a GitHub App: its limit is its own, and higher.";
    if *remaining == 0 {
        of.problem(format!("{sentence}, until {}", reset.strftime("%H:%M:%S UTC")), fewer)
    } else if share < FEW {
        of.warning(sentence, fewer)
    } else {
        of.ok(sentence)
    }
}

/// The runner groups that starts name, and the scale sets where the stack itself is.
fn groups<'a>(stack: &'a Stack, args: &'a DoctorArgs) -> BTreeSet<&'a str> {
    let at_home = stack.scale_sets.iter().filter(|set| stack.place_of(set) == 0);
    let of_sets = at_home.map(|set| set.runner_group.as_str());
    of_sets.chain([args.runner_group.as_str()]).collect()
}

async fn registration(runners: &GitHubRunners, groups: &BTreeSet<&str>) -> Vec<Finding> {
    let target = runners.scope().target();
    let of = Check::RunnerRegistration.of(target);
    let may = match runners.check().await {
        Ok(()) => of.ok(format!("runners may be registered at {target}")),
        Err(fault) => of.failed(fault),
    };
    let passable = may.is_passable();
    let mut findings = vec![may];
    for name in groups {
        let of = Check::RunnerGroup.of(name);
        findings.push(if passable {
            match runners.group(name).await {
                Ok(id) => of.ok(format!("the runner group {name} is there (id {id})")),
                // The default group's id is 1 everywhere: `start` does not look for it.
                Err(fault) if fault.class == Class::Denied && name.eq_ignore_ascii_case("default") => {
                    of.ok("the runner group Default is everywhere")
                }
                Err(fault) => of.failed(fault),
            }
        } else {
            of.skipped(Check::RunnerRegistration)
        });
    }
    findings
}
