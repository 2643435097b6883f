//! Which machine a queued job goes to.
//!
//! Source: GitHub documentation, "Choosing the runner for a job": a runner must have all labels of the job,
//! and be of the group where one is named.

use jiff::Timestamp;

use super::accounts::{Repository, Scope};
use super::job::Job;
use super::runners::Runner;
use super::state::{Effect, State};

/// Labels of GitHub's own machines that this simulator can stand in for.
const HOSTED: [&str; 6] =
    ["ubuntu-latest", "ubuntu-26.04", "ubuntu-24.04", "ubuntu-22.04", "ubuntu-slim", "ubuntu-24.04-arm"];
/// Beginnings of the labels of those that it cannot.
const UNAVAILABLE: [&str; 2] = ["windows-", "macos-"];

/// Where a job wants to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Hosted,
    SelfHosted,
    /// On a machine that is not simulated, by this label.
    Unavailable(String),
}

/// Reads `runs-on`.
pub(crate) fn destination(labels: &[String], group: Option<&str>) -> Destination {
    let lower: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    if group.is_some() || lower.is_empty() {
        return Destination::SelfHosted;
    }
    if lower.iter().all(|label| HOSTED.contains(&label.as_str())) {
        return Destination::Hosted;
    }
    match lower.as_slice() {
        [only] if UNAVAILABLE.iter().any(|prefix| only.starts_with(prefix)) => {
            Destination::Unavailable(labels[0].clone())
        }
        _ => Destination::SelfHosted,
    }
}

impl State {
    /// Gives every queued job that has none a machine, if there is one.
    pub(crate) fn route(&mut self, now: Timestamp) {
        for id in self.runs.unplaced() {
            let Some(job) = self.runs.job(id) else { continue };
            if self.runners.all().any(|it| it.assignment.as_ref().is_some_and(|it| it.job == id)) {
                continue;
            }
            match destination(&job.labels, job.group.as_deref()) {
                Destination::Hosted => {
                    if let Some(message) = self.place_hosted(id, now) {
                        self.effect(Effect::RunHosted(message));
                    }
                }
                Destination::SelfHosted => {
                    if let Some(runner) = self.idle_runner_for(job) {
                        self.assign(runner, id, now);
                        self.place_on_runner(id, runner, now);
                    }
                }
                Destination::Unavailable(label) => {
                    let reason = format!("The simulated GitHub has no machine with the label `{label}`.");
                    self.fail_unstarted(id, &reason, now);
                }
            }
        }
    }

    fn idle_runner_for(&self, job: &Job) -> Option<u64> {
        let repository = self.accounts.repositories.get(&job.repository)?;
        self.runners
            .all()
            .filter(|runner| runner.is_online() && runner.assignment.is_none())
            .filter(|runner| runner.has_labels(&job.labels))
            .filter(|runner| self.serves(runner, repository, job.group.as_deref()))
            .min_by_key(|runner| runner.passed_at)
            .map(|runner| runner.id)
    }

    fn serves(&self, runner: &Runner, repository: &Repository, group: Option<&str>) -> bool {
        match runner.scope {
            Scope::Repository(id) => {
                id == repository.id && group.is_none_or(|name| name.eq_ignore_ascii_case("default"))
            }
            Scope::Organization(id) => {
                id == repository.owner_id
                    && self.accounts.groups_of(id).any(|it| {
                        it.id == runner.group_id
                            && it.admits(repository.id)
                            && group.is_none_or(|name| name.eq_ignore_ascii_case(&it.name))
                    })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_hosted_labels_go_to_hosted_machines() {
        assert_eq!(destination(&labels(&["Ubuntu-Latest"]), None), Destination::Hosted);
        assert_eq!(destination(&labels(&["ubuntu-latest", "ff-1"]), None), Destination::SelfHosted);
        assert_eq!(destination(&labels(&["self-hosted", "linux"]), None), Destination::SelfHosted);
        assert_eq!(destination(&labels(&["ubuntu-latest"]), Some("big")), Destination::SelfHosted);
    }

    #[test]
    fn machines_that_are_not_simulated_are_named() {
        let wanted = Destination::Unavailable("windows-latest".into());
        assert_eq!(destination(&labels(&["windows-latest"]), None), wanted);
        assert_eq!(destination(&labels(&["self-hosted", "windows-latest"]), None), Destination::SelfHosted);
    }
}
